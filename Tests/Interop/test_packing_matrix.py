"""Packing attributes x types x stores: the values that xarray reads, or a refusal where it refuses."""
import subprocess
import warnings

import netCDF4
import numpy as np
import pytest
import xarray as xr
import zarr
from xarray.backends.zarr import FillValueCoder

from conftest import ROOT, jigsaw

CHECKS = ROOT / ".build/debug/store-checks"
HALF, TENS = np.float32(0.5), np.float32(200)
ATTRIBUTES = {
    "plain": {},
    "scaled": {"scale_factor": 0.25},
    "moved": {"add_offset": np.float64(10.5)},
    "packed": {"scale_factor": HALF, "add_offset": TENS},
    "filled": {"_FillValue": 7},
    "packed_filled": {"scale_factor": HALF, "add_offset": TENS, "_FillValue": 7},
    "missing": {"missing_value": 5},
    "both": {"_FillValue": 7, "missing_value": 5},
    "several": {"missing_value": [5, 7]},
    "unsigned": {"_Unsigned": "true"},
    "signed": {"_Unsigned": "false"},
    "unsigned_packed": {"_Unsigned": "true", "scale_factor": HALF, "add_offset": TENS},
    "unsigned_filled": {"_Unsigned": "true", "_FillValue": 7, "scale_factor": 0.25},
    "signed_filled": {"_Unsigned": "false", "_FillValue": 7},
    "of_one": {"scale_factor": [0.5]},
    "of_two": {"scale_factor": [0.5, 2.0]},
    "offsets": {"add_offset": [1.0, 2.0]},
    "as_text": {"scale_factor": "0.5"},
}
TYPES = ["i1", "u1", "i2", "u2", "i4", "f4", "f8"]
CLASSIC = ["i1", "i2", "i4", "f4", "f8"]


def numbers(dtype):
    raw = np.array([0, 1, 5, 7, 100, 120, 200, 250], "u1")
    return raw.view("i1").astype(dtype) if dtype[0] == "i" else raw.astype(dtype)


def cases(types):
    return [(f"{key}_{dtype}", dtype, attributes) for key, attributes in ATTRIBUTES.items() for dtype in types]


def plain(value):
    return value.tolist() if isinstance(value, np.generic) else value


def write_netcdf(path, kind):
    with netCDF4.Dataset(path, "w", format=kind) as d:
        d.createDimension("x", 8)
        for name, dtype, attributes in cases(CLASSIC if kind.startswith("NETCDF3") else TYPES):
            attributes = {k: np.array(v, dtype) if k in ("_FillValue", "missing_value") else v for k, v in attributes.items()}
            v = d.createVariable(name, dtype, ("x",), fill_value=attributes.pop("_FillValue", None))
            v.set_auto_maskandscale(False)
            v.setncatts(attributes)
            v[:] = numbers(dtype)


def write_zarr(path, version):
    group = zarr.create_group(path, zarr_format=version)
    for name, dtype, attributes in cases(TYPES):
        attributes = {k: plain(v) for k, v in attributes.items()}
        fill = None if version == 2 else 0
        if "_FillValue" in attributes and version == 2:
            fill = attributes.pop("_FillValue")
        elif "_FillValue" in attributes:
            attributes["_FillValue"] = FillValueCoder.encode(attributes["_FillValue"], np.dtype(dtype))
        names = {"dimension_names": ["x"]} if version == 3 else {}
        a = group.create_array(name, shape=(8,), chunks=(8,), dtype=dtype, fill_value=fill, **names)
        a.attrs.update({**attributes, **({"_ARRAY_DIMENSIONS": ["x"]} if version == 2 else {})})
        a[...] = numbers(dtype)


def test_packing_as_xarray(tmp_path):
    stores = {"classic.nc": "NETCDF3_CLASSIC", "four.nc": "NETCDF4", "two.zarr": 2, "three.zarr": 3}
    count = refused = 0
    for file, kind in stores.items():
        path, expected = tmp_path / file, tmp_path / file.split(".")[0]
        expected.mkdir()
        (write_netcdf if file.endswith(".nc") else write_zarr)(path, kind)
        options = {} if file.endswith(".nc") else {"engine": "zarr", "consolidated": False}
        with warnings.catch_warnings(), xr.open_dataset(path, decode_cf=False, **options) as raw:
            warnings.simplefilter("ignore")
            for name, _, _ in cases(CLASSIC if file == "classic.nc" else TYPES):
                count += 1
                try:
                    values = xr.decode_cf(raw[[name]])[name].values.astype("f4")
                    (expected / f"{name}.bin").write_bytes(values.tobytes())
                except (ValueError, TypeError):
                    refused += 1
                    (expected / f"{name}.refused").touch()
    assert count >= 400 and refused >= 60
    result = subprocess.run([CHECKS, "--unpacked", tmp_path], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("kind", ["enumeration", "compound", "Zarr"])
def test_variables_of_other_types_are_named(tmp_path, kind):
    fields = xr.Dataset({"t2m": (("time", "latitude", "longitude"), np.full((2, 3, 4), 280.0, "f4"), {"units": "K"})},
                        {"time": np.array(["2020-01-01", "2020-01-02"], "M8[ns]"), "latitude": [60.0, 0.0, -60.0],
                         "longitude": [0.0, 90.0, 180.0, 270.0]})  # fmt: skip
    path = tmp_path / ("a.zarr" if kind == "Zarr" else "a.nc")
    if kind == "Zarr":
        fields.to_zarr(path, zarr_format=2)
        zarr.open_group(path, zarr_format=2).create_array("sky", shape=(2, 3, 4), dtype="c8", attributes={
            "_ARRAY_DIMENSIONS": ["time", "latitude", "longitude"]})  # fmt: skip
        zarr.consolidate_metadata(path, zarr_format=2)
    else:
        fields.to_netcdf(path)
        with netCDF4.Dataset(path, "a") as file:
            if kind == "compound":
                file.createVariable("sky", file.createCompoundType(np.dtype([("a", "f4"), ("b", "f4")]), "pair"), ("time",))
            else:
                file.createVariable("sky", file.createEnumType("u1", "sky_t", {"clear": 0, "cloudy": 1}), ("time",))
    shown = jigsaw("data", "inspect", path).stdout
    assert "sky: not read" in shown and "t2m" in shown
