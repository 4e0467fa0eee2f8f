"""Coordinates by meaning: winds along rotated and projected grids against pyproj, calendars against xarray, groups of NetCDF-4."""
import subprocess
import sys

import eccodes as ec
import numpy as np
import pytest
import xarray as xr
from conftest import ROOT, jigsaw

TIMES = np.datetime64("2020-01-01", "ns") + 6 * np.arange(4) * np.timedelta64(1, "h")
POLE = {"grid_mapping_name": "rotated_latitude_longitude", "grid_north_pole_latitude": 39.25,
        "grid_north_pole_longitude": -162.0}  # fmt: skip
CONE = {"grid_mapping_name": "lambert_conformal_conic", "standard_parallel": [30.0, 60.0],
        "longitude_of_central_meridian": 10.0, "latitude_of_projection_origin": 45.0}  # fmt: skip
GRIDS = {
    "rotated": (POLE, "+proj=ob_tran +o_proj=longlat +o_lat_p=39.25 +o_lon_p=0 +lon_0=18 +R=6371229",
                np.linspace(-25, 20, 9), np.linspace(-30, 25, 12)),
    "lambert": (CONE | {"earth_radius": 6371229.0}, "+proj=lcc +lat_1=30 +lat_2=60 +lat_0=45 +lon_0=10 +R=6371229",
                np.linspace(-2e6, 3e6, 9), np.linspace(-3e6, 2.5e6, 12)),
    "ellipsoid": (CONE | {"semi_major_axis": 6378137.0, "inverse_flattening": 298.257223563},
                  "+proj=lcc +lat_1=30 +lat_2=60 +lat_0=45 +lon_0=10 +ellps=WGS84",
                  np.linspace(-2e6, 3e6, 9), np.linspace(-3e6, 2.5e6, 12)),
    "stereographic": ({"grid_mapping_name": "polar_stereographic", "latitude_of_projection_origin": -90.0,
                       "straight_vertical_longitude_from_pole": 20.0, "standard_parallel": -71.0},
                      "+proj=stere +lat_0=-90 +lat_ts=-71 +lon_0=20 +R=6371229",
                      np.linspace(-3e6, 2e6, 9), np.linspace(-2.5e6, 3e6, 12)),
    "north": ({"grid_mapping_name": "polar_stereographic", "latitude_of_projection_origin": 90.0,
               "straight_vertical_longitude_from_pole": 20.0, "standard_parallel": 60.0},
              "+proj=stere +lat_0=90 +lat_ts=60 +lon_0=20 +R=6371229",
              np.linspace(-3e6, 2e6, 9), np.linspace(-2.5e6, 3e6, 12)),
}  # fmt: skip


def proj(folder, **given):
    """What proj_peer.py computes with pyproj, whose libraries don't bear those of ecCodes in one process."""
    np.savez(folder / "given.npz", **given)
    command = [sys.executable, ROOT / "Tests/Interop/proj_peer.py", folder / "given.npz", folder / "found.npz"]
    subprocess.run(command, check=True, capture_output=True)
    found = np.load(folder / "found.npz")
    return found["latitude"], found["longitude"], found["bearing"]


def anemoi(folder, path):
    """All fields of a file as jigsaw reads them: {name: [time, point]}."""
    config = folder / "convert.yaml"
    config.write_text(f"data: {{sources: [{{path: {path}}}]}}\n")
    jigsaw("data", "convert", config, folder / "out.zarr", "--layout", "anemoi")
    store = xr.open_zarr(folder / "out.zarr", consolidated=False)
    return {name: store.data.values[:, index, 0] for index, name in enumerate(store.attrs["variables"])}


def expected(u, v, bearing):
    return u * np.cos(bearing) + v * np.sin(bearing), v * np.cos(bearing) - u * np.sin(bearing)


@pytest.mark.parametrize("grid", GRIDS)
def test_winds_along_the_grid(tmp_path, grid):
    mapping, projection, y, x = GRIDS[grid]
    lat, lon, bearing = proj(tmp_path, projection=projection, y=y, x=x)
    u, v = np.random.default_rng(1).uniform(-40, 40, (2, 4, *lat.shape)).astype("f4")
    axes = {"standard_name": "grid_latitude" if grid == "rotated" else "projection_y_coordinate"}
    data = xr.Dataset(
        {name: (("time", "y", "x"), values, {"units": "m s-1", "standard_name": standard, "grid_mapping": "crs"})
         for name, values, standard in [("u10", u, "x_wind"), ("v10", v, "y_wind")]},
        {"time": TIMES, "y": ("y", y, axes), "x": x, "crs": ((), 0, mapping),
         "lat": (("y", "x"), lat, {"standard_name": "latitude"}), "lon": (("y", "x"), lon, {"standard_name": "longitude"})},
    )  # fmt: skip
    data.to_netcdf(tmp_path / "data.nc")
    ours = anemoi(tmp_path, tmp_path / "data.nc")
    for name, truth in zip(("10u", "10v"), expected(u, v, bearing)):
        np.testing.assert_allclose(ours[name], truth.reshape(4, -1), rtol=0, atol=1e-4)


@pytest.mark.parametrize("along", [0, 1])
@pytest.mark.parametrize("grid", ["rotated", "lambert", "north"])
def test_winds_of_grib(tmp_path, grid, along):
    """Bit 5 of resolutionAndComponentFlags decides; places are those of ecCodes, directions those of pyproj."""
    random = np.random.default_rng(2)
    winds = {165: random.uniform(-40, 40, (6, 8)), 166: random.uniform(-40, 40, (6, 8))}
    with open(tmp_path / "winds.grib", "wb") as file:
        for hour in (0, 600):
            for parameter, values in winds.items():
                handle = ec.codes_grib_new_from_samples("regular_ll_sfc_grib2")
                if grid == "rotated":
                    ec.codes_set(handle, "gridType", "rotated_ll")
                    own = {"Ni": 8, "Nj": 6, "latitudeOfFirstGridPointInDegrees": -10, "latitudeOfLastGridPointInDegrees": 15,
                           "longitudeOfFirstGridPointInDegrees": 0, "longitudeOfLastGridPointInDegrees": 35,
                           "iDirectionIncrementInDegrees": 5, "jDirectionIncrementInDegrees": 5, "jScansPositively": 1,
                           "latitudeOfSouthernPoleInDegrees": -39.25, "longitudeOfSouthernPoleInDegrees": 18}  # fmt: skip
                elif grid == "north":
                    ec.codes_set(handle, "gridType", "polar_stereographic")
                    own = {"Nx": 8, "Ny": 6, "latitudeOfFirstGridPointInDegrees": 50, "longitudeOfFirstGridPointInDegrees": 330,
                           "orientationOfTheGridInDegrees": 20, "LaDInDegrees": 60, "DxInMetres": 300000, "DyInMetres": 300000,
                           "jScansPositively": 1}  # fmt: skip
                else:
                    ec.codes_set(handle, "gridType", "lambert")
                    own = {"Nx": 8, "Ny": 6, "latitudeOfFirstGridPointInDegrees": 35, "longitudeOfFirstGridPointInDegrees": 355,
                           "LaDInDegrees": 45, "LoVInDegrees": 10, "DxInMetres": 300000, "DyInMetres": 300000,
                           "Latin1InDegrees": 30, "Latin2InDegrees": 60, "jScansPositively": 1}  # fmt: skip
                for key, value in {**own, "resolutionAndComponentFlags": 8 * along, "paramId": parameter, "dataDate": 20200101,
                                   "dataTime": hour, "bitsPerValue": 24}.items():  # fmt: skip
                    ec.codes_set(handle, key, value)
                ec.codes_set_values(handle, values.ravel())
                lat, lon = ec.codes_get_array(handle, "latitudes"), ec.codes_get_array(handle, "longitudes")
                file.write(ec.codes_get_message(handle))
                ec.codes_release(handle)
    bearing = proj(tmp_path, projection=GRIDS[grid][1], latitude=lat, longitude=lon)[2] * along
    ours = anemoi(tmp_path, tmp_path / "winds.grib")
    for name, truth in zip(("10u", "10v"), expected(winds[165].ravel(), winds[166].ravel(), bearing)):
        np.testing.assert_allclose(ours[name], np.tile(truth, (2, 1)), rtol=0, atol=1e-4)


ROTATED = {"latitudeOfSouthernPoleInDegrees": -30, "longitudeOfSouthernPoleInDegrees": 10}
STRETCHED = {"latitudeOfStretchingPoleInDegrees": 40, "longitudeOfStretchingPoleInDegrees": 10, "stretchingFactor": 2}
AZIMUTHAL = {"Nx": 31, "Ny": 16, "latitudeOfFirstGridPointInDegrees": 60, "longitudeOfFirstGridPointInDegrees": 350,
             "DxInMetres": 200000, "DyInMetres": 200000, "standardParallelInDegrees": 52, "centralLongitudeInDegrees": 10,
             "resolutionAndComponentFlags": 56}  # fmt: skip
SOUTH = {"Nx": 31, "Ny": 16, "latitudeOfFirstGridPointInDegrees": -40, "longitudeOfFirstGridPointInDegrees": 0, "LaDInDegrees": -48,
         "LoVInDegrees": 10, "DxInMetres": 100000, "DyInMetres": 100000, "Latin1InDegrees": -48, "Latin2InDegrees": -48,
         "shapeOfTheEarth": 6, "projectionCentreFlag": 128}  # fmt: skip


@pytest.mark.parametrize("edition", [1, 2])
@pytest.mark.parametrize("grid, keys", [
    ("rotated_gg", ROTATED), ("reduced_rotated_gg", ROTATED), ("stretched_gg", STRETCHED), ("reduced_stretched_gg", STRETCHED),
    ("reduced_stretched_rotated_gg", ROTATED | STRETCHED), ("lambert_azimuthal_equal_area", AZIMUTHAL), ("lambert", SOUTH),
])  # fmt: skip
def test_grib_grids_that_are_not_read(tmp_path, grid, keys, edition):
    """Places that ecCodes gives before they are turned or stretched, or on the other hemisphere; winds along unknown axes."""
    if edition == 1 and grid.startswith("lambert"):
        pytest.skip("edition 2")
    sample = "reduced_gg_pl_32_grib" if grid.startswith("reduced") else "regular_gg_pl_grib" if "gg" in grid else "regular_ll_pl_grib"
    path = tmp_path / "a.grib"
    with open(path, "wb") as file:
        for date in (20200101, 20200102):
            handle = ec.codes_grib_new_from_samples(f"{sample}{edition}")
            ec.codes_set(handle, "gridType", grid)
            for key, value in {**keys, "shortName": "u", "dataDate": date}.items():
                ec.codes_set(handle, key, value)
            if grid.startswith("lambert"):
                ec.codes_set_values(handle, np.full(31 * 16, 5.0))
            file.write(ec.codes_get_message(handle))
            ec.codes_release(handle)
    shown = jigsaw("data", "inspect", path, check=False)
    if grid == "lambert" and shown.returncode == 0:
        # A newer ecCodes places it right.
        assert "34." in shown.stdout and " S" in shown.stdout
        return
    if grid == "lambert_azimuthal_equal_area":
        assert "directions are not known" in shown.stdout
        return
    assert shown.returncode == 1 and grid in shown.stderr


@pytest.mark.parametrize("calendar", ["noleap", "360_day", "julian", "all_leap"])
def test_calendars(tmp_path, calendar):
    """Dates are those of xarray's convert_calendar: by name, for 360 days by place in the year."""
    times = xr.date_range("2001-01-01", periods=700, freq="D", calendar=calendar, use_cftime=True)
    times = times[[not (t.month == 2 and t.day == 29) for t in times]] if calendar == "all_leap" else times
    data = xr.Dataset(
        {"t2m": (("time", "latitude", "longitude"), np.arange(len(times) * 32.0).reshape(-1, 4, 8), {"units": "K"})},
        {"time": times, "latitude": ("latitude", [67.5, 22.5, -22.5, -67.5], {"units": "degrees_north"}),
         "longitude": ("longitude", 45.0 * np.arange(8), {"units": "degrees_east"})},
    )  # fmt: skip
    data.to_netcdf(tmp_path / "data.nc")
    align = "year" if calendar == "360_day" else "date"
    theirs = data.convert_calendar("proleptic_gregorian", align_on=align, use_cftime=False).time.values
    first, last = str(theirs[0])[:10], str(theirs[-1])[:10]
    shown = jigsaw("data", "inspect", tmp_path / "data.nc").stdout
    line = next(line for line in shown.splitlines() if line.strip().startswith("times:"))
    assert f"{len(times)} from {first}" in line and f"to {last}" in line


@pytest.mark.parametrize("format", ["NETCDF3_64BIT", "NETCDF4"])
def test_times_as_text(tmp_path, format):
    """WRF's times are rows of characters; older versions have no others."""
    texts = np.array([str(time)[:19].replace("T", "_") for time in TIMES], "S19")
    rows, columns = np.meshgrid(np.linspace(30, 50, 3), np.linspace(-10, 20, 5), indexing="ij")
    places = {"XLAT": (rows, "degree_north"), "XLONG": (columns, "degree_east")}
    data = xr.Dataset(
        {"T2": (("Time", "south_north", "west_east"), 280 + np.arange(60.0).reshape(4, 3, 5), {"units": "K"})}
        | {name: (("Time", "south_north", "west_east"), np.tile(values, (4, 1, 1)), {"units": units})
           for name, (values, units) in places.items()}
        | {"Times": ("Time", texts, {}, {"dtype": "S1", "char_dim_name": "DateStrLen"})}
    )  # fmt: skip
    data.to_netcdf(tmp_path / "wrfout.nc", format=format)
    shown = jigsaw("data", "inspect", tmp_path / "wrfout.nc").stdout
    assert "4 from 2020-01-01 00:00 to 2020-01-01 18:00" in shown
    np.testing.assert_array_equal(anemoi(tmp_path, tmp_path / "wrfout.nc")["T2"], data.T2.values.reshape(4, 15))


@pytest.mark.parametrize("start", [337.5, 180.0, 0.0])
def test_columns_westwards(tmp_path, start):
    """Fields are those of the same data sorted eastwards."""
    values = np.random.default_rng(2).normal(280, 5, (4, 4, 16)).astype("f4")
    data = xr.Dataset(
        {"t2m": (("time", "latitude", "longitude"), values, {"units": "K"})},
        {"time": TIMES, "latitude": ("latitude", [67.5, 22.5, -22.5, -67.5], {"units": "degrees_north"}),
         "longitude": ("longitude", start - 22.5 * np.arange(16), {"units": "degrees_east"})},
    )  # fmt: skip
    data.to_netcdf(tmp_path / "west.nc")
    east = data.assign_coords(longitude=data.longitude % 360).sortby("longitude")
    np.testing.assert_array_equal(anemoi(tmp_path, tmp_path / "west.nc")["2t"], east.t2m.values.reshape(4, 64))


def test_groups(tmp_path):
    plain = xr.Dataset(
        {"t2m": (("time", "latitude", "longitude"), np.arange(128.0).reshape(4, 4, 8), {"units": "K"})},
        {"time": TIMES, "latitude": ("latitude", [67.5, 22.5, -22.5, -67.5], {"units": "degrees_north"}),
         "longitude": ("longitude", 45.0 * np.arange(8), {"units": "degrees_east"})},
    )  # fmt: skip
    # Coordinates above the fields, and beside them in a group of their own.
    xr.DataTree.from_dict({"/": plain.drop_vars("t2m"), "/surface": plain[["t2m"]]}).to_netcdf(tmp_path / "above.nc")
    plain.to_netcdf(tmp_path / "own.nc", group="model/surface")
    for name in ["above", "own"]:
        folder = tmp_path / name
        folder.mkdir()
        np.testing.assert_array_equal(anemoi(folder, tmp_path / f"{name}.nc")["2t"], plain.t2m.values.reshape(4, 32))
    # One name in two groups: both are named.
    plain.to_netcdf(tmp_path / "twice.nc", group="a")
    plain.to_netcdf(tmp_path / "twice.nc", group="b", mode="a")
    assert "a/t2m" in (shown := jigsaw("data", "inspect", tmp_path / "twice.nc").stdout) and "b/t2m" in shown
