"""Cuts the demo's data from the full simulated set (README.md says what that is and where it comes from).

Usage: python3 make_demo_data.py FOLDER_WITH_THE_FULL_SET
Needs xarray 2026.9 and netCDF4 1.7. Keeps 14 of 19 fields, 760 of 2 432 times, and packs each variable into 1000 or
4000 steps over its range, so that the file stays small enough to be part of the project.
"""
import sys
from pathlib import Path

import xarray as xr

LEVELS = [850, 500]
START, END = "2001-10-01", "2002-04-08T18"
# Geopotential has the widest range over its levels for the size of its changes.
PACKING_STEPS = {"z": 4000}
OTHER_STEPS = 1000

folder = Path(sys.argv[1])
parts = [xr.load_dataset(path).sel(level=LEVELS, time=slice(START, END)) for path in sorted(folder.glob("simulated-*.nc"))]
part = xr.concat([p for p in parts if p.sizes["time"]], "time")
encoding = {"time": {"dtype": "int32", "units": "hours since 2000-01-01"}}
for name, field in part.data_vars.items():
    low, high = float(field.min()), float(field.max())
    for key in ("scale_factor", "add_offset", "_FillValue", "dtype"):
        field.encoding.pop(key, None)
    encoding[name] = {
        "dtype": "int16", "scale_factor": (high - low) / PACKING_STEPS.get(name, OTHER_STEPS), "add_offset": (high + low) / 2,
        "_FillValue": -32768, "zlib": True, "complevel": 9, "shuffle": True,
        "chunksizes": (40,) + field.shape[1:],
    }
part.attrs["title"] = "Simulated atmosphere, 5.625 degree, 6-hourly: the part that the demo uses"
part.to_netcdf("simulated.nc", encoding=encoding)

static = xr.load_dataset(folder / "static.nc")
static.to_netcdf("static.nc", encoding={name: {"zlib": True, "complevel": 9} for name in static.data_vars})
