#!/bin/sh
# Strong scaling of a training step, one core per rank, without loading: one rank against two in turn, beside it two independent
# trainings at once (what the machine itself loses when both cores work), and CPU time per step, also of four ranks on two cores.
# Usage: strong_scaling.sh [PAIRS]
set -eu
. Benchmarks/parallel/common.sh
pairs="${1:-5}"
grep -m1 'model name' /proc/cpuinfo

# train MESH UPDATES COMMAND...: sets cpu to the CPU seconds of all ranks.
train() {
  mesh=$1 updates=$2
  shift 2
  /usr/bin/env time -f '%U %S' -o "$work/time" "$@" "$jigsaw" train "$work/config.yaml" --overwrite \
    --set parallel.domain="${mesh%x*}" --set parallel.tensor="${mesh#*x}" --set training.updates="$updates" \
    2>"$work/log" || { cat "$work/log"; exit 1; }
  cpu=$(awk '{print $1 + $2}' "$work/time")
}

# step MESH COMMAND...: median seconds of an update.
step() {
  mesh=$1
  shift
  train "$mesh" 18 "$@"
  echo "$mesh: $(median 8) s per step; $(grep -o 'communication.*' "$work/log" || true)"
}

# cpu_per_step MESH COMMAND...: start-up is in both runs.
cpu_per_step() {
  mesh=$1
  shift
  train "$mesh" 6 "$@"
  short=$cpu
  train "$mesh" 26 "$@"
  echo "$mesh: $(echo "$cpu $short" | awk '{printf "%.3f", ($1 - $2) / 20}') s CPU per step"
}

for sizes in "1024 1024 1024" "2048 1024 2048"; do
  # shellcheck disable=SC2086 # three numbers
  configure 64 128 4 "[4, 4]" $sizes 3
  echo "== D, H_t, H_c: $sizes, 3 blocks, 512 tokens of 16 points, 72 fields, batch 1, FP32, one thread per rank"
  for _ in $(seq "$pairs"); do
    step 1x1 taskset -c 0
    step 1x2 mpirun -n 2 --bind-to core
    step 2x1 mpirun -n 2 --bind-to core
    taskset -c 1 "$jigsaw" train "$work/config.yaml" --overwrite --set run="$work/other" --set training.updates=26 >/dev/null 2>&1 &
    sleep 1
    echo "two trainings at once:"
    step 1x1 taskset -c 0
    wait
  done
done
configure 64 128 4 "[4, 4]" 1024 1024 1024 3
echo "== CPU time, D, H_t, H_c: 1024 1024 1024"
export OMPI_MCA_mpi_yield_when_idle=1
cpu_per_step 1x1 taskset -c 0
cpu_per_step 1x2 mpirun -n 2 --bind-to core
for mesh in 2x2 1x4 4x1; do cpu_per_step $mesh mpirun -n 4 --bind-to none; done
