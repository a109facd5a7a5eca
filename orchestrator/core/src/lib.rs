//! The pure core: it decides, and touches nothing.
//!
//! What is absent here, and stays so: tokio, the file system, git2, the clock, a random source, a terminal. Time and
//! ids come in with inputs; what is to be done goes out as [`supervisor::Effect`]s; what happened becomes
//! [`orch_protocol::fact::Fact`]s, and the state changes by [`state::State::apply`] alone.

pub mod agent;
pub mod archive;
pub mod brief;
pub mod command;
pub mod contexts;
pub mod drift;
pub mod explain;
pub mod graph;
pub mod judge;
pub mod merge;
pub mod name;
mod open_thread;
mod record;
pub mod redact;
pub mod reverts;
pub mod rollup;
pub mod run;
pub mod state;
pub mod supervisor;
pub mod undo;
pub mod verify;
