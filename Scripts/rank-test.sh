#!/bin/sh
# Runs the checks of ranks over MPI on 2, 3 and 4 ranks, however few cores there are.
# Usage: rank-test.sh PATH_OF_RANK_CHECKS
set -eu

# Open MPI refuses root and more ranks than cores unless told otherwise; MPICH does neither and ignores these.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
for ranks in 2 3 4; do
  timeout 300 mpirun -n "$ranks" "$1"
done
