//! Ranges of the user's history (`git rev-list A ^B`), one walker for all of them: a commit that was read once isn't
//! read again.

use data_encoding::HEXLOWER;
use git2::{Commit, Oid, Repository, Revwalk, Sort};
use orch_protocol::ids::CommitId;

/// Walks one repository.
pub(super) struct History<'r> {
    pub(super) repo: &'r Repository,
    walk: Revwalk<'r>,
}

impl<'r> History<'r> {
    pub(super) fn new(repo: &'r Repository) -> Result<Self, git2::Error> {
        Ok(Self {
            repo,
            walk: repo.revwalk()?,
        })
    }

    /// Commits reached from `of` and from none of `without`, at most `limit`, no commit before its children.
    pub(super) fn range(
        &mut self,
        of: impl IntoIterator<Item = Oid>,
        without: impl IntoIterator<Item = Oid>,
        limit: usize,
    ) -> Result<Vec<Oid>, git2::Error> {
        self.walk.reset()?;
        self.walk.set_sorting(Sort::TOPOLOGICAL)?;
        let mut any = false;
        for oid in of {
            self.walk.push(oid)?;
            any = true;
        }
        for oid in without {
            self.walk.hide(oid)?;
        }
        if !any {
            return Ok(Vec::new());
        }
        self.walk.by_ref().take(limit).collect()
    }

    /// The commit of an id; none when it isn't here.
    pub(super) fn commit(&self, oid: Oid) -> Option<Commit<'r>> {
        self.repo.find_commit(oid).ok()
    }
}

/// The id as git2 takes it; none for what is no whole id.
pub(super) fn oid(id: &CommitId) -> Option<Oid> {
    // A shorter one would be filled up with zeros.
    let is_whole = id.as_str().len() == 40;
    Oid::from_str(id.as_str()).ok().filter(|_| is_whole)
}

pub(super) fn id(oid: Oid) -> CommitId {
    CommitId::new(HEXLOWER.encode(oid.as_bytes()))
}
