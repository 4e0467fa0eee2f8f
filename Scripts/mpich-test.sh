#!/bin/sh
# Links the checks of ranks with MPICH in place of the MPI that they were built with, and runs them on 2, 3 and 4 ranks.
# mpi.c alone sees MPI's header: it is compiled for MPICH; all other objects are those of the debug build.
set -eu

folder=.build/mpich
rm -rf "$folder"
mkdir -p "$folder"
# shellcheck disable=SC2046 # several words
cc -c -g $(pkg-config --cflags mpich) -I Sources/System/CMPI/include -o "$folder/mpi.o" Sources/System/CMPI/mpi.c
grep -v /CMPI.build/ .build/debug/rank-checks.product/Objects.LinkFileList >"$folder/objects"
# SwiftPM gives an executable's entry the name of its module.
swiftc -emit-executable -Xlinker --defsym -Xlinker main=rank_checks_main -o "$folder/rank-checks" \
  "@$folder/objects" "$folder/mpi.o" -lmpich -ldnnl
for ranks in 2 3 4; do
  timeout 300 mpirun.mpich -n "$ranks" "$folder/rank-checks"
done
