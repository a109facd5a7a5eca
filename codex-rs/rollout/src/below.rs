//! Sub-agents' work belongs to the turn that they work for. Here it is put there: what ran and what changed, with its cost;
//! not what they planned or said, which was said to the agent above and not to the user.

use std::collections::{BTreeSet, VecDeque};
use std::path::Path;

use orch_protocol::ids::ThreadId;
use orch_protocol::turn::{TurnEvent, TurnRecord};

use crate::find::find_by_thread;
use crate::path::{kept_path, relative};
use crate::reader::{RolloutError, read_thread};
use crate::room::make_room;
use crate::thread::Rollout;
use crate::tokens::sum;

/// The most sub-agents looked into for one thread.
const MAX_BELOW: usize = 256;

/// Puts the work of a sub-agent's turn under the turn it works for: after what stands there, within the same bounds.
pub fn add(record: &mut TurnRecord, below: &TurnRecord) {
    for event in &below.events {
        let mut event = match event {
            TurnEvent::Command { .. } | TurnEvent::File { .. } => event.clone(),
            TurnEvent::Plan { .. } | TurnEvent::Message { .. } | TurnEvent::Error { .. } => {
                continue;
            }
        };
        if let TurnEvent::File { path, .. } = &mut event {
            *path = seen_from(record.cwd.as_deref(), below.cwd.as_deref(), path);
        }
        let has_room = record.events.len() < TurnRecord::MAX_EVENTS;
        if !has_room {
            record.events_dropped += 1;
        }
        if has_room || make_room(&mut record.events, |event| event, &event) {
            record.events.push(event);
        }
    }
    record.events_dropped = record.events_dropped.saturating_add(below.events_dropped);
    record.usage = sum(record.usage, below.usage);
}

/// Reads a thread, and its sub-agents' work into the turns it was done for. Sub-agents whose files are gone are left out.
///
/// # Errors
/// When a file of the thread itself can't be opened or read.
pub fn read_with_below(sessions: &Path, thread: &ThreadId) -> Result<Rollout, RolloutError> {
    let mut rollout = read_thread(&find_by_thread(sessions, thread.as_str()))?;
    let mut known = BTreeSet::from([thread.clone()]);
    let mut waiting: VecDeque<ThreadId> = rollout.below.iter().cloned().collect();
    while let Some(next) = waiting.pop_front().filter(|_| known.len() <= MAX_BELOW) {
        if !known.insert(next.clone()) {
            continue;
        }
        let Ok(below) = read_thread(&find_by_thread(sessions, next.as_str())) else {
            continue;
        };
        for turn in &below.turns {
            let above = below.above.iter().find(|(id, _)| *id == turn.turn);
            let root = above
                .and_then(|(_, root)| rollout.turns.iter_mut().find(|turn| turn.turn == *root));
            if let Some(root) = root {
                add(root, turn);
            }
        }
        waiting.extend(below.below);
    }
    Ok(rollout)
}

/// A path of one folder as seen from another.
fn seen_from(there: Option<&str>, here: Option<&str>, path: &str) -> String {
    match here {
        Some(here) if there != Some(here) && !Path::new(path).is_absolute() => {
            let full = format!("{}/{path}", here.trim_end_matches('/'));
            kept_path(relative(there, &full))
        }
        _ => path.to_owned(),
    }
}
