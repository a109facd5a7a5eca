//! Puts files into `.codex-orch/`: never through a link, never over what somebody else wrote. The file system is here,
//! what stands in the files isn't.

use std::fs::{File, Metadata};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, OFlags, RenameFlags};
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use super::CheckoutError;

const LOCK: &str = ".lock";
/// Ours, being written.
const NEW: &str = ".part-";
/// About to change places with what stands under a name of ours, and then that.
const SWAP: &str = ".swap-";
/// Not through a link, and without waiting for whoever holds the other end of a pipe.
const CAREFUL: i32 = OFlags::NOFOLLOW
    .union(OFlags::NONBLOCK)
    .union(OFlags::CLOEXEC)
    .bits()
    .cast_signed();

/// What is read of a file to find out whether it is ours, in bytes; a longer one isn't.
pub(super) const MAX_HELD: u64 = 256 * 1024 * 1024;

/// What tells a file from itself after a change, without reading it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stat {
    size: u64,
    inode: u64,
    device: u64,
    mtime: (i64, i64),
    ctime: (i64, i64),
}

impl Stat {
    /// Of a file that was looked at.
    pub(super) fn of(meta: &Metadata) -> Self {
        Self {
            size: meta.size(),
            inode: meta.ino(),
            device: meta.dev(),
            mtime: (meta.mtime(), meta.mtime_nsec()),
            ctime: (meta.ctime(), meta.ctime_nsec()),
        }
    }

    /// Whether the clock of the file system may not have gone on between this file's last change and that of the record
    /// of it: then a change after the record need not be seen in the times.
    pub(super) fn is_as_new_as(&self, record: &Metadata) -> bool {
        let nanos =
            |(seconds, nanos): (i64, i64)| i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
        let recorded = nanos((record.mtime(), record.mtime_nsec()));
        recorded - nanos(self.mtime.max(self.ctime)) < 20_000_000
    }
}

/// Makes sure that `dir` is a folder, and not a way out of the work tree.
pub(super) fn own_dir(dir: &Path) -> Result<(), CheckoutError> {
    match dir.symlink_metadata() {
        Ok(meta) if meta.is_dir() => Ok(()),
        Ok(_) => Err(CheckoutError::NotAFolder {
            path: dir.to_owned(),
        }),
        Err(_) => Ok(crate::store::private_dir(dir)?),
    }
}

/// Waits until no other process works on the checkout.
pub(super) fn lock(root: &Path) -> Result<File, CheckoutError> {
    let path = root.join(LOCK);
    let lock = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .custom_flags(CAREFUL)
        .open(&path)
        .map_err(failed(&path))?;
    lock.lock().map_err(failed(&path))?;
    Ok(lock)
}

/// What stands under a name of ours.
#[derive(Debug)]
pub(super) enum Held {
    /// Nothing.
    Nothing,
    /// A plain file, opened.
    File(File, Metadata),
    /// A link, a folder, a device.
    Other,
}

/// Opens a file of ours to be read.
pub(super) fn look(path: &Path) -> Result<Held, CheckoutError> {
    match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Held::Nothing),
        Err(error) => return Err(failed(path)(error)),
        Ok(meta) if !meta.is_file() => return Ok(Held::Other),
        Ok(_) => {}
    }
    let file = File::options()
        .read(true)
        .custom_flags(CAREFUL)
        .open(path)
        .map_err(failed(path))?;
    let meta = file.metadata().map_err(failed(path))?;
    match meta.is_file() {
        true => Ok(Held::File(file, meta)),
        false => Ok(Held::Other),
    }
}

/// Reads a file of ours, at most `max` bytes of it; none where it is missing, longer, or no plain file.
pub(super) fn own_file(path: &Path, max: u64) -> Option<Vec<u8>> {
    let Ok(Held::File(file, meta)) = look(path) else {
        return None;
    };
    read(file, &meta, max).ok().flatten()
}

/// Reads an opened file; none where it holds more than `max` bytes: then nothing is read.
pub(super) fn read(file: File, meta: &Metadata, max: u64) -> io::Result<Option<Vec<u8>>> {
    if meta.len() > max {
        return Ok(None);
    }
    let mut bytes = Vec::with_capacity(usize::try_from(meta.len()).unwrap_or_default());
    file.take(max + 1).read_to_end(&mut bytes)?;
    Ok(Some(bytes).filter(|bytes| bytes.len() as u64 <= max))
}

/// What became of a file that was to be put in place.
#[derive(Debug)]
pub enum Put {
    /// It stands there.
    Placed(Stat),
    /// Somebody has changed what stood there: that stands there still.
    Changed,
    /// Somebody has changed what stood there, again while it was put back: what they wrote first is kept under this name.
    Aside(String),
}

/// A file that is to be put in place, to be written first.
pub(super) fn new_file(root: &Path) -> Result<NamedTempFile, CheckoutError> {
    tempfile::Builder::new()
        .prefix(NEW)
        .tempfile_in(root)
        .map_err(failed(root))
}

/// Ours as it is written, under the name by which it changes places. From then on whatever stands there may be what
/// somebody has edited: it is removed only where it was looked at, and else found by [`leftovers`].
struct Swap {
    file: File,
    path: PathBuf,
    written: Stat,
}

impl Swap {
    fn new(new: NamedTempFile, path: &Path) -> Result<Self, CheckoutError> {
        let own = name_of(new.path());
        let name = format!("{SWAP}{}-{}", name_of(path), own.trim_start_matches(NEW));
        let swap = new.path().with_file_name(name);
        let written = Stat::of(&new.as_file().metadata().map_err(failed(path))?);
        std::fs::rename(new.path(), &swap).map_err(failed(path))?;
        let (file, nothing) = new.into_parts();
        drop(nothing);
        Ok(Self {
            file,
            path: swap,
            written,
        })
    }

    /// Whether nobody has written into our file since it was written: renaming changes neither of the two.
    fn is_as_written(&self, now: &Stat) -> bool {
        (now.size, now.mtime) == (self.written.size, self.written.mtime)
    }

    /// Removes what stands there, which is known.
    fn remove(&self) {
        if let Err(error) = std::fs::remove_file(&self.path) {
            tracing::debug!(%error, "a file of the checkout could not be removed");
        }
    }
}

/// Clears away what a killed process has left, while nobody else works here. What isn't `ours` is kept; returns of each the
/// name it stood under, and the one it stands under now.
pub(super) fn leftovers(
    root: &Path,
    ours: IsIt<'_>,
) -> Result<Vec<(String, String)>, CheckoutError> {
    let mut kept = Vec::new();
    for entry in std::fs::read_dir(root).map_err(failed(root))? {
        let path = entry.map_err(failed(root))?.path();
        let name = name_of(&path);
        let is_known = name.starts_with(NEW) || name.starts_with(SWAP);
        if !is_known || !path.symlink_metadata().is_ok_and(|meta| meta.is_file()) {
            continue;
        }
        let Some(of) = name.strip_prefix(SWAP).filter(|_| !is(&path, ours)) else {
            std::fs::remove_file(&path).map_err(failed(&path))?;
            continue;
        };
        // Whoever put it there, its name leads nowhere else.
        let of = of.rsplit_once('-').map_or(of, |(of, _)| of);
        let of = Path::new(of)
            .file_name()
            .map_or("file".to_owned(), |of| of.to_string_lossy().into_owned());
        let aside = free_name(&root.join(&of));
        std::fs::rename(&path, &aside).map_err(failed(&path))?;
        kept.push((of, name_of(&aside)));
    }
    Ok(kept)
}

/// Exchanges a file for a new one, and looks at what it has displaced: what isn't `ours` is put back.
pub fn exchange(
    root: &Path,
    path: &Path,
    bytes: &[u8],
    ours: &dyn Fn(&[u8]) -> bool,
) -> Result<Put, CheckoutError> {
    let mut new = new_file(root)?;
    new.write_all(bytes).map_err(failed(path))?;
    let held = |is: &dyn Fn(&[u8]) -> bool, file: File, meta: &Metadata| {
        let bytes = read(file, meta, MAX_HELD).ok().flatten();
        bytes.is_some_and(|bytes| is(&bytes))
    };
    settle(
        new,
        path,
        &|file, meta| held(ours, file, meta),
        &|file, meta| held(&|held| held == bytes, file, meta),
    )
}

/// Says of an opened file whether it is the one that is meant.
type IsIt<'a> = &'a dyn Fn(File, &Metadata) -> bool;

/// [`exchange`], of a file that is written. `mine` knows it again.
pub(super) fn settle(
    new: NamedTempFile,
    path: &Path,
    ours: IsIt<'_>,
    mine: IsIt<'_>,
) -> Result<Put, CheckoutError> {
    let new = Swap::new(new, path)?;
    let swap = |flags| rustix::fs::renameat_with(CWD, &new.path, CWD, path, flags);
    let swapped = match swap(RenameFlags::NOREPLACE) {
        Ok(()) => return new.placed(path),
        Err(rustix::io::Errno::EXIST) => swap(RenameFlags::EXCHANGE),
        failed => failed,
    };
    match swapped {
        Ok(()) => {}
        // A file system that can't: as well as it goes without.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
            return new.replace(path, ours);
        }
        Err(error) => {
            new.remove();
            return Err(failed(path)(error.into()));
        }
    }
    if is(&new.path, ours) {
        new.remove();
        return new.placed(path);
    }
    swap(RenameFlags::EXCHANGE).map_err(|error| failed(path)(error.into()))?;
    if is(&new.path, mine) {
        new.remove();
        return Ok(Put::Changed);
    }
    let aside = free_name(path);
    std::fs::rename(&new.path, &aside).map_err(failed(path))?;
    Ok(Put::Aside(name_of(&aside)))
}

impl Swap {
    /// It stands under its own name now, if nobody has put another one there or written into it already: then the numbers
    /// aren't those of what we wrote.
    fn placed(&self, path: &Path) -> Result<Put, CheckoutError> {
        let there = path.symlink_metadata().map_err(failed(path))?;
        let stat = Stat::of(&self.file.metadata().map_err(failed(path))?);
        match there.ino() == stat.inode && self.is_as_written(&stat) {
            true => Ok(Put::Placed(stat)),
            false => Ok(Put::Changed),
        }
    }

    fn replace(&self, path: &Path, ours: IsIt<'_>) -> Result<Put, CheckoutError> {
        if path.symlink_metadata().is_ok() && !is(path, ours) {
            self.remove();
            return Ok(Put::Changed);
        }
        std::fs::rename(&self.path, path).map_err(failed(path))?;
        self.placed(path)
    }
}

fn is(path: &Path, it: IsIt<'_>) -> bool {
    match look(path) {
        Ok(Held::File(file, meta)) => it(file, &meta),
        Ok(Held::Nothing | Held::Other) | Err(_) => false,
    }
}

/// Puts a file in place; what stands there and isn't `ours` is renamed first. Returns its new name.
pub(super) fn put(
    root: &Path,
    path: &Path,
    bytes: &[u8],
    ours: &dyn Fn(&[u8]) -> bool,
) -> Result<Option<String>, CheckoutError> {
    match exchange(root, path, bytes, &|held| ours(held) || held == bytes)? {
        Put::Placed(_) => Ok(None),
        Put::Aside(name) => Ok(Some(name)),
        Put::Changed => {
            let kept = aside(path)?;
            exchange(root, path, bytes, &|_| false)?;
            Ok(Some(kept))
        }
    }
}

/// Renames what stands under a name of ours. Returns its new name.
pub(super) fn aside(path: &Path) -> Result<String, CheckoutError> {
    let aside = free_name(path);
    std::fs::rename(path, &aside).map_err(failed(path))?;
    Ok(name_of(&aside))
}

fn name_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

fn free_name(path: &Path) -> PathBuf {
    let name = name_of(path);
    let tried = (1..).map(|n| path.with_file_name(format!("{name}.edited-{n}")));
    tried
        .into_iter()
        .find(|path| path.symlink_metadata().is_err())
        .unwrap_or_else(|| path.to_owned())
}

/// Writes a record of ours: beside, then renamed.
pub(super) fn write(dir: &Path, path: &Path, bytes: &[u8]) -> Result<(), CheckoutError> {
    let mut file = new_file(dir)?;
    file.write_all(bytes).map_err(failed(path))?;
    file.persist(path)
        .map_err(|error| failed(path)(error.error))?;
    Ok(())
}

pub(super) fn failed(path: &Path) -> impl FnOnce(io::Error) -> CheckoutError {
    let path = path.to_owned();
    move |source| CheckoutError::Io { path, source }
}
