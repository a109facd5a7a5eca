//! Local branches: which of them hold a commit, and what became of those that are gone.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;

use git2::{BranchType, ErrorCode, Oid, Repository, Sort};
use orch_core::contexts::Branches;
use orch_protocol::ids::CommitId;

use super::history::oid;
use super::reflog;
use crate::ports::Holding;

/// The most branches looked at.
const MAX_LOOKED: usize = 10_000;
/// The most branches whose reflogs are read, when one is gone.
const MAX_LOGS: usize = 2_000;
/// The most entries of a reflog looked at, the newest.
const MAX_ENTRIES: usize = 2_000;

const HEADS: &str = "refs/heads/";

/// The local branches that reach `commit`: one walk of what isn't older than it.
pub(super) fn holding(folder: &Path, commit: &CommitId) -> Result<Holding, git2::Error> {
    let repo = Repository::discover(folder)?;
    let Some(commit) = oid(commit).and_then(|oid| repo.find_commit(oid).ok()) else {
        return Ok(Holding::default());
    };
    let mut tips: Vec<(String, Oid)> = Vec::new();
    for branch in repo.branches(Some(BranchType::Local))?.take(MAX_LOOKED) {
        let (branch, _) = branch?;
        let name = String::from_utf8_lossy(branch.name_bytes()?).into_owned();
        tips.extend(branch.get().target().map(|tip| (name, tip)));
    }
    let mut walk = repo.revwalk()?;
    walk.set_sorting(Sort::TOPOLOGICAL | Sort::REVERSE)?;
    for (_, tip) in &tips {
        walk.push(*tip)?;
    }
    for parent in commit.parent_ids() {
        walk.hide(parent)?;
    }
    // Parents come before their children.
    let mut above = HashSet::from([commit.id()]);
    for oid in walk {
        let oid = oid?;
        let is_above = repo
            .find_commit(oid)?
            .parent_ids()
            .any(|parent| above.contains(&parent));
        if is_above {
            above.insert(oid);
        }
    }
    let mut names: Vec<String> = tips
        .into_iter()
        .filter(|(_, tip)| above.contains(tip))
        .map(|(name, _)| name)
        .collect();
    names.sort();
    let total = names.len();
    names.truncate(Holding::MAX_NAMES);
    Ok(Holding { names, total })
}

/// Which of the `asked` branches are gone, and which of those were renamed. Reflogs are read only when one is gone.
pub(super) fn became(folder: &Path, asked: &BTreeSet<String>) -> Result<Branches, git2::Error> {
    let repo = match Repository::discover(folder) {
        Ok(repo) => repo,
        Err(error) if error.code() == ErrorCode::NotFound => return Ok(Branches::default()),
        Err(error) => return Err(error),
    };
    let gone: BTreeSet<String> = asked
        .iter()
        .filter(|name| is_gone(&repo, name))
        .cloned()
        .collect();
    let renamed = match gone.is_empty() {
        true => BTreeMap::new(),
        false => renamed(&repo, &gone)?,
    };
    Ok(Branches {
        gone,
        renamed,
        trunk: trunk(&repo),
    })
}

fn is_gone(repo: &Repository, name: &str) -> bool {
    // A name that isn't UTF-8 is kept with replacement characters, and can't be asked for.
    let can_tell = !name.contains(char::REPLACEMENT_CHARACTER);
    let found = repo.find_reference(&format!("{HEADS}{name}"));
    can_tell && found.is_err_and(|error| error.code() == ErrorCode::NotFound)
}

/// What is called otherwise now, as the reflogs of branches say. A name that two branches had before goes to the one that
/// gave it up last; where that can't be told, to none.
fn renamed(
    repo: &Repository,
    gone: &BTreeSet<String>,
) -> Result<BTreeMap<String, String>, git2::Error> {
    let mut claims: BTreeMap<String, Vec<(i64, String)>> = BTreeMap::new();
    for branch in repo.branches(Some(BranchType::Local))?.take(MAX_LOGS) {
        // A branch that can't be read is a gap.
        let Ok((branch, _)) = branch else { continue };
        let Ok(name) = std::str::from_utf8(branch.get().name_bytes()) else {
            continue;
        };
        for (before, at) in earlier_names(repo, name) {
            if gone.contains(&before) {
                let now = name.trim_start_matches(HEADS).to_owned();
                claims.entry(before).or_default().push((at, now));
            }
        }
    }
    let last = |mut claims: Vec<(i64, String)>| {
        claims.sort();
        match claims.as_slice() {
            [.., (before, _), (at, _)] if before == at => None,
            _ => claims.pop().map(|(_, name)| name),
        }
    };
    let found = claims.into_iter();
    Ok(found
        .filter_map(|(before, claims)| Some((before, last(claims)?)))
        .collect())
}

/// The names that a branch had before, and when it gave each up. A copy had none: its reflog is another one's.
fn earlier_names(repo: &Repository, reference: &str) -> Vec<(String, i64)> {
    let Some(log) = reflog::of(repo, reference) else {
        return Vec::new();
    };
    let mut name = reference.to_owned();
    let mut names = Vec::new();
    for entry in log.iter().take(MAX_ENTRIES) {
        let Some(message) = entry.message_bytes().map(std::str::from_utf8) else {
            continue;
        };
        let message = message.unwrap_or_default();
        let moved = |word| {
            let (from, to) = message.strip_prefix(word)?.split_once(" to ")?;
            (to == name).then(|| from.to_owned())
        };
        if moved("Branch: copied ").is_some() {
            break;
        }
        if let Some(from) = moved("Branch: renamed ") {
            if let Some(short) = from.strip_prefix(HEADS) {
                names.push((short.to_owned(), entry.committer().when().seconds()));
            }
            name = from;
        }
    }
    names
}

/// The branch that the remote names as its own HEAD; without one, the only one of those that are commonly called so.
fn trunk(repo: &Repository) -> Option<String> {
    if let Ok(head) = repo.find_reference("refs/remotes/origin/HEAD")
        && let Some(target) = head.symbolic_target_bytes()
    {
        let target = std::str::from_utf8(target).ok()?;
        return target
            .strip_prefix("refs/remotes/origin/")
            .map(str::to_owned);
    }
    let is_there = |name: &&str| repo.find_branch(name, BranchType::Local).is_ok();
    let mut found = ["main", "master"].into_iter().filter(is_there);
    match (found.next(), found.next()) {
        (Some(only), None) => Some(only.to_owned()),
        _ => None,
    }
}
