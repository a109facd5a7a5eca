//! Walks of the user's history: what HEAD reaches, how two heads stand to one another, what a turn committed.

use std::collections::BTreeSet;
use std::path::Path;

use git2::{BranchType, Commit, DiffOptions, Oid, Repository, Sort};
use orch_protocol::git::{CommitSummary, GitSnapshot, HeadRelation};
use orch_protocol::ids::CommitId;
use orch_protocol::text::one_line;

use super::reflog;

/// The most incoming commits told in full.
const MAX_INCOMING: usize = 50;
/// The most files named of one commit.
const MAX_FILES: usize = 100;
/// The most commits a single turn is given.
const MAX_MADE: usize = 500;

/// Those of `commits` that are in the object database.
pub(super) fn existing(
    folder: &Path,
    commits: BTreeSet<CommitId>,
) -> Result<BTreeSet<CommitId>, git2::Error> {
    let repo = Repository::discover(folder)?;
    let is_there =
        |id: &CommitId| Oid::from_str(id.as_str()).is_ok_and(|oid| repo.find_commit(oid).is_ok());
    Ok(commits.into_iter().filter(is_there).collect())
}

pub(super) fn relation(
    folder: &Path,
    expected: &GitSnapshot,
    seen: &GitSnapshot,
    known: Option<&CommitId>,
) -> Result<HeadRelation, git2::Error> {
    let repo = Repository::discover(folder)?;
    let oid = |id: Option<&CommitId>| id.and_then(|id| Oid::from_str(id.as_str()).ok());
    let from = oid(expected.head.commit()).filter(|oid| repo.find_commit(*oid).is_ok());
    let to = oid(seen.head.commit());
    let mut relation = HeadRelation {
        expected_in_seen: match (from, to) {
            (Some(from), Some(to)) => from == to || repo.graph_descendant_of(to, from)?,
            // Nothing was expected (an unborn branch): whatever came, came after it.
            (None, _) => expected.head.commit().is_none(),
            (Some(_), None) => false,
        },
        ..HeadRelation::default()
    };
    let tip = |name: &str| {
        repo.find_branch(name, BranchType::Local)
            .ok()
            .and_then(|branch| branch.get().target())
    };
    if let Some(tip) = expected.head.branch().and_then(tip) {
        relation.expected_branch_at = Some(CommitId::new(tip.to_string()));
        relation.expected_branch_merged = match to {
            Some(to) => tip == to || repo.graph_descendant_of(to, tip)?,
            None => false,
        };
    }
    let known = oid(known).filter(|oid| repo.find_commit(*oid).is_ok());
    if let (Some(known), Some(from)) = (known, from) {
        relation.expected_known_there = known == from || repo.graph_descendant_of(known, from)?;
    }
    if let Some(to) = to {
        for oid in range(&repo, to, from)? {
            relation.incoming_total += 1;
            if relation.incoming.len() < MAX_INCOMING {
                relation
                    .incoming
                    .push(summary(&repo, &repo.find_commit(oid?)?)?);
            }
        }
    }
    if let Some(from) = from {
        relation.outgoing_total = range(&repo, from, to)?.count();
    }
    Ok(relation)
}

/// Commits reachable from `after` and not from `before` whose committer time lies in `since..=until`, oldest first.
pub(super) fn made_between(
    folder: &Path,
    before: Option<&CommitId>,
    after: Option<&CommitId>,
    since: i64,
    until: i64,
) -> Result<Vec<CommitSummary>, git2::Error> {
    let repo = Repository::discover(folder)?;
    let oid = |id: Option<&CommitId>| id.and_then(|id| Oid::from_str(id.as_str()).ok());
    let Some(after) = oid(after) else {
        return Ok(Vec::new());
    };
    let before = oid(before).filter(|oid| repo.find_commit(*oid).is_ok());
    let mut made = Vec::new();
    let mut walk = range(&repo, after, before)?;
    // A branch that was made, worked on and left again within the turn is reached by what HEAD was meanwhile.
    for tip in heads_in(&repo, since, until) {
        walk.push(tip)?;
    }
    for oid in walk {
        let commit = repo.find_commit(oid?)?;
        // Merging or pulling brings in commits that were made elsewhere and earlier: they are no work of this turn.
        if (since..=until).contains(&commit.time().seconds()) {
            made.push(summary(&repo, &commit)?);
        }
        if made.len() == MAX_MADE {
            break;
        }
    }
    made.reverse();
    Ok(made)
}

/// What HEAD was between two times, as its reflog says; nothing where none is kept.
fn heads_in(repo: &Repository, since: i64, until: i64) -> Vec<Oid> {
    let Some(log) = reflog::of(repo, "HEAD") else {
        return Vec::new();
    };
    log.iter()
        .filter(|entry| (since..=until).contains(&entry.committer().when().seconds()))
        .map(|entry| entry.id_new())
        .filter(|oid| repo.find_commit(*oid).is_ok())
        .take(MAX_MADE)
        .collect()
}

fn range<'a>(
    repo: &'a Repository,
    of: Oid,
    without: Option<Oid>,
) -> Result<git2::Revwalk<'a>, git2::Error> {
    let mut walk = repo.revwalk()?;
    walk.set_sorting(Sort::TOPOLOGICAL)?;
    walk.push(of)?;
    if let Some(without) = without {
        walk.hide(without)?;
    }
    Ok(walk)
}

fn summary(repo: &Repository, commit: &Commit<'_>) -> Result<CommitSummary, git2::Error> {
    let parent = commit
        .parent(0)
        .ok()
        .map(|parent| parent.tree())
        .transpose()?;
    let mut options = DiffOptions::new();
    let diff =
        repo.diff_tree_to_tree(parent.as_ref(), Some(&commit.tree()?), Some(&mut options))?;
    let path = |delta: git2::DiffDelta<'_>| {
        delta
            .new_file()
            .path()
            .map(|path| path.to_string_lossy().into_owned())
    };
    Ok(CommitSummary {
        id: CommitId::new(commit.id().to_string()),
        subject: one_line(
            &String::from_utf8_lossy(commit.summary_bytes().unwrap_or_default()),
            120,
        ),
        time: commit.time().seconds(),
        files: diff.deltas().filter_map(path).take(MAX_FILES).collect(),
    })
}
