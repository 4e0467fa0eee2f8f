#!/bin/sh
# Peak resident memory of a rank above the process's base, for a model of 565 M parameters on 1, 2 and 4 ranks; then with a
# limit on memory that one rank can't keep.
set -eu
. Benchmarks/parallel/common.sh
UPDATES=2 CACHE_GIB=0.05 configure 32 64 4 "[4, 4]" 8192 1024 8192 4
for mesh in 1x1 1x2 2x1 2x2; do
  domain=${mesh%x*} tensor=${mesh#*x}
  ranks=$((domain * tensor))
  launch="mpirun -n $ranks --bind-to none"
  [ "$ranks" -gt 1 ] || launch=
  OMPI_MCA_mpi_yield_when_idle=1 $launch "$jigsaw" train "$work/config.yaml" --overwrite --set training.checkpoint.every=0 \
    --set parallel.domain="$domain" --set parallel.tensor="$tensor" 2>"$work/log" || { cat "$work/log"; exit 1; }
  echo "$mesh: $(grep -o 'WeatherMixer, [0-9.]* M parameters' "$work/log"), $(grep -o 'peak memory.*' "$work/log")"
  rm -rf "$work/run"
done
# ulimit -v counts address space, of which resident memory is the larger part.
limit=${LIMIT_MIB:-6500}
echo "with ${limit} MiB of address space for each process:"
for mesh in 1x1 1x2; do
  tensor=${mesh#*x}
  launch="mpirun -n $tensor --bind-to none"
  [ "$tensor" -gt 1 ] || launch=
  if (ulimit -v $((limit * 1024)) && $launch "$jigsaw" train "$work/config.yaml" --overwrite --set parallel.tensor="$tensor" >"$work/log" 2>&1); then
    echo "$mesh: trained; $(grep -o 'peak memory.*' "$work/log")"
  else
    echo "$mesh: ended with status $?: $(grep -m1 -i -E 'error|memory|fatal' "$work/log" | cut -c1-160)"
  fi
  rm -rf "$work/run"
done
