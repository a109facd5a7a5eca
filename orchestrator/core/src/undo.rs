//! Taking an operation back: stub until merged.
use crate::state::State;
use orch_protocol::fact::Event;
/// Stub.
pub fn events(_before: &State, _after: &State, _now: &State) -> Vec<Event> {
    Vec::new()
}
