"""Makes grib/: small GRIB files written by ecCodes, and what ecCodes reads back from them.

Usage: pip install eccodes==2.50.0 eccodeslib==2.50.0.33 numpy==2.4.6
       python3 make_grib_goldens.py
Running it again gives the same bytes.

    grib/*.grib          the files
    grib/expected.json   their arrays as they shall be read, [time, number, level, latitude north to south, longitude]
"""
import itertools
import json
import shutil
import sys
from pathlib import Path

import eccodes as ec
import numpy as np

sys.path.append(str(Path(__file__).parents[1] / "Interop"))
from grib_messages import MISSING, SAMPLES, expect, field, message, regular, scanned, together  # noqa: E402

HERE = Path(__file__).parent / "grib"
expected = {}


def number(value):
    return "NaN" if value != value else value.item()


def write(name, messages, **coordinates):
    path = HERE / f"{name}.grib"
    path.write_bytes(b"".join(messages))
    expected[path.name] = {
        array: {"shape": list(values.shape), "values": [number(v) for v in np.asarray(values).ravel()]}
        for array, values in expect(path, **coordinates).items()}


def scanning():
    """One field in every scanning mode, as so many levels."""
    for edition in 1, 2:
        modes = [m for m in itertools.product([0, 1], repeat=4) if edition == 2 or m[3] == 0]
        write(f"scanning{edition}", [
            message(SAMPLES[edition], {**regular(edition, 3, 6, 60, -60, scanning=m), "shortName": "t", "level": 100 * (i + 1)},
                    scanned(field(3, 6), m)) for i, m in enumerate(modes)],
            latitudes=np.array([60.0, 0, -60]), longitudes=np.arange(6) * 60.0)


def ensemble():
    """Times, members, levels, with gaps, and a constant field; GRIB 1 with padding between messages."""
    messages = []
    for n, (day, member, level) in enumerate(itertools.product([28, 29], [1, 2], [500, 850])):
        if n != 5:
            messages.append(message(SAMPLES[1], {
                **regular(1, 3, 6, 60, -60), "setLocalDefinition": 1, "localDefinitionNumber": 1, "type": "pf", "stream": "enfo",
                "number": member, "dataDate": 20000200 + day, "dataTime": 1800, "shortName": "z", "level": level},
                50_000 + field(3, 6, n).ravel()))
    messages.append(message(SAMPLES[1], {
        **regular(1, 3, 6, 60, -60), "dataDate": 20000228, "dataTime": 1800, "shortName": "lsm", "typeOfLevel": "surface",
        "level": 0}, np.arange(18) % 2))
    write("ensemble", [b"WMO heading\r\n", *(m + bytes(n % 5) for n, m in enumerate(messages))],
          longitudes=np.arange(6) * 60.0)


def several():
    """Several fields in one message, bitmaps that refer to an earlier one."""
    holes = np.arange(12) % 3 == 1
    singles = [message(SAMPLES[2], {**regular(2, 3, 4), "shortName": name, "level": level}, field(3, 4, level).ravel(), holes)
               for level in (500, 850) for name in ("u", "v")]
    write("several", [together(singles, 3, True), together(
        [message(SAMPLES[2], {**regular(2, 3, 4), "shortName": "t", "level": level}, field(3, 4, level).ravel())
         for level in (500, 850)], 4, False)], longitudes=np.arange(4) * 90.0)


def packings():
    """One level for each packing, full, with holes and constant."""
    base = {**regular(2, 6, 12), "bitsPerValue": 12}
    plane, holes = field(6, 12).ravel(), np.arange(72) % 5 == 2
    messages = []
    for level, packing in enumerate(["grid_simple", "grid_ccsds", "grid_jpeg", "grid_second_order", "grid_complex",
                                     "grid_complex_spatial_differencing", "grid_ieee"]):
        keys = {**base, "packingType": packing, "level": 100 * (level + 1)}
        messages.append(message(SAMPLES[2], {**keys, "shortName": "t"}, plane))
        messages.append(message(SAMPLES[2], {**keys, "shortName": "q"}, plane * 0 + 0.25))
        messages.append(message(SAMPLES[2], {**keys, "shortName": "r"}, plane, holes))
    write("packings", messages, longitudes=np.arange(12) * 30.0)


def gaussian():
    pl = np.array([20 + 4 * min(i, 7 - i) for i in range(8)])
    keys = {"N": 4, "Nj": 8, "pl": pl, "latitudeOfFirstGridPointInDegrees": 73.799, "latitudeOfLastGridPointInDegrees": -73.799,
            "longitudeOfLastGridPointInDegrees": 360 - 360 / pl.max(), "shortName": "t", "level": 500}
    m = message("reduced_gg_pl_32_grib2", keys, 270 + np.arange(pl.sum()) % 37)
    handle = ec.codes_new_from_message(m)
    write("reduced", [m], latitudes=ec.codes_get_array(handle, "latitudes"),
          longitudes=ec.codes_get_array(handle, "longitudes"))


def names():
    """One short name on several kinds of level, of several kinds of processing, and one without a name."""
    base = regular(2, 3, 4)
    t = {**base, "shortName": "t"}
    rain = {**base, "productDefinitionTemplateNumber": 8, "shortName": "tp"}
    plane = field(3, 4).ravel()
    messages = [message(SAMPLES[2], keys, plane) for keys in [
        {**t, "level": 500}, {**t, "typeOfLevel": "surface", "level": 0}, {**t, "typeOfLevel": "tropopause", "level": 0},
        {**t, "typeOfLevel": "heightAboveGround", "level": 80}, {**t, "typeOfLevel": "heightAboveGround", "level": 120},
        {**rain, "stepRange": "0-12"}, {**rain, "stepRange": "6-12"},
        {**base, "shortName": "t", "parameterCategory": 200, "parameterNumber": 7, "level": 500},
    ]]
    (HERE / "names.grib").write_bytes(b"".join(messages))
    (HERE / "twice.grib").write_bytes(messages[0] + messages[1] + messages[0])
    (HERE / "rivals.grib").write_bytes(messages[0] + messages[1] + message(SAMPLES[2], {**t, "level": 500}, plane + 1))
    (HERE / "grids.grib").write_bytes(messages[0] + message(SAMPLES[2], {**regular(2, 5, 4), "shortName": "q"}, field(5, 4).ravel()))
    (HERE / "forecasts.grib").write_bytes(b"".join(
        message(SAMPLES[2], {**t, "level": 500, "dataDate": date, "stepRange": str(step)}, plane + step + date % 10)
        for date in (20010101, 20010102) for step in (24, 48)))


def editions():
    """Editions 1 and 2 by turns, on a grid whose longitudes edition 1 rounds."""
    messages = []
    for n, name in itertools.product(range(4), ["2t", "msl", "tcc", "10u", "t"]):
        edition = 1 + n % 2
        keys = {**regular(edition, 3, 7, 60, -60), "dataDate": 20200101 + n // 4, "dataTime": n % 4 * 600, "shortName": name,
                "bitsPerValue": 16} | ({"level": 500} if name == "t" else {})  # fmt: skip
        messages.append(message(SAMPLES[edition] if name == "t" else f"regular_ll_sfc_grib{edition}", keys, field(3, 7, n).ravel()))
    write("editions", messages, latitudes=np.array([60.0, 0, -60]), longitudes=np.arange(7) * 308.571429 / 6)


def projected():
    """JPEG 2000 on Lambert and polar stereographic grids, full and with holes."""
    for kind in "lambert", "polar":
        grid = {"Nx": 8, "Ny": 5}
        if kind == "lambert":
            grid |= {"LaDInDegrees": 45, "LoVInDegrees": 10, "Latin1InDegrees": 30, "Latin2InDegrees": 60, "DxInMetres": 300000,
                     "DyInMetres": 300000, "latitudeOfFirstGridPointInDegrees": 35, "longitudeOfFirstGridPointInDegrees": 355}  # fmt: skip
        messages = []
        for level, holes in ((500, None), (850, np.arange(40) % 5 == 2)):
            handle = ec.codes_grib_new_from_samples("polar_stereographic_pl_grib2" if kind == "polar" else SAMPLES[2])
            if kind == "lambert":
                ec.codes_set(handle, "gridType", "lambert")
            for key, value in {**grid, "jScansPositively": 1, "shortName": "t", "level": level, "bitsPerValue": 12}.items():
                ec.codes_set(handle, key, value)
            values = field(5, 8, level).ravel()
            ec.codes_set_values(handle, values)
            ec.codes_set(handle, "packingType", "grid_jpeg")
            if holes is not None:
                ec.codes_set(handle, "bitmapPresent", 1)
                ec.codes_set(handle, "missingValue", MISSING)
                values[holes] = MISSING
            ec.codes_set_values(handle, values)
            messages.append(ec.codes_get_message(handle))
        write(kind, messages, latitudes=ec.codes_get_array(handle, "latitudes"),
              longitudes=ec.codes_get_array(handle, "longitudes"))


def periods():
    """Precipitation over periods in every unit, from 31 January 2001. One says no end."""
    def until(end):
        parts = {"year": end[:4], "month": end[5:7], "day": end[8:10], "hour": end[11:13], "minute": end[14:16], "second": "0"}
        return {f"{part}OfEndOfOverallTimeInterval": int(value) for part, value in parts.items()}

    base = {"dataDate": 20010131, "shortName": "tp"}
    first = {**regular(1, 3, 6, 60, -60), **base, "dataTime": 0, "timeRangeIndicator": 4, "P1": 0}
    second = {**regular(2, 3, 6, 60, -60), "productDefinitionTemplateNumber": 8, **base}
    messages = [
        message("regular_ll_sfc_grib1", {**first, "indicatorOfUnitOfTimeRange": unit, "P2": length}, field(3, 6).ravel())
        for unit, length in [(0, 20), (13, 2), (14, 2), (1, 2), (10, 1), (11, 1), (12, 1), (2, 1), (3, 1), (254, 100)]]
    for unit, length, end in [
            (0, 40, "2001-01-31 00:40"), (13, 3000, "2001-01-31 00:50"), (1, 4, "2001-01-31 00:00"), (10, 3, "2001-01-31 09:00"),
            (11, 3, "2001-01-31 18:00"), (12, 3, "2001-02-01 12:00"), (2, 2, "2001-02-02 00:00"), (3, 2, "2001-03-31 00:00"),
            (4, 1, "2002-01-31 00:00")]:  # fmt: skip
        unit = {"indicatorOfUnitOfTimeRange": unit, "indicatorOfUnitForTimeRange": unit}
        messages.append(message("regular_ll_sfc_grib2", {**second, "dataTime": 0, **unit, "lengthOfTimeRange": length, **until(end)},
                                field(3, 6).ravel()))  # fmt: skip
    (HERE / "periods.grib").write_bytes(b"".join(messages))
    # Three that end at the same time.
    (HERE / "spans.grib").write_bytes(b"".join(
        message("regular_ll_sfc_grib2", {**second, "dataTime": start, "indicatorOfUnitForTimeRange": unit,
                                         "lengthOfTimeRange": length, **until("2001-01-31 03:00")}, field(3, 6).ravel())
        for start, unit, length in [(230, 0, 30), (200, 1, 1), (0, 10, 1)]))  # fmt: skip


def accumulations():
    """Sums that differ in their dates alone: over 6 hours around ends of months, and over a month without a date of its end."""
    sums = {**regular(2, 3, 6, 60, -60), "shortName": "tp"}

    def one(start, end, **more):
        date = {"dataDate": int(start[:10].replace("-", "")), "dataTime": int(start[11:13]) * 100}
        parts = {"year": end[:4], "month": end[5:7], "day": end[8:10], "hour": end[11:13], "minute": 0, "second": 0}
        ends = {f"{part}OfEndOfOverallTimeInterval": int(value) for part, value in parts.items()}
        return message("regular_ll_sfc_grib2", {**more, **sums, **date, **ends}, field(3, 6).ravel())

    for template in (8, 11):
        # The template first: it sets all others anew.
        first = {"productDefinitionTemplateNumber": template, "indicatorOfUnitOfTimeRange": 1}
        hours = {**first, "indicatorOfUnitForTimeRange": 1, "lengthOfTimeRange": 6}
        months = {**first, "indicatorOfUnitForTimeRange": 3, "lengthOfTimeRange": 1}
        messages = [
            one(start, end, **hours) for start, end in [
                ("2000-02-28 18", "2000-02-29 00"), ("2000-02-29 18", "2000-03-01 00"), ("2000-12-31 18", "2001-01-01 00"),
                # The last ends later than its length says.
                ("2001-02-28 18", "2001-03-01 00"), ("2001-03-02 18", "2001-03-03 06")]]  # fmt: skip
        messages += [one(start, start, **months) for start in ["2001-05-01 00", "2001-06-01 00"]]
        (HERE / f"accumulations{template}.grib").write_bytes(b"".join(messages))


def sums():
    """Sums and extremes over 6 hours, by turns of edition 1, which calls them an instant, and of edition 2."""
    messages = []
    for n, name in itertools.product(range(4), ["tp", "mx2t6"]):
        edition = 1 + n % 2
        keys = {**regular(edition, 3, 6, 60, -60), "dataDate": 20010101 + n, "bitsPerValue": 24, "shortName": name}
        period = {"timeRangeIndicator": 0, "endStep": 6} if edition == 1 else {"stepRange": "0-6"}
        messages.append(message(f"regular_ll_sfc_grib{edition}", {**keys, **period}, 300 + np.arange(18) / 32 + n))
    (HERE / "sums.grib").write_bytes(b"".join(messages))


def numbers():
    """Parameters that change their numbers and units with the edition: cloud cover and snow."""
    values, messages = np.arange(18) / 32, []
    for n in range(4):
        for old, new, factor in [(164, 228164, 100), (141, 228141, 1000)]:
            edition = 1 if n < 2 else 2
            messages.append(message(f"regular_ll_sfc_grib{edition}", {
                **regular(edition, 3, 6, 60, -60), "dataDate": 20010101 + n, "bitsPerValue": 24,
                "paramId": old if n < 2 else new}, (values + n / 8) * (1 if n < 2 else factor)))  # fmt: skip
    (HERE / "numbers.grib").write_bytes(b"".join(messages))


def kinds():
    """One field on a grid among messages that are none: spherical harmonics, a cross section, templates that there aren't, a unit of
    time that there isn't."""
    def changed(section, offset, value):
        content, at = bytearray(good), 16
        while content[at + 4] != section:
            at += int.from_bytes(content[at:at + 4], "big")
        content[at + offset:at + offset + len(value)] = value
        return bytes(content)

    def harmonics(edition):
        handle = ec.codes_grib_new_from_samples(f"sh_pl_grib{edition}")
        return ec.codes_get_message(handle)

    good = message(SAMPLES[2], {**regular(2, 3, 4), "shortName": "t", "level": 500}, field(3, 4).ravel())
    (HERE / "kinds.grib").write_bytes(
        harmonics(1) + good + harmonics(2) + changed(3, 12, (1000).to_bytes(2, "big")) + changed(3, 12, (999).to_bytes(2, "big"))
        + changed(4, 7, (3000).to_bytes(2, "big")) + changed(5, 9, (300).to_bytes(2, "big")) + changed(4, 17, b"\x09\0\0\0\x06"))


def statistics():
    """2 m temperature and its ensemble mean's neighbours that are no temperatures: spread, probability, percentile, difference and
    deviation over a period, error of the analysis, climatology, return period."""
    base = {**regular(2, 3, 4), "dataDate": 20200101}
    two_metres = {"discipline": 0, "parameterCategory": 0, "parameterNumber": 0, "typeOfFirstFixedSurface": 103,
                  "scaleFactorOfFirstFixedSurface": 0, "scaledValueOfFirstFixedSurface": 2}  # fmt: skip
    kinds = [
        {}, {"productDefinitionTemplateNumber": 2, "derivedForecast": 2}, {"productDefinitionTemplateNumber": 2, "derivedForecast": 4},
        {"productDefinitionTemplateNumber": 5, "probabilityType": 1}, {"productDefinitionTemplateNumber": 6, "percentileValue": 90},
        {"productDefinitionTemplateNumber": 8, "typeOfStatisticalProcessing": 4, "lengthOfTimeRange": 6},
        {"productDefinitionTemplateNumber": 8, "typeOfStatisticalProcessing": 6, "lengthOfTimeRange": 6},
        {"typeOfGeneratingProcess": 7}, {"typeOfGeneratingProcess": 9},
        {"productDefinitionTemplateNumber": 8, "typeOfStatisticalProcessing": 12, "lengthOfTimeRange": 6},
    ]
    (HERE / "statistics.grib").write_bytes(b"".join(
        message(SAMPLES[2], {**base, **kind, **two_metres}, field(3, 4, n).ravel()) for n, kind in enumerate(kinds)))
    # Edition 1 tells an ensemble's spread in ECMWF's local section alone.
    old = {**regular(1, 3, 7, 60, -60), "setLocalDefinition": 1, "localDefinitionNumber": 1, "shortName": "2t"}
    (HERE / "statistics1.grib").write_bytes(b"".join(
        message("regular_ll_sfc_grib1", {**old, "type": kind}, field(3, 7, n).ravel()) for n, kind in enumerate(["an", "es", "ea", "4i"])))
    (HERE / "mean.grib").write_bytes(message(
        SAMPLES[2], {**base, "productDefinitionTemplateNumber": 2, "derivedForecast": 0, **two_metres}, field(3, 4).ravel()))


def levels():
    """Pressure levels that are no whole hPa, in Pa and in tenths of Pa."""
    (HERE / "levels.grib").write_bytes(b"".join(
        message(SAMPLES[2], {**regular(2, 3, 4), "shortName": "t", "typeOfFirstFixedSurface": 100,
                             "scaleFactorOfFirstFixedSurface": scale, "scaledValueOfFirstFixedSurface": value},
                field(3, 4, n).ravel())
        for n, (scale, value) in enumerate([(0, 50), (0, 750), (0, 7000), (0, 7050), (1, 850250), (-2, 1000)])))  # fmt: skip


def main():
    shutil.rmtree(HERE, ignore_errors=True)
    HERE.mkdir()
    scanning()
    ensemble()
    several()
    packings()
    gaussian()
    names()
    editions()
    projected()
    periods()
    kinds()
    numbers()
    accumulations()
    sums()
    statistics()
    levels()
    (HERE / "expected.json").write_text(json.dumps(expected, sort_keys=True, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
