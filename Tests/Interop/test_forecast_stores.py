"""Forecast stores as xarray and a CF checker see them."""
import csv
import functools
import http.server
import os
import ssl
import subprocess
import sys
import threading
from pathlib import Path

import cfgrib
import eccodes as ec
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


def test_grib_holds_the_same(run, own_run, tmp_path):
    """Every field of the NetCDF forecast is a message, within what 16 bits resolve of its range."""
    output = tmp_path / "forecast.grib2"
    jigsaw("forecast", run.folder, "--output", output)
    ours = {"2t": "t2m", "2d": "d2m", "10u": "u10", "10v": "v10"}
    ds = xr.open_dataset(run.netcdf)
    count = 0
    with open(output, "rb") as f:
        while (handle := ec.codes_grib_new_from_file(f)) is not None:
            get = lambda key: ec.codes_get(handle, key)
            name = ours.get(get("shortName"), get("shortName"))
            field = ds[name].sel(
                time=np.datetime64(
                    f"{get('dataDate') // 10000}-{get('dataDate') // 100 % 100:02}-{get('dataDate') % 100:02}T{get('dataTime') // 100:02}"),
                prediction_timedelta=np.timedelta64(get("endStep"), "h"))
            if "level" in field.dims:
                assert get("typeOfLevel") == "isobaricInhPa"
                field = field.sel(level=get("level"))
            expected = field.values.astype("f8")
            found = ec.codes_get_values(handle).reshape(expected.shape)
            resolution = (expected.max() - expected.min()) / 65535
            np.testing.assert_allclose(found, expected, rtol=1e-6, atol=resolution)
            np.testing.assert_allclose(ec.codes_get_array(handle, "distinctLatitudes"), ds.latitude, atol=1e-6)
            np.testing.assert_allclose(ec.codes_get_array(handle, "distinctLongitudes"), ds.longitude, atol=1e-6)
            assert ec.codes_get_long(handle, "centre") == 255
            count += 1
            ec.codes_release(handle)
    assert count == sum(int(np.prod(x.shape[:-2])) for x in ds.data_vars.values())
    upper = cfgrib.open_dataset(output, filter_by_keys={"typeOfLevel": "isobaricInhPa"}, indexpath="")
    assert set(upper.z.dims) == {"time", "step", "isobaricInhPa", "latitude", "longitude"}
    assert not list(tmp_path.glob("*.tmp"))
    # And it is scored as the other is, but for packing.
    jigsaw("evaluate", own_run.folder, "--forecast", output)


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
    # The checker wants the standard name 'time' of every coordinate variable in units of time; CF's name for initial times is
    # forecast_reference_time, which is what ours are.
    found = {line for line in result.stdout.splitlines() if line.startswith("* ")}
    assert found <= {"* Coordinate variable 'time' should have standard_name='time', found: 'forecast_reference_time'"}, result.stdout
    assert "Compliance Checker Report" in result.stdout, result.stdout + result.stderr


@pytest.mark.parametrize("name", ["forecast.zarr", "forecast.nc"])
def test_nothing_temporary_stays(run, name):
    assert not list(run.folder.glob(f"{name}.*"))


def test_remote_stores_are_read_as_local_ones(own_run):
    """Over HTTP from a server that knows no ranges: scores of a forecast that lies there are those of the local one."""
    def scores(forecast, folder):
        jigsaw("evaluate", own_run.folder, "--forecast", forecast)
        with open(own_run.folder / folder / "scores.csv") as file:
            return [{k: v for k, v in row.items() if k != "forecast_store"} for row in csv.DictReader(file)]

    handler = functools.partial(QuietHandler, directory=own_run.folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/forecast.zarr"
        tree = jigsaw("data", "inspect", address).stdout
        remote = scores(address, "evaluation-forecast")
        missing = jigsaw("data", "inspect", address + "/nowhere", check=False)
        server.shutdown()
    assert tree.replace(address, str(own_run.zarr)) == jigsaw("data", "inspect", own_run.zarr).stdout
    assert remote == scores(own_run.zarr, "evaluation")
    assert missing.returncode == 1 and "is not a Zarr group" in missing.stderr


def test_https_servers_must_be_known(run, tmp_path):
    """A server whose certificate nobody vouches for is refused, at once; one that the user names as known is read."""
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    handler = functools.partial(QuietHandler, directory=run.folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"https://127.0.0.1:{server.server_port}/forecast.zarr"
        known = jigsaw("data", "inspect", address, env={**os.environ, "SSL_CERT_FILE": str(certificate)}).stdout
        unknown = jigsaw("data", "inspect", address, check=False)
        server.shutdown()
    assert known.replace(address, str(run.zarr)) == jigsaw("data", "inspect", run.zarr).stdout
    assert unknown.returncode == 1 and "certificate" in unknown.stderr, unknown.stderr


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass
