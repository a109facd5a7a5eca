//! The stock TUI and the real engine in a pseudo-terminal, started by `codex-orch`: what the user sees, and what is recorded.

mod turn;
