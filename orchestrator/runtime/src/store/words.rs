//! Operations in words: the message of a state commit, written for whoever reads the history with git, and read back.

use orch_protocol::Timestamp;
use orch_protocol::fact::{Event, Fact};
use orch_protocol::ids::CommitId;
use orch_protocol::proposal::Change;
use orch_protocol::task::{Actor, ClaimState};
use orch_protocol::text::one_line;

/// One operation, as its state commit tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// The state commit.
    pub id: CommitId,
    /// When.
    pub at: Timestamp,
    /// Who: `person`, `hand edit`, `main agent`, `backlog-keeper`, `summariser`, `supervisor`.
    pub who: String,
    /// What, in one line.
    pub what: String,
    /// Every fact of it in words, when there is more than one.
    pub lines: Vec<String>,
    /// The commit that HEAD of the user's repository stood at.
    pub code: Option<CommitId>,
    /// The operation that it undid.
    pub undoes: Option<CommitId>,
    /// Bookkeeping that nobody asks for.
    pub quiet: bool,
}

const CODE: &str = "Code-Commit: ";
const UNDOES: &str = "Undoes: ";
const QUIET: &str = "Bookkeeping: yes";
/// The most facts told one by one.
const MAX_LINES: usize = 200;

/// The state commit's message for the facts of one operation.
pub fn message(facts: &[Fact]) -> String {
    let who = who(facts);
    let told: Vec<&Fact> = facts
        .iter()
        .filter(|fact| !is_marker(&fact.event))
        .collect();
    let lines: Vec<String> = told
        .iter()
        .take(MAX_LINES)
        .map(|fact| format!("{}: {}", fact.by.name(), what(&fact.event)))
        .collect();
    let subject = subject(facts, &told);
    let mut text = format!("{who}: {subject}\n");
    if told.len() > 1 {
        text.push_str(&format!("\n{}\n", lines.join("\n")));
        if told.len() > MAX_LINES {
            text.push_str(&format!("… and {} more\n", told.len() - MAX_LINES));
        }
    }
    let mut trailers = Vec::new();
    if let Some(head) = facts.iter().find_map(|fact| fact.head.as_ref()) {
        trailers.push(format!("{CODE}{head}"));
    }
    for fact in facts {
        if let Event::Undone { operation, .. } = &fact.event {
            trailers.push(format!("{UNDOES}{operation}"));
        }
    }
    if facts.iter().all(|fact| is_bookkeeping(&fact.event)) {
        trailers.push(QUIET.to_owned());
    }
    if !trailers.is_empty() {
        text.push_str(&format!("\n{}\n", trailers.join("\n")));
    }
    text
}

/// Reads a state commit's message back.
pub fn operation(id: CommitId, at: Timestamp, message: &str) -> Operation {
    let mut lines = message.lines();
    let subject = lines.next().unwrap_or_default();
    let (who, what) = subject.split_once(": ").unwrap_or(("", subject));
    let rest: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
    let trailer = |key: &str| {
        let found = rest.iter().rev().find_map(|line| line.strip_prefix(key));
        found.map(|id| CommitId::new(one_line(id, 64)))
    };
    let is_trailer =
        |line: &&&str| line.starts_with(CODE) || line.starts_with(UNDOES) || **line == QUIET;
    Operation {
        id,
        at,
        who: one_line(who, 40),
        what: one_line(what, 300),
        lines: rest
            .iter()
            .filter(|line| !is_trailer(line))
            .map(|line| one_line(line, 300))
            .collect(),
        code: trailer(CODE),
        undoes: trailer(UNDOES),
        quiet: rest.contains(&QUIET),
    }
}

/// Who is behind an operation: the first who is not the supervisor.
fn who(facts: &[Fact]) -> &'static str {
    let by_hand = facts
        .iter()
        .any(|fact| matches!(fact.event, Event::HandEdited { .. }) && fact.by == Actor::Person);
    if by_hand {
        return "hand edit";
    }
    let who = facts
        .iter()
        .map(|fact| fact.by)
        .find(|by| *by != Actor::Supervisor);
    who.unwrap_or(Actor::Supervisor).name()
}

fn subject(facts: &[Fact], told: &[&Fact]) -> String {
    let marker = facts.iter().find(|fact| is_marker(&fact.event));
    if let Some(marker) = marker {
        return what(&marker.event);
    }
    // The turn or the digest says more of an operation than the first of its facts.
    let main = told
        .iter()
        .find(|fact| matches!(fact.event, Event::TurnRecorded { .. }))
        .or(told.first());
    match (main, told.len()) {
        (None, _) => "nothing new".to_owned(),
        (Some(only), 1) => what(&only.event),
        (Some(first), n) => format!("{} (and {} more)", what(&first.event), n - 1),
    }
}

/// It says what an operation is, and changes nothing by itself.
fn is_marker(event: &Event) -> bool {
    matches!(event, Event::HandEdited { .. } | Event::Undone { .. })
}

fn is_bookkeeping(event: &Event) -> bool {
    matches!(
        event,
        Event::RunStarted { .. }
            | Event::RunEnded { .. }
            | Event::Anchored { .. }
            | Event::DriftChosen { choice: None, .. }
            | Event::RewritesFound { .. }
    )
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
            let word = if *accepted { "accept" } else { "reject" };
            format!("{word} proposal {proposal}")
        }
        Event::ContextSet { branch, .. } => format!("context of {}", one_line(branch, 80)),
        Event::ContextMoved { from, to } => {
            format!(
                "context of {} is now {}'s",
                one_line(from, 80),
                one_line(to, 80)
            )
        }
        Event::ContextArchived { branch } => {
            format!("put away context of {}", one_line(branch, 80))
        }
        Event::ContextRestored { branch } => {
            format!("bring back context of {}", one_line(branch, 80))
        }
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

fn state_in_words(state: ClaimState) -> &'static str {
    match state {
        ClaimState::Pending => "pending",
        ClaimState::Active => "active",
        ClaimState::Blocked => "blocked",
        ClaimState::Done => "done",
        ClaimState::Dropped => "dropped",
    }
}
