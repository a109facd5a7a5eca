//! The state as files: how it is cut into blobs, and read back. No git here, no disk.
//!
//! Tasks are sharded by the first character of their id, so that a change writes 1/32 of the backlog and a command
//! reads 32 blobs, not one a task.

use std::collections::{BTreeMap, BTreeSet};

use orch_core::state::State;
use orch_protocol::fact::{Event, Fact};
use orch_protocol::ids::{LogId, TaskId};
use orch_protocol::project::Project;
use orch_protocol::proposal::Change;
use orch_protocol::session::Session;
use orch_protocol::task::Task;
use orch_protocol::text::one_line;
use serde::{Deserialize, Serialize};

/// The version of everything written here.
pub const SCHEMA: u64 = 1;

/// What stands in the store, as bytes.
#[derive(Debug, Default)]
pub struct Blobs {
    /// Files at the top.
    pub fixed: BTreeMap<String, Vec<u8>>,
    /// Files in `tasks/`.
    pub tasks: BTreeMap<String, Vec<u8>>,
    /// Those files in `sessions/` that are wanted.
    pub sessions: BTreeMap<String, Vec<u8>>,
    /// Names in `journal/`.
    pub journal: Vec<String>,
}

/// A state, and what of it could not be read.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The state.
    pub state: State,
    /// Session files that don't parse: passed over, and to be set aside.
    pub unreadable: Vec<String>,
}

/// Why files are no state.
#[derive(Debug)]
#[allow(missing_docs)]
pub enum FilesError {
    Newer {
        found: u64,
        known: u64,
    },
    Corrupt {
        file: String,
        source: serde_json::Error,
    },
}

#[derive(Serialize, Deserialize)]
struct SchemaFile {
    schema: u64,
}

#[derive(Serialize, Deserialize)]
struct TaskFile {
    tasks: Vec<Task>,
}

/// Reads a state from its files. A session that doesn't parse is passed over; anything else that doesn't is an error.
pub fn parse(blobs: &Blobs) -> Result<Loaded, FilesError> {
    let version: Option<SchemaFile> = fixed(blobs, "schema.json")?;
    if let Some(found) = version
        .map(|file| file.schema)
        .filter(|found| *found > SCHEMA)
    {
        return Err(FilesError::Newer {
            found,
            known: SCHEMA,
        });
    }
    let mut loaded = Loaded::default();
    loaded.state.project = fixed::<Project>(blobs, "project_state.json")?.unwrap_or_default();
    loaded.state.folded = fixed::<BTreeMap<LogId, u64>>(blobs, "folded.json")?.unwrap_or_default();
    for (name, bytes) in &blobs.tasks {
        let file: TaskFile = json(&format!("tasks/{name}"), bytes)?;
        loaded
            .state
            .tasks
            .extend(file.tasks.into_iter().map(|task| (task.id.clone(), task)));
    }
    for (name, bytes) in &blobs.sessions {
        match serde_json::from_slice::<Session>(bytes) {
            Ok(session) => {
                loaded.state.sessions.insert(session.id.clone(), session);
            }
            Err(_) => loaded.unreadable.push(format!("sessions/{name}")),
        }
    }
    let entries = blobs
        .journal
        .iter()
        .filter_map(|name| name.strip_suffix(".md"));
    loaded.state.journal = entries.map(|name| (name.to_owned(), None)).collect();
    Ok(loaded)
}

fn fixed<T: for<'de> Deserialize<'de>>(blobs: &Blobs, name: &str) -> Result<Option<T>, FilesError> {
    blobs
        .fixed
        .get(name)
        .map(|bytes| json(name, bytes))
        .transpose()
}

fn json<T: for<'de> Deserialize<'de>>(file: &str, bytes: &[u8]) -> Result<T, FilesError> {
    serde_json::from_slice(bytes).map_err(|source| FilesError::Corrupt {
        file: file.to_owned(),
        source,
    })
}

/// The files that differ between two states. `first` adds what every store begins with.
pub fn changes(
    before: &State,
    after: &State,
    first: bool,
) -> Result<BTreeMap<String, Option<Vec<u8>>>, serde_json::Error> {
    let mut changes = BTreeMap::new();
    if first {
        changes.insert(
            "schema.json".to_owned(),
            Some(pretty(&SchemaFile { schema: SCHEMA })?),
        );
    }
    if first || before.project != after.project {
        changes.insert(
            "project_state.json".to_owned(),
            Some(pretty(&after.project)?),
        );
    }
    if first || before.folded != after.folded {
        changes.insert("folded.json".to_owned(), Some(pretty(&after.folded)?));
    }
    let changed = |id: &&TaskId| before.tasks.get(*id) != after.tasks.get(*id);
    let shards: BTreeSet<char> = before
        .tasks
        .keys()
        .chain(after.tasks.keys())
        .filter(changed)
        .filter_map(shard)
        .collect();
    for shard_of in shards {
        let tasks: Vec<Task> = after
            .tasks
            .values()
            .filter(|task| shard(&task.id) == Some(shard_of))
            .cloned()
            .collect();
        let bytes = if tasks.is_empty() {
            None
        } else {
            Some(pretty(&TaskFile { tasks })?)
        };
        changes.insert(format!("tasks/{shard_of}.json"), bytes);
    }
    for (id, session) in &after.sessions {
        if before.sessions.get(id) != Some(session) {
            changes.insert(format!("sessions/{id}.json"), Some(pretty(session)?));
        }
    }
    for (name, text) in &after.journal {
        if let Some(text) = text {
            changes.insert(journal_path(name), Some(text.clone().into_bytes()));
        }
    }
    Ok(changes)
}

/// Where a journal entry stands.
pub fn journal_path(name: &str) -> String {
    format!("journal/{name}.md")
}

fn shard(id: &TaskId) -> Option<char> {
    id.as_str().chars().next()
}

fn pretty<T: Serialize>(value: &T) -> Result<Vec<u8>, serde_json::Error> {
    let mut bytes = serde_json::to_vec_pretty(value)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// The state commit's message: who did what, for whoever reads the history with git.
pub fn message(facts: &[Fact]) -> String {
    let lines: Vec<String> = facts
        .iter()
        .map(|fact| format!("{}: {}", fact.by.name(), what(&fact.event)))
        .collect();
    let subject = match lines.as_slice() {
        [] => "nothing new".to_owned(),
        [only] => only.clone(),
        [first, rest @ ..] => format!("{first} (and {} more)", rest.len()),
    };
    if lines.len() > 1 {
        format!("{subject}\n\n{}\n", lines.join("\n"))
    } else {
        format!("{subject}\n")
    }
}

/// A fact in a few words.
pub fn what(event: &Event) -> String {
    match event {
        Event::RunStarted { run } => format!("start {}", run.run),
        Event::RunEnded { run, .. } => format!("end {run}"),
        Event::SessionOpened { session, .. } => format!("session {session}"),
        Event::TurnRecorded { record, .. } => format!("turn {}", one_line(&record.request, 60)),
        Event::TurnSummarised { .. } => "turn summary".to_owned(),
        Event::SessionDigested { journal, .. } => format!("journal {journal}"),
        Event::Changed { change, .. } => change_in_words(change),
        Event::Proposed { proposal } => format!("propose: {}", one_line(&proposal.reason, 80)),
        Event::ProposalSettled { proposal, accepted } => {
            format!(
                "{} proposal {proposal}",
                if *accepted { "accept" } else { "reject" }
            )
        }
        Event::ContextSet { branch, .. } => format!("context of {}", one_line(branch, 80)),
        Event::CheckpointReached { checkpoint } => format!("checkpoint {}", checkpoint.trigger),
        Event::DriftMet { drift } => format!("drift {} ({})", drift.kind, drift.choice),
        Event::DriftChosen {
            choice: Some(choice),
            ..
        } => format!("drift: {} chosen", one_line(&choice.choice, 20)),
        Event::DriftChosen { choice: None, .. } => "drift: choice taken up".to_owned(),
        Event::Anchored { .. } => "moved by the user's own command".to_owned(),
        Event::TurnReverted { turn, .. } => format!("turn {turn} taken back"),
        Event::MilestoneSet { name, milestone } => {
            let word = if milestone.is_some() { "set" } else { "remove" };
            format!("{word} milestone {}", one_line(name, 80))
        }
        Event::RewritesFound { pairs } => format!("{} commits found rewritten", pairs.len()),
        Event::HandEdited { file, .. } => format!("edit {} by hand", one_line(file, 80)),
        Event::Undone { what, .. } => format!("undo: {}", one_line(what, 100)),
        Event::ProjectMerged { .. } => "merge project state".to_owned(),
    }
}

fn change_in_words(change: &Change) -> String {
    let id = change.task();
    match change {
        Change::AddTask { task } => format!("add {id} {}", one_line(&task.title, 60)),
        Change::Claim { claim, .. } => format!("claim {id} {}", state_in_words(claim.state)),
        Change::AnchorClaim { .. } => format!("anchor {id}"),
        Change::AddEvidence { evidence, .. } => format!("evidence {id} ({})", evidence.len()),
        Change::AddAlias { .. } => format!("reword {id}"),
        Change::EditTask { .. } => format!("edit {id}"),
        Change::AddNeed { need, .. } => format!("need {id} → {need}"),
        Change::RemoveNeed { need, .. } => format!("unneed {id} → {need}"),
        Change::MergeTask {
            theirs: Some(_), ..
        } => format!("change {id}"),
        Change::MergeTask { theirs: None, .. } => format!("take out {id}"),
        Change::Archive { archived: true, .. } => format!("archive {id}"),
        Change::Archive {
            archived: false, ..
        } => format!("bring back {id}"),
    }
}

fn state_in_words(state: orch_protocol::task::ClaimState) -> &'static str {
    use orch_protocol::task::ClaimState;
    match state {
        ClaimState::Pending => "pending",
        ClaimState::Active => "active",
        ClaimState::Blocked => "blocked",
        ClaimState::Done => "done",
        ClaimState::Dropped => "dropped",
    }
}
