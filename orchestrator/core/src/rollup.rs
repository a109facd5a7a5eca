//! Roll-up: what of the short cache is brought into the long one, when, and how much of it. The rule for each trigger
//! and the budget for each text stand here and nowhere else; recording it is the supervisor's.

use orch_protocol::git::GitSnapshot;
use orch_protocol::project::BranchContext;
use orch_protocol::session::{Digest, Session};
use orch_protocol::text::one_line;

use crate::drift::plural;
use crate::redact;

/// The longest objective of a branch, in characters.
pub const MAX_OBJECTIVE: usize = 300;
/// The longest goal of a digest, in characters.
pub const MAX_GOAL: usize = 300;
/// The longest entry of a digest's lists, in characters.
pub const MAX_ENTRY: usize = 300;
/// The most changes a digest tells, what was left out being one of them.
pub const MAX_CHANGES: usize = 20;
/// The most open ends a digest tells, what was left out being one of them.
pub const MAX_OPEN_ENDS: usize = 20;
/// The most next actions a digest tells, what was left out being one of them.
pub const MAX_NEXT_ACTIONS: usize = 10;
/// The most commits of a digest, the newest.
pub const MAX_COMMITS: usize = 50;
/// The longest text of a checkpoint, in characters.
pub const MAX_CHECKPOINT: usize = 500;

/// Why the short cache is rolled up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trigger {
    /// A run was found dead, and what it left was recorded.
    Recovery,
    /// A commit landed.
    Commit,
    /// A task was completed.
    TaskDone,
    /// The session ended, for this time: a run of exec is over.
    SessionEnd,
    /// The first turn of a session: the one before it has ended.
    SessionBegun,
    /// A turn was recorded, and that is all.
    Turn,
}

/// What a trigger brings into the long cache. The branch's context takes the digest along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// When it applies.
    pub trigger: Trigger,
    /// The branch's context is set: objective, last session and thread, digest, expected snapshot.
    pub context: bool,
    /// A checkpoint is made, under this word.
    pub checkpoint: Option<&'static str>,
    /// Old closed tasks leave the backlog, and contexts above their bound go to the archive.
    pub archive: bool,
}

/// One rule a trigger, the strongest first: of several, the first names the checkpoint, and everything is done that one
/// of them asks for.
pub const RULES: [Rule; 6] = [
    rule(Trigger::Recovery, Some("recovery"), true),
    rule(Trigger::Commit, Some("commit"), false),
    rule(Trigger::TaskDone, Some("task-done"), false),
    rule(Trigger::SessionEnd, Some("session-end"), true),
    rule(Trigger::SessionBegun, None, true),
    rule(Trigger::Turn, None, false),
];

const fn rule(trigger: Trigger, checkpoint: Option<&'static str>, archive: bool) -> Rule {
    Rule {
        trigger,
        context: true,
        checkpoint,
        archive,
    }
}

/// What a run came to, as far as roll-up asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Came {
    /// It was found dead by a later process.
    pub recovered: bool,
    /// Commits it made.
    pub commits: usize,
    /// Tasks that were completed.
    pub done: usize,
    /// It was one turn of an open thread, whose session goes on.
    pub is_turn: bool,
    /// It opened a session.
    pub began: bool,
}

impl Came {
    fn meets(&self, trigger: Trigger) -> bool {
        match trigger {
            Trigger::Recovery => self.recovered,
            Trigger::Commit => self.commits > 0,
            Trigger::TaskDone => self.done > 0,
            Trigger::SessionEnd => !self.is_turn,
            Trigger::SessionBegun => self.began,
            Trigger::Turn => true,
        }
    }
}

/// What is to be rolled up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Due {
    /// The branch's context.
    pub context: bool,
    /// A checkpoint under this word.
    pub checkpoint: Option<&'static str>,
    /// Old closed tasks and surplus contexts.
    pub archive: bool,
}

/// All that the triggers met ask for.
pub fn due(came: &Came) -> Due {
    let met = RULES.iter().filter(|rule| came.meets(rule.trigger));
    met.fold(Due::default(), |due, rule| Due {
        context: due.context || rule.context,
        checkpoint: due.checkpoint.or(rule.checkpoint),
        archive: due.archive || rule.archive,
    })
}

/// The context of a branch after a session's turn: its objective is the first request, its digest the session's. `after`
/// is git then, and none when the agent left the branch on its way: then what is expected there stays as it was.
pub fn context(
    known: BranchContext,
    session: &Session,
    after: Option<&GitSnapshot>,
) -> BranchContext {
    let first = session.turns.first();
    let objective = first
        .map(|turn| line(&turn.record.request, MAX_OBJECTIVE))
        .filter(|request| !request.is_empty());
    BranchContext {
        objective: objective.or(known.objective),
        last_session: Some(session.id.clone()),
        last_thread: Some(session.thread.clone()),
        digest: session.digest.clone().or(known.digest),
        snapshot: after.cloned().or(known.snapshot),
        forked_from: None,
        parked_thread: known.parked_thread,
    }
}

/// A digest within its budget, whatever an agent returned; what is cut is said.
pub fn digest(digest: Digest) -> Digest {
    let Digest {
        at,
        goal,
        changes,
        mut commits,
        open_ends,
        next_actions,
    } = digest;
    let surplus = commits.len().saturating_sub(MAX_COMMITS);
    commits.drain(..surplus);
    let earlier = (surplus > 0).then(|| format!("and {surplus} earlier commit{}", plural(surplus)));
    Digest {
        at,
        goal: line(&goal, MAX_GOAL),
        changes: list(changes, MAX_CHANGES, earlier),
        commits,
        open_ends: list(open_ends, MAX_OPEN_ENDS, None),
        next_actions: list(next_actions, MAX_NEXT_ACTIONS, None),
    }
}

/// The text of a checkpoint within its budget.
pub fn checkpoint(text: &str) -> String {
    line(text, MAX_CHECKPOINT)
}

/// At most `max` entries, `more` and the one that tells how many were left out among them.
fn list(entries: Vec<String>, max: usize, more: Option<String>) -> Vec<String> {
    let room = max - usize::from(more.is_some());
    let total = entries.len();
    let shown = if total > room { room - 1 } else { total };
    let left = total - shown;
    let entries = entries.iter().take(shown);
    let left = (left > 0).then(|| format!("and {left} more"));
    entries
        .map(|entry| line(entry, MAX_ENTRY))
        .chain(left)
        .chain(more)
        .collect()
}

/// A secret is taken out before the cut: half of one is no longer known for one.
fn line(text: &str, max: usize) -> String {
    one_line(&redact::text(text), max)
}
