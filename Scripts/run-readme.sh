#!/bin/sh
# Runs the commands in the ```sh blocks of README.md and docs/*.md, each block in one shell at the project's root.
# A block with a line "# not run: REASON" is passed over. Lines starting with "make test" would start this script again.
set -eu

export PATH="$(pwd)/.build/release:$PATH"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

awk -v out="$work" '
  /^```sh$/ { inside = 1; count++; file = sprintf("%s/%03d.sh", out, count); print "# " FILENAME ":" FNR > file; next }
  /^```$/   { if (inside) close(file); inside = 0; next }
  inside    { print > file }
' README.md docs/*.md

for block in "$work"/*.sh; do
  where=$(sed -n '1s/^# //p' "$block")
  if grep -q '^# not run:' "$block"; then
    echo "passed over $where: $(sed -n 's/^# not run: *//p' "$block")"
    continue
  fi
  sed -i '/^make test/d' "$block"
  echo "running $where"
  if ! sh -eu "$block" >"$work/log" 2>&1; then
    cat "$work/log"
    echo "error: a command of $where failed" >&2
    exit 1
  fi
done
