//! The cache of what git said: for the newest heads what each reaches, and the patches that were compared. Files in a
//! folder of our own that may be deleted, cut off or scribbled over at any time: what can't be read whole is as if it
//! weren't there. Nothing here asks git.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::DirBuilder;
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use orch_protocol::ids::CommitId;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};

/// The most heads kept: work trees that stand at different ones don't push each other out.
const MAX_HEADS: usize = 8;
/// A longer file isn't read.
const MAX_BYTES: u64 = 64 * 1024 * 1024;
/// Goes up when a file means something else than before.
const VERSION: u32 = 1;

/// Where answers are kept; nowhere without a folder.
#[derive(Debug, Clone, Default)]
pub(super) struct Cache(Option<PathBuf>);

/// What was found of the commits that were asked about, at one head.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Answers {
    /// HEAD reaches them.
    #[serde(deserialize_with = "sorted")]
    pub(super) reached: BTreeSet<CommitId>,
    /// It doesn't.
    #[serde(deserialize_with = "sorted")]
    pub(super) missing: BTreeSet<CommitId>,
    /// Of what HEAD reaches and was committed since then (seconds since the epoch), what says that it reverts a commit is
    /// known.
    pub(super) since: i64,
    /// Those asked about that are older than that, and so no claimed ones.
    pub(super) older: BTreeSet<CommitId>,
    /// What says that it reverts a commit, and which.
    pub(super) reverts: Vec<(CommitId, CommitId)>,
    /// What the search for rewritten commits rested on besides HEAD; empty before the first search.
    pub(super) ground: String,
    /// What it found.
    pub(super) found: BTreeMap<CommitId, CommitId>,
}

/// What tells one commit's patch from another's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Patch {
    /// A fingerprint of the changed paths, and how many there are; none where nothing or too much is changed.
    pub(super) paths: Option<(u64, usize)>,
    /// The patch id, once it was needed; within it none for a patch that can't be made.
    pub(super) id: Option<Option<String>>,
}

#[derive(Serialize, Deserialize)]
struct Kept<T> {
    version: u32,
    of: String,
    what: T,
}

impl Cache {
    /// Keeps answers in `dir`.
    pub(super) fn new(dir: PathBuf) -> Self {
        Self(Some(dir))
    }

    /// What is known at `head`. `cut` tells one cut of a shallow history from another.
    pub(super) fn answers(&self, head: &CommitId, cut: &str) -> Option<Answers> {
        let name = name(head, cut);
        self.read(&name)
    }

    /// The heads something is known at, the newest first.
    pub(super) fn heads(&self, cut: &str) -> Vec<CommitId> {
        let Some(dir) = &self.0 else {
            return Vec::new();
        };
        heads(dir)
            .into_iter()
            .filter_map(|(_, name)| {
                let head = name.strip_prefix("reach-")?;
                let head = head.strip_suffix(&format!("-{cut}.json"))?;
                Some(CommitId::new(head))
            })
            .collect()
    }

    /// Keeps what is known at `head`; the oldest heads go.
    pub(super) fn keep(&self, head: &CommitId, cut: &str, answers: &Answers) {
        self.write(&name(head, cut), answers);
        let Some(dir) = &self.0 else {
            return;
        };
        for (_, old) in heads(dir).into_iter().skip(MAX_HEADS) {
            // Another process may have removed it already.
            let _ = std::fs::remove_file(dir.join(old));
        }
    }

    /// Patches by commit.
    pub(super) fn patches(&self) -> BTreeMap<CommitId, Patch> {
        self.read("patches.json").unwrap_or_default()
    }

    /// Keeps patches by commit, in place of those kept before.
    pub(super) fn keep_patches(&self, patches: &BTreeMap<CommitId, Patch>) {
        self.write("patches.json", patches);
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        let path = self.0.as_ref()?.join(name);
        let meta = path.symlink_metadata().ok()?;
        if !meta.is_file() || meta.len() > MAX_BYTES {
            return None;
        }
        let bytes = std::fs::read(&path).ok()?;
        let (sum, text) = bytes.split_at_checked(9)?;
        if sum != format!("{:08x} ", crc32fast::hash(text)).as_bytes() {
            return None;
        }
        let kept: Kept<T> = serde_json::from_slice(text).ok()?;
        (kept.version == VERSION && kept.of == name).then_some(kept.what)
    }

    /// A cache that can't be written costs time and nothing else.
    fn write<T: Serialize>(&self, name: &str, what: &T) {
        let Some(dir) = &self.0 else {
            return;
        };
        let kept = Kept {
            version: VERSION,
            of: name.to_owned(),
            what,
        };
        let written = serde_json::to_vec(&kept)
            .map_err(io::Error::from)
            .and_then(|text| replace(dir, name, &text));
        if let Err(error) = written {
            tracing::debug!(%error, name, "what git said could not be kept");
        }
    }
}

/// Reads a set that was written in order: built at once, which ten thousand insertions aren't.
fn sorted<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeSet<CommitId>, D::Error> {
    Ok(Vec::<CommitId>::deserialize(from)?.into_iter().collect())
}

fn name(head: &CommitId, cut: &str) -> String {
    format!("reach-{head}-{cut}.json")
}

fn heads(dir: &Path) -> Vec<(SystemTime, String)> {
    let entry = |entry: io::Result<std::fs::DirEntry>| {
        let entry = entry.ok()?;
        let name = entry.file_name().into_string().ok()?;
        let at = entry.metadata().and_then(|meta| meta.modified()).ok()?;
        name.starts_with("reach-").then_some((at, name))
    };
    let mut heads: Vec<_> = std::fs::read_dir(dir)
        .into_iter()
        .flatten()
        .filter_map(entry)
        .collect();
    heads.sort();
    heads.reverse();
    heads
}

/// Replaces a file at once; readable by its owner alone. The folder above has to be there: we don't begin a store.
fn replace(dir: &Path, name: &str, text: &[u8]) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(dir) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = tempfile::NamedTempFile::new_in(dir)?;
    write!(file, "{:08x} ", crc32fast::hash(text))?;
    file.write_all(text)?;
    file.persist(dir.join(name))?;
    Ok(())
}
