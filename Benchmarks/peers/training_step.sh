#!/bin/sh
# jigsaw and PyTorch in turn, the same model, batch and threads: samples per second of training.
# Usage: training_step.sh PYTHON_WITH_TORCH [PAIRS]; run from the project's root after 'make build'.
set -eu
python="$1"
pairs="${2:-5}"
run=$(mktemp -d)
trap 'rm -rf "$run"' EXIT

compare() { # name, channels, token width, channel width, batch
  echo "== $1: D $2, H_t $3, H_c $4, 3 blocks, patch 2x4 on 32x64, batch $5, $(nproc) threads"
  for _ in $(seq "$pairs"); do
    .build/release/jigsaw train configs/demo.yaml --overwrite --set run="$run" --set training.updates=60 \
      --set model.channels="$2" --set model.tokenWidth="$3" --set model.channelWidth="$4" --set training.batchSize="$5" \
      --set training.warmUpUpdates=1 --set training.validation.every=0 --set training.validation.samples=1 \
      --set 'training.rollout.stages=[]' --set training.averageDecay=0 2>/dev/null
    # Median over the updates after the first ten.
    tail -n +12 "$run/metrics.csv" | cut -d, -f10 | sort -n | awk '{v[NR]=$1} END {printf "jigsaw: %.1f samples/s\n", v[int((NR+1)/2)]}'
    "$python" Benchmarks/peers/pytorch_step.py --channels "$2" --token-width "$3" --channel-width "$4" --batch "$5"
    "$python" Benchmarks/peers/pytorch_step.py --channels "$2" --token-width "$3" --channel-width "$4" --batch "$5" --compile
  done
}

grep -m1 'model name' /proc/cpuinfo
compare "demo" 256 256 512 4
compare "calibration" 384 512 384 16
