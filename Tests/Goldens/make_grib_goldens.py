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
from grib_messages import SAMPLES, expect, field, message, regular, scanned, together  # noqa: E402

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
    (HERE / "grids.grib").write_bytes(messages[0] + message(SAMPLES[2], {**regular(2, 5, 4), "shortName": "q"}, field(5, 4).ravel()))
    (HERE / "forecasts.grib").write_bytes(b"".join(
        message(SAMPLES[2], {**t, "level": 500, "dataDate": date, "stepRange": str(step)}, plane + step + date % 10)
        for date in (20010101, 20010102) for step in (24, 48)))


def main():
    shutil.rmtree(HERE, ignore_errors=True)
    HERE.mkdir()
    scanning()
    ensemble()
    several()
    packings()
    gaussian()
    names()
    (HERE / "expected.json").write_text(json.dumps(expected, sort_keys=True, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
