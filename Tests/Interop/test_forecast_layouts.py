"""Forecasts in files of their own as CDO and xarray see them, and forecasts of other tools as 'evaluate' reads them."""
import csv
import shutil
import subprocess

import numpy as np
import pytest
import xarray as xr

from conftest import jigsaw, settings

HOUR = np.timedelta64(1, "h")


def cdo(*arguments):
    result = subprocess.run(["cdo", "-s", *map(str, arguments)], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def files(run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("layouts") / "forecasts"
    jigsaw("forecast", run.folder, "--output", folder, *settings("forecast.layout=perForecast"))
    return folder


@pytest.fixture(scope="module")
def forecasts(run):
    return xr.open_zarr(run.zarr).load()


def test_one_cf_file_per_initial_time(files, forecasts):
    paths = sorted(files.iterdir())
    assert len(paths) == forecasts.sizes["time"] and all(path.suffix == ".nc" for path in paths)
    for path, (start, expected) in zip(paths, forecasts.groupby("time", squeeze=False)):
        ds = xr.open_dataset(path)
        assert ds.z.dims == ("time", "level", "latitude", "longitude") and ds.msl.dims == ("time", "latitude", "longitude")
        assert ds.forecast_reference_time.values == start and ds.time.attrs["standard_name"] == "time"
        np.testing.assert_array_equal(ds.time, start + forecasts.prediction_timedelta.values)
        np.testing.assert_array_equal(ds.forecast_period, forecasts.prediction_timedelta)
        assert {"forecast_reference_time", "forecast_period"} <= set(ds.z.coords)
        for name in forecasts.data_vars:
            np.testing.assert_array_equal(ds[name].values, expected[name].values[0], err_msg=name)


def test_reference_time_has_its_cf_role(forecasts, run):
    for ds in (forecasts, xr.open_dataset(run.netcdf)):
        roles = {name: ds[name].attrs["standard_name"] for name in ("time", "prediction_timedelta", "valid_time")}
        assert roles == {"time": "forecast_reference_time", "prediction_timedelta": "forecast_period", "valid_time": "time"}


@pytest.mark.skipif(shutil.which("cdo") is None, reason="needs cdo")
def test_cdo_reads_all_of_it(files, forecasts, run, tmp_path):
    """All variables, dated by when they are valid, also of a NetCDF file of a single forecast in any layout."""
    single = tmp_path / "single.nc"
    start = str(forecasts.time.values[0])[:16]
    jigsaw("forecast", run.folder, "--from", start, "--output", single)
    for path in (single, sorted(files.iterdir())[0]):
        assert set(cdo("showname", path).split()) == set(forecasts.data_vars)
        dates = (forecasts.time.values[0] + forecasts.prediction_timedelta.values).astype("datetime64[s]")
        assert cdo("showtimestamp", path).split() == [str(date) for date in dates]
        means = np.array(cdo("outputf,%.10g,1", "-zonmean", "-mermean", "-selname,msl", path).split(), dtype="f8")
        assert means.shape == dates.shape and np.all(np.abs(means - 101_000) < 3_000)


def test_cf_checker_finds_no_error_in_files(files):
    import sys
    from pathlib import Path

    checker = Path(sys.executable).with_name("compliance-checker")
    result = subprocess.run(
        [checker, "--test=cf:1.8", "--criteria=lenient", sorted(files.iterdir())[0]], capture_output=True, text=True)
    assert "Errors" not in result.stdout, result.stdout


# Forecasts of others

def plain(ds):
    """Names and numbers alone, as other tools write them."""
    for name in ds.variables:
        ds[name].encoding = {}
        ds[name].attrs = {key: value for key, value in ds[name].attrs.items() if key == "units"}
    ds.attrs = {}
    return ds


def weatherbench(ds, folder):
    names = {"z": "geopotential", "t": "temperature", "u": "u_component_of_wind", "v": "v_component_of_wind",
             "q": "specific_humidity", "msl": "mean_sea_level_pressure", "t2m": "2m_temperature",
             "u10": "10m_u_component_of_wind", "v10": "10m_v_component_of_wind"}
    ds = plain(ds.drop_vars("valid_time").rename(names)).sortby("latitude").transpose(..., "longitude", "latitude")
    chunks = {name: {"chunks": (1, 1, *ds[name].shape[2:])} for name in ds.data_vars}
    ds.to_zarr(folder / "wb.zarr", consolidated=True, encoding=chunks)
    return folder / "wb.zarr"


def cfgrib(ds, folder):
    """Dimensions time and step, levels called isobaricInhPa, a member, longitudes from -180."""
    ds = plain(ds).rename(prediction_timedelta="step", level="isobaricInhPa").expand_dims(number=[0])
    ds = ds.assign_coords(longitude=(ds.longitude + 180) % 360 - 180).sortby("longitude")
    ds.step.encoding = {"units": "days", "dtype": "f8"}
    ds.to_netcdf(folder / "cfgrib.nc")
    return folder / "cfgrib.nc"


def per_forecast(ds, folder):
    """One file each, dated by validity, with the initial time in the file; levels in Pa and in another order."""
    (folder / "each").mkdir()
    for start, one in ds.groupby("time", squeeze=False):
        one = plain(one.isel(time=0, drop=True).drop_vars("valid_time"))
        one = one.rename(prediction_timedelta="time").assign_coords(
            time=start + one.prediction_timedelta.values, forecast_reference_time=start)
        one = one.assign_coords(level=one.level * 100.0).isel(level=slice(None, None, -1))
        one.level.attrs = {"units": "Pa", "standard_name": "air_pressure"}
        one.forecast_reference_time.attrs["standard_name"] = "forecast_reference_time"
        one.time.attrs["standard_name"] = "time"
        one.to_netcdf(folder / "each" / f"{str(start)[:13]}.nc")
    return folder / "each" / "*.nc"


def single_step(ds, folder):
    """cfgrib's valid_time along step, a scalar initial time; in a folder."""
    (folder / "step").mkdir()
    for start, one in ds.groupby("time", squeeze=False):
        one = plain(one.isel(time=0)).rename(prediction_timedelta="step")
        one.to_netcdf(folder / "step" / f"{str(start)[:13]}.nc")
    return folder / "step"


def named_levels(ds, folder):
    """A variable of its own for each level, as Anemoi names them."""
    flat = {f"{name}_{level}": ds[name].sel(level=level, drop=True) for name in "ztuvq" for level in ds.level.values}
    ds = plain(xr.Dataset({**flat, **{name: ds[name] for name in ("msl", "t2m", "u10", "v10")}}))
    ds = ds.rename(time="forecast_reference_time", prediction_timedelta="lead_time", t2m="2t", u10="10u", v10="10v")
    ds.to_netcdf(folder / "named.nc")
    return folder / "named.nc"


def points(ds, folder):
    """Points in a list, whose coordinates are those of a grid."""
    ds = plain(ds).stack(values=("latitude", "longitude")).reset_index("values")
    ds.rename(prediction_timedelta="step").to_netcdf(folder / "points.nc")
    return folder / "points.nc"


def validity_table(ds, folder):
    """Leads, and times of validity by initial time and lead: nothing else says when forecasts start."""
    ds = plain(ds).rename(time="init", prediction_timedelta="step").drop_vars("init")
    assert ds.valid_time.dims == ("init", "step")
    ds.transpose("step", "init", ...).to_netcdf(folder / "table.nc")
    return folder / "table.nc"


@pytest.fixture(scope="module")
def expected(run, tmp_path_factory):
    return scores(run, run.zarr, tmp_path_factory.mktemp("expected"))


def scores(run, forecast, folder):
    shutil.copytree(run.folder, folder / "run")
    jigsaw("evaluate", folder / "run", "--forecast", forecast)
    (path,) = [p for p in (folder / "run").glob("evaluation-*/scores.csv")]
    with open(path) as file:
        # What others' forecasts were trained on is not known.
        origin = ("forecast_store", "checkpoint", "forecasts_on_training_dates")
        return [{k: v for k, v in row.items() if k not in origin} for row in csv.DictReader(file)]


@pytest.mark.parametrize("form", [weatherbench, cfgrib, per_forecast, single_step, named_levels, points, validity_table])
def test_others_are_scored_alike(form, run, forecasts, expected, tmp_path):
    found = scores(run, form(forecasts.copy(deep=True), tmp_path), tmp_path)
    assert len(found) == len(expected)
    for a, b in zip(found, expected):
        for key in a:
            try:
                # Longitudes are shifted by FP64 sums, levels by unit factors: nothing but rounding may differ.
                assert np.isclose(float(a[key]), float(b[key]), rtol=1e-6, atol=1e-12, equal_nan=True), (key, a, b)
            except ValueError:
                assert a[key] == b[key], key


def refused(run, path):
    result = jigsaw("evaluate", run.folder, "--forecast", path, check=False)
    assert result.returncode == 1 and "Traceback" not in result.stderr
    return result.stderr


def test_what_can_not_be_read_is_refused(run, forecasts, tmp_path):
    one = plain(forecasts.isel(time=0, drop=True).drop_vars("valid_time")).rename(prediction_timedelta="time")
    one = one.assign_coords(time=forecasts.valid_time.values[0])
    one.to_netcdf(tmp_path / "nostart.nc")
    assert "does not say when its forecasts start" in refused(run, tmp_path / "nostart.nc")
    fewer_points = xr.open_dataset(points(forecasts.copy(deep=True), tmp_path)).isel(values=slice(1, None))
    fewer_points.to_netcdf(tmp_path / "fewer-points.nc")
    assert "grid" in refused(run, tmp_path / "fewer-points.nc")
    members = plain(forecasts.copy(deep=True)).expand_dims(number=[0, 1])
    members.to_netcdf(tmp_path / "members.nc")
    assert "has 2 ensemble members" in refused(run, tmp_path / "members.nc")
    fewer = plain(forecasts.copy(deep=True)).drop_vars("q")
    fewer.to_netcdf(tmp_path / "fewer.nc")
    assert "has no q_850" in refused(run, tmp_path / "fewer.nc")
    wrong = plain(forecasts.copy(deep=True))
    wrong.q.attrs["units"] = "K"
    wrong.to_netcdf(tmp_path / "units.nc")
    assert "units that don't fit" in refused(run, tmp_path / "units.nc")
    table = xr.open_dataset(validity_table(forecasts.copy(deep=True), tmp_path)).load()
    table.valid_time.values[1, 0] += HOUR
    table.to_netcdf(tmp_path / "uneven.nc")
    assert "valid_time: contradicts the start and the lead" in refused(run, tmp_path / "uneven.nc")
    twice = tmp_path / "twice"
    twice.mkdir()
    for name in ("a.nc", "b.nc"):
        plain(forecasts.copy(deep=True)).to_netcdf(twice / name)
    assert "has a forecast from" in refused(run, twice)
