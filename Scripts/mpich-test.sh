#!/bin/sh
# Builds the checks of ranks with MPICH beside the MPI at hand, and runs them on 2, 3 and 4 ranks.
set -eu

folder="$(pwd)/.build/mpich"
mkdir -p "$folder/pkgconfig" "$folder/lib"
# The package links "mpi" and asks pkg-config for "mpi-c"; here both names lead to MPICH.
ln -sf "$(pkg-config --variable=libdir mpich)/libmpich.so" "$folder/lib/libmpi.so"
cat >"$folder/pkgconfig/mpi-c.pc" <<END
Name: mpi-c
Description: MPICH under the name that the package asks for
Version: $(pkg-config --modversion mpich)
Cflags: $(pkg-config --cflags mpich)
Libs: -L$folder/lib -lmpi
END
PKG_CONFIG_PATH="$folder/pkgconfig" swift build --scratch-path "$folder/build" --product rank-checks
for ranks in 2 3 4; do
  timeout 300 mpirun.mpich -n "$ranks" "$folder/build/debug/rank-checks"
done
