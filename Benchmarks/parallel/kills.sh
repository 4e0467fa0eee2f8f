#!/bin/sh
# Kills a random rank of a training at a random moment, again and again: the job must end on all ranks within 10 s, and resume
# from its last checkpoint, on changing meshes.
# Usage: kills.sh [KILLS]
set -eu
. Benchmarks/parallel/common.sh
kills="${1:-30}"
random() { od -An -N2 -tu2 /dev/urandom | awk -v n="$1" '{print $1 % n}'; }
run="$work/run"
failures=0
for kill in $(seq "$kills"); do
  case $((kill % 3)) in
    0) ranks=2 domain=1 tensor=2 ;;
    1) ranks=4 domain=2 tensor=2 ;;
    *) ranks=3 domain=3 tensor=1 ;;
  esac
  before=$(ls "$run/checkpoints" 2>/dev/null | grep -v tmp | grep update | tail -1 | tr -dc 0-9 || true)
  mpirun -n "$ranks" "$jigsaw" train configs/demo.yaml --set run="$run" --set resume=auto --set training.updates=100000 \
    --set training.warmUpUpdates=10 --set model.channels=64 --set training.validation.every=0 --set training.checkpoint.every=5 \
    --set parallel.domain="$domain" --set parallel.tensor="$tensor" >"$work/log" 2>&1 &
  job=$!
  # Wait until it has trained for a moment, then a random time more.
  for _ in $(seq 200); do grep -q 'samples/s' "$work/log" && break; sleep 0.1; done
  sleep "$(random 3).$(random 10)"
  last=$(ls "$run/checkpoints" | grep -v tmp | grep update | tail -1 | tr -dc 0-9 || true)
  victim=$(pgrep -f "jigsaw train configs/demo.yaml --set run=$run" | grep -v "^$job\$" | shuf -n 1)
  started=$(date +%s.%N)
  kill -9 "$victim"
  status=0
  wait "$job" || status=$?
  seconds=$(echo "$(date +%s.%N) $started" | awk '{printf "%.2f", $1 - $2}')
  left=$(pgrep -fc "jigsaw train configs/demo.yaml --set run=$run" || true)
  after=$(ls "$run/checkpoints" | grep -v tmp | grep update | tail -1 | tr -dc 0-9 || true)
  resumed=$(grep -o 'resumed from.*update-[0-9]*' "$work/log" | tr -dc 0-9 | tail -c 7 || true)
  verdict=ok
  [ "$status" -ne 0 ] || verdict="FAILED: status 0"
  [ "$left" -eq 0 ] || verdict="FAILED: $left ranks left"
  awk -v s="$seconds" 'BEGIN {exit !(s > 10)}' && verdict="FAILED: late"
  [ "${after:-0}" -ge "${last:-0}" ] || verdict="FAILED: lost a checkpoint"
  [ "${resumed:-}" = "${before:-}" ] || verdict="FAILED: went on from ${resumed:-nothing}, not from ${before:-nothing}"
  [ "$verdict" = ok ] || failures=$((failures + 1))
  echo "kill $kill: $domain x $tensor, from update ${before:-0} to ${after:-0}, ended after $seconds s with status $status: $verdict"
done
echo "$kills kills, $failures failures"
[ "$failures" -eq 0 ]
