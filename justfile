# Shortcuts. `./test.sh` is the whole check, and what continuous integration runs.

# Formatting, lints, documentation.
check:
    cargo fmt --all -- --check
    cargo clippy --workspace --all-targets -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

# Tests that need nothing installed.
test:
    cargo test --workspace --exclude harness
    cargo test -p harness --test suite

# Everything, with the tests against real servers and clients.
real:
    ./test.sh

# Direct, floor and gateway side by side.
bench:
    cargo build --release -p gateway -p benches
    taskset -c 0 target/release/benches compare --what one-core --others-max 15
