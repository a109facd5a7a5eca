//! The write-ahead log: one file a process, one line a fact, `<crc32> <json>`, made durable by one fdatasync.
//!
//! The writer holds a lock on its file as long as it lives; the kernel gives it back however the process ends. A line
//! that was cut off at the end was never acknowledged and is passed over.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use orch_protocol::fact::Fact;
use orch_protocol::ids::LogId;
use thiserror::Error;

/// Why a log could not be read or written.
#[derive(Debug, Error)]
#[error("Failed to {doing} {}", path.display())]
pub struct LogError {
    /// What was being done.
    pub doing: &'static str,
    /// To which file.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> LogError {
    let path = path.to_owned();
    move |source| LogError {
        doing,
        path,
        source,
    }
}

/// The log of this process.
#[derive(Debug)]
pub struct Log {
    file: File,
    path: PathBuf,
    len: u64,
}

impl Log {
    /// Creates the log of `id` in `dir` and locks it. The folder's entry is durable when this returns.
    pub fn create(dir: &Path, id: &LogId) -> Result<Self, LogError> {
        let (path, unlocked) = (dir.join(format!("{id}.log")), dir.join(format!("{id}.new")));
        loop {
            let file = Self::locked(&unlocked)?;
            // It takes its name once it is locked: under that name an unlocked log is a dead one, and may be removed.
            match std::fs::rename(&unlocked, &path) {
                Ok(()) => {
                    sync_dir(dir)?;
                    return Ok(Self { file, path, len: 0 });
                }
                // Taken for one that was given up, before it was locked: it is made anew.
                Err(error) if error.kind() == io::ErrorKind::NotFound && dir.is_dir() => {}
                Err(error) => return Err(failed("create", &path)(error)),
            }
        }
    }

    fn locked(unlocked: &Path) -> Result<File, LogError> {
        let file = OpenOptions::new()
            .create_new(true)
            .append(true)
            .mode(0o600)
            .open(unlocked);
        let file = file.map_err(failed("create", unlocked))?;
        file.lock().map_err(failed("lock", unlocked))?;
        Ok(file)
    }

    /// Appends facts and returns once they are on the disk. After a failure the log stands as it was before.
    pub fn append(&mut self, facts: &[Fact]) -> Result<(), LogError> {
        let mut bytes = Vec::with_capacity(facts.len() * 512);
        for fact in facts {
            let json = serde_json::to_vec(fact)
                .map_err(io::Error::from)
                .map_err(failed("write", &self.path))?;
            // Writing to a Vec can't fail.
            let _ = write!(bytes, "{:08x} ", crc32fast::hash(&json));
            bytes.extend_from_slice(&json);
            bytes.push(b'\n');
        }
        let written = self
            .file
            .write_all(&bytes)
            .and_then(|()| self.file.sync_data());
        if let Err(source) = written {
            // Half a line must not stand before the next one.
            let _ = self
                .file
                .set_len(self.len)
                .and_then(|()| self.file.sync_data());
            return Err(LogError {
                doing: "write",
                path: self.path.clone(),
                source,
            });
        }
        self.len += bytes.len() as u64;
        Ok(())
    }

    /// Empties the log: every fact of it is in a state commit. Numbers go on where they were.
    pub fn empty(&mut self) -> Result<(), LogError> {
        self.file.set_len(0).map_err(failed("empty", &self.path))?;
        self.len = 0;
        Ok(())
    }

    /// Removes the log: every fact of it is in a state commit.
    pub fn remove(self) -> Result<(), LogError> {
        std::fs::remove_file(&self.path).map_err(failed("remove", &self.path))
    }
}

/// What stands in one log.
#[derive(Debug, Clone)]
pub struct Read {
    /// Whose.
    pub id: LogId,
    /// Its facts, in order.
    pub facts: Vec<Fact>,
    /// A whole line could not be read: the file is kept when the log is done with.
    pub damaged: bool,
    /// How many bytes were read.
    len: u64,
}

/// How often logs are looked at until none has grown between two looks, each of which takes some microseconds.
const LOOKS: u32 = 100;

/// Reads every log in `dir`, in the order of their names, which begin with the time.
///
/// What is read belongs together: a fact that somebody recorded after having seen another one is never read without that
/// one. So logs are read as far as they went at one moment.
pub fn read_all(dir: &Path) -> Result<Vec<Read>, LogError> {
    for _ in 0..LOOKS {
        let lengths = lengths(dir)?;
        if lengths == self::lengths(dir)?
            && let Some(logs) = read_as_far(dir, &lengths)?
        {
            return Ok(logs);
        }
    }
    Err(failed("read", dir)(io::ErrorKind::ResourceBusy.into()))
}

/// How long each log is, by its id.
fn lengths(dir: &Path) -> Result<BTreeMap<String, u64>, LogError> {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(failed("read", dir)(error)),
    };
    let mut lengths = BTreeMap::new();
    for entry in entries {
        let entry = entry.map_err(failed("read", dir))?;
        let name = entry.file_name().into_string().unwrap_or_default();
        let Some(id) = name.strip_suffix(".log") else {
            continue;
        };
        match entry.metadata() {
            Ok(meta) => drop(lengths.insert(id.to_owned(), meta.len())),
            // Another process has just finished with it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed("read", &entry.path())(error)),
        }
    }
    Ok(lengths)
}

/// Reads logs up to these lengths; none when one is shorter by now, or gone.
fn read_as_far(dir: &Path, lengths: &BTreeMap<String, u64>) -> Result<Option<Vec<Read>>, LogError> {
    let mut logs = Vec::with_capacity(lengths.len());
    for (id, length) in lengths {
        let path = dir.join(format!("{id}.log"));
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("read", &path)(error)),
        };
        let known = usize::try_from(*length)
            .ok()
            .and_then(|end| bytes.get(..end));
        let Some(known) = known else { return Ok(None) };
        logs.push(parse(LogId::new(id), known));
    }
    Ok(Some(logs))
}

/// Reads a log's bytes; never fails: what isn't a fact is passed over, and noted unless it is a cut-off end.
pub fn parse(id: LogId, bytes: &[u8]) -> Read {
    let mut read = Read {
        id,
        facts: Vec::new(),
        damaged: false,
        len: bytes.len() as u64,
    };
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let Some(whole) = line.strip_suffix(b"\n") else {
            break;
        };
        match fact(whole) {
            Some(fact) if fact.id.log == read.id => read.facts.push(fact),
            Some(_) | None => read.damaged = true,
        }
    }
    read
}

fn fact(line: &[u8]) -> Option<Fact> {
    let (sum, json) = (line.get(..8)?, line.get(9..)?);
    let sum = u32::from_str_radix(std::str::from_utf8(sum).ok()?, 16).ok()?;
    (sum == crc32fast::hash(json))
        .then(|| serde_json::from_slice(json).ok())
        .flatten()
}

/// Whether nobody writes the log any more, or it is gone.
pub fn is_dead(dir: &Path, id: &LogId) -> bool {
    match File::open(dir.join(format!("{id}.log"))) {
        Ok(file) => !matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

/// Whether a process has left its log behind.
pub fn any_dead(dir: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return false;
    };
    entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .any(|name| match name.strip_suffix(".log") {
            Some(id) => is_dead(dir, &LogId::new(id)),
            None => name.ends_with(".new"),
        })
}

/// Whether a process other than the one that writes `own` has its log here.
pub fn any_alive(dir: &Path, own: &LogId) -> bool {
    names(dir)
        .iter()
        .filter_map(|name| name.strip_suffix(".log"))
        .map(LogId::new)
        .any(|id| id != *own && !is_dead(dir, &id))
}

/// Names of logs that were kept because a line of them could not be read.
pub fn damaged(dir: &Path) -> Vec<String> {
    let mut names = names(dir);
    names.retain(|name| name.ends_with(".damaged"));
    names.sort();
    names
}

fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect()
}

/// Makes it durable which logs are there, and which are gone.
pub fn sync_dir(dir: &Path) -> Result<(), LogError> {
    File::open(dir)
        .and_then(|opened| opened.sync_all())
        .map_err(failed("sync", dir))
}

/// Removes a log whose writer is dead, if nothing was added to it since it was read; a damaged one is renamed instead.
pub fn remove_if_dead(dir: &Path, log: &Read) -> Result<(), LogError> {
    let path = dir.join(format!("{}.log", log.id));
    let mut file = match File::options().read(true).write(true).open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed("open", &path)(error)),
    };
    if file.try_lock().is_err() {
        return Ok(());
    }
    let len = file.seek(SeekFrom::End(0)).map_err(failed("read", &path))?;
    if len != log.len {
        return Ok(());
    }
    let done = match log.damaged {
        false => std::fs::remove_file(&path),
        true => std::fs::rename(&path, path.with_extension("damaged")),
    };
    done.or_else(|error| {
        if error.kind() == io::ErrorKind::NotFound {
            Ok(())
        } else {
            Err(error)
        }
    })
    .map_err(failed("remove", &path))
}

/// Removes what was to become a log when its process was killed: it holds nothing.
pub fn remove_unborn(dir: &Path) {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    for path in entries.map(|entry| entry.path()) {
        if path.extension().is_some_and(|extension| extension == "new")
            && let Ok(file) = File::open(&path)
            && file.try_lock().is_ok()
        {
            // Another process may have been quicker.
            let _ = std::fs::remove_file(&path);
        }
    }
}

/// A name for this process's log: time first, so that logs sort by age; then what no other process has.
pub fn fresh_id(now: orch_protocol::Timestamp) -> LogId {
    let mut random = [0u8; 6];
    let drawn = File::open("/dev/urandom").and_then(|mut source| source.read_exact(&mut random));
    if drawn.is_err() {
        tracing::warn!("no random source; the log's name rests on time and process id alone");
    }
    LogId::new(format!(
        "{}-{}-{}",
        now.strftime("%Y%m%dT%H%M%S%3f"),
        std::process::id(),
        HEXLOWER.encode(&random)
    ))
}
