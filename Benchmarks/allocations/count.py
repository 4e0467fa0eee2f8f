"""What a step of a training takes from malloc: a command is run with two counts of updates, and what the longer run takes more is
shown per update, by the functions that ask for it.

    Benchmarks/allocations/count.py jigsaw train CONFIG --set training.updates={} --set run=/tmp/run --overwrite

`{}` stands for the count. See docs/benchmarks.md."""
import argparse
import bisect
import collections
import os
import subprocess
import tempfile
from pathlib import Path

FOLDER = Path(__file__).resolve().parent


class Symbols:
    """Names of the functions of a file, by their addresses."""

    def __init__(self, path):
        lines = subprocess.run(["nm", "--defined-only", path], capture_output=True, text=True).stdout.splitlines()
        lines += subprocess.run(["nm", "-D", "--defined-only", path], capture_output=True, text=True).stdout.splitlines()
        found = sorted((int(words[0], 16), words[-1]) for words in map(str.split, lines) if len(words) > 2 and words[-2] in "tTwWiI")
        self.starts = [start for start, _ in found]
        self.names = [name for _, name in found]

    def name(self, offset):
        place = bisect.bisect_right(self.starts, offset) - 1
        return self.names[place] if place >= 0 else "?"


def run(library, command, updates):
    """[(calls, bytes, frames)] of a run."""
    with tempfile.NamedTemporaryFile() as out:
        environment = os.environ | {"LD_PRELOAD": str(library), "ALLOCATIONS": out.name}
        words = [word.replace("{}", str(updates)) for word in command]
        subprocess.run(words, env=environment, check=True, stdout=subprocess.DEVNULL)
        lines = Path(out.name).read_text().splitlines()
    return [(int(calls), int(size), frames) for calls, size, *frames in map(str.split, lines)]


def demangled(names):
    done = subprocess.run(["swift", "demangle", "--simplified"], input="\n".join(names), capture_output=True, text=True)
    return dict(zip(names, done.stdout.splitlines())) if done.returncode == 0 else {name: name for name in names}


def main():
    options = argparse.ArgumentParser(usage=__doc__)
    options.add_argument("--updates", type=int, nargs=2, default=[20, 60])
    options.add_argument("--rows", type=int, default=25, help="functions to show")
    options.add_argument("command", nargs=argparse.REMAINDER)
    options = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "count.so"
        subprocess.run(["cc", "-O2", "-shared", "-fPIC", FOLDER / "count.c", "-o", library, "-ldl"], check=True)
        runs = [run(library, options.command, updates) for updates in options.updates]
    symbols = {}
    totals = collections.defaultdict(lambda: [0, 0])
    for sign, chains in zip([-1, 1], runs):
        for calls, size, frames in chains:
            names = []
            for frame in frames:
                path, offset = frame.rsplit("+", 1) if "+" in frame else (frame, "0")
                if path not in symbols:
                    symbols[path] = Symbols(path)
                # The address is that after the call.
                names.append(symbols[path].name(int(offset, 16) - 1))
            # The program's own functions, without what the language's library does in between.
            own = [name for name, frame in zip(names, frames) if "libswift" not in frame and "libc.so" not in frame and not name.startswith("swift_")]
            key = tuple(own[:3]) or tuple(names[:3])
            totals[key][0] += sign * calls
            totals[key][1] += sign * size
    more = options.updates[1] - options.updates[0]
    words = demangled(sorted({name for key in totals for name in key}))
    print(f"per update: {sum(t[0] for t in totals.values()) / more:.1f} calls, {sum(t[1] for t in totals.values()) / more:.0f} bytes")
    for key, (calls, size) in sorted(totals.items(), key=lambda item: -abs(item[1][0]))[: options.rows]:
        if calls:
            print(f"{calls / more:8.1f} {size / more:10.0f}  {' < '.join(words[name][:90] for name in key)}")


if __name__ == "__main__":
    main()
