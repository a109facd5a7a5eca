//! The sub-agents' deterministic parts: they read what was observed and say what the backlog and the journal should hold.
//!
//! What is absent here, and stays so: IO, tokio, the clock, a random source, a model. Equal questions get equal answers;
//! ids are derived from what is named, times come from the record or the view. Nothing here changes the state: what an
//! agent would like is an [`orch_core::agent::Opinion`], and the supervisor decides.

pub mod backlog_keeper;
pub mod likeness;
pub mod matching;

pub mod summariser;
pub mod words;

mod anchoring;
mod commits;
mod digest;

mod draft;
mod evidence;
mod history;
mod interval;
mod journal;

mod lexicon;
mod markdown;

mod plan_walk;

mod told;

use orch_core::agent::Agent;

/// Every agent, in the order in which they are to be asked: the summariser looks at what the backlog-keeper changed.
pub fn all() -> Vec<Box<dyn Agent>> {
    vec![
        Box::new(backlog_keeper::BacklogKeeper),
        Box::new(summariser::Summariser),
    ]
}
