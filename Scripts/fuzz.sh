#!/bin/sh
# Reads millions of damaged stores (Tests/FuzzMain): Scripts/fuzz.sh [COUNT_FACTOR]. With 1, the default, 10⁶ metadata
# documents, 10⁵ stores with attributes that change values, and 3·10⁵ chunks, archives, NetCDF files, GRIB files and
# checkpoints. Results: docs/results/fuzzing, or where OUT says.
set -eu
cd "$(dirname "$0")/.."
factor=${1:-1}
out=${OUT:-docs/results/fuzzing}
seed=${SEED:-1}
mkdir -p "$out"
swift build -c release --product fuzz-stores >&2
program=$(swift build -c release --show-bin-path)/fuzz-stores

count() { awk -v n="$1" -v f="$factor" 'BEGIN { printf "%d", n * f }'; }
# Two processes at a time; the limit is of memory that one case adds, MiB.
half() { # KIND CASES SEED LIMIT
  "$program" "$1" "$(count "$2")" "$3" --limit-bytes "$(($4 << 20))" || true
}
one() {
  half metadata 500000 "$seed" 2048
  half attributes 50000 "$seed" 2048
  half netcdf 70000 "$seed" 2048
  half classic 30000 "$seed" 2048
  half zip 50000 "$seed" 2048
}
other() {
  half metadata 500000 "$((seed + 1))" 2048
  half attributes 50000 "$((seed + 1))" 2048
  # Bombs would add 512 MiB.
  half chunks 100000 "$seed" 128
  half grib 50000 "$seed" 2048
  half checkpoint 100000 "$seed" 1024
}
one > "$out/one.log" 2>&1 &
first=$!
other > "$out/other.log" 2>&1
wait "$first"
cat "$out/one.log" "$out/other.log" > "$out/log.txt"
rm "$out/one.log" "$out/other.log"

echo "| kind | seed | cases | opened | refused | longest case, ms | memory, MiB | failures | crashes |"
echo "|---|---:|---:|---:|---:|---:|---:|---:|---:|"
sed -n 's/^result \([a-z]*\): \([0-9]*\) cases of seed \([0-9]*\), \([0-9]*\) opened, \([0-9]*\) refused, longest \([0-9]*\) ms (case [0-9]*), memory +\([0-9]*\) MiB, \([0-9]*\) failures, \([0-9]*\) crashes.*/| \1 | \3 | \2 | \4 | \5 | \6 | \7 | \8 | \9 |/p' "$out/log.txt"
grep -E '^(crashes|failure)' "$out/log.txt" || true
