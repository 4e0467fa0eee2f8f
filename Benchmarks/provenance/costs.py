"""What it costs that results know what they were made from: the fingerprint of the data at the start of a training, of the demo and of
a store of 100 000 chunks, and the checksums of a checkpoint, as shares of the time that it takes to save it.

Times are those of whole trainings, as their own traces (--trace) have them. Required: below 50 ms, below 2 s, below 2 %.
Usage: python3 costs.py JIGSAW [--repeats N]; from the project's root, with nothing else running. Prints a line of JSON for each.
"""
import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
TINY = {"threads": 1, "model.patch": "[4, 4]", "model.channels": 16, "model.tokenWidth": 16, "model.channelWidth": 16,
        "model.blocks": 1, "training.updates": 1, "training.warmUpUpdates": 0, "training.batchSize": 1,
        "training.rollout.stages": "[]", "training.validation.every": 0}
# About a hundred million parameters, 1.6 GB with both moments and the average.
LARGE = {"model.channels": 2048, "model.tokenWidth": 2048, "model.channelWidth": 4096, "model.blocks": 6,
         "training.updates": 2, "training.checkpoint.every": 1, "training.batchSize": 1, "training.rollout.stages": "[]",
         "training.validation.every": 0, "training.warmUpUpdates": 0}


def train(jigsaw, folder, name, settings):
    """Seconds by name of what the trace has, each as a list."""
    options = [part for key, value in ({"run": folder / name} | settings).items() for part in ("--set", f"{key}={value}")]
    command = [jigsaw, "train", "configs/demo.yaml", *options, "--trace", folder / f"{name}-trace", "--overwrite"]
    done = subprocess.run([str(part) for part in command], cwd=ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"error: {' '.join(map(str, command))}\n{done.stderr}")
    events = json.loads((folder / f"{name}-trace/rank-0.json").read_text())["traceEvents"]
    found = {}
    for event in events:
        if event["ph"] == "X":
            found.setdefault(event["name"], []).append(event["dur"] * 1e-6)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("jigsaw", type=lambda path: Path(path).resolve())
    parser.add_argument("--repeats", type=int, default=5)
    a = parser.parse_args()
    failed = False

    def note(what, values, limit, unit, **more):
        nonlocal failed
        middle = statistics.median(values)
        failed |= middle >= limit
        print(json.dumps(dict(what=what, median=middle, unit=unit, limit=limit, values=values,
                              measured=time.strftime("%Y-%m-%dT%H:%M:%S")) | more), flush=True)

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        fingerprint = "fingerprint of the data"
        demo = [sum(train(a.jigsaw, folder, "demo", TINY)[fingerprint]) for _ in range(a.repeats)]
        note("fingerprint of the demo's data", demo, 0.05, "s")

        store = folder / "chunks.zarr"
        subprocess.run([sys.executable, ROOT / "Benchmarks/parallel/store.py", store, "--rows", "8", "--columns", "16",
                        "--times", "1400", "--chunks", "level"], check=True)
        chunks = sum(1 for path in store.rglob("*") if path.is_file() and not path.name.startswith("."))
        data = {"data.sources": f"[{{path: {store}}}]", "data.variables": "[z, t]", "data.levels": "[850]", "data.static": "[]",
                "data.train.start": "2001-01-01", "data.train.end": "2001-01-20", "data.validation.start": "null",
                "data.validation.end": "null"}
        many = [sum(train(a.jigsaw, folder, "chunks", TINY | data)[fingerprint]) for _ in range(a.repeats)]
        note(f"fingerprint of a store of {chunks} chunks", many, 2, "s")

        shares, lengths = [], []
        for _ in range(a.repeats):
            found = train(a.jigsaw, folder, "large", LARGE)
            saving = sum(found["saving a checkpoint"])
            shares.append(100 * sum(found["checksum"]) / saving)
            lengths.append(saving / len(found["saving a checkpoint"]))
        bytes_ = sum(path.stat().st_size for path in next((folder / "large/checkpoints").glob("update-*")).iterdir())
        note("checksums, share of the time to save a checkpoint", shares, 2, "%", checkpointBytes=bytes_,
             secondsToSave=lengths)
    sys.exit(1 if failed else 0)


main()
