"""One rank of four reads its points of Anemoi datasets: points.py FOLDER READING_SPEED [--rounds 5].

Writes datasets of 100 variables on the O96 (40 320 points) and N320 (542 080 points) grids with 1, 4 and 16 chunks of points
for each date, blosc lz4 as anemoi-datasets writes them by default with Zarr 2, and one chunk with zstd. Then
jigsaw and anemoi-datasets read the second quarter of the points of all variables, one date at a time, one thread, in turns,
files in the page cache. Each reader is a process of its own that reads one date to warm up and times the others. Both must see the same
numbers. Prints each run, and a table of medians: MB of wanted numbers per second.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import time

import numcodecs
import numpy as np
import zarr

GRIDS = {"o96": (40_320, 9), "n320": (542_080, 4)}
VARIABLES = 100
CHUNKS = [(1, "blosc"), (4, "blosc"), (16, "blosc"), (1, "zstd")]
CODECS = {"blosc": numcodecs.Blosc("lz4", 5, numcodecs.Blosc.SHUFFLE), "zstd": numcodecs.Zstd(3)}


def write(path, points, dates, chunks, codec):
    """A dataset as anemoi-datasets opens it; fields are smooth with noise a thousandth as large."""
    random = np.random.default_rng(1)
    group = zarr.open_group(str(path), mode="w")
    latitudes = np.linspace(89.9, -89.9, points)
    longitudes = np.arange(points) * 137.507764 % 360
    arrays = {
        "latitudes": latitudes,
        "longitudes": longitudes,
        "dates": np.datetime64("2020-01-01", "s") + np.arange(dates) * np.timedelta64(6, "h"),
    }
    for name, values in arrays.items():
        group.create_dataset(name, data=values, chunks=values.shape)
    for name, value in [("mean", 0), ("stdev", 1), ("minimum", -1), ("maximum", 1)]:
        group.create_dataset(name, data=np.full(VARIABLES, value, "f8"))
    data = group.create_dataset(
        "data", shape=(dates, VARIABLES, 1, points), dtype="f4", chunks=(1, VARIABLES, 1, -(-points // chunks)),
        compressor=CODECS[codec], fill_value=np.nan)
    phase = np.deg2rad(latitudes), np.deg2rad(longitudes)
    for date in range(dates):
        fields = np.empty((VARIABLES, points), np.float32)
        for variable in range(VARIABLES):
            k = 1 + variable % 12
            wave = np.sin(k * phase[0] + 0.3 * date + variable) * np.cos(k * phase[1])
            fields[variable] = 260 + 15 * wave + 0.015 * random.standard_normal(points)
        data[date, :, 0] = fields
    names = [f"v{index:03}" for index in range(VARIABLES)]
    group.attrs.update(
        {
            "variables": names, "frequency": "6h", "resolution": path.stem, "start_date": "2020-01-01T00:00:00",
            "end_date": str(arrays["dates"][-1]), "ensemble_dimension": 2, "flatten_grid": True, "missing_dates": [],
            "data_request": {"area": [90, 0, -90, 360], "grid": "O96", "param_level": {}, "param_step": {}},
            "variables_metadata": {name: {} for name in names}, "field_shape": [points],
        })


def stores(folder):
    for grid, (points, dates) in GRIDS.items():
        for chunks, codec in CHUNKS:
            path = folder / f"{grid}-{chunks}-{codec}.zarr"
            mark = folder / f"{path.stem}.made"
            if not mark.exists():
                write(path, points, dates, chunks, codec)
                mark.touch()
            yield grid, chunks, codec, path


def peer(path):
    """anemoi-datasets; prints what reading-speed prints."""
    from anemoi.datasets import open_dataset

    dataset = open_dataset(path)
    points = dataset.shape[3]
    seconds, processor, checksum, size = [], [], 0, 0
    for date in range(dataset.shape[0]):
        start, used = time.perf_counter(), time.process_time()
        sample = dataset[date : date + 1, :, :, points // 4 : points // 2]
        seconds.append(time.perf_counter() - start)
        processor.append(time.process_time() - used)
        values = np.ascontiguousarray(sample, np.float32)
        checksum += int(values.view(np.uint32).sum(dtype=np.uint64))
        size = values.nbytes
    print(json.dumps(
        {"seconds": seconds[1:], "processor": processor[1:], "checksum": checksum % 2**64, "bytes": size}))


def main():
    if sys.argv[1] == "peer":
        return peer(sys.argv[2])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("reading_speed")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for grid, chunks, codec, path in stores(options.folder):
        runs = {"jigsaw": [], "anemoi-datasets": []}
        commands = {
            "jigsaw": [options.reading_speed, "points", str(path), "1"],
            "anemoi-datasets": [sys.executable, __file__, "peer", str(path)],
        }
        for round in range(options.rounds):
            for reader, command in commands.items():
                output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
                result = json.loads(output.splitlines()[-1])
                print(json.dumps({"round": round, "store": path.stem, "reader": reader, **result}), flush=True)
                runs[reader].append(result)
        checksums = {result["checksum"] for results in runs.values() for result in results}
        if len(checksums) != 1:
            sys.exit(f"readers see different numbers in {path}")
        seconds = {
            reader: statistics.median(second for result in results for second in result["seconds"])
            for reader, results in runs.items()
        }
        size = runs["jigsaw"][0]["bytes"] / 1e6
        ours, theirs = seconds["jigsaw"], seconds["anemoi-datasets"]
        rows.append(
            f"| {grid.upper()} | {chunks} | {codec} | {size / ours:,.0f} | {size / theirs:,.0f} | {theirs / ours:.1f} |")
    print("\n| grid | chunks per date | codec | jigsaw, MB/s | anemoi-datasets, MB/s | ratio |")
    print("|---|---:|---|---:|---:|---:|")
    print("\n".join(rows))


if __name__ == "__main__":
    main()
