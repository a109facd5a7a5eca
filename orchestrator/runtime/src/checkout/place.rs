//! Puts files into `.codex-orch/`: never through a link, never over what somebody else wrote. The file system is here,
//! what stands in the files isn't.

use std::fs::{File, Metadata};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, OFlags, RenameFlags};
use serde::{Deserialize, Serialize};
use tempfile::{NamedTempFile, TempPath};

use super::CheckoutError;

const LOCK: &str = ".lock";
/// Ours, being written.
const NEW: &str = ".new-";
/// About to change places with what stands under a name of ours, and then that.
const SWAP: &str = ".swap-";
/// Not through a link, and without waiting for whoever holds the other end of a pipe.
const CAREFUL: i32 = OFlags::NOFOLLOW
    .union(OFlags::NONBLOCK)
    .union(OFlags::CLOEXEC)
    .bits()
    .cast_signed();

/// What is read of a file to find out whether it is ours, in bytes; a longer one isn't.
const MAX_HELD: u64 = 256 * 1024 * 1024;

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

/// Gives a file that is written the name under which it changes places: whatever stands there after a crash is whole, and
/// may be what somebody has edited.
fn to_swap(new: NamedTempFile, path: &Path) -> Result<(File, TempPath), CheckoutError> {
    let (file, new) = new.into_parts();
    let own = name_of(&new);
    let name = format!("{SWAP}{}-{}", name_of(path), own.trim_start_matches(NEW));
    let swap = new.with_file_name(name);
    std::fs::rename(&new, &swap).map_err(failed(path))?;
    // Nothing stands there any more.
    drop(new);
    let swap = TempPath::try_from_path(swap).map_err(failed(path))?;
    Ok((file, swap))
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
        if name.starts_with(NEW) || (name.starts_with(SWAP) && is(&path, ours)) {
            std::fs::remove_file(&path).map_err(failed(&path))?;
        } else if let Some(of) = name.strip_prefix(SWAP) {
            let of = of.rsplit_once('-').map_or(of, |(of, _)| of);
            let aside = free_name(&root.join(of));
            std::fs::rename(&path, &aside).map_err(failed(&path))?;
            kept.push((of.to_owned(), name_of(&aside)));
        }
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
    let (file, new) = to_swap(new, path)?;
    let swap = |flags| rustix::fs::renameat_with(CWD, &*new, CWD, path, flags);
    match swap(RenameFlags::NOREPLACE) {
        Ok(()) => return placed(&file, path),
        Err(rustix::io::Errno::EXIST) => {}
        // A file system that can't: as well as it goes without.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
            return replace(&file, &new, path, ours);
        }
        Err(error) => return Err(failed(path)(error.into())),
    }
    match swap(RenameFlags::EXCHANGE) {
        Ok(()) => {}
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
            return replace(&file, &new, path, ours);
        }
        Err(error) => return Err(failed(path)(error.into())),
    }
    if is(&new, ours) {
        let meta = path.symlink_metadata().map_err(failed(path))?;
        let mine = file.metadata().map_err(failed(path))?;
        let stat = Stat::of(&mine);
        // Somebody may have put another file there already; then its numbers aren't those of ours.
        return match meta.ino() == mine.ino() {
            true => Ok(Put::Placed(stat)),
            false => Ok(Put::Changed),
        };
    }
    swap(RenameFlags::EXCHANGE).map_err(|error| failed(path)(error.into()))?;
    if is(&new, mine) {
        return Ok(Put::Changed);
    }
    let aside = free_name(path);
    let kept = new.keep().map_err(|error| failed(path)(error.error))?;
    std::fs::rename(kept, &aside).map_err(failed(path))?;
    Ok(Put::Aside(name_of(&aside)))
}

fn placed(file: &File, path: &Path) -> Result<Put, CheckoutError> {
    let meta = file.metadata().map_err(failed(path))?;
    Ok(Put::Placed(Stat::of(&meta)))
}

fn replace(file: &File, new: &Path, path: &Path, ours: IsIt<'_>) -> Result<Put, CheckoutError> {
    if path.symlink_metadata().is_ok() && !is(path, ours) {
        return Ok(Put::Changed);
    }
    std::fs::rename(new, path).map_err(failed(path))?;
    placed(file, path)
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
