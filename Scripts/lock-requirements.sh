#!/bin/sh
# Writes Tests/Interop/*.lock, the Python packages of the tests with the hashes of their files, from the pinned *.txt beside them.
# Usage: lock-requirements.sh; needs Python 3.11 and the package index.
set -eu
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet pip-tools==7.6.2
for list in Tests/Interop/requirements*.txt; do
  name=$(basename "$list" .txt)
  "$work/venv/bin/pip-compile" --quiet --generate-hashes --allow-unsafe --strip-extras --no-header --no-emit-index-url \
    --no-emit-trusted-host --no-emit-find-links --output-file "$work/$name" "$list"
  { echo "# All that $name.txt needs, with the hashes of its files; made by Scripts/lock-requirements.sh with Python 3.11."
    sed 's|^\(    # via.*\)-r .*/Tests/Interop|\1-r Tests/Interop|' "$work/$name"; } > "Tests/Interop/$name.lock"
done
