"""Makes stores/: small stores written by the reference tools, and what these tools read back from them.

Usage: pip install netCDF4==1.7.5.1.post1 cftime==1.6.6.1 xarray==2026.9.0 zarr==3.1.6 numcodecs==0.16.6 \
           numpy==2.4.6 pandas==3.1.1 safetensors==0.8.0
       python3 make_store_goldens.py
Running it again gives the same bytes.

    stores/*.nc, *.zarr       the stores
    stores/expected.json      raw arrays, times, dates
    stores/fields.safetensors decoded fields (FP32), [time, level, latitude north to south, longitude from 0]
"""
import json
import shutil
import warnings
import zipfile
from pathlib import Path

import cftime
import netCDF4
import numcodecs
import numpy as np
import pandas as pd
import xarray as xr
import zarr
from safetensors.numpy import save_file
from zarr import codecs as z3

warnings.filterwarnings("ignore", category=UserWarning)
HERE = Path(__file__).parent / "stores"
expected = {"arrays": {}}
fields = {}


# ---------------------------------------------------------------- raw arrays

def number(v):
    v = v.item() if hasattr(v, "item") else v
    if isinstance(v, float) and not np.isfinite(v):
        return "NaN" if np.isnan(v) else ("Infinity" if v > 0 else "-Infinity")
    return v


def remember(store, name, values):
    """What a reader shall find in an array: as stored, before any unpacking."""
    values = np.asarray(values)
    kind = "int64" if values.dtype.kind in "Mm" else values.dtype.name
    if values.dtype.kind in "Mm":
        values = values.astype("i8")
    if values.dtype.kind == "b":
        kind, values = "uint8", values.astype("u1")
    expected["arrays"].setdefault(store, {})[name] = {
        "type": kind, "shape": list(values.shape), "values": [number(v) for v in values.ravel()]}


def ramp(shape, dtype, offset=0):
    n = int(np.prod(shape))
    if np.dtype(dtype).kind == "f":
        return (np.sin(np.arange(n) * 0.11) * 1000 + offset).astype(dtype).reshape(shape)
    return ((np.arange(n) * 7) % 120 + offset).astype(dtype).reshape(shape)


NUMERIC = ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"]


def raw_netcdf():
    for store, kind, types in [
        ("types4.nc", "NETCDF4", NUMERIC), ("types3.nc", "NETCDF3_CLASSIC", ["i1", "i2", "i4", "f4", "f8"]),
        ("types3offset.nc", "NETCDF3_64BIT_OFFSET", ["i2", "f4"]), ("types5.nc", "NETCDF3_64BIT_DATA", NUMERIC),
    ]:
        with netCDF4.Dataset(HERE / store, "w", format=kind) as f:
            f.title = "every type"
            f.createDimension("x", 5)
            f.createDimension("y", 7)
            f.createDimension("record", None)
            for t in types:
                v = f.createVariable(t, t, ("x", "y"))
                v[:] = ramp((5, 7), t, 3)
                v.units = "K"
                v.valid_range = np.array([0, 1], t)
                remember(store, t, ramp((5, 7), t, 3))
            v = f.createVariable("records", "f4", ("record", "y"))
            v[:] = ramp((4, 7), "f4")
            remember(store, "records", ramp((4, 7), "f4"))
            f.createVariable("scalar", "f8", ())[:] = 2.5
            remember(store, "scalar", np.array(2.5))
            if kind == "NETCDF4":
                for name, options in [("deflated", dict(zlib=True, complevel=4, shuffle=True, chunksizes=(2, 3))),
                                      ("fletcher", dict(fletcher32=True, chunksizes=(5, 7))),
                                      ("bigendian", dict(endian="big"))]:
                    v = f.createVariable(name, "i4", ("x", "y"), **options)
                    v[:] = ramp((5, 7), "i4", -50)
                    remember(store, name, ramp((5, 7), "i4", -50))
                v = f.createVariable("text", str, ("x",))
                v[:] = np.array(list("abcde"), object)
                v.words = ["one", "two"]
                large = np.array([2**53 + 1, -(2**62) - 1, 0, -1, 1], "i8")
                f.createVariable("large", "i8", ("x",))[:] = large
                remember(store, "large", large)


def blosc(name, shuffle):
    return numcodecs.Blosc(cname=name, clevel=5, shuffle=shuffle)


def zarr_array(group, store, name, values, chunks, skip=None, compressor=None, **options):
    """`skip`: chunk files that are removed again, to be read as the fill value."""
    array = group.create_array(
        name, shape=values.shape, chunks=chunks, dtype=values.dtype, compressors=compressor, filters=None,
        config={"write_empty_chunks": True}, **options)
    array[...] = values
    for key in skip or []:
        (HERE / store / name / key).unlink()
    remember(store, name, array[...])


def raw_zarr():
    store = "codecs.zarr"
    group = zarr.create_group(HERE / store, zarr_format=2)
    for cname in ["blosclz", "lz4", "lz4hc", "zlib", "zstd"]:
        for shuffle, word in enumerate(["plain", "shuffle", "bitshuffle"]):
            zarr_array(group, store, f"blosc-{cname}-{word}", ramp((11, 40), "i4"), (8, 40),
                       compressor=blosc(cname, shuffle))
    for name, codec in [("none", None), ("zlib", numcodecs.Zlib(level=3)), ("gzip", numcodecs.GZip(level=2)),
                        ("zstd", numcodecs.Zstd(level=3)), ("zstd-checksum", numcodecs.Zstd(level=1, checksum=True))]:
        zarr_array(group, store, name, ramp((11, 40), "f4"), (8, 40), compressor=codec)
    zarr.consolidate_metadata(HERE / store, zarr_format=2)

    store = "layouts.zarr"
    group = zarr.create_group(HERE / store, zarr_format=2)
    group.attrs["title"] = "every layout"
    for t in NUMERIC:
        for order, endian in ["C<", "F>", "C>", "F<"] if t == "f4" else ["C<", "F>"]:
            word = {"<": "little", ">": "big"}[endian] if t[1] != "1" else "byte"
            zarr_array(group, store, f"{t}-{order}-{word}", ramp((5, 7), endian + t, 3), (5, 8), order=order)
    for order in "CF":
        zarr_array(group, store, f"uneven-{order}", ramp((5, 4, 7), "<i2"), (2, 3, 4), order=order,
                   compressor=blosc("lz4", 1))
    zarr_array(group, store, "flags", ramp((9,), "i4") % 2 == 0, (4,))
    zarr_array(group, store, "scalar", np.array(4.5, "<f8"), ())
    zarr_array(group, store, "empty", np.zeros((0, 3), "<f4"), (1, 3))
    zarr_array(group, store, "slashes", ramp((5, 7), "<f4"), (2, 3), fill_value=np.nan, skip=["1/1"],
               chunk_key_encoding={"name": "v2", "separator": "/"})
    for name, t, fill in [("nan", "<f4", np.nan), ("zero", "<f4", 0.0), ("minus999", "<f8", -999.0),
                          ("minus999-i2", ">i2", -999), ("infinity", "<f4", -np.inf), ("null", "<f4", None),
                          ("large-i8", "<i8", -(2**53) - 1)]:
        zarr_array(group, store, f"missing-{name}", ramp((5, 7), t, 1), (2, 3), fill_value=fill, skip=["0.1", "2.0"])
    for unit in ["ns", "s", "h", "D"]:
        dates = np.datetime64("2001-02-27T00", unit) + np.arange(5) * np.timedelta64(1, "D").astype(f"m8[{unit}]")
        zarr_array(group, store, f"dates-{unit}", dates, (3,))
    for name, kind in [("bytes", "|S3"), ("unicode", "<U3")]:  # not numbers: passed over by our reader
        group.create_array(name, data=np.array(["a", "bc"], kind), chunks=(2,), compressors=None, filters=None)

    with zipfile.ZipFile(HERE / "entries.zip", "w") as archive:
        for name, text, method in [("stored", "stored as it is", zipfile.ZIP_STORED),
                                   ("deflated", "again and " * 100, zipfile.ZIP_DEFLATED),
                                   ("folder/inner", "below", zipfile.ZIP_STORED)]:
            archive.writestr(zipfile.ZipInfo(name), text, method)

    store = "format3.zarr"
    group = zarr.create_group(HERE / store, zarr_format=3, attributes={"title": "format 3"})

    def put(name, values, chunks, fill=0, group=group, skip=(), compressors=(), **options):
        array = group.create_array(
            name, shape=values.shape, chunks=chunks, dtype=values.dtype, fill_value=fill, compressors=list(compressors),
            config={"write_empty_chunks": True}, **options)
        array[...] = values
        for key in skip:
            (HERE / store / array.path / key).unlink()
        remember(store, array.path, array[...])

    for t in [*NUMERIC, "f2"]:
        put(t, ramp((5, 7), t, 3), (2, 3), compressors=[z3.ZstdCodec(level=1)])
    for name, codec in [("none", ()), ("gzip", [z3.GzipCodec()]), ("zstd-crc32c", [z3.ZstdCodec(), z3.Crc32cCodec()]),
                        ("blosc", [z3.BloscCodec(cname="lz4", shuffle="shuffle", typesize=4)]), ("crc32c", [z3.Crc32cCodec()])]:
        put(f"codec-{name}", ramp((11, 40), "f4"), (8, 40), compressors=codec)
    for chunk in (HERE / store / "codec-gzip" / "c").glob("*/*"):  # without the time of writing
        data = chunk.read_bytes()
        chunk.write_bytes(data[:4] + bytes(4) + data[8:])
    for location in "start", "end":
        put(f"shards-{location}", ramp((12, 20), "f4"), (6, 10), fill=np.nan, skip=["c/1/0"],
            serializer=z3.ShardingCodec(
                chunk_shape=(2, 5), codecs=[z3.BytesCodec(), z3.ZstdCodec()], index_location=location))
    put("shards-in-shards", ramp((12, 20), "i2"), (12, 20), serializer=z3.ShardingCodec(
        chunk_shape=(6, 10), codecs=[z3.ShardingCodec(chunk_shape=(3, 5), codecs=[z3.TransposeCodec(order=(1, 0)),
                                                                                 z3.BytesCodec(endian="big")])]))
    put("turned", ramp((5, 4, 7), "f8"), (2, 3, 4), filters=[z3.TransposeCodec(order=(2, 0, 1))],
        serializer=z3.BytesCodec(endian="big"))
    put("flags", ramp((9,), "i4") % 2 == 0, (4,), fill=False)
    put("scalar", np.array(4.5), ())
    put("empty", np.zeros((0, 3), "f4"), (1, 3))
    put("points", ramp((5, 7), "f4"), (2, 3), chunk_key_encoding={"name": "v2", "separator": "."}, skip=["1.1"])
    put("infinite", ramp((5,), "f8"), (2,), fill=-np.inf, skip=["c/1"])
    put("dates", np.datetime64("2001-02-27T00", "ns") + np.arange(5) * np.timedelta64(6, "h"), (3,), fill="NaT")
    put("named", ramp((3, 4), "f4"), (3, 4), dimension_names=["latitude", "longitude"], attributes={"units": "K"})
    put("x", ramp((4,), "u1"), (4,), group=group.create_group("inner"))
    group.create_array("text", data=np.array(["a", "bc"]), chunks=(2,))  # not numbers


# ---------------------------------------------------------------- fields on a grid

TIMES = pd.date_range("2001-01-01", periods=8, freq="6h")
LEVELS = [850, 500]
LATITUDES = np.array([75.0, 45, 15, -15, -45, -75])
LONGITUDES = np.arange(8) * 45.0


def truth():
    """In our units: z m2 s-2, t K, msl Pa, orog m. FP32."""
    rng = np.random.default_rng(7)
    t, l, y, x = np.meshgrid(np.arange(8), np.arange(2), np.arange(6), np.arange(8), indexing="ij")
    wave = np.cos(2 * np.pi * (x / 8 - t / 8)) * np.cos(np.deg2rad(LATITUDES))[y]
    noise = rng.normal(size=wave.shape) * 0.1
    # The extra digits are those of FP32 at this magnitude: what is read must be exact.
    z = np.array([14000, 54000])[l] + 900 * wave * (1 + l) + 60 * noise
    temperature = np.array([280, 255])[l] + 8 * wave + noise - 10 * np.abs(y - 2.5)
    msl = 101325 + 1500 * wave[:, 0] + 50 * noise[:, 0]
    orog = np.maximum(0, 800 * np.sin(y[0, 0] * 1.3) * np.cos(x[0, 0] * 0.9))
    return {k: v.astype("f4") for k, v in dict(z=z, t=temperature, msl=msl, orog=orog).items()}


def dataset(v, dims=("time", "level", "latitude", "longitude")):
    """The truth as xarray sees it, in our own layout."""
    v = {k: a.copy() for k, a in v.items()}
    return xr.Dataset(
        {"z": (dims, v["z"], {"units": "m2 s-2"}), "t": (dims, v["t"], {"units": "K"}),
         "msl": (("time", "latitude", "longitude"), v["msl"], {"units": "Pa"}),
         "orog": (("latitude", "longitude"), v["orog"], {"units": "m"})},
        coords={"time": TIMES, "level": ("level", LEVELS, {"units": "hPa"}),
                "latitude": ("latitude", LATITUDES, {"units": "degrees_north"}),
                "longitude": ("longitude", LONGITUDES, {"units": "degrees_east"})})


def keep(store, ds, names):
    """Decoded fields, brought into our order by xarray."""
    for name in names:
        array = ds[name]
        order = [d for d in ["time", "level", "latitude", "longitude"] if d in array.dims]
        fields[f"{store}/{name}"] = np.ascontiguousarray(
            array.transpose(*order).values.astype("f8").astype("f4"))


def time_units(ds, units, dtype="i4"):
    ds.time.encoding = {"units": units, "calendar": "standard", "dtype": dtype}
    return ds


def gridded():
    v = truth()
    fields.update({f"truth/{k}": a for k, a in v.items()})
    fields["truth/latitude"] = LATITUDES.astype("f4")
    fields["truth/longitude"] = LONGITUDES.astype("f4")
    plain = {n: {"_FillValue": None} for n in ["z", "t", "msl", "orog", "latitude", "longitude", "level"]}

    time_units(dataset(v), "hours since 1900-01-01").to_netcdf(HERE / "plain.nc", engine="netcdf4", encoding=plain)

    # As written by xarray when nothing is said: datetime64, NaN as fill value.
    dataset(v).to_netcdf(HERE / "xarray.nc", engine="netcdf4")

    # Classic: latitude ascending, longitude from -180, levels in Pa, other names, days.
    ds = dataset(v).isel(latitude=slice(None, None, -1)).roll(longitude=4, roll_coords=True)
    ds = ds.assign_coords(longitude=(ds.longitude + 180) % 360 - 180, level=ds.level * 100.0)
    ds.level.attrs = {"units": "Pa", "standard_name": "air_pressure", "positive": "down"}
    ds.longitude.attrs, ds.latitude.attrs = {"units": "degrees_east"}, {"units": "degrees_north"}
    ds = ds.rename(latitude="lat", longitude="lon", level="plev")
    time_units(ds, "days since 2000-01-01", "f8").to_netcdf(
        HERE / "classic.nc", format="NETCDF3_CLASSIC", engine="netcdf4", unlimited_dims=["time"],
        encoding={n: {"_FillValue": None} for n in ["z", "t", "msl", "orog", "lat", "lon", "plev"]})

    # 64-bit offsets, FP64, (time, level, longitude, latitude), seconds since 1970.
    ds = dataset(v).astype("f8").transpose("time", "level", "longitude", "latitude")
    time_units(ds, "seconds since 1970-01-01", "i4").to_netcdf(
        HERE / "offset64.nc", format="NETCDF3_64BIT", engine="netcdf4", encoding=plain)

    # Packed int16 with missing values, (level, time, latitude, longitude), levels the other way round.
    ds = dataset(v).isel(level=slice(None, None, -1)).transpose("level", "time", "latitude", "longitude")
    ds["msl"][3, 2, 5] = np.nan
    pack = {"dtype": "i2", "_FillValue": -32767, "zlib": True, "shuffle": True}
    ds.to_netcdf(HERE / "packed.nc", engine="netcdf4", encoding={
        "z": pack | {"scale_factor": 1.25, "add_offset": 30000.0, "chunksizes": (1, 4, 6, 8)},
        "t": pack | {"scale_factor": 0.003, "add_offset": 270.0}, "msl": pack | {"scale_factor": 0.1, "add_offset": 101325.0},
        "orog": {"_FillValue": None}})
    # Decoded in double precision, as the conventions say.
    with xr.open_dataset(HERE / "packed.nc", mask_and_scale=False) as raw:
        for name in ["z", "t", "msl"]:
            a = raw[name].attrs
            values = raw[name].astype("f8") * a["scale_factor"] + a["add_offset"]
            keep("packed.nc", {name: values.where(raw[name] != a["_FillValue"]).isel(
                **({"level": slice(None, None, -1)} if name != "msl" else {}))}, [name])

    # Other units, other names, size-1 dimensions, bounds and a scalar beside.
    ds = dataset(v)
    height = (ds.z.astype("f8") / 9.80665).astype("f4").assign_attrs(units="gpm").rename("gh")
    celsius = (ds.t.astype("f8") - 273.15).astype("f4").assign_attrs(units="degC")
    pressure = (ds.msl.astype("f8") / 100).astype("f4").assign_attrs(units="hPa").rename("slp")
    ds = xr.Dataset({"gh": height.expand_dims("number", 1), "air": celsius, "slp": pressure.expand_dims("number", 2)})
    ds = ds.assign_coords(step=0, number=[0])
    ds["lat_bnds"] = (("latitude", "bnds"), np.zeros((6, 2)))
    ds.to_netcdf(HERE / "units.nc", engine="netcdf4", encoding={n: {"_FillValue": None} for n in ["gh", "air", "slp"]})
    fields["units.nc/z"] = (height.values.astype("f8") * 9.80665).astype("f4")
    fields["units.nc/t"] = (celsius.values.astype("f8") + 273.15).astype("f4")
    fields["units.nc/msl"] = (pressure.values.astype("f8") * 100).astype("f4")

    # Missing values in FP32, marked by a double that FP32 can't hold.
    ds = dataset(v)[["msl"]]
    ds.to_netcdf(HERE / "marks.nc", engine="netcdf4", encoding={"msl": {"_FillValue": None}})
    with netCDF4.Dataset(HERE / "marks.nc", "a") as f:
        f["msl"][1, 2, 3] = -999.9
        f["msl"].missing_value = np.float64(-999.9)
    masked = v["msl"].copy()
    masked[1, 2, 3] = np.nan
    fields["marks.nc/msl"] = masked

    # Records that were never written read as netCDF's default fill value.
    ds = dataset(v)[["msl"]]
    with netCDF4.Dataset(HERE / "unwritten.nc", "w") as f:
        for name, values in [("time", np.arange(8) * 6), ("latitude", LATITUDES), ("longitude", LONGITUDES)]:
            f.createDimension(name, len(values))
            f.createVariable(name, "f8", (name,))[:] = values
        f["time"].units = "hours since 2001-01-01"
        f.createVariable("msl", "f4", ("time", "latitude", "longitude"))[:5] = v["msl"][:5]
    unwritten = v["msl"].copy()
    unwritten[5:] = np.nan
    fields["unwritten.nc/msl"] = unwritten

    # Several files in time; one with static fields only.
    ds = time_units(dataset(v), "hours since 2001-01-01")
    for index, part in enumerate([slice(0, 3), slice(3, 8)]):
        ds[["z", "t", "msl"]].isel(time=part).to_netcdf(HERE / f"part{index + 1}.nc", engine="netcdf4", encoding={
            n: plain[n] for n in ["z", "t", "msl"]})
    ds[["orog"]].to_netcdf(HERE / "static.nc", engine="netcdf4", encoding={"orog": plain["orog"]})


def gridded_zarr():
    v = truth()
    # As WeatherBench 2: long names, longitude before latitude, latitude ascending, one time per chunk.
    names = {"z": "geopotential", "t": "temperature", "msl": "mean_sea_level_pressure", "orog": "orography"}
    ds = dataset(v).isel(latitude=slice(None, None, -1)).transpose("time", "level", "longitude", "latitude")
    ds = ds.rename(names)
    for name in ds.data_vars:
        ds[name].attrs["units"] = ds[name].attrs["units"].replace("m2 s-2", "m**2 s**-2")
    chunks = {"geopotential": (1, 2, 8, 6), "temperature": (3, 2, 8, 6), "mean_sea_level_pressure": (8, 8, 6)}
    ds.to_zarr(HERE / "weatherbench.zarr", zarr_format=2, consolidated=True, encoding={
        n: {"chunks": c, "compressors": [blosc("lz4", 1)]} for n, c in chunks.items()})

    # Unconsolidated, packed.
    dataset(v)[["msl"]].to_zarr(HERE / "packed.zarr", zarr_format=2, consolidated=False, encoding={
        "msl": {"dtype": "i2", "_FillValue": -32767, "scale_factor": 0.1, "add_offset": 101325.0, "chunks": (4, 6, 8)}})
    with xr.open_zarr(HERE / "packed.zarr", zarr_format=2, consolidated=False, mask_and_scale=False) as raw:
        keep("packed.zarr", {"msl": raw.msl.astype("f8") * 0.1 + 101325.0}, ["msl"])

    # Dates as NumPy has them, no units.
    store = "dates.zarr"
    group = zarr.create_group(HERE / store, zarr_format=2)
    for name, values, dims in [
        ("time", TIMES.values.astype("M8[ns]"), ["time"]), ("latitude", LATITUDES, ["latitude"]),
        ("longitude", LONGITUDES, ["longitude"]), ("msl", v["msl"], ["time", "latitude", "longitude"]),
    ]:
        a = group.create_array(name, shape=values.shape, chunks=values.shape, dtype=values.dtype, compressors=None,
                               filters=None)
        a[...] = values
        a.attrs["_ARRAY_DIMENSIONS"] = dims


# ---------------------------------------------------------------- numbers

def statistics():
    v = truth()
    channels = {f"z_{l}": v["z"][:, i] for i, l in enumerate(LEVELS)}
    channels |= {f"t_{l}": v["t"][:, i] for i, l in enumerate(LEVELS)} | {"msl": v["msl"]}
    result = {}
    for step in (6, 12):
        for name, a in channels.items():
            a = a.astype("f8")
            change = a[step // 6:] - a[:-step // 6]
            result.setdefault(str(step), {})[name] = {
                "mean": a.mean(), "deviation": a.std(), "minimum": a.min(), "maximum": a.max(),
                "tendencyMean": change.mean(), "tendencyDeviation": change.std()}
    expected["statistics"] = result


FORCING_TIMES = ["1999-12-31T18", "2000-02-29T06", "2001-03-20T13:31", "2001-06-21T12", "2001-12-21T00", "2024-09-22T21"]


def forcings():
    """Independent of the program: from the formulas in the documentation of Anemoi and earthkit-meteo."""
    latitudes, longitudes = np.meshgrid(LATITUDES, LONGITUDES, indexing="ij")
    result = {}
    for text in FORCING_TIMES:
        date = pd.Timestamp(text)
        start = pd.Timestamp(date.year, 1, 1)
        julian_day = (date - start).total_seconds() / 86400
        angle = julian_day / 365.25 * np.pi * 2
        hours_utc = date.hour + date.minute / 60
        local_hours = (longitudes / 360 * 24 + hours_utc) % 24
        local = local_hours / 24 * np.pi * 2
        # earthkit-meteo: declination and time correction in degrees, then the hour angle.
        k = np.arange(1, 4)
        declination = np.deg2rad(
            0.396372 + (np.array([-22.91327, -0.387205, -0.154527]) * np.cos(k * angle)).sum()
            + (np.array([4.025430, 0.051967, 0.084798]) * np.sin(k * angle)).sum())
        correction = 0.004297 + 0.107029 * np.cos(angle) - 1.837877 * np.sin(angle) \
            - 0.837378 * np.cos(2 * angle) - 2.340475 * np.sin(2 * angle)
        hour_angle = np.deg2rad((hours_utc - 12) * 15 + longitudes + correction)
        zenith = np.sin(declination) * np.sin(np.deg2rad(latitudes)) \
            + np.cos(declination) * np.cos(np.deg2rad(latitudes)) * np.cos(hour_angle)
        ones = np.ones_like(latitudes)
        for name, plane in {
            "cos_latitude": np.cos(np.deg2rad(latitudes)), "sin_latitude": np.sin(np.deg2rad(latitudes)),
            "cos_longitude": np.cos(np.deg2rad(longitudes)), "sin_longitude": np.sin(np.deg2rad(longitudes)),
            "cos_julian_day": np.cos(angle) * ones, "sin_julian_day": np.sin(angle) * ones,
            "cos_local_time": np.cos(local), "sin_local_time": np.sin(local),
            "insolation": np.maximum(0, zenith),
        }.items():
            result.setdefault(name, []).append(plane)
    for name, planes in result.items():
        fields[f"forcing/{name}"] = np.stack(planes).astype("f4")
    expected["forcingTimes"] = FORCING_TIMES


def tidy():
    """Same bytes each time: no clock in gzip headers. And no files that say nothing."""
    for path in (HERE / "codecs.zarr" / "gzip").glob("[0-9]*"):
        content = bytearray(path.read_bytes())
        content[4:8] = bytes(4)
        path.write_bytes(content)
    for path in HERE.glob("*.zarr/*/.zattrs"):
        if json.loads(path.read_text()) == {}:
            path.unlink()


def strings():
    """Times as xarray writes NumPy's text to NetCDF-4."""
    times = np.array(["2001-02-03T00:00:00", "2001-02-03T06:00:00"])
    xr.Dataset(
        {"t2m": (("time", "lat", "lon"), np.full((2, 2, 4), 280.0, "f4"), {"units": "K"})},
        {"time": times, "lat": ("lat", [45.0, -45], {"units": "degrees_north"}),
         "lon": ("lon", np.arange(4) * 90.0, {"units": "degrees_east"})}).to_netcdf(HERE / "strings.nc")


def dates():
    rng = np.random.default_rng(11)
    seconds = np.concatenate([
        rng.integers(-62_000_000_000, 30_000_000_000, 300), [0, -1, 1, 951_782_399, 951_782_400, -2_203_891_200]])
    expected["timestamps"] = [[int(s), str(np.datetime64(int(s), "s"))] for s in seconds]
    cases = []
    for units, calendar, values in [
        ("hours since 1900-01-01", "standard", [0, 876_576, 1_000_001.5]),
        ("hours since 1900-01-01 00:00:0.0", "gregorian", [885_000]),
        ("days since 1970-01-01T00:00:00Z", "proleptic_gregorian", [-0.25, 11_000.125]),
        ("seconds since 1970-01-01", "standard", [1_000_000_000, -1]),
        ("minutes since 2000-02-29 12:30", "standard", [1_441]),
        ("days since 0001-01-01", "proleptic_gregorian", [730_119]),
        # In the standard calendar, dates before 15 October 1582 are Julian.
        ("hours since 1-1-1 00:00:0.0", "standard", [17_522_904, 17_600_000.25]),
        ("days since 1582-10-04", "gregorian", [1, 150_000]),
        ("days since 1500-03-01", "standard", [182_621.75]),
    ]:
        for value in values:
            date = cftime.num2date(value, units, calendar)
            cases.append([units, calendar, value, date.strftime("%Y-%m-%dT%H:%M:%S")])
    expected["cfTimes"] = cases


def main():
    shutil.rmtree(HERE, ignore_errors=True)
    HERE.mkdir()
    raw_netcdf()
    raw_zarr()
    gridded()
    gridded_zarr()
    statistics()
    forcings()
    strings()
    dates()
    tidy()
    save_file(dict(sorted(fields.items())), HERE / "fields.safetensors")
    (HERE / "expected.json").write_text(json.dumps(expected, indent=None, sort_keys=True, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
