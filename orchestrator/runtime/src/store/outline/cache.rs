//! The outline's file: a head that says which tasks' files it was made from, a body of rows for each, and a checksum.
//! What can't be read whole is as if it weren't there. A large one is read in parts: it isn't in memory beside the tasks.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::rows::{Keyed, add, count};
use crate::store::objects::ObjectId;
use crate::sum::{self, Summing};

/// Another form of what follows has another first line.
const MAGIC: &[u8] = b"codex-orch outline 1\n";
/// A cache larger than this isn't ours: some 300 bytes a task.
const MAX_BYTES: u64 = 1 << 30;
/// A head is smaller: some 30 bytes for each of 1,024 files.
const MAX_HEAD: u64 = 128 * 1024;
/// So much is read at once, or one body if that is more.
const CHUNK: u64 = 256 * 1024;
/// From so many bytes on, two threads are quicker than one.
const WORTH_A_THREAD: u64 = 256 * 1024;
/// Room for so many tasks is made at once, whatever a body says it holds.
const MAX_ROOM: usize = 1 << 18;

/// The first two characters of the ids in a file of tasks.
pub(super) type Key = [u8; 2];

/// Which files the cache was made from, and how many bytes of it each takes.
#[derive(Default, Serialize, Deserialize)]
struct Head {
    tree: ObjectId,
    files: Vec<(Key, ObjectId, u32)>,
}

/// The file as it stands, found to be whole.
pub(super) struct Held {
    file: File,
    /// The tree that the backlog's files stood in.
    pub(super) tree: ObjectId,
    /// Each file's id, and where its rows stand.
    pub(super) bodies: BTreeMap<Key, (ObjectId, Range<u64>)>,
}

impl Held {
    /// Opens it.
    pub(super) fn open(path: &Path) -> Option<Self> {
        let meta = path.symlink_metadata().ok()?;
        if !meta.is_file() || meta.len() > MAX_BYTES {
            return None;
        }
        // It is never written in place: whoever has it open reads what was there when it was opened.
        let file = File::open(path).ok()?;
        let end = sum::whole(&file)?;
        let mut start = vec![0; usize::try_from(end.min(MAX_HEAD)).ok()?];
        file.read_exact_at(&mut start, 0).ok()?;
        let rest = start.strip_prefix(MAGIC)?;
        let (head, rest) = postcard::take_from_bytes::<Head>(rest).ok()?;
        let mut at = (start.len() - rest.len()) as u64;
        let mut bodies = BTreeMap::new();
        for (key, id, len) in head.files {
            let range = at..at.checked_add(u64::from(len)).filter(|to| *to <= end)?;
            at = range.end;
            bodies.insert(key, (id, range));
        }
        Some(Self {
            file,
            tree: head.tree,
            bodies,
        })
    }

    /// The rows of one file.
    pub(super) fn body(&self, range: &Range<u64>) -> Option<Vec<u8>> {
        let mut body = vec![0; usize::try_from(range.end - range.start).ok()?];
        self.file.read_exact_at(&mut body, range.start).ok()?;
        Some(body)
    }

    /// The tasks of all bodies, none where one is broken. Both halves are read at once where it is worth a thread.
    pub(super) fn tasks(&self) -> Option<Keyed> {
        let ranges: Vec<&Range<u64>> = self.bodies.values().map(|(_, range)| range).collect();
        let size: u64 = ranges.iter().map(|range| range.end - range.start).sum();
        if size < WORTH_A_THREAD {
            return self.in_turn(&ranges);
        }
        let (left, right) = ranges.split_at(ranges.len() / 2);
        std::thread::scope(|scope| {
            let other = std::thread::Builder::new().spawn_scoped(scope, || self.in_turn(right));
            let mut tasks = self.in_turn(left)?;
            let mut others = match other {
                Ok(other) => other.join().ok()??,
                // No thread is to be had.
                Err(_) => self.in_turn(right)?,
            };
            tasks.append(&mut others);
            Some(tasks)
        })
    }

    fn in_turn(&self, ranges: &[&Range<u64>]) -> Option<Keyed> {
        let mut tasks = Keyed::new();
        let mut left = ranges;
        while let Some(first) = left.first() {
            let end = first.start + CHUNK;
            let fitting = left.iter().skip(1).take_while(|range| range.end <= end);
            let (part, rest) = left.split_at(1 + fitting.count());
            let last = part.last().unwrap_or(first);
            let bytes = self.body(&(first.start..last.end))?;
            let bodies = part.iter().map(|range| {
                let from = usize::try_from(range.start - first.start).ok()?;
                let to = usize::try_from(range.end - first.start).ok()?;
                bytes.get(from..to)
            });
            let bodies: Vec<&[u8]> = bodies.collect::<Option<_>>()?;
            if tasks.is_empty() {
                // All of them hold about as much as these.
                let here: usize = bodies.iter().map(|body| count(body)).sum();
                tasks.reserve((here * ranges.len() / part.len()).min(MAX_ROOM));
            }
            bodies.iter().try_for_each(|body| add(body, &mut tasks))?;
            left = rest;
        }
        Some(tasks)
    }
}

/// Writes it anew: the tree, and for each file of tasks its id and its rows.
pub(super) fn write(
    path: &Path,
    tree: ObjectId,
    files: &[(Key, ObjectId, Vec<u8>)],
) -> io::Result<()> {
    let head = Head {
        tree,
        files: files
            .iter()
            .map(|(key, id, body)| (*key, *id, u32::try_from(body.len()).unwrap_or(0)))
            .collect(),
    };
    let dir = path.parent().unwrap_or(path);
    crate::store::private_dir(dir).map_err(io::Error::other)?;
    // Its mode is 0600, as tempfile makes it.
    let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(dir)?;
    let mut to = Summing::new(BufWriter::new(&mut file));
    let head = postcard::to_stdvec(&head).map_err(io::Error::other)?;
    let bodies = files.iter().map(|(_, _, body)| body.as_slice());
    for part in [MAGIC, &head].into_iter().chain(bodies) {
        to.write_all(part)?;
    }
    to.end()?;
    file.persist(path).map(drop).map_err(|error| error.error)
}
