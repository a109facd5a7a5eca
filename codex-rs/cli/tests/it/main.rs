//! `codex-orch` as its user runs it: the real binary, the real engine, a real repository. The model is a script, and
//! nothing else is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod backlog;
mod backlog_commands;
mod brief;
mod client;
mod demo;
mod engine;
mod failures;
mod flags;
mod hand;
mod interposer;
mod kill;
mod mcp;
mod observers;
mod parity;
mod pass;
mod places;
mod privacy;
mod resume;
mod screen;
mod state;
mod together;
mod trouble;
mod tui;
mod twins;
mod worktrees;
mod world;
