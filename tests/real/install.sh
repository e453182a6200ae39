#!/bin/sh
# Installs what the real tests run, beside this script and exactly as the lock files say:
#   js/package-lock.json   official servers and both generations of the TypeScript SDK
#   databases              PostgreSQL and Redis as Debian has them, unless they are there
#   python/everything.txt  the sources with the official fixture, in `.everything`
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

# The tests start servers of their own; of the packages they need the programs only.
databases() {
  is_there() {
    ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null 2>&1 || return 1
    command -v psql >/dev/null 2>&1 && command -v redis-server >/dev/null 2>&1 && command -v redis-cli >/dev/null 2>&1
  }
  if is_there; then
    return
  fi
  echo "install.sh: databases"
  packages="postgresql redis-server"
  as_root=
  [ "$(id -u)" -eq 0 ] || as_root="sudo -n"
  command -v apt-get >/dev/null 2>&1 || die "PostgreSQL and Redis are not there, and neither is apt-get: install them"
  # shellcheck disable=SC2086
  if ! DEBIAN_FRONTEND=noninteractive $as_root apt-get install --yes --quiet --no-install-recommends $packages >/dev/null; then
    $as_root apt-get update --quiet >/dev/null
    DEBIAN_FRONTEND=noninteractive $as_root apt-get install --yes --quiet --no-install-recommends $packages >/dev/null ||
      die "apt-get install $packages fails (as root: apt-get install $packages)"
  fi
  is_there || die "PostgreSQL and Redis are not there although they were installed"
}

# The official fixture is in the source distribution of the Python SDK alone.
everything() {
  folder=$1
  mkdir "$folder" || die "cannot make $folder"
  .venv-tools/bin/python -m pip download --quiet --disable-pip-version-check --timeout 60 --dest "$folder" \
    --no-deps --no-binary :all: --require-hashes --requirement "$2"
  tar -x -z -f "$folder"/*.tar.gz -C "$folder" --strip-components 1
}

[ $# -gt 0 ] || set -- databases js mcp1 mcp16 mcp2 fastmcp everything
[ "$*" != databases ] || { databases; exit; }
for name in tools "$@"; do
  case $name in
  databases) databases ;;
  everything) part .everything python/everything.txt python3 everything .everything python/everything.txt ;;
  js) part js/node_modules js/package-lock.json node javascript ;;
  *)
    [ -f "python/$name.txt" ] || die "expected js or the name of a file in python/, found $name"
    part ".venv-$name" "python/$name.txt" python3 environment ".venv-$name" "python/$name.txt"
    ;;
  esac
done
