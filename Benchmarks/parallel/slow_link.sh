#!/bin/sh
# A training step over a link so slow that communication takes about as long as compute, with and without overlap. As root.
# Usage: slow_link.sh [RATE_MBIT] [REPETITIONS]
set -eu
. Benchmarks/parallel/common.sh
rate="${1:-800}"
# Open MPI's TCP sends large messages of both directions in turn over a single connection.
export OMPI_MCA_btl_tcp_links=2
UPDATES=12 configure 64 128 4 "[4, 4]" 1024 1024 1024 3
step() { # mesh, overlap, command
  mesh=$1 overlap=$2
  shift 2
  "$@" "$jigsaw" train "$work/config.yaml" --overwrite --set parallel.domain="${mesh%x*}" --set parallel.tensor="${mesh#*x}" \
    --set parallel.overlap="$overlap" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
  echo "$mesh, overlap $overlap: $(median 8) s per step; $(grep -o 'communication.*' "$work/log")"
}
export OMPI_MCA_btl_tcp_progress_thread="${PROGRESS_THREAD:-1}"
for _ in $(seq "${2:-3}"); do
  for mesh in 1x2 2x1; do
    echo "-- shared memory"
    step $mesh true mpirun -n 2 --bind-to core
    echo "-- $rate Mbit/s"
    step $mesh true Benchmarks/network/slow-link.sh "${rate}mbit" --
    step $mesh false Benchmarks/network/slow-link.sh "${rate}mbit" --
  done
done
