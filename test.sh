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
rm -f "$logs"/*.log "$logs"/summary.new
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
  grep '^test .* FAILED$' "$logs/$name.log"
  echo "---- the end of $logs/$name.log"
  tail -n 80 "$logs/$name.log"
  echo "----"
}

# Failed tests that are run once more, alone. More are no accident.
repeated_max=5

# once_more STEP: runs the failed tests of that step again, each program with its own, and nothing else.
# A test that passes alone is named FLAKY in the summary: it does not stop the run, and it is a bug to mend.
once_more() {
  log=$logs/$1.log again=$logs/$1-again.log
  names=$(sed -n 's/^test \([^ ]*\) \.\.\. FAILED$/\1/p' "$log" | sort -u)
  programs=$(sed -n '/^error: [0-9]* targets\{0,1\} failed:/,$s/^ *`\(.*\)`$/\1/p' "$log")
  count=$(printf '%s\n' "$names" | grep -c .)
  [ -n "$programs" ] && [ "$count" -ge 1 ] && [ "$count" -le "$repeated_max" ] || return 1
  # A program that failed without a failed test (a crash, a documentation test) is not to be excused.
  [ "$(printf '%s\n' "$programs" | wc -l)" -le "$count" ] || return 1
  : >"$again"
  printf '%s\n' "$programs" | while read -r program; do
    # Both are lists of words: a program's arguments, and names without spaces.
    # shellcheck disable=SC2086
    at_most 900 cargo test --locked --no-fail-fast $program -- --exact $names >>"$again" 2>&1 </dev/null || exit 1
  done || return 1
  passed=$(grep '^test result: ok' "$again" | awk '{ sum += $4 } END { print sum + 0 }')
  [ "$passed" -ge "$count" ] || return 1
  repeated=$((repeated + count))
  for name in $names; do
    echo "FLAKY: $name failed in the run and passed alone" | tee -a "$summary"
  done
}

# tests STEP SECONDS COMMAND...: a step whose failed tests get that second chance.
repeated=0
tests() {
  before=$failed
  step "$@"
  [ "$failed" -eq "$before" ] && return
  if once_more "$1"; then
    failed=$before
    sed "s/^\($1 .*\)FAILED\(.*\)$/\1ok after a repetition\2/" "$summary" >"$summary.new"
    mv "$summary.new" "$summary"
  else
    tail -n 40 "$logs/$1-again.log" 2>/dev/null
  fi
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
  tests tests 3000 cargo test --workspace --locked --no-fail-fast
  # Counted, so that an empty run is not taken for a good one.
  grep -h '^test result' "$logs/tests.log"
else
  step build 2400 cargo test --workspace --locked --no-run --exclude harness
  step program 1200 cargo build --workspace --bins --locked
  tests tests 1800 cargo test --workspace --locked --no-fail-fast --exclude harness
  tests suite 1800 cargo test --package harness --locked --no-fail-fast --lib --test suite
fi

echo
if [ "$failed" -ne 0 ]; then
  echo "FAILED:"
  grep FAILED "$summary"
  exit 1
fi
# One line for whoever reads only the end: the sums over all test programs.
grep -h '^test result' "$logs"/tests.log "$logs"/suite.log 2>/dev/null |
  awk -v repeated="$repeated" \
    '{ passed += $4; failed += $6 } END { print passed + repeated " passed, " failed - repeated " failed" }'
echo "All passed${quick:+ (quick: no real programs)}."
