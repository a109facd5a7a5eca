//! What the state knows of a thread before a turn: its first request, its last plan, its tasks. Reading only.

use orch_core::agent::View;
use orch_protocol::ids::{TaskId, ThreadId, TurnId};
use orch_protocol::session::Session;
use orch_protocol::task::{Origin, Task};
use orch_protocol::turn::{PlanStep, TurnKind, TurnRecord};

/// The user's turns of the record's thread that came before it, oldest first, in whichever session they stand.
pub(crate) fn earlier<'a>(view: View<'a>, record: &TurnRecord) -> Vec<&'a TurnRecord> {
    let mut sessions: Vec<&Session> = view
        .state
        .sessions
        .values()
        .filter(|session| session.thread == record.thread)
        .collect();
    sessions.sort_by(|a, b| (a.started_at, &a.id).cmp(&(b.started_at, &b.id)));
    sessions
        .into_iter()
        .flat_map(|session| &session.turns)
        .map(|turn| &turn.record)
        .take_while(|known| known.turn != record.turn)
        .filter(|known| known.kind == TurnKind::User)
        .filter(|known| match (known.started_at, record.started_at) {
            (Some(known), Some(this)) => known <= this,
            _ => true,
        })
        .collect()
}

/// The plan the thread had before a turn.
pub(crate) fn last_plan<'a>(earlier: &[&'a TurnRecord]) -> &'a [PlanStep] {
    earlier
        .iter()
        .rev()
        .find_map(|record| record.last_plan())
        .unwrap_or_default()
}

/// The thread a task comes from.
pub(crate) fn thread_of(task: &Task) -> Option<&ThreadId> {
    match &task.origin {
        Origin::Person { .. } | Origin::Import { .. } => None,
        Origin::PlanStep { thread, .. } | Origin::Goal { thread, .. } => Some(thread),
        Origin::Agent { thread, .. } => thread.as_ref(),
    }
}

/// The turn a task was made in.
pub(crate) fn turn_of(task: &Task) -> Option<&TurnId> {
    match &task.origin {
        Origin::Person { .. } | Origin::Import { .. } => None,
        Origin::PlanStep { turn, .. } | Origin::Goal { turn, .. } => Some(turn),
        Origin::Agent { turn, .. } => turn.as_ref(),
    }
}

/// It stands for a whole request, not for a step.
pub(crate) fn is_goal(task: &Task) -> bool {
    match task.origin {
        Origin::Goal { .. } => true,
        Origin::Person { .. }
        | Origin::PlanStep { .. }
        | Origin::Agent { .. }
        | Origin::Import { .. } => false,
    }
}

/// The task that stands for what a thread was asked for.
pub(crate) fn goal_id(thread: &ThreadId) -> TaskId {
    TaskId::from_seed(&["goal", thread.as_str()])
}
