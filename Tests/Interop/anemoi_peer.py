"""Run with the environment of requirements-anemoi.txt.

anemoi_peer.py make FOLDER            creates small datasets, most of them by anemoi-datasets itself
anemoi_peer.py open FOLDER OUTPUT     reads requests.json in FOLDER and writes what open_dataset says to OUTPUT.json, OUTPUT.npz
anemoi_peer.py inspect PATH           opens a dataset that another program wrote, reads all of it, prints facts as JSON
"""

import json
import os
import subprocess
import sys

import numpy as np

SURFACE = ["2t", "msl", "10u", "10v", "lsm", "zs"]
PRESSURE = ["z", "t", "u"]
LEVELS = [1000, 850, 500]


def smooth(rng, lat, lon, times):
    """Waves that drift, with a little noise: [times, points]."""
    lat, lon = np.deg2rad(lat), np.deg2rad(lon)
    field = np.zeros((len(times), len(lat)))
    for _ in range(4):
        k, phase, speed = rng.integers(1, 5), rng.uniform(0, 6), rng.uniform(-0.4, 0.4)
        field += np.cos(lat) * np.cos(k * lon[None] + phase + speed * times[:, None]) * rng.normal()
    return field + 0.05 * rng.normal(size=field.shape)


SCALES = {"2t": (285, 10), "msl": (101325, 800), "10u": (1, 5), "10v": (0, 5), "lsm": (0.5, 0.2), "zs": (4000, 3000),
          "z_1000": (1000, 500), "z_850": (14000, 800), "z_500": (54000, 1500), "t_1000": (288, 9), "t_850": (280, 8),
          "t_500": (255, 7), "u_1000": (1, 5), "u_850": (4, 7), "u_500": (9, 10)}  # fmt: skip


def netcdf(folder):
    """Sources for anemoi-datasets: a 10 degree grid with poles, 24 dates."""
    import xarray as xr

    rng = np.random.default_rng(4)
    lat, lon = np.arange(90, -91, -10.0), np.arange(0, 360, 10.0)
    times = np.datetime64("2020-01-01") + np.arange(24) * np.timedelta64(6, "h")
    grid = [a.ravel() for a in np.meshgrid(lat, lon, indexing="ij")]
    shape = (len(times), len(lat), len(lon))

    def field(name):
        mean, scale = SCALES[name]
        values = (mean + scale * smooth(rng, *grid, np.arange(24.0))).astype("f4").reshape(shape)
        return np.broadcast_to(values[:1], shape).copy() if name in ("lsm", "zs") else values

    coords = {"time": times, "latitude": lat, "longitude": lon}
    units = {"2t": "K", "msl": "Pa", "10u": "m s-1", "10v": "m s-1", "lsm": "1", "zs": "m2 s-2"}
    surface = xr.Dataset(
        {n: (("time", "latitude", "longitude"), field(n), {"units": units[n]}) for n in SURFACE}, coords=coords
    )
    upper = xr.Dataset(
        {
            p: (
                ("time", "level", "latitude", "longitude"),
                np.stack([field(f"{p}_{level}") for level in LEVELS], axis=1),
                {"units": {"z": "m2 s-2", "t": "K", "u": "m s-1"}[p]},
            )
            for p in PRESSURE
        },
        coords=coords | {"level": LEVELS},
    )
    for data in (surface, upper):
        data.latitude.attrs.update(units="degrees_north", standard_name="latitude")
        data.longitude.attrs.update(units="degrees_east", standard_name="longitude")
    upper.level.attrs.update(units="hPa", standard_name="air_pressure", positive="down", axis="Z")
    surface.to_netcdf(f"{folder}/surface.nc")
    upper.to_netcdf(f"{folder}/pressure.nc")


def create(folder, name, missing=(), **output):
    recipe = {
        "description": "small synthetic dataset", "licence": "CC0-1.0", "attribution": "synthetic",
        "dates": {"start": "2020-01-01T00:00:00", "end": "2020-01-06T18:00:00", "frequency": "6h",
                  "missing": list(missing)},
        "input": {"join": [
            {"netcdf": {"path": f"{folder}/surface.nc", "param": SURFACE}},
            {"netcdf": {"path": f"{folder}/pressure.nc", "param": PRESSURE}},
            {"forcings": {"template": "${input.join.0.netcdf}",
                          "param": ["cos_latitude", "sin_longitude", "cos_julian_day", "insolation"]}},
        ]},
        "output": output,
        "statistics": {"tendencies": [6, 12]},
    }  # fmt: skip
    path = f"{folder}/{name}.yaml"
    with open(path, "w") as f:
        json.dump(recipe, f)
    tool = os.path.join(os.path.dirname(sys.executable), "anemoi-datasets")
    subprocess.run([tool, "create", path, f"{folder}/{name}.zarr", "--overwrite"], check=True, capture_output=True)


def octahedral(n):
    from numpy.polynomial.legendre import leggauss

    lat, lon = [], []
    for line, phi in enumerate(np.rad2deg(np.arcsin(leggauss(2 * n)[0]))[::-1]):
        count = 20 + 4 * min(line, 2 * n - 1 - line)
        lat += [phi] * count
        lon += list(np.arange(count) * 360 / count)
    return np.array(lat), np.array(lon)


def by_hand(folder, name, lat, lon, members=1, shape=None, variables=("2t", "msl", "t_850", "z_500"), dates=24,
            missing=()):  # fmt: skip
    """The layout as anemoi-datasets writes it, for grids that no source here has, some dates in name only."""
    import zarr

    rng = np.random.default_rng(len(lat))
    root = zarr.open(f"{folder}/{name}.zarr", "w")
    times = np.arange(float(dates))
    data = np.stack(
        [
            np.stack(
                [SCALES[v][0] + SCALES[v][1] * smooth(rng, lat, lon, times) for _ in range(members)], axis=1
            )
            for v in variables
        ],
        axis=1,
    ).astype("f4")
    data[list(missing)] = np.nan
    root.create_dataset(
        "data", data=data, chunks=(1, len(variables), 1, (len(lat) + 2) // 3), fill_value=np.nan,
        dimension_separator=".",
    )  # fmt: skip
    start = np.datetime64("2020-01-01", "s")
    root.create_dataset("dates", data=start + np.arange(dates) * np.timedelta64(21600, "s"))
    root.create_dataset("latitudes", data=lat.astype("f8"))
    root.create_dataset("longitudes", data=lon.astype("f8"))
    for key, function in [("mean", np.nanmean), ("stdev", np.nanstd), ("minimum", np.nanmin), ("maximum", np.nanmax)]:
        root.create_dataset(key, data=function(data.astype("f8"), axis=(0, 2, 3)))
        change = data[1:].astype("f8") - data[:-1]
        root.create_dataset(f"statistics_tendencies_6h_{key}", data=function(change, axis=(0, 2, 3)))
    root.attrs.update(
        version="0.22", uuid=name, dimensions=["dates", "variables", "ensembles", "values"], shape=data.shape,
        variables=list(variables), variables_metadata={v: {} for v in variables}, constant_fields=[],
        field_shape=shape, resolution=None, frequency="6h", dtype="float32", allow_nans=False, missing_dates=[str(start + d * np.timedelta64(21600, "s")) for d in missing],
        start_date="2020-01-01T00:00:00", end_date="2020-01-06T18:00:00",
        statistics_start_date="2020-01-01T00:00:00", statistics_end_date="2020-01-06T18:00:00",
    )  # fmt: skip


def make(folder):
    os.makedirs(folder, exist_ok=True)
    netcdf(folder)
    create(folder, "plain")
    create(folder, "runs", chunking={"dates": 1, "ensembles": 1, "values": 171})
    create(folder, "missing", missing=["2020-01-02T06:00:00", "2020-01-04T00:00:00"])
    by_hand(folder, "o16", *octahedral(16))
    lat, lon = (a.ravel() for a in np.meshgrid(np.arange(60, 39.9, -2.5), np.arange(-10, 20.1, 2.5), indexing="ij"))
    by_hand(folder, "area", lat, lon, shape=[9, 13])
    lat, lon = (a.ravel() for a in np.meshgrid(np.arange(64, 51.9, -1.0), np.arange(8, 30.1, 1.0), indexing="ij"))
    by_hand(folder, "north", lat + 0.01 * lon, lon, shape=[13, 23])
    lat, lon = (a.ravel() for a in np.meshgrid(np.arange(-80, 81, 20.0), np.arange(-180, 180, 20.0), indexing="ij"))
    by_hand(folder, "gaps", *octahedral(8), missing=[1, 2, 3, 7, 11, 12])
    by_hand(folder, "few", *octahedral(8), variables=("2t", "msl"))
    by_hand(folder, "waves", *octahedral(10), variables=("10u", "u_850", "2t"))
    by_hand(folder, "members", lat, lon, members=3, shape=[9, 18])


def open_all(folder, output):
    from anemoi.datasets import open_dataset
    from anemoi.datasets.usage.gridded.fill_missing import MissingDatesInterpolate

    # 0.5.47 asks for this attribute, which it has under another name, before it interpolates.
    assert not hasattr(MissingDatesInterpolate, "_do_warning")
    MissingDatesInterpolate._do_warning = True

    os.chdir(folder)
    with open("requests.json") as f:
        requests = json.load(f)
    facts, arrays = [], {}
    for number, request in enumerate(requests):
        ds = open_dataset(request["open"])
        arrays[f"{number}"] = np.asarray(ds[request["date"]])
        arrays[f"{number}-lat"], arrays[f"{number}-lon"] = np.asarray(ds.latitudes), np.asarray(ds.longitudes)
        for key, value in ds.statistics.items():
            arrays[f"{number}-{key}"] = np.asarray(value)
        try:
            arrays[f"{number}-tendency_stdev_6h"] = np.asarray(ds.statistics_tendencies("6h")["stdev"])
        except Exception:
            pass
        facts.append(
            {"shape": [int(n) for n in ds.shape], "variables": list(ds.variables),
             "dates": [str(d)[:19] for d in ds.dates.astype("datetime64[s]")],
             "missing": sorted(int(m) for m in ds.missing)}
        )  # fmt: skip
    with open(f"{output}.json", "w") as f:
        json.dump(facts, f)
    np.savez(f"{output}.npz", **arrays)


def inspect(path):
    from anemoi.datasets import open_dataset

    tool = os.path.join(os.path.dirname(sys.executable), "anemoi-datasets")
    shown = subprocess.run([tool, "inspect", path], capture_output=True, text=True)
    ds = open_dataset(path)
    rows = {i: ds[i].astype("f8") for i in range(len(ds)) if i not in ds.missing}
    with open(f"{path}/.zattrs") as f:
        attributes = json.load(f)  # ds.field_shape can't say that there is none
    print(
        json.dumps(
            {"inspect": shown.returncode, "shown": shown.stdout[-4000:] + shown.stderr[-2000:],
             "shape": list(ds.shape), "variables": list(ds.variables), "missing": sorted(ds.missing),
             "dates": [str(d)[:19] for d in ds.dates.astype("datetime64[s]")],
             "frequency": str(ds.frequency), "field_shape": attributes["field_shape"], "sums": {i: float(r.sum()) for i, r in rows.items()},
             "mean": list(map(float, ds.statistics["mean"])), "stdev": list(map(float, ds.statistics["stdev"])),
             "tendency": list(map(float, ds.statistics_tendencies("6h")["stdev"])),
             "lat": list(map(float, ds.latitudes)), "lon": list(map(float, ds.longitudes))}
        )  # fmt: skip
    )


if __name__ == "__main__":
    {"make": make, "open": open_all, "inspect": inspect}[sys.argv[1]](*sys.argv[2:])
