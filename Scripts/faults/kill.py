"""Kills forecast, convert, evaluate, report and train (while it saves, and while it replaces 'best') at random moments.

Each verb replaces a complete output by another one. Required after each kill: the old or the new output is there with every byte;
the same command then succeeds, gives what an undisturbed run gives, and leaves nothing else behind. Scores are several files: where
their lineage.json is there, all of them are old or all new. A killed training has a newest and, once there was one, a best checkpoint
with the right checksums, and resumes from its newest. Prints a line for each kill that fails, and a table.

Usage: python3 Scripts/faults/kill.py JIGSAW [KILLS_PER_VERB] [KILLS_WHILE_SAVING] [SEED] [ONLY ...]
"""
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import run
from run import ROOT, call, must, settings


def kill(command, seconds):
    """Starts a command and kills it after a time: whether it was still running."""
    process = subprocess.Popen([str(part) for part in command], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(seconds)
    process.kill()
    return process.wait() == -signal.SIGKILL


def digest(path):
    """As of the other faults; of a report without the minute in which it was made."""
    if path.suffix == ".html" and path.exists():
        return re.sub(r" on \d{4}-\d\d-\d\d \d\d:\d\d UTC", "", path.read_text())
    return run.digest(path)


def names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.name != "lock")


class Verb:
    def __init__(self, name, old, command, output, lineage=None):
        """`old` makes the output that `command` replaces; `lineage` is the file that is written last where there are several."""
        self.name, self.old, self.command, self.output, self.lineage = name, old, command, output, lineage


def verbs(jigsaw, folder):
    config, own = ROOT / "configs/demo.yaml", folder / "run"
    forecast = [jigsaw, "forecast", own, "--from", "2002-03-16", "--to", "2002-03-18", "--overwrite", "--lead"]
    convert = [jigsaw, "data", "convert", config, folder / "converted.zarr", *settings(folder), "--overwrite", "--to"]
    evaluate, report = [jigsaw, "evaluate", own], [jigsaw, "report", own]
    return [
        Verb("forecast", [[*forecast, "24"]], [*forecast, "18"], own / "forecast.zarr"),
        Verb("convert", [[*convert, "2001-10-20"]], [*convert, "2001-11-20"], folder / "converted.zarr"),
        Verb("evaluate", [[*forecast, "24"], evaluate, [*forecast, "18"]], evaluate, own / "evaluation", "lineage.json"),
        Verb("report", [[*forecast, "24"], evaluate, report, [*forecast, "18"], evaluate], report, own / "report.html"),
    ]


def problem(verb, folder, old, new):
    """What is wrong after a kill, or None."""
    found = digest(verb.output)
    if not verb.lineage or (verb.output / verb.lineage).exists():
        if found not in (old, new[0]):
            return f"{verb.output.name} is neither the old nor the new one"
    again = call(verb.command)
    if again.returncode != 0:
        return f"the same command fails: {again.stderr.strip()[-300:]}"
    if digest(verb.output) != new[0]:
        return f"the same command gives another {verb.output.name}"
    if names(folder) != new[1]:
        return f"something is left behind or missing: {set(names(folder)) ^ set(new[1])}"
    return None


def examine(verb, folder, kills, chance):
    for command in verb.old:
        must(command)
    snapshot = folder.with_name(folder.name + "-before")
    shutil.rmtree(snapshot, ignore_errors=True)
    shutil.copytree(folder, snapshot, symlinks=True)

    def reset():
        shutil.rmtree(folder)
        shutil.copytree(snapshot, folder, symlinks=True)

    old, started = digest(verb.output), time.monotonic()
    must(verb.command)
    length = time.monotonic() - started
    new = digest(verb.output), names(folder)
    assert old != new[0], f"{verb.name} would not be seen"
    done, replaced, failed = 0, 0, 0
    while done < kills:
        reset()
        if not kill(verb.command, chance.uniform(0, 1.1 * length)):
            continue
        done += 1
        replaced += digest(verb.output) == new[0]
        wrong = problem(verb, folder, old, new)
        if wrong:
            failed += 1
            print(f"{verb.name}, kill {done}: {wrong}", flush=True)
    reset()
    print(f"| {verb.name} | {kills} | {replaced} | {failed} |", flush=True)
    return failed


def train(jigsaw, folder, name, kills, chance, more):
    """Killed again and again while it resumes."""
    own = folder / name
    values = {"run": own, "training.updates": 1_000_000, "training.checkpoint.keep": 2} | more
    options = settings(folder) + [part for key, value in values.items() for part in ("--set", f"{key}={value}")]
    must([jigsaw, "train", ROOT / "configs/demo.yaml", *options, "--stop-after", "1"])
    checkpoints = own / "checkpoints"

    def newest():
        return max(int(path.name[7:]) for path in checkpoints.glob("update-*") if re.fullmatch(r"update-\d+", path.name))

    bests, last, failed = set(), 1, 0
    for number in range(kills):
        process = subprocess.Popen([str(jigsaw), "resume", str(own)], cwd=ROOT, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE, text=True)
        end = time.monotonic() + 120
        while newest() <= last and process.poll() is None and time.monotonic() < end:
            time.sleep(0.002)
        time.sleep(chance.uniform(0, 0.2))
        process.kill()
        status = process.wait()
        wrong = None
        if status != -signal.SIGKILL:
            wrong = f"ended by itself with status {status}: {process.stderr.read().strip()[-300:]}"
        elif newest() <= last:
            wrong = f"lost or never saved a checkpoint: update {newest()} after {last}"
        else:
            for path in [checkpoints / f"update-{newest():07d}"] + [checkpoints / "best"] * (checkpoints / "best").exists():
                verified = call([jigsaw, "checkpoint", "verify", path])
                if verified.returncode != 0:
                    wrong = f"{path.name} is damaged: {verified.stderr.strip()[-300:]}"
            if bests and not (checkpoints / "best").exists():
                wrong = "best is gone"
        if (checkpoints / "best").exists():
            shown = call([jigsaw, "checkpoint", "inspect", checkpoints / "best"]).stdout
            bests.update(re.findall(r"update (\d+),", shown)[:1])
        last = newest()
        if wrong:
            failed += 1
            print(f"{name}, kill {number + 1}: {wrong}", flush=True)
    must([jigsaw, "resume", own, "--stop-after", str(newest() + 2)])
    must([jigsaw, "forecast", own, "--lead", "6", "--from", "2002-03-16"])
    left = [path.name for path in checkpoints.iterdir() if not re.fullmatch(r"update-\d+|best", path.name)]
    if left:
        failed += 1
        print(f"{name}: left behind: {left}", flush=True)
    print(f"| {name} | {kills} | {len(bests)} | {failed} |", flush=True)
    return failed


def main():
    jigsaw = Path(sys.argv[1]).resolve()
    only = sys.argv[5:]
    kills, saving, seed = (int(sys.argv[i]) if len(sys.argv) > i else default for i, default in ((2, 30), (3, 50), (4, 1)))
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "files"
        shutil.copytree(ROOT / "data/demo", folder / "data")
        must([jigsaw, "train", ROOT / "configs/demo.yaml", *settings(folder)])
        print("| verb | kills | replaced by then (trainings: bests seen) | failed |\n|---|---:|---:|---:|", flush=True)
        failed = sum(examine(verb, folder, kills, chance) for verb in verbs(jigsaw, folder) if not only or verb.name in only)
        for name, count, more in [("replacing best", kills, {"training.validation.every": 1, "training.validation.samples": 1}),
                                  ("saving", saving, {"training.validation.every": 0})]:
            if not only or name in only:
                failed += train(jigsaw, folder, name, count, chance, more | {"training.checkpoint.every": 1})
    sys.exit(1 if failed else 0)


main()
