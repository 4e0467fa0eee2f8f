#!/bin/sh
# Strong scaling of a training step, one core per rank, without loading: one rank against two in turn, and four ranks on two
# cores by CPU time.
# Usage: strong_scaling.sh [PAIRS]
set -eu
. Benchmarks/parallel/common.sh
pairs="${1:-5}"
grep -m1 'model name' /proc/cpuinfo

# step MESH COMMAND...: median seconds of an update, and CPU seconds of all ranks.
step() {
  mesh=$1
  shift
  domain=${mesh%x*} tensor=${mesh#*x}
  /usr/bin/env time -f '%U %S' -o "$work/time" "$@" "$jigsaw" train "$work/config.yaml" --overwrite \
    --set parallel.domain="$domain" --set parallel.tensor="$tensor" 2>"$work/log" || { cat "$work/log"; exit 1; }
  echo "$mesh: $(median 8) s per step, $(awk '{print $1 + $2}' "$work/time") s CPU in all; $(grep -o 'communication.*' "$work/log" || true)"
}

for sizes in ${SIZES:-"1024 1024 1024" "2048 1024 2048"}; do
  # shellcheck disable=SC2086 # three numbers
  UPDATES=${UPDATES:-12} configure 64 128 4 "[4, 4]" $sizes 3
  echo "== D, H_t, H_c: $sizes, 3 blocks, 512 tokens of 16 points, 72 fields, batch 1, FP32, one thread per rank"
  for _ in $(seq "$pairs"); do
    step 1x1 taskset -c 0
    step 1x2 mpirun -n 2 --bind-to core
    step 2x1 mpirun -n 2 --bind-to core
  done
  for _ in 1; do
    step 1x1 taskset -c 0
    OMPI_MCA_mpi_yield_when_idle=1 step 2x2 mpirun -n 4 --bind-to none
    OMPI_MCA_mpi_yield_when_idle=1 step 1x4 mpirun -n 4 --bind-to none
    OMPI_MCA_mpi_yield_when_idle=1 step 4x1 mpirun -n 4 --bind-to none
  done
done
