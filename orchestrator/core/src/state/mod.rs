//! The state, and the only way it changes: [`State::apply`]. How the backlog changes stands in `backlog.rs`, how
//! branch contexts move in `contexts.rs`.

mod backlog;
mod contexts;

use std::collections::BTreeMap;

use orch_protocol::fact::{Event, Fact};
use orch_protocol::ids::{LogId, SessionId, TaskId};
use orch_protocol::project::{BranchContext, Project};
use orch_protocol::session::{Session, SessionTurn};
use orch_protocol::tasks::Tasks;

use crate::merge::merge_projects;
use crate::name::next_name;

/// Everything that is known, as plain data. Sessions and journal entries are there as far as they were loaded.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct State {
    /// Branch contexts, checkpoints, proposals, open runs, drift.
    pub project: Project,
    /// The backlog.
    pub tasks: Tasks,
    /// Closed tasks that were moved out of the backlog, as far as they were loaded.
    pub archive: Tasks,
    /// The short cache: those sessions that were loaded or opened.
    pub sessions: BTreeMap<SessionId, Session>,
    /// Journal entries by name; the text of one that stands in the store and wasn't loaded is `None`.
    pub journal: BTreeMap<String, Option<String>>,
    /// How far each process's log is contained in this state: a fact at or below its log's mark is not applied again.
    pub folded: BTreeMap<LogId, u64>,
}

impl State {
    /// Applies a fact; one that is contained already changes nothing. Returns whether it was new.
    pub fn apply(&mut self, fact: &Fact) -> bool {
        let mark = self.folded.entry(fact.id.log.clone()).or_default();
        if fact.id.seq <= *mark {
            return false;
        }
        *mark = fact.id.seq;
        self.change(fact);
        true
    }

    /// The session a fact changes: a store has to have it loaded before the fact is applied.
    pub fn session_of(event: &Event) -> Option<&SessionId> {
        match event {
            Event::SessionOpened { session, .. }
            | Event::TurnRecorded { session, .. }
            | Event::TurnSummarised { session, .. }
            | Event::SessionDigested { session, .. }
            | Event::Anchored { session, .. }
            | Event::TurnReverted { session, .. } => Some(session),
            Event::RunStarted { .. }
            | Event::RunEnded { .. }
            | Event::Changed { .. }
            | Event::Proposed { .. }
            | Event::ProposalSettled { .. }
            | Event::ContextSet { .. }
            | Event::ContextMoved { .. }
            | Event::ContextArchived { .. }
            | Event::ContextRestored { .. }
            | Event::CheckpointReached { .. }
            | Event::DriftMet { .. }
            | Event::DriftChosen { .. }
            | Event::MilestoneSet { .. }
            | Event::RewritesFound { .. }
            | Event::HandEdited { .. }
            | Event::Undone { .. }
            | Event::ProjectMerged { .. } => None,
        }
    }

    /// The task that a fact changes, which may be an archived one: a store has to have it loaded, from wherever it is,
    /// before the fact is applied.
    pub fn task_of(event: &Event) -> Option<&TaskId> {
        match event {
            Event::Changed { change, .. } => Some(change.task()),
            Event::SessionOpened { .. }
            | Event::TurnRecorded { .. }
            | Event::TurnSummarised { .. }
            | Event::SessionDigested { .. }
            | Event::Anchored { .. }
            | Event::TurnReverted { .. }
            | Event::RunStarted { .. }
            | Event::RunEnded { .. }
            | Event::Proposed { .. }
            | Event::ProposalSettled { .. }
            | Event::ContextSet { .. }
            | Event::ContextMoved { .. }
            | Event::ContextArchived { .. }
            | Event::ContextRestored { .. }
            | Event::CheckpointReached { .. }
            | Event::DriftMet { .. }
            | Event::DriftChosen { .. }
            | Event::MilestoneSet { .. }
            | Event::RewritesFound { .. }
            | Event::HandEdited { .. }
            | Event::Undone { .. }
            | Event::ProjectMerged { .. } => None,
        }
    }

    fn change(&mut self, fact: &Fact) {
        match &fact.event {
            Event::RunStarted { run } => {
                self.project.open_runs.insert(run.run.clone(), run.clone());
            }
            Event::RunEnded { run, .. } => {
                self.project.open_runs.remove(run);
            }
            Event::SessionOpened {
                session,
                thread,
                branch,
                run,
            } => {
                let entry = self
                    .sessions
                    .entry(session.clone())
                    .or_insert_with(|| Session {
                        id: session.clone(),
                        thread: thread.clone(),
                        branch: branch.clone(),
                        started_at: fact.at,
                        runs: Vec::new(),
                        snapshot: None,
                        plan: Vec::new(),
                        turns: Vec::new(),
                        digest: None,
                        journal: None,
                    });
                if !entry.runs.contains(run) {
                    entry.runs.push(run.clone());
                }
            }
            Event::TurnRecorded {
                session,
                record,
                snapshot,
            } => {
                if let Some(session) = self.sessions.get_mut(session) {
                    if let Some(steps) = record.last_plan() {
                        session.plan = steps.to_vec();
                    }
                    if snapshot.is_some() {
                        session.snapshot.clone_from(snapshot);
                    }
                    match session
                        .turns
                        .iter_mut()
                        .find(|turn| turn.record.turn == record.turn)
                    {
                        Some(turn) => turn.record = (**record).clone(),
                        None => session.turns.push(SessionTurn {
                            record: (**record).clone(),
                            summary: None,
                            reverted: false,
                        }),
                    }
                }
            }
            Event::TurnSummarised {
                session,
                turn,
                summary,
            } => {
                let turns = self
                    .sessions
                    .get_mut(session)
                    .map(|session| &mut session.turns);
                if let Some(known) = turns
                    .and_then(|turns| turns.iter_mut().find(|known| known.record.turn == *turn))
                {
                    known.summary = Some(summary.clone());
                }
            }
            Event::SessionDigested {
                session,
                digest,
                journal,
                text,
            } => {
                let journal = self.entry_for(session, journal);
                self.journal.insert(journal.clone(), Some(text.clone()));
                if let Some(session) = self.sessions.get_mut(session) {
                    session.digest = Some(digest.clone());
                    session.journal = Some(journal);
                }
            }
            Event::Changed { change, reason } => self.change_backlog(fact, change, reason),
            Event::Proposed { proposal } => {
                self.project
                    .proposals
                    .insert(proposal.id.clone(), (**proposal).clone());
            }
            Event::ProposalSettled { proposal, .. } => {
                self.project.proposals.remove(proposal);
            }
            Event::ContextSet { branch, context } => {
                self.project
                    .branches
                    .insert(branch.clone(), (**context).clone());
            }
            Event::ContextMoved { from, to } => {
                contexts::rename(&mut self.project, from, to, fact.at)
            }
            Event::ContextArchived { branch } => {
                contexts::archive(&mut self.project, branch, fact.at);
            }
            Event::ContextRestored { branch } => contexts::restore(&mut self.project, branch),
            Event::CheckpointReached { checkpoint } => {
                push_bounded(
                    &mut self.project.checkpoints,
                    checkpoint.clone(),
                    Project::MAX_CHECKPOINTS,
                );
            }
            Event::DriftMet { drift } => {
                push_bounded(&mut self.project.drift, drift.clone(), Project::MAX_DRIFT)
            }
            Event::DriftChosen { thread, choice } => {
                match choice {
                    Some(choice) => self
                        .project
                        .drift_choices
                        .insert(thread.clone(), choice.clone()),
                    None => self.project.drift_choices.remove(thread),
                };
            }
            Event::Anchored { session, snapshot } => {
                if let Some(session) = self.sessions.get_mut(session) {
                    session.snapshot = Some((**snapshot).clone());
                }
            }
            Event::TurnReverted { session, turn } => {
                let turns = self
                    .sessions
                    .get_mut(session)
                    .map(|session| &mut session.turns);
                let known = turns
                    .into_iter()
                    .flatten()
                    .find(|known| known.record.turn == *turn);
                if let Some(known) = known {
                    known.reverted = true;
                }
            }
            Event::MilestoneSet { name, milestone } => {
                match milestone {
                    Some(milestone) => self
                        .project
                        .milestones
                        .insert(name.clone(), milestone.clone()),
                    None => self.project.milestones.remove(name),
                };
            }
            Event::RewritesFound { pairs } => {
                for (named, found) in pairs {
                    let found_as = self.project.rewrites.entry(named.clone()).or_default();
                    found_as.insert(found.clone());
                }
            }
            Event::ProjectMerged { base, theirs } => {
                let merged = merge_projects(base, &self.project, theirs);
                self.project = merged.value;
                contexts::bound(&mut self.project);
                self.keep_for_review(fact, merged.lost);
            }
            Event::HandEdited { .. } | Event::Undone { .. } => {}
        }
    }

    /// The entry a session's journal goes into: its own if it has one. Of two processes that chose the same name at the
    /// same time, the one that comes second takes the next.
    fn entry_for(&self, session: &SessionId, wanted: &str) -> String {
        let own = self
            .sessions
            .get(session)
            .and_then(|session| session.journal.clone());
        own.unwrap_or_else(|| {
            if self.journal.contains_key(wanted) {
                next_name(wanted, self.journal.keys().map(String::as_str))
            } else {
                wanted.to_owned()
            }
        })
    }

    /// The context of a branch; an empty one where none is kept.
    pub fn context(&self, branch: Option<&str>) -> BranchContext {
        branch
            .and_then(|branch| self.project.branches.get(branch))
            .cloned()
            .unwrap_or_default()
    }
}

fn push_bounded<T>(list: &mut Vec<T>, item: T, max: usize) {
    list.push(item);
    if list.len() > max {
        list.remove(0);
    }
}
