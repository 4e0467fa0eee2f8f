#!/bin/sh
# Training steps of graph models, jigsaw's and anemoi-models' in turn: the same sizes, graph and threads, FP32.
# Usage: graph_step.sh PYTHON_WITH_ANEMOI [PAIRS]; run from the project's root after
#   swift build -c release --product graph-speed
# The environment: pip install torch==2.13.0 torch-geometric hydra-core anemoi-datasets==0.5.47, then without dependencies
#   anemoi-graphs==0.9.8 anemoi-models==0.19.0 anemoi-training==0.17.1.
set -eu
python="$1"
pairs="${2:-3}"
grep -m1 'model name' /proc/cpuinfo

compare() { # family here and there, threads, further arguments
  here="$1" there="$2" threads="$3"
  shift 3
  for _ in $(seq "$pairs"); do
    .build/release/graph-speed --family "$here" --threads "$threads" --steps 6 "$@"
    OMP_NUM_THREADS="$threads" "$python" Benchmarks/peers/anemoi_step.py --family "$there" --threads "$threads" --steps 4 "$@"
  done
}

compare graph-transformer graphtransformer 1
compare graph-transformer graphtransformer 1 --checkpoint
compare gnn gnn 1
compare transformer transformer 1
compare graph-transformer graphtransformer 2
