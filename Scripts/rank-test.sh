#!/bin/sh
# Runs the checks of ranks over MPI on 2, 3 and 4 ranks, however few cores there are; then trains with processes as ranks on
# several meshes, resumes on another, and compares the losses with those of one process; converts data likewise.
# Usage: rank-test.sh PATH_OF_RANK_CHECKS PATH_OF_JIGSAW
set -eu

# Open MPI refuses root and more ranks than cores unless told otherwise; MPICH does neither and ignores these.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
export OMPI_MCA_mpi_yield_when_idle=1
for ranks in 2 3 4; do
  timeout 300 mpirun -n "$ranks" "$1"
done

jigsaw="$2"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# jigsaw_on RANKS ARGUMENT...: quiet unless it fails.
jigsaw_on() {
  ranks=$1
  shift
  if [ "$ranks" -gt 1 ]; then set -- mpirun -n "$ranks" "$jigsaw" "$@"; else set -- "$jigsaw" "$@"; fi
  timeout 300 "$@" >"$folder/log" 2>&1 || { cat "$folder/log"; exit 1; }
}

# train NAME RANKS UPDATES SETTING...: a small model on the sample data.
train() {
  name=$1 ranks=$2 updates=$3
  shift 3
  options=
  for setting in model.channels=24 model.tokenWidth=32 model.channelWidth=40 training.validation.every=50 \
    training.validation.samples=4 training.warmUpUpdates=10 "$@"; do
    options="$options --set $setting"
  done
  # shellcheck disable=SC2086 # settings have no spaces
  jigsaw_on "$ranks" train configs/demo.yaml --stop-after "$updates" --set "run=$folder/$name" $options
}

# compare NAME: its losses, column 5 of the metrics, against those of one process.
compare() {
  paste -d, "$folder/one/metrics.csv" "$folder/$1/metrics.csv" | awk -F, -v name="$1" '
    NR > 1 { d = ($5 - $17) / $5; if (d < 0) d = -d; if (d > worst) worst = d; n++ }
    END { printf "%s: %d losses, at most %.1e from one process\n", name, n, worst; exit !(n == 50 && worst < 1e-4) }'
}

train one 1 50
for mesh in "1 1 2" "1 2 1" "1 2 2" "1 1 4" "1 4 1" "1 2 3" "1 3 1"; do
  # shellcheck disable=SC2086 # three numbers
  set -- $mesh
  train "mesh-$2x$3" $(($2 * $3)) 50 parallel.domain="$2" parallel.tensor="$3"
  compare "mesh-$2x$3"
done
train replicas 4 50 parallel.tensor=2 training.batchSize=2 parallel.splitOptimizer=true
compare replicas
train resumed 4 25 parallel.domain=2 parallel.tensor=2
jigsaw_on 2 resume "$folder/resumed" --stop-after 50 --set parallel.domain=1 --set parallel.tensor=2
compare resumed

# await_rank NAME CONDITION...: waits for the condition, a command, at most 90 s; then `rank` is a process of the training NAME.
await_rank() {
  name=$1
  shift
  for _ in $(seq 900); do if "$@"; then break; fi; sleep 0.1; done
  rank=$(pgrep -f "^$jigsaw train .*run=$folder/$name" | tail -1)
  if [ -n "$rank" ]; then return; fi
  echo "no rank of the training '$name' runs"
  cat "$folder/log"
  exit 1
}

# A rank that is stopped: the others say where they wait for it, with the calls that they are in, and the job ends.
timeout 120 mpirun -n 2 "$jigsaw" train configs/demo.yaml --set "run=$folder/stalled" --set parallel.tensor=2 \
  --set model.channels=24 --set training.updates=100000 --set training.warmUpUpdates=10 --set training.stallMinutes=0.1 \
  >"$folder/log" 2>&1 &
job=$!
await_rank stalled grep -q samples/s "$folder/log"
kill -STOP "$rank"
stopped=$(date +%s) status=0
wait "$job" || status=$?
seconds=$(($(date +%s) - stopped))
if [ "$status" -eq 0 ] || [ "$status" -eq 124 ] || [ "$seconds" -gt 30 ] \
  || ! grep -q 'rank [01]: training.stallMinutes: no progress for .*waiting [a-z]' "$folder/log" \
  || ! grep -q 'lib[a-z-]*[.]so[^ ]*(.*[[]0x' "$folder/log"; then
  echo "a stopped rank: status $status after $seconds s"
  cat "$folder/log"
  exit 1
fi
echo "a stopped rank: the job ended after $seconds s with status $status"

# A rank of a graph model that is killed: the job ends on both ranks, and the run goes on from its newest checkpoint on another mesh.
graph="--set run=$folder/killed --set model.channels=16 --set model.processor.layers=2 --set model.graph.level=2 \
  --set training.warmUpUpdates=1 --set training.updates=100000 \
  --set training.validation.every=0 --set training.checkpoint.every=2"
# shellcheck disable=SC2086 # settings have no spaces
timeout 120 mpirun -n 2 "$jigsaw" train configs/graph-demo.yaml $graph --set parallel.domain=2 >"$folder/log" 2>&1 &
job=$!
await_rank killed test -e "$folder/killed/checkpoints/update-0000004"
kill -KILL "$rank"
killed=$(date +%s) status=0
wait "$job" || status=$?
seconds=$(($(date +%s) - killed))
left=$(pgrep -fc "^$jigsaw train .*run=$folder/killed" || true)
if [ "$status" -eq 0 ] || [ "$status" -eq 124 ] || [ "$seconds" -gt 10 ] || [ "$left" -ne 0 ]; then
  echo "a killed rank of a graph model: status $status after $seconds s, $left ranks left"
  cat "$folder/log"
  exit 1
fi
for update in "$folder"/killed/checkpoints/update-???????; do :; done
update=${update##*/}
jigsaw_on 2 resume "$folder/killed" --stop-after "$(echo "$update" | awk -F- '{ print $2 + 2 }')" --set parallel.domain=1 --set parallel.tensor=2
echo "a killed rank of a graph model: the job ended after $seconds s with status $status and went on from $update"

# convert RANKS: an Anemoi dataset with its statistics, which must be the same to the bit from any number of processes.
convert() {
  jigsaw_on "$1" data convert configs/demo.yaml "$folder/fields-$1.zarr" --layout anemoi --to 2001-12-31T18
}
convert 1
convert 3
# The attributes have an identifier of their own.
diff -r -x .zattrs "$folder/fields-1.zarr" "$folder/fields-3.zarr"
echo "converted: the same dataset from 1 and 3 processes"
