#!/bin/sh
# Loss curves in fp32, bf16 and bf16x3, three seeds each, on the demo data with a smaller model: do they differ by more than seeds do?
# bf16 and bf16x3 run on the unit UNIT, so that bf16x3 shows on CPUs where it would be computed in FP32.
# Usage: precision-curves.sh PATH_OF_JIGSAW FOLDER [UNIT]
set -eu

jigsaw="$1" out="$2" unit="${3:-avx2}"
export JIGSAW_BF16_UNIT="$unit"
mkdir -p "$out"
for seed in 1 2 3; do
  for precision in fp32 bf16 bf16x3; do
    run="$out/$precision-$seed"
    [ -f "$out/$precision-$seed.csv" ] && continue
    "$jigsaw" train configs/demo.yaml --overwrite --set run="$run" --set seed="$seed" --set precision="$precision" --set threads=1 \
      --set model.channels=128 --set model.tokenWidth=128 --set model.channelWidth=256 --set model.blocks=2 \
      --set training.updates=300 --set training.warmUpUpdates=30 --set training.averageDecay=0.98 \
      --set 'training.rollout.stages=[]' --set training.validation.every=100 --set training.checkpoint.every=0 \
      > "$out/$precision-$seed.log" 2>&1
    cut -d, -f1,2 "$run/validation.csv" > "$out/$precision-$seed.csv"
    rm -rf "$run"
  done
done

# Validation losses: a row per update, a column per run, then the mean and the standard deviation over seeds.
echo "update  precision     seed 1    seed 2    seed 3      mean  deviation"
for update in 100 200 300; do
  for precision in fp32 bf16 bf16x3; do
    for seed in 1 2 3; do grep "^$update," "$out/$precision-$seed.csv" | cut -d, -f2; done |
      awk -v u="$update" -v p="$precision" '
        { x[NR] = $1; s += $1 }
        END {
          m = s / NR
          for (i in x) v += (x[i] - m) ^ 2
          printf "%6d  %-9s %9.5f %9.5f %9.5f %9.5f %10.5f\n", u, p, x[1], x[2], x[3], m, sqrt(v / (NR - 1))
        }'
  done
done
