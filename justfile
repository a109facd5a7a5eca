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

# Fuzz targets, each for a minute (needs the nightly toolchain and cargo-fuzz).
fuzz:
    cd codex-rs/rollout/fuzz && cargo +nightly fuzz run rollout_bytes -- -max_total_time=60
    cd codex-rs/rollout/fuzz && cargo +nightly fuzz run live_notifications -- -max_total_time=60
    cd codex-rs/engine/fuzz && cargo +nightly fuzz run frame -- -max_total_time=60
    cd orchestrator/runtime/fuzz && cargo +nightly fuzz run exchange_bytes -- -max_total_time=60
    cd orchestrator/runtime/fuzz && cargo +nightly fuzz run tasks_yaml -- -max_total_time=60

# codex-orch beside other task tools (see benches/peers/README.md); ARGS as `--path /tmp/peers/node_modules/.bin`.
peers *ARGS:
    cargo build --release
    python3 benches/peers/measure.py --orch target/release/codex-orch {{ARGS}}
