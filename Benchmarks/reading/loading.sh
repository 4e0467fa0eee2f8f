#!/usr/bin/env bash
# Training with and without reading, in turns in one process (loading/LoadingSpeed.swift), on two threads: the demo, and a
# store of 0.25° with patches of 8 x 8 points.
#   Benchmarks/reading/loading.sh FOLDER     FOLDER holds the stores that reading.sh makes
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=${1:?"usage: loading.sh FOLDER"}
swift build -c release --product loading-speed >&2
speed=.build/release/loading-speed
echo "$(date -u +%F), $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), load $(cut -d' ' -f1-3 /proc/loadavg)"
echo "demo, fields decoded once and kept in memory, as jigsaw train does it"
"$speed" configs/demo.yaml "${DEMO_UPDATES:-60}" "${ROUNDS:-5}" 1
config=$folder/quarter-degree.yaml
surface=$(seq -f 'surface_%02g' -s ', ' 0 17)
cat >"$config" <<END
run: $folder/run
data:
  sources: [{path: $folder/weatherbench.zarr}]
  variables: [z, t, u, v, $surface]
  levels: [50, 100, 150, 200, 250, 300, 400, 500, 600, 700, 850, 925, 1000]
  rows: 720
model: {patch: [8, 8], channels: 768, tokenWidth: 512, channelWidth: 768, blocks: 2, output: residual}
training: {updates: 1, batchSize: 1}
END
for channels in ${CHANNELS:-384 1024}; do
  echo "0.25°, D $channels, every field read anew each time"
  "$speed" "$config" "${UPDATES:-6}" "${ROUNDS:-5}" 0 model.channels="$channels" model.channelWidth="$channels"
done
