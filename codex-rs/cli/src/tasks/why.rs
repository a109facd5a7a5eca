//! Why a task has its status here, in words: which claim decides, what HEAD reaches of its commits, and what others say
//! that doesn't hold here.

use std::collections::BTreeMap;

use orch_core::explain::{Place, Said, Verdict, explain};
use orch_core::judge::{Here, holds};
use orch_protocol::ids::CommitId;
use orch_protocol::task::{Claim, ClaimState, Evidence, EvidenceKind, Task, TaskStatus};
use orch_protocol::text::one_line;
use orch_runtime::ports::Holding;
use serde_json::{Value, json};

use super::when;

/// So many claims that don't hold here are told.
const MAX_OTHERS: usize = 3;
/// So many branches that hold a commit are named.
const MAX_BRANCHES: usize = 3;

/// Branches that hold what HEAD doesn't reach, as far as they were looked for.
pub(crate) type Held = BTreeMap<CommitId, Holding>;

/// The commits whose branches are worth looking for: those that HEAD doesn't reach, of the claims that are told.
pub(crate) fn missing(task: &Task, here: &Here) -> Vec<CommitId> {
    let explained = explain(task, here);
    let told = elsewhere(&explained.others);
    told.flat_map(|said| &said.commits)
        .filter(|(_, place)| *place == Place::NotHere)
        .map(|(commit, _)| (*commit).clone())
        .collect()
}

/// What is said and doesn't hold here, which is news here; older words that held once are the log's.
fn elsewhere<'a, 'b>(others: &'b [Said<'a>]) -> impl Iterator<Item = &'b Said<'a>> {
    let is_told = |said: &&Said<'_>| match said.verdict {
        Verdict::NotReached | Verdict::Unknown | Verdict::OtherBranch | Verdict::OtherWorktree => {
            true
        }
        Verdict::Decides | Verdict::Overtaken => false,
    };
    others.iter().filter(is_told).take(MAX_OTHERS)
}

/// The lines below a status, the deciding claim first.
pub(crate) fn lines(task: &Task, here: &Here, held: &Held, has_parts: bool) -> Vec<String> {
    let explained = explain(task, here);
    let mut lines = Vec::new();
    match &explained.deciding {
        Some(decides) => {
            lines.push(said(decides.claim));
            lines.extend(commits(decides, held));
            if decides.claim.state == ClaimState::Active && has_parts {
                lines.push("while it is active, its parts tell whether it is done".to_owned());
            }
        }
        None if has_parts => lines.push("its parts decide".to_owned()),
        None if task.claims.is_empty() => lines.push("nothing was said of it yet".to_owned()),
        None => lines.push("nothing that was said of it holds here".to_owned()),
    }
    if let Some(branch) = explained.elsewhere
        && explained.status != TaskStatus::Done
    {
        lines.push(format!("done on {}, not here", one_line(branch, 60)));
    }
    for other in elsewhere(&explained.others) {
        let lead = match other.verdict {
            Verdict::Unknown => "perhaps",
            Verdict::Decides
            | Verdict::Overtaken
            | Verdict::NotReached
            | Verdict::OtherBranch
            | Verdict::OtherWorktree => "not here",
        };
        lines.push(format!("{lead}: {}", said(other.claim)));
        lines.extend(commits(other, held));
        match other.verdict {
            Verdict::OtherBranch => {
                lines.push("  it names no commit, so it counts on its own branch alone".to_owned());
            }
            Verdict::OtherWorktree => {
                lines.push("  it names no commit, so it counts in its own work tree alone".into());
            }
            Verdict::Decides | Verdict::Overtaken | Verdict::NotReached | Verdict::Unknown => {}
        }
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

fn commits(said: &Said<'_>, held: &Held) -> Vec<String> {
    let commit = |(commit, place): &(&CommitId, Place<'_>)| {
        let stands = match place {
            Place::Here => "HEAD reaches it".to_owned(),
            Place::Rewritten(found) => format!("HEAD reaches its work as {}", found.short()),
            Place::NotHere => {
                let branches = held.get(*commit).map(branches).unwrap_or_default();
                format!("HEAD doesn't reach it{branches}")
            }
            Place::Unknown => "nobody can tell, for history is cut off here".to_owned(),
        };
        format!("  in {}: {stands}", commit.short())
    };
    let files = match said.claim.files.len() {
        0 => None,
        1 => Some("  in 1 file that wasn't committed yet".to_owned()),
        files => Some(format!("  in {files} files that weren't committed yet")),
    };
    said.commits.iter().map(commit).chain(files).collect()
}

fn branches(held: &Holding) -> String {
    let named: Vec<String> = held
        .names
        .iter()
        .take(MAX_BRANCHES)
        .map(|name| one_line(name, 60))
        .collect();
    match (named.as_slice(), held.total.saturating_sub(named.len())) {
        ([], _) => "; no branch here does".to_owned(),
        ([only], 0) => format!("; {only} does"),
        (named, 0) => format!("; {} do", named.join(", ")),
        (named, more) => format!("; {} and {more} more do", named.join(", ")),
    }
}

/// The same for programs.
pub(crate) fn as_json(task: &Task, here: &Here, held: &Held, has_parts: bool) -> Value {
    let explained = explain(task, here);
    let decides = explained.deciding.as_ref().map(|said| said.claim);
    let by_parts = has_parts && decides.is_none_or(|claim| claim.state == ClaimState::Active);
    let all = explained.deciding.iter().chain(&explained.others);
    let said: BTreeMap<_, _> = all.map(|said| (&said.claim.id, said)).collect();
    let claims = task.claims.iter().filter_map(|claim| {
        let said = said.get(&claim.id)?;
        let commits = said.commits.iter().map(|(commit, place)| {
            let mut value = json!({"commit": commit, "here": false});
            match place {
                Place::Here => value["here"] = json!(true),
                Place::Rewritten(found) => {
                    value["here"] = json!(true);
                    value["rewritten_to"] = json!(found);
                }
                Place::Unknown => value["unknown"] = json!(true),
                Place::NotHere => {}
            }
            if let Some(held) = held.get(*commit) {
                value["branches"] = json!(held.names);
            }
            value
        });
        Some(json!({
            "claim": claim.id,
            "holds": holds(claim, here),
            "verdict": verdict(said.verdict),
            "commits": commits.collect::<Vec<_>>(),
        }))
    });
    json!({
        "decides": decides.map(|claim| &claim.id),
        "by_parts": by_parts,
        "unknown": explained.is_unknown,
        "claims": claims.collect::<Vec<_>>(),
    })
}

fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Decides => "decides",
        Verdict::Overtaken => "overtaken",
        Verdict::NotReached => "not_reached",
        Verdict::Unknown => "unknown",
        Verdict::OtherBranch => "other_branch",
        Verdict::OtherWorktree => "other_worktree",
    }
}
