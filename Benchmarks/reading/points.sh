#!/usr/bin/env bash
# A rank of four reads its points of Anemoi datasets, beside anemoi-datasets, one thread each, in one run:
#   Benchmarks/reading/points.sh FOLDER [ROUNDS]     FOLDER gets 4 GB of datasets and is kept
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=${1:?"usage: points.sh FOLDER [ROUNDS]"}
rounds=${2:-5}
make --silent .venv-anemoi/ready >&2
swift build -c release --product reading-speed >&2
echo "$(date -u +%F), $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), load $(cut -d' ' -f1-3 /proc/loadavg)"
export OMP_NUM_THREADS=1 NUMEXPR_NUM_THREADS=1 BLOSC_NTHREADS=1
taskset -c 0 .venv-anemoi/bin/python Benchmarks/reading/points.py "$folder" .build/release/reading-speed --rounds "$rounds"
