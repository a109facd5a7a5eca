//! Tests of the scripted model: its scenario files, each step and fault over HTTP, and runs of the real engine on it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod client;
mod engine;
mod faults;
mod scenarios;
mod serving;
mod steps;
