"""Writes a Zarr store (format 2, no compression) of random fields to measure with: the shapes of ERA5, no weather.

Usage: store.py PATH --rows 64 --columns 128 --times 8 --chunks field|level|tiles
72 fields: z t u v q on 13 levels, and 7 at the surface. NumPy is all it needs.
"""

import argparse
import json
import pathlib

import numpy as np

LEVELS = [1000, 925, 850, 700, 600, 500, 400, 300, 250, 200, 150, 100, 50]
UPPER = {"z": "m2 s-2", "t": "K", "u": "m s-1", "v": "m s-1", "q": "kg kg-1"}
SURFACE = {"msl": "Pa", "t2m": "K", "u10": "m s-1", "v10": "m s-1", "sp": "Pa", "tcwv": "kg m-2", "sst": "K"}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("path", type=pathlib.Path)
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--columns", type=int, default=128)
    parser.add_argument("--times", type=int, default=8)
    parser.add_argument("--chunks", choices=["field", "level", "tiles"], default="field")
    o = parser.parse_args()
    random = np.random.default_rng(0)
    documents = {".zgroup": {"zarr_format": 2}, ".zattrs": {}}

    def array(name, data, dimensions, attributes, chunks=None):
        chunks = list(chunks or data.shape)
        folder = o.path / name
        folder.mkdir(parents=True, exist_ok=True)
        documents[f"{name}/.zarray"] = {
            "zarr_format": 2, "shape": list(data.shape), "chunks": chunks, "dtype": data.dtype.str,
            "compressor": None, "filters": None, "order": "C", "fill_value": None,
        }
        documents[f"{name}/.zattrs"] = {"_ARRAY_DIMENSIONS": dimensions, **attributes}
        for index in np.ndindex(*[-(-n // c) for n, c in zip(data.shape, chunks)]):
            part = data[tuple(slice(i * c, (i + 1) * c) for i, c in zip(index, chunks))]
            # Chunks at the edge are stored in full.
            full = np.zeros(chunks, data.dtype)
            full[tuple(slice(n) for n in part.shape)] = part
            (folder / ".".join(map(str, index))).write_bytes(full.tobytes())

    grid = (o.rows, o.columns)
    tile = (-(-o.rows // 4), -(-o.columns // 5))
    for name, units in {**UPPER, **SURFACE}.items():
        levels = (len(LEVELS),) if name in UPPER else ()
        data = random.standard_normal((o.times, *levels, *grid), dtype=np.float32)
        chunks = {"field": (1, *levels, *grid), "level": (1, *[1 for _ in levels], *grid), "tiles": (1, *levels, *tile)}
        dimensions = ["time", *["level" for _ in levels], "latitude", "longitude"]
        array(name, data, dimensions, {"units": units}, chunks[o.chunks])
    array("time", np.arange(o.times, dtype=np.int64) * 6, ["time"], {"units": "hours since 2001-01-01"})
    array("level", np.array(LEVELS, np.int64), ["level"], {"units": "hPa"})
    array("latitude", 90 - 180 / o.rows * (np.arange(o.rows) + 0.5), ["latitude"], {"units": "degrees_north"})
    array("longitude", 360 / o.columns * np.arange(o.columns), ["longitude"], {"units": "degrees_east"})
    for key, document in documents.items():
        (o.path / key).write_text(json.dumps(document))
    (o.path / ".zmetadata").write_text(json.dumps({"metadata": documents, "zarr_consolidated_format": 1}))


main()
