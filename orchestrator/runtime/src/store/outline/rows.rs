//! A task as the outline has it: rows of a form that is read quickly, and back.

use orch_protocol::Timestamp;
use orch_protocol::ids::{ClaimId, CommitId, TaskId, ThreadId, TurnId};
use orch_protocol::task::{Actor, Claim, ClaimState, Origin, Task};
use serde::{Deserialize, Serialize};

/// Tasks under their ids.
pub(super) type Keyed = Vec<(TaskId, Box<Task>)>;

/// The rows of whole tasks, as bytes.
pub(super) fn written(tasks: &[Task]) -> Vec<u8> {
    let rows: Vec<Row> = tasks.iter().map(Row::from).collect();
    postcard::to_stdvec(&rows).unwrap_or_default()
}

/// How many rows a body says it has; each takes at least a byte.
pub(super) fn count(body: &[u8]) -> usize {
    let count = postcard::take_from_bytes::<usize>(body);
    count.map_or(0, |(count, rest)| count.min(rest.len()))
}

/// Adds the tasks of a body, one after the other: a large backlog is never there twice. None when the body is broken;
/// then none of it is added.
pub(super) fn add(body: &[u8], tasks: &mut Keyed) -> Option<()> {
    let before = tasks.len();
    let added = each(body, tasks);
    if added.is_none() {
        tasks.truncate(before);
    }
    added
}

fn each(body: &[u8], tasks: &mut Keyed) -> Option<()> {
    let (count, mut rest) = postcard::take_from_bytes::<usize>(body).ok()?;
    for _ in 0..count {
        let (row, after) = postcard::take_from_bytes::<Row>(rest).ok()?;
        let task = row.into_task()?;
        tasks.push((task.id.clone(), Box::new(task)));
        rest = after;
    }
    Some(())
}

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
