"""Arrays that this program wrote, read by zarr-python 2 and 3, tensorstore, xarray and netCDF-C: types x codecs x layouts."""
import itertools
import json
import subprocess

import netCDF4
import numpy as np
import pytest
import tensorstore
import xarray as xr
import zarr

from conftest import ROOT, zarr2
from test_zarr_matrix import CHECKS, numbers

# Our type, what the numbers mean, NumPy's type.
TYPES = [
    *[(name, "", np.dtype(name).str[1:]) for name in (
        "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float16", "float32", "float64")],
    ("uint8", "truth", "b1"), ("int64", "date s", "M8[s]"), ("int64", "date ns", "M8[ns]"),
    ("int64", "difference h", "m8[h]"),
]
# Shape, chunks, shards.
LAYOUTS = [
    ((7, 11), (3, 4), (6, 8)), ((20,), (6,), (12,)), ((3, 5, 9), (1, 5, 4), (2, 5, 8)),
    ((2, 3, 4, 5), (2, 2, 3, 5), (2, 4, 3, 5)), ((4, 6), (4, 6), (4, 6)),
]
BLOSC = ["blosc lz4 5 1", "blosc lz4hc 9 0", "blosc zstd 3 2", "blosc zlib 1 1", "blosc blosclz 5 2"]
CODECS = {2: ["none", "lz4", "zlib 3", "gzip 2", "zstd 3", *BLOSC, "blosc lz4 0 2"], 3: ["none", "gzip 2", "zstd 3", *BLOSC]}
FILLS = {"f": [None, "NaN", -1.5, "-Infinity"], "i": [None, -7, 0], "u": [None, 7], "b": [None, 1],
         "M": [None, -(2**63), 0], "m": [None, -(2**63)]}


def element(fill, dtype):
    """A fill value as settings have it, as an array of a type."""
    return np.array(float(fill)).astype("i8" if dtype.kind in "Mm" else dtype).astype(dtype)


def cases(version):
    """Name, settings for store-checks, the numbers."""
    sharded = [False] if version == 2 else [False, True]
    for i, (kind, codec, shards) in enumerate(itertools.product(TYPES, CODECS[version], sharded)):
        name, meaning, dtype = kind
        # Sizes without a common factor, so that all meet all.
        shape, chunks, whole = LAYOUTS[i % 5]
        fill = FILLS[dtype[0]][i // 5 % len(FILLS[dtype[0]])]
        settings = {
            "format": version, "type": name, "meaning": meaning, "shape": shape, "chunks": chunks, "compression": codec,
            "order": "CF"[i // 3 % 2], "endian": "<>"[i // 4 % 2], "separator": [None, ".", "/"][i % 3], "consolidated": i % 4 != 0,
            "checksum": version == 3 and i // 2 % 3 == 0, "resuming": i % 7 == 0}
        if shards:
            settings["shards"] = whole
        if fill is not None:
            settings["fill"] = fill
        x = numbers(dtype, shape, i)
        if shards and i % 2:
            # Inner chunks with nothing but the fill value.
            x[tuple(slice(0, n) for n in chunks)] = element(fill or 0, x.dtype)
        yield f"{i}", settings, x


@pytest.fixture(scope="module", params=[2, 3])
def written(request, tmp_path_factory):
    """A folder of stores of one format."""
    folder = tmp_path_factory.mktemp(f"written-{request.param}")
    stores = list(cases(request.param))
    for name, settings, x in stores:
        (folder / f"{name}.json").write_text(json.dumps(settings))
        (folder / f"{name}.bin").write_bytes(x.tobytes())
    result = subprocess.run([CHECKS, "--write", folder], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    return request.param, folder, stores


def same(a, b):
    return a.shape == b.shape and a.astype(a.dtype.newbyteorder("=")).tobytes() == b.tobytes()


def test_this_program_reads_them(written):
    version, folder, stores = written
    result = subprocess.run([CHECKS, folder], capture_output=True, text=True)
    assert result.returncode == 0 and f"{len(stores)} stores" in result.stdout, result.stdout + result.stderr
    assert len(stores) >= (165 if version == 2 else 240)


def test_zarr_python_3(written):
    version, folder, stores = written
    for name, settings, x in stores:
        group = zarr.open_group(folder / f"{name}.zarr", mode="r", use_consolidated=settings["consolidated"])
        a = group["a"]
        assert a.dtype.newbyteorder("=") == x.dtype and a.chunks == settings["chunks"] and a.shards == settings.get("shards"), settings
        assert same(np.asarray(a[...]), x), settings
        assert a.attrs["note"] == "Grüße" and a.attrs["nested"] == {"deep": [None, True]}
        if "fill" in settings:
            assert np.array(a.fill_value).astype(x.dtype).tobytes() == element(settings["fill"], x.dtype).tobytes(), settings
        if version == 3:
            assert a.metadata.dimension_names == tuple(f"d{i}" for i in range(x.ndim))


def test_zarr_python_2(written):
    version, folder, stores = written
    if version == 2:
        zarr2("read", folder)


def test_tensorstore(written):
    version, folder, stores = written
    read = 0
    for name, settings, x in stores:
        if settings["meaning"] not in ("", "truth") or settings["compression"] in ("lz4", "gzip 2") and version == 2:
            continue  # it has none of these
        a = tensorstore.open({
            "driver": "zarr" if version == 2 else "zarr3",
            "kvstore": {"driver": "file", "path": str(folder / f"{name}.zarr/a")}}).result()
        assert a.dtype.numpy_dtype.newbyteorder("=") == x.dtype and same(a.read().result(), x), settings
        read += 1
    assert read >= 100


def test_xarray(written):
    version, folder, stores = written
    for name, settings, x in stores[::3]:
        ds = xr.open_zarr(
            folder / f"{name}.zarr", consolidated=settings["consolidated"], mask_and_scale=False, decode_times=False)
        assert ds.a.dims == tuple(f"d{i}" for i in range(x.ndim)) and same(ds.a.values, x), settings
        assert ds.attrs["one"] == 1


def test_netcdf_c(written):
    """nczarr, of netCDF-C 4.9.3 or later in netCDF4's wheel. What it has not: format 3, F order, bool, half precision, dates, and
    the codecs lz4 and gzip outside Blosc."""
    version, folder, stores = written
    read = 0
    for name, settings, x in stores:
        if (version == 3 or settings["order"] == "F" or settings["meaning"] or x.dtype == "f2"
                or settings["compression"] in ("lz4", "gzip 2")):
            continue
        with netCDF4.Dataset(f"file://{folder}/{name}.zarr#mode=zarr,file") as ds:
            ds.set_auto_maskandscale(False)
            assert ds["a"].dimensions == tuple(f"d{i}" for i in range(x.ndim))
            assert same(np.asarray(ds["a"][...]), x), settings
        read += 1
    assert read >= 40 or version == 3
