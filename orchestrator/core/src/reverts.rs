//! What follows when the work of a done task was reverted here: opening it again is proposed. The status itself stays,
//! for the commit is still reached; a person decides.

use orch_protocol::Timestamp;
use orch_protocol::ids::{ClaimId, CommitId, ProposalId};
use orch_protocol::proposal::{Change, Confidence, Proposal};
use orch_protocol::task::{Actor, Claim, ClaimState, Evidence, EvidenceKind, Task};

use crate::judge::{Here, deciding};
use crate::state::State;

/// A claimed commit that a commit which HEAD reaches says it reverts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reverted {
    /// The commit, as claims name it.
    pub commit: CommitId,
    /// The one that reverts it.
    pub by: CommitId,
    /// The one that reverts the revert, if HEAD reaches one: then the work is there again.
    pub taken_back: Option<CommitId>,
}

/// Proposes to open again what is done here by commits that were reverted here: once for each task and reverting commit.
///
/// The proposed claim names the reverting commit, so it counts only where that is reached.
pub fn reopenings(
    state: &State,
    here: &Here,
    reverts: &[Reverted],
    now: Timestamp,
) -> Vec<Proposal> {
    let standing: Vec<&Reverted> = reverts
        .iter()
        .filter(|revert| revert.taken_back.is_none())
        .collect();
    if standing.is_empty() {
        return Vec::new();
    }
    let mut proposals = Vec::new();
    for task in state.tasks.values() {
        let Some(done) = deciding(task, here).filter(|claim| claim.state == ClaimState::Done)
        else {
            continue;
        };
        let revert = standing
            .iter()
            .find(|revert| done.commits.contains(&revert.commit));
        if let Some(revert) = revert {
            let proposal = reopening(task, done, revert, here, now);
            let is_known = state.project.proposals.contains_key(&proposal.id)
                || task
                    .claims
                    .iter()
                    .any(|claim| claim.id == claim_id(task, revert));
            if !is_known {
                proposals.push(proposal);
            }
        }
    }
    proposals
}

/// Proposals that wait, and whose ground is gone here: the revert they rest on was reverted itself.
pub fn withdrawn(state: &State, reverts: &[Reverted]) -> Vec<ProposalId> {
    let mut ids: Vec<ProposalId> = reverts
        .iter()
        .filter(|revert| revert.taken_back.is_some())
        .flat_map(|revert| {
            state
                .tasks
                .values()
                .filter(|task| {
                    task.claims
                        .iter()
                        .any(|claim| claim.commits.contains(&revert.commit))
                })
                .map(|task| proposal_id(task, revert))
        })
        .filter(|id| state.project.proposals.contains_key(id))
        .collect();
    ids.sort();
    ids.dedup();
    ids
}

fn proposal_id(task: &Task, revert: &Reverted) -> ProposalId {
    ProposalId::from_seed(&["reverted", task.id.as_str(), revert.by.as_str()])
}

fn claim_id(task: &Task, revert: &Reverted) -> ClaimId {
    ClaimId::from_seed(&["reverted", task.id.as_str(), revert.by.as_str()])
}

fn reopening(
    task: &Task,
    done: &Claim,
    revert: &Reverted,
    here: &Here,
    now: Timestamp,
) -> Proposal {
    let reason = format!(
        "commit {} was reverted by {}",
        revert.commit.short(),
        revert.by.short()
    );
    let claim = Claim {
        id: claim_id(task, revert),
        state: ClaimState::Pending,
        by: Actor::Supervisor,
        at: now.max(done.at),
        branch: here.branch.clone(),
        worktree: here.worktree.clone(),
        commits: vec![revert.by.clone()],
        files: Vec::new(),
        reason: Some(reason.clone()),
    };
    Proposal {
        id: proposal_id(task, revert),
        by: Actor::Supervisor,
        at: now,
        change: Change::Claim {
            task: task.id.clone(),
            claim,
        },
        reason,
        confidence: Confidence::Medium,
        evidence: vec![Evidence {
            kind: EvidenceKind::Commit,
            reference: revert.by.as_str().to_owned(),
            ok: None,
            tree: here.head.clone(),
            at: now,
            session: None,
        }],
    }
}
