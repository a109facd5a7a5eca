//! `codex-orch tasks`: the backlog as seen from HEAD.

use std::ffi::OsString;

use clap::{Args as ClapArgs, Parser, Subcommand};
use orch_core::command::{NewTask, TaskCommand, find};
use orch_core::graph::{Statuses, ready};
use orch_core::judge::{deciding, done_elsewhere};
use orch_protocol::ids::TaskId;
use orch_protocol::task::{ClaimState, Task, TaskStatus};
use orch_protocol::text::one_line;
use orch_runtime::checkout::views;
use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr;

use crate::backlog::{Who, change, commit};
use crate::out;
use crate::session::{Project, Seen};
use crate::trouble::Trouble;

/// The backlog, judged by git
#[derive(Debug, Parser)]
#[command(name = "codex-orch tasks", disable_version_flag = true)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists open tasks, and those done here with --all
    List {
        /// Also those that are done or dropped
        #[arg(long)]
        all: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Lists what can be begun now
    Ready {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Shows a task, and why it has its status here
    Show {
        /// Its id, or an unambiguous beginning of it
        task: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Adds a task
    Add(Add),
    /// Says that a task is done
    Done {
        /// Its id, or an unambiguous beginning of it
        task: String,
        /// The commit that holds the work; it is then done where that commit is
        #[arg(long)]
        commit: Vec<String>,
        /// Why
        #[arg(long)]
        reason: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, ClapArgs)]
struct Add {
    /// One line
    title: String,
    /// Who is to do it
    #[arg(long)]
    owner: Option<String>,
    /// From 0, the most urgent, to 4
    #[arg(long)]
    priority: Option<u8>,
    /// The task it is a part of
    #[arg(long)]
    parent: Option<String>,
    /// A task that must be done before it
    #[arg(long)]
    need: Vec<String>,
    /// How one tells that it is done
    #[arg(long)]
    acceptance: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Parses the arguments of one of our commands; none when it was a call for help, which has been answered.
pub(crate) fn parse<T: Parser>(name: &str, args: Vec<OsString>) -> Result<Option<T>, Trouble> {
    let name = OsString::from(name);
    match T::try_parse_from(std::iter::once(name.clone()).chain(args)) {
        Ok(args) => Ok(Some(args)),
        Err(error) if !error.use_stderr() => {
            out::line(error.render().to_string().trim_end()).map(|()| None)
        }
        Err(error) => {
            let text = error.render().to_string();
            let what = text
                .lines()
                .next()
                .unwrap_or_default()
                .trim_start_matches("error: ")
                .to_owned();
            Err(Trouble::usage(
                what,
                format!("{} --help shows how it is used", name.to_string_lossy()),
            ))
        }
    }
}

pub(crate) async fn run(args: Vec<OsString>) -> Result<u8, Trouble> {
    let Some(args) = parse::<Args>("codex-orch tasks", args)? else {
        return Ok(0);
    };
    let mut project = Project::here()?;
    match args.command {
        Command::List { all, json } => {
            let seen = project.see().await?;
            list(&seen, json, |task, statuses| {
                all || statuses.of(&task.id).is_open()
            })?;
            project.finish().await;
        }
        Command::Ready { json } => {
            let seen = project.see().await?;
            let statuses = Statuses::judge(&seen.state.tasks, &seen.here);
            let wanted: Vec<TaskId> = ready(&seen.state.tasks, &statuses)
                .iter()
                .map(|task| task.id.clone())
                .collect();
            list(&seen, json, |task, _| wanted.contains(&task.id))?;
            project.finish().await;
        }
        Command::Show { task, json } => {
            show(&project.see().await?, &task, json)?;
            project.finish().await;
        }
        Command::Add(add) => {
            let json = add.json;
            let new = NewTask {
                title: add.title,
                owner: add.owner,
                priority: add.priority,
                parent: add.parent,
                milestone: None,
                needs: add.need,
                acceptance: add.acceptance,
            };
            changed(project, TaskCommand::Add(new), "added", json).await?;
        }
        Command::Done {
            task,
            commit: given,
            reason,
            json,
        } => {
            let mut commits = Vec::with_capacity(given.len());
            for given in given {
                commits.push(commit(&project, &given).await?);
            }
            changed(
                project,
                TaskCommand::Claim {
                    task,
                    state: ClaimState::Done,
                    reason,
                    commits,
                },
                "done",
                json,
            )
            .await?;
        }
    }
    Ok(0)
}

/// Carries a change out and tells which task it was: at once when it is durable, before the checkout is refreshed.
async fn changed(
    mut project: Project,
    command: TaskCommand,
    word: &str,
    json: bool,
) -> Result<(), Trouble> {
    let ids = change(&mut project, Who::Person, command).await?;
    match json {
        true => {
            let tasks: Vec<Value> = ids.iter().map(|id| json!({"id": id})).collect();
            out::json(&json!({"schema": "codex-orch.tasks/1", "tasks": tasks}))?;
        }
        false => {
            for id in ids {
                out::line(&format!("{word} {id}"))?;
            }
        }
    }
    project.settle().await;
    Ok(())
}

fn list(seen: &Seen, json: bool, wanted: impl Fn(&Task, &Statuses) -> bool) -> Result<(), Trouble> {
    let statuses = Statuses::judge(&seen.state.tasks, &seen.here);
    let mut tasks: Vec<&Task> = seen
        .state
        .tasks
        .values()
        .filter(|task| wanted(task, &statuses))
        .collect();
    if json {
        let ids: Vec<&TaskId> = tasks.iter().map(|task| &task.id).collect();
        let views: Vec<_> = views(&seen.state, &seen.here)
            .into_iter()
            .filter(|view| ids.contains(&view.id()))
            .collect();
        return out::json(&json!({"schema": "codex-orch.tasks/1", "tasks": views}));
    }
    if tasks.is_empty() {
        out::note("no tasks");
        return Ok(());
    }
    tasks.sort_by_key(|task| {
        (
            order(statuses.of(&task.id)),
            task.priority,
            task.created_at,
            task.id.clone(),
        )
    });
    for task in tasks {
        let status = statuses.of(&task.id);
        let elsewhere = match done_elsewhere(task, &seen.here) {
            Some(branch) if status != TaskStatus::Done => {
                format!("  (done on {})", one_line(branch, 60))
            }
            Some(_) | None => String::new(),
        };
        let owner = task
            .owner
            .as_deref()
            .map(|owner| format!("  @{}", one_line(owner, 40)))
            .unwrap_or_default();
        let title = one_line(&task.title, Task::MAX_TITLE);
        let ready = if statuses.is_ready(task) {
            "ready"
        } else {
            status.name()
        };
        out::line(&format!(
            "{}  {}  p{}  {title}{owner}{elsewhere}",
            task.id,
            padded(ready, 7),
            task.priority
        ))?;
    }
    Ok(())
}

fn padded(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(text.width())))
}

/// What concerns one now comes first.
pub(crate) fn order(status: TaskStatus) -> u8 {
    match status {
        TaskStatus::Active => 0,
        TaskStatus::Pending => 1,
        TaskStatus::Blocked => 2,
        TaskStatus::Done => 3,
        TaskStatus::Dropped => 4,
    }
}

fn show(seen: &Seen, given: &str, json: bool) -> Result<(), Trouble> {
    let task = find(&seen.state, given)?;
    if json {
        let view: Vec<_> = views(&seen.state, &seen.here)
            .into_iter()
            .filter(|view| *view.id() == task.id)
            .collect();
        return out::json(&json!({"schema": "codex-orch.tasks/1", "tasks": view}));
    }
    let statuses = Statuses::judge(&seen.state.tasks, &seen.here);
    out::line(&format!(
        "{}  {}",
        task.id,
        one_line(&task.title, Task::MAX_TITLE)
    ))?;
    out::line(&format!(
        "status      {}{}",
        statuses.of(&task.id).name(),
        why(task, seen)
    ))?;
    for (name, value) in [("owner", &task.owner), ("acceptance", &task.acceptance)] {
        if let Some(value) = value {
            out::line(&format!("{name:<11} {}", one_line(value, 500)))?;
        }
    }
    if let Some(parent) = task
        .parent
        .as_ref()
        .and_then(|parent| seen.state.tasks.get(parent))
    {
        out::line(&format!(
            "part of     {}  {}",
            parent.id,
            one_line(&parent.title, 100)
        ))?;
    }
    for need in task
        .needs
        .iter()
        .filter_map(|need| seen.state.tasks.get(need))
    {
        let status = statuses.of(&need.id).name();
        out::line(&format!(
            "needs       {}  {status}  {}",
            need.id,
            one_line(&need.title, 100)
        ))?;
    }
    for evidence in &task.evidence {
        let ok = match evidence.ok {
            Some(true) => " ok",
            Some(false) => " FAILED",
            None => "",
        };
        let kind = format!("{:?}", evidence.kind).to_lowercase();
        out::line(&format!(
            "evidence    {kind} {}{ok}",
            one_line(&evidence.reference, 200)
        ))?;
    }
    for note in &task.notes {
        out::line(&format!("note        {}", one_line(note, 500)))?;
    }
    Ok(())
}

/// Which claim decides, and where others hold.
fn why(task: &Task, seen: &Seen) -> String {
    match (deciding(task, &seen.here), done_elsewhere(task, &seen.here)) {
        (Some(claim), _) => {
            let commits: Vec<&str> = claim.commits.iter().map(|commit| commit.short()).collect();
            let commits = if commits.is_empty() {
                String::new()
            } else {
                format!(", in {}", commits.join(" "))
            };
            format!(" (said by {}{commits})", claim.by.name())
        }
        (None, Some(branch)) => format!(
            " (done on {}, which isn't merged here)",
            one_line(branch, 60)
        ),
        (None, None) => String::new(),
    }
}
