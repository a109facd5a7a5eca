//! What somebody calls a commit: any revision that git understands, and whether HEAD reaches it.

use std::path::Path;

use git2::Repository;
use orch_protocol::ids::CommitId;

/// The longest revision that is looked up, in bytes.
const MAX_NAME: usize = 1_000;

/// A commit by the name that somebody gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Called {
    /// HEAD reaches it.
    Here(CommitId),
    /// It is a commit, and HEAD doesn't reach it.
    Elsewhere(CommitId),
    /// It names no commit, or more than one.
    Unknown,
}

pub(super) fn called(folder: &Path, given: &str) -> Result<Called, git2::Error> {
    let given = given.trim();
    let Ok(repo) = Repository::discover(folder) else {
        return Ok(Called::Unknown);
    };
    if given.is_empty() || given.len() > MAX_NAME {
        return Ok(Called::Unknown);
    }
    let found = repo
        .revparse_single(given)
        .and_then(|object| object.peel_to_commit());
    // Whatever git says against the name, the name is at fault.
    let Ok(commit) = found.map(|commit| commit.id()) else {
        return Ok(Called::Unknown);
    };
    let id = CommitId::new(commit.to_string());
    let head = repo.head().ok().and_then(|head| head.target());
    let is_reached = match head {
        Some(head) => head == commit || repo.graph_descendant_of(head, commit)?,
        None => false,
    };
    Ok(if is_reached {
        Called::Here(id)
    } else {
        Called::Elsewhere(id)
    })
}
