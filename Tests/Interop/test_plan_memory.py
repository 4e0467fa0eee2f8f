"""The memory of whole runs as 'jigsaw plan' tells it, beside what they take."""
import sys

import pytest

from conftest import ROOT

sys.path.insert(0, str(ROOT / "Benchmarks/planning"))
import memory

# Three runs of each.
SETUPS = ["demo, NetCDF", "demo, Zarr", "demo, GRIB", "64 x 128, 22 fields, 2 domain ranks", "graph transformer, NetCDF"]
# By how much the program and its libraries differ between processors: they load other kernels. The same forecast of the demo took
# 85 to 95 MB on three kinds of processor.
PROGRAM_SPREAD = 5e6


@pytest.mark.parametrize("name", SETUPS)
def test_whole_runs_take_what_the_plan_says(name, tmp_path):
    for record in memory.Bench(tmp_path).case(name):
        parts = record["parts"]
        assert parts["total"] == sum(value for key, value in parts.items() if key not in ("total", "verdict"))
        difference = abs(record["predictedBytes"] - record["measuredBytes"])
        assert difference < memory.LIMIT * record["measuredBytes"] + PROGRAM_SPREAD, record
