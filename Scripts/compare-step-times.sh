#!/bin/sh
# Times of training updates of two builds in turn: medians of five alternating pairs at two sizes of WeatherMixer, and their ratio.
# Usage: compare-step-times.sh BEFORE AFTER, the paths of two built programs; UPDATES=60 sets the updates of each run.
set -eu
before=$(realpath "$1")
after=$(realpath "$2")
cd "$(dirname "$0")/.."
run=$(mktemp -d)
trap 'rm -rf "$run"' EXIT
export HDF5_USE_FILE_LOCKING=FALSE

# seconds PROGRAM CHANNELS TOKEN_WIDTH CHANNEL_WIDTH BATCH: median over the updates after the first ten.
seconds() {
  "$1" train configs/demo.yaml --overwrite --set run="$run" --set training.updates="${UPDATES:-60}" \
    --set model.channels="$2" --set model.tokenWidth="$3" --set model.channelWidth="$4" --set training.batchSize="$5" \
    --set training.warmUpUpdates=1 --set training.validation.every=0 --set training.validation.samples=1 \
    --set 'training.rollout.stages=[]' >/dev/null 2>&1
  tail -n +12 "$run/metrics.csv" | cut -d, -f8 | sort -n | awk '{v[NR]=$1} END {print v[int((NR+1)/2)]}'
}

median() { sort -n | awk '{v[NR]=$1} END {print v[int((NR+1)/2)]}'; }

compare() { # name, channels, token width, channel width, batch
  : >"$run.before" && : >"$run.after"
  for _ in 1 2 3 4 5; do
    seconds "$before" "$2" "$3" "$4" "$5" >>"$run.before"
    seconds "$after" "$2" "$3" "$4" "$5" >>"$run.after"
  done
  echo "$1: before $(tr '\n' ' ' <"$run.before")s, after $(tr '\n' ' ' <"$run.after")s"
  echo "$(median <"$run.before") $(median <"$run.after")" |
    awk -v name="$1" '{printf "%s: medians %.4f s and %.4f s, ratio %.3f\n", name, $1, $2, $2 / $1}'
  rm -f "$run.before" "$run.after"
}

grep -m1 'model name' /proc/cpuinfo
compare "D 256, batch 4" 256 256 512 4
compare "D 384, batch 16" 384 512 384 16
