//! The upstream `codex` binary, seen from outside: where it is, whether it fits, how it is installed, started and ended,
//! a client of its app-server, and the wire between it and its clients: links, frames and the relay.
//!
//! What is absent: no knowledge of tasks, state or drift (core), of terminals' contents (tui), or of rollouts beyond the
//! working directory a thread was last in. Nothing here answers an approval, starts a writable thread, or writes
//! upstream's configuration.

pub mod app_server;
pub mod check;
pub mod codec;
pub mod error;
pub mod exec;
pub mod find;
pub mod frame;
pub mod home;
pub mod homecoming;
pub mod install;
pub mod interpose;
pub mod leash;
pub mod link;
pub mod obtain;
pub mod platform;
pub mod relay;
pub mod resolve;
pub mod serve;
pub mod splice;
pub mod threads;

mod connection;
#[cfg(target_os = "linux")]
mod descendants;
#[cfg(target_os = "linux")]
mod guard;
mod launcher;
mod npm;
mod overlay;
mod peer;
mod rollout_cwd;
#[cfg(target_os = "linux")]
mod signals;
mod verdicts;
mod words;
