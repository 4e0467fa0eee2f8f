"""Compares the parser of JSON with Python's (written in C), in turns: documents.py FOLDER READING_SPEED [--rounds 5].

Writes documents of several kinds into the folder; the largest part of each is what stores have in their metadata. A round parses
each document nine times in a process of either; what counts is the median over rounds of the fastest, in processor seconds, what
is made of the document and its release included. Prints a table.
"""

import argparse
import json
import pathlib
import random
import statistics
import subprocess
import sys

PEER = """
import json, sys, time
text = open(sys.argv[1], "rb").read()
seconds = []
for _ in range(9):
    start = time.process_time()
    json.loads(text)
    seconds.append(time.process_time() - start)
print(seconds)
"""


def consolidated(arrays):
    compressor = {"blocksize": 0, "clevel": 5, "cname": "lz4", "id": "blosc", "shuffle": 1}
    metadata = {".zgroup": {"zarr_format": 2}}
    for i in range(arrays):
        metadata[f"group{i // 100}/variable{i % 100}/.zarray"] = {
            "chunks": [1, 721, 1440], "compressor": compressor, "dtype": "<f4", "fill_value": "NaN", "filters": None,
            "order": "C", "shape": [350640, 721, 1440], "zarr_format": 2}
        metadata[f"group{i // 100}/variable{i % 100}/.zattrs"] = {
            "_ARRAY_DIMENSIONS": ["time", "latitude", "longitude"], "long_name": f"Variable number {i}",
            "units": "kg m**-2 s**-1", "standard_name": "air_temperature", "short_name": f"v{i}", "add_offset": 273.15,
            "scale_factor": 0.001, "history": "converted from GRIB\nby a tool with a long line of history"}
    return {"metadata": metadata, "zarr_consolidated_format": 1}


def documents():
    random.seed(1)
    stored = consolidated(4000)
    return {
        "consolidated metadata, 4000 arrays": json.dumps(stored, indent=4),
        "the same without spaces": json.dumps(stored, separators=(",", ":")),
        "names, each with a number": json.dumps({f"k{i}": 0 for i in range(400_000)}),
        "objects of one number": json.dumps([{"a": 0}] * 400_000),
        "dates": json.dumps([f"2020-01-{i % 28 + 1:02}T{i % 24:02}" for i in range(200_000)]),
        "texts with escapes": json.dumps(["Größe \u2603 \"x\" höher\n"] * 100_000),
        "texts beyond ASCII": json.dumps(["Größe \u2603 höher"] * 100_000, ensure_ascii=False),
        "whole numbers": json.dumps([random.randrange(10**6) for _ in range(500_000)]),
        "statistics, 17 digits": json.dumps([random.random() for _ in range(300_000)]),
        "nested lists, 100 deep": "[" + ",".join(["[" * 100 + "]" * 100] * 4000) + "]",
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("reading_speed")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    paths = {}
    for number, (title, text) in enumerate(documents().items()):
        paths[title] = options.folder / f"document-{number}.json"
        paths[title].write_text(text)
    seconds = {}
    for _ in range(options.rounds):
        for title, path in paths.items():
            readers = {"jigsaw": [options.reading_speed, "document", path], "Python": [sys.executable, "-c", PEER, path]}
            for reader, command in readers.items():
                output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
                seconds.setdefault((title, reader), []).append(min(json.loads(output)))
    print("| document | MB | jigsaw, MB/s | Python's json, MB/s | jigsaw / Python |\n|---|---:|---:|---:|---:|")
    for title, path in paths.items():
        size = path.stat().st_size / 1e6
        ours, peer = (size / statistics.median(seconds[title, reader]) for reader in ("jigsaw", "Python"))
        print(f"| {title} | {size:.1f} | {ours:.0f} | {peer:.0f} | {ours / peer:.2f} |")


if __name__ == "__main__":
    main()
