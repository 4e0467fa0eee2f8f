#!/usr/bin/env bash
# Reads the same stores with two builds of reading-speed in turns, on two processors:
#   Benchmarks/reading/commits.sh FOLDER BEFORE AFTER [ROUNDS]
# FOLDER has the stores of stores.py and accumulations.py; BEFORE and AFTER are paths of built programs.
set -euo pipefail
folder=$1 before=$2 after=$3 rounds=${4:-7}
cat "$folder"/*.zarr/*/* "$folder"/*.zarr/*/c/*/* "$folder"/*.grib > /dev/null 2>&1 || true
echo "$(date -u +%F), $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), load $(cut -d' ' -f1-3 /proc/loadavg)"
one() { # KIND STORE
  for round in $(seq "$rounds"); do
    # Who goes first changes from round to round.
    order="before after"
    if [ $((round % 2)) = 0 ]; then order="after before"; fi
    for which in $order; do
      if [ "$1" = open ]; then arguments=(open "$folder/$2"); else arguments=("$1" "$folder/$2" 2); fi
      echo "$1 $2 $which $(taskset -c 0,1 "${!which}" "${arguments[@]}")"
    done
  done
}
for store in weatherbench.zarr sharded.zarr; do
  one arrays $store
  one fields $store
done
one points anemoi.zarr
one points anemoi-zstd.zarr
one open accumulations.grib
one open instants.grib
