//! Commands on milestones, and what a milestone is called. How far one has come is told where it is shown.

use jiff::civil::Date;
use orch_protocol::fact::Event;
use orch_protocol::proposal::{Change, TaskEdit};
use orch_protocol::task::Task;
use orch_protocol::text::one_line;

use super::Refusal;
use super::plan::by_command;
use crate::redact;
use crate::state::State;

/// Sets what is given of a milestone, and makes it when there is none of that name.
pub(super) fn set(
    state: &State,
    given: &str,
    text: &Option<String>,
    due: &Option<String>,
) -> Result<Vec<Event>, Refusal> {
    let name = spelled(state, given);
    if name.is_empty() {
        return Err(Refusal::NoName);
    }
    let before = state.project.milestones.get(&name);
    let mut milestone = before.cloned().unwrap_or_default();
    if let Some(text) = text {
        milestone.text = Some(one_line(text, Task::MAX_TITLE)).filter(|text| !text.is_empty());
    }
    if let Some(due) = due {
        milestone.due = day(due)?;
    }
    match before == Some(&milestone) {
        true => Err(Refusal::Nothing),
        false => Ok(vec![Event::MilestoneSet {
            name,
            milestone: Some(milestone),
        }]),
    }
}

fn day(given: &str) -> Result<Option<String>, Refusal> {
    let given = one_line(given, 40);
    if given.is_empty() {
        return Ok(None);
    }
    let day: Date = given.parse().map_err(|_| Refusal::Due(given.clone()))?;
    Ok(Some(day.to_string()))
}

/// Removes a milestone, and takes its name off the tasks.
pub(super) fn remove(state: &State, given: &str) -> Result<Vec<Event>, Refusal> {
    let name = spelled(state, given);
    let counts = |task: &&Task| task.milestone.as_deref() == Some(name.as_str());
    let tasks: Vec<&Task> = state.tasks.values().filter(counts).collect();
    let is_known = state.project.milestones.contains_key(&name);
    if !is_known && tasks.is_empty() {
        return Err(Refusal::NoMilestone(name));
    }
    let off = |task: &Task| {
        by_command(Change::EditTask {
            task: task.id.clone(),
            edit: TaskEdit {
                milestone: Some(String::new()),
                ..TaskEdit::default()
            },
        })
    };
    let mut events: Vec<Event> = tasks.into_iter().map(off).collect();
    if is_known {
        events.push(Event::MilestoneSet {
            name,
            milestone: None,
        });
    }
    Ok(events)
}

/// A milestone's name: as the one that is there already is spelled, whatever its case. A name is a key, and facts leave
/// those alone: a secret is taken out here.
pub(super) fn spelled(state: &State, given: &str) -> String {
    let name = one_line(&redact::text(given), Task::MAX_NAME);
    let known = || state.project.milestones.keys();
    let same = |known: &&String| known.to_lowercase() == name.to_lowercase();
    match state.project.milestones.contains_key(&name) {
        true => name,
        false => known().find(same).cloned().unwrap_or(name),
    }
}
