//! Claims that were made for uncommitted work: when a commit brings the work they get that commit; when the work is
//! discarded, it is proposed to open the task again.

use orch_core::judge::deciding;
use orch_protocol::git::{CommitSummary, GitSnapshot};
use orch_protocol::ids::{ClaimId, CommitId, TaskId};
use orch_protocol::proposal::{Change, Confidence};
use orch_protocol::task::{Actor, Claim, ClaimState, EvidenceKind, Task};

use crate::commits::{placed, touches};
use crate::draft::Draft;

/// Looks at every claim that waits for its commit here; returns the commits that were found to be somebody's.
pub(crate) fn consider(
    draft: &mut Draft<'_>,
    before: Option<&GitSnapshot>,
    after: Option<&GitSnapshot>,
) -> Vec<CommitId> {
    let view = draft.view;
    let record = draft.record;
    let commits: Vec<&CommitSummary> = placed(record)
        .into_iter()
        .map(|(_, commit)| commit)
        .collect();
    let clean = after.is_some_and(|after| after.dirty.is_empty() && !after.dirty_truncated);
    let mut used = Vec::new();
    for task in view.state.tasks.values() {
        let Some(claim) = waiting(draft, task) else {
            continue;
        };
        let found = if claim.files.is_empty() {
            commits
                .last()
                .copied()
                .filter(|_| clean)
                .into_iter()
                .collect()
        } else {
            holding(&commits, &claim.files)
        };
        if !found.is_empty() {
            let seen: Vec<_> = found
                .iter()
                .map(|commit| draft.commit_seen(commit))
                .collect();
            let ids: Vec<CommitId> = found.iter().map(|commit| commit.id.clone()).collect();
            used.extend(ids.iter().cloned());
            let change = Change::AnchorClaim {
                task: task.id.clone(),
                claim: claim.id.clone(),
                commits: ids,
            };
            draft.propose(
                change,
                "the work it was claimed for was committed",
                Confidence::High,
                seen.clone(),
            );
            draft.add_evidence(&task.id, &seen);
        } else if is_discarded(draft, task, claim, before, after) {
            discard(draft, task, claim);
        }
    }
    used
}

/// The claim by which an agent calls a task done for work that wasn't committed, if it was made here, by another turn.
fn waiting<'a>(draft: &Draft<'a>, task: &'a Task) -> Option<&'a Claim> {
    let here = draft.view.here;
    let claim = deciding(task, here)?;
    let of_agent = match claim.by {
        Actor::Person => false,
        Actor::MainAgent | Actor::BacklogKeeper | Actor::Summariser | Actor::Supervisor => true,
    };
    let here_made = claim.branch == here.branch && claim.worktree == here.worktree;
    let this_turn = turn_claims(draft, &task.id).contains(&claim.id);
    (of_agent
        && here_made
        && !this_turn
        && here.worktree.is_some()
        && claim.state == ClaimState::Done
        && claim.commits.is_empty())
    .then_some(claim)
}

/// The first commit that touches each of the files.
fn holding<'a>(commits: &[&'a CommitSummary], files: &[String]) -> Vec<&'a CommitSummary> {
    let mut open: Vec<String> = files.to_vec();
    let mut found = Vec::new();
    for commit in commits {
        if touches(commit, &open) {
            open.retain(|file| !commit.files.contains(file));
            found.push(*commit);
        }
    }
    found
}

/// None of the claim's files differs from HEAD any more, and no commit can have taken them: they differed when the turn
/// began and nothing was committed in it, or HEAD is where it was when the claim was made.
fn is_discarded(
    draft: &Draft<'_>,
    task: &Task,
    claim: &Claim,
    before: Option<&GitSnapshot>,
    after: Option<&GitSnapshot>,
) -> bool {
    let Some(after) = after.filter(|after| !after.dirty_truncated) else {
        return false;
    };
    let among = |snapshot: &GitSnapshot| {
        snapshot
            .dirty
            .iter()
            .any(|dirty| claim.files.contains(&dirty.path))
    };
    // A commit whose paths aren't listed may have touched anything.
    let unknown = draft
        .record
        .commits
        .iter()
        .any(|commit| commit.files.is_empty());
    let head_stayed = task
        .evidence
        .iter()
        .rev()
        .find(|seen| seen.kind == EvidenceKind::Turn)
        .is_some_and(|seen| seen.tree.is_some() && seen.tree == draft.view.here.head);
    !claim.files.is_empty()
        && !among(after)
        && !unknown
        && (before.is_some_and(among) || head_stayed)
}

fn discard(draft: &mut Draft<'_>, task: &Task, claim: &Claim) {
    let id = ClaimId::from_seed(&["discarded", task.id.as_str(), claim.id.as_str()]);
    if task.claims.iter().any(|known| known.id == id) {
        return;
    }
    let reopened = Claim {
        id,
        state: ClaimState::Pending,
        by: Actor::BacklogKeeper,
        at: draft.time(None).max(claim.at),
        branch: draft.view.here.branch.clone(),
        worktree: draft.view.here.worktree.clone(),
        commits: Vec::new(),
        files: Vec::new(),
        reason: Some("uncommitted work was discarded".to_owned()),
    };
    let change = Change::Claim {
        task: task.id.clone(),
        claim: reopened,
    };
    let seen = vec![draft.turn_seen()];
    draft.propose(
        change,
        "uncommitted work was discarded",
        Confidence::Medium,
        seen,
    );
}

/// The ids that claims of this turn on a task can have.
pub(crate) fn turn_claims(draft: &Draft<'_>, task: &TaskId) -> Vec<ClaimId> {
    [
        ClaimState::Pending,
        ClaimState::Active,
        ClaimState::Blocked,
        ClaimState::Done,
        ClaimState::Dropped,
    ]
    .into_iter()
    .map(|state| claim_id(draft, task, state))
    .collect()
}

/// The id of what this turn says of a task.
pub(crate) fn claim_id(draft: &Draft<'_>, task: &TaskId, state: ClaimState) -> ClaimId {
    let word = match state {
        ClaimState::Pending => "pending",
        ClaimState::Active => "active",
        ClaimState::Blocked => "blocked",
        ClaimState::Done => "done",
        ClaimState::Dropped => "dropped",
    };
    let (thread, turn) = (draft.record.thread.as_str(), draft.record.turn.as_str());
    ClaimId::from_seed(&["turn", thread, turn, task.as_str(), word])
}
