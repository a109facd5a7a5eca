//! The outline: what every command needs of the backlog (who waits for whom, which claims there are, what it is called),
//! in a form that is read in a few milliseconds. A cache beside the store: it checks itself against git's ids of the
//! tasks' files and may be deleted at any time.
//!
//! It holds no evidence, no acceptance, no notes and no layout: what is read from it is never written back.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use orch_protocol::Timestamp;
use orch_protocol::ids::{ClaimId, CommitId, TaskId, ThreadId, TurnId};
use orch_protocol::task::{Actor, Claim, ClaimState, Origin, Task};
use orch_protocol::tasks::Tasks;
use serde::{Deserialize, Serialize};

use super::StoreError;
use super::files::{self, Shard, TASKS};
use super::objects::{ObjectId, Objects};

/// Another form of what follows has another first line.
const MAGIC: &[u8] = b"codex-orch outline 1\n";
/// So many files may have changed since the cache was written before it is written anew: until then they are read.
const STALE: usize = 16;
/// A cache larger than this isn't ours: some 300 bytes a task.
const MAX_BYTES: u64 = 1 << 30;
/// From so many bytes on, two threads are quicker than one.
const WORTH_A_THREAD: usize = 256 * 1024;
/// Room for so many tasks is made at once, whatever the cache says it holds.
const MAX_ROOM: usize = 1 << 18;

/// A task without what only its own page shows. The protocol's own types leave fields out and tag their variants, which
/// a form without names can't carry: these don't.
#[derive(Serialize, Deserialize)]
struct Row {
    id: TaskId,
    title: String,
    owner: Option<String>,
    priority: u8,
    parent: Option<TaskId>,
    needs: Vec<TaskId>,
    milestone: Option<String>,
    claims: Vec<ClaimRow>,
    target_commit: Option<CommitId>,
    origin: OriginRow,
    created_at: Stamp,
    aliases: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct ClaimRow {
    id: ClaimId,
    state: ClaimState,
    by: Actor,
    at: Stamp,
    branch: Option<String>,
    worktree: Option<String>,
    commits: Vec<CommitId>,
    files: Vec<String>,
    reason: Option<String>,
}

#[derive(Serialize, Deserialize)]
enum OriginRow {
    Person(Option<String>),
    PlanStep(Option<String>, ThreadId, TurnId),
    Goal(Option<String>, ThreadId, TurnId),
    Agent(Option<String>, Option<ThreadId>, Option<TurnId>),
    Import(String, String),
}

/// Seconds and nanoseconds since the epoch.
type Stamp = (i64, i32);

/// Which files the cache was made from, and how many bytes of it each takes.
#[derive(Default, Serialize, Deserialize)]
struct Head {
    tree: ObjectId,
    files: Vec<([u8; 2], ObjectId, u32)>,
}

/// Reads the outline of the backlog at `at`, from the cache in `dir` as far as that still holds.
pub(super) fn read(objects: &Objects, at: &CommitId, dir: &Path) -> Result<Tasks, StoreError> {
    let path = dir.join("outline");
    let bytes = cached(&path);
    let held = bytes.as_deref().and_then(parse);
    if let Some((head, bodies)) = &held
        && objects.tree_id(at, TASKS)? == Some(head.tree)
    {
        let bodies: Vec<&[u8]> = bodies.values().map(|(_, body)| *body).collect();
        if let Some(tasks) = all(&bodies) {
            return Ok(tasks.into_iter().collect());
        }
    }
    let shards = objects.shards(at, TASKS)?;
    let bodies = held.map(|(_, bodies)| bodies).unwrap_or_default();
    let mut tasks = Vec::new();
    let mut fresh: BTreeMap<[u8; 2], (ObjectId, Vec<u8>)> = BTreeMap::new();
    for (shard, id) in &shards.files {
        let known = bodies
            .get(&shard.0)
            .filter(|(known, _)| known == id)
            .and_then(|(_, body)| add(body, &mut tasks));
        if known.is_none() {
            let path = shard.path(TASKS);
            let whole = files::tasks(&path, &objects.blob(id)?)
                .map_err(|error| StoreError::of_files(&objects.path, error))?;
            let light: Vec<Row> = whole.iter().map(Row::from).collect();
            let body = postcard::to_stdvec(&light).unwrap_or_default();
            fresh.insert(shard.0, (*id, body));
            tasks.extend(light.into_iter().filter_map(Row::into_task).map(keyed));
        }
    }
    let tasks = tasks.into_iter().collect();
    let gone = bodies
        .keys()
        .filter(|shard| !shards.files.contains_key(&Shard(**shard)))
        .count();
    if fresh.len() + gone > STALE || (bytes.is_none() && !fresh.is_empty()) {
        let body = |shard: &Shard, id: &ObjectId| {
            let known = bodies.get(&shard.0).filter(|(known, _)| known == id);
            match (fresh.get(&shard.0), known) {
                (Some((_, body)), _) => body.as_slice(),
                (None, Some((_, body))) => body,
                (None, None) => &[],
            }
        };
        let head = Head {
            tree: shards.tree,
            files: shards
                .files
                .iter()
                .map(|(shard, id)| {
                    let len = u32::try_from(body(shard, id).len()).unwrap_or(0);
                    (shard.0, *id, len)
                })
                .collect(),
        };
        let all = shards.files.iter().map(|(shard, id)| body(shard, id));
        // It is only a cache: where it can't be written, the next command reads the files again.
        if let Err(error) = write(&path, &head, all) {
            tracing::debug!(%error, "the outline was not written");
        }
    }
    Ok(tasks)
}

fn keyed(task: Task) -> (TaskId, Box<Task>) {
    (task.id.clone(), Box::new(task))
}

fn cached(path: &Path) -> Option<Vec<u8>> {
    let meta = path.symlink_metadata().ok()?;
    if !meta.is_file() || meta.len() > MAX_BYTES {
        return None;
    }
    let bytes = std::fs::read(path).ok()?;
    let (sum, rest) = bytes
        .split_last_chunk::<4>()
        .map(|(rest, sum)| (sum, rest))?;
    (u32::from_le_bytes(*sum) == crc32fast::hash(rest)).then_some(())?;
    Some(bytes)
}

type Bodies<'a> = BTreeMap<[u8; 2], (ObjectId, &'a [u8])>;

fn parse(bytes: &[u8]) -> Option<(Head, Bodies<'_>)> {
    let rest = bytes.strip_prefix(MAGIC)?;
    let (head, mut rest) = postcard::take_from_bytes::<Head>(rest).ok()?;
    let mut bodies = BTreeMap::new();
    for (shard, id, len) in &head.files {
        let (body, after) = rest.split_at_checked(usize::try_from(*len).ok()?)?;
        bodies.insert(*shard, (*id, body));
        rest = after;
    }
    Some((head, bodies))
}

/// The tasks of all bodies, none where one is broken. Both halves are read at once where it is worth a thread.
fn all(bodies: &[&[u8]]) -> Option<Vec<(TaskId, Box<Task>)>> {
    let size: usize = bodies.iter().map(|body| body.len()).sum();
    if size < WORTH_A_THREAD {
        return in_turn(bodies);
    }
    let (left, right) = bodies.split_at(bodies.len() / 2);
    let (left, right) = std::thread::scope(|scope| {
        let right = scope.spawn(|| in_turn(right));
        (in_turn(left), right.join())
    });
    let (mut tasks, mut others) = (left?, right.ok()??);
    tasks.append(&mut others);
    Some(tasks)
}

fn in_turn(bodies: &[&[u8]]) -> Option<Vec<(TaskId, Box<Task>)>> {
    let count: usize = bodies.iter().map(|body| count(body)).sum();
    let mut tasks = Vec::with_capacity(count.min(MAX_ROOM));
    bodies.iter().try_for_each(|body| add(body, &mut tasks))?;
    Some(tasks)
}

/// How many rows a body says it has; each takes at least a byte.
fn count(body: &[u8]) -> usize {
    let count = postcard::take_from_bytes::<usize>(body);
    count.map_or(0, |(count, rest)| count.min(rest.len()))
}

/// Adds the tasks of a body, one after the other: a large backlog is never there twice. None when the body is broken;
/// then none of it is added.
fn add(body: &[u8], tasks: &mut Vec<(TaskId, Box<Task>)>) -> Option<()> {
    let before = tasks.len();
    let added = rows(body, tasks);
    if added.is_none() {
        tasks.truncate(before);
    }
    added
}

fn rows(body: &[u8], tasks: &mut Vec<(TaskId, Box<Task>)>) -> Option<()> {
    let (count, mut rest) = postcard::take_from_bytes::<usize>(body).ok()?;
    for _ in 0..count {
        let (row, after) = postcard::take_from_bytes::<Row>(rest).ok()?;
        tasks.push(keyed(row.into_task()?));
        rest = after;
    }
    Some(())
}

fn write<'a>(
    path: &PathBuf,
    head: &Head,
    bodies: impl Iterator<Item = &'a [u8]>,
) -> std::io::Result<()> {
    let dir = path.parent().unwrap_or(path);
    super::private_dir(dir).map_err(std::io::Error::other)?;
    let mut bytes = MAGIC.to_vec();
    bytes.extend(postcard::to_stdvec(head).map_err(std::io::Error::other)?);
    bodies.for_each(|body| bytes.extend_from_slice(body));
    let sum = crc32fast::hash(&bytes);
    bytes.extend_from_slice(&sum.to_le_bytes());
    // Its mode is 0600, as tempfile makes it.
    let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(dir)?;
    file.write_all(&bytes)?;
    file.persist(path).map(drop).map_err(|error| error.error)
}

fn stamp(at: Timestamp) -> Stamp {
    (at.as_second(), at.subsec_nanosecond())
}

fn time((second, nano): Stamp) -> Option<Timestamp> {
    Timestamp::new(second, nano).ok()
}

impl From<&Task> for Row {
    fn from(task: &Task) -> Self {
        Self {
            id: task.id.clone(),
            title: task.title.clone(),
            owner: task.owner.clone(),
            priority: task.priority,
            parent: task.parent.clone(),
            needs: task.needs.clone(),
            milestone: task.milestone.clone(),
            claims: task.claims.iter().map(ClaimRow::from).collect(),
            target_commit: task.target_commit.clone(),
            origin: OriginRow::from(&task.origin),
            created_at: stamp(task.created_at),
            aliases: task.aliases.clone(),
        }
    }
}

impl Row {
    fn into_task(self) -> Option<Task> {
        let claims: Option<Vec<Claim>> =
            self.claims.into_iter().map(ClaimRow::into_claim).collect();
        let (origin, at) = (Origin::from(self.origin), time(self.created_at)?);
        Some(Task {
            owner: self.owner,
            priority: self.priority,
            parent: self.parent,
            needs: self.needs,
            milestone: self.milestone,
            claims: claims?,
            target_commit: self.target_commit,
            aliases: self.aliases,
            ..Task::new(self.id, self.title, origin, at)
        })
    }
}

impl From<&Claim> for ClaimRow {
    fn from(claim: &Claim) -> Self {
        Self {
            id: claim.id.clone(),
            state: claim.state,
            by: claim.by,
            at: stamp(claim.at),
            branch: claim.branch.clone(),
            worktree: claim.worktree.clone(),
            commits: claim.commits.clone(),
            files: claim.files.clone(),
            reason: claim.reason.clone(),
        }
    }
}

impl ClaimRow {
    fn into_claim(self) -> Option<Claim> {
        Some(Claim {
            id: self.id,
            state: self.state,
            by: self.by,
            at: time(self.at)?,
            branch: self.branch,
            worktree: self.worktree,
            commits: self.commits,
            files: self.files,
            reason: self.reason,
        })
    }
}

impl From<&Origin> for OriginRow {
    fn from(origin: &Origin) -> Self {
        match origin.clone() {
            Origin::Person { branch } => Self::Person(branch),
            Origin::PlanStep {
                branch,
                thread,
                turn,
            } => Self::PlanStep(branch, thread, turn),
            Origin::Goal {
                branch,
                thread,
                turn,
            } => Self::Goal(branch, thread, turn),
            Origin::Agent {
                branch,
                thread,
                turn,
            } => Self::Agent(branch, thread, turn),
            Origin::Import { format, id } => Self::Import(format, id),
        }
    }
}

impl From<OriginRow> for Origin {
    fn from(row: OriginRow) -> Self {
        match row {
            OriginRow::Person(branch) => Self::Person { branch },
            OriginRow::PlanStep(branch, thread, turn) => Self::PlanStep {
                branch,
                thread,
                turn,
            },
            OriginRow::Goal(branch, thread, turn) => Self::Goal {
                branch,
                thread,
                turn,
            },
            OriginRow::Agent(branch, thread, turn) => Self::Agent {
                branch,
                thread,
                turn,
            },
            OriginRow::Import(format, id) => Self::Import { format, id },
        }
    }
}
