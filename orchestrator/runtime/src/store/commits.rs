//! State commits, fenced: written, published by compare-and-swap on the one ref, and walked. Reading what is in them is
//! `objects.rs`'s.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use git2::build::TreeUpdateBuilder;
use git2::{ErrorClass, ErrorCode, FileMode, Oid, Signature};
use orch_protocol::Timestamp;
use orch_protocol::ids::CommitId;

use super::StoreError;
use super::objects::{Objects, STATE_REF};

/// Below this, state commits are kept by name: what a migration began with.
const KEPT_REFS: &str = "refs/codex-orch/kept/";

/// A state commit, as it stands in the history.
#[derive(Debug, Clone)]
pub(super) struct Logged {
    pub(super) id: CommitId,
    pub(super) parent: Option<CommitId>,
    /// Seconds since the epoch.
    pub(super) second: i64,
    pub(super) message: String,
}

impl Objects {
    /// Writes a commit of changed files on top of `parent`; the ref stays where it is until [`Objects::publish`].
    #[must_use = "a commit counts once it is published"]
    pub(super) fn commit(
        &self,
        parent: Option<&CommitId>,
        changes: &BTreeMap<String, Option<Vec<u8>>>,
        message: &str,
        at: Timestamp,
    ) -> Result<CommitId, StoreError> {
        self.make(parent, changes, message, at)
            .map(|id| CommitId::new(id.to_string()))
            .map_err(self.failed("write"))
    }

    /// Moves the ref from `parent` to `made`, if it still stands there; tells whether it did.
    pub(super) fn publish(
        &self,
        parent: Option<&CommitId>,
        made: &CommitId,
    ) -> Result<bool, StoreError> {
        let failed = |source| self.failed("write")(source);
        let made = Oid::from_str(made.as_str()).map_err(failed)?;
        let moved = match parent {
            None => self.repo.reference(STATE_REF, made, false, "fold"),
            Some(parent) => Oid::from_str(parent.as_str()).and_then(|parent| {
                self.repo
                    .reference_matching(STATE_REF, made, true, parent, "fold")
            }),
        };
        match moved {
            Ok(_) => Ok(true),
            Err(error) if lost_the_race(&error) => Ok(false),
            Err(source) => Err(failed(source)),
        }
    }

    /// When a state commit was made; the beginning of all time for none.
    pub(super) fn time_of(&self, commit: Option<&CommitId>) -> Result<Timestamp, StoreError> {
        let second = match commit {
            Some(commit) => self.history(commit, 1)?.first().map(|logged| logged.second),
            None => None,
        };
        Ok(second
            .and_then(|second| Timestamp::from_second(second).ok())
            .unwrap_or(Timestamp::UNIX_EPOCH))
    }

    /// Keeps a state commit under a name of its own.
    pub(super) fn keep(&self, name: &str, commit: &CommitId) -> Result<(), StoreError> {
        let kept = Oid::from_str(commit.as_str()).and_then(|id| {
            let name = format!("{KEPT_REFS}{name}");
            self.repo.reference(&name, id, true, "kept")
        });
        kept.map(drop).map_err(self.failed("write"))
    }

    fn make(
        &self,
        parent: Option<&CommitId>,
        changes: &BTreeMap<String, Option<Vec<u8>>>,
        message: &str,
        at: Timestamp,
    ) -> Result<Oid, git2::Error> {
        let parent = parent
            .map(|id| Oid::from_str(id.as_str()).and_then(|id| self.repo.find_commit(id)))
            .transpose()?;
        let base = match &parent {
            Some(parent) => parent.tree()?,
            None => self.repo.find_tree(self.repo.treebuilder(None)?.write()?)?,
        };
        let mut update = TreeUpdateBuilder::new();
        for (path, bytes) in changes {
            match bytes {
                Some(bytes) => {
                    update.upsert(path.as_str(), self.repo.blob(bytes)?, FileMode::Blob);
                }
                // What isn't there can't be removed.
                None if base.get_path(Path::new(path)).is_ok() => {
                    update.remove(path.as_str());
                }
                None => {}
            }
        }
        let tree = self
            .repo
            .find_tree(update.create_updated(&self.repo, &base)?)?;
        let time = git2::Time::new(at.as_second(), 0);
        let who = Signature::new("codex-orch", "codex-orch@localhost", &time)?;
        self.repo.commit(
            None,
            &who,
            &who,
            message,
            &tree,
            &parent.iter().collect::<Vec<_>>(),
        )
    }

    /// Lets `work` write many objects as one pack, synced once, instead of one file each.
    pub(super) fn as_one_pack<T>(
        &self,
        work: impl FnOnce() -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let failed = |source| self.failed("write")(source);
        let odb = self.repo.odb().map_err(failed)?;
        let mempack = odb.add_new_mempack_backend(1_000).map_err(failed)?;
        let done = work()?;
        let mut pack = git2::Buf::new();
        mempack.dump(&self.repo, &mut pack).map_err(failed)?;
        let io = |source| StoreError::Io {
            doing: "write",
            path: self.path.clone(),
            source,
        };
        let begun = self.pack_files().map_err(io)?;
        let mut writer = odb.packwriter().map_err(failed)?;
        writer.write_all(&pack).map_err(io)?;
        writer.commit().map_err(failed)?;
        drop(writer);
        // libgit2 syncs objects that are files of their own, as it was told to, and no pack.
        for path in self.pack_files().map_err(io)?.difference(&begun) {
            File::open(path)
                .and_then(|file| file.sync_all())
                .map_err(io)?;
        }
        File::open(self.pack_dir())
            .and_then(|dir| dir.sync_all())
            .map_err(io)?;
        mempack.reset().map_err(failed)?;
        Ok(done)
    }

    fn pack_files(&self) -> std::io::Result<BTreeSet<PathBuf>> {
        let entries = std::fs::read_dir(self.pack_dir())?;
        entries.map(|entry| Ok(entry?.path())).collect()
    }

    /// State commits from `from` back, the newest first.
    pub(super) fn history(&self, from: &CommitId, most: usize) -> Result<Vec<Logged>, StoreError> {
        let mut found = Vec::new();
        let mut next = Oid::from_str(from.as_str())
            .and_then(|id| self.repo.find_commit(id))
            .map(Some)
            .map_err(self.failed("read"))?;
        while let Some(commit) = next.take().filter(|_| found.len() < most) {
            let parent = commit.parent(0).ok();
            found.push(Logged {
                id: CommitId::new(commit.id().to_string()),
                parent: parent
                    .as_ref()
                    .map(|parent| CommitId::new(parent.id().to_string())),
                second: commit.time().seconds(),
                message: String::from_utf8_lossy(commit.message_bytes()).into_owned(),
            });
            next = parent;
        }
        Ok(found)
    }

    /// The one commit whose id begins so; none where there is none, or more than one.
    pub(super) fn find(&self, prefix: &str) -> Option<CommitId> {
        let found = self.repo.revparse_single(prefix).ok()?;
        let commit = found.peel_to_commit().ok()?;
        Some(CommitId::new(commit.id().to_string()))
    }

    /// Whether `commit` is `head` or stands in its history.
    pub(super) fn holds(&self, head: &CommitId, commit: &CommitId) -> Result<bool, StoreError> {
        let failed = |source| self.failed("read")(source);
        let of = Oid::from_str(head.as_str()).map_err(failed)?;
        let what = Oid::from_str(commit.as_str()).map_err(failed)?;
        let below = self.repo.graph_descendant_of(of, what).map_err(failed)?;
        Ok(of == what || below)
    }

    /// Paths that differ between two state commits; against nothing, all there are.
    pub(super) fn differing(
        &self,
        before: Option<&CommitId>,
        after: &CommitId,
    ) -> Result<Vec<String>, StoreError> {
        let before = before.map(|id| self.tree(id)).transpose()?;
        let after = self.tree(after)?;
        let diff = self
            .repo
            .diff_tree_to_tree(before.as_ref(), Some(&after), None)
            .map_err(self.failed("read"))?;
        let path = |delta: git2::DiffDelta<'_>| {
            let file = delta.new_file().path().or(delta.old_file().path());
            file.map(|path| path.to_string_lossy().into_owned())
        };
        Ok(diff.deltas().filter_map(path).collect())
    }
}

fn lost_the_race(error: &git2::Error) -> bool {
    matches!(
        error.code(),
        ErrorCode::Modified | ErrorCode::Locked | ErrorCode::Exists
    ) || (error.class() == ErrorClass::Reference && error.code() == ErrorCode::NotFound)
}
