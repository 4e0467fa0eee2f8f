#!/bin/bash
# An MPI program on 2 ranks that have nothing in common but a slow link: each in a network namespace and on a core of its
# own, as if on two machines; a token bucket on both ends lets RATE through in each direction, and nothing else joins them.
# Usage: slow-link.sh RATE [DELAY] -- COMMAND ...; as root, on Linux. RATE as 200mbit (of Ethernet frames: 95 % of it are
# payload), DELAY one way, as 500us or 2ms. CORES='0 1' names the cores of ranks 0 and 1 ('0-3 4-7': four cores each);
# OMPI_MCA_... variables reach the job. Exit status: the job's; 2 for wrong arguments.
# Needs iproute2, util-linux, Open MPI 4 and, with a DELAY, a C compiler and a third core: a process carries the packets then.
#
# Over one TCP connection Open MPI's request for a large message waits behind the one it sends: exchanges of over 64 KiB take
# turns, at 50 to 65 % of the rate in each direction. OMPI_MCA_btl_tcp_links=2 lets them fill both.
set -eu

usage() { sed -n '/^# Usage/,/^# Needs/s/^# //p' "$0" >&2; exit 2; }
[ $# -ge 3 ] || usage
rate=$1; shift
delay=
[ "$1" = -- ] || { delay=$1; shift; }
[ "$1" = -- ] && [ $# -ge 2 ] || usage
shift
[ "$(id -u)" = 0 ] || { echo "slow-link.sh: namespaces and rate limits need root" >&2; exit 2; }

# What may pass at once, in bytes: a millisecond at this rate. Less, and segments are so small that TCP takes a third of a core
# at 800mbit; more, and messages of this size would arrive as if there were no limit.
burst=$(awk -v rate="$rate" 'BEGIN {
  if (rate !~ /^[0-9.]+[kmg]bit$/) exit 1
  bytes = rate * (rate ~ /kbit/ ? 1e3 : rate ~ /mbit/ ? 1e6 : 1e9) / 8 / 1000
  printf "%d", bytes < 8192 ? 8192 : bytes }') || usage
# TCP hands over segments of half of that, so that the other half gathers while the timer is late; larger ones the bucket
# would cut into frames in software, which costs more time than a busy core has at 1gbit.
segment=$((burst / 2 < 61440 ? burst / 2 : 61440))
microseconds=$(awk -v delay="${delay:-0us}" 'BEGIN {
  if (delay !~ /^[0-9.]+(us|ms|s)$/) exit 1
  printf "%d", delay * (delay ~ /us/ ? 1 : delay ~ /ms/ ? 1e3 : 1e6) }') || usage

# The host names differ as the namespaces do: Open MPI shares memory between ranks of one host.
names=(slow$$a slow$$b)
addresses=(10.213.77.1 10.213.77.2)
read -r -a cores <<< "${CORES:-0 1}"
scratch=$(mktemp -d)

cleanup() {
  trap - EXIT
  set +e
  exec 2>/dev/null  # the shell would name each job killed
  for name in "${names[@]}"; do
    ip netns pids "$name" | xargs -r kill -9
    ip netns del "$name"
  done
  wait
  rm -rf "$scratch"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

for name in "${names[@]}"; do
  ip netns add "$name"
  ip -n "$name" link set lo up
done
if [ "$microseconds" = 0 ]; then
  ip link add mpi0 netns "${names[0]}" type veth peer name mpi0 netns "${names[1]}"
else
  # Not tc's netem: not every kernel has it, and in the sender's own queue it holds back what TCP counts as not yet sent.
  "${CC:-cc}" -O2 -o "$scratch/delay-wire" "$(dirname "$0")/delay-wire.c"
  ip netns exec "${names[0]}" "$scratch/delay-wire" mpi0 mpi1 "$microseconds" &
  wire=$!
  until ip -n "${names[0]}" link show mpi1 >/dev/null 2>&1; do kill -0 $wire; sleep 0.05; done
  ip -n "${names[0]}" link set mpi1 netns "${names[1]}" name mpi0
fi
for i in 0 1; do
  ip -n "${names[i]}" addr add "${addresses[i]}/24" dev mpi0
  ip -n "${names[i]}" link set mpi0 gso_max_size $segment up
  tc -n "${names[i]}" qdisc add dev mpi0 root tbf rate "$rate" burst "$burst" latency 100ms
  echo "${addresses[i]} slots=1" >> "$scratch/hosts"
done

# mpirun is on the first host; this takes the place of ssh to the second.
cat > "$scratch/agent" <<AGENT
#!/bin/sh
shift
exec ip netns exec ${names[1]} unshare --uts sh -c "hostname ${names[1]}; \$*"
AGENT
chmod +x "$scratch/agent"

# In the background, so that a signal ends the wait and cleans up at once.
# shellcheck disable=SC2016
ip netns exec "${names[0]}" unshare --uts sh -c 'hostname "$0"; exec "$@"' "${names[0]}" \
  mpirun --allow-run-as-root -np 2 --hostfile "$scratch/hosts" --map-by node --bind-to none \
  --mca plm rsh --mca plm_rsh_agent "$scratch/agent" --mca orte_tmpdir_base "$scratch" --mca oob_tcp_if_include mpi0 \
  --mca pml ob1 --mca btl tcp,self --mca btl_tcp_if_include mpi0 \
  sh -c 'cores=$1; [ "$OMPI_COMM_WORLD_RANK" = 0 ] || cores=$2; shift 2; exec taskset -c "$cores" "$@"' \
  sh "${cores[0]}" "${cores[1]}" "$@" <&0 &
status=0
wait $! || status=$?
exit $status
