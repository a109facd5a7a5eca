//! The tasks' file, composed: of the blocks that stand in the old one and are still true, and of those that are written
//! anew. It is copied from file to file, for it may be longer than what else a process holds.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufWriter, Read as _, Seek as _, SeekFrom, Take, Write};
use std::ops::Range;

use orch_core::judge::Here;
use orch_core::state::State;
use orch_protocol::ids::{CommitId, TaskId};
use orch_protocol::project::FileComments;
use orch_protocol::tasks::Tasks;

use super::CheckoutError;
use super::record::{Block, Digesting, Index};
use super::text::{self, render_task};
use super::view::{Judged, TaskView, views};
use crate::store::files::Shard;
use crate::store::{BareStore, StoreError};

/// How much is copied at once, in bytes.
const CHUNK: usize = 256 * 1024;

/// What the tasks' file shows of a state: which tasks, how they are judged, and the comments around them.
#[derive(Debug, Default)]
pub struct Shown {
    /// Oldest first.
    tasks: Vec<(TaskId, Judged)>,
    comments: Option<FileComments>,
}

impl Shown {
    /// Of a state as seen from `here`; an outline will do.
    pub fn of(state: &State, here: &Here) -> Self {
        let judged = views(state, here).map(|view| (view.id().clone(), view.judged()));
        Self {
            tasks: judged.collect(),
            comments: state.project.comments.clone(),
        }
    }
}

/// The file as it stands, and which of its blocks are still true but for how their tasks are judged.
pub(super) struct Old {
    file: File,
    index: Index,
    changed: BTreeSet<Shard>,
}

impl Old {
    /// None where nothing of it is known to be true at `commit`.
    pub(super) fn new(
        file: File,
        index: Index,
        store: &BareStore,
        commit: &CommitId,
    ) -> Result<Option<Self>, StoreError> {
        let changed = store.changed_between(&index.state, commit)?;
        Ok(changed.map(|changed| Self {
            file,
            index,
            changed,
        }))
    }

    /// The block of a task that is as it was, and judged as it was.
    fn block(&self, id: &TaskId, judged: &Judged) -> Option<Range<u64>> {
        let block = self.index.blocks.get(id)?;
        let is_same = block.judged == *judged && !self.changed.contains(&Shard::of(id));
        is_same.then(|| block.range.clone())
    }

    fn read(&mut self, range: &Range<u64>) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        part(&mut self.file, range)?.read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// A block of the new file.
enum Piece {
    /// Stands in the old one.
    Kept(Range<u64>),
    New(String),
}

/// What the new file will be.
pub(super) struct Plan {
    head: String,
    pieces: Vec<(TaskId, Judged, Piece)>,
    foot: String,
}

impl Plan {
    /// Decides on every block. Tasks that aren't as they were are read whole.
    pub(super) fn new(
        shown: Shown,
        here: &Here,
        old: Option<&Old>,
        (store, commit): (&BareStore, &CommitId),
    ) -> Result<Self, CheckoutError> {
        let kept = |(id, judged): &(TaskId, Judged)| old.and_then(|old| old.block(id, judged));
        let needed: BTreeSet<Shard> = shown
            .tasks
            .iter()
            .filter(|task| kept(task).is_none())
            .map(|(id, _)| Shard::of(id))
            .collect();
        let whole = match needed.is_empty() {
            true => Tasks::new(),
            false => store.whole_at(commit, &needed)?,
        };
        let comments = shown.comments.as_ref();
        let mut head = text::head(commit, here.branch.as_deref(), here.head.as_ref(), comments);
        head.push_str(match shown.tasks.is_empty() {
            true => "tasks: []\n",
            false => "tasks:\n",
        });
        let foot = text::foot(comments);
        let mut pieces = Vec::with_capacity(shown.tasks.len());
        for task in shown.tasks {
            let piece = match (kept(&task), whole.get(&task.0)) {
                (Some(range), _) => Piece::Kept(range),
                (None, Some(whole)) => {
                    let view = TaskView::new(whole, &task.1);
                    Piece::New(render_task(&view, view.layout)?)
                }
                // It was taken out meanwhile, by somebody who writes the file next.
                (None, None) => continue,
            };
            pieces.push((task.0, task.1, piece));
        }
        Ok(Self { head, pieces, foot })
    }

    /// The first line.
    pub(super) fn first_line(&self) -> &str {
        self.head.lines().next().unwrap_or_default()
    }

    /// Whether the old file says all that the new one would, whatever state commit its first line names.
    pub(super) fn is_there(&self, old: &mut Old) -> io::Result<bool> {
        if old.index.blocks.len() != self.pieces.len() {
            return Ok(false);
        }
        let ranges = old.index.blocks.values().map(|block| &block.range);
        let first = ranges.clone().map(|range| range.start).min();
        let end = ranges.map(|range| range.end).max();
        let size = old.file.metadata()?.len();
        let head = old.read(&(0..first.unwrap_or(size)))?;
        // The state commit alone is no reason: what it shows is what stands there.
        let is_head = match (below_state(&head), below_state(self.head.as_bytes())) {
            (Some(old), Some(new)) => match first {
                Some(_) => old == new,
                None => old == [new, self.foot.as_bytes()].concat(),
            },
            (None, _) | (_, None) => false,
        };
        if !is_head {
            return Ok(false);
        }
        let mut at = first.unwrap_or(size);
        for (id, _, piece) in &self.pieces {
            let stood = old.index.blocks.get(id).map(|block| block.range.clone());
            let Some(range) = stood.filter(|range| range.start == at) else {
                return Ok(false);
            };
            at = range.end;
            if let Piece::New(text) = piece
                && old.read(&range)? != text.as_bytes()
            {
                return Ok(false);
            }
        }
        match end {
            Some(end) => Ok(old.read(&(end..size))? == self.foot.as_bytes()),
            None => Ok(true),
        }
    }

    /// Writes the file. Returns its content in one word, and where in it each task stands.
    pub(super) fn write(
        self,
        to: &mut impl Write,
        old: Option<Old>,
    ) -> io::Result<(String, Vec<(TaskId, Block)>)> {
        let mut out = Digesting::new(BufWriter::with_capacity(CHUNK, to));
        // What stands where in the old file isn't needed any more.
        let mut old = old.map(|old| old.file);
        let mut at = self.head.len() as u64;
        out.write_all(self.head.as_bytes())?;
        // Blocks that stand one behind the other are copied as one.
        let mut run = 0..0;
        let blocks = self.pieces.into_iter().map(|(id, judged, piece)| {
            let len = match &piece {
                Piece::New(text) => text.len() as u64,
                Piece::Kept(range) => range.end - range.start,
            };
            match piece {
                Piece::Kept(range) if range.start == run.end => run.end = range.end,
                Piece::Kept(range) => {
                    let before = std::mem::replace(&mut run, range);
                    copy(old.as_mut(), before, &mut out)?;
                }
                Piece::New(text) => {
                    copy(old.as_mut(), std::mem::take(&mut run), &mut out)?;
                    out.write_all(text.as_bytes())?;
                }
            }
            let range = at..at + len;
            at = range.end;
            Ok((id, Block { range, judged }))
        });
        let blocks = blocks.collect::<io::Result<Vec<_>>>()?;
        copy(old.as_mut(), run, &mut out)?;
        out.write_all(self.foot.as_bytes())?;
        out.flush()?;
        Ok((out.content(), blocks))
    }
}

fn copy(old: Option<&mut File>, range: Range<u64>, to: &mut impl Write) -> io::Result<()> {
    let len = range.end - range.start;
    let copied = match old {
        Some(old) if len > 0 => io::copy(&mut part(old, &range)?, to)?,
        Some(_) | None => 0,
    };
    match copied == len {
        true => Ok(()),
        false => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

fn part<'f>(file: &'f mut File, range: &Range<u64>) -> io::Result<Take<&'f mut File>> {
    file.seek(SeekFrom::Start(range.start))?;
    Ok(file.take(range.end.saturating_sub(range.start)))
}

/// What a file says below the name of the state commit in its first line.
fn below_state(head: &[u8]) -> Option<&[u8]> {
    const AFTER: &[u8] = b", as seen from ";
    let at = memchr::memmem::find(head, AFTER)?;
    head.get(at..)
}
