//! Why a task has its status here, in words: which claim decides, what HEAD reaches of its commits, and what others say
//! that doesn't hold here.

use orch_core::judge::{deciding, holds};
use orch_protocol::ids::CommitId;
use orch_protocol::task::{Claim, ClaimState, Evidence, EvidenceKind, Task};
use orch_protocol::text::one_line;
use serde_json::{Value, json};

use super::when;
use crate::session::Seen;

/// How a commit stands to HEAD.
fn stands(commit: &CommitId, seen: &Seen) -> &'static str {
    match seen.here.reachable.contains(commit) {
        true => "HEAD reaches it",
        false => "HEAD doesn't reach it",
    }
}

/// The lines below a status, the deciding claim first.
pub(crate) fn lines(task: &Task, seen: &Seen, has_parts: bool) -> Vec<String> {
    let decides = deciding(task, &seen.here);
    let mut lines = Vec::new();
    match decides {
        Some(claim) => {
            lines.push(said(claim));
            lines.extend(commits(claim, seen));
            if claim.state == ClaimState::Active && has_parts {
                lines.push("while it is active, its parts tell whether it is done".to_owned());
            }
        }
        None if has_parts => lines.push("its parts decide".to_owned()),
        None if task.claims.is_empty() => lines.push("nothing was said of it yet".to_owned()),
        None => lines.push("nothing that was said of it holds here".to_owned()),
    }
    // Older words that held once are the log's; what is said elsewhere is news here.
    let elsewhere = task
        .claims
        .iter()
        .rev()
        .filter(|claim| !holds(claim, &seen.here));
    for claim in elsewhere.take(3) {
        lines.push(format!("not here: {}", said(claim)));
        lines.extend(commits(claim, seen));
    }
    lines
}

/// A claim in a sentence.
pub(crate) fn said(claim: &Claim) -> String {
    let on = match &claim.branch {
        Some(branch) => format!(" on {}", one_line(branch, 60)),
        None => String::new(),
    };
    let because = match &claim.reason {
        Some(reason) => format!(": {}", one_line(reason, Task::MAX_TEXT)),
        None => String::new(),
    };
    let by = claim.by.name();
    format!(
        "{}, says {} {by}{on}, {}{because}",
        word(claim.state),
        article(by),
        when::both(claim.at)
    )
}

fn article(by: &str) -> &'static str {
    match by {
        "person" => "a",
        _ => "the",
    }
}

/// What a claim says, in a word.
pub(crate) fn word(state: ClaimState) -> &'static str {
    match state {
        ClaimState::Pending => "pending",
        ClaimState::Active => "active",
        ClaimState::Blocked => "blocked",
        ClaimState::Done => "done",
        ClaimState::Dropped => "dropped",
    }
}

/// Whether a claim of the task says what the evidence says: its reason and its commits are kept as evidence too, and once
/// is enough for a reader.
pub(crate) fn tells(task: &Task, evidence: &Evidence) -> bool {
    let what = evidence.reference.as_str();
    let mut claims = task.claims.iter().filter(|claim| claim.at == evidence.at);
    match evidence.kind {
        EvidenceKind::Note => claims.any(|claim| claim.reason.as_deref() == Some(what)),
        EvidenceKind::Commit => {
            claims.any(|claim| claim.commits.iter().any(|commit| commit.as_str() == what))
        }
        EvidenceKind::Command | EvidenceKind::File | EvidenceKind::Turn => false,
    }
}

fn commits(claim: &Claim, seen: &Seen) -> Vec<String> {
    let commit = |commit: &CommitId| format!("  in {}: {}", commit.short(), stands(commit, seen));
    let files = match claim.files.len() {
        0 => None,
        1 => Some("  in 1 file that wasn't committed yet".to_owned()),
        files => Some(format!("  in {files} files that weren't committed yet")),
    };
    claim.commits.iter().map(commit).chain(files).collect()
}

/// The same for programs.
pub(crate) fn as_json(task: &Task, seen: &Seen, has_parts: bool) -> Value {
    let decides = deciding(task, &seen.here);
    let by_parts = has_parts && decides.is_none_or(|claim| claim.state == ClaimState::Active);
    let claims = task.claims.iter().map(|claim| {
        let commits = claim.commits.iter().map(|commit| {
            let is_here = seen.here.reachable.contains(commit);
            json!({"commit": commit, "here": is_here})
        });
        json!({
            "claim": claim.id,
            "holds": holds(claim, &seen.here),
            "commits": commits.collect::<Vec<_>>(),
        })
    });
    json!({
        "decides": decides.map(|claim| &claim.id),
        "by_parts": by_parts,
        "claims": claims.collect::<Vec<_>>(),
    })
}
