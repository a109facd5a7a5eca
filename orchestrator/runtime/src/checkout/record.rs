//! What was last written into the checkout, for telling an edit from what we wrote, and for writing only what changed.
//!
//! The manifest stands in the checkout. The other two files stand in the store's cache: they save time, may vanish or be
//! damaged at any moment, and are worth nothing for another file than the one they were made with.

use std::collections::{BTreeMap, HashMap};
use std::fs::Metadata;
use std::io::{self, BufWriter, Read, Seek as _, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use orch_protocol::ids::{CommitId, TaskId};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::CheckoutError;
use super::place::{self, Held, Stat};
use super::view::Judged;
use crate::sum::{self, Summing};

const MANIFEST: &str = ".checkout.json";
/// Some 100 bytes a session or entry: far more than there will be.
const MAX_MANIFEST: u64 = 64 * 1024 * 1024;
/// Some 120 bytes a task, for more tasks than there may be.
const MAX_INDEX: u64 = 256 * 1024 * 1024;

/// Which files stand there, and git's id of what we wrote into them.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Manifest {
    pub(super) files: BTreeMap<String, String>,
    /// Of the tasks' file.
    #[serde(default)]
    pub(super) tasks: Option<Written>,
    /// Of the tasks' file that is about to take its place: after a crash it may be the one that stands there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) next: Option<Written>,
}

/// The tasks' file as it was written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Written {
    /// The state commit it shows.
    pub(super) state: CommitId,
    /// Of its bytes.
    pub(super) content: String,
    /// Its first line; empty in a manifest of an earlier version.
    #[serde(default)]
    pub(super) head: String,
}

/// The file's content in one word.
pub(super) fn content(bytes: &[u8]) -> String {
    word(&Sha256::digest(bytes).into())
}

/// The content of an opened file, in one word, from where it stands.
pub(super) fn content_of(mut file: impl Read) -> io::Result<String> {
    let mut digest = Digesting::new(io::sink());
    io::copy(&mut file, &mut digest)?;
    Ok(digest.content())
}

fn word(digest: &[u8; 32]) -> String {
    HEXLOWER.encode(&digest[..16])
}

/// Passes on what is written, and knows its content.
pub(super) struct Digesting<W> {
    to: W,
    digest: Sha256,
}

impl<W: Write> Digesting<W> {
    pub(super) fn new(to: W) -> Self {
        Self {
            to,
            digest: Sha256::new(),
        }
    }

    /// All that was written, in one word.
    pub(super) fn content(self) -> String {
        word(&self.digest.finalize().into())
    }
}

impl<W: Write> Write for Digesting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.digest.update(bytes.get(..written).unwrap_or(bytes));
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

impl Manifest {
    pub(super) fn read(root: &Path) -> Self {
        place::own_file(&root.join(MANIFEST), MAX_MANIFEST)
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default()
    }

    /// Whether we have written a tasks' file with this content.
    pub(super) fn is_ours(&self, content: &str) -> bool {
        self.written().any(|written| written.content == content)
    }

    /// The tasks' file that one was edited from, told by its first line, if that is still there.
    pub(super) fn edited_from(&self, text: &str) -> Option<&Written> {
        let head = text.lines().next().unwrap_or_default();
        let known = self.written().find(|written| written.head == head);
        known.or(self
            .tasks
            .as_ref()
            .filter(|written| written.head.is_empty()))
    }

    /// The tasks' files that may stand there.
    pub(super) fn written(&self) -> impl Iterator<Item = &Written> {
        self.next.iter().chain(&self.tasks)
    }

    pub(super) fn write(&self, root: &Path) -> Result<(), CheckoutError> {
        let path = root.join(MANIFEST);
        let bytes = serde_json::to_vec(self).map_err(|error| place::failed(&path)(error.into()))?;
        place::write(root, &path, &bytes)
    }
}

/// Where a task stands in the file, and how it was judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Block {
    pub(super) range: Range<u64>,
    pub(super) judged: Judged,
}

/// Every task of the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Index<B = HashMap<TaskId, Block>> {
    /// Of how blocks are written: another one writes all of them anew.
    pub(super) version: u32,
    /// The state commit that the tasks were as in.
    pub(super) state: CommitId,
    /// Of the file that it was made with.
    pub(super) content: String,
    /// To be looked up in when read; in the order of the file when written, which is the same in bytes.
    pub(super) blocks: B,
}

/// The two files of a work tree in the store's cache.
#[derive(Debug)]
pub(super) struct Cache {
    dir: PathBuf,
    stat: PathBuf,
    index: PathBuf,
}

#[derive(Debug, Serialize, Deserialize)]
struct Seen {
    stat: Stat,
    content: String,
}

impl Cache {
    /// Of the checkout in `root`; `dir` is made when something is written.
    pub(super) fn new(dir: &Path, root: &Path) -> Self {
        use std::os::unix::ffi::OsStrExt as _;
        let key = &content(root.as_os_str().as_bytes())[..16];
        Self {
            stat: dir.join(format!("checkout-{key}.stat")),
            index: dir.join(format!("checkout-{key}.blocks")),
            dir: dir.to_owned(),
        }
    }

    /// The content of a file with these numbers, as far as they tell.
    pub(super) fn content_of(&self, meta: &Metadata) -> Option<String> {
        let (seen, record) = self.seen()?;
        (seen.stat == Stat::of(meta) && !seen.stat.is_as_new_as(&record)).then_some(seen.content)
    }

    /// Whether a file of this content is what was last written or looked at.
    pub(super) fn knows(&self, content: &str) -> bool {
        self.seen().is_some_and(|(seen, _)| seen.content == content)
    }

    fn seen(&self) -> Option<(Seen, Metadata)> {
        let Ok(Held::File(file, record)) = place::look(&self.stat) else {
            return None;
        };
        let bytes = place::read(file, &record, 4096).ok()??;
        Some((serde_json::from_slice(&bytes).ok()?, record))
    }

    pub(super) fn keep_stat(&self, stat: Stat, content: &str) -> Result<(), CheckoutError> {
        let content = content.to_owned();
        let json = serde_json::to_vec(&Seen { stat, content });
        let json = json.map_err(|error| place::failed(&self.stat)(error.into()))?;
        self.keep(&self.stat, &json)
    }

    /// The index of a file with this content, if there is one: of the one that stands there, or of one that was about to.
    pub(super) fn index(&self, content: &str) -> Option<Index> {
        let both = [self.index.clone(), self.next()];
        both.iter().find_map(|path| index_in(path, content))
    }

    /// Keeps the index of a file that is about to take its place: until it has, that of the old one is needed.
    pub(super) fn keep_index(
        &self,
        index: &Index<Vec<(TaskId, Block)>>,
    ) -> Result<(), CheckoutError> {
        crate::store::private_dir(&self.dir)?;
        let path = self.next();
        let mut file = place::new_file(&self.dir)?;
        let failed = |error| place::failed(&path)(error);
        let to = Summing::new(BufWriter::new(&mut file));
        let to = postcard::to_io(index, to).map_err(|error| failed(io::Error::other(error)))?;
        to.end().map_err(failed)?;
        let kept = file.persist(&path);
        kept.map(drop).map_err(|error| failed(error.error))
    }

    /// The file that the last index is of stands in its place.
    pub(super) fn promote_index(&self) {
        if let Err(error) = std::fs::rename(self.next(), &self.index) {
            tracing::debug!(%error, "the cache of the checkout can't be written");
        }
    }

    fn next(&self) -> PathBuf {
        self.index.with_extension("next")
    }

    fn keep(&self, path: &Path, bytes: &[u8]) -> Result<(), CheckoutError> {
        crate::store::private_dir(&self.dir)?;
        place::write(&self.dir, path, bytes)
    }
}

fn index_in(path: &Path, content: &str) -> Option<Index> {
    let Ok(Held::File(mut file, meta)) = place::look(path) else {
        return None;
    };
    let end = (meta.len() <= MAX_INDEX).then(|| sum::whole(&file))??;
    let mut body = Vec::with_capacity(usize::try_from(end).ok()?);
    file.rewind().ok()?;
    file.take(end).read_to_end(&mut body).ok()?;
    let index: Index = postcard::from_bytes(&body).ok()?;
    let is_of_it = index.content == content && index.version == super::text::VERSION;
    is_of_it.then_some(index)
}
