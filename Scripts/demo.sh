#!/bin/sh
# The main job on the sample data: statistics, training, forecast, verification, report.
# Usage: demo.sh PATH_OF_JIGSAW
set -eu

jigsaw="$1"
run=runs/demo

step() { if [ -t 1 ]; then printf '\n\033[1m%s\033[0m\n' "$*"; else printf '\n%s\n' "$*"; fi; }

rm -rf "$run"
step "1/5  Statistics of the training period (data/demo: simulated, not observed)"
"$jigsaw" data stats configs/demo.yaml
step "2/5  Training"
"$jigsaw" train configs/demo.yaml
step "3/5  Forecasts of the held-out period"
"$jigsaw" forecast "$run"
step "4/5  Verification"
"$jigsaw" evaluate "$run"
step "5/5  Report"
"$jigsaw" report "$run"

printf '\nThe scores are skill at emulating a simple climate model, not at forecasting weather.\n'
printf 'Report: %s/%s/report.html\n' "$(pwd)" "$run"
