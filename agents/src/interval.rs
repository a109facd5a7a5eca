//! Which events of a turn were work on which step: from where the step was begun to the plan that says it is done.

use std::ops::Range;

use orch_protocol::turn::{ChangeKind, CommandKind, StepStatus, TurnEvent, TurnRecord};

use crate::plan_walk::Track;

/// Positions of the events in which a completed step was worked on; none when the turn's plans don't complete it.
pub(crate) fn of(track: &Track, record: &TurnRecord) -> Option<Range<usize>> {
    let (_, last) = track.seen.last()?;
    if *last != StepStatus::Completed {
        return None;
    }
    let done_from = track
        .seen
        .iter()
        .rposition(|(_, status)| *status != StepStatus::Completed)
        .map_or(0, |open| open + 1);
    let (end, _) = *track.seen.get(done_from)?;
    let begun = track.seen[..done_from]
        .iter()
        .rev()
        .take_while(|(_, status)| *status == StepStatus::InProgress)
        .last()
        .map(|(event, _)| *event);
    let all_begun = track.seen[..done_from]
        .iter()
        .all(|(_, status)| *status == StepStatus::InProgress);
    let start = match begun {
        // It was under way when the turn began.
        _ if all_begun && track.before == Some(StepStatus::InProgress) => 0,
        Some(event) => event,
        None => record.events[..end]
            .iter()
            .rposition(|event| matches!(event, TurnEvent::Plan { .. }))
            .unwrap_or(0),
    };
    Some(start..end)
}

/// Whether what a command did succeeded; none when its exit code is 0 and doesn't say (`cargo test | tail`).
pub(crate) fn succeeded(exit_code: i32, vouches: bool) -> Option<bool> {
    match (exit_code, vouches) {
        (0, true) => Some(true),
        (0, false) => None,
        (_, _) => Some(false),
    }
}

/// Files that patches changed in these events, as the patches name them, without repeats.
pub(crate) fn files<'a>(record: &'a TurnRecord, span: &Range<usize>) -> Vec<(&'a str, ChangeKind)> {
    let mut files: Vec<(&str, ChangeKind)> = Vec::new();
    for event in &record.events[span.clone()] {
        match event {
            TurnEvent::File {
                path,
                change,
                ok: true,
                ..
            } => {
                files.retain(|(known, _)| known != path);
                files.push((path, *change));
            }
            TurnEvent::File { ok: false, .. }
            | TurnEvent::Plan { .. }
            | TurnEvent::Command { .. }
            | TurnEvent::Message { .. }
            | TurnEvent::Error { .. } => {}
        }
    }
    files
}

/// Commands of a kind that ended in these events: position, text, and whether what they did succeeded.
pub(crate) fn commands<'a>(
    record: &'a TurnRecord,
    span: &Range<usize>,
    wanted: CommandKind,
) -> Vec<(usize, &'a str, Option<bool>)> {
    record.events[span.clone()]
        .iter()
        .enumerate()
        .filter_map(|(at, event)| match event {
            TurnEvent::Command {
                command,
                kind,
                exit_code: Some(code),
                vouches,
                ..
            } if *kind == wanted => {
                let ok = succeeded(*code, *vouches);
                Some((span.start + at, command.as_str(), ok))
            }
            TurnEvent::Command { .. }
            | TurnEvent::Plan { .. }
            | TurnEvent::File { .. }
            | TurnEvent::Message { .. }
            | TurnEvent::Error { .. } => None,
        })
        .collect()
}
