//! The crate from outside: fake layouts and scripts for what must fail, the real engine for what must work.
//! `CODEX_ORCH_ENGINE` names the real binary; without it the pinned one is installed below the target folder.
#![cfg(target_os = "linux")]
// Clippy takes only the #[test] functions themselves for tests, not what they call.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

mod app_server;
mod check;
mod codec;
mod exec;
mod find;
mod frame;
mod guard;
mod home;
mod install;
mod leash;
mod listen;
mod peer;
mod pty;
mod relay;
mod resolve;
mod serve;
mod splice;
mod support;
mod wire;
