"""A tiny run on the demo's data, made once for all interoperability tests, which only read it."""
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).resolve().parents[2]
JIGSAW = ROOT / ".build/release/jigsaw"
SMALL = [
    "data.train.end=2001-12-31T18", "data.validation.start=2002-03-09", "model.channels=32", "model.tokenWidth=32",
    "model.channelWidth=32", "training.updates=6", "training.warmUpUpdates=2", "training.validation.every=3",
    "training.checkpoint.every=3", "training.averageDecay=0.9", "forecast.leadHours=24", "forecast.everyHours=72",
]


def jigsaw(*arguments, check=True, **options):
    result = subprocess.run([JIGSAW, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, **options)
    if check and result.returncode != 0:
        raise AssertionError(f"jigsaw {' '.join(map(str, arguments))} failed:\n{result.stderr}")
    return result


def zarr2(*arguments):
    """Runs zarr2_matrix.py with zarr-python 2, which needs an environment of its own (Makefile)."""
    script = ROOT / "Tests/Interop/zarr2_matrix.py"
    result = subprocess.run([ROOT / ".venv-zarr2/bin/python", script, *map(str, arguments)], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def settings(*pairs):
    return [word for pair in pairs for word in ("--set", pair)]


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("interop") / "run"
    jigsaw("train", "configs/demo.yaml", *settings(f"run={folder}", *SMALL))
    jigsaw("forecast", folder)
    jigsaw("forecast", folder, *settings("forecast.format=netcdf"))
    jigsaw("evaluate", folder)
    # Read only: nothing that a test writes lies where another looks. Tests that write into a run take own_run.
    return SimpleNamespace(folder=folder, zarr=folder / "forecast.zarr", netcdf=folder / "forecast.nc")


@pytest.fixture
def own_run(run, tmp_path):
    """A copy of the run for one test."""
    folder = tmp_path / "own"
    shutil.copytree(run.folder, folder)
    return SimpleNamespace(folder=folder, zarr=folder / "forecast.zarr", netcdf=folder / "forecast.nc")
