#!/bin/sh
# Installs what the real tests run, beside this script and exactly as the lock files say:
#   js/package-lock.json   official servers and both generations of the TypeScript SDK
#   python/NAME.txt        one virtual environment `.venv-NAME` each: the versions do not fit together
# A part that is there already, from the same lock file, is left alone. Give names to install only those.
#
# To move to other versions: edit js/package.json and run `npm install` there; edit python/NAME.in and run
# `pip-compile --generate-hashes --strip-extras --no-header --no-annotate -o NAME.txt NAME.in`.
set -eu
cd "$(dirname "$0")"

die() {
  echo "install.sh: $*" >&2
  exit 1
}

# What a part was made from: its lock file and the version of what runs it.
origin() {
  { cat "$1"; "$2" --version; } | cksum
}

# part FOLDER LOCK PROGRAM COMMAND...: runs COMMAND unless FOLDER was made from LOCK by PROGRAM.
part() {
  folder=$1 lock=$2 program=$3
  shift 3
  wanted=$(origin "$lock" "$program")
  if [ -f "$folder/.made-from" ] && [ "$(cat "$folder/.made-from")" = "$wanted" ]; then
    return
  fi
  echo "install.sh: $folder"
  rm -rf "$folder"
  "$@"
  echo "$wanted" >"$folder/.made-from"
}

javascript() {
  (cd js && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error --fetch-timeout=60000)
}

# Only the first environment gets a pip of its own, which fills the others too: that halves the time.
environment() {
  pip=--without-pip
  [ "$1" != .venv-tools ] || pip=
  # shellcheck disable=SC2086
  python3 -m venv $pip "$1" || die "python3 -m venv does not work here (on Debian: apt-get install python3-venv)"
  .venv-tools/bin/python -m pip --python "$1/bin/python" install --quiet --disable-pip-version-check \
    --timeout 60 --no-compile --require-hashes --no-deps --requirement "$2"
}

[ $# -gt 0 ] || set -- js mcp1 mcp16 mcp2 fastmcp
for name in tools "$@"; do
  case $name in
  js) part js/node_modules js/package-lock.json node javascript ;;
  *)
    [ -f "python/$name.txt" ] || die "expected js or the name of a file in python/, found $name"
    part ".venv-$name" "python/$name.txt" python3 environment ".venv-$name" "python/$name.txt"
    ;;
  esac
done
