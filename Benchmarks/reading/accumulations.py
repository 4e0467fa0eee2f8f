"""Writes GRIB 2 files of many small messages: accumulations.py FOLDER.

accumulations.grib   20 000 sums over 6 hours (template 8), whose headers differ in two dates each
instants.grib        20 000 fields of an instant, whose headers differ in one
"""
import datetime
import pathlib
import sys

import eccodes as ec
import numpy as np

FOLDER = pathlib.Path(sys.argv[1])
COUNT = 20_000
GRID = {"Ni": 8, "Nj": 4, "latitudeOfFirstGridPointInDegrees": 67.5, "latitudeOfLastGridPointInDegrees": -67.5,
        "longitudeOfFirstGridPointInDegrees": 0, "longitudeOfLastGridPointInDegrees": 315,
        "iDirectionIncrementInDegrees": 45, "jDirectionIncrementInDegrees": 45}  # fmt: skip

for name, keys in [("accumulations", {"productDefinitionTemplateNumber": 8, "shortName": "tp", "stepRange": "0-6"}),
                   ("instants", {"shortName": "2t"})]:  # fmt: skip
    handle = ec.codes_grib_new_from_samples("regular_ll_sfc_grib2")
    for key, value in {**GRID, **keys}.items():
        ec.codes_set(handle, key, value)
    ec.codes_set_values(handle, np.linspace(0, 1, 32))
    with (FOLDER / f"{name}.grib").open("wb") as file:
        for number in range(COUNT):
            time = datetime.datetime(2000, 1, 1) + datetime.timedelta(hours=6 * number)
            ec.codes_set(handle, "dataDate", int(time.strftime("%Y%m%d")))
            ec.codes_set(handle, "dataTime", time.hour * 100)
            if "stepRange" in keys:  # The end of the period follows from it.
                ec.codes_set(handle, "stepRange", keys["stepRange"])
            file.write(ec.codes_get_message(handle))
