"""Fields without values at some points (sea surface temperature over land): statistics, scores and forecasts against NumPy."""
import csv
import json
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr

from conftest import jigsaw
from test_scores import REGIONS, area_weights

CONFIGURATION = """
run: {run}
data:
  sources: [{{path: {folder}/sea.nc}}]
  variables: [t2m, sst]
  impute: {impute}
  stepHours: 6
  train:      {{start: 2001-01-01, end: 2001-01-12}}
  validation: {{start: 2001-01-13, end: 2001-01-15}}
  test:       {{start: 2001-01-16, end: 2001-01-19T18}}
model: {{patch: [2, 4], channels: 8, tokenWidth: 8, channelWidth: 8, blocks: 1}}
training: {{updates: 4, batchSize: 2, warmUpUpdates: 1, averageDecay: 0.9, validation: {{every: 2, samples: 3}}}}
forecast: {{leadHours: 12, everyHours: 12}}
evaluation: {{climatologyWindowDays: 31}}
"""


def waves(rng, land=None):
    """[time, latitude, longitude]: 76 states of 12 × 24 points, six hours apart."""
    lat, lon = np.deg2rad(np.linspace(82.5, -82.5, 12)), np.deg2rad(np.arange(24) * 15)
    time = np.arange(76)[:, None, None]
    field = 280 + 20 * np.cos(lat)[None, :, None] + 3 * np.cos(lon[None, None] * 2 - 0.2 * time + lat[None, :, None])
    field = field + 0.1 * rng.normal(size=field.shape)
    return np.where(land, np.nan, field).astype("f4") if land is not None else field.astype("f4")


@pytest.fixture(scope="module")
def sea(tmp_path_factory):
    folder = tmp_path_factory.mktemp("impute")
    rng = np.random.default_rng(3)
    land = rng.random((12, 24)) < 0.3
    land[:4, 3:9] = True
    coords = {
        "time": np.datetime64("2001-01-01", "ns") + np.arange(76) * np.timedelta64(6, "h"),
        "latitude": ("latitude", np.linspace(82.5, -82.5, 12), {"units": "degrees_north"}),
        "longitude": ("longitude", np.arange(24) * 15.0, {"units": "degrees_east"}),
    }
    dims = ("time", "latitude", "longitude")
    sst = waves(rng, land)
    data = xr.Dataset({"t2m": (dims, waves(rng), {"units": "K"}), "sst": (dims, sst, {"units": "K"})}, coords=coords)
    data.to_netcdf(folder / "sea.nc")
    ice = data.copy(deep=True)
    ice.sst[40:, 11, 3] = np.nan if not land[11, 3] else 280
    ice.to_netcdf(folder / "ice.nc")
    return SimpleNamespace(folder=folder, land=land, data=data)


def configure(sea, name, impute):
    path = sea.folder / f"{name}.yaml"
    path.write_text(CONFIGURATION.format(run=sea.folder / name, folder=sea.folder, impute=impute))
    return path


@pytest.fixture(scope="module", params=["{sst: mean}", "{default: none, nearest: [sst]}"])
def run(sea, request):
    name = "mean" if "mean" in request.param else "nearest"
    jigsaw("train", configure(sea, name, request.param), "--ranks", "2", "--set", "parallel.domain=2")
    jigsaw("forecast", sea.folder / name, "--ranks", "2")
    jigsaw("evaluate", sea.folder / name, "--ranks", "2")
    return sea.folder / name


def test_statistics_ignore_missing_points(sea, run):
    found = json.loads((run / "statistics.json").read_text())["channels"]["sst"]
    values = sea.data.sst.sel(time=slice("2001-01-01", "2001-01-12T00")).values.astype("f8")
    assert found["mean"] == pytest.approx(np.nanmean(values), rel=1e-12)
    assert found["deviation"] == pytest.approx(np.nanstd(values), rel=1e-10)
    assert found["tendencyDeviation"] == pytest.approx(np.nanstd(np.diff(values, axis=0)), rel=1e-5)


def test_forecasts_and_scores_have_no_missing_points(sea, run):
    forecast = xr.open_zarr(run / "forecast.zarr")
    assert np.array_equal(np.isnan(forecast.sst.values), np.broadcast_to(sea.land, forecast.sst.shape))
    assert not np.isnan(forecast.t2m.values).any()
    areas = area_weights(forecast.latitude.values)
    with open(run / "evaluation/scores.csv") as file:
        rows = {
            (r["system"], int(r["lead_hours"]), r["region"]): r for r in csv.DictReader(file) if r["channel"] == "sst"
        }
    for index, lead in enumerate((6, 12)):
        valid = forecast.time.values + np.timedelta64(lead, "h")
        valid = valid[valid <= sea.data.time.values[-1]]
        starts = forecast.time.values[: len(valid)]
        truth = sea.data.sst.sel(time=valid).values.astype("f8")
        for region, contains in REGIONS.items():
            inside = np.where(contains(forecast.latitude.values), areas, 0)[:, None]
            weights = np.where(sea.land, 0, inside)
            weights = weights / weights.sum()
            for system, field in (("model", forecast.sst.values[: len(valid), index]), ("persistence", sea.data.sst.sel(time=starts).values)):
                error = np.nan_to_num(field.astype("f8") - truth)
                row = rows[system, lead, region]
                count = int(row["forecasts"])
                mean = lambda e: (weights * e)[:count].sum() / count
                assert float(row["rmse"]) == pytest.approx(np.sqrt(mean(error**2)), rel=1e-6)
                assert float(row["mae"]) == pytest.approx(mean(abs(error)), rel=1e-6)
                assert float(row["bias"]) == pytest.approx(mean(error), rel=1e-5, abs=1e-7)


def test_the_run_is_reported_and_checked(sea, run):
    jigsaw("report", run)
    shown = jigsaw("data", "check", configure(sea, run.name, "{sst: mean}")).stdout
    assert "sst imputed: mean at" in shown


def test_what_is_not_named_or_changes_is_refused(sea):
    path = configure(sea, "refused", "{}")
    refused = jigsaw("train", path, check=False)
    assert refused.returncode != 0 and "missing values (NaN) in sst" in refused.stderr and "data.impute" in refused.stderr
    path.write_text(path.read_text().replace("sea.nc", "ice.nc").replace("impute: {}", "impute: {sst: 0}"))
    refused = jigsaw("train", path, check=False)
    assert refused.returncode != 0 and "a mask that changes in time" in refused.stderr
    assert jigsaw("data", "check", path, check=False).returncode == 1
    path.write_text(path.read_text().replace("impute: {sst: 0}", "impute: {stt: 0}"))
    refused = jigsaw("train", path, check=False)
    assert "did you mean 'sst'?" in refused.stderr
