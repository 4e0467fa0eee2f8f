#!/bin/sh
# Builds two commits and compares them byte for byte on the sample data: losses, gradient norms, checkpoints, forecasts and
# scores on meshes of 1, 1 x 2, 2 x 1 and 2 x 2 ranks and with 2 replicas; bytes sent, floating-point operations and memory
# of the buffer pool; and forecasts of the second from checkpoints of the first.
# Usage: compare-commits.sh BEFORE AFTER, each a commit or the path of a built jigsaw. CONFIGURATION=debug builds faster.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
cleanUp() {
  for name in before after; do
    if [ -d "$work/$name-source" ]; then git -C "$root" worktree remove --force "$work/$name-source"; fi
  done
  rm -rf "$work"
}
trap cleanUp EXIT
cd "$root"
export HDF5_USE_FILE_LOCKING=FALSE

# program NAME COMMIT_OR_PATH: prints the path of the built program.
program() {
  if [ -x "$2" ] && [ ! -d "$2" ]; then
    realpath "$2"
    return
  fi
  configuration=${CONFIGURATION:-release}
  git worktree add -q --detach "$work/$1-source" "$2"
  (cd "$work/$1-source" && swift build -q -c "$configuration" --product jigsaw >&2)
  echo "$work/$1-source/.build/$configuration/jigsaw"
}
before=$(program before "$1")
after=$(program after "$2")

# quietly COMMAND...: prints what it says only if it fails.
quietly() { "$@" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }; }

# Without overlap: how finely exchanges are cut, and so how sums are rounded, follows from the measured speed of the link else.
settings="parallel.overlap=false model.channels=24 model.tokenWidth=32 model.channelWidth=40 training.validation.every=10
  training.validation.samples=4 training.warmUpUpdates=5 training.averageDecay=0.9 threads=1 forecast.leadHours=24
  forecast.everyHours=96"

# run NAME PROGRAM MESH RANKS SETTING...: everything that one program makes on one mesh.
run() {
  name=$1 program=$2 mesh=$3 ranks=$4
  shift 4
  folder="$work/$name/$mesh"
  mkdir -p "$folder"
  options="--set run=$folder/run --set data.statistics=$work/$name/statistics.json"
  for setting in $settings "$@"; do options="$options --set $setting"; done
  # shellcheck disable=SC2086 # settings have no spaces
  {
    quietly "$program" train configs/demo.yaml --stop-after 20 --ranks "$ranks" $options
    grep -o 'at most .* sent per rank' "$work/log" >"$folder/sent" || true
    quietly "$program" forecast "$folder/run" --ranks "$ranks"
    quietly "$program" evaluate "$folder/run"
    quietly "$program" bench step configs/demo.yaml --updates 2 --ranks "$ranks" $options --json "$folder/step.json"
  }
  # Without the columns of times.
  cut -d, -f1-7 "$folder/run/metrics.csv" >"$folder/losses"
  # Without the path of the forecast.
  cut -d, -f1-11 "$folder/run/evaluation/scores.csv" >"$folder/scores"
  python3 - "$folder/step.json" >"$folder/costs" <<'PYTHON'
import json, sys
step = json.load(open(sys.argv[1]))
for key in ("flopsPerStep", "bytesPerStep", "peakPoolBytes", "poolAllocationsPerStep", "losses"):
    print(key, step[key])
PYTHON
}

for name in before after; do
  mkdir -p "$work/$name"
  if [ "$name" = before ]; then program=$before; else program=$after; fi
  quietly "$program" data stats configs/demo.yaml --output "$work/$name/statistics.json"
done

failures=0
# same WHAT FILE_OR_FOLDER: compares what the two programs made on the mesh.
same() {
  if diff -rq $3 "$work/before/$mesh/$2" "$work/after/$mesh/$2" >"$work/difference" 2>&1; then
    printf '  %-12s the same\n' "$1"
  else
    printf '  %-12s DIFFERS\n' "$1"
    head -3 "$work/difference"
    failures=$((failures + 1))
  fi
}

for setup in "1 1" "1x2 2 parallel.tensor=2" "2x1 2 parallel.domain=2" "2x2 4 parallel.domain=2 parallel.tensor=2" \
  "replicas 2"; do
  # shellcheck disable=SC2086 # words of the setup
  set -- $setup
  mesh=$1 ranks=$2
  shift 2
  echo "$mesh:"
  run before "$before" "$mesh" "$ranks" "$@"
  run after "$after" "$mesh" "$ranks" "$@"
  cat "$work/after/$mesh/sent"
  same losses losses ""
  same sent sent ""
  same costs costs ""
  # A manifest names the version that wrote it.
  same checkpoints run/checkpoints "-x manifest.json"
  same scores scores ""
  # Names of models and versions stand in attributes.
  same forecast run/forecast.zarr "-x .zattrs -x .zmetadata"
done

mesh=1
quietly "$after" forecast "$work/before/1/run" --output "$work/again.zarr"
if diff -rq -x .zattrs -x .zmetadata "$work/before/1/run/forecast.zarr" "$work/again.zarr"; then
  echo "a checkpoint of the first gives the same forecast with the second"
else
  failures=$((failures + 1))
fi
exit $((failures > 0))
