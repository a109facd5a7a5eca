//! The larger tables: rewordings, whole turns against the backlog, summaries, and properties over made-up turns.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

mod given;
mod keeper;
mod plans;
mod properties;
mod summaries;
mod wordings;
