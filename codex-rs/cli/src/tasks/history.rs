//! What was said and seen of a task, oldest first. What became of the state by it is `codex-orch state log`'s.

use orch_core::command::find;
use orch_core::judge::holds;
use orch_protocol::Timestamp;
use orch_protocol::task::{ClaimState, Task};
use orch_protocol::text::{clean, one_line};
use serde_json::{Value, json};

use super::line::Log;
use super::show::{came_from, observed};
use super::{when, why};
use crate::out;
use crate::screen::{Screen, paint, styled, wrapped};
use crate::session::{Project, Seen};
use crate::trouble::Trouble;

/// Something of a task's history.
struct Entry {
    /// None: notes carry no time.
    at: Option<Timestamp>,
    /// `created`, `claim`, `evidence`, `note`.
    kind: &'static str,
    by: Option<&'static str>,
    text: String,
    /// The claim or the piece of evidence itself, for programs.
    whole: Value,
}

/// Prints the history of a task.
pub(crate) async fn log(mut project: Project, asked: &Log) -> Result<(), Trouble> {
    let given = std::slice::from_ref(&asked.task);
    let seen = project.see_tasks(given).await?;
    logged(&seen, asked)?;
    project.finish().await;
    Ok(())
}

fn logged(seen: &Seen, asked: &Log) -> Result<(), Trouble> {
    let task = find(&seen.state, &asked.task)?;
    let entries = entries(task, seen)?;
    if asked.shown.json {
        let entry = |entry: &Entry| {
            json!({
                "at": entry.at,
                "kind": entry.kind,
                "by": entry.by,
                "text": entry.text,
                "whole": entry.whole,
            })
        };
        let log: Vec<Value> = entries.iter().map(entry).collect();
        return out::json(&json!({
            "schema": "codex-orch.task-log/1",
            "task": task.id,
            "log": log,
        }));
    }
    let screen = Screen::of(&asked.shown.look);
    let title = one_line(&task.title, Task::MAX_TITLE);
    let mut text = format!("{}  {}\n", task.id, styled(paint::STRONG, &title));
    for entry in entries {
        let at = entry.at.map_or_else(String::new, when::local);
        let by = entry.by.unwrap_or_default();
        let lead = format!("{at:<16}  {by:<14}  ");
        let margin = lead.chars().count();
        let said = wrapped(&entry.text, screen.width, margin);
        text += &format!("{}{said}\n", styled(paint::FAINT, &lead));
    }
    out::page(&screen, &text)
}

fn entries(task: &Task, seen: &Seen) -> Result<Vec<Entry>, Trouble> {
    let mut entries = vec![Entry {
        at: Some(task.created_at),
        kind: "created",
        by: None,
        text: came_from(&task.origin),
        whole: out::value(&task.origin)?,
    }];
    for claim in &task.claims {
        let said = match claim.state {
            ClaimState::Pending => "reopened",
            ClaimState::Active | ClaimState::Blocked | ClaimState::Done | ClaimState::Dropped => {
                why::word(claim.state)
            }
        };
        let on = claim
            .branch
            .as_deref()
            .map(|branch| format!(" on {}", one_line(branch, 60)));
        let commits: Vec<&str> = claim.commits.iter().map(|commit| commit.short()).collect();
        let within = match commits.is_empty() {
            true => String::new(),
            false => format!(", in {}", commits.join(" ")),
        };
        let because = claim
            .reason
            .as_deref()
            .map(|reason| format!(": {}", clean(reason).trim()));
        let here = match holds(claim, &seen.here) {
            true => "",
            false => " (doesn't hold here)",
        };
        entries.push(Entry {
            at: Some(claim.at),
            kind: "claim",
            by: Some(claim.by.name()),
            text: format!(
                "{said}{}{within}{here}{}",
                on.unwrap_or_default(),
                because.unwrap_or_default()
            ),
            whole: out::value(claim)?,
        });
    }
    for evidence in &task.evidence {
        if !why::tells(task, evidence) {
            entries.push(Entry {
                at: Some(evidence.at),
                kind: "evidence",
                by: None,
                text: observed(evidence),
                whole: out::value(evidence)?,
            });
        }
    }
    // Stable: what came at the same time stays in the order in which it was recorded.
    entries.sort_by_key(|entry| entry.at);
    entries.extend(task.notes.iter().map(|note| Entry {
        at: None,
        kind: "note",
        by: None,
        text: format!("note: {}", clean(note).trim()),
        whole: Value::from(note.as_str()),
    }));
    Ok(entries)
}
