#!/bin/sh
# A training step over a link so slow that communication takes about as long as compute, with and without overlap. As root.
# Compute is what a step takes over the same kind of link without a limit, TCP included; the rate follows from it.
# Usage: slow_link.sh [REPETITIONS]
set -eu
. Benchmarks/parallel/common.sh
# Open MPI's TCP sends large messages of both directions in turn over a single connection.
export OMPI_MCA_btl_tcp_links=2
updates=10
UPDATES=$updates configure 64 128 4 "[4, 4]" 1024 1024 1024 8

# step MESH OVERLAP RATE: prints, and sets seconds to the median of a step.
step() {
  Benchmarks/network/slow-link.sh "$3" -- "$jigsaw" train "$work/config.yaml" --overwrite --set parallel.domain="${1%x*}" \
    --set parallel.tensor="${1#*x}" --set parallel.overlap="$2" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
  seconds=$(median 8)
  echo "$1, $3, overlap $2: $seconds s per step; $(grep -o 'communication.*' "$work/log")"
}

for _ in $(seq "${1:-3}"); do
  for mesh in 1x2 2x1; do
    step $mesh true 40gbit
    megabytes=$(sed -n 's/.*at most \([0-9.]*\) MB sent.*/\1/p' "$work/log")
    # 95 % of the rate is payload.
    rate=$(echo "$megabytes $updates $seconds" | awk '{printf "%d", $1 * 8 / $2 / $3 / 0.95}')mbit
    step $mesh true "$rate"
    step $mesh false "$rate"
  done
done
