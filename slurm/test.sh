#!/bin/bash
# Trains under a Slurm of its own on this machine, with slurm/train.sbatch and two ranks: past two time limits, through a signal
# during statistics, and after the loss of a rank. Each must end with the model of a training that was never disturbed, byte by byte.
# Usage, as root: slurm/test.sh PATH_OF_JIGSAW [FOLDER_FOR_LOGS]; takes about ten minutes. Installs slurm-wlm and munge on Debian.
set -eu -o pipefail
# Paths given are those of the caller's folder.
jigsaw=$(realpath "$1")
given=${2:+$(realpath -m "$2")}
cd "$(dirname "$0")/.."
[ "$(id -u)" = 0 ] || { echo "error: slurmd must run as root" >&2; exit 1; }
Scripts/setup.sh slurm

folder=$(mktemp -d)
logs=${given:-$folder/logs}
mkdir -p "$logs"
chmod 755 "$folder"
export SLURM_CONF=$folder/slurm.conf JIGSAW=$jigsaw
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
daemons=()
stop() {
  scancel --full --user root 2>/dev/null || true
  for pid in "${daemons[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${daemons[@]}"; do wait "$pid" 2>/dev/null || true; done
  rm -rf "$folder"
}
trap stop EXIT
say() { echo "$(date +%T) $*" | tee -a "$logs/test.log"; }
fail() { say "FAILED: $*"; for file in "$logs"/*.log; do echo "== $file"; tail -n 20 "$file"; done >&2; exit 1; }

# until_true SECONDS WHAT COMMAND...: waits for a command to succeed.
until_true() {
  local seconds=$1 what=$2
  shift 2
  for _ in $(seq "$((5 * seconds))"); do "$@" >/dev/null 2>&1 && return; sleep 0.2; done
  fail "no $what after $seconds s"
}

# MARK: A cluster of one node

node=$(hostname -s)
mkdir "$folder/state" "$folder/spool"
dd if=/dev/urandom of="$folder/munge.key" bs=1024 count=1 2>/dev/null
chmod 600 "$folder/munge.key"
munged --foreground --force --key-file="$folder/munge.key" --socket="$folder/munge.socket" --pid-file="$folder/munge.pid" \
  --log-file="$folder/munge.log" --seed-file="$folder/munge.seed" >"$logs/munged.log" 2>&1 &
daemons+=($!)
until_true 20 "munge socket" test -S "$folder/munge.socket"
# A requeued job may start again once its old credential has run out: cred_expire.
cat >"$SLURM_CONF" <<END
ClusterName=test
SlurmctldHost=$node(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket=$folder/munge.socket,cred_expire=3
SlurmctldPort=16817
SlurmdPort=16818
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$logs/slurmctld.log
SlurmdLogFile=$logs/slurmd.log
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
ProctrackType=proctrack/linuxproc
TaskPlugin=task/affinity
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SchedulerParameters=sched_interval=5
ReturnToService=2
KillWait=10
NodeName=$node NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=test Nodes=$node Default=YES MaxTime=INFINITE State=UP OverSubscribe=NO
END
slurmctld -D >"$logs/slurmctld.out" 2>&1 &
daemons+=($!)
slurmd -D -N "$node" >"$logs/slurmd.out" 2>&1 &
daemons+=($!)
until_true 60 "idle node" sh -c 'sinfo --noheader --format=%T | grep -q "^idle$"'
say "Slurm $(sinfo --version | cut -d' ' -f2) is up: $(srun --mpi=list 2>&1 | tr '\n' ' ')"

# MARK: Jobs

# submit NAME SETTING...: a training on two ranks in one job of a minute, which is signalled half a minute before its end.
submit() {
  local name=$1
  shift
  sbatch --parsable --job-name="$name" --nodes=1 --ntasks-per-node=2 --cpus-per-task=1 --time=1 \
    --signal=B:USR1@30 --output="$logs/$name.log" slurm/train.sbatch configs/demo.yaml "${settings[@]}" \
    --set "run=$folder/$name" "$@"
}
field() { scontrol show job "$1" | grep -o "$2=[^ ]*" | head -1 | cut -d= -f2; }
is_over() { case "$(field "$1" JobState)" in COMPLETED | FAILED | CANCELLED | TIMEOUT | NODE_FAIL) true ;; *) false ;; esac; }
restarts() { test "$(field "$1" Restarts)" -ge "$2"; }
ended() { until_true "$2" "end of job $1" is_over "$1"; }

# reference NAME SETTING...: the same without Slurm and without a pause.
reference() {
  local name=$1
  shift
  mpirun -n 2 "$jigsaw" train configs/demo.yaml "${settings[@]}" --set "run=$folder/$name" "$@" >"$logs/$name.log" 2>&1 \
    || fail "$name: the undisturbed training fails"
}
# same NAME NAME: the last checkpoints, byte by byte.
same() {
  local file one two
  one=$(ls -d "$folder/$1"/checkpoints/update-* | tail -1) two=$(ls -d "$folder/$2"/checkpoints/update-* | tail -1)
  [ "$(basename "$one")" = "$(basename "$two")" ] || fail "$1 ends at $(basename "$one"), $2 at $(basename "$two")"
  for file in "$one"/*.safetensors; do cmp "$file" "$two/$(basename "$file")" || fail "$1 and $2 differ in $(basename "$file")"; done
  cmp "$folder/$1/statistics.json" "$folder/$2/statistics.json" || fail "$1 and $2 have other statistics"
}

# Two replicas: sums of two numbers are the same bits in any order, unlike on a mesh that cuts its matrix products by the measured rate of the link.
small=(--set threads=1 --set training.batchSize=2 --set model.channels=64 --set model.tokenWidth=64 --set model.channelWidth=64
  --set "training.rollout.stages=[]" --set training.warmUpUpdates=10 --set training.validation.every=0)

# MARK: Two time limits, and the loss of a rank

# The rate stays the same, so that the number of updates decides on nothing but the end, which is chosen later.
settings=("${small[@]}" --set training.checkpoint.every=50 --set training.learningRate=0.002 --set training.finalLearningRate=0.002)
newest() { ls "$folder/limits/checkpoints" | grep '^update' | tail -n 1 | tr -dc 0-9 | sed 's/^0*//'; }
job=$(submit limits --set training.updates=1000000)
until_true 240 "first time limit" restarts "$job" 1
say "limits: queued again at update $(newest), restarts $(field "$job" Restarts)"
until_true 240 "second time limit" restarts "$job" 2
say "limits: queued again at update $(newest), restarts $(field "$job" Restarts)"

# A rank of a later start is killed: the job fails, is not queued again, and the same command resumes.
kill_a_rank() {
  local rank
  rank=$(pgrep -f "^$jigsaw train configs/demo.yaml .*run=$folder/limits" | tail -n 1)
  [ -n "$rank" ] && kill -9 "$rank"
}
sleep 5
until_true 180 "later start" kill_a_rank
ended "$job" 60
state=$(field "$job" JobState)
[ "$state" = FAILED ] || fail "a job that lost a rank is $state"
say "limits: lost a rank: job $state, exit $(field "$job" ExitCode), restarts $(field "$job" Restarts)"
updates=$(($(newest) + 100))
job=$(submit limits --set "training.updates=$updates")
ended "$job" 900
[ "$(field "$job" JobState)" = COMPLETED ] || fail "job $job is $(field "$job" JobState)"
say "limits: done at update $updates after $(field "$job" Restarts) more restarts"
reference undisturbed --set "training.updates=$updates"
same limits undisturbed
say "limits: the same model and statistics as without"

# MARK: A signal during statistics

# Fields on a fine grid, whose statistics take a while, and a model that trains a few updates on it.
settings=("${small[@]}" --set training.updates=3 --set training.checkpoint.every=0
  --set "data.sources=[{open: {dataset: data/demo/simulated.nc, regrid: {grid: [256, 512]}}}]" --set "data.static=[]"
  --set data.train.end=2001-11-15 --set data.validation.start=null --set data.validation.end=null
  --set "model.patch=[32, 32]" --set model.channels=16 --set data.cacheGiB=0.1)
job=$(submit signal)
until_true 120 "statistics" sh -c "ls '$folder/signal/statistics.json.parts' | grep -q block"
scancel --batch --signal=USR1 "$job"
until_true 60 "queueing after the signal" restarts "$job" 1
grep -q "stopped by a signal" "$logs/signal.log" || fail "signal: the log does not mention it"
[ ! -e "$folder/signal/statistics.json" ] || fail "signal: the statistics were already there"
ended "$job" 600
[ "$(field "$job" JobState)" = COMPLETED ] || fail "job $job is $(field "$job" JobState)"
say "signal: during statistics, restarts $(field "$job" Restarts), then done"
reference quiet
same signal quiet
say "signal: the same model and statistics as without"
say "all Slurm checks passed"
