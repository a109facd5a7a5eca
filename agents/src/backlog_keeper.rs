//! The backlog-keeper: maps a turn's plans, and what was seen to happen, onto the backlog. It only proposes; and it proposes
//! nothing that the state holds already, so that a turn may be looked at again.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use orch_core::agent::{Agent, Opinion, Question, View};
use orch_core::judge::{deciding, holds, status_at};
use orch_protocol::git::GitSnapshot;
use orch_protocol::ids::{CommitId, TaskId};
use orch_protocol::proposal::{Change, Confidence};
use orch_protocol::task::{Actor, Claim, ClaimState, Evidence, Origin, Task, TaskStatus};
use orch_protocol::text::one_line;
use orch_protocol::turn::{StepStatus, TurnKind, TurnRecord, TurnStatus};

use crate::anchoring::{self, claim_id, turn_claims};
use crate::commits::{self, Placed, from_top, time_of};
use crate::draft::Draft;
use crate::plan_walk::{Track, walk};
use crate::{history, interval};

/// Keeps the backlog in step with the work.
#[derive(Debug, Clone, Copy, Default)]
pub struct BacklogKeeper;

impl Agent for BacklogKeeper {
    fn actor(&self) -> Actor {
        Actor::BacklogKeeper
    }

    fn consider(&self, view: View<'_>, question: Question<'_>) -> Vec<Opinion> {
        match question {
            Question::Turn {
                session,
                record,
                before,
                after,
            } => match record.kind {
                TurnKind::User => {
                    let draft = Draft::new(view, session, record);
                    consider_turn(draft, before, after)
                }
                TurnKind::Review => Vec::new(),
            },
            Question::SessionEnd { .. } => Vec::new(),
        }
    }
}

fn consider_turn(
    mut draft: Draft<'_>,
    before: Option<&GitSnapshot>,
    after: Option<&GitSnapshot>,
) -> Vec<Opinion> {
    let (view, record) = (draft.view, draft.record);
    let earlier = history::earlier(view, record);
    let tracks = walk(view, draft.session, record, &earlier);
    for track in &tracks {
        add_step(&mut draft, track, &earlier);
    }
    let placed = commits::placed(record);
    for track in &tracks {
        add_wordings(&mut draft, track);
        match claimed(&draft, track) {
            None => take_up(&mut draft, track),
            Some(ClaimState::Done) => finish(&mut draft, track, &placed, before, after),
            Some(state) => say(&mut draft, track, state),
        }
    }
    let used = anchoring::consider(&mut draft, before, after);
    if tracks.is_empty() {
        add_planless(&mut draft, &earlier, &placed, &used);
    }
    draft.into_opinions()
}

/// A new step becomes a task under its thread's goal.
fn add_step(draft: &mut Draft<'_>, track: &Track, earlier: &[&TurnRecord]) {
    if !track.is_new {
        return;
    }
    let record = draft.record;
    let first = earlier.first().copied().unwrap_or(record);
    let goal = history::goal_id(&record.thread);
    let branch = draft.view.here.branch.clone();
    let seen = vec![draft.turn_seen()];
    let parent = Task {
        owner: Some("agent".to_owned()),
        origin: Origin::Goal {
            branch: branch.clone(),
            thread: record.thread.clone(),
            turn: first.turn.clone(),
        },
        ..task(goal.clone(), title(first), draft.time(first.started_at))
    };
    draft.add_task(parent, "what the thread was asked for", seen.clone());
    let event = track
        .seen
        .first()
        .and_then(|(event, _)| record.events.get(*event));
    let at = draft.time(event.and_then(time_of));
    // A millisecond a place: wherever tasks are listed by time, a plan's steps come in its order.
    let place = SignedDuration::from_millis(i64::try_from(track.place).unwrap_or_default());
    let step = Task {
        owner: Some("agent".to_owned()),
        parent: Some(goal),
        origin: Origin::PlanStep {
            branch,
            thread: record.thread.clone(),
            turn: record.turn.clone(),
        },
        ..task(
            track.id.clone(),
            track.title.clone(),
            at.checked_add(place).unwrap_or(at),
        )
    };
    draft.add_task(step, "a step of the main agent's plan", seen);
}

fn title(record: &TurnRecord) -> String {
    let title = one_line(&record.request, Task::MAX_TITLE);
    if title.is_empty() {
        format!("Work of thread {}", one_line(record.thread.as_str(), 60))
    } else {
        title
    }
}

fn task(id: TaskId, title: String, at: orch_protocol::Timestamp) -> Task {
    Task::new(id, title, Origin::Person { branch: None }, at)
}

/// Another thread's task is this one's, too, from the first plan on that names it: the turn is put down with it.
fn take_up(draft: &mut Draft<'_>, track: &Track) {
    let own = draft.task(&track.id).and_then(history::thread_of) == Some(&draft.record.thread);
    if !own && track.before.is_none() {
        let seen = [draft.turn_seen()];
        draft.add_evidence(&track.id, &seen);
    }
}

/// Remembers how the model names a task now. Where the list is full, only what stands in the last plan is worth a place.
fn add_wordings(draft: &mut Draft<'_>, track: &Track) {
    let known = draft.task(&track.id).map_or(0, |task| task.aliases.len());
    let mut room = Task::MAX_ALIASES.saturating_sub(known);
    for (at, wording) in track.wordings.iter().enumerate() {
        let is_final = track.is_last && at + 1 == track.wordings.len();
        if room == 0 && !is_final {
            continue;
        }
        room = room.saturating_sub(1);
        let change = Change::AddAlias {
            task: track.id.clone(),
            alias: wording.clone(),
        };
        let seen = vec![draft.turn_seen()];
        draft.propose(change, "the plan words it anew", Confidence::High, seen);
    }
}

/// What the turn says of a task, if that is something new: only what changed in the plan counts, so that a plan carried
/// to another branch claims nothing there.
fn claimed(draft: &Draft<'_>, track: &Track) -> Option<ClaimState> {
    let here = draft.view.here;
    let task = draft.task(&track.id)?;
    let status = status_at(task, here);
    let (_, now) = *track.seen.last()?;
    let state = match now {
        StepStatus::Completed => (track.before != Some(StepStatus::Completed)
            && status != TaskStatus::Done)
            .then_some(ClaimState::Done),
        // Begun and then gone from the plan: given up, as far as one can see.
        StepStatus::InProgress if !track.is_last => None,
        StepStatus::InProgress => match (track.before, status) {
            (_, TaskStatus::Active) => None,
            (Some(StepStatus::InProgress), TaskStatus::Pending) => Some(ClaimState::Active),
            (Some(StepStatus::InProgress), _) => None,
            _ => Some(ClaimState::Active),
        },
        StepStatus::Pending => match (track.before, status) {
            (Some(StepStatus::Completed) | None, TaskStatus::Done)
            | (Some(StepStatus::InProgress), TaskStatus::Active) => Some(ClaimState::Pending),
            _ => None,
        },
    }?;
    let said = turn_claims(draft, &track.id);
    if task
        .claims
        .iter()
        .any(|claim| claim.id == claim_id(draft, &track.id, state))
    {
        return None;
    }
    // A word that was given later stands, also when this turn is looked at again long after.
    let at = said_at(draft, track);
    let overtaken = task
        .claims
        .iter()
        .any(|claim| !said.contains(&claim.id) && holds(claim, here) && claim.at > at);
    // What this turn was seen to discard, it hasn't finished.
    let discarded = deciding(task, here).is_some_and(|claim| {
        claim.by == Actor::BacklogKeeper && claim.state == ClaimState::Pending && claim.at >= at
    });
    (!discarded && (state == ClaimState::Done || !overtaken)).then_some(state)
}

fn said_at(draft: &Draft<'_>, track: &Track) -> orch_protocol::Timestamp {
    let event = track.seen.last().map(|(event, _)| *event);
    draft.time(
        event
            .and_then(|event| draft.record.events.get(event))
            .and_then(time_of),
    )
}

fn claim(draft: &Draft<'_>, track: &Track, state: ClaimState) -> Claim {
    Claim {
        id: claim_id(draft, &track.id, state),
        state,
        by: Actor::MainAgent,
        at: said_at(draft, track),
        branch: draft.view.here.branch.clone(),
        worktree: draft.view.here.worktree.clone(),
        commits: Vec::new(),
        files: Vec::new(),
        reason: None,
    }
}

/// A plan can't silently overrule what a person said of a task.
fn at_most(draft: &Draft<'_>, id: &TaskId, confidence: Confidence) -> Confidence {
    let by_person = draft
        .task(id)
        .and_then(|task| deciding(task, draft.view.here))
        .is_some_and(|claim| {
            claim.by == Actor::Person
                && !matches!(claim.state, ClaimState::Pending | ClaimState::Active)
        });
    if by_person {
        confidence.min(Confidence::Medium)
    } else {
        confidence
    }
}

fn say(draft: &mut Draft<'_>, track: &Track, state: ClaimState) {
    let reason = match (state, track.before) {
        (ClaimState::Active, _) => "the plan has it in progress",
        (_, Some(StepStatus::InProgress)) => "the plan has put it back",
        _ => "reopened in the plan",
    };
    let claim = claim(draft, track, state);
    let seen = vec![draft.turn_seen()];
    let confidence = at_most(draft, &track.id, Confidence::High);
    let change = Change::Claim {
        task: track.id.clone(),
        claim,
    };
    draft.propose(change, reason, confidence, seen.clone());
    draft.add_evidence(&track.id, &seen);
}

/// A completed step is claimed done, with the commits that hold its work or else the files that wait for one.
fn finish(
    draft: &mut Draft<'_>,
    track: &Track,
    placed: &[Placed<'_>],
    before: Option<&GitSnapshot>,
    after: Option<&GitSnapshot>,
) {
    let record = draft.record;
    let Some(span) = interval::of(track, record) else {
        return;
    };
    let patched: Vec<String> = interval::files(record, &span)
        .into_iter()
        .map(|(path, _)| from_top(path, record.cwd.as_deref(), draft.view.here))
        .collect();
    let found = commits::of_interval(placed, &span, &patched);
    let mut claim = claim(draft, track, ClaimState::Done);
    claim.commits = found.iter().map(|commit| commit.id.clone()).collect();
    if found.is_empty() {
        claim.files = waiting_files(&patched, before, after);
    }
    let seen = draft.work_seen(&span, &found, &patched);
    let sure = draft.confidence(&span, &seen);
    let reason = match (sure, found.as_slice()) {
        (Confidence::Low, _) => "the plan has it completed, but its last test failed".to_owned(),
        (Confidence::Medium, _) => "the plan has it completed; nothing was seen of it".to_owned(),
        (Confidence::High, []) => "the plan has it completed, and work on it was seen".to_owned(),
        (Confidence::High, [.., last]) => {
            format!(
                "the plan has it completed, and commit {} holds it",
                last.id.short()
            )
        }
    };
    let sure = at_most(draft, &track.id, sure);
    let change = Change::Claim {
        task: track.id.clone(),
        claim,
    };
    draft.propose(change, &reason, sure, seen.clone());
    draft.add_evidence(&track.id, &seen);
}

/// The files whose commit the claim waits for: those patched for the step, else those that the turn left changed. What
/// git doesn't call changed (ignored files, say) can't be waited for.
fn waiting_files(
    patched: &[String],
    before: Option<&GitSnapshot>,
    after: Option<&GitSnapshot>,
) -> Vec<String> {
    let Some(after) = after else {
        return patched.to_vec();
    };
    let dirty = after.dirty.iter();
    let mut files: Vec<String> = if patched.is_empty() {
        dirty
            .filter(|file| before.is_none_or(|before| !before.dirty.contains(file)))
            .map(|file| file.path.clone())
            .collect()
    } else if after.dirty_truncated {
        patched.to_vec()
    } else {
        dirty
            .map(|file| file.path.clone())
            .filter(|path| patched.contains(path))
            .collect()
    };
    files.sort();
    files.dedup();
    files
}

/// Commits of a thread that never made a plan become one task, so that what happened is there afterwards.
fn add_planless(
    draft: &mut Draft<'_>,
    earlier: &[&TurnRecord],
    placed: &[Placed<'_>],
    used: &[CommitId],
) {
    let record = draft.record;
    let planned = !history::last_plan(earlier).is_empty()
        || draft
            .view
            .state
            .tasks
            .contains_key(&history::goal_id(&record.thread));
    let made: Vec<_> = placed.iter().map(|(_, commit)| *commit).collect();
    let id = TaskId::from_seed(&["turn", record.thread.as_str(), record.turn.as_str()]);
    let others = draft.view.state.tasks.values().filter(|task| task.id != id);
    let named: BTreeSet<&CommitId> = others
        .flat_map(|task| &task.claims)
        .flat_map(|claim| &claim.commits)
        .collect();
    let is_known = |commit: &CommitId| used.contains(commit) || named.contains(commit);
    if planned || made.iter().all(|commit| is_known(&commit.id)) {
        return;
    }
    let seen: Vec<Evidence> = draft.work_seen(&(0..record.events.len()), &made, &[]);
    let goal = Task {
        owner: Some("agent".to_owned()),
        origin: Origin::Goal {
            branch: draft.view.here.branch.clone(),
            thread: record.thread.clone(),
            turn: record.turn.clone(),
        },
        ..task(id.clone(), title(record), draft.time(record.started_at))
    };
    draft.add_task(
        goal,
        "asked for, and committed without a plan",
        seen.clone(),
    );
    let state = match record.status {
        TurnStatus::Completed => ClaimState::Done,
        TurnStatus::Failed | TurnStatus::Interrupted => ClaimState::Active,
    };
    let said = claim_id(draft, &id, state);
    if draft
        .task(&id)
        .is_some_and(|task| task.claims.iter().all(|claim| claim.id != said))
    {
        let claim = Claim {
            id: said,
            state,
            by: Actor::BacklogKeeper,
            at: draft.time(None),
            branch: draft.view.here.branch.clone(),
            worktree: draft.view.here.worktree.clone(),
            commits: match state {
                ClaimState::Done => made.iter().map(|commit| commit.id.clone()).collect(),
                ClaimState::Pending
                | ClaimState::Active
                | ClaimState::Blocked
                | ClaimState::Dropped => Vec::new(),
            },
            files: Vec::new(),
            reason: None,
        };
        let change = Change::Claim {
            task: id.clone(),
            claim,
        };
        draft.propose(
            change,
            "the turn committed it",
            Confidence::High,
            seen.clone(),
        );
    }
    draft.add_evidence(&id, &seen);
}
