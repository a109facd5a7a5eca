# What CI runs, on a clean checkout.
check:
    bash .ci/run

# Everything a commit should pass, without the end-to-end tests.
quick:
    cargo fmt --all -- --check
    cargo clippy --workspace --all-targets -- -D warnings
    cargo test -p orch-protocol -p orch-core -p orch-agents -p orch-rollout -p orch-runtime

# Benches; the figures of docs/performance.md.
bench:
    cargo bench --workspace

# Licences, bans and sources of what we depend on (needs cargo-deny).
deny:
    cargo deny check licenses bans sources

# Fuzz targets, each for a minute (needs cargo-fuzz; no nightly toolchain: see .ci/run).
fuzz:
    just fuzzed codex-rs/rollout rollout_bytes
    just fuzzed codex-rs/rollout live_notifications
    just fuzzed codex-rs/engine frame
    just fuzzed orchestrator/runtime exchange_bytes
    just fuzzed orchestrator/runtime store_bytes
    just fuzzed orchestrator/runtime tasks_yaml

# One fuzz target for some seconds.
fuzzed CRATE TARGET SECONDS="60":
    cd {{CRATE}} && RUSTC_BOOTSTRAP=1 cargo fuzz run -s none --target-dir {{justfile_directory()}}/target/fuzz {{TARGET}} -- -max_total_time={{SECONDS}}

# Many processes and a thousand kills on one store; the table of docs/reliability.md.
reliability *ARGS:
    cargo bench -p orch-runtime --bench reliability -- {{ARGS}}

# codex-orch beside other task tools (see benches/peers/README.md); ARGS as `--path /tmp/peers/node_modules/.bin`.
peers *ARGS:
    cargo build --release
    python3 benches/peers/measure.py --orch target/release/codex-orch {{ARGS}}
