//! The vocabulary: what is stored in the state, sent over the app-server wire, or shown to a person.
//!
//! Plain data with serde derives. There is no IO here, no clock, no decision, and no sibling crate: whoever reads
//! a `Task` from the store, a `TurnRecord` from a rollout or a frame from the engine gets it from this crate.

pub mod fact;
pub mod git;
pub mod ids;
pub mod project;
pub mod proposal;
pub mod session;
pub mod task;
pub mod tasks;
pub mod text;
pub mod turn;
pub mod wire;

pub use jiff::Timestamp;
