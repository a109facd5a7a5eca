//! What was learned about binaries, kept between runs in one small private file. It may be deleted at any time, and a
//! broken one is written anew; a failure to write it is logged and otherwise of no consequence.

use std::collections::BTreeMap;
use std::fs::DirBuilder;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::check::{REQUIRED, Version};

const FILE: &str = "engine-check.json";
/// More binaries than anyone has; beyond it the file starts anew.
const LIMIT: usize = 16;

/// What a binary was found to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Facts {
    /// Its version.
    pub(crate) version: Version,
    /// Those of [`REQUIRED`] its app-server lacks.
    pub(crate) missing: Vec<String>,
}

/// The file, as read.
pub(crate) struct Verdicts {
    folder: PathBuf,
    kept: Kept,
}

#[derive(Default, Serialize, Deserialize)]
struct Kept {
    /// The methods that were asked for: another list makes all entries void.
    required: Vec<String>,
    binaries: BTreeMap<PathBuf, Entry>,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    size: u64,
    mtime_ns: i128,
    #[serde(flatten)]
    facts: Facts,
}

impl Verdicts {
    /// Reads the file in `folder`; what cannot be read is as if it were not there.
    pub(crate) fn open(folder: &Path) -> Self {
        if let Err(error) = DirBuilder::new().recursive(true).mode(0o700).create(folder) {
            tracing::debug!(%error, folder = %folder.display(), "no cache folder");
        }
        let kept = std::fs::read(folder.join(FILE))
            .ok()
            .and_then(|bytes| serde_json::from_slice::<Kept>(&bytes).ok())
            .filter(|kept| kept.required == REQUIRED && kept.binaries.len() < LIMIT)
            .unwrap_or_default();
        Self {
            folder: folder.to_owned(),
            kept,
        }
    }

    /// What is known of `binary` as it is now.
    pub(crate) fn get(&self, binary: &Path) -> Option<Facts> {
        let (path, size, mtime_ns) = identity(binary).ok()?;
        let entry = self.kept.binaries.get(&path)?;
        ((entry.size, entry.mtime_ns) == (size, mtime_ns)).then(|| entry.facts.clone())
    }

    /// Remembers `facts` of `binary` as it is now.
    pub(crate) fn put(&mut self, binary: &Path, facts: &Facts) {
        if let Err(error) = self.write(binary, facts) {
            tracing::debug!(%error, folder = %self.folder.display(), "the engine check is not remembered");
        }
    }

    fn write(&mut self, binary: &Path, facts: &Facts) -> io::Result<()> {
        let (path, size, mtime_ns) = identity(binary)?;
        let entry = Entry {
            size,
            mtime_ns,
            facts: facts.clone(),
        };
        self.kept.required = REQUIRED.map(str::to_owned).to_vec();
        self.kept.binaries.insert(path, entry);
        // A new file that only its owner can read, put in place by rename: a reader sees the old one or this one.
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        serde_json::to_writer(&mut file, &self.kept)?;
        file.flush()?;
        file.persist(self.folder.join(FILE))?;
        Ok(())
    }
}

fn identity(binary: &Path) -> io::Result<(PathBuf, u64, i128)> {
    let path = std::fs::canonicalize(binary)?;
    let meta = std::fs::metadata(&path)?;
    let mtime_ns = i128::from(meta.mtime()) * 1_000_000_000 + i128::from(meta.mtime_nsec());
    Ok((path, meta.size(), mtime_ns))
}
