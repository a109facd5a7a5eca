//! Where things are: the project a folder belongs to, whether it is trusted, and where its state is kept.

use std::io;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use crate::git::{self, Repo};

/// Where the state of a folder's project is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The folder asked about.
    pub folder: PathBuf,
    /// Its repository, if it is in one.
    pub repo: Option<Repo>,
    /// The folder of the store: in the clone, or in upstream's home.
    pub store: PathBuf,
    /// Where the state is checked out for people; none outside a trusted work tree.
    pub checkout: Option<PathBuf>,
    /// Why the state isn't in the clone, if it could be.
    pub aside: Option<Aside>,
    /// A second state of this project, kept in upstream's home while the clone's own could not be used; it isn't merged.
    pub second: Option<PathBuf>,
}

/// Why a repository's state is kept in upstream's home.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aside {
    /// The folder isn't trusted: nothing is written there.
    Untrusted,
    /// The git directory can't be written.
    ReadOnly,
}

impl Place {
    /// Finds the place of `folder`. `trusted` answers for a folder as upstream's configuration does.
    pub fn of(folder: &Path, codex_home: &Path, trusted: impl Fn(&Path) -> bool) -> Self {
        let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        let repo = git::find(&folder);
        let top = repo.as_ref().map_or(&folder, |repo| &repo.common_dir);
        let of_folder = |folder: &Path| codex_home.join("orch").join("state").join(hash(folder));
        // A folder that was no repository when its state began keeps it where it is.
        let before = repo
            .as_ref()
            .map(|repo| of_folder(&repo.worktree))
            .filter(|dir| dir.exists());
        let home = before.unwrap_or_else(|| of_folder(top));
        let Some(found) = repo.clone() else {
            return Self {
                folder,
                repo: None,
                store: home,
                checkout: None,
                aside: None,
                second: None,
            };
        };
        // Upstream trusts a work tree by its top, by the folder itself, or by the repository's main work tree.
        let main = found.common_dir.parent().map(Path::to_owned);
        let is_trusted =
            trusted(&folder) || trusted(&found.worktree) || main.is_some_and(|main| trusted(&main));
        let aside = match (is_trusted, writable(&found.common_dir)) {
            (false, _) => Some(Aside::Untrusted),
            (true, false) => Some(Aside::ReadOnly),
            (true, true) => None,
        };
        match aside {
            Some(_) => Self {
                folder,
                repo,
                store: home,
                checkout: None,
                aside,
                second: None,
            },
            None => {
                let store = found.common_dir.join("codex-orch");
                adopt(&home, &store);
                Self {
                    folder,
                    repo,
                    second: Some(home).filter(|home| home.exists() && store.exists()),
                    store,
                    checkout: Some(found.worktree.join(".codex-orch")),
                    aside,
                }
            }
        }
    }
}

/// Takes a state that was kept in upstream's home into the clone, once the clone is trusted. Never over another state.
fn adopt(home: &Path, store: &Path) {
    if !home.exists() || store.exists() {
        return;
    }
    let dead =
        |log: &crate::store::log::Read| crate::store::log::is_dead(&home.join("log"), &log.id);
    let idle =
        crate::store::log::read_all(&home.join("log")).is_ok_and(|logs| logs.iter().all(dead));
    if !idle {
        return;
    }
    let moved = std::fs::rename(home, store).or_else(|_| copy_then_remove(home, store));
    if let Err(error) = moved {
        tracing::warn!(%error, from = %home.display(), "the state kept aside could not be moved into the clone");
    }
}

/// For when the two are on different file systems. The store appears whole or not at all.
fn copy_then_remove(from: &Path, to: &Path) -> io::Result<()> {
    let parent = to.parent().ok_or(io::ErrorKind::InvalidInput)?;
    let partial = tempfile::Builder::new()
        .prefix(".codex-orch-")
        .tempdir_in(parent)?;
    copy_tree(from, partial.path())?;
    std::fs::rename(partial.path(), to)?;
    std::fs::remove_dir_all(from)
}

fn copy_tree(from: &Path, to: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        match entry.file_type()?.is_dir() {
            true => {
                std::fs::create_dir(&target).and_then(|()| copy_tree(&entry.path(), &target))?
            }
            false => std::fs::copy(entry.path(), &target).map(drop)?,
        }
    }
    Ok(())
}

fn writable(dir: &Path) -> bool {
    rustix::fs::access(dir, rustix::fs::Access::WRITE_OK).is_ok()
}

fn hash(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt;
    let digest = Sha256::digest(path.as_os_str().as_bytes());
    HEXLOWER.encode(&digest[..10])
}
