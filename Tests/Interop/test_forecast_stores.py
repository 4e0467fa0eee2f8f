"""Forecast stores as xarray and a CF checker see them."""
import functools
import http.server
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr

from conftest import jigsaw, settings

DIMENSIONS = ("time", "prediction_timedelta", "level", "latitude", "longitude")


def open_both(run):
    return xr.open_zarr(run.zarr), xr.open_dataset(run.netcdf)


def test_format_3_holds_the_same(run, tmp_path):
    jigsaw("forecast", run.folder, "--output", tmp_path / "three.zarr", *settings("forecast.format=zarr3"))
    group = zarr.open_group(tmp_path / "three.zarr", mode="r")
    assert group.metadata.zarr_format == 3 and group.metadata.consolidated_metadata is not None
    xr.testing.assert_identical(xr.open_zarr(tmp_path / "three.zarr").load(), xr.open_zarr(run.zarr).load())


def test_xarray_opens_both_and_they_agree(run):
    for ds in open_both(run):
        assert ds.z.dims == DIMENSIONS
        assert ds.t2m.dims == DIMENSIONS[:2] + DIMENSIONS[3:]
        assert np.issubdtype(ds.time.dtype, np.datetime64)
        assert ds.prediction_timedelta.values.tolist() == (np.arange(6, 25, 6) * np.timedelta64(1, "h")).astype(
            "timedelta64[ns]").tolist()
        np.testing.assert_array_equal(ds.valid_time, ds.time.values[:, None] + ds.prediction_timedelta.values[None, :])
        assert ds.latitude.values[0] > ds.latitude.values[-1]
        assert ds.z.attrs["standard_name"] == "geopotential" and ds.z.attrs["units"] == "m2 s-2"
        assert ds.level.values.tolist() == [850, 500]
        for field in ds.data_vars.values():
            assert np.isfinite(field).all(), field.name
    a, b = open_both(run)
    xr.testing.assert_equal(a.load(), b.load())


def test_values_are_plausible(run):
    ds = xr.open_zarr(run.zarr)
    assert 45_000 < float(ds.z.sel(level=500).mean()) < 60_000
    assert 250 < float(ds.t2m.mean()) < 310


def test_zarr_chunks_are_one_step_of_one_forecast(run):
    group = zarr.open_group(run.zarr, mode="r", zarr_format=2)
    assert group["z"].chunks == (1, 1, 2, 32, 64)
    assert group["msl"].chunks == (1, 1, 32, 64)
    assert (run.zarr / ".zmetadata").exists()


def test_cf_checker_finds_no_error(run):
    checker = Path(sys.executable).with_name("compliance-checker")
    result = subprocess.run([checker, "--test=cf:1.8", "--criteria=lenient", run.netcdf], capture_output=True, text=True)
    assert "Errors" not in result.stdout, result.stdout
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("name", ["forecast.zarr", "forecast.nc"])
def test_nothing_temporary_stays(run, name):
    assert not list(run.folder.glob(f"{name}.*"))


def test_remote_stores_are_read_as_local_ones(run):
    """Over HTTP from a server that knows no ranges: scores of a forecast that lies there are those of the local one."""
    def scores(forecast):
        jigsaw("evaluate", run.folder, "--forecast", forecast)
        return (run.folder / "evaluation/scores.csv").read_text()

    handler = functools.partial(QuietHandler, directory=run.folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/forecast.zarr"
        tree = jigsaw("data", "inspect", address).stdout
        remote = scores(address)
        missing = jigsaw("data", "inspect", address + "/nowhere", check=False)
        server.shutdown()
    assert tree.replace(address, str(run.zarr)) == jigsaw("data", "inspect", run.zarr).stdout
    assert remote == scores(run.zarr)
    assert missing.returncode == 1 and "is not a Zarr group" in missing.stderr


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass
