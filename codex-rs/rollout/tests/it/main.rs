//! Reads rollouts through the public API: hand-written ones of every version, damaged ones, and a folder of real ones.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    missing_docs,
    unreachable_pub
)]

mod command;
mod corpus;
mod damage;
mod find;
mod formats;
mod live;
mod rollout;
