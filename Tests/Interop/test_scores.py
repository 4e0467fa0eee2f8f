"""Scores recomputed by NumPy from the stores."""
import csv

import numpy as np
import pytest
import xarray as xr

from conftest import ROOT, jigsaw, settings

TRAIN = slice("2001-10-01", "2001-12-31T18")
WINDOW_DAYS = 61


def truth():
    ds = xr.open_dataset(ROOT / "data/demo/simulated.nc")
    fields = {}
    for name, field in ds.data_vars.items():
        field = field.astype(np.float32)  # as the program holds it; xarray unpacks to double
        if "level" in field.dims:
            for level in (850, 500):
                fields[f"{name}_{level}"] = field.sel(level=level)
        else:
            fields[name] = field
    return fields, ds


def area_weights(latitudes):
    middles = (latitudes[:-1] + latitudes[1:]) / 2
    bounds = np.concatenate([[90], middles, [-90]])
    areas = np.sin(np.deg2rad(bounds[:-1])) - np.sin(np.deg2rad(bounds[1:]))
    return areas


REGIONS = {
    "globe": lambda lat: lat == lat, "tropics": lambda lat: abs(lat) <= 20,
    "extratropics-north": lambda lat: lat >= 20, "extratropics-south": lambda lat: lat <= -20,
}


def day_of_leap_year(times):
    months = times.astype("datetime64[M]").astype(int) % 12 + 1
    days = (times.astype("datetime64[D]") - times.astype("datetime64[M]")).astype(int)
    lengths = np.array([31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
    starts = np.concatenate([[0], np.cumsum(lengths)])
    return starts[months - 1] + days + 1


def climatology(field, valid):
    train = field.sel(time=TRAIN)
    times = train.time.values
    hours = (times - times.astype("datetime64[D]")).astype("timedelta64[h]").astype(int)
    days = day_of_leap_year(times)
    day = day_of_leap_year(np.array([valid]))[0]
    hour = (valid - valid.astype("datetime64[D]")).astype("timedelta64[h]").astype(int)
    distance = np.minimum(abs(days - day), 366 - abs(days - day))
    half = WINDOW_DAYS // 2
    weigh = lambda distance: np.maximum(0, 1 - distance / (half + 1))
    weight = np.where(hours == hour, weigh(distance), 0.0)
    days_of_year = np.delete(np.arange(1, 367), 59)  # without the leap day
    apart = np.minimum(abs(days_of_year - day), 366 - abs(days_of_year - day))
    share = min(1.0, weight.sum() / weigh(apart).sum())
    values = train.values.astype(np.float64)
    period = values[hours == hour].mean(axis=0)
    if share == 0:
        return period
    return share * np.tensordot(weight / weight.sum(), values, 1) + (1 - share) * period


@pytest.mark.parametrize("channel", ["z_500", "t_850", "q_500", "msl", "u10"])
def test_scores_agree_with_numpy(run, channel):
    fields, _ = truth()
    ds = xr.open_zarr(run.zarr)
    variable, _, level = channel.partition("_")
    forecast = ds[variable].sel(level=int(level)) if level else ds[variable]
    field = fields[channel]
    areas = area_weights(ds.latitude.values)
    with open(run.folder / "evaluation/scores.csv") as file:
        rows = {(r["system"], int(r["lead_hours"]), r["region"]): r for r in csv.DictReader(file) if r["channel"] == channel}
    for index, lead in enumerate((6, 12, 18, 24)):
        samples = []
        for number, start in enumerate(ds.time.values):
            valid = start + np.timedelta64(lead, "h")
            samples.append((
                forecast.values[number, index].astype(np.float64), field.sel(time=valid).values.astype(np.float64),
                field.sel(time=start).values.astype(np.float64), climatology(field, valid)))
        for region, contains in REGIONS.items():
            w = np.where(contains(ds.latitude.values), areas, 0)
            w = (w / w.sum() / 64)[:, None]
            for system, choose in (("model", 0), ("persistence", 2), ("climatology", 3)):
                row = rows[system, lead, region]
                mean = lambda values: np.mean([(w * v).sum() for v in values])
                error = [s[choose] - s[1] for s in samples]
                assert int(row["forecasts"]) == len(samples)
                assert float(row["rmse"]) == pytest.approx(np.sqrt(mean([e**2 for e in error])), rel=1e-6)
                assert float(row["mae"]) == pytest.approx(mean([abs(e) for e in error]), rel=1e-6)
                scale = np.sqrt(mean([e**2 for e in error]))
                assert float(row["bias"]) == pytest.approx(mean(error), rel=1e-6, abs=1e-6 * scale)
                if system != "climatology":
                    f = [s[choose] - s[3] for s in samples]
                    t = [s[1] - s[3] for s in samples]
                    product = mean([a * b for a, b in zip(f, t)])
                    acc = product / np.sqrt(mean([a**2 for a in f]) * mean([b**2 for b in t]))
                    assert float(row["acc"]) == pytest.approx(acc, rel=1e-6, abs=1e-6)
                    variance = mean([a**2 for a in f]) - np.mean([(w * a).sum() ** 2 for a in f])
                    assert float(row["activity"]) == pytest.approx(np.sqrt(variance), rel=1e-5)


def test_spectra_agree_with_numpy(run):
    fields, _ = truth()
    ds = xr.open_zarr(run.zarr)
    latitudes = ds.latitude.values
    w = np.where((abs(latitudes) >= 30) & (abs(latitudes) <= 60), area_weights(latitudes), 0)
    w /= w.sum()

    def power(field):
        f = np.fft.rfft(field.astype(np.float64), axis=-1) / 64
        s = abs(f) ** 2 * 2
        s[..., 0] /= 2
        s[..., -1] /= 2
        return w @ s

    with open(run.folder / "evaluation/spectra.csv") as file:
        rows = [r for r in csv.DictReader(file) if r["channel"] == "z_500" and r["lead_hours"] == "24"]
    model = np.mean([power(f) for f in ds.z.sel(level=500).values[:, 3]], axis=0)
    valid = ds.time.values + np.timedelta64(24, "h")
    true = np.mean([power(fields["z_500"].sel(time=t).values) for t in valid], axis=0)
    np.testing.assert_allclose([float(r["model"]) for r in rows], model, rtol=1e-5)
    np.testing.assert_allclose([float(r["truth"]) for r in rows], true, rtol=1e-5)


def test_truth_that_cannot_be_is_warned_of(own_run, tmp_path):
    """A fill value at one point of one date that is verified, in no date of the training."""
    def evaluated(name, ds):
        ds.drop_encoding().to_netcdf(tmp_path / name)
        sources = f"data.sources=[{{path: {tmp_path / name}}}, {{path: data/demo/static.nc}}]"
        result = jigsaw("evaluate", own_run.folder, "--forecast", own_run.zarr, *settings(sources))
        return [line for line in (result.stdout + result.stderr).splitlines() if "the truth of" in line]

    ds = xr.open_dataset(ROOT / "data/demo/simulated.nc").load()
    assert evaluated("sound.nc", ds) == []
    ds["t2m"].loc["2002-03-19T12"][3, 5] = 1e20
    found = evaluated("damaged.nc", ds)
    assert len(found) == 1 and "t2m goes from" in found[0] and "1.000e20 K, outside" in found[0], found


def test_climatology_is_no_worse_than_the_mean_of_the_training(run):
    """The dates verified are months away from the few of the training."""
    fields, ds = truth()
    with open(run.folder / "evaluation/scores.csv") as file:
        rows = [r for r in csv.DictReader(file) if r["system"] == "climatology" and r["region"] == "globe"]
    starts = xr.open_zarr(run.zarr).time.values
    w = area_weights(ds.latitude.values)
    w = (w / w.sum() / 64)[:, None]
    for row in rows:
        field = fields[row["channel"]]
        mean = field.sel(time=TRAIN).mean("time").values.astype(np.float64)
        valid = starts + np.timedelta64(int(row["lead_hours"]), "h")
        squared = np.mean([(w * (mean - field.sel(time=t).values) ** 2).sum() for t in valid])
        assert float(row["rmse"]) <= 1.02 * np.sqrt(squared), row
