#!/usr/bin/env bash
# Whole samples of 0.25° read by jigsaw, tensorstore, zarr-python and xarray with dask, on two processors, in one run:
#   Benchmarks/reading/reading.sh FOLDER [ROUNDS]     FOLDER gets 3.2 GB of stores and is kept
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=${1:?"usage: reading.sh FOLDER [ROUNDS]"}
rounds=${2:-5}
python=$folder/python/bin/python
if [ ! -x "$python" ]; then
  python3 -m venv "$folder/python"
  "$folder/python/bin/pip" install --quiet --disable-pip-version-check -r Benchmarks/reading/requirements.txt
fi
swift build -c release --product reading-speed >&2
"$python" Benchmarks/reading/stores.py "$folder"
# Into the page cache.
cat "$folder"/*.zarr/*/* "$folder"/*.zarr/*/c/*/* > /dev/null 2>&1 || true
echo "$(date -u +%F), $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), load $(cut -d' ' -f1-3 /proc/loadavg)"
taskset -c 0,1 "$python" Benchmarks/reading/reading.py "$folder" .build/release/reading-speed --rounds "$rounds"
