"""Anemoi datasets: what anemoi-datasets wrote, opened and composed, gives the same numbers as its own open_dataset."""
import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
import zarr

# One process makes the datasets that these share.
pytestmark = pytest.mark.xdist_group("anemoi")

ROOT = Path(__file__).resolve().parents[2]
PEER = ROOT / "Tests/Interop/anemoi_peer.py"
PYTHON = ROOT / ".venv-anemoi/bin/python"
VIEWS = ROOT / ".build/debug/view-checks"

SOME = ["2t", "msl", "z_500", "t_850"]

# What is opened, and which date of it is compared.
REQUESTS = {
    "plain": ("plain.zarr", 7),
    "format 3": ("third.zarr", 3),
    "grid chunks": ("runs.zarr", 5),
    "missing dates": ("missing.zarr", 4),
    "start, end": ({"dataset": "plain.zarr", "start": "2020-01-02", "end": "2020-01-03"}, 2),
    "a year": ({"dataset": "plain.zarr", "start": 2020, "end": 2020}, 2),
    "a month": ({"dataset": "plain.zarr", "start": "2020-01", "end": "2020-01"}, 2),
    "first 80 %": ({"dataset": "plain.zarr", "end": "80%"}, 18),
    "last 20 %": ({"dataset": "plain.zarr", "start": "80%"}, 0),
    "frequency": ({"dataset": "plain.zarr", "frequency": "12h"}, 3),
    "frequency, missing": ({"dataset": "missing.zarr", "frequency": "12h"}, 3),
    "select": ({"dataset": "plain.zarr", "select": ["z_500", "2t"]}, 1),
    "drop": ({"dataset": "plain.zarr", "drop": ["lsm", "zs"]}, 1),
    "rename": ({"dataset": "plain.zarr", "rename": {"2t": "t2m", "z_500": "z500"}}, 1),
    "sort": ({"dataset": "plain.zarr", "select": ["z_500", "2t", "msl"], "reorder": "sort"}, 1),
    "reorder": ({"dataset": "plain.zarr", "select": SOME, "reorder": SOME[::-1]}, 1),
    "rescale": (
        {"dataset": "plain.zarr", "select": SOME,
         "rescale": {"2t": ["K", "degC"], "msl": [0.01, 0], "z_500": {"scale": 0.10197162129779283, "offset": 3}}}, 4),
    "statistics": ({"dataset": "plain.zarr", "select": SOME, "statistics": "missing.zarr"}, 4),
    "thinning": ({"dataset": "plain.zarr", "thinning": 3, "method": "every-nth"}, 6),
    "area": ({"dataset": "runs.zarr", "area": [60, -20, 30, 40]}, 6),
    "area of another": ({"dataset": "plain.zarr", "area": "area.zarr"}, 6),
    "trim edge": ({"dataset": "plain.zarr", "trim_edge": [1, 2, 3, 4]}, 6),
    "reduced grid": ("o16.zarr", 2),
    "area of a reduced grid": ({"dataset": "o16.zarr", "area": [80, 100, 20, 200]}, 2),
    "members": ("members.zarr", 2),
    "member": ({"dataset": "members.zarr", "member": 1}, 2),
    "numbers": ({"dataset": "members.zarr", "numbers": [3, 1]}, 2),
    "ensemble": ({"ensemble": [{"dataset": "members.zarr", "number": 2}, "members.zarr"]}, 2),
    "join": ({"join": [{"dataset": "plain.zarr", "select": ["2t"]}, {"dataset": "runs.zarr", "select": ["msl", "z_500"]}]}, 2),
    "join, one over the other": ({"join": [{"dataset": "plain.zarr", "select": SOME}, {"dataset": "missing.zarr", "select": ["msl"]}]}, 2),
    "a list": (["plain.zarr", {"dataset": "plain.zarr", "rename": {"2t": "again"}, "select": ["2t"]}], 2),
    "concat": ({"concat": [{"dataset": "plain.zarr", "end": "2020-01-02"}, {"dataset": "missing.zarr", "start": "2020-01-03"}]}, 10),
    "cutout": ({"cutout": ["area.zarr", "o16.zarr"], "adjust": "all"}, 3),
    "cutout, distances": (
        {"cutout": ["area.zarr", {"dataset": "plain.zarr", "select": SOME, "reorder": "sort"}], "adjust": "variables",
         "min_distance_km": 50, "cropping_distance": 5, "neighbours": 4}, 3),
    "cutout of three": ({"cutout": ["north.zarr", "area.zarr", "o16.zarr"], "adjust": "all"}, 3),
    "cutout, no further": ({"cutout": ["area.zarr", "o16.zarr"], "max_distance_km": 2000}, 3),
    "grids": ({"grids": ["area.zarr", "o16.zarr"]}, 3),
    "many": (
        {"join": [{"dataset": "plain.zarr", "select": ["2t", "msl"], "rescale": {"2t": [1, -273.15]}},
                  {"dataset": "runs.zarr", "drop": ["2t", "msl", "lsm"], "rename": {"z_500": "gh"}}],
         "start": "2020-01-02", "frequency": "12h", "reorder": "sort", "area": [70, -30, 20, 60]}, 3),
    # Dates that are made up, averaged and merged.
    "filled with the closest": ({"dataset": "missing.zarr", "fill_missing_dates": "closest"}, 5),
    "filled with the closest, before": ({"dataset": "gaps.zarr", "fill_missing_dates": "closest"}, 1),
    "filled with the closest of two as near": ({"dataset": "gaps.zarr", "fill_missing_dates": "closest"}, 2),
    "filled with the closest, after": ({"dataset": "gaps.zarr", "fill_missing_dates": "closest"}, 12),
    "filled with the closest, then cut": (
        {"dataset": "gaps.zarr", "fill_missing_dates": "closest", "start": "2020-01-01T06:00:00", "frequency": "12h"}, 1),
    "interpolated": ({"dataset": "missing.zarr", "fill_missing_dates": "interpolate"}, 12),
    "interpolated, a third": ({"dataset": "gaps.zarr", "fill_missing_dates": "interpolate"}, 11),
    "interpolated, three quarters": ({"dataset": "gaps.zarr", "fill_missing_dates": "interpolate", "select": SOME[:3]}, 3),
    "filled with nothing": ({"dataset": "gaps.zarr", "fill_missing_dates": "nans"}, 7),
    "filled with the mean": ({"dataset": "gaps.zarr", "fill_missing_dates": "mean"}, 7),
    "filled with the minimum": ({"dataset": "missing.zarr", "fill_missing_dates": "minimum"}, 5),
    "filled with the maximum, a date that is there": ({"dataset": "gaps.zarr", "fill_missing_dates": "maximum"}, 8),
    "every 3 h": ({"dataset": "plain.zarr", "interpolate_frequency": "3h"}, 5),
    "every 3 h, a date that is there": ({"dataset": "plain.zarr", "interpolate_frequency": "3h"}, 6),
    "every 2 h, the last": ({"dataset": "runs.zarr", "interpolate_frequency": "2h", "select": SOME}, 69),
    "every hour": ({"dataset": "o16.zarr", "interpolate_frequency": 1}, 29),
    "every 90 min": ({"dataset": "o16.zarr", "interpolate_frequency": "PT90M", "end": "2020-01-02"}, 7),
    "every 3 h, filled": ({"dataset": "missing.zarr", "fill_missing_dates": "closest", "interpolate_frequency": "PT3H"}, 11),
    "mean of two": ({"dataset": "plain.zarr", "rolling_average": [-1, 0, "freq"]}, 4),
    "mean of three": ({"dataset": "o16.zarr", "rolling_average": [-1, 1, "freq"], "select": ["msl", "2t"]}, 0),
    "mean of six": ({"dataset": "runs.zarr", "rolling_average": [-3, 2, "frequency"]}, 18),
    "mean of two, filled": ({"dataset": "gaps.zarr", "fill_missing_dates": "nans", "rolling_average": [0, 1, "freq"]}, 6),
    "mean of one": ({"dataset": "o16.zarr", "rolling_average": [0, 0, "freq"]}, 5),
    "mean of every 3 h": ({"dataset": "plain.zarr", "interpolate_frequency": "3h", "rolling_average": [-2, 1, "freq"]}, 9),
    "extended": ({"dataset": "o16.zarr", "extend_start": "2019-12-30", "extend_end": "2020-01"}, 14),
    "extended, filled": ({"dataset": "o16.zarr", "extend_end": "2020-01-08", "fill_missing_dates": "mean"}, 26),
    "gaps between": (
        {"concat": [{"dataset": "o16.zarr", "end": "2020-01-02"}, {"dataset": "o16.zarr", "start": "2020-01-04"}],
         "fill_missing_gaps": True}, 12),
    "gaps between, filled": (
        {"dataset": {"concat": [{"dataset": "o16.zarr", "end": "2020-01-02"}, {"dataset": "o16.zarr", "start": "2020-01-04"}],
                     "fill_missing_gaps": True}, "fill_missing_dates": "interpolate"}, 9),
    "complement": ({"complement": "few.zarr", "source": {"dataset": "gaps.zarr", "drop": ["msl", "2t"]}}, 4),
    "complement, nearest": ({"complement": "north.zarr", "source": "waves.zarr", "interpolation": "nearest"}, 4),
    "complement, as far as": (
        {"complement": {"dataset": "north.zarr", "drop": ["msl"]}, "source": {"dataset": "waves.zarr", "area": [60, 0, 0, 100]}, "interpolation": "nearest",
         "max_distance": 0.12, "adjust": "dates"}, 4),
    "statistics of the change": (
        {"dataset": "plain.zarr", "select": SOME, "statistics_tendencies": "missing.zarr"}, 4),
    "ISO durations": ({"dataset": "plain.zarr", "frequency": "PT12H"}, 3),
    "ISO durations, days": ({"dataset": "plain.zarr", "frequency": "P1DT6H"}, 2),
    "hours and minutes": ({"dataset": "plain.zarr", "frequency": "18:00"}, 2),
    "set missing": ({"dataset": "plain.zarr", "set_missing_dates": ["2020-01-02T06:00:00", "2031-01-01T00:00:00", 7]}, 8),
}  # fmt: skip

# Requests that anemoi-datasets refuses, ignores in part, or can't answer: refused with a reason.
REFUSED = {
    "zip": ({"zip": ["plain.zarr", "o16.zarr"]}, "tuples of fields on several grids"),
    "xy": ({"xy": ["plain.zarr", "o16.zarr"]}, "pairs of inputs and targets"),
    "skipped dates": ({"dataset": "missing.zarr", "skip_missing_dates": True, "expected_access": 2}, "left out anyway"),
    "points without values": ({"dataset": "plain.zarr", "interpolate_variables": ["2t"]}, "data.impute"),
    "shuffle": ({"dataset": "plain.zarr", "shuffle": True}, "training.seed"),
    "another thinning": ({"dataset": "plain.zarr", "thinning": 2, "method": "distance-based"}, "whatever it says"),
    "a random thinning": ({"dataset": "plain.zarr", "thinning": 2, "method": "random"}, "whatever it says"),
    "no date at all": ({"dataset": "plain.zarr", "set_missing_dates": ["2031-01-01"]}, "names no date"),
    "closest, before": ({"dataset": "missing.zarr", "fill_missing_dates": "closest", "closest": "down"}, "refuses it too"),
    "average over missing dates": ({"dataset": "missing.zarr", "rolling_average": [-1, 0, "freq"]}, "add fill_missing_dates"),
    "between missing dates": ({"dataset": "missing.zarr", "interpolate_frequency": "3h"}, "add fill_missing_dates"),
    "average over hours": ({"dataset": "plain.zarr", "rolling_average": ["-2h", "2h", "freq"]}, "[-1, 0, freq]"),
    "an average of later dates": ({"dataset": "plain.zarr", "rolling_average": [1, 2, "freq"]}, "[-1, 0, freq]"),
    "no part of the interval": ({"dataset": "plain.zarr", "interpolate_frequency": "4h"}, "a part of 21600 s"),
    "both frequencies": ({"dataset": "plain.zarr", "frequency": "12h", "interpolate_frequency": "3h"}, "exclude each other"),
    "merge": ({"merge": ["missing.zarr", "plain.zarr"], "allow_gaps_in_dates": True}, "use concat"),
    "nearest of four": (
        {"complement": "o16.zarr", "source": "waves.zarr", "interpolation": "nearest", "k": 4}, "single nearest point"),
    "nothing to complement": ({"complement": "o16.zarr", "source": "o16.zarr"}, "no variable that the complement lacks"),
    "variables mixed up": ({"complement": "few.zarr", "source": "gaps.zarr"}, "mixes up"),
    "a month": ({"dataset": "plain.zarr", "frequency": "P1M"}, "PT6H"),
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("anemoi")
    subprocess.run([PYTHON, PEER, "make", folder], check=True, capture_output=True)
    third(folder)
    return folder


def third(folder):
    """plain.zarr in format 3, as anemoi-datasets writes it with zarr-python 3, which this reader's environment lacks."""
    old = zarr.open_group(folder / "plain.zarr", mode="r")
    new = zarr.create_group(folder / "third.zarr", zarr_format=3, attributes=dict(old.attrs))
    for name, array in old.arrays():
        new.create_array(
            name, data=array[...], chunks=array.chunks, fill_value=array.fill_value,
            compressors=zarr.codecs.ZstdCodec(), dimension_names=None,
        )  # fmt: skip


@pytest.fixture(scope="module")
def expected(folder):
    """What the original says. It can't open format 3: there, the same data in format 2."""
    requests = [{"open": "plain.zarr" if r == "third.zarr" else r, "date": d} for r, d in REQUESTS.values()]
    (folder / "requests.json").write_text(json.dumps(requests))
    done = subprocess.run([PYTHON, PEER, "open", folder, folder / "expected"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads((folder / "expected.json").read_text()), np.load(folder / "expected.npz")


def view(folder, request, date, mode="view"):
    (folder / "request.json").write_text(json.dumps(request))
    done = subprocess.run([VIEWS, mode, "request.json", str(date), "values"], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    facts = json.loads(done.stdout)
    return facts, np.fromfile(folder / "values", "<f4").reshape(facts["shape"][1:])


@pytest.mark.parametrize("name", REQUESTS)
def test_view(folder, expected, name):
    number = list(REQUESTS).index(name)
    theirs, arrays = expected[0][number], expected[1]
    ours, values = view(folder, *REQUESTS[name])
    for key in ["shape", "variables", "dates", "missing"]:
        assert ours[key] == theirs[key], key
    np.testing.assert_array_equal(np.array(ours["latitudes"], "f4"), arrays[f"{number}-lat"].astype("f4"))
    np.testing.assert_array_equal(np.array(ours["longitudes"], "f4"), arrays[f"{number}-lon"].astype("f4"))
    # Rescaling rounds once here and twice there.
    tolerance = 2e-7 if "rescale" in json.dumps(REQUESTS[name]) else 0
    np.testing.assert_allclose(values, arrays[f"{number}"], rtol=tolerance, atol=0)
    for key in ["mean", "stdev", "minimum", "maximum", "tendency_stdev_6h"]:
        if f"{number}-{key}" in arrays:
            np.testing.assert_allclose(np.array(ours[key], "f8"), arrays[f"{number}-{key}"], rtol=1e-6, err_msg=key)


@pytest.mark.parametrize("name", REFUSED)
def test_refused(folder, name):
    request, reason = REFUSED[name]
    (folder / "request.json").write_text(json.dumps(request))
    done = subprocess.run([VIEWS, "view", "request.json", "0", "values"], cwd=folder, capture_output=True, text=True)
    assert done.returncode != 0
    assert reason in done.stderr, done.stderr


# Variables that vary, as a model predicts them: the training's own tensor against the original's numbers.
PREDICTED = ["2t", "msl", "10u", "t_850", "z_500"]
TENSORS = {
    "plain": ("plain.zarr", 7),
    "format 3": ("third.zarr", 3),
    "grid chunks": ("runs.zarr", 5),
    "missing": ("missing.zarr", 6),
    "period": ({"dataset": "plain.zarr", "start": "2020-01-02", "end": "2020-01-05"}, 3),
    "frequency": ({"dataset": "plain.zarr", "frequency": "12h"}, 3),
    "statistics": ({"dataset": "plain.zarr", "statistics": "missing.zarr", "drop": ["lsm"]}, 3),
    "area": ({"dataset": "plain.zarr", "area": [60, 20, -30, 140]}, 3),
    "thinning": ({"dataset": "runs.zarr", "thinning": 2}, 3),
    "trim edge": ({"dataset": "plain.zarr", "trim_edge": [1, 1, 0, 0]}, 3),
    "join": ({"join": [{"dataset": "plain.zarr", "select": ["2t", "msl", "10u"]}, {"dataset": "runs.zarr", "select": ["t_850", "z_500"]}]}, 3),
    "concat": ({"concat": [{"dataset": "plain.zarr", "end": "2020-01-02"}, {"dataset": "missing.zarr", "start": "2020-01-03"}]}, 10),
    "ensemble": ({"ensemble": ["plain.zarr", "runs.zarr"], "member": 1}, 9),
    "filled": ({"dataset": "missing.zarr", "fill_missing_dates": "closest"}, 5),
    "every 3 h": ({"dataset": "plain.zarr", "interpolate_frequency": "3h"}, 7),
    "mean of two": ({"dataset": "runs.zarr", "rolling_average": [-1, 0, "freq"]}, 4),
    "rename": ({"dataset": "plain.zarr", "rename": {"2t": "2m_temperature"}, "reorder": "sort"}, 2),
}  # fmt: skip


@pytest.mark.parametrize("name", TENSORS)
def test_normalised_tensor(folder, name, tmp_path):
    request, date = TENSORS[name]
    theirs = "plain.zarr" if request == "third.zarr" else request
    peer = folder / f"tensor-{list(TENSORS).index(name)}"
    peer.mkdir()
    for dataset in folder.glob("*.zarr"):
        (peer / dataset.name).symlink_to(dataset)
    (peer / "requests.json").write_text(json.dumps([{"open": theirs, "date": date}]))
    subprocess.run([PYTHON, PEER, "open", peer, peer / "expected"], check=True, capture_output=True)
    facts, arrays = json.loads((peer / "expected.json").read_text())[0], np.load(peer / "expected.npz")
    columns = [facts["variables"].index("2m_temperature" if v == "2t" and "rename" == name else v) for v in PREDICTED]
    normalised = (arrays["0"][columns, 0] - arrays["0-mean"][columns, None]) / arrays["0-stdev"][columns, None]
    ours, values = view(folder, request, facts["dates"][date], mode="tensor")
    assert ours["variables"] == ["t2m", "msl", "u10", "t_850", "z_500"]
    np.testing.assert_allclose(values, normalised.astype("f4").reshape(values.shape), rtol=2e-5, atol=2e-5)
