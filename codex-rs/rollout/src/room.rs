//! Which events of a full turn are kept before others. How many there may be is said in
//! [`TurnRecord`](orch_protocol::turn::TurnRecord), not here.

use orch_protocol::turn::{CommandKind, TurnEvent};

/// Makes room among the events of a full turn for one that is kept before others: the newest of the others goes.
pub(crate) fn make_room<T>(
    events: &mut Vec<T>,
    event_of: impl Fn(&T) -> &TurnEvent,
    event: &TurnEvent,
) -> bool {
    let victim = events
        .iter()
        .rposition(|held| !is_kept_first(event_of(held)));
    match victim.filter(|_| is_kept_first(event)) {
        Some(victim) => {
            events.remove(victim);
            true
        }
        None => false,
    }
}

fn is_kept_first(event: &TurnEvent) -> bool {
    match event {
        TurnEvent::Plan { .. } => true,
        TurnEvent::Command { kind, .. } => *kind == CommandKind::Commit,
        TurnEvent::File { .. } | TurnEvent::Message { .. } | TurnEvent::Error { .. } => false,
    }
}
