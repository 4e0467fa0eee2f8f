"""Makes lexicon.json: what ecCodes' tables say of every paramId in Sources/Datasets/LexiconTable.swift.

Usage: pip install eccodes==2.50.0 eccodeslib==2.50.0.33
       python3 make_lexicon_goldens.py
Run it again when variables were added.
"""
import json
import re
from pathlib import Path

import eccodes as ec

HERE = Path(__file__).parent
TABLE = HERE.parents[1] / "Sources/Datasets/LexiconTable.swift"


def main():
    numbers = sorted({int(n) for n in re.findall(r'\("\w+", (\d+)\)', TABLE.read_text())})
    sample = ec.codes_grib_new_from_samples("regular_ll_pl_grib2")
    entries = {}
    for number in numbers:
        handle = ec.codes_clone(sample)
        ec.codes_set(handle, "paramId", number)
        entries[number] = {key: ec.codes_get(handle, key) for key in ("shortName", "units", "cfName", "cfVarName", "name")}
        ec.codes_release(handle)
    (HERE / "lexicon.json").write_text(json.dumps(entries, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
