#!/usr/bin/env bash
# Reads the same stores with two builds of reading-speed in turns, on two processors:
#   Benchmarks/reading/commits.sh FOLDER BEFORE AFTER [ROUNDS [KINDS [STORES]]]
# FOLDER has the stores of stores.py; BEFORE and AFTER are paths of built programs; KINDS are "arrays fields" unless given.
set -euo pipefail
folder=$1 before=$2 after=$3 rounds=${4:-7}
kinds=${5:-arrays fields} stores=${6:-weatherbench.zarr sharded.zarr}
cat "$folder"/*.zarr/*/* "$folder"/*.zarr/*/c/*/* > /dev/null 2>&1 || true
echo "$(date -u +%F), $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), load $(cut -d' ' -f1-3 /proc/loadavg)"
for store in $stores; do
  for kind in $kinds; do
    for round in $(seq "$rounds"); do
      # Who goes first changes from round to round.
      order="before after"
      if [ $((round % 2)) = 0 ]; then order="after before"; fi
      for which in $order; do echo "$kind $store $which $(taskset -c 0,1 "${!which}" "$kind" "$folder/$store" 2)"; done
    done
  done
done
