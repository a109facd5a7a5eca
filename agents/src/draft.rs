//! A list of proposals in the making: it leaves out what the state holds or what waits for review already. It decides
//! nothing else.

use orch_core::agent::{Opinion, View};
use orch_protocol::Timestamp;
use orch_protocol::ids::{ProposalId, SessionId, TaskId};
use orch_protocol::proposal::{Change, Confidence, Proposal, TaskEdit};
use orch_protocol::task::{Actor, Evidence, Task};
use orch_protocol::tasks::Tasks;
use orch_protocol::text::one_line;
use orch_protocol::turn::TurnRecord;

/// Proposals of one turn.
pub(crate) struct Draft<'a> {
    pub(crate) view: View<'a>,
    pub(crate) session: &'a SessionId,
    pub(crate) record: &'a TurnRecord,
    added: Tasks,
    proposals: Vec<Proposal>,
}

impl<'a> Draft<'a> {
    pub(crate) fn new(view: View<'a>, session: &'a SessionId, record: &'a TurnRecord) -> Self {
        Self {
            view,
            session,
            record,
            added: Tasks::new(),
            proposals: Vec::new(),
        }
    }

    /// A task of the state, or one that is proposed here.
    pub(crate) fn task(&self, id: &TaskId) -> Option<&Task> {
        self.view.state.tasks.get(id).or_else(|| self.added.get(id))
    }

    /// The time of something in the turn whose own time isn't known.
    pub(crate) fn time(&self, at: Option<Timestamp>) -> Timestamp {
        at.or(self.record.ended_at)
            .or(self.record.started_at)
            .unwrap_or(self.view.now)
    }

    pub(crate) fn add_task(&mut self, task: Task, reason: &str, evidence: Vec<Evidence>) {
        if self.task(&task.id).is_none() {
            self.added.insert(task.id.clone(), task.clone());
            let change = Change::AddTask {
                task: Box::new(task),
            };
            self.propose(change, reason, Confidence::High, evidence);
        }
    }

    /// Appends what the task doesn't hold yet.
    pub(crate) fn add_evidence(&mut self, id: &TaskId, evidence: &[Evidence]) {
        let Some(task) = self.task(id) else { return };
        let untimed = self.record.started_at.is_none() && self.record.ended_at.is_none();
        let fresh: Vec<Evidence> = evidence
            .iter()
            .filter(|seen| {
                !task.evidence.iter().any(|known| {
                    known.kind == seen.kind
                        && known.reference == seen.reference
                        && known.ok == seen.ok
                        && known.session == seen.session
                        && (untimed || known.at == seen.at)
                })
            })
            .cloned()
            .collect();
        if !fresh.is_empty() {
            let change = Change::AddEvidence {
                task: id.clone(),
                evidence: fresh.clone(),
            };
            self.propose(change, "observed in the turn", Confidence::High, fresh);
        }
    }

    pub(crate) fn propose(
        &mut self,
        change: Change,
        reason: &str,
        confidence: Confidence,
        evidence: Vec<Evidence>,
    ) {
        let id = proposal_id(self.record, &change);
        let waits = self.view.state.project.proposals.contains_key(&id);
        if waits || self.proposals.iter().any(|known| known.id == id) {
            return;
        }
        self.proposals.push(Proposal {
            id,
            by: Actor::BacklogKeeper,
            at: self.view.now,
            change,
            reason: one_line(reason, Task::MAX_TEXT),
            confidence,
            evidence,
        });
    }

    pub(crate) fn into_opinions(self) -> Vec<Opinion> {
        self.proposals
            .into_iter()
            .map(|proposal| Opinion::Change(Box::new(proposal)))
            .collect()
    }
}

/// Derived from what is proposed: what is proposed again is the same proposal.
fn proposal_id(record: &TurnRecord, change: &Change) -> ProposalId {
    let mut seed: Vec<&str> = vec!["backlog-keeper"];
    let task = change.task().as_str();
    match change {
        Change::AddTask { .. } => seed.extend(["add-task", task]),
        Change::Claim { claim, .. } => seed.extend(["claim", task, claim.id.as_str()]),
        Change::AnchorClaim { claim, commits, .. } => {
            seed.extend(["anchor", task, claim.as_str()]);
            seed.extend(commits.iter().map(|commit| commit.as_str()));
        }
        Change::AddEvidence { evidence, .. } => {
            seed.extend(["evidence", task, record.turn.as_str()]);
            seed.extend(evidence.iter().map(|seen| seen.reference.as_str()));
        }
        Change::AddAlias { alias, .. } => seed.extend(["alias", task, alias]),
        Change::EditTask { edit, .. } => {
            let TaskEdit {
                title, owner, note, ..
            } = edit;
            seed.extend(["edit", task, record.turn.as_str()]);
            seed.extend(
                [title, owner, note]
                    .into_iter()
                    .flatten()
                    .map(String::as_str),
            );
        }
        Change::AddNeed { need, .. } => seed.extend(["need", task, need.as_str()]),
        Change::RemoveNeed { need, .. } => seed.extend(["unneed", task, need.as_str()]),
        // People's ways to change a task; no agent proposes them.
        Change::MergeTask { .. } => seed.extend(["merge", task, record.turn.as_str()]),
        Change::Archive { archived, .. } => {
            seed.extend(["archive", task, if *archived { "out" } else { "in" }]);
        }
    }
    ProposalId::from_seed(&seed)
}
