#!/bin/sh
# Times `jigsaw evaluate` on the stores of stores.py: evaluate.sh FOLDER JIGSAW [SETTING...]. Spectra are on and off in turns, so
# that the difference is what they cost. Prints wall-clock and processor seconds and the peak of resident memory.
set -eu
folder=$1 program=$2
shift 2
cat >"$folder/run.yaml" <<YAML
run: $folder/run
data:
  sources: [{path: $folder/truth.zarr}]
  variables: [z, t, u, v, q, t2m, u10, v10, msl]
  levels: [50, 100, 150, 200, 250, 300, 400, 500, 600, 700, 850, 925, 1000]
  stepHours: 12
  train: {start: 2020-01-01, end: 2020-01-31}
  validation: {start: 2020-01-01, end: 2020-01-31}
  test: {start: 2020-01-01, end: 2020-01-31}
YAML
mkdir -p "$folder/run"
cp "$folder/run.yaml" "$folder/run/config.yaml"
options=""
for setting in "$@"; do options="$options --set $setting"; done
for spectra in true false; do
  # shellcheck disable=SC2086 # settings have no spaces
  /usr/bin/time -f "spectra $spectra: %e s, %U + %S CPU s, %M KiB" \
    "$program" evaluate "$folder/run" --forecast "$folder/forecast.zarr" --set evaluation.spectra=$spectra $options \
    >"$folder/evaluate.log" 2>"$folder/evaluate.err" || { cat "$folder/evaluate.err"; exit 1; }
  tail -1 "$folder/evaluate.err"
done
