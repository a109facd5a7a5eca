//! The bare repository, fenced: the only file of the store that names git2.

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use git2::build::TreeUpdateBuilder;
use git2::{
    ErrorClass, ErrorCode, FileMode, ObjectType, Oid, Repository, RepositoryInitOptions, Signature,
};
use orch_protocol::ids::CommitId;

use super::StoreError;

/// The one ref.
pub(super) const STATE_REF: &str = "refs/codex-orch/state";

/// The opened repository.
pub(super) struct Objects {
    repo: Repository,
    path: PathBuf,
}

impl std::fmt::Debug for Objects {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Objects").field("path", &self.path).finish()
    }
}

impl Objects {
    /// Opens it; none when it isn't there.
    pub(super) fn open(path: &Path) -> Result<Option<Self>, StoreError> {
        match Repository::open_bare(path) {
            Ok(repo) => Ok(Some(Self {
                repo,
                path: path.to_owned(),
            })),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
            Err(source) => Err(StoreError::Objects {
                doing: "open",
                path: path.to_owned(),
                source,
            }),
        }
    }

    /// Creates it, readable by its owner alone, with every object synced before a ref names it.
    pub(super) fn create(path: &Path) -> Result<Self, StoreError> {
        let failed = |source| StoreError::Objects {
            doing: "create",
            path: path.to_owned(),
            source,
        };
        let io = |source| StoreError::Io {
            doing: "create",
            path: path.to_owned(),
            source,
        };
        // Made beside and renamed: a process killed in between leaves no half of a repository.
        let parent = path.parent().unwrap_or(path);
        let partial = tempfile::Builder::new()
            .prefix(".new-store-")
            .tempdir_in(parent)
            .map_err(io)?;
        let mut options = RepositoryInitOptions::new();
        options
            .bare(true)
            .external_template(false)
            .initial_head("state")
            .mode(git2::RepositoryInitMode::from_bits_retain(0o700));
        let repo = Repository::init_opts(partial.path(), &options).map_err(failed)?;
        let mut config = repo.config().map_err(failed)?;
        config
            .set_bool("core.fsyncObjectFiles", true)
            .map_err(failed)?;
        // Nothing but us writes here, and the log of the ref is the history itself.
        config
            .set_bool("core.logAllRefUpdates", false)
            .map_err(failed)?;
        drop((config, repo));
        // libgit2 gives the folder the mode of the umask, whatever was asked for.
        std::fs::set_permissions(partial.path(), Permissions::from_mode(0o700)).map_err(io)?;
        match std::fs::rename(partial.keep(), path) {
            Err(source) if !path.exists() => return Err(io(source)),
            Ok(()) | Err(_) => {}
        }
        let repo = Repository::open_bare(path).map_err(failed)?;
        Ok(Self {
            repo,
            path: path.to_owned(),
        })
    }

    /// Removes the lock that a process killed while moving the ref has left. Only for who holds the fold lock: nobody
    /// else moves the ref, so a lock that is there is nobody's.
    pub(super) fn remove_stale_lock(&self) {
        let lock = self.path.join(format!("{STATE_REF}.lock"));
        if std::fs::remove_file(&lock).is_ok() {
            tracing::warn!(lock = %lock.display(), "removed a lock that a killed process left");
        }
    }

    fn failed(&self, doing: &'static str) -> impl FnOnce(git2::Error) -> StoreError {
        let path = self.path.clone();
        move |source| StoreError::Objects {
            doing,
            path,
            source,
        }
    }

    /// The newest state commit.
    pub(super) fn head(&self) -> Result<Option<CommitId>, StoreError> {
        match self.repo.refname_to_id(STATE_REF) {
            Ok(id) => Ok(Some(CommitId::new(id.to_string()))),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
            Err(source) => Err(self.failed("read")(source)),
        }
    }

    /// Whether a state commit is there.
    pub(super) fn holds(&self, at: &CommitId) -> bool {
        Oid::from_str(at.as_str()).is_ok_and(|id| self.repo.find_commit(id).is_ok())
    }

    fn tree(&self, at: &CommitId) -> Result<git2::Tree<'_>, StoreError> {
        let commit = Oid::from_str(at.as_str()).and_then(|id| self.repo.find_commit(id));
        commit
            .and_then(|commit| commit.tree())
            .map_err(self.failed("read"))
    }

    fn dir(&self, at: &CommitId, dir: &str) -> Result<Option<git2::Tree<'_>>, StoreError> {
        let tree = self.tree(at)?;
        let Some(entry) = tree
            .get_name(dir)
            .filter(|entry| entry.kind() == Some(ObjectType::Tree))
        else {
            return Ok(None);
        };
        self.repo
            .find_tree(entry.id())
            .map(Some)
            .map_err(self.failed("read"))
    }

    fn blobs(
        &self,
        tree: &git2::Tree<'_>,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<BTreeMap<String, Vec<u8>>, StoreError> {
        let mut blobs = BTreeMap::new();
        for entry in tree
            .iter()
            .filter(|entry| entry.kind() == Some(ObjectType::Blob))
        {
            let Ok(name) = entry.name() else { continue };
            if wanted(name) {
                let blob = self
                    .repo
                    .find_blob(entry.id())
                    .map_err(self.failed("read"))?;
                blobs.insert(name.to_owned(), blob.content().to_vec());
            }
        }
        Ok(blobs)
    }

    /// Files at the top.
    pub(super) fn read_flat(&self, at: &CommitId) -> Result<BTreeMap<String, Vec<u8>>, StoreError> {
        self.blobs(&self.tree(at)?, |_| true)
    }

    /// Files of one folder whose names are wanted.
    pub(super) fn read_dir(
        &self,
        at: &CommitId,
        dir: &str,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<BTreeMap<String, Vec<u8>>, StoreError> {
        self.dir(at, dir)?
            .map_or(Ok(BTreeMap::new()), |tree| self.blobs(&tree, wanted))
    }

    /// Names in one folder, in git's order.
    pub(super) fn list(&self, at: &CommitId, dir: &str) -> Result<Vec<String>, StoreError> {
        let tree = self.dir(at, dir)?;
        let names = |tree: git2::Tree<'_>| {
            tree.iter()
                .filter_map(|entry| entry.name().ok().map(str::to_owned))
                .collect()
        };
        Ok(tree.map(names).unwrap_or_default())
    }

    /// Paths of the files at the top or in one folder, each with git's id of its content.
    pub(super) fn ids(
        &self,
        at: &CommitId,
        dir: Option<&str>,
    ) -> Result<BTreeMap<String, String>, StoreError> {
        let tree = match dir {
            None => Some(self.tree(at)?),
            Some(dir) => self.dir(at, dir)?,
        };
        let Some(tree) = tree else {
            return Ok(BTreeMap::new());
        };
        let path = |name: &str| dir.map_or_else(|| name.to_owned(), |dir| format!("{dir}/{name}"));
        Ok(tree
            .iter()
            .filter(|entry| entry.kind() == Some(ObjectType::Blob))
            .filter_map(|entry| Some((path(entry.name().ok()?), entry.id().to_string())))
            .collect())
    }

    /// One file.
    pub(super) fn read(&self, at: &CommitId, path: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let tree = self.tree(at)?;
        match tree.get_path(Path::new(path)) {
            Ok(entry) => {
                let blob = self
                    .repo
                    .find_blob(entry.id())
                    .map_err(self.failed("read"))?;
                Ok(Some(blob.content().to_vec()))
            }
            Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
            Err(source) => Err(self.failed("read")(source)),
        }
    }

    /// Commits changed files on top of `parent` and moves the ref, if it still stands at `parent`; none if it doesn't.
    pub(super) fn commit(
        &self,
        parent: Option<&CommitId>,
        changes: &BTreeMap<String, Option<Vec<u8>>>,
        message: &str,
    ) -> Result<Option<CommitId>, StoreError> {
        let made = self
            .make(parent, changes, message)
            .map_err(self.failed("write"))?;
        let moved = match parent {
            None => self.repo.reference(STATE_REF, made, false, message),
            Some(parent) => Oid::from_str(parent.as_str()).and_then(|parent| {
                self.repo
                    .reference_matching(STATE_REF, made, true, parent, message)
            }),
        };
        match moved {
            Ok(_) => Ok(Some(CommitId::new(made.to_string()))),
            Err(error) if lost_the_race(&error) => Ok(None),
            Err(source) => Err(self.failed("write")(source)),
        }
    }

    fn make(
        &self,
        parent: Option<&CommitId>,
        changes: &BTreeMap<String, Option<Vec<u8>>>,
        message: &str,
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
                Some(bytes) => update.upsert(path.as_str(), self.repo.blob(bytes)?, FileMode::Blob),
                None => update.remove(path.as_str()),
            };
        }
        let tree = self
            .repo
            .find_tree(update.create_updated(&self.repo, &base)?)?;
        let who = Signature::now("codex-orch", "codex-orch@localhost")?;
        self.repo.commit(
            None,
            &who,
            &who,
            message,
            &tree,
            &parent.iter().collect::<Vec<_>>(),
        )
    }
}

fn lost_the_race(error: &git2::Error) -> bool {
    matches!(
        error.code(),
        ErrorCode::Modified | ErrorCode::Locked | ErrorCode::Exists
    ) || (error.class() == ErrorClass::Reference && error.code() == ErrorCode::NotFound)
}

/// Git's id of a content, as [`Objects::ids`] tells it.
pub(crate) fn id_of(bytes: &[u8]) -> String {
    Oid::hash_object(ObjectType::Blob, bytes)
        .map(|id| id.to_string())
        .unwrap_or_default()
}
