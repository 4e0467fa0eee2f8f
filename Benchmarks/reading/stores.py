"""Writes the stores that Benchmarks/reading reads: stores.py FOLDER [--rows 721] [--columns 1440] [--times 4].

Fields are travelling waves of many lengths with noise a thousandth as large, rounded to FP32 and nothing else: blosc
(lz4, level 5, shuffle) makes 65 % of them, zstd alone 84 %. Per time 4 variables on 13 levels and 18 at the
surface: 70 fields.

weatherbench.zarr   Zarr 2, [time, level, longitude, latitude], 1 time x all levels x the whole field, blosc lz4
anemoi.zarr         Zarr 2, data[date, variable, ensemble, cell], 1 date x all variables x 1 x a quarter, blosc lz4
anemoi-zstd.zarr    Zarr 3, the same with zstd, as newer versions write
sharded.zarr        Zarr 3, as weatherbench.zarr, one level in an inner chunk, one time in a shard, blosc lz4
"""

import argparse
import pathlib
import shutil

import numcodecs
import numpy as np
import zarr
from zarr.codecs import BloscCodec, ZstdCodec

LEVELS = [50, 100, 150, 200, 250, 300, 400, 500, 600, 700, 850, 925, 1000]
UPPER = ["geopotential", "temperature", "u_component_of_wind", "v_component_of_wind"]
SURFACE = [f"surface_{i:02}" for i in range(18)]
FIELDS = [(name, level) for name in UPPER for level in range(13)] + [(name, None) for name in SURFACE]


class Waves:
    """Smooth fields from a few products of waves along rows and columns, plus noise."""

    def __init__(self, rows, columns):
        self.random = np.random.default_rng(1)
        self.latitude = np.linspace(-np.pi / 2, np.pi / 2, rows, dtype=np.float64)
        self.longitude = np.arange(columns) / columns * 2 * np.pi

    def field(self, number, time):
        """[row, column], rows from south to north as in WeatherBench 2's stores."""
        field = np.zeros((len(self.latitude), len(self.longitude)), np.float32)
        for k in range(1, 13):
            phase = 0.7 * number + 0.3 * k * time
            rows = np.cos(k * self.latitude + phase) * np.cos(self.latitude)
            field += np.outer(rows, np.cos(k * self.longitude - phase)).astype(np.float32) / k
        scale, offset = [(9_000, 60_000), (15, 260), (12, 3), (10, 0)][number % 4]
        noise = self.random.standard_normal(field.shape, np.float32) * np.float32(1e-3)
        return ((field + noise) * np.float32(scale) + np.float32(offset)).astype(np.float32)


def coordinates(group, arrays, version):
    """Writes coordinates with the attributes that readers look for."""
    for name, values, attributes in arrays:
        extra = {"dimension_names": [name]} if version == 3 else {}
        array = group.create_array(name, shape=values.shape, dtype=values.dtype, chunks=values.shape, **extra)
        array[...] = values
        array.attrs.update(attributes)
        if version == 2:
            array.attrs["_ARRAY_DIMENSIONS"] = [name]


def on_levels(path, version, samples, rows, columns):
    group = zarr.open_group(path, mode="w", zarr_format=version)
    latitude = np.linspace(-90, 90, rows)
    longitude = np.arange(columns) * 360 / columns
    arrays = [
        ("time", np.arange(len(samples)) * 6, {"units": "hours since 2020-01-01"}),
        ("level", np.array(LEVELS), {"units": "hPa"}),
        ("latitude", latitude, {"units": "degrees_north"}),
        ("longitude", longitude, {"units": "degrees_east"}),
    ]
    coordinates(group, arrays, version)
    units = {"geopotential": "m**2 s**-2", "temperature": "K"}
    for name in UPPER + SURFACE:
        upper = name in UPPER
        dimensions = ["time"] + (["level"] if upper else []) + ["longitude", "latitude"]
        shape = [len(samples)] + ([13] if upper else []) + [columns, rows]
        chunk = [1] + shape[1:]
        if version == 2:
            array = group.create_array(
                name, shape=shape, dtype="f4", chunks=chunk, fill_value=np.nan,
                compressors=numcodecs.Blosc("lz4", 5, numcodecs.Blosc.SHUFFLE),
            )
            array.attrs["_ARRAY_DIMENSIONS"] = dimensions
        else:
            inner = [1] + ([1] if upper else []) + [columns, rows]
            array = group.create_array(
                name, shape=shape, dtype="f4", chunks=inner, shards=chunk, fill_value=np.nan,
                compressors=BloscCodec(cname="lz4", clevel=5, shuffle="shuffle"), dimension_names=dimensions,
            )
        array.attrs["units"] = units.get(name, "m s**-1")
        for time, sample in enumerate(samples):
            numbers = [i for i, field in enumerate(FIELDS) if field[0] == name]
            values = np.stack([sample[i].T for i in numbers])
            array[time] = values if upper else values[0]
    if version == 2:
        zarr.consolidate_metadata(group.store)


def by_date(path, version, samples):
    group = zarr.open_group(path, mode="w", zarr_format=version)
    cells = samples[0][0].size
    options = dict(
        shape=[len(samples), len(FIELDS), 1, cells], dtype="f4", chunks=[1, len(FIELDS), 1, (cells + 3) // 4],
        fill_value=np.nan,
    )
    if version == 2:
        options["compressors"] = numcodecs.Blosc("lz4", 5, numcodecs.Blosc.SHUFFLE)
    else:
        options["compressors"] = ZstdCodec(level=0)
        options["dimension_names"] = ["time", "variable", "ensemble", "cell"]
    array = group.create_array("data", **options)
    if version == 2:
        array.attrs["_ARRAY_DIMENSIONS"] = ["time", "variable", "ensemble", "cell"]
    for date, sample in enumerate(samples):
        array[date, :, 0] = np.stack([field[::-1].reshape(-1) for field in sample])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--rows", type=int, default=721)
    parser.add_argument("--columns", type=int, default=1440)
    parser.add_argument("--times", type=int, default=4)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    mark = options.folder / "made"
    settings = f"{options.rows} x {options.columns}, {options.times} times"
    if mark.exists() and mark.read_text() == settings:
        return
    waves = Waves(options.rows, options.columns)
    samples = [[waves.field(i, time) for i in range(len(FIELDS))] for time in range(options.times)]
    names = ["weatherbench", "sharded", "anemoi", "anemoi-zstd"]
    for name in names:
        shutil.rmtree(options.folder / f"{name}.zarr", ignore_errors=True)
    on_levels(options.folder / "weatherbench.zarr", 2, samples, options.rows, options.columns)
    on_levels(options.folder / "sharded.zarr", 3, samples, options.rows, options.columns)
    by_date(options.folder / "anemoi.zarr", 2, samples)
    by_date(options.folder / "anemoi-zstd.zarr", 3, samples)
    raw = options.times * len(FIELDS) * options.rows * options.columns * 4
    for name in names:
        stored = sum(f.stat().st_size for f in (options.folder / f"{name}.zarr").rglob("*") if f.is_file())
        print(f"{name}: {raw / 1e6 / options.times:.1f} MB per sample, stored as {100 * stored / raw:.0f} %")
    mark.write_text(settings)


if __name__ == "__main__":
    main()
