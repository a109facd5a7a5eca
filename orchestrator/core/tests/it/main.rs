//! The core by tables and properties: what it decides, and that its facts alone rebuild its state.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

mod brief;
mod command;
mod cycles;
mod drift;
mod explain;
mod given;
mod graph;
mod judge;
mod open_thread;
mod properties;
mod redact;
mod reverts;
mod runs;
