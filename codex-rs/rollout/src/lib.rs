//! What Codex did, as turn records: read from the rollouts that any CLI version leaves behind, or seen live.
//!
//! A rollout is untrusted and often damaged: lines may be torn, huge, of an unknown version or not JSON at all. Reading
//! never fails for what a file holds, only when it can't be read; everything kept is bounded by the constants of
//! [`TurnRecord`](orch_protocol::turn::TurnRecord), so memory doesn't grow with the file.
//!
//! What is *not* here: git (`TurnRecord::commits` stays empty), any judgement of what a turn was worth, any writing to
//! `$CODEX_HOME`. The way of a line, top-down: [`reader`] cuts the file into lines, `line` types one, `assemble` decides which
//! turn it belongs to, `open_turn` collects that turn's events with what `call`, `script`, `patch`, `output` and [`command`]
//! tell of them. [`below`] puts sub-agents' work where it belongs, and [`live`] makes the same records of the same threads from what the engine says while they run.

mod assemble;
pub mod below;
mod call;
pub mod command;
pub mod find;
mod line;
pub mod live;
mod loose;
mod meta;
mod open_turn;
mod output;
mod patch;
mod path;
pub mod reader;
mod request;
mod room;
mod script;
mod shell;
mod sniff;
pub mod thread;
mod tokens;
