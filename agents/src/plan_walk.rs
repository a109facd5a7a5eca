//! Follows a turn's plans and says which task each step was, from the first plan to the last. It makes the ids of new
//! tasks, but proposes nothing: that is `backlog_keeper.rs`.

use std::collections::{BTreeMap, BTreeSet};

use orch_core::agent::View;
use orch_core::judge::status_at;
use orch_protocol::ids::{SessionId, TaskId};
use orch_protocol::task::{EvidenceKind, Origin, Task};
use orch_protocol::text::one_line;
use orch_protocol::turn::{PlanStep, StepStatus, TurnEvent, TurnRecord};

use crate::history;
use crate::matching::{Candidate, Place, Step, assign};
use crate::words::{Words, normalised};

/// How many ids a step may choose from when tasks of its title exist in its own turn.
const SPARE_IDS: usize = 8;

/// What became of one task in a turn's plans.
#[derive(Debug, Clone)]
pub(crate) struct Track {
    /// The task.
    pub(crate) id: TaskId,
    /// Its text when it first appeared in the turn.
    pub(crate) title: String,
    /// Its place in the plan in which it first appeared in the turn.
    pub(crate) place: usize,
    /// It isn't in the state.
    pub(crate) is_new: bool,
    /// Its status in the thread's plan before this turn.
    pub(crate) before: Option<StepStatus>,
    /// The plans of the turn that hold it: where among the events, and with which status.
    pub(crate) seen: Vec<(usize, StepStatus)>,
    /// It stands in the turn's last plan.
    pub(crate) is_last: bool,
    /// Wordings that the task isn't known by yet, oldest first.
    pub(crate) wordings: Vec<String>,
}

/// Follows the plans of a turn; tracks come in the order in which their tasks first appeared.
pub(crate) fn walk(
    view: View<'_>,
    session: &SessionId,
    record: &TurnRecord,
    earlier: &[&TurnRecord],
) -> Vec<Track> {
    let before = history::last_plan(earlier);
    let plans: Vec<(usize, &[PlanStep])> = record
        .events
        .iter()
        .enumerate()
        .filter_map(|(at, event)| match event {
            TurnEvent::Plan { steps, .. } => Some((at, steps.as_slice())),
            TurnEvent::Command { .. }
            | TurnEvent::File { .. }
            | TurnEvent::Message { .. }
            | TurnEvent::Error { .. } => None,
        })
        .collect();
    if plans.is_empty() {
        return Vec::new();
    }
    let mut candidates = candidates(view, session, record);
    let earlier = steps(view, record, before);
    let found: Vec<Option<usize>> = assign(&by_step(&earlier), &candidates);
    let mut statuses = BTreeMap::new();
    for (at, ((_, step), found)) in earlier.iter().zip(&found).enumerate() {
        if let Some(candidate) = found.map(|found| &mut candidates[found]) {
            candidate.place = Place::Previous {
                at,
                status: step.status,
            };
            statuses.insert(candidate.id.clone(), step.status);
        }
    }
    let mut tracks: Vec<Track> = Vec::new();
    let last = plans.last().map(|(event, _)| *event);
    for (event, plan) in plans {
        let steps = steps(view, record, plan);
        let found = assign(&by_step(&steps), &candidates);
        let mut used: BTreeSet<TaskId> = found
            .iter()
            .flatten()
            .map(|at| candidates[*at].id.clone())
            .collect();
        leave_previous_plan(&mut candidates);
        for (at, ((text, step), found)) in steps.into_iter().zip(found).enumerate() {
            let place = Place::Previous {
                at,
                status: step.status,
            };
            let known = match found {
                Some(known) => known,
                None => {
                    let Some(id) = step.born.iter().find(|id| !used.contains(*id)) else {
                        continue;
                    };
                    used.insert(id.clone());
                    candidates.push(Candidate {
                        id: id.clone(),
                        wordings: Vec::new(),
                        thread: None,
                        place: place.clone(),
                    });
                    candidates.len() - 1
                }
            };
            let candidate = &mut candidates[known];
            candidate.place = place;
            let is_known = candidate
                .wordings
                .iter()
                .any(|words| words.normal == step.words.normal);
            let track = match tracks.iter_mut().find(|track| track.id == candidate.id) {
                Some(track) => track,
                None => {
                    tracks.push(Track {
                        id: candidate.id.clone(),
                        title: text.clone(),
                        place: at,
                        is_new: !view.state.tasks.contains_key(&candidate.id),
                        before: statuses.get(&candidate.id).copied(),
                        seen: Vec::new(),
                        is_last: false,
                        wordings: Vec::new(),
                    });
                    let at = tracks.len() - 1;
                    &mut tracks[at]
                }
            };
            if !is_known {
                if !(track.is_new && candidate.wordings.is_empty()) {
                    track.wordings.push(text);
                }
                candidate.wordings.push(step.words);
            }
            track.seen.push((event, step.status));
            track.is_last = Some(event) == last;
        }
    }
    tracks
}

/// The steps of a plan that have a text, cleaned and in comparable form.
fn steps(view: View<'_>, record: &TurnRecord, plan: &[PlanStep]) -> Vec<(String, Step)> {
    let mut known: BTreeMap<String, usize> = BTreeMap::new();
    plan.iter()
        .take(TurnRecord::MAX_STEPS)
        .filter_map(|step| {
            let (named, text) = named(view, &step.step);
            let title = one_line(&text, Task::MAX_TITLE);
            if normalised(&title).is_empty() {
                return None;
            }
            let nth = known.entry(title.clone()).or_default();
            // A title may stand in a plan twice, and a task that had it may go by another name by now.
            let born = (*nth..*nth + SPARE_IDS)
                .map(|nth| step_id(record, &title, nth))
                .collect::<Vec<_>>();
            *nth += 1;
            let step = Step {
                words: Words::of(&title),
                status: step.status,
                named,
                born,
            };
            Some((title, step))
        })
        .collect()
}

fn by_step(steps: &[(String, Step)]) -> Vec<Step> {
    steps.iter().map(|(_, step)| step.clone()).collect()
}

fn step_id(record: &TurnRecord, title: &str, nth: usize) -> TaskId {
    let (thread, turn) = (record.thread.as_str(), record.turn.as_str());
    match nth {
        0 => TaskId::from_seed(&["step", thread, turn, title]),
        nth => TaskId::from_seed(&["step", thread, turn, title, &nth.to_string()]),
    }
}

/// The task that a step names in brackets, and the text without it.
fn named(view: View<'_>, text: &str) -> (Option<TaskId>, String) {
    for (open, _) in text.match_indices('[') {
        let Some(len) = text[open..].find(']') else {
            break;
        };
        let id = TaskId::parse(&text[open + 1..open + len]);
        if let Some(id) = id.filter(|id| view.state.tasks.contains_key(id)) {
            let rest = format!("{} {}", &text[..open], &text[open + len + 1..]);
            return (Some(id), rest);
        }
    }
    (None, text.to_owned())
}

/// Tasks that a step of this turn may be, in an order that doesn't depend on what was added later.
fn candidates(view: View<'_>, session: &SessionId, record: &TurnRecord) -> Vec<Candidate> {
    let turns: BTreeSet<&str> = view
        .state
        .sessions
        .values()
        .filter(|session| session.thread == record.thread)
        .flat_map(|session| &session.turns)
        .map(|turn| turn.record.turn.as_str())
        .chain([record.turn.as_str()])
        .collect();
    let briefed: BTreeSet<&TaskId> = view
        .state
        .sessions
        .get(session)
        .into_iter()
        .flat_map(|session| &session.runs)
        .filter_map(|run| view.state.project.open_runs.get(run))
        .flat_map(|run| &run.brief_tasks)
        .collect();
    let mut tasks: Vec<&Task> = view.state.tasks.values().collect();
    tasks.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
    tasks
        .into_iter()
        .filter(|task| !history::is_goal(task))
        .filter_map(|task| {
            let own = history::thread_of(task) == Some(&record.thread);
            let open = status_at(task, view.here).is_open();
            // Another thread's task that this one took up is this one's from then on.
            let taken_up = task.evidence.iter().any(|seen| {
                seen.kind == EvidenceKind::Turn && turns.contains(seen.reference.as_str())
            });
            let place = if own || taken_up {
                Place::Thread { open }
            } else if open {
                let briefed = briefed.contains(&task.id);
                Place::Elsewhere {
                    briefed,
                    scored: briefed || matches!(task.origin, Origin::PlanStep { .. }),
                }
            } else {
                return None;
            };
            let wordings = std::iter::once(&task.title).chain(&task.aliases);
            Some(Candidate {
                id: task.id.clone(),
                wordings: wordings.map(|text| Words::of(text)).collect(),
                thread: history::thread_of(task).filter(|_| !own).cloned(),
                place,
            })
        })
        .collect()
}

fn leave_previous_plan(candidates: &mut [Candidate]) {
    for candidate in candidates {
        if let Place::Previous { status, .. } = candidate.place {
            let open = status != StepStatus::Completed;
            candidate.place = Place::Thread { open };
        }
    }
}
