"""Reads whole samples of a store of Benchmarks/reading: peer.py READER STORE, READER one of zarr, xarray, tensorstore.

Prints what speed/ReadingSpeed.swift prints: seconds and processor seconds per sample, the first not counted, a checksum of all samples (the sum
of the numbers' bit patterns), and the peak of resident memory.
"""

import json
import pathlib
import resource
import sys
import time

import numpy as np


def names(store):
    """Arrays of fields, those with more dimensions than a coordinate."""
    found = []
    for folder in sorted(pathlib.Path(store).iterdir()):
        for document in (folder / ".zarray", folder / "zarr.json"):
            if document.exists() and len(json.loads(document.read_text())["shape"]) > 1:
                found.append(folder.name)
    return found


def with_zarr(store):
    import zarr

    group = zarr.open_group(store, mode="r")
    arrays = [group[name] for name in names(store)]
    return arrays[0].shape[0], lambda time: [array[time] for array in arrays]


def with_xarray(store):
    import dask
    import xarray

    dask.config.set(scheduler="threads", num_workers=2)
    data = xarray.open_zarr(store, chunks={}, consolidated=None, decode_cf=False)
    data = data[names(store)]
    first = next(iter(data.sizes))
    first = "time" if "time" in data.sizes else first

    def read(time):
        sample = data.isel({first: time}).compute()
        return [sample[name].values for name in sample]

    return data.sizes[first], read


def with_tensorstore(store):
    import tensorstore

    context = tensorstore.Context({"data_copy_concurrency": {"limit": 2}, "file_io_concurrency": {"limit": 2}})
    driver = "zarr" if (pathlib.Path(store) / ".zgroup").exists() else "zarr3"
    futures = [
        tensorstore.open({"driver": driver, "kvstore": {"driver": "file", "path": f"{store}/{name}/"}}, context=context)
        for name in names(store)
    ]
    arrays = [future.result() for future in futures]

    def read(time):
        reads = [array[time].read() for array in arrays]
        return [future.result() for future in reads]

    return arrays[0].shape[0], read


def main():
    reader, store = sys.argv[1:3]
    count, read = {"zarr": with_zarr, "xarray": with_xarray, "tensorstore": with_tensorstore}[reader](store)
    seconds, processor, checksum, size = [], [], 0, 0
    for index in range(count):
        start, used = time.perf_counter(), time.process_time()
        arrays = read(index)
        seconds.append(time.perf_counter() - start)
        processor.append(time.process_time() - used)
        checksum += sum(int(a.view(np.uint32).sum(dtype=np.uint64)) for a in arrays)
        size = sum(a.nbytes for a in arrays)
        del arrays
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps(
        {
            "seconds": seconds[1:], "processor": processor[1:], "checksum": checksum % 2**64, "bytes": size,
            "peak": peak,
        }
    ))


if __name__ == "__main__":
    main()
