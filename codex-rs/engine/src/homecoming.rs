//! Bringing home what was created in a private home. Nothing that either side wrote is lost: what is new is moved; of two
//! that differ the newer one stays in place and the other is kept beside it as `<name>.codex-orch-<utc>`; folders are
//! merged entry by entry. It may be cut off at any point and done again.
//!
//! No link is ever followed, neither here nor there: a link of ours is removed, another one is moved as it is.

use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use crate::home::{CONTROL, PRIVATE, SHORT, SOCKET};

/// The private home in its place.
pub(crate) const HOME: &str = "home";
/// In the place: a link to the home that the links in [`HOME`] lead to. Its age is that of the private home.
const BASE: &str = "real";
/// Not removed, for its path is written into threads that outlive the session.
const LASTING: &str = "worktrees";

/// What came home.
#[derive(Debug, Default)]
pub struct Homecoming {
    /// Where new things are now.
    pub moved: Vec<PathBuf>,
    /// Where the older of two versions is kept.
    pub kept: Vec<PathBuf>,
    /// What could not be brought, and why; it stays where it is until the next start.
    pub left: Vec<(PathBuf, io::Error)>,
}

impl Homecoming {
    pub(crate) fn extend(&mut self, other: Self) {
        self.moved.extend(other.moved);
        self.kept.extend(other.kept);
        self.left.extend(other.left);
    }
}

/// Notes in a new place which home its links lead to.
pub(crate) fn remember(real: &Path, place: &Path) -> io::Result<()> {
    let base = place.join(BASE);
    // The lasting link may be one to where the home was before it was moved; it is made again with the others.
    for old in [&base, &place.join(HOME).join(LASTING)] {
        if old.is_symlink() {
            std::fs::remove_file(old)?;
        }
    }
    symlink(real, base)
}

/// Brings everything in `place` home to `real`. The caller holds the place's lock.
pub(crate) fn bring(real: &Path, place: &Path) -> Homecoming {
    let base = place.join(BASE);
    let mut mover = Mover {
        home: place.join(HOME),
        linked: std::fs::read_link(&base).unwrap_or_else(|_| real.to_owned()),
        since: base.symlink_metadata().map(|base| changed(&base)).ok(),
        came: Homecoming::default(),
    };
    let home = mover.home.clone();
    mover.attempt(&home, |_| crate::overlay::carry_over(real, place, &home));
    for (name, from) in mover.entries(&home) {
        if PRIVATE.iter().any(|private| name == *private) {
            if name == CONTROL {
                mover.attempt(&from, |_| drop_short(&from.join(SOCKET)));
            }
            for (inner, from) in mover.entries(&from) {
                if is_runtime(&from) {
                    mover.attempt(&from, |_| std::fs::remove_file(&from));
                } else {
                    let to = real.join(&name).join(inner);
                    mover.attempt(&from, |mover| {
                        std::fs::create_dir_all(real.join(&name))?;
                        mover.bring(&from, &to, Depth::Below)
                    });
                }
            }
            let _ = std::fs::remove_dir(&from);
        } else {
            mover.attempt(&from, |mover| {
                mover.bring(&from, &real.join(&name), Depth::Top)
            });
        }
    }
    mover.came
}

/// What is of use to a running server only: sockets and links to them, locks, process ids, empty words.
fn is_runtime(path: &Path) -> bool {
    let Ok(meta) = path.symlink_metadata() else {
        return false;
    };
    let kind = meta.file_type();
    let ends = |ends: &str| path.extension().is_some_and(|extension| extension == ends);
    kind.is_socket()
        || (kind.is_symlink() && ends("sock"))
        || (kind.is_file() && (ends("lock") || ends("pid") || (ends("log") && meta.len() == 0)))
}

/// Removes the short socket that `socket` is a link to, and its folder.
fn drop_short(socket: &Path) -> io::Result<()> {
    let Ok(short) = std::fs::read_link(socket) else {
        return Ok(());
    };
    let folder = short.parent().filter(|folder| {
        let name = folder.file_name().unwrap_or_default();
        name.as_bytes().starts_with(SHORT.0.as_bytes()) && short.ends_with(SHORT.1)
    });
    let Some(folder) = folder else {
        return Ok(());
    };
    if short
        .symlink_metadata()
        .is_ok_and(|meta| meta.file_type().is_socket())
    {
        std::fs::remove_file(&short)?;
    }
    match std::fs::remove_dir(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Depth {
    /// Linked when the home was made, if it was there.
    Top,
    Below,
}

struct Mover {
    home: PathBuf,
    linked: PathBuf,
    since: Option<(i64, i64)>,
    came: Homecoming,
}

impl Mover {
    fn entries(&mut self, folder: &Path) -> Vec<(OsString, PathBuf)> {
        let read = std::fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        match read {
            Ok(entries) => entries
                .into_iter()
                .map(|entry| (entry.file_name(), entry.path()))
                .collect(),
            Err(error) => {
                if error.kind() != ErrorKind::NotFound {
                    self.came.left.push((folder.to_owned(), error));
                }
                Vec::new()
            }
        }
    }

    fn attempt(&mut self, what: &Path, work: impl FnOnce(&mut Self) -> io::Result<()>) {
        match work(self) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                self.came.left.push((what.to_owned(), error));
            }
            _ => {}
        }
    }

    fn bring(&mut self, from: &Path, to: &Path, depth: Depth) -> io::Result<()> {
        let ours = from.symlink_metadata()?;
        if ours.is_symlink() {
            let target = std::fs::read_link(from)?;
            if depth == Depth::Top
                && from
                    .file_name()
                    .is_some_and(|name| target == self.linked.join(name))
            {
                return match from.ends_with(LASTING) {
                    true => Ok(()),
                    false => std::fs::remove_file(from),
                };
            }
            // A link into the private home would lead nowhere soon.
            if let Ok(inside) = target.strip_prefix(&self.home) {
                let target = self.linked.join(inside);
                if symlink(&target, to).is_ok() {
                    self.came.moved.push(to.to_owned());
                    return std::fs::remove_file(from);
                }
            }
        }
        match rename_new(from, to, &ours) {
            Ok(()) => {
                self.came.moved.push(to.to_owned());
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                self.settle(from, to, &ours, depth)
            }
            Err(error) => Err(error),
        }
    }

    /// Both are there.
    fn settle(&mut self, from: &Path, to: &Path, ours: &Metadata, depth: Depth) -> io::Result<()> {
        let theirs = to.symlink_metadata()?;
        if ours.is_dir() && theirs.is_dir() {
            for (name, from) in self.entries(from) {
                let to = to.join(name);
                self.attempt(&from, |mover| mover.bring(&from, &to, Depth::Below));
            }
            return match std::fs::remove_dir(from) {
                // What could not be brought is told of already.
                Err(error) if error.kind() != ErrorKind::DirectoryNotEmpty => Err(error),
                _ => Ok(()),
            };
        }
        if same(from, ours, to, &theirs)? {
            return std::fs::remove_file(from);
        }
        if !ours.is_file() || !theirs.is_file() {
            return self.keep_beside(from, to, ours);
        }
        // The link to it was replaced by a newer version, as upstream does when it writes a file anew.
        let replaced =
            depth == Depth::Top && self.since.is_some_and(|since| changed(&theirs) < since);
        if !replaced && modified(ours) < modified(&theirs) {
            return self.keep_beside(from, to, ours);
        }
        exchange(from, to, self)?;
        self.came.moved.push(to.to_owned());
        // `from` holds theirs now, unless it was kept already.
        match from.symlink_metadata() {
            Ok(_) if replaced => std::fs::remove_file(from),
            Ok(theirs) => self.keep_beside(from, to, &theirs),
            Err(_) => Ok(()),
        }
    }

    fn keep_beside(&mut self, from: &Path, to: &Path, meta: &Metadata) -> io::Result<()> {
        let now = jiff::Timestamp::now()
            .strftime("%Y%m%dT%H%M%SZ")
            .to_string();
        for again in 0.. {
            let mut name = to.file_name().unwrap_or(OsStr::new("file")).to_owned();
            name.push(format!(".codex-orch-{now}"));
            if again > 0 {
                name.push(format!("-{again}"));
            }
            let beside = to.with_file_name(name);
            match rename_new(from, &beside, meta) {
                Ok(()) => {
                    self.came.kept.push(beside);
                    break;
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Renames, and never replaces anything.
fn rename_new(from: &Path, to: &Path, meta: &Metadata) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => rename_new_plainly(from, to, meta),
        renamed => Ok(renamed?),
    }
}

/// The same where the file system has no such call. A folder never replaces anything but an empty folder.
fn rename_new_plainly(from: &Path, to: &Path, meta: &Metadata) -> io::Result<()> {
    if meta.is_dir() {
        return match std::fs::rename(from, to) {
            Err(error) if to.symlink_metadata().is_ok() => {
                Err(io::Error::new(ErrorKind::AlreadyExists, error))
            }
            renamed => renamed,
        };
    }
    if meta.is_symlink() {
        symlink(std::fs::read_link(from)?, to)?;
    } else {
        std::fs::hard_link(from, to)?;
    }
    std::fs::remove_file(from)
}

/// Each in the other's place; where the file system can't do that, `to` is kept beside first and there is nothing at `from`
/// afterwards.
fn exchange(from: &Path, to: &Path, mover: &mut Mover) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::EXCHANGE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
            mover.keep_beside(to, to, &to.symlink_metadata()?)?;
            rename_new(from, to, &from.symlink_metadata()?)
        }
        exchanged => Ok(exchanged?),
    }
}

/// Whether they are the same to every reader.
fn same(a: &Path, a_meta: &Metadata, b: &Path, b_meta: &Metadata) -> io::Result<bool> {
    if a_meta.is_symlink() && b_meta.is_symlink() {
        return Ok(std::fs::read_link(a)? == std::fs::read_link(b)?);
    }
    if !a_meta.is_file() || !b_meta.is_file() || a_meta.len() != b_meta.len() {
        return Ok(false);
    }
    let (mut a, mut b) = (File::open(a)?, File::open(b)?);
    let (mut left, mut right) = (Vec::new(), Vec::new());
    loop {
        left.clear();
        right.clear();
        (&mut a).take(64 * 1024).read_to_end(&mut left)?;
        (&mut b).take(64 * 1024).read_to_end(&mut right)?;
        if left != right || left.is_empty() {
            return Ok(left == right);
        }
    }
}

fn changed(meta: &Metadata) -> (i64, i64) {
    (meta.ctime(), meta.ctime_nsec())
}

fn modified(meta: &Metadata) -> (i64, i64) {
    (meta.mtime(), meta.mtime_nsec())
}
