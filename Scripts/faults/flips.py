"""Flips single bits at random places of a checkpoint: `jigsaw checkpoint verify` must find each of them.

Places are drawn among all bytes of all files of the checkpoint; half of the flips go to the small ones, each file alike. Prints a
line for each flip that is not found, and a table.

Usage: python3 Scripts/faults/flips.py JIGSAW [FLIPS] [SEED]
"""
import random
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

from run import ROOT, call, must, settings


def main():
    jigsaw = Path(sys.argv[1]).resolve()
    flips, seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1_000, int(sys.argv[3]) if len(sys.argv) > 3 else 1
    draw = random.Random(seed)
    folder = Path(tempfile.mkdtemp(prefix="jigsaw-flips-"))
    shutil.copytree(ROOT / "data/demo", folder / "data")
    must([jigsaw, "train", ROOT / "configs/demo.yaml", *settings(folder)])
    checkpoint = sorted((folder / "run/checkpoints").glob("update-*"))[-1]
    files = sorted(path for path in checkpoint.rglob("*") if path.is_file())
    sizes = [path.stat().st_size for path in files]
    must([jigsaw, "checkpoint", "verify", checkpoint])
    tried, missed = Counter(), Counter()
    for number in range(flips):
        file = draw.choices(files, sizes)[0] if number % 2 else draw.choice(files)
        whole = file.read_bytes()
        place, bit = draw.randrange(len(whole)), draw.randrange(8)
        changed = bytearray(whole)
        changed[place] ^= 1 << bit
        file.write_bytes(changed)
        done = call([jigsaw, "checkpoint", "verify", checkpoint])
        file.write_bytes(whole)
        tried[file.name] += 1
        if done.returncode != 1 or file.name not in done.stdout + done.stderr:
            missed[file.name] += 1
            print(f"{file.name}: byte {place}, bit {bit}: status {done.returncode} {(done.stdout + done.stderr).strip()[-200:]}")
    must([jigsaw, "checkpoint", "verify", checkpoint])
    for file, size in zip(files, sizes):
        print(f"{file.name:32} {size:9} bytes  {tried[file.name]:5} flips  {missed[file.name]:4} not found")
    shutil.rmtree(folder)
    sys.exit(1 if missed else 0)


main()
