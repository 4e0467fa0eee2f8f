"""Makes single system calls of train, forecast, convert and evaluate fail, and checks what is left.

Each run gets one fault (an input/output error, a full disk, a short read or write) at one random call among all that the verb
makes on its files. Required: the program doesn't crash or hang; a fault that matters ends it with an error that names a file or
folder; complete outputs of before keep every byte; the same command without the fault then succeeds, and gives what an
undisturbed run gives. Prints a line for each run that fails, and a table.

Usage: python3 Scripts/faults/run.py JIGSAW [RUNS_PER_VERB] [SEED]
"""
import hashlib
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
KINDS = ["eio", "enospc", "short"]
SMALL = {"model.channels": 16, "model.tokenWidth": 16, "model.channelWidth": 16, "model.blocks": 1, "training.updates": 6,
         "training.warmUpUpdates": 2, "training.batchSize": 1, "training.validation.every": 3, "training.validation.samples": 2,
         "training.checkpoint.every": 2, "training.checkpoint.keep": 2, "data.train": "{start: 2001-10-01, end: 2001-10-20}",
         "data.test": "{start: 2002-03-16, end: 2002-03-19}", "data.validation": "{start: 2002-03-09, end: 2002-03-11}",
         "training.rollout.stages": "[{fraction: 0, steps: 1}]", "forecast.leadHours": 24}
# Files that say when something was made.
DATED = {"provenance.json", "metrics.csv", "train.log", "validation.csv", "lock"}


def settings(folder):
    values = {"run": folder / "run", "data.sources":
              f"[{{path: {folder}/data/simulated.nc}}, {{path: {folder}/data/static.nc}}]"} | SMALL
    return [part for name, value in values.items() for part in ("--set", f"{name}={value}")]


def digest(path):
    """Of a file, or of all files of a folder with their names."""
    if path.is_file():
        return hashlib.sha256(path.read_bytes()).hexdigest()
    names = sorted(file for file in path.rglob("*") if file.is_file() and file.name not in DATED)
    return [(str(file.relative_to(path)), digest(file)) for file in names] if path.exists() else None


class Verb:
    def __init__(self, name, before, command, outputs):
        """`before` makes what the verb starts from; `outputs` are the paths whose complete state of before must survive."""
        self.name, self.before, self.command, self.outputs = name, before, command, outputs


def verbs(jigsaw, folder):
    config = ROOT / "configs/demo.yaml"
    train = [jigsaw, "train", config, *settings(folder)]
    run = folder / "run"
    forecast = [jigsaw, "forecast", run, "--from", "2002-03-16", "--to", "2002-03-17"]
    convert = [jigsaw, "data", "convert", config, folder / "converted.zarr", "--to", "2001-10-03", *settings(folder)]
    return [
        Verb("train", [], train + ["--set", "resume=auto"], []),
        Verb("forecast", [train, forecast], forecast + ["--overwrite"], [run / "forecast.nc", run / "checkpoints"]),
        Verb("convert", [convert], convert + ["--overwrite"], [folder / "converted.zarr"]),
        Verb("evaluate", [train, forecast, [jigsaw, "evaluate", run]], [jigsaw, "evaluate", run],
             [run / "forecast.nc", run / "checkpoints"]),
    ]


def call(command, fault=None, folder=None, library=None, at=0, log=None):
    environment = dict(os.environ)
    if log:
        environment |= {"LD_PRELOAD": str(library), "FAULT_FOLDER": str(folder), "FAULT_AT": str(at), "FAULT_LOG": str(log)}
        if fault:
            environment["FAULT_KIND"] = fault
    return subprocess.run([str(part) for part in command], cwd=ROOT, capture_output=True, text=True, env=environment,
                          timeout=300)


def must(command):
    done = call(command)
    if done.returncode != 0:
        sys.exit(f"error: {' '.join(map(str, command))}\n{done.stderr}")


def weights(folder):
    """Digests of the weights of all checkpoints: equal in all undisturbed runs."""
    return [pair for pair in digest(folder / "run/checkpoints") or [] if pair[0].endswith(".safetensors")]


def problem(verb, folder, saved, done, log, jigsaw):
    """What is wrong after a disturbed run, or None."""
    if done.returncode < 0 or done.returncode > 128:
        return f"ended by signal: status {done.returncode}"
    if done.returncode != 0 and str(folder) not in done.stderr + done.stdout:
        return f"the error names no file: {done.stderr.strip()[-300:]}"
    # Names are synced after the last rename: what is there then is complete, and new.
    fault = log.read_text() if log.exists() else ""
    is_last_sync = any(f"fsync {path.parent}\n" in fault for path in verb.outputs)
    if done.returncode != 0 and not is_last_sync:
        for path in verb.outputs:
            if digest(path) != saved[path]:
                return f"{path.name} was complete and is no longer what it was"
    for checkpoint in (folder / "run/checkpoints").glob("update-*"):
        if re.fullmatch(r"update-\d+", checkpoint.name):
            checked = call([jigsaw, "checkpoint", "verify", checkpoint])
            if checked.returncode != 0:
                return f"{checkpoint.name} is damaged: {checked.stderr.strip()[-300:]}"
    again = call(verb.command)
    if again.returncode != 0:
        return f"the same command without the fault fails: {again.stderr.strip()[-300:]}"
    return None


def examine(verb, folder, library, runs, chance, jigsaw):
    snapshot = folder.with_name(folder.name + "-before")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / "data/demo", folder / "data")
    for command in verb.before:
        must(command)
    shutil.rmtree(snapshot, ignore_errors=True)
    shutil.copytree(folder, snapshot, symlinks=True)
    log = folder.with_name("log")
    log.unlink(missing_ok=True)
    done = call(verb.command, folder=folder, library=library, log=log)
    if done.returncode != 0:
        sys.exit(f"error: {verb.name} fails without a fault:\n{done.stderr}")
    calls = max(int(n) for n in re.findall(r"calls (\d+)", log.read_text()))
    expected = weights(folder)
    counts = dict.fromkeys(["error", "no effect", "failed"], 0)
    for _ in range(runs):
        at, kind = chance.randrange(1, calls + 1), chance.choice(KINDS)
        shutil.rmtree(folder)
        shutil.copytree(snapshot, folder, symlinks=True)
        saved = {path: digest(path) for path in verb.outputs}
        log.unlink(missing_ok=True)
        try:
            done = call(verb.command, kind, folder, library, at, log)
            found = problem(verb, folder, saved, done, log, jigsaw)
        except subprocess.TimeoutExpired:
            found = "hangs"
        if found is None and weights(folder) != expected:
            found = "the weights are not those of an undisturbed run"
        fault = next((line for line in log.read_text().splitlines() if line.startswith("fault")), "no fault") if log.exists() else ""
        if found is None and done.returncode == 0 and kind != "short" and fault.startswith("fault"):
            print(f"note: {verb.name}, status 0 after {fault}", flush=True)
        if found:
            print(f"FAILED {verb.name}, {fault}: {found}", flush=True)
        counts["failed" if found else "error" if done.returncode else "no effect"] += 1
    print(f"| {verb.name} | {calls} | {runs} | {counts['error']} | {counts['no effect']} | {counts['failed']} |", flush=True)
    return counts["failed"]


def main():
    jigsaw = Path(sys.argv[1]).resolve()
    runs = int(sys.argv[2]) if len(sys.argv) > 2 else 50
    chance = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 1)
    with tempfile.TemporaryDirectory() as scratch:
        library = Path(scratch) / "faults.so"
        subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", library, ROOT / "Scripts/faults/faults.c", "-ldl"], check=True)
        folder = Path(scratch) / "files"
        print("| verb | calls | faults | ended with an error | no effect | failed |\n|---|---:|---:|---:|---:|---:|")
        failed = sum(examine(verb, folder, library, runs, chance, jigsaw) for verb in verbs(jigsaw, folder))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
