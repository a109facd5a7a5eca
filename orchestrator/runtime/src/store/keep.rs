//! Keeping the store: packing it, setting it aside, bringing it back. Nothing is deleted here but what git finds
//! unreachable.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use orch_protocol::Timestamp;

use super::{BareStore, StoreError, log};

/// So many loose objects, or packs, and the store is packed by itself.
const LOOSE: usize = 6_700;
const PACKS: usize = 50;

impl BareStore {
    /// Whether packing would be worth its while.
    pub fn wants_packing(&self) -> bool {
        let opened = self.opened();
        opened.is_ok_and(|opened| {
            opened.is_some_and(|(objects, _)| {
                objects.loose_about() > LOOSE || objects.packs() > PACKS
            })
        })
    }

    /// Packs the store with git's own `gc`. Nobody folds meanwhile; readers are not disturbed.
    pub fn pack(&self) -> Result<(), StoreError> {
        if !self.git_dir().exists() {
            return Ok(());
        }
        let guard = self.fold_lock()?;
        let mut git = Command::new("git");
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("GIT_") {
                git.env_remove(name);
            }
        }
        let failed = |source| StoreError::Io {
            doing: "pack with git gc",
            path: self.git_dir(),
            source,
        };
        // Git holds the lock as well: if this process is killed, nobody writes what a gc that goes on would throw away.
        let held = guard.try_clone().map_err(failed)?;
        let ran = git
            .arg("--git-dir")
            .arg(self.git_dir())
            .args([
                "-c",
                "gc.writeCommitGraph=false",
                "-c",
                "core.hooksPath=/dev/null",
            ])
            .args(["gc", "--quiet", "--prune=now"])
            .stdin(held)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .output();
        let out = ran.map_err(failed)?;
        match out.status.success() {
            true => Ok(()),
            false => Err(failed(io::Error::other(
                String::from_utf8_lossy(&out.stderr).trim().to_owned(),
            ))),
        }
    }

    /// Bytes of all that is kept, caches included.
    pub fn size(&self) -> u64 {
        size(&self.dir)
    }

    /// Whether another process has the store open.
    pub fn is_in_use(&self) -> bool {
        log::any_alive(&self.logs_dir(), &self.id)
    }

    /// Sets the whole store aside, beside where it stood; returns where it is.
    pub fn forget(self, now: Timestamp) -> Result<PathBuf, StoreError> {
        let name = format!("{}{}", prefix(&self.dir), now.strftime("%Y%m%dT%H%M%SZ"));
        let aside = self.dir.with_file_name(name);
        std::fs::rename(&self.dir, &aside).map_err(|source| StoreError::Io {
            doing: "set aside",
            path: self.dir.clone(),
            source,
        })?;
        Ok(aside)
    }
}

/// The stores that were set aside from `dir`, the oldest first.
pub fn forgotten(dir: &Path) -> Vec<PathBuf> {
    let prefix = prefix(dir);
    let beside = dir.parent().map(std::fs::read_dir);
    let mut found: Vec<PathBuf> = beside
        .into_iter()
        .flatten()
        .flatten()
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix))
        .map(|entry| entry.path())
        .collect();
    found.sort();
    found
}

/// Brings a store back that was set aside; never over another one.
pub fn bring_back(aside: &Path, dir: &Path) -> Result<(), StoreError> {
    let failed = |source| StoreError::Io {
        doing: "bring back",
        path: aside.to_owned(),
        source,
    };
    if dir.exists() {
        return Err(failed(io::ErrorKind::AlreadyExists.into()));
    }
    std::fs::rename(aside, dir).map_err(failed)
}

fn prefix(dir: &Path) -> String {
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    format!("{name}.forgotten-")
}

fn size(path: &Path) -> u64 {
    let Ok(meta) = path.symlink_metadata() else {
        return 0;
    };
    match meta.is_dir() {
        false => meta.len(),
        true => std::fs::read_dir(path)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| size(&entry.path()))
            .sum(),
    }
}
