#!/bin/sh
# The whole check, from a fresh machine with Rust, Node (20 or later), Python (3.11 or later) and git:
# installs what the tests need, then format, lints, documentation, dependencies, build and all tests.
#
#   ./test.sh           everything
#   ./test.sh --quick   only what needs nothing but Rust: no installing, no real programs
#
# Each step writes to target/check/STEP.log, has a limit, and runs although an earlier one failed.
set -u
cd "$(dirname "$0")" || exit 1

quick=
case ${1-} in
'') ;;
--quick) quick=yes ;;
*)
  echo "test.sh: expected nothing or --quick, found $1" >&2
  exit 2
  ;;
esac

logs=${CARGO_TARGET_DIR:-target}/check
mkdir -p "$logs"
rm -f "$logs"/*.log
summary="$logs/summary"
: >"$summary"
failed=0

# Whether a program is there; `step` would only say so much later and less clearly.
need() {
  command -v "$1" >/dev/null 2>&1 && return
  echo "test.sh: needs $1: $2" >&2
  exit 1
}

# at_most SECONDS COMMAND...: ends the command and all it started when its time is over.
at_most() {
  limit=$1
  shift
  if command -v timeout >/dev/null 2>&1; then
    timeout --kill-after=30 "$limit" "$@"
  else
    "$@"
  fi
}

# step NAME SECONDS COMMAND...
step() {
  name=$1 limit=$2
  shift 2
  started=$(date +%s)
  at_most "$limit" "$@" >"$logs/$name.log" 2>&1 </dev/null
  status=$?
  seconds=$(($(date +%s) - started))
  case $status in
  0) said=ok ;;
  124 | 137) said="FAILED: not done within $limit s" ;;
  *) said=FAILED ;;
  esac
  line=$(printf '%-10s %4s s  %s' "$name" "$seconds" "$said")
  echo "$line"
  echo "$line" >>"$summary"
  [ "$status" -eq 0 ] && return
  failed=1
  echo "---- the end of $logs/$name.log"
  tail -n 80 "$logs/$name.log"
  echo "----"
}

need cargo "see https://rustup.rs; rust-toolchain.toml names the version"
if [ -z "$quick" ]; then
  need node "version 20 or later"
  need npm "it comes with Node"
  need python3 "version 3.11 or later"
  need git "one of the servers under test calls it"
  step install 600 tests/real/install.sh
fi

step format 120 cargo fmt --all --check
step lints 1800 cargo clippy --workspace --all-targets --locked -- -D warnings
step docs 900 env RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --locked

if [ -z "$quick" ]; then
  # Advisories need a database from GitHub, which is not always within reach: `cargo deny check` runs them.
  step deny 300 env PATH="$PWD/tests/real/.venv-tools/bin:$PATH" \
    cargo deny --workspace check --hide-inclusion-graph licenses bans sources
  # Built as the tests are, so that the tests find the program and nothing is built twice.
  step build 2400 cargo test --workspace --locked --no-run
  step program 1200 cargo build --workspace --bins --locked
  step tests 3000 cargo test --workspace --locked --no-fail-fast
  # Counted, so that an empty run is not taken for a good one.
  grep -h '^test result' "$logs/tests.log"
else
  step build 2400 cargo test --workspace --locked --no-run --exclude harness
  step program 1200 cargo build --workspace --bins --locked
  step tests 1800 cargo test --workspace --locked --no-fail-fast --exclude harness
  step suite 1800 cargo test --package harness --locked --no-fail-fast --lib --test suite
fi

echo
if [ "$failed" -ne 0 ]; then
  echo "FAILED:"
  grep FAILED "$summary"
  exit 1
fi
# One line for whoever reads only the end: the sums over all test programs.
grep -h '^test result' "$logs"/tests.log "$logs"/suite.log 2>/dev/null |
  awk '{ passed += $4; failed += $6 } END { print passed " passed, " failed " failed" }'
echo "All passed${quick:+ (quick: no real programs)}."
