"""Conservative regridding against CDO, and CDO's weights in use."""
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
