//! `codex-orch` as its user runs it: the real binary, the real engine, a real repository. The model is a script, and
//! nothing else is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod backlog;
mod brief;
mod engine;
mod failures;
mod twins;
mod world;
