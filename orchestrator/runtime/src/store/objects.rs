//! The bare repository, fenced: opened, created and read. What is written into it stands in `commits.rs`.

use std::collections::BTreeMap;
use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use git2::{ErrorCode, ObjectType, Oid, Repository, RepositoryInitOptions};
use orch_protocol::ids::CommitId;

use super::StoreError;
use super::files::Shard;

/// The one ref.
pub(super) const STATE_REF: &str = "refs/codex-orch/state";

/// Git's id of a tree or a file: SHA-1, for the store is ours and always made so.
pub(super) type ObjectId = [u8; 20];

/// The files of tasks as they stand in one state commit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Shards {
    /// The folder's tree: two that are alike hold the same files.
    pub(super) tree: ObjectId,
    /// Each file's content.
    pub(super) files: BTreeMap<Shard, ObjectId>,
}

/// The opened repository.
pub(super) struct Objects {
    pub(super) repo: Repository,
    pub(super) path: PathBuf,
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
        sync(partial.path()).map_err(io)?;
        match std::fs::rename(partial.keep(), path) {
            Err(source) if !path.exists() => return Err(io(source)),
            Ok(()) | Err(_) => {}
        }
        File::open(parent)
            .and_then(|dir| dir.sync_all())
            .map_err(io)?;
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

    pub(super) fn failed(&self, doing: &'static str) -> impl FnOnce(git2::Error) -> StoreError {
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
    pub(super) fn exists(&self, at: &CommitId) -> bool {
        Oid::from_str(at.as_str()).is_ok_and(|id| self.repo.find_commit(id).is_ok())
    }

    /// Whether some version of some file had the content with this id.
    pub(super) fn has_content(&self, id: &str) -> bool {
        let odb = self.repo.odb();
        Oid::from_str(id).is_ok_and(|id| odb.is_ok_and(|odb| odb.exists(id)))
    }

    pub(super) fn tree(&self, at: &CommitId) -> Result<git2::Tree<'_>, StoreError> {
        let commit = Oid::from_str(at.as_str()).and_then(|id| self.repo.find_commit(id));
        commit
            .and_then(|commit| commit.tree())
            .map_err(self.failed("read"))
    }

    fn dir(&self, at: &CommitId, dir: &str) -> Result<Option<git2::Tree<'_>>, StoreError> {
        let tree = self.tree(at)?;
        let entry = tree.get_path(Path::new(dir)).ok();
        let Some(entry) = entry.filter(|entry| entry.kind() == Some(ObjectType::Tree)) else {
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

    /// How many loose objects there are, told by one of 256 folders, as git does.
    pub(super) fn loose_about(&self) -> usize {
        let sample = self.path.join("objects").join("17");
        std::fs::read_dir(sample).map_or(0, |dir| dir.count() * 256)
    }

    pub(super) fn pack_dir(&self) -> PathBuf {
        self.path.join("objects").join("pack")
    }

    /// How many packs there are.
    pub(super) fn packs(&self) -> usize {
        let dir = std::fs::read_dir(self.pack_dir());
        let is_pack = |entry: &std::fs::DirEntry| {
            entry
                .path()
                .extension()
                .is_some_and(|extension| extension == "pack")
        };
        dir.map_or(0, |dir| dir.flatten().filter(is_pack).count())
    }

    /// Where the tasks' files of one folder ([`super::files::TASKS`] or [`super::files::ARCHIVE`]) stand.
    pub(super) fn shards(&self, at: &CommitId, dir: &str) -> Result<Shards, StoreError> {
        let Some(tree) = self.dir(at, dir)? else {
            return Ok(Shards::default());
        };
        let mut shards = Shards {
            tree: bytes_of(tree.id()),
            files: BTreeMap::new(),
        };
        for entry in tree.iter() {
            let Ok(name) = entry.name() else { continue };
            if entry.kind() != Some(ObjectType::Tree) {
                continue;
            }
            let sub = self
                .repo
                .find_tree(entry.id())
                .map_err(self.failed("read"))?;
            for file in sub.iter() {
                let Ok(inner) = file.name() else { continue };
                if let Some(shard) = Shard::of_path(&format!("{name}/{inner}")) {
                    shards.files.insert(shard, bytes_of(file.id()));
                }
            }
        }
        Ok(shards)
    }

    /// Git's id of one folder's tree.
    pub(super) fn tree_id(&self, at: &CommitId, dir: &str) -> Result<Option<ObjectId>, StoreError> {
        Ok(self.dir(at, dir)?.map(|tree| bytes_of(tree.id())))
    }

    /// The content of a file by git's id of it.
    pub(super) fn blob(&self, id: &ObjectId) -> Result<Vec<u8>, StoreError> {
        let blob = Oid::from_bytes(id).and_then(|id| self.repo.find_blob(id));
        blob.map(|blob| blob.content().to_vec())
            .map_err(self.failed("read"))
    }
}

/// Makes a folder durable, with all that is in it.
fn sync(path: &Path) -> std::io::Result<()> {
    if path.is_dir() {
        for entry in std::fs::read_dir(path)? {
            sync(&entry?.path())?;
        }
    }
    File::open(path)?.sync_all()
}

fn bytes_of(id: Oid) -> ObjectId {
    let mut bytes = [0; 20];
    bytes.copy_from_slice(id.as_bytes().get(..20).unwrap_or(&[0; 20]));
    bytes
}

/// Git's id of a content, as [`Objects::ids`] tells it.
pub(crate) fn id_of(bytes: &[u8]) -> String {
    Oid::hash_object(ObjectType::Blob, bytes)
        .map(|id| id.to_string())
        .unwrap_or_default()
}
