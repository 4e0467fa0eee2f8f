"""What test_zarr_matrix.py and test_zarr_written.py have zarr-python 2 do: `zarr2_matrix.py write | read FOLDER`.

write: stores FOLDER/NAME.zarr with an array `a` and its numbers, as zarr-python reads them back, in FOLDER/NAME.bin.
read: compares such stores.
"""
import itertools
import json
import sys
from pathlib import Path

import numcodecs
import numpy as np
import zarr

FOLDER = Path(sys.argv[2])
SHAPES = [((7, 11), (3, 4)), ((20,), (6,)), ((3, 5, 9), (1, 5, 4)), ((2, 3, 4, 5), (2, 2, 3, 5)), ((4, 6), (4, 6))]


def compressors():
    yield from [None, numcodecs.LZ4(), numcodecs.Zlib(3), numcodecs.GZip(2), numcodecs.Zstd(3), numcodecs.BZ2(5)]
    yield from [numcodecs.LZMA(preset=1), numcodecs.LZMA(format=2, preset=0)]
    for name, shuffle in ("lz4", 1), ("lz4hc", 0), ("zstd", 2), ("zlib", 1), ("blosclz", 2):
        yield numcodecs.Blosc(name, 5, shuffle)


def numbers(dtype, shape, seed):
    rng = np.random.default_rng(seed)
    if dtype == "b1":
        return rng.integers(0, 2, shape).astype(bool)
    if dtype[0] == "f":
        return (rng.standard_normal(shape) * 20).astype(dtype)
    if dtype[0] in "mM":
        return rng.integers(-(2**40), 2**40, shape).astype("i8").view(dtype)
    info = np.iinfo(dtype)
    return rng.integers(info.min, info.max, shape, dtype=dtype, endpoint=True)


def filters(dtype):
    """Chains of filters that make sense for a type."""
    little, code = "<" + dtype, np.dtype(dtype).kind
    yield [numcodecs.Shuffle(np.dtype(dtype).itemsize)]
    for checksum in numcodecs.CRC32(), numcodecs.Adler32(), numcodecs.Fletcher32():
        yield [checksum]
    if code in "iu":
        yield [numcodecs.Delta(little)]
        yield [numcodecs.Delta(">" + dtype), numcodecs.Shuffle(np.dtype(dtype).itemsize)]
    if code == "b":
        yield [numcodecs.PackBits()]
        yield [numcodecs.PackBits(), numcodecs.CRC32()]
    if code == "f":
        yield [numcodecs.Delta(little)]
        yield [numcodecs.FixedScaleOffset(offset=-100, scale=10, dtype=little, astype="<u2")]
        yield [numcodecs.FixedScaleOffset(offset=-50.5, scale=3.7, dtype=little, astype=">i4")]
        yield [numcodecs.FixedScaleOffset(offset=0.25, scale=8, dtype=little)]
        yield [numcodecs.FixedScaleOffset(offset=-100, scale=100, dtype=little, astype="<u2"), numcodecs.Delta("<u2", "<i2")]
        yield [numcodecs.Quantize(digits=2, dtype=little)]
        yield [numcodecs.AsType(encode_dtype="<f4", decode_dtype=little)]
        if dtype != "f2":
            yield [numcodecs.Quantize(digits=3, dtype=little, astype="<f4")]
        yield [numcodecs.BitRound(keepbits=7)]
        yield [numcodecs.BitRound(keepbits=5), numcodecs.Shuffle(np.dtype(dtype).itemsize)]
    if code == "i":
        yield [numcodecs.AsType(encode_dtype="<i8", decode_dtype=little)]


def cases():
    plain = ["b1", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8", "M8[s]", "m8[ns]"]
    for dtype, compressor in itertools.product(plain, compressors()):
        yield dtype, None, compressor
    for dtype in "b1", "i2", "u4", "i8", "f2", "f4", "f8":
        for i, chain in enumerate(filters(dtype)):
            yield dtype, chain, [None, numcodecs.Zlib(1), numcodecs.Blosc("zstd", 3, 1)][i % 3]


def write():
    for i, (dtype, chain, compressor) in enumerate(cases()):
        shape, chunks = SHAPES[i % len(SHAPES)]
        endian = "<" if chain else "<>"[i // 2 % 2]
        if chain and isinstance(chain[0], numcodecs.Delta):
            endian = np.dtype(chain[0].dtype).byteorder.replace("=", "<")
        group = zarr.open_group(str(FOLDER / f"{i}.zarr"), mode="w")
        array = group.create_dataset(
            "a", shape=shape, chunks=chunks, dtype=np.dtype(dtype).newbyteorder(endian), filters=chain, compressor=compressor,
            order="CF"[i // 3 % 2], dimension_separator="./"[i // 4 % 2], fill_value=[None, 0, 1][i % 3])
        # One row of chunks stays unwritten.
        array[chunks[0]:] = numbers(dtype, shape, i)[chunks[0]:]
        if i % 3 == 0:
            array[:chunks[0]] = numbers(dtype, shape, i)[:chunks[0]]
        if i % 4 == 1:
            zarr.consolidate_metadata(str(FOLDER / f"{i}.zarr"))
        (FOLDER / f"{i}.bin").write_bytes(np.asarray(array[...]).astype(dtype).tobytes())


def write_like_anemoi():
    """Dates x variables x ensembles x cells, in chunks of a date and some cells; one date is missing."""
    x = numbers("f4", (6, 5, 1, 40), 1)
    group = zarr.open_group(str(FOLDER / "anemoi.zarr"), mode="w")
    group.attrs.update(variables_metadata={"t_500": {"mars": {"param": "t"}}}, field_shape=None, allow_nans=True)
    a = group.create_dataset(
        "a", shape=x.shape, chunks=(1, 5, 1, 10), dtype="f4", fill_value=np.nan, compressor=numcodecs.Blosc("lz4", 5, 1))
    a.attrs["_ARRAY_DIMENSIONS"] = ["time", "variable", "ensemble", "cell"]
    for date in 0, 1, 2, 4, 5:
        a[date] = x[date]
    x[3] = np.nan
    group.create_dataset("dates", data=np.arange(6).astype("M8[s]"), compressor=numcodecs.Blosc("lz4", 5, 1))
    (FOLDER / "anemoi.bin").write_bytes(x.tobytes())


def read():
    for settings in FOLDER.glob("*.json"):
        told = json.loads(settings.read_text())
        store = str(settings.with_suffix(".zarr"))
        group = zarr.open_consolidated(store, mode="r") if told["consolidated"] else zarr.open_group(store, mode="r")
        found = group["a"]
        assert list(found.chunks) == told["chunks"] and found.order == told["order"], told
        values = np.asarray(found[...]).astype(found.dtype.newbyteorder("="))
        assert values.tobytes() == settings.with_suffix(".bin").read_bytes(), told
        assert found.attrs["nested"] == {"deep": [None, True]}


if sys.argv[1] == "write":
    write()
    write_like_anemoi()
else:
    read()
