#!/bin/sh
# PyTorch's ways to share a training step among two ranks and ours, in turn: the same model, precision and total batch of 2.
# Usage: peers.sh PYTHON_WITH_TORCH [REPETITIONS]
set -eu
PYTHON="$1"
export PYTHON
. Benchmarks/parallel/common.sh
BATCH=2 UPDATES=12 configure 64 128 8 "[4, 4]" 1024 512 1024 3
ours() { # name, ranks, settings
  name=$1 ranks=$2
  shift 2
  launch="mpirun -n $ranks --bind-to core"
  [ "$ranks" -gt 1 ] || launch="taskset -c 0"
  $launch "$jigsaw" train "$work/config.yaml" --overwrite --set training.checkpoint.every=0 "$@" 2>"$work/log" || { cat "$work/log"; exit 1; }
  sent=$(grep -o 'at most [0-9.]* MB' "$work/log" | tr -dc '0-9.' || true)
  median 8 | awk -v name="$name" -v sent="${sent:-0}" -v memory="$(grep -o 'peak memory.*' "$work/log")" \
    '{printf "jigsaw %s: %.3f s per step, %.2f samples/s, %.1f MB sent per rank and step, %s\n", name, $1, 2 / $1, sent / 12, memory}'
}
for _ in $(seq "${2:-3}"); do
  Benchmarks/peers/parallel_step.sh "$PYTHON" "$work/torch" 1 --steps 8 2>/dev/null
  ours single 1
  ours "domain 2" 2 --set parallel.domain=2
  ours "tensor 2" 2 --set parallel.tensor=2
  ours "replicas 2" 2 --set training.batchSize=1
  ours "replicas 2, split optimiser" 2 --set training.batchSize=1 --set parallel.splitOptimizer=true
done
