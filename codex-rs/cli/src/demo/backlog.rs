//! What codex-orch says it knows, read as any other program would read it: from its own `--json` listings.

use serde_json::Value;

use super::stand::{Stand, fault};
use crate::trouble::Trouble;

/// The tasks as `tasks list --all --json` prints them, oldest first.
#[derive(Debug, Clone)]
pub(crate) struct Backlog(pub(crate) Vec<Value>);

/// The state as `state show --json` prints it.
#[derive(Debug, Clone)]
pub(crate) struct Known(Value);

impl Backlog {
    pub(crate) async fn of(stand: &Stand) -> Result<Self, Trouble> {
        listing(stand, &["tasks", "list", "--all", "--json"], "tasks")
            .await
            .map(Self)
    }

    /// The task with this title; `null` reads as a task about which nothing is known.
    pub(crate) fn task(&self, title: &str) -> &Value {
        self.0
            .iter()
            .find(|task| task["title"] == title)
            .unwrap_or(&Value::Null)
    }

    /// The steps of plans: tasks that are part of another.
    pub(crate) fn steps(&self) -> impl Iterator<Item = &Value> {
        self.0.iter().filter(|task| !task["parent"].is_null())
    }

    /// Statuses of the steps, in order: `done done ready ready`.
    pub(crate) fn statuses(&self) -> String {
        let words: Vec<&str> = self.steps().map(status).collect();
        words.join(" ")
    }
}

/// `ready` for what can be begun, else the status.
pub(crate) fn status(task: &Value) -> &str {
    match task["ready"] {
        Value::Bool(true) => "ready",
        _ => text(&task["status"]),
    }
}

/// Commits of the done-claims of a task.
pub(crate) fn commits(task: &Value) -> Vec<&str> {
    let done = array(&task["claims"])
        .iter()
        .filter(|claim| claim["state"] == "done");
    done.flat_map(|claim| array(&claim["commits"]))
        .map(text)
        .collect()
}

/// Whether a command is among a task's evidence, with this outcome.
pub(crate) fn ran(task: &Value, command: &str, ok: bool) -> bool {
    array(&task["evidence"])
        .iter()
        .any(|seen| seen["kind"] == "command" && seen["ref"] == command && seen["ok"] == ok)
}

impl Known {
    pub(crate) async fn of(stand: &Stand) -> Result<Self, Trouble> {
        let state = listing(stand, &["state", "show", "--json"], "state").await?;
        state
            .into_iter()
            .next()
            .map(Self)
            .ok_or_else(|| fault("codex-orch state show --json printed no state"))
    }

    /// Drifts met so far, oldest first.
    pub(crate) fn drift(&self) -> &[Value] {
        array(&self.0["project"]["drift"])
    }

    /// What is known of a branch.
    pub(crate) fn branch(&self, name: &str) -> &Value {
        &self.0["project"]["branches"][name]
    }

    /// What a branch's last session left open.
    pub(crate) fn open_ends(&self, branch: &str) -> Vec<&str> {
        array(&self.branch(branch)["digest"]["open_ends"])
            .iter()
            .map(text)
            .collect()
    }
}

/// The journal's entries with their text, oldest first.
pub(crate) async fn journal(stand: &Stand) -> Result<Vec<Value>, Trouble> {
    let mut names = listing(stand, &["journal", "list", "--json"], "journal").await?;
    names.reverse();
    let mut entries = Vec::with_capacity(names.len());
    for entry in names {
        let show = ["journal", "show", text(&entry["name"]), "--json"];
        entries.extend(listing(stand, &show, "journal").await?);
    }
    Ok(entries)
}

async fn listing(stand: &Stand, args: &[&str], noun: &str) -> Result<Vec<Value>, Trouble> {
    let said = stand.orch(args).await?;
    let value: Option<Value> = serde_json::from_str(&said.out).ok();
    match value.and_then(|mut value| Some(value.get_mut(noun)?.as_array_mut()?.split_off(0))) {
        Some(list) if said.code == Some(0) => Ok(list),
        _ => Err(fault(&format!(
            "codex-orch {} failed: {}",
            args.join(" "),
            said.err.trim()
        ))),
    }
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

pub(crate) fn array(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}
