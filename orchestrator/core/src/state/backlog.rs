//! How facts change the backlog and its archive: every way an edge gets in keeps the graph acyclic.

use orch_protocol::fact::Fact;
use orch_protocol::ids::{CommitId, ProposalId, TaskId};
use orch_protocol::proposal::{Change, Confidence, Proposal, TaskEdit};
use orch_protocol::task::{Evidence, EvidenceKind, Task};
use orch_protocol::text::bounded;

use super::{State, push_bounded};
use crate::graph::cycle_closed_by;
use crate::merge::{Lost, merge_task};

impl State {
    /// A task stands in the backlog or in the archive, never in both. What is said of an archived one takes it back; a
    /// merge, which may be an undo, changes it where it is.
    pub(super) fn change_backlog(&mut self, fact: &Fact, change: &Change, reason: &str) {
        match change {
            Change::AddTask { task } => {
                if !self.tasks.contains_key(&task.id) && !self.archive.contains_key(&task.id) {
                    self.put(fact, (**task).clone(), &[], reason);
                }
            }
            Change::AddNeed { task, need } => {
                self.take_back(fact, task, reason);
                self.add_need(fact, task, need, reason);
            }
            Change::MergeTask { task, base, theirs } => {
                let archived = self.archive.contains_key(task);
                let held = match archived {
                    true => self.archive.remove(task),
                    false => self.tasks.remove(task),
                };
                let merged = merge_task(base.as_deref(), held.as_ref(), theirs.as_deref());
                if let Some(value) = merged.value {
                    let value = Task {
                        id: task.clone(),
                        ..value
                    };
                    match archived {
                        true => {
                            self.archive.insert(task.clone(), value);
                        }
                        false => {
                            let before = held.map(|held| held.needs).unwrap_or_default();
                            self.put(fact, value, &before, reason);
                        }
                    }
                }
                self.keep_for_review(fact, merged.lost);
            }
            Change::Archive {
                task,
                archived: true,
            } => {
                if let Some(held) = self.tasks.remove(task) {
                    self.archive.insert(task.clone(), held);
                }
            }
            Change::Archive {
                task,
                archived: false,
            } => self.take_back(fact, task, reason),
            Change::Claim { .. }
            | Change::AnchorClaim { .. }
            | Change::AddEvidence { .. }
            | Change::AddAlias { .. }
            | Change::EditTask { .. }
            | Change::RemoveNeed { .. } => {
                self.take_back(fact, change.task(), reason);
                self.change_task(change);
            }
        }
    }

    fn take_back(&mut self, fact: &Fact, task: &TaskId, reason: &str) {
        if !self.tasks.contains_key(task)
            && let Some(held) = self.archive.remove(task)
        {
            self.put(fact, held, &[], reason);
        }
    }

    /// Puts a task into the backlog. Its edges are added one by one, but those that were there `before`: one that others'
    /// edges make a cycle of waits for review.
    fn put(&mut self, fact: &Fact, task: Task, before: &[TaskId], reason: &str) {
        let (mut old, new): (Vec<TaskId>, Vec<TaskId>) = task
            .needs
            .iter()
            .cloned()
            .partition(|need| before.contains(need));
        old.sort();
        old.dedup();
        let id = task.id.clone();
        self.tasks.insert(id.clone(), Task { needs: old, ..task });
        for need in &new {
            self.add_need(fact, &id, need, reason);
        }
    }

    /// What a merge could not keep waits for review.
    pub(super) fn keep_for_review(&mut self, fact: &Fact, lost: Vec<Lost>) {
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
}

fn add_evidence(task: &mut Task, evidence: &[Evidence]) {
    for seen in evidence {
        if !task.evidence.contains(seen) {
            task.evidence.push(seen.clone());
        }
        if seen.kind == EvidenceKind::Commit {
            task.target_commit = Some(CommitId::new(seen.reference.clone()));
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
