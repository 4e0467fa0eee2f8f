"""Compares readers on the stores of one folder, in turns: reading.py FOLDER READING_SPEED [--rounds 5].

Each round starts every reader anew on every store; it reads one sample to warm up, then times the others. The files lie in
the page cache. All readers must see the same numbers. Prints a table of medians.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys

STORES = ["weatherbench", "anemoi", "anemoi-zstd", "sharded"]
PEER = pathlib.Path(__file__).with_name("peer.py")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("reading_speed")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    runs = {}
    checksums = {}
    for round in range(options.rounds):
        for store in STORES:
            path = str(options.folder / f"{store}.zarr")
            readers = {"jigsaw": [options.reading_speed, "arrays", path, "2"]}
            if not store.startswith("anemoi"):
                readers["jigsaw, fields for training"] = [options.reading_speed, "fields", path, "2"]
            for name, title in [("tensorstore", "tensorstore"), ("zarr", "zarr-python"), ("xarray", "xarray + dask")]:
                readers[title] = [sys.executable, str(PEER), name, path]
            for title, command in readers.items():
                output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
                result = json.loads(output)
                print(json.dumps({"round": round, "store": store, "reader": title, **result}), flush=True)
                runs.setdefault(store, {}).setdefault(title, []).append(result)
                if checksums.setdefault("all", result["checksum"]) != result["checksum"]:
                    sys.exit(f"{title} sees other numbers in {store}")

    print("\n| store | reader | s per sample | processor s | GB/s | time of it / jigsaw's | peak memory, samples |")
    print("|---|---|---|---|---|---|---|")
    for store, readers in runs.items():
        ours = None
        for title, results in readers.items():
            seconds = statistics.median(second for result in results for second in result["seconds"])
            processor = statistics.median(second for result in results for second in result["processor"])
            ours = ours or seconds
            size = results[0]["bytes"]
            peak = statistics.median(result["peak"] for result in results) / size
            print(
                f"| {store} | {title} | {seconds:.3f} | {processor:.3f} | {size / seconds / 1e9:.2f} | {seconds / ours:.2f} "
                f"| {peak:.2f} |"
            )


if __name__ == "__main__":
    main()
