#!/bin/sh
# Installs the system packages that are missing, through apt as root or with sudo; otherwise prints them and stops.
# Usage: setup.sh build | test | slurm
set -eu

packages="libdnnl-dev libnetcdf-dev libblosc-dev libbz2-dev libcurl4-gnutls-dev libeccodes-dev liblz4-dev liblzma-dev libzstd-dev zlib1g-dev libopenmpi-dev pkg-config"
if [ "${1:-build}" = test ]; then packages="$packages openmpi-bin mpich libmpich-dev python3 python3-venv cdo openssl procps"; fi
if [ "${1:-build}" = slurm ]; then packages="openmpi-bin slurm-wlm munge procps"; fi

if ! command -v swift >/dev/null 2>&1; then
  echo "error: swift is not on the PATH; install Swift 6.2 or later from https://www.swift.org/install" >&2
  exit 1
fi
if ! command -v dpkg-query >/dev/null 2>&1; then
  echo "note: not a Debian system; these packages are needed under whatever names it has: $packages" >&2
  exit 0
fi

missing=""
for package in $packages; do
  case "$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null)" in
    *" installed") ;;
    *)
      # A Python that came another way, another MPI, and a pkg-config under its newer name serve as well.
      case "$package" in
        python3) command -v python3 >/dev/null 2>&1 && continue ;;
        python3-venv) python3 -c 'import ensurepip' >/dev/null 2>&1 && continue ;;
        libopenmpi-dev) pkg-config --exists mpi-c 2>/dev/null && continue ;;
        openmpi-bin) command -v mpirun >/dev/null 2>&1 && continue ;;
        libcurl4-gnutls-dev) command -v curl-config >/dev/null 2>&1 && continue ;;
        pkg-config) command -v pkg-config >/dev/null 2>&1 && continue ;;
      esac
      missing="$missing $package"
      ;;
  esac
done
[ -z "$missing" ] && exit 0

if [ "$(id -u)" = 0 ]; then
  run=""
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
  run="sudo"
else
  echo "error: these packages are missing and there is no right to install them:$missing" >&2
  echo "       ask an administrator to run: apt-get install$missing" >&2
  exit 1
fi
echo "installing:$missing"
$run apt-get update -qq
# sudo passes no environment on: env sets the variable behind it.
# shellcheck disable=SC2086 # one word per package is meant
$run env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
