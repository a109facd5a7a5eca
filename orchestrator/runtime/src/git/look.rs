//! One look at a work tree: HEAD, an unfinished operation, files that differ.

use std::path::{Path, PathBuf};

use git2::{ErrorCode, ObjectType, Oid, Repository, RepositoryState, Status, StatusOptions};
use orch_core::judge::Stand;
use orch_protocol::git::{DirtyFile, GitSnapshot, Head, Operation};
use orch_protocol::ids::CommitId;

/// Files above this are not hashed: that they differ is all that is kept.
const MAX_HASHED: u64 = 4 * 1024 * 1024;

/// Where a folder's repository is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repo {
    /// The git directory that all work trees share.
    pub common_dir: PathBuf,
    /// This work tree's top.
    pub worktree: PathBuf,
}

/// Finds the repository a folder belongs to; none outside of one, and none for a bare one.
pub fn find(folder: &Path) -> Option<Repo> {
    let repo = Repository::discover(folder).ok()?;
    let worktree = repo.workdir()?.to_owned();
    let canonical = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    Some(Repo {
        common_dir: canonical(repo.commondir()),
        worktree: canonical(&worktree),
    })
}

pub(super) fn look(folder: &Path) -> Result<Option<GitSnapshot>, git2::Error> {
    let Some(place) = find(folder) else {
        return Ok(None);
    };
    let repo = Repository::open(&place.worktree)?;
    let (dirty, dirty_truncated) = dirty(&repo, &place.worktree)?;
    Ok(Some(GitSnapshot {
        common_dir: place.common_dir.to_string_lossy().into_owned(),
        worktree: place.worktree.to_string_lossy().into_owned(),
        head: head(&repo)?,
        operation: operation(repo.state()),
        dirty,
        dirty_truncated,
    }))
}

/// A look without the files that differ.
pub(super) fn stand(folder: &Path) -> Result<Option<Stand>, git2::Error> {
    let Some(place) = find(folder) else {
        return Ok(None);
    };
    let repo = Repository::open(&place.worktree)?;
    Ok(Some(Stand {
        common_dir: place.common_dir.to_string_lossy().into_owned(),
        worktree: place.worktree.to_string_lossy().into_owned(),
        head: head(&repo)?,
    }))
}

fn head(repo: &Repository) -> Result<Head, git2::Error> {
    match repo.head() {
        Ok(head) => {
            let commit = CommitId::new(head.peel_to_commit()?.id().to_string());
            let name = String::from_utf8_lossy(head.shorthand_bytes()).into_owned();
            Ok(if head.is_branch() {
                Head::Branch { name, commit }
            } else {
                Head::Detached { commit }
            })
        }
        Err(error) if matches!(error.code(), ErrorCode::UnbornBranch | ErrorCode::NotFound) => {
            let reference = repo.find_reference("HEAD")?;
            let target = reference
                .symbolic_target_bytes()
                .map(String::from_utf8_lossy)
                .unwrap_or_default();
            Ok(Head::Unborn {
                name: target
                    .strip_prefix("refs/heads/")
                    .unwrap_or(&target)
                    .to_owned(),
            })
        }
        Err(error) => Err(error),
    }
}

fn operation(state: RepositoryState) -> Option<Operation> {
    match state {
        RepositoryState::Clean => None,
        RepositoryState::Merge => Some(Operation::Merge),
        RepositoryState::Revert | RepositoryState::RevertSequence => Some(Operation::Revert),
        RepositoryState::CherryPick | RepositoryState::CherryPickSequence => {
            Some(Operation::CherryPick)
        }
        RepositoryState::Bisect => Some(Operation::Bisect),
        RepositoryState::Rebase
        | RepositoryState::RebaseInteractive
        | RepositoryState::RebaseMerge => Some(Operation::Rebase),
        RepositoryState::ApplyMailbox | RepositoryState::ApplyMailboxOrRebase => {
            Some(Operation::ApplyMailbox)
        }
    }
}

fn dirty(repo: &Repository, worktree: &Path) -> Result<(Vec<DirtyFile>, bool), git2::Error> {
    let mut options = StatusOptions::new();
    options
        .include_untracked(true)
        .recurse_untracked_dirs(true)
        .include_ignored(false)
        .exclude_submodules(true);
    let statuses = repo.statuses(Some(&mut options))?;
    let differs = |status: Status| status != Status::CURRENT && !status.contains(Status::IGNORED);
    let mut paths: Vec<String> = statuses
        .iter()
        .filter(|entry| differs(entry.status()))
        .map(|entry| String::from_utf8_lossy(entry.path_bytes()).into_owned())
        .filter(|path| !path.starts_with(".codex-orch/"))
        .collect();
    paths.sort();
    paths.dedup();
    let truncated = paths.len() > GitSnapshot::MAX_DIRTY;
    paths.truncate(GitSnapshot::MAX_DIRTY);
    let hashed = |path: String| DirtyFile {
        blob: blob(&worktree.join(&path)),
        path,
    };
    Ok((paths.into_iter().map(hashed).collect(), truncated))
}

/// What tells one content of a file from another; empty when it is gone, no plain file, or too large.
fn blob(path: &Path) -> String {
    match path.symlink_metadata() {
        Ok(meta) if meta.is_file() && meta.len() <= MAX_HASHED => {
            Oid::hash_file(ObjectType::Blob, path)
                .map(|id| id.to_string())
                .unwrap_or_default()
        }
        Ok(_) | Err(_) => String::new(),
    }
}
