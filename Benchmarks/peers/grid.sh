#!/bin/sh
# jigsaw against PyTorch and JAX in one run, over a grid of model sizes: training and forecast steps, start-up. Appends one line of JSON
# for each measurement to OUT, and continues where an interrupted run stopped. grid.py --help has the options.
# Usage: grid.sh PYTHON_WITH_PEERS OUT [--only SIZE] [--repetitions N] ...; run from the project's root after 'make build'.
set -eu
python="$1"
shift
exec "$python" "$(dirname "$0")/grid.py" "$@"
