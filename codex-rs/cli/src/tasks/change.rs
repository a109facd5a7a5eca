//! Commands that change the backlog: each is one operation, carried out whole or not at all.

use std::io::Read as _;

use orch_core::command::{Named, NewTask, TaskCommand};
use orch_protocol::ids::CommitId;
use orch_protocol::proposal::TaskEdit;
use orch_protocol::task::{ClaimState, Task};
use orch_protocol::text::one_line;
use serde_json::{Value, json};

use super::document;
use super::editor::{Wrong, edited};
use super::line::{Add, Done, Edit, MilestoneCommand, Need, Note, Said};
use crate::backlog::{Who, change, commit};
use crate::out;
use crate::session::Project;
use crate::trouble::Trouble;

/// The most that is read from stdin, in bytes.
const MAX_STDIN: u64 = 4 * 1024 * 1024;

/// Adds a task, or one for each line of stdin.
pub(crate) async fn add(project: Project, add: Add) -> Result<(), Trouble> {
    let titles = match (&add.title, add.stdin) {
        (_, true) => lines(stdin()?),
        (Some(title), false) if title == "-" => lines(stdin()?).into_iter().take(1).collect(),
        (title, false) => title.iter().cloned().collect(),
    };
    let new = |title: String| {
        TaskCommand::Add(NewTask {
            title,
            owner: add.owner.clone(),
            priority: add.priority,
            parent: add.parent.clone(),
            milestone: add.milestone.clone(),
            needs: add.need.clone(),
            acceptance: add.acceptance.clone(),
            note: add.note.clone(),
        })
    };
    if titles.is_empty() {
        return Err(Trouble::usage("stdin holds no title", "write one a line"));
    }
    let commands = titles.into_iter().map(new).collect();
    changed(project, together(commands), "added", add.json).await
}

/// Changes the fields that are given, of all the tasks that are named; where none is given, the tasks are edited whole.
pub(crate) async fn edit(project: Project, given: Edit) -> Result<(), Trouble> {
    if names_no_field(&given) {
        return document::edit(project, &given.tasks, given.json).await;
    }
    let target_commit = match given.target_commit.as_deref().map(str::trim) {
        None => None,
        Some("") => Some(CommitId::new("")),
        Some(rev) => Some(commit(&project, rev).await?),
    };
    let edit = TaskEdit {
        title: given.title,
        owner: given.owner,
        priority: given.priority,
        parent: given.parent,
        milestone: given.milestone,
        acceptance: given.acceptance,
        target_commit,
        note: given.note,
    };
    let one = |task: String| TaskCommand::Edit {
        task,
        edit: edit.clone(),
    };
    let commands = given.tasks.into_iter().map(one).collect();
    changed(project, together(commands), "changed", given.json).await
}

fn names_no_field(given: &Edit) -> bool {
    let Edit {
        tasks: _,
        title,
        owner,
        priority,
        parent,
        milestone,
        acceptance,
        note,
        target_commit,
        json: _,
    } = given;
    let texts = [
        title,
        owner,
        parent,
        milestone,
        acceptance,
        note,
        target_commit,
    ];
    priority.is_none() && texts.into_iter().all(Option::is_none)
}

/// Says that tasks are done.
pub(crate) async fn done(project: Project, done: Done) -> Result<(), Trouble> {
    let mut commits: Vec<CommitId> = Vec::new();
    for given in &done.commit {
        let commit = commit(&project, given).await?;
        if !commits.contains(&commit) {
            commits.push(commit);
        }
    }
    claim(project, done.said, ClaimState::Done, commits, "done").await
}

/// Says how tasks stand.
pub(crate) async fn say(
    project: Project,
    said: Said,
    state: ClaimState,
    word: &str,
) -> Result<(), Trouble> {
    claim(project, said, state, Vec::new(), word).await
}

async fn claim(
    project: Project,
    said: Said,
    state: ClaimState,
    commits: Vec<CommitId>,
    word: &str,
) -> Result<(), Trouble> {
    let one = |task: String| TaskCommand::Claim {
        task,
        state,
        reason: said.reason.clone(),
        commits: commits.clone(),
    };
    let commands = said.tasks.iter().cloned().map(one).collect();
    changed(project, together(commands), word, said.json).await
}

/// Adds edges, or takes them off.
pub(crate) async fn need(project: Project, given: Need, is_off: bool) -> Result<(), Trouble> {
    let Need { task, needs, json } = given;
    let one = |need: String| {
        let task = task.clone();
        match is_off {
            true => TaskCommand::Unneed { task, need },
            false => TaskCommand::Need { task, need },
        }
    };
    let commands = needs.into_iter().map(one).collect();
    changed(project, together(commands), "changed", json).await
}

/// Adds a remark: the words, stdin, or what a person writes in an editor.
pub(crate) async fn note(project: Project, given: Note) -> Result<(), Trouble> {
    let text = match given.words.as_slice() {
        [] => {
            let task = one_line(&given.task, 40);
            let document =
                format!("\n# A remark on task {task}. Lines that begin with # are left out.\n");
            edited(&document, ".txt", remark)?
        }
        [word] if word == "-" => Some(stdin()?),
        words => Some(words.join(" ")),
    };
    let Some(text) = text else {
        out::note("nothing was written, so nothing was changed");
        return Ok(());
    };
    let edit = TaskEdit {
        note: Some(text),
        ..TaskEdit::default()
    };
    let task = given.task;
    changed(
        project,
        TaskCommand::Edit { task, edit },
        "noted",
        given.json,
    )
    .await
}

fn remark(document: &str) -> Result<String, Wrong> {
    let lines = document.lines().filter(|line| !line.starts_with('#'));
    let text = lines.collect::<Vec<_>>().join("\n");
    let text = text.trim();
    let length = text.chars().count();
    if text.is_empty() {
        return Err(Wrong {
            what: "a remark needs words".to_owned(),
            hint: "write some above the lines that begin with #".to_owned(),
        });
    }
    if length > Task::MAX_TEXT {
        return Err(Wrong {
            what: format!("a remark of {length} characters is too long"),
            hint: format!("shorten it to {}", Task::MAX_TEXT),
        });
    }
    Ok(text.to_owned())
}

/// Sets or removes a milestone; none for the command that only lists.
pub(crate) async fn milestone(project: Project, command: MilestoneCommand) -> Result<(), Trouble> {
    let (name, command, word, json) = match command {
        MilestoneCommand::List(_) => return Ok(()),
        MilestoneCommand::Set {
            name,
            text,
            due,
            json,
        } => {
            let command = TaskCommand::Milestone {
                name: name.clone(),
                text,
                due,
            };
            (name, command, "set", json)
        }
        MilestoneCommand::Remove { name, json } => {
            let command = TaskCommand::RemoveMilestone { name: name.clone() };
            (name, command, "removed", json)
        }
    };
    let mut project = project;
    let off = change(&mut project, Who::Person, command).await?;
    let name = one_line(&name, Task::MAX_NAME);
    if json {
        out::json(&json!({
            "schema": "codex-orch.milestones/1",
            "milestones": [{"name": name}],
        }))?;
    } else {
        out::line(&format!("{word} milestone {name}"))?;
        for Named { id, title } in off {
            out::line(&format!("changed {id}  {title}"))?;
        }
    }
    project.settle().await;
    Ok(())
}

/// One command is itself; several are one operation.
fn together(mut commands: Vec<TaskCommand>) -> TaskCommand {
    match commands.pop() {
        Some(only) if commands.is_empty() => only,
        last => {
            commands.extend(last);
            TaskCommand::All(commands)
        }
    }
}

/// Carries a change out and tells which tasks it was: at once when it is durable, before the checkout is refreshed.
pub(crate) async fn changed(
    mut project: Project,
    command: TaskCommand,
    word: &str,
    json: bool,
) -> Result<(), Trouble> {
    let tasks = change(&mut project, Who::Person, command).await?;
    touched(&tasks, word, json)?;
    project.settle().await;
    Ok(())
}

/// Tells which tasks were touched, and how in a word.
pub(crate) fn touched(tasks: &[Named], word: &str, json: bool) -> Result<(), Trouble> {
    if json {
        let tasks: Vec<Value> = tasks.iter().map(|task| json!({"id": task.id})).collect();
        return out::json(&json!({"schema": "codex-orch.tasks/1", "tasks": tasks}));
    }
    for Named { id, title } in tasks {
        out::line(&format!("{word} {id}  {title}"))?;
    }
    Ok(())
}

fn lines(text: String) -> Vec<String> {
    let lines = text.lines().map(|line| one_line(line, Task::MAX_TITLE));
    lines.filter(|line| !line.is_empty()).collect()
}

fn stdin() -> Result<String, Trouble> {
    let trouble = |what: &str| Trouble::usage(what, "give text in UTF-8, of at most 4 MiB");
    let mut bytes = Vec::new();
    let read = std::io::stdin()
        .lock()
        .take(MAX_STDIN + 1)
        .read_to_end(&mut bytes);
    match read {
        Ok(read) if read as u64 > MAX_STDIN => Err(trouble("stdin holds too much")),
        Ok(_) => String::from_utf8(bytes).map_err(|_| trouble("stdin is no UTF-8")),
        Err(error) => Err(trouble(&format!("Failed to read stdin: {error}"))),
    }
}
