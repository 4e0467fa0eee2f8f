"""A training killed at random moments while it saves after every update: its newest checkpoint always loads."""
import os
import random
import re
import shutil
import signal
import subprocess
import time

import pytest

from conftest import JIGSAW, ROOT, SMALL, jigsaw, settings

KILLS = 50


def newest_update(folder):
    names = [p.name for p in (folder / "checkpoints").glob("update-*") if re.fullmatch(r"update-\d{7}", p.name)]
    assert names, "no checkpoint is left"
    return max(int(name.split("-")[1]) for name in names)


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "nothing was saved in time"
        time.sleep(0.005)


def test_newest_checkpoint_loads_after_any_kill(tmp_path):
    random.seed(1)
    folder = tmp_path / "run"
    options = settings(
        *SMALL, f"run={folder}", "training.updates=100000", "training.checkpoint.every=1", "training.validation.every=2")
    base = ["train", "configs/demo.yaml", *options]
    jigsaw(*base, "--stop-after", "1")
    updates = []
    for _ in range(KILLS):
        process = subprocess.Popen(
            [JIGSAW, "resume", str(folder)], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        # Once it is saving, the kill comes at a random moment within several saves.
        wait_for(lambda: newest_update(folder) > (updates[-1] if updates else 0) or process.poll() is not None)
        time.sleep(random.uniform(0, 0.2))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert process.returncode == -signal.SIGKILL, "the training ended by itself"
        update = newest_update(folder)
        shown = jigsaw("checkpoint", "inspect", folder / f"checkpoints/update-{update:07d}").stdout
        assert f"update {update}," in shown
        updates.append(update)
    # Nothing that was saved is ever lost, and the training goes on.
    assert updates == sorted(set(updates))
    jigsaw("resume", folder, "--stop-after", str(updates[-1] + 2))
    jigsaw("forecast", folder, "--lead", "6", "--every", "240")


def kill_at_random(arguments, attempts, longest):
    """Starts a command again and again and kills it at a random moment; says how often it was killed before its end."""
    kills = 0
    for _ in range(attempts):
        process = subprocess.Popen(
            [JIGSAW, *map(str, arguments)], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(random.uniform(0, longest))
        process.kill()
        kills += process.wait() == -signal.SIGKILL
    return kills


@pytest.mark.parametrize("verb", ["forecast", "netcdf", "grib2", "evaluate", "report"])
def test_outputs_are_whole_or_absent_after_any_kill(own_run, verb):
    """Killed while it replaces an output, the old or the new one is there; the next call leaves nothing else behind."""
    random.seed(2)
    folder = own_run.folder
    shutil.rmtree(folder / "evaluation")
    jigsaw("evaluate", folder)
    jigsaw("report", folder)
    output = {"forecast": "forecast.zarr", "netcdf": "forecast.nc", "grib2": "forecast.grib2"}.get(verb)
    if output:
        command = ["forecast", folder, "--overwrite", "--output", folder / output]
    else:
        command = [verb, folder]
    started = time.monotonic()
    jigsaw(*command)
    length = time.monotonic() - started
    before = sorted(p.name for p in folder.iterdir())
    assert kill_at_random(command, 4, length) > 0
    if output:
        jigsaw("data", "inspect", folder / output)
    jigsaw(*command)
    assert sorted(p.name for p in folder.iterdir()) == before
    jigsaw("evaluate", folder)


def test_a_run_is_there_after_kills_while_it_is_replaced(own_run):
    """Of the old run and the new one that --overwrite starts, one can always be resumed and forecast with."""
    random.seed(3)
    folder = own_run.folder
    command = ["train", folder / "config.yaml", "--overwrite", *settings(f"run={folder}")]
    config = folder.parent / "config.yaml"
    shutil.copy(folder / "config.yaml", config)
    command[1] = config
    started = time.monotonic()
    jigsaw(*command)
    length = time.monotonic() - started
    for _ in range(3):
        kill_at_random(command, 1, length)
        jigsaw("forecast", folder, "--overwrite", "--lead", "6", "--every", "240")
        assert not (folder / ".replaced").exists()
    jigsaw("resume", folder)


def test_a_signal_during_statistics_ends_well(tmp_path):
    """'data stats' that is asked to end has status 0, and the same command resumes to the result of one run."""
    def command(name):
        return [JIGSAW, "data", "stats", "configs/demo.yaml", "--output", tmp_path / name, *settings("threads=1")]

    subprocess.run(command("whole.json"), cwd=ROOT, check=True, capture_output=True)
    process = subprocess.Popen(command("parts.json"), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    # The first word of progress: data are open.
    first = process.stderr.read(1)
    process.send_signal(signal.SIGUSR1)
    out, err = process.communicate()
    assert process.returncode == 0, first + err
    if not (tmp_path / "parts.json").exists():
        assert "stopped by a signal before the statistics were complete" in err and out == ""
        subprocess.run(command("parts.json"), cwd=ROOT, check=True, capture_output=True)
    assert (tmp_path / "parts.json").read_text() == (tmp_path / "whole.json").read_text()


def test_a_lost_connection_ends_nothing(tmp_path):
    """SIGHUP, which a shell sends when its terminal goes, is passed over."""
    command = [JIGSAW, "data", "stats", "configs/demo.yaml", "--output", tmp_path / "s.json", *settings("threads=1")]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stderr.read(1)
    process.send_signal(signal.SIGHUP)
    process.communicate()
    assert process.returncode == 0 and (tmp_path / "s.json").exists()
