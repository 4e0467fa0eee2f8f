# Read by the scripts beside it, from the project's root after 'make build'; PYTHON needs NumPy.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
jigsaw=$(pwd)/.build/release/jigsaw
python="${PYTHON:-python3}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# configure ROWS COLUMNS TIMES PATCH D H_T H_C BLOCKS: a store of random fields and $work/config.yaml for it.
configure() {
  "$python" Benchmarks/parallel/store.py "$work/store.zarr" --rows "$1" --columns "$2" --times "$3" --chunks "${CHUNKS:-field}"
  cat >"$work/config.yaml" <<END
run: $work/run
threads: 1
data:
  sources: [{path: $work/store.zarr}]
  variables: [z, t, u, v, q, msl, t2m, u10, v10, sp, tcwv, sst]
  levels: [1000, 925, 850, 700, 600, 500, 400, 300, 250, 200, 150, 100, 50]
  forcings: [cos_julian_day, sin_julian_day, cos_local_time, sin_local_time, insolation]
  cacheGiB: ${CACHE_GIB:-1}
  train: {start: 2001-01-01, end: 2001-12-31}
model: {patch: $4, channels: $5, tokenWidth: $6, channelWidth: $7, blocks: $8, output: residual}
training: {updates: ${UPDATES:-12}, batchSize: ${BATCH:-1}, warmUpUpdates: 1, learningRate: 0.0001, averageDecay: 0}
END
}

# median COLUMN: of the last run's updates behind the first two.
median() { tail -n +4 "$work/run/metrics.csv" | cut -d, -f"$1" | sort -g | awk '{v[NR]=$1} END {print v[int((NR+1)/2)]}'; }
