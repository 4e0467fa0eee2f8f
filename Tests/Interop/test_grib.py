"""GRIB files that ecCodes for Python writes, read back by this program: editions x grids x scanning modes x packings."""
import itertools
import subprocess
from collections import Counter

import cfgrib
import eccodes as ec
import numpy as np
import pytest

from conftest import ROOT
from grib_messages import SAMPLES, expect, field, message, regular, scanned, together

CHECKS = ROOT / ".build/debug/store-checks"


def write_case(folder, name, messages, **settings):
    path = folder / f"{name}.grib"
    path.write_bytes(b"".join(messages))
    arrays = expect(path, **settings)
    (folder / name).mkdir()
    for array, values in arrays.items():
        (folder / name / f"{array}.bin").write_bytes(np.ascontiguousarray(values).tobytes())
    return arrays


def check(folder, least):
    result = subprocess.run([CHECKS, folder], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    assert len(list(folder.glob("*.grib"))) >= least


# ---------------------------------------------------------------- tests

@pytest.mark.parametrize("edition", [1, 2])
def test_scanning_modes(tmp_path, edition):
    """All sixteen on one grid, and the numbers come out the same."""
    plane = field(5, 8)
    for scanning in itertools.product([0, 1], repeat=4):
        if edition == 1 and scanning[3]:
            continue
        arrays = write_case(
            tmp_path, "scan" + "".join(map(str, scanning)),
            [message(SAMPLES[edition], {**regular(edition, 5, 8, scanning=scanning), "shortName": "t", "level": 500},
                     scanned(plane, scanning))],
            latitudes=np.linspace(75, -75, 5), longitudes=np.arange(8) * 45.0)
        np.testing.assert_allclose(arrays["t"][0, 0], plane, atol=0.01)
    check(tmp_path, 8 if edition == 1 else 16)


@pytest.mark.parametrize("edition", [1, 2])
def test_fields_over_times_levels_and_members(tmp_path, edition):
    messages = []
    for n, (day, hour, member, level, name) in enumerate(itertools.product(
            [28, 29], [0, 1800], [0, 1, 2], [500, 850, 1000], ["z", "t", "u"])):
        if n % 17 == 3:
            continue  # combinations without a message
        messages.append(message(SAMPLES[edition], {
            **regular(edition, 4, 6), **({"setLocalDefinition": 1, "localDefinitionNumber": 1, "type": "pf", "stream": "enfo"}
                                         if edition == 1 else {"productDefinitionTemplateNumber": 1}),
            "number": member, "dataDate": 20000200 + day, "dataTime": hour, "shortName": name, "level": level},
            field(4, 6, n).ravel()))
    rng = np.random.default_rng(3)
    below = {"typeOfLevel": "surface", "level": 0} if edition == 1 else {}
    for hour in 0, 1800:
        messages.append(message(SAMPLES[edition], {
            **regular(edition, 4, 6), "dataDate": 20000228, "dataTime": hour, "shortName": "msl", "typeOfLevel": "meanSea" if edition == 2 else "surface",
            "level": 0}, 1e5 + field(4, 6, hour).ravel()))
        messages.append(message(SAMPLES[edition], {
            **regular(edition, 4, 6), "dataDate": 20000228, "dataTime": hour, "shortName": "2t", **below}, field(4, 6, hour + 1).ravel()))
    # Constant in time.
    messages.append(message(SAMPLES[edition], {
        **regular(edition, 4, 6), "dataDate": 20000228, "dataTime": 0, "shortName": "lsm", **below}, rng.random(24)))
    messages = [messages[i] for i in rng.permutation(len(messages))]
    arrays = write_case(tmp_path, "ensemble", messages, longitudes=np.arange(6) * 60.0)
    assert arrays["t"].shape == (4, 3, 3, 4, 6) and np.isnan(arrays["t"]).any()
    assert arrays["lsm"].shape == (4, 6)
    # The same with what may lie between and around messages.
    write_case(tmp_path, "padded", [b"heading GRI GR\r\n", *(m + bytes(7 * (i % 3)) for i, m in enumerate(messages)), b"GRI"],
               longitudes=np.arange(6) * 60.0)
    check(tmp_path, 2)


def packings():
    for edition in 1, 2:
        yield edition, "grid_simple", {}
        yield edition, "grid_second_order", {}
    for name in ["grid_ccsds", "grid_jpeg", "grid_complex", "grid_complex_spatial_differencing",
                 "grid_ieee", "grid_simple_log_preprocessing"]:
        yield 2, name, {}


@pytest.mark.parametrize("edition, packing, keys", list(packings()), ids=lambda x: str(x))
def test_packings(tmp_path, edition, packing, keys):
    """Bits per value, a constant field, missing values, all values missing."""
    plane = field(7, 12).ravel()
    holes = np.random.default_rng(5).random(plane.size) < 0.3
    base = {**regular(edition, 7, 12), "shortName": "t", "level": 500}
    written = Counter()
    for bits in 8, 12, 16, 24:
        for kind, values, missing in [("full", plane, None), ("holes", plane, holes), ("constant", plane * 0 + 271.25, None),
                                      ("empty", plane, np.ones(plane.size, bool))]:
            if kind == "empty" and "log" in packing:
                continue  # ends the library with an assertion
            try:
                m = message(SAMPLES[edition], {**base, "packingType": packing, "bitsPerValue": bits, **keys}, values, missing)
            except ec.CodesInternalError:
                continue  # not every packing has bitmaps or so many bits
            arrays = write_case(tmp_path, f"{kind}-{bits}", [m])
            assert np.isnan(arrays["t"]).sum() == (0 if missing is None else missing.sum())
            written[kind] += 1
    assert written["full"] >= 1
    check(tmp_path, written.total())


@pytest.mark.parametrize("edition", [1, 2])
def test_gaussian_grids(tmp_path, edition):
    rng = np.random.default_rng(2)
    write_case(tmp_path, "regular", [message(f"regular_gg_pl_grib{edition}", {"shortName": "t", "level": 850}, 270 + rng.standard_normal(64 * 128))])
    for scanning in (0, 1), (0, 0):
        for name, pl in [("N32", None), ("O32", np.array([20 + 4 * min(i, 63 - i) for i in range(64)]))]:
            keys = {"shortName": "t", "level": 500}
            if pl is not None:
                keys |= {"pl": pl, "longitudeOfLastGridPointInDegrees": 360 - 360 / pl.max()}
            probe = message(f"reduced_gg_pl_32_grib{edition}", keys)
            handle = ec.codes_new_from_message(probe)
            count = int(ec.codes_get_array(handle, "pl").sum())
            ec.codes_release(handle)
            m = message(f"reduced_gg_pl_32_grib{edition}", keys, 270 + rng.standard_normal(count))
            handle = ec.codes_new_from_message(m)
            latitudes, longitudes = (ec.codes_get_array(handle, k) for k in ("latitudes", "longitudes"))
            ec.codes_release(handle)
            if not (tmp_path / name).exists():
                write_case(tmp_path, name, [m], latitudes=latitudes, longitudes=longitudes)
    check(tmp_path, 3)


def test_several_fields_in_one_message(tmp_path):
    """Sections 2 to 7, 3 to 7 or 4 to 7 repeated, bitmaps that refer to an earlier one."""
    singles, holes = [], np.random.default_rng(1).random(24) < 0.3
    for n, (name, level) in enumerate([("u", 500), ("v", 500), ("u", 850), ("v", 850)]):
        singles.append(message(SAMPLES[2], {**regular(2, 4, 6), "shortName": name, "level": level}, field(4, 6, n).ravel(), holes))
    for first in 3, 4:
        for shared in False, True:
            arrays = write_case(tmp_path, f"from{first}-{shared}", [together(singles, first, shared)],
                                longitudes=np.arange(6) * 60.0)
            assert arrays["v"].shape == (1, 2, 4, 6) and np.isnan(arrays["v"]).sum() == 2 * holes.sum()
    check(tmp_path, 4)


def test_cfgrib_sees_the_same(tmp_path):
    """What users know: names of coordinates aside, cfgrib's arrays are ours."""
    messages = [message(SAMPLES[2], {**regular(2, 4, 6), "shortName": "t", "level": level, "dataTime": hour}, field(4, 6, level + hour).ravel())
                for level in (500, 850) for hour in (0, 600)]
    arrays = write_case(tmp_path, "plain", messages, longitudes=np.arange(6) * 60.0)
    ds = cfgrib.open_dataset(tmp_path / "plain.grib", indexpath="").sortby("isobaricInhPa")
    np.testing.assert_array_equal(ds.t.values, arrays["t"])
    np.testing.assert_array_equal(ds.isobaricInhPa.values, arrays["level"])
    np.testing.assert_array_equal(ds.valid_time.values.astype("M8[s]").astype("i8"), arrays["time"])
    check(tmp_path, 1)
