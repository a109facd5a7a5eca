//! Calls that write, as commands on the backlog, and what became of them in the words of the tools.

use orch_core::command::{Named, NewTask, Refusal, TaskCommand};
use orch_protocol::proposal::TaskEdit;
use orch_protocol::task::ClaimState;
use serde_json::json;

use super::answer::Answer;
use super::tools::{Add, Standing, Update};

pub(super) fn add(add: Add) -> TaskCommand {
    TaskCommand::Add(NewTask {
        title: add.title,
        owner: add.owner,
        priority: add.priority,
        parent: add.parent,
        milestone: None,
        needs: add.needs,
        acceptance: add.acceptance,
        note: None,
    })
}

/// What an update asks for: new values, a word on the state, or both at once.
pub(super) fn update(update: Update) -> Result<TaskCommand, Answer> {
    let edit = TaskEdit {
        title: update.title,
        owner: update.owner,
        priority: update.priority,
        acceptance: update.acceptance,
        note: update.note,
        ..TaskEdit::default()
    };
    let (task, reason) = (update.task, update.reason);
    let said = update.status.map(|status| match status {
        Standing::Pending => ClaimState::Pending,
        Standing::Active => ClaimState::Active,
        Standing::Blocked => ClaimState::Blocked,
        Standing::Done => ClaimState::Done,
        Standing::Dropped => ClaimState::Dropped,
    });
    match said {
        Some(state) if edit == TaskEdit::default() => Ok(TaskCommand::Claim {
            task,
            state,
            reason,
            commits: Vec::new(),
        }),
        Some(state) => Ok(TaskCommand::Update {
            task,
            edit,
            state,
            reason,
        }),
        None if reason.is_some() => Err(Answer::refused(
            "a reason was given without a status",
            "give a status too, or a note",
        )),
        None => Ok(TaskCommand::Edit { task, edit }),
    }
}

/// What was done to which task.
pub(super) fn done(tasks: &[Named], word: &str) -> Answer {
    let id = tasks.first().map(|task| task.id.as_str());
    let id = id.unwrap_or_default();
    Answer::of(json!({"id": id, "result": word}), &format!("{word} {id}"))
}

/// A refusal in the words of the tools: the command line's hints name its own commands.
pub(super) fn refused(refusal: &Refusal) -> Answer {
    let hint = match refusal {
        Refusal::NoTitle => "give one line of text as the title".to_owned(),
        Refusal::NoTask(_) => "tasks_list with status \"all\" shows every id".to_owned(),
        Refusal::NoNeed { .. } => "tasks_show tells what a task needs".to_owned(),
        Refusal::Priority(_)
        | Refusal::Ambiguous { .. }
        | Refusal::Cycle(_)
        | Refusal::ParentCycle(_)
        | Refusal::NoName
        | Refusal::NoMilestone(_)
        | Refusal::Due(_)
        | Refusal::Nothing => refusal.hint(),
    };
    Answer::refused(&refusal.to_string(), &hint)
}
