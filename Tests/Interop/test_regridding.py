"""Conservative regridding against CDO, and weights of CDO and xESMF in use."""
import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

ROOT = Path(__file__).resolve().parents[2]
VIEWS = ROOT / ".build/debug/view-checks"
# Targets for both: regular with poles, without, Gaussian, coarser and finer than the source.
TARGETS = {
    "19x36": ([19, 36], dict(xsize=36, ysize=19, xfirst=0, xinc=10, yfirst=90, yinc=-10)),
    "12x24": ([12, 24], dict(xsize=24, ysize=12, xfirst=0, xinc=15, yfirst=82.5, yinc=-15)),
    "61x120": ([61, 120], dict(xsize=120, ysize=61, xfirst=0, xinc=3, yfirst=90, yinc=-3)),
    "F16": ("F16", "n16"),
    "F32": ("F32", "n32"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("regrid")
    data = xr.open_dataset(ROOT / "data/demo/simulated.nc")[["t2m"]].isel(time=slice(0, 2)).load()
    data.t2m.encoding.clear()
    data.to_netcdf(folder / "t2m.nc")
    return folder


def cdo(folder, operator, *files):
    subprocess.run(["cdo", "-s", "-f", "nc4", operator, *files], cwd=folder, check=True, capture_output=True)


def ours(folder, regrid):
    (folder / "request.json").write_text(json.dumps({"dataset": "t2m.nc", "regrid": regrid}))
    done = subprocess.run([VIEWS, "view", "request.json", "1", "out"], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return np.fromfile(folder / "out", "<f4")


@pytest.mark.parametrize("operator", ["gencon2", "genbic", "genlaf"])
def test_weights_that_are_no_means_are_refused(folder, operator):
    """Their further weights are for gradients; the largest area is no mean at all."""
    cdo(folder, f"{operator},r12x6", "t2m.nc", f"{operator}.nc")
    (folder / "request.json").write_text(json.dumps({"dataset": "t2m.nc", "regrid": {"weights": f"{operator}.nc"}}))
    done = subprocess.run([VIEWS, "view", "request.json", "1", "out"], cwd=folder, capture_output=True, text=True)
    assert done.returncode != 0 and "has weights that are not those of a mean" in done.stderr, done.stderr[-2000:]


@pytest.mark.parametrize("name", TARGETS)
def test_conservative(folder, name):
    grid, target = TARGETS[name]
    if isinstance(target, dict):
        text = "gridtype = lonlat\n" + "".join(f"{key} = {value}\n" for key, value in target.items())
        (folder / name).write_text(text)
        target = name
    cdo(folder, f"remapcon,{target}", "t2m.nc", "theirs.nc")
    cdo(folder, f"gencon,{target}", "t2m.nc", f"cdo-{name}.nc")
    with xr.open_dataset(folder / "theirs.nc") as theirs:
        expected = theirs.t2m.values[1].ravel()
    # One unit in the last place of temperatures in single precision.
    np.testing.assert_allclose(ours(folder, {"grid": grid}), expected, rtol=0, atol=6.2e-5)
    np.testing.assert_allclose(ours(folder, {"weights": f"cdo-{name}.nc"}), expected, rtol=0, atol=6.2e-5)
    # Stored weights give the same as those just made.
    stored = {"grid": grid, "weights": f"own-{name}.nc"}
    first = ours(folder, stored)
    assert (folder / f"own-{name}.nc").exists()
    np.testing.assert_array_equal(ours(folder, stored), first)
    np.testing.assert_array_equal(ours(folder, {"grid": grid}), first)


def test_there_and_back(folder):
    """Onto a reduced grid and back: integrals stay, by CDO's own sum."""
    (folder / "back.json").write_text(
        json.dumps({"dataset": {"dataset": "t2m.nc", "regrid": {"grid": "O32"}}, "regrid": {"grid": [32, 64]}})
    )
    done = subprocess.run([VIEWS, "view", "back.json", "1", "out"], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    with xr.open_dataset(folder / "t2m.nc") as data:
        before = data.t2m.isel(time=1).load()
    after = before.copy(data=np.fromfile(folder / "out", "<f4").reshape(before.shape))
    after.to_dataset().to_netcdf(folder / "after.nc")
    means = [
        float(subprocess.run(["cdo", "-s", "output", "-fldmean", step, file], cwd=folder, check=True,
                             capture_output=True, text=True).stdout)
        for step, file in [("-seltimestep,2", "t2m.nc"), ("-selname,t2m", "after.nc")]
    ]  # fmt: skip
    assert abs(means[0] - means[1]) < 2e-3


def bilinear(source, target):
    """Weights between the points of two regular grids [(row, column, weight)], around the globe eastwards."""
    (north, east), (rows, columns) = source, target
    links = []
    for i, latitude in enumerate(rows):
        upper = min(max(np.searchsorted(-north, -latitude) - 1, 0), len(north) - 2)
        down = np.clip((north[upper] - latitude) / (north[upper] - north[upper + 1]), 0, 1)
        for j, longitude in enumerate(columns):
            place = longitude / (360 / len(east))
            left, right = int(place) % len(east), (int(place) + 1) % len(east)
            for row, first in [(upper, 1 - down), (upper + 1, down)]:
                for column, second in [(left, 1 - place % 1), (right, place % 1)]:
                    if first * second > 0:
                        links.append((i * len(columns) + j, row * len(east) + column, first * second))
    return links


def xesmf_file(path, links):
    """As xESMF's Regridder.to_netcdf writes weights: counted from one, of points row after row, without coordinates."""
    row, column, weight = zip(*links)
    weights = {"S": ("n_s", np.array(weight)), "col": ("n_s", np.array(column) + 1), "row": ("n_s", np.array(row) + 1)}
    xr.Dataset(weights).to_netcdf(path)


def test_xesmf(folder):
    with xr.open_dataset(folder / "t2m.nc") as data:
        t2m = data.t2m.load()
    source = t2m.latitude.values.astype(float), t2m.longitude.values.astype(float)
    target = 85 - 10.0 * np.arange(18), 12.0 * np.arange(30)
    links = bilinear(source, target)
    # The first point is reached by nothing, which xESMF marks so.
    links = [(0, 0, np.nan)] + [link for link in links if link[0] > 0]
    xesmf_file(folder / "xesmf.nc", links)
    like = xr.Dataset({"lsm": (("latitude", "longitude"), np.zeros((18, 30), "f4"))},
                      {"latitude": ("latitude", target[0], {"units": "degrees_north"}),
                       "longitude": ("longitude", target[1], {"units": "degrees_east"})})  # fmt: skip
    like.to_netcdf(folder / "like.nc")
    expected = np.zeros(18 * 30)
    np.add.at(expected, [link[0] for link in links], [t2m.values[1].ravel()[c] * w for _, c, w in links])
    found = ours(folder, {"like": "like.nc", "weights": "xesmf.nc"})
    assert np.isnan(found[0]) and np.isnan(expected[0])
    np.testing.assert_allclose(found[1:], expected[1:], rtol=0, atol=6.2e-5)

    def refusal(regrid):
        (folder / "request.json").write_text(json.dumps({"dataset": "t2m.nc", "regrid": regrid}))
        done = subprocess.run([VIEWS, "view", "request.json", "1", "out"], cwd=folder, capture_output=True, text=True)
        assert done.returncode != 0
        return done.stderr

    assert "name it beside them" in refusal({"weights": "xesmf.nc"})
    # Made for fields from south to north.
    xesmf_file(folder / "upside-down.nc", [(r, (31 - c // 64) * 64 + c % 64, w) for r, c, w in links[1:]])
    assert "in another order" in refusal({"like": "like.nc", "weights": "upside-down.nc"})
