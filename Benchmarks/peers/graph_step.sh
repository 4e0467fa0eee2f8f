#!/bin/sh
# Training steps of graph models, jigsaw's and anemoi-models' in turn: the same sizes, graph and threads, FP32.
# On two ranks of one thread ours is split by domain and by heads, theirs by edges and by heads.
# Usage: graph_step.sh PYTHON_WITH_ANEMOI [PAIRS [CASE...]], cases 1 to 6, all where none is named; run from the project's root after
#   swift build -c release --product graph-speed
# The environment: pip install torch==2.13.0 torch-geometric hydra-core anemoi-datasets==0.5.47, then without dependencies
#   anemoi-graphs==0.9.8 anemoi-models==0.19.0 anemoi-training==0.17.1.
set -eu
python="$1"
pairs="${2:-3}"
if [ $# -gt 2 ]; then
  shift 2
  cases="$*"
else
  cases="1 2 3 4 5 6"
fi
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
grep -m1 'model name' /proc/cpuinfo

compare() { # family here and there, threads, further arguments
  here="$1" there="$2" threads="$3"
  shift 3
  for _ in $(seq "$pairs"); do
    .build/release/graph-speed --family "$here" --threads "$threads" --steps 6 "$@"
    OMP_NUM_THREADS="$threads" "$python" Benchmarks/peers/anemoi_step.py --family "$there" --threads "$threads" --steps 4 "$@"
  done
}

compare_two_ranks() {
  for _ in $(seq "$pairs"); do
    .build/release/graph-speed --steps 6
    for mesh in "--domain 2" "--tensor 2"; do
      # shellcheck disable=SC2086 # two words
      mpirun -n 2 .build/release/graph-speed --steps 6 $mesh
    done
    for strategy in edges heads; do
      OMP_NUM_THREADS=1 "$python" Benchmarks/peers/anemoi_step.py --steps 4 --ranks 2 --strategy "$strategy"
    done
  done
}

for case in $cases; do
  case "$case" in
    1) compare graph-transformer graphtransformer 1 ;;
    2) compare graph-transformer graphtransformer 1 --checkpoint ;;
    3) compare gnn gnn 1 ;;
    4) compare transformer transformer 1 ;;
    5) compare graph-transformer graphtransformer 2 ;;
    6) compare_two_ranks ;;
  esac
done
