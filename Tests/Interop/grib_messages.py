"""Writes GRIB messages and says what they hold, with ecCodes for Python: for test_grib.py and Goldens/make_grib_goldens.py."""
import eccodes as ec
import numpy as np

MISSING = -1e36
SAMPLES = {1: "regular_ll_pl_grib1", 2: "regular_ll_pl_grib2"}


# ---------------------------------------------------------------- writing

def message(sample, keys, values=None, missing=None):
    """A message of a sample's with some keys set, numbers, and a mask of those that are missing."""
    handle = ec.codes_grib_new_from_samples(sample)
    packing = {key: keys[key] for key in ("packingType", "bitsPerValue") if key in keys}

    def put(keys):
        for key, value in keys.items():
            if isinstance(value, np.ndarray):
                ec.codes_set_array(handle, key, value)
            else:
                ec.codes_set(handle, key, value)

    put({key: value for key, value in keys.items() if key not in packing})
    if values is not None:
        values = np.asarray(values, "f8").copy()
        # As many as the grid has, before another packing packs them.
        ec.codes_set_values(handle, values)
        put(packing)
        if missing is not None:
            ec.codes_set(handle, "bitmapPresent", 1)
            ec.codes_set(handle, "missingValue", MISSING)
            values[missing] = MISSING
        ec.codes_set_values(handle, values)
    content = ec.codes_get_message(handle)
    ec.codes_release(handle)
    return content


def regular(edition, rows, columns, north=75, south=-75, west=0, east=None, scanning=(0, 0, 0, 0)):
    """Keys of a regular grid; scanning: west, from the south, by columns, there and back."""
    east = 360 - 360 / columns if east is None else east
    i_negative, j_positive, consecutive, alternating = scanning
    keys = {
        "Ni": columns, "Nj": rows, "iScansNegatively": i_negative, "jScansPositively": j_positive,
        "jPointsAreConsecutive": consecutive,
        "latitudeOfFirstGridPointInDegrees": south if j_positive else north,
        "latitudeOfLastGridPointInDegrees": north if j_positive else south,
        "longitudeOfFirstGridPointInDegrees": east if i_negative else west,
        "longitudeOfLastGridPointInDegrees": west if i_negative else east,
        "iDirectionIncrementInDegrees": ((east - west) % 360) / (columns - 1),
        "jDirectionIncrementInDegrees": (north - south) / (rows - 1),
    }
    # GRIB 1 knows no rows there and back.
    return keys | ({"alternativeRowScanning": 1} if alternating else {})


def scanned(plane, scanning):
    """Numbers of [latitude north to south, longitude] in the order of a scanning mode."""
    i_negative, j_positive, consecutive, alternating = scanning
    plane = plane[::-1] if j_positive else plane
    plane = plane[:, ::-1] if i_negative else plane
    plane = plane.T if consecutive else plane
    plane = plane.copy()
    if alternating:
        plane[1::2] = plane[1::2, ::-1]
    return plane.ravel()


def field(rows, columns, seed=1):
    rng = np.random.default_rng(seed)
    return 250 + 10 * rng.standard_normal((rows, columns)) + np.arange(columns)


def sections(content):
    """Sections 1 to 7 of a message of edition 2."""
    at, found = 16, {}
    while content[at:at + 4] != b"7777":
        size = int.from_bytes(content[at:at + 4], "big")
        found[content[at + 4]] = content[at:at + size]
        at += size
    return found


def together(singles, first, shares_bitmap):
    """Messages of edition 2 as one, which repeats sections `first` to 7."""
    body = b"".join(s for _, s in sorted(sections(singles[0]).items()))
    for single in singles[1:]:
        parts = sections(single)
        if shares_bitmap:
            parts[6] = bytes([0, 0, 0, 6, 6, 254])
        body += b"".join(part for number, part in sorted(parts.items()) if number >= first)
    return singles[0][:8] + (len(body) + 20).to_bytes(8, "big") + body + b"7777"


# ---------------------------------------------------------------- expectations

def decoded(path):
    """(keys, values in the order of the message) of every field, by ecCodes for Python."""
    ec.codes_grib_multi_support_on()
    fields = []
    with open(path, "rb") as f:
        while (handle := ec.codes_grib_new_from_file(f)) is not None:
            ec.codes_set(handle, "missingValue", MISSING)
            values = ec.codes_get_values(handle)
            values[values == MISSING] = np.nan
            fields.append((handle, values))
    return fields


def seconds(date, time):
    return int(np.datetime64(f"{date // 10000:04}-{date // 100 % 100:02}-{date % 100:02}T{time // 100:02}:{time % 100:02}:00", "s").astype("i8"))


def unscanned(handle, values):
    """A regular grid's [latitude north to south, longitude]; a list of points as it is."""
    if not ec.codes_get(handle, "gridType").startswith("regular"):
        return values
    get = lambda key: ec.codes_get(handle, key)
    rows, columns = get("Nj"), get("Ni")
    plane = values.reshape((columns, rows) if get("jPointsAreConsecutive") else (rows, columns)).copy()
    if get("alternativeRowScanning"):
        plane[1::2] = plane[1::2, ::-1]
    plane = plane.T if get("jPointsAreConsecutive") else plane
    plane = plane[:, ::-1] if get("iScansNegatively") else plane
    return plane[::-1] if get("jScansPositively") else plane


def expect(path, latitudes=None, longitudes=None):
    """All arrays of a file of plain variables: on pressure levels, or on one level each."""
    cells = {}
    for handle, values in decoded(path):
        get = lambda key: ec.codes_get(handle, key)
        level = get("level") if get("typeOfLevel") == "isobaricInhPa" else None
        if get("typeOfLevel") == "isobaricInPa":
            level = get("level") / 100
        member = get("number") if ec.codes_is_defined(handle, "number") else 0
        where = (seconds(get("validityDate"), get("validityTime")), member, level)
        cells.setdefault(get("shortName"), {})[where] = unscanned(handle, values)
    handle = decoded(path)[0][0]
    times = sorted({key[0] for cell in cells.values() for key in cell})
    # Each set of levels is a dimension, the largest first.
    own = {name: tuple(sorted({key[2] for key in cell} - {None})) for name, cell in cells.items()}
    level_sets = sorted({levels for levels in own.values() if levels}, key=lambda levels: (-len(levels), levels))
    # What comes without members, a mask, has number 0.
    groups = [{key[1] for key in cell} for cell in cells.values()]
    members = set().union(*(group for group in groups if len(group) > 1))
    members = sorted(members)
    arrays = {"time": np.array(times, "i8")}
    if len(members) > 1:
        arrays["number"] = np.array(members, "i8")
    for number, levels in enumerate(level_sets):
        arrays["level" if number == 0 else f"level_{number + 1}"] = np.array(levels, "f8")
    arrays["latitude"] = latitudes if latitudes is not None else ec.codes_get_array(handle, "distinctLatitudes")
    arrays["longitude"] = longitudes if longitudes is not None else ec.codes_get_array(handle, "distinctLongitudes")
    for name, cell in cells.items():
        outer = [times] if len({key[0] for key in cell}) > 1 or len(times) == 1 else []
        keys = [0] if outer else []
        if len({key[1] for key in cell}) > 1:
            outer, keys = [*outer, members], [*keys, 1]
        if own[name]:
            outer, keys = [*outer, own[name]], [*keys, 2]
        shape = next(iter(cell.values())).shape
        x = np.full([len(o) for o in outer] + list(shape), np.nan)
        for where, plane in cell.items():
            x[tuple(o.index(where[k]) for o, k in zip(outer, keys))] = plane
        arrays[name] = x.astype("f4")
    return arrays
