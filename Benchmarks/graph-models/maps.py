"""Maps of one forecast on points: forecast, truth, error, beside each other, as a PNG.

Usage: maps.py FORECAST.nc SOURCE.nc STATIC.nc OUT.png VARIABLE LEVEL STEP "TITLE"
Each pixel has the value of the nearest point, if it is within 1.2 spacings of it; lines are coasts. LEVEL 0: none. STEP: from 0.
"""
import sys

import numpy as np
import xarray
from PIL import Image, ImageDraw, ImageFont

SCALE = 5  # pixels of a degree
SEQUENTIAL = [(68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37)]
DIVERGING = [(33, 102, 172), (146, 197, 222), (247, 247, 247), (244, 165, 130), (178, 24, 43)]


def positions(latitude, longitude):
    a, o = np.radians(latitude), np.radians(longitude)
    return np.stack([np.cos(a) * np.cos(o), np.cos(a) * np.sin(o), np.sin(a)], -1)


def colours(values, low, high, anchors):
    place = np.clip((values - low) / (high - low), 0, 1) * (len(anchors) - 1)
    left = np.clip(place.astype(int), 0, len(anchors) - 2)
    anchors = np.array(anchors, "f8")
    share = (place - left)[..., None]
    return (anchors[left] * (1 - share) + anchors[left + 1] * share).astype("u1")


def nearest(places, points):
    """Of each place the nearest point and its chord."""
    best, chord = np.zeros(len(places), int), np.zeros(len(places))
    for start in range(0, len(places), 4096):
        cosines = places[start:start + 4096] @ points.T
        best[start:start + 4096] = cosines.argmax(1)
        chord[start:start + 4096] = np.sqrt(np.maximum(0, 2 - 2 * cosines.max(1)))
    return best, chord


def main():
    forecast, source, static, out, variable, level, step, title = sys.argv[1:]
    made, truth = xarray.open_dataset(forecast), xarray.open_dataset(source)
    level = float(level)

    def select(dataset):
        values = dataset[variable]
        return values.sel(level=level) if level else values

    latitude, longitude = made.latitude.values, (made.longitude.values + 180) % 360 - 180
    if "latitude" in made.dims:
        latitude, longitude = (axis.ravel() for axis in np.meshgrid(latitude, longitude, indexing="ij"))
    ours = select(made).isel(time=int(step)).values.ravel()
    # Boundary points are not predicted.
    latitude, longitude, ours = (x[np.isfinite(ours)] for x in (latitude, longitude, ours))
    time = made.time.values[int(step)]
    field = select(truth).sel(time=time)
    theirs = field.sel(
        latitude=xarray.DataArray(latitude, dims="p"), longitude=xarray.DataArray(longitude % 360, dims="p"),
        method="nearest").values
    points = positions(latitude, longitude)
    cosines = points @ points.T
    np.fill_diagonal(cosines, -1)
    spacing = np.sqrt(np.sort(2 - 2 * cosines, 1)[:, 3])  # to the fourth nearest
    spacing = np.maximum(spacing, np.median(spacing))

    south, north = max(-90, latitude.min() - 3), min(90, latitude.max() + 3)
    west, east = max(-180, longitude.min() - 3), min(180, longitude.max() + 3)
    scale = SCALE if east - west < 200 else SCALE / 2
    rows = np.linspace(north, south, int((north - south) * scale))
    columns = np.linspace(west, east, int((east - west) * scale))
    grid = np.stack(np.meshgrid(rows, columns, indexing="ij"), -1).reshape(-1, 2)
    index, chord = nearest(positions(grid[:, 0], grid[:, 1]), points)
    covered = (chord < 1.2 * spacing[index]).reshape(len(rows), len(columns))
    land = xarray.open_dataset(static).lsm.sel(
        latitude=xarray.DataArray(rows, dims="y"), longitude=xarray.DataArray(columns % 360, dims="x"),
        method="nearest").values > 0.5
    coast = np.zeros_like(land)
    coast[:, 1:] |= land[:, 1:] != land[:, :-1]
    coast[1:] |= land[1:] != land[:-1]

    low, high = min(ours.min(), theirs.min()), max(ours.max(), theirs.max())
    most = np.abs(ours - theirs).max()
    panels = [
        (f"forecast, {low:.4g} ... {high:.4g}", ours, low, high, SEQUENTIAL), ("truth, same colours", theirs, low, high, SEQUENTIAL),
        (f"error, -{most:.3g} ... {most:.3g}", ours - theirs, -most, most, DIVERGING),
    ]
    margin, head = 12, 46
    wide = east - west >= 200
    size = (len(columns), len(rows))
    across, down = (1, 3) if wide else (3, 1)
    image = Image.new(
        "RGB", (margin + across * (size[0] + margin), 24 + down * (size[1] + head)), "white")
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(13)
    draw.text((margin, 6), f"{title}, {variable}{f' {level:.0f} hPa' if level else ''}, valid {str(time)[:16]}", "black", font)
    for number, (name, values, least, greatest, anchors) in enumerate(panels):
        x, y = (margin, 24 + number * (size[1] + head)) if wide else (margin + number * (size[0] + margin), 24)
        picture = colours(values[index].reshape(covered.shape), least, greatest, anchors)
        picture[~covered] = 225
        picture[coast] = picture[coast] // 2
        draw.text((x, y + 8), name, "black", font)
        image.paste(Image.fromarray(picture), (x, y + 30))
    image.save(out, optimize=True)


main()
