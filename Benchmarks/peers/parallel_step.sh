#!/bin/sh
# PyTorch's ways to share a training step among two CPU ranks, in turn with one process: JSON lines of parallel_step.py.
# Usage: parallel_step.sh PYTHON_WITH_TORCH LOG [REPETITIONS] [OPTIONS_OF_parallel_step.py ...]
set -eu
python="$1"
log="$2"
repetitions="${3:-5}"
shift "$(($# < 3 ? $# : 3))"
step="$(dirname "$0")/parallel_step.py"
export OMP_NUM_THREADS=1 # one thread per rank; torchrun warns if it is not said

check=--check # once is enough: the initial weights and the data are the same in every repetition
for _ in $(seq "$repetitions"); do
  # Modes in turn, not one after the other: other load on the machine then falls on all of them.
  for mode in single ddp fsdp2 tensor; do
    ranks=$([ "$mode" = single ] && echo 1 || echo 2)
    line=$("$python" -m torch.distributed.run --nproc-per-node "$ranks" "$step" --mode "$mode" \
      --rows 64 --columns 128 --patch-rows 4 --patch-columns 4 --variables 72 --auxiliaries 5 \
      --channels 1024 --token-width 512 --channel-width 1024 --blocks 3 --batch 2 $check "$@")
    echo "$line" | tee -a "$log"
  done
  check=
done
