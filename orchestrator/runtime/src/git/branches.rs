//! Which local branches hold a commit.

use std::collections::HashSet;
use std::path::Path;

use git2::{BranchType, Oid, Repository, Sort};
use orch_protocol::ids::CommitId;

use super::history::oid;
use crate::ports::Holding;

/// The most branches looked at.
const MAX_LOOKED: usize = 10_000;

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
