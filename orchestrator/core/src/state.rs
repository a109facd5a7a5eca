//! The state, and the only way it changes: [`State::apply`].

use std::collections::BTreeMap;

use orch_protocol::fact::{Event, Fact};
use orch_protocol::ids::{LogId, ProposalId, SessionId, TaskId};
use orch_protocol::project::{BranchContext, Project};
use orch_protocol::proposal::{Change, Confidence, Proposal, TaskEdit};
use orch_protocol::session::{Session, SessionTurn};
use orch_protocol::task::{Evidence, EvidenceKind, Task};
use orch_protocol::text::bounded;

use crate::graph::cycle_closed_by;

use crate::merge::{Lost, merge_projects, merge_task};
use crate::name::next_name;

/// Everything that is known, as plain data. Sessions and journal entries are there as far as they were loaded.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct State {
    /// Branch contexts, checkpoints, proposals, open runs, drift.
    pub project: Project,
    /// The backlog.
    pub tasks: BTreeMap<TaskId, Task>,
    /// Closed tasks that were moved out of the backlog, as far as they were loaded.
    pub archive: BTreeMap<TaskId, Task>,
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

    fn change_backlog(&mut self, fact: &Fact, change: &Change, reason: &str) {
        match change {
            Change::AddTask { task } if !self.tasks.contains_key(&task.id) => {
                let alone = Task {
                    needs: Vec::new(),
                    ..(**task).clone()
                };
                self.tasks.insert(task.id.clone(), alone);
                for need in &task.needs {
                    self.add_need(fact, &task.id, need, reason);
                }
            }
            Change::AddTask { .. } => {}
            Change::AddNeed { task, need } => self.add_need(fact, task, need, reason),
            Change::MergeTask { task, base, theirs } => {
                let merged = merge_task(base.as_deref(), self.tasks.get(task), theirs.as_deref());
                match merged.value {
                    // Its edges are added one by one: one that others' edges make a cycle of waits for review.
                    Some(value) => {
                        let before = self.tasks.get(task).map(|task| task.needs.clone());
                        let before = before.unwrap_or_default();
                        let (old, new): (Vec<TaskId>, Vec<TaskId>) = value
                            .needs
                            .iter()
                            .cloned()
                            .partition(|need| before.contains(need));
                        self.tasks.insert(
                            task.clone(),
                            Task {
                                needs: old,
                                ..value
                            },
                        );
                        for need in &new {
                            self.add_need(fact, task, need, reason);
                        }
                    }
                    None => {
                        self.tasks.remove(task);
                    }
                }
                self.keep_for_review(fact, merged.lost);
            }
            Change::Archive { task, archived } => match archived {
                true => {
                    if let Some(held) = self.tasks.remove(task) {
                        self.archive.insert(task.clone(), held);
                    }
                }
                false => {
                    if let Some(held) = self.archive.remove(task) {
                        self.tasks.entry(task.clone()).or_insert(held);
                    }
                }
            },
            change => self.change_task(change),
        }
    }

    /// What a merge could not keep waits for review.
    fn keep_for_review(&mut self, fact: &Fact, lost: Vec<Lost>) {
        for Lost { change, why } in lost {
            let seed = serde_json::to_string(&change).unwrap_or_default();
            let id = ProposalId::from_seed(&["lost", &seed]);
            let proposal = Proposal {
                id: id.clone(),
                by: fact.by,
                at: fact.at,
                change,
                reason: bounded(&why, Task::MAX_TEXT),
                confidence: Confidence::Low,
                evidence: Vec::new(),
            };
            self.project.proposals.insert(id, proposal);
        }
    }

    /// Adds an edge. Two processes may each have added one that was fine by itself: the edge that would close a cycle, in
    /// the order in which facts are applied, is left out and waits for review.
    fn add_need(&mut self, fact: &Fact, task: &TaskId, need: &TaskId, reason: &str) {
        if !self.tasks.contains_key(task) {
            return;
        }
        let id = ProposalId::from_seed(&["cycle", task.as_str(), need.as_str()]);
        match cycle_closed_by(&self.tasks, task, need) {
            None => {
                self.project.proposals.remove(&id);
                if let Some(task) = self.tasks.get_mut(task)
                    && let Err(at) = task.needs.binary_search(need)
                {
                    task.needs.insert(at, need.clone());
                }
            }
            Some(cycle) => {
                let cycle: Vec<&str> = cycle.iter().map(TaskId::as_str).collect();
                let proposal = Proposal {
                    id: id.clone(),
                    by: fact.by,
                    at: fact.at,
                    change: Change::AddNeed {
                        task: task.clone(),
                        need: need.clone(),
                    },
                    reason: bounded(
                        &format!(
                            "left out, for it would close a cycle: {} ({reason})",
                            cycle.join(" → ")
                        ),
                        Task::MAX_TEXT,
                    ),
                    confidence: Confidence::Low,
                    evidence: Vec::new(),
                };
                self.project.proposals.insert(id, proposal);
            }
        }
    }

    fn change_task(&mut self, change: &Change) {
        let Some(task) = self.tasks.get_mut(change.task()) else {
            return;
        };
        match change {
            Change::AddTask { .. }
            | Change::AddNeed { .. }
            | Change::MergeTask { .. }
            | Change::Archive { .. } => {}
            Change::Claim { claim, .. } => {
                if !task.claims.iter().any(|known| known.id == claim.id) {
                    task.claims.push(claim.clone());
                }
            }
            Change::AnchorClaim { claim, commits, .. } => {
                if let Some(known) = task.claims.iter_mut().find(|known| known.id == *claim) {
                    known.commits.clone_from(commits);
                    known.files.clear();
                }
                task.target_commit = commits.last().cloned().or(task.target_commit.take());
            }
            Change::AddEvidence { evidence, .. } => add_evidence(task, evidence),
            Change::AddAlias { alias, .. } => {
                if task.title != *alias && !task.aliases.contains(alias) {
                    push_bounded(&mut task.aliases, alias.clone(), Task::MAX_ALIASES);
                }
            }
            Change::EditTask { edit, .. } => edit_task(task, edit),
            Change::RemoveNeed { need, .. } => task.needs.retain(|known| known != need),
        }
    }

    /// The context of a branch; an empty one where none is kept.
    pub fn context(&self, branch: Option<&str>) -> BranchContext {
        branch
            .and_then(|branch| self.project.branches.get(branch))
            .cloned()
            .unwrap_or_default()
    }
}

fn add_evidence(task: &mut Task, evidence: &[Evidence]) {
    for seen in evidence {
        if !task.evidence.contains(seen) {
            task.evidence.push(seen.clone());
        }
        if seen.kind == EvidenceKind::Commit {
            task.target_commit = Some(orch_protocol::ids::CommitId::new(seen.reference.clone()));
        }
    }
    // Commits are never crowded out: they are what the next reader needs.
    while task.evidence.len() > Task::MAX_EVIDENCE {
        let oldest = task
            .evidence
            .iter()
            .position(|seen| seen.kind != EvidenceKind::Commit)
            .unwrap_or(0);
        task.evidence.remove(oldest);
    }
}

fn edit_task(task: &mut Task, edit: &TaskEdit) {
    let TaskEdit {
        title,
        owner,
        priority,
        parent,
        milestone,
        acceptance,
        target_commit,
        note,
    } = edit;
    if let Some(title) = title {
        task.title.clone_from(title);
    }
    if let Some(owner) = owner {
        task.owner = Some(owner.clone()).filter(|owner| !owner.is_empty());
    }
    if let Some(priority) = priority {
        task.priority = *priority;
    }
    if let Some(parent) = parent {
        task.parent = Some(TaskId::new(parent.clone())).filter(|_| !parent.is_empty());
    }
    if let Some(milestone) = milestone {
        task.milestone = Some(milestone.clone()).filter(|name| !name.is_empty());
    }
    if let Some(acceptance) = acceptance {
        task.acceptance = Some(acceptance.clone()).filter(|text| !text.is_empty());
    }
    if let Some(commit) = target_commit {
        task.target_commit = Some(commit.clone()).filter(|id| !id.as_str().is_empty());
    }
    if let Some(note) = note {
        task.notes.push(note.clone());
    }
}

fn push_bounded<T>(list: &mut Vec<T>, item: T, max: usize) {
    list.push(item);
    if list.len() > max {
        list.remove(0);
    }
}
