//! The core by tables and properties: what it decides, and that its facts alone rebuild its state.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

mod archive;
mod brief;
mod command;
mod contexts;
mod cycles;
mod drift;
mod explain;
mod given;
mod graph;
mod graph_oracle;
mod graph_order;
mod graph_parts;
mod judge;
mod merge;
mod open_thread;
mod properties;
mod redact;
mod reverts;
mod rollup;
mod runs;
mod undo;
