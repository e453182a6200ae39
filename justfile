# The steps of the test command, one by one; `./test.sh` runs them all.

# Formatting, lints, documentation.
check:
    cargo fmt --all -- --check
    cargo clippy --workspace --all-targets -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

# Tests that need nothing installed.
test:
    cargo test --workspace --exclude harness
    cargo test -p harness --test suite

# Tests against real servers and clients.
real:
    ./test.sh

# Direct, floor and gateway side by side.
bench:
    cargo build --release -p gateway -p benches
    cargo run --release -p benches -- compare
