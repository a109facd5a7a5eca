//! Cuts rollouts into lines and gives turns one at a time. Memory is bounded by the longest line and one turn, whatever the
//! size of the file. It never fails for what a line holds.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use orch_protocol::Timestamp;
use orch_protocol::turn::TurnRecord;

use crate::assemble::Assembler;
use crate::line;
use crate::thread::{Rollout, Tally, ThreadMeta};

/// The longest line that is read, in bytes; longer ones are skipped and counted as bad.
pub const MAX_LINE: usize = 64 << 20;

/// A line's memory beyond this is given back before the next line.
const KEPT_LINE: usize = 1 << 20;
const CHUNK: usize = 256 << 10;

/// Why a rollout couldn't be read.
#[derive(Debug, thiserror::Error)]
pub enum RolloutError {
    /// The file can't be opened.
    #[error("Failed to open the rollout {path}")]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Reading stopped in the middle.
    #[error("Failed to read a rollout")]
    Read {
        /// What the system said.
        #[from]
        source: io::Error,
    },
}

/// Reads one rollout file.
///
/// # Errors
/// When the file can't be opened or read; never for what it holds.
pub fn read_file(path: &Path) -> Result<Rollout, RolloutError> {
    read_thread(&[path.to_path_buf()])
}

/// Reads a thread from all its files, in any order: they are put in order by their first lines.
///
/// # Errors
/// When a file can't be opened or read; never for what it holds.
pub fn read_thread(paths: &[PathBuf]) -> Result<Rollout, RolloutError> {
    Reader::open(paths)?.read_all()
}

/// Reads turn by turn.
pub struct Reader<R> {
    source: BufReader<R>,
    line: Vec<u8>,
    assembler: Assembler,
    done: bool,
}

impl Reader<Windows> {
    /// Opens the files of one thread.
    ///
    /// # Errors
    /// When one of them can't be opened.
    pub fn open(paths: &[PathBuf]) -> Result<Self, RolloutError> {
        Ok(Reader::new(Windows::open(paths)?))
    }
}

impl<R: Read> Reader<R> {
    /// Reads a rollout from its bytes.
    pub fn new(source: R) -> Self {
        Reader {
            source: BufReader::with_capacity(CHUNK, source),
            line: Vec::new(),
            assembler: Assembler::default(),
            done: false,
        }
    }

    /// The thread, as soon as its first line was read.
    pub fn meta(&self) -> Option<&ThreadMeta> {
        self.assembler.meta.as_ref()
    }

    /// What was read so far.
    pub fn tally(&self) -> Tally {
        self.assembler.tally
    }

    /// The next of the thread's own turns, oldest first; none at the end.
    ///
    /// # Errors
    /// When the source can't be read.
    pub fn next_turn(&mut self) -> Result<Option<TurnRecord>, RolloutError> {
        while !self.done {
            let ended = match self.next_line()? {
                Next::Line { complete } => self.take_line(complete),
                Next::TooLong => {
                    self.assembler.tally.lines += 1;
                    self.assembler.tally.bad_lines += 1;
                    None
                }
                Next::End => {
                    self.done = true;
                    self.assembler.finish()
                }
            };
            if ended.is_some() {
                return Ok(ended);
            }
        }
        Ok(None)
    }

    /// All turns that were not given yet, and what else was read.
    ///
    /// # Errors
    /// When the source can't be read.
    pub fn read_all(mut self) -> Result<Rollout, RolloutError> {
        let mut turns = Vec::new();
        while let Some(turn) = self.next_turn()? {
            turns.push(turn);
        }
        let read = self.assembler;
        Ok(Rollout {
            meta: read.meta,
            turns,
            reverted: read.reverted,
            below: read.below,
            above: read.above,
            tally: read.tally,
        })
    }

    fn take_line(&mut self, complete: bool) -> Option<TurnRecord> {
        let line = self.line.trim_ascii();
        if line.is_empty() {
            return None;
        }
        let tally = &mut self.assembler.tally;
        tally.lines += 1;
        match line::parse(line) {
            Ok(line) => self.assembler.feed(line),
            Err(line::BadLine) if complete => {
                tally.bad_lines += 1;
                None
            }
            Err(line::BadLine) => {
                tally.torn_tail = true;
                None
            }
        }
    }

    /// Reads a line into the buffer, without its line feed.
    fn next_line(&mut self) -> io::Result<Next> {
        self.line.clear();
        self.line.shrink_to(KEPT_LINE);
        let mut too_long = false;
        loop {
            let chunk = match self.source.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                chunk => chunk?,
            };
            let feed = memchr::memchr(b'\n', chunk);
            let part = &chunk[..feed.unwrap_or(chunk.len())];
            too_long |= self.line.len() + part.len() > MAX_LINE;
            if !too_long {
                self.line.extend_from_slice(part);
            }
            let ended = chunk.is_empty();
            let used = part.len() + usize::from(feed.is_some());
            self.source.consume(used);
            match (ended, feed) {
                (false, None) => {}
                _ if too_long => return Ok(Next::TooLong),
                (true, _) if self.line.is_empty() => return Ok(Next::End),
                (ended, _) => return Ok(Next::Line { complete: !ended }),
            }
        }
    }
}

enum Next {
    /// A line is in the buffer; `complete` when a line feed ended it.
    Line {
        complete: bool,
    },
    TooLong,
    End,
}

/// The files of one thread, one after the other, as one source. Each begins a new line.
pub struct Windows {
    later: VecDeque<(PathBuf, File)>,
    ends_in_line: bool,
}

impl Windows {
    /// Opens all files and puts them in order: by the time of the first line, then by its ordinal, then by name. A revert
    /// begins a file with an ordinal that was there before, so time comes first.
    ///
    /// # Errors
    /// When one of them can't be opened.
    pub fn open(paths: &[PathBuf]) -> Result<Self, RolloutError> {
        let mut files = Vec::new();
        for path in paths {
            let open = || {
                File::open(path).map_err(|source| RolloutError::Open {
                    path: path.clone(),
                    source,
                })
            };
            let first = match paths {
                [_] => (None, 0),
                _ => first_line(open()?),
            };
            files.push((first, path.clone(), open()?));
        }
        files.sort_by(|(a_first, a, _), (b_first, b, _)| (a_first, a).cmp(&(b_first, b)));
        Ok(Windows {
            later: files
                .into_iter()
                .map(|(_, path, file)| (path, file))
                .collect(),
            ends_in_line: false,
        })
    }
}

/// The time and the ordinal that the file's first line has.
fn first_line(file: File) -> (Option<Timestamp>, u64) {
    let mut first = Vec::new();
    let mut head = BufReader::new(file.take(MAX_LINE as u64));
    let read = head.read_until(b'\n', &mut first).ok();
    match read.and_then(|_| line::parse(first.trim_ascii()).ok()) {
        Some(line) => (line.at, line.ordinal.unwrap_or(0)),
        None => (None, 0),
    }
}

impl Read for Windows {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while let Some((_, file)) = self.later.front_mut() {
            let read = file.read(into)?;
            if read > 0 {
                self.ends_in_line = into[..read].last() != Some(&b'\n');
                return Ok(read);
            }
            self.later.pop_front();
            if std::mem::take(&mut self.ends_in_line)
                && !self.later.is_empty()
                && let Some(first) = into.first_mut()
            {
                *first = b'\n';
                return Ok(1);
            }
        }
        Ok(0)
    }
}
