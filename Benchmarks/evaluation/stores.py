"""Writes a truth and a ten-day forecast at 0.25 degrees with 69 fields: stores.py FOLDER [--leads 20] [--initials 1].

Fields are made: a red spectrum in both directions, moving eastwards, the same at any time but for that; the forecast has less of
the small scales. Values keep 11 bits of their mantissa, about what packing in 16 bits leaves of reanalyses, so that chunks
compress as those do. Chunks are those of WeatherBench 2 (truth: a time, all levels) and of `jigsaw forecast`.
"""

import argparse
import concurrent.futures
import pathlib

import numcodecs
import numpy as np
import zarr

LEVELS = [50, 100, 150, 200, 250, 300, 400, 500, 600, 700, 850, 925, 1000]
UPPER = {"z": (100000, 2000), "t": (250, 12), "u": (10, 12), "v": (0, 10), "q": (4e-3, 1e-3)}
SURFACE = {"t2m": (285, 10), "u10": (0, 6), "v10": (0, 6), "msl": (101000, 900)}
UNITS = {"z": "m2 s-2", "t": "K", "u": "m s-1", "v": "m s-1", "q": "kg kg-1", "t2m": "K", "u10": "m s-1", "v10": "m s-1",
         "msl": "Pa"}
ROWS, COLUMNS, STEP = 721, 1440, 12


def rounded(values):
    """The nearest numbers with 11 bits of mantissa."""
    bits = values.astype("<f4").view("<u4")
    return ((bits + np.uint32(1 << 11)) & np.uint32(0xFFFFF000)).view("<f4")


def red(rng, smooth):
    """Noise whose power falls with the wavenumber cubed, of deviation 1; `smooth` takes the smallest scales away."""
    k = np.hypot(np.fft.fftfreq(ROWS)[:, None] * ROWS * 2, np.fft.rfftfreq(COLUMNS)[None] * COLUMNS)
    amplitude = (1 + k) ** -1.5
    noise = np.fft.rfft2(rng.standard_normal((ROWS, COLUMNS), dtype=np.float32))
    fields = [np.fft.irfft2(noise * a, (ROWS, COLUMNS)).astype(np.float32) for a in (amplitude, amplitude * np.exp(-((k / 200) ** 2)) if smooth else amplitude)]
    return [f / f.std() for f in fields]


def moved(base, hours, speed):
    return np.roll(base, int(round(hours * speed)), axis=-1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--leads", type=int, default=20)
    parser.add_argument("--initials", type=int, default=1)
    options = parser.parse_args()
    leads = [STEP * (i + 1) for i in range(options.leads)]
    initials = [STEP * i for i in range(options.initials)]
    hours = [STEP * i for i in range(options.leads + options.initials)]
    truth = zarr.create_group(options.folder / "truth.zarr", zarr_format=2, overwrite=True)
    forecast = zarr.create_group(options.folder / "forecast.zarr", zarr_format=2, overwrite=True)

    def array(group, name, values, dimensions, **attributes):
        made = group.create_array(name, shape=values.shape, chunks=values.shape or None, dtype=values.dtype, compressors=None)
        made[...] = values
        made.attrs.update({"_ARRAY_DIMENSIONS": dimensions, **attributes})

    for group in (truth, forecast):
        array(group, "latitude", 90 - 0.25 * np.arange(ROWS), ["latitude"], units="degrees_north", standard_name="latitude")
        array(group, "longitude", 0.25 * np.arange(COLUMNS), ["longitude"], units="degrees_east", standard_name="longitude")
        array(group, "level", np.array(LEVELS, "i4"), ["level"], units="hPa", standard_name="air_pressure")
    array(truth, "time", np.array(hours, "i4"), ["time"], units="hours since 2020-01-01", standard_name="time")
    array(forecast, "time", np.array(initials, "i4"), ["time"], units="hours since 2020-01-01",
          standard_name="forecast_reference_time")
    array(forecast, "prediction_timedelta", np.array(leads, "i4"), ["prediction_timedelta"], units="hours",
          standard_name="forecast_period")
    codec = numcodecs.Blosc("zstd", 3, numcodecs.Blosc.SHUFFLE)

    def variable(index, name):
        rng = np.random.default_rng(index)
        (mean, deviation), levels = {**UPPER, **SURFACE}[name], len(LEVELS) if name in UPPER else None
        bases = [red(rng, True) for _ in range(levels or 1)]
        inner = ([levels] if levels else []) + [ROWS, COLUMNS]
        names = (["level"] if levels else []) + ["latitude", "longitude"]

        def fields(which, hour):
            made = np.stack([mean + deviation * moved(base[which], hour, 0.5 + 0.1 * i) for i, base in enumerate(bases)])
            return rounded(made).reshape(inner)

        target = truth.create_array(name, shape=[len(hours)] + inner, chunks=[1] + inner, dtype="f4", compressors=codec)
        target.attrs.update({"_ARRAY_DIMENSIONS": ["time"] + names, "units": UNITS[name]})
        for i, hour in enumerate(hours):
            target[i] = fields(0, hour)
        target = forecast.create_array(name, shape=[len(initials), len(leads)] + inner, chunks=[1, 1] + inner, dtype="f4",
                                       compressors=codec)
        target.attrs.update({"_ARRAY_DIMENSIONS": ["time", "prediction_timedelta"] + names, "units": UNITS[name]})
        for i, initial in enumerate(initials):
            for j, lead in enumerate(leads):
                target[i, j] = fields(1, initial + lead)

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        list(pool.map(variable, range(9), list(UPPER) + list(SURFACE)))


main()
