"""Training, forecasts and scores on points that are no raster, as xarray, eccodes and NumPy see them."""
import csv
from types import SimpleNamespace

import eccodes as ec
import numpy as np
import pytest
import xarray as xr

from conftest import jigsaw, settings

N = 8
RINGS = [20 + 4 * min(line, 2 * N - 1 - line) for line in range(2 * N)]


def octahedral():
    """Latitudes and longitudes of the octahedral reduced Gaussian grid O8, north to south."""
    nodes, _ = np.polynomial.legendre.leggauss(2 * N)
    latitudes = np.degrees(np.arcsin(nodes))[::-1]
    return np.repeat(latitudes, RINGS), np.concatenate([360 * np.arange(count) / count for count in RINGS])


def write(path, latitudes, longitudes):
    times = np.datetime64("2020-01-01", "ns") + np.arange(64) * np.timedelta64(6, "h")
    phi, lam, step = np.radians(latitudes), np.radians(longitudes), np.arange(64)[:, None]
    z = 54000 + 3000 * np.cos(phi) ** 2 * np.cos(3 * lam - step / 8) - 4000 * np.sin(phi) ** 2
    t2m = 288 - 35 * np.sin(phi) ** 2 + 6 * np.cos(phi) * np.cos(2 * lam - step / 6)
    fields = {
        "z": (("time", "level", "values"), z[:, None].astype("f4"), {"units": "m2 s-2"}),
        "t2m": (("time", "values"), t2m.astype("f4"), {"units": "K"}),
        "lsm": (("values",), (np.cos(3 * lam) > 0.2).astype("f4"), {"units": "1"}),
    }
    coordinates = {
        "time": times, "level": ("level", [500.0], {"units": "hPa", "standard_name": "air_pressure"}),
        "latitude": ("values", latitudes, {"units": "degrees_north", "standard_name": "latitude"}),
        "longitude": ("values", longitudes, {"units": "degrees_east", "standard_name": "longitude"}),
    }
    xr.Dataset(fields, coordinates).to_netcdf(path)


CONFIGURATION = """
run: {folder}/run
data:
  sources: [{{path: {folder}/data.nc}}]
  variables: [z, t2m]
  levels: [500]
  static: [lsm]
  forcings: [insolation]
  train: {{start: 2020-01-01, end: 2020-01-10T18}}
  validation: {{start: 2020-01-11, end: 2020-01-12T18}}
  test: {{start: 2020-01-13, end: 2020-01-16T18}}
model: {{family: linear-regression, patch: [1, 1]}}
training: {{updates: 12, batchSize: 2, validation: {{every: 6, samples: 2}}, checkpoint: {{every: 12}}}}
forecast: {{leadHours: 12, everyHours: 24}}
"""


def train(folder, latitudes, longitudes):
    write(folder / "data.nc", latitudes, longitudes)
    (folder / "run.yaml").write_text(CONFIGURATION.format(folder=folder))
    jigsaw("train", folder / "run.yaml")
    return SimpleNamespace(folder=folder / "run", data=folder / "data.nc", latitudes=latitudes, longitudes=longitudes)


@pytest.fixture(scope="module")
def reduced(tmp_path_factory):
    run = train(tmp_path_factory.mktemp("points"), *octahedral())
    jigsaw("forecast", run.folder)
    jigsaw("forecast", run.folder, *settings("forecast.format=netcdf"))
    return run


def test_xarray_opens_both_and_they_agree(reduced):
    stored = [xr.open_zarr(reduced.folder / "forecast.zarr").load(), xr.open_dataset(reduced.folder / "forecast.nc").load()]
    for ds in stored:
        assert ds.z.dims == ("time", "prediction_timedelta", "level", "point")
        assert ds.t2m.dims == ("time", "prediction_timedelta", "point")
        assert ds.latitude.dims == ("point",) and "latitude" in ds.t2m.coords
        assert ds.latitude.attrs["standard_name"] == "latitude" and ds.longitude.attrs["units"] == "degrees_east"
        np.testing.assert_allclose(ds.latitude, reduced.latitudes, atol=1e-9)
        np.testing.assert_allclose(ds.longitude, reduced.longitudes, atol=1e-9)
        assert np.isfinite(ds.z).all() and 270 < float(ds.t2m.mean()) < 290
    xr.testing.assert_equal(*stored)


def test_eccodes_finds_the_reduced_grid(reduced, tmp_path):
    """Each message is on O8, with the values of the Zarr store as far as 16 bits resolve them."""
    output = tmp_path / "forecast.grib2"
    jigsaw("forecast", reduced.folder, "--output", output)
    ds = xr.open_zarr(reduced.folder / "forecast.zarr").load()
    found = 0
    with open(output, "rb") as file:
        while (message := ec.codes_grib_new_from_file(file)) is not None:
            assert ec.codes_get(message, "gridType") == "reduced_gg" and ec.codes_get(message, "N") == N
            assert ec.codes_get_array(message, "pl").tolist() == RINGS
            np.testing.assert_allclose(ec.codes_get_array(message, "latitudes"), reduced.latitudes, atol=1e-5)
            np.testing.assert_allclose(ec.codes_get_array(message, "longitudes"), reduced.longitudes, atol=1e-5)
            date = ec.codes_get(message, "dataDate", str)
            time = np.datetime64(f"{date[:4]}-{date[4:6]}-{date[6:]}", "ns")
            lead = np.timedelta64(ec.codes_get(message, "forecastTime"), "h")
            field = ds.z.isel(level=0) if ec.codes_get(message, "shortName") == "z" else ds.t2m
            expected = field.sel(time=time, prediction_timedelta=lead).values
            span = expected.max() - expected.min()
            np.testing.assert_allclose(ec.codes_get_values(message), expected, atol=span / 2**16)
            ec.codes_release(message)
            found += 1
    assert found == ds.sizes["time"] * ds.sizes["prediction_timedelta"] * 2
    # Scores from these messages are those from the store.
    jigsaw("evaluate", reduced.folder, "--forecast", output)
    jigsaw("evaluate", reduced.folder)
    ours, theirs = scores(reduced.folder / "evaluation"), scores(reduced.folder / "evaluation-forecast")
    assert ours.keys() == theirs.keys()
    for key, value in ours.items():
        assert abs(theirs[key] / value - 1) < 1e-3, key


def scores(folder):
    with open(folder / "scores.csv") as file:
        return {(row["system"], row["channel"], row["lead_hours"], row["region"]): float(row["rmse"]) for row in csv.DictReader(file)}


def test_scores_are_those_of_gaussian_quadrature(reduced):
    """Cells of the rings have nearly the weights of the quadrature, shared by the points of a ring."""
    text = jigsaw("evaluate", reduced.folder).stderr
    assert "no spectra" in text and not (reduced.folder / "evaluation/spectra.csv").exists()
    ds, truth = xr.open_zarr(reduced.folder / "forecast.zarr").load(), xr.open_dataset(reduced.data)
    _, quadrature = np.polynomial.legendre.leggauss(2 * N)
    weights = np.repeat(quadrature / RINGS, RINGS)
    found = scores(reduced.folder / "evaluation")
    for lead in (6, 12):
        forecast = ds.t2m.sel(prediction_timedelta=np.timedelta64(lead, "h"))
        errors = forecast.values - truth.t2m.sel(time=ds.time.values + np.timedelta64(lead, "h")).values
        for region, chosen in (("globe", slice(None)), ("tropics", np.abs(reduced.latitudes) <= 20)):
            w = weights[chosen] / weights[chosen].sum()
            expected = np.sqrt((w * errors[:, chosen] ** 2).sum(axis=1).mean())
            assert abs(found["model", "t2m", str(lead), region] / expected - 1) < 0.02


def test_a_limited_area_is_drawn_and_has_no_grib(tmp_path):
    """Points of a bent area: a domain of its own in scores and maps."""
    east, north = np.meshgrid(np.linspace(-6, 6, 13), np.linspace(-5, 5, 11))
    run = train(tmp_path, (52 + north + 0.02 * east**2).ravel(), (10 + east / np.cos(np.radians(52 + north)) * (1 + 0.01 * north)).ravel())
    jigsaw("forecast", run.folder)
    refused = jigsaw("forecast", run.folder, "--output", tmp_path / "f.grib2", check=False)
    assert refused.returncode != 0 and "neither a raster nor a reduced Gaussian grid" in refused.stderr
    assert {key[3] for key in scores_of(run)} == {"domain"}
    jigsaw("report", run.folder)
    page = (run.folder / "report.html").read_text()
    assert "Each place has the value of the nearest point." in page
    refused = jigsaw("train", tmp_path / "run.yaml", *settings("model.family=weather-mixer", f"run={tmp_path}/mixer"), check=False)
    assert refused.returncode != 0 and "WeatherMixer needs a raster" in refused.stderr and "linear-regression" in refused.stderr


def scores_of(run):
    jigsaw("evaluate", run.folder)
    return scores(run.folder / "evaluation")
