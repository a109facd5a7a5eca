//! Commands: carried out whole or refused whole, in words that help.

use orch_core::command::{Asker, NewTask, TaskCommand, find};
use orch_core::supervisor::Input;
use orch_protocol::proposal::TaskEdit;
use orch_protocol::task::{Actor, ClaimState, EvidenceKind, Origin};

use crate::given::*;

fn asked(machine: &mut Machine, command: TaskCommand) -> Vec<String> {
    let asker = Asker {
        by: Actor::Person,
        origin: Origin::Person { branch: None },
        branch: Some("main".to_owned()),
        worktree: Some("/repo".to_owned()),
        head: None,
        now: at(5),
        nonce: machine.supervisor.nonce(),
    };
    machine.take(Input::Command {
        asker: Box::new(asker),
        command: Box::new(command),
    })
}

fn new(title: &str) -> NewTask {
    NewTask {
        title: title.to_owned(),
        ..NewTask::default()
    }
}

fn need(task: &str, need: &str) -> TaskCommand {
    TaskCommand::Need {
        task: task.to_owned(),
        need: need.to_owned(),
    }
}

fn edit(edit: TaskEdit) -> TaskCommand {
    TaskCommand::Edit {
        task: id("a").to_string(),
        edit,
    }
}

#[test]
fn what_cannot_be_is_refused_and_changes_nothing() {
    let (a, b) = (id("a").to_string(), id("b").to_string());
    let mut machine = Machine::from(state_of(&[task("a"), needing("b", &["a"])]));
    for (command, expect) in [
        (
            TaskCommand::Add(new(" \u{200b}\n")),
            "a task needs a title".to_owned(),
        ),
        (
            TaskCommand::Add(NewTask {
                priority: Some(5),
                ..new("x")
            }),
            "priority 5 is not between 0 (most urgent) and 4".to_owned(),
        ),
        (
            TaskCommand::Add(NewTask {
                parent: Some("zzzz".to_owned()),
                ..new("x")
            }),
            "there is no task \"zzzz\"".to_owned(),
        ),
        (
            TaskCommand::Add(NewTask {
                needs: vec![a.clone(), "../etc".to_owned()],
                ..new("x")
            }),
            "there is no task \"../etc\"".to_owned(),
        ),
        (
            edit(TaskEdit::default()),
            "nothing to change was given".to_owned(),
        ),
        (
            edit(TaskEdit {
                title: Some("  ".to_owned()),
                ..TaskEdit::default()
            }),
            "a task needs a title".to_owned(),
        ),
        (
            edit(TaskEdit {
                priority: Some(9),
                ..TaskEdit::default()
            }),
            "priority 9 is not between 0 (most urgent) and 4".to_owned(),
        ),
        (
            need(&a, &b),
            format!("that need would close a cycle: {a} → {b} → {a}"),
        ),
        (
            need(&a, &a),
            format!("that need would close a cycle: {a} → {a}"),
        ),
        (need(&a, ""), "there is no task \"\"".to_owned()),
    ] {
        assert_eq!(asked(&mut machine, command), [format!("refused: {expect}")]);
    }
    assert!(machine.facts.is_empty());
}

#[test]
fn a_task_is_named_by_the_beginning_of_its_id() {
    let tasks: Vec<_> = (0..400).map(|n| task(&n.to_string())).collect();
    let state = state_of(&tasks);
    for task in &tasks {
        let whole = task.id.as_str();
        assert_eq!(find(&state, whole).unwrap().id, task.id);
        assert_eq!(
            find(&state, &format!(" {} ", whole.to_uppercase()))
                .unwrap()
                .id,
            task.id
        );
        let short = (1..=whole.len())
            .find_map(|len| find(&state, &whole[..len]).ok())
            .unwrap();
        assert_eq!(short.id, task.id);
    }
    let refusal = find(&state, "0").unwrap_err();
    let text = refusal.to_string();
    assert!(
        text.starts_with("\"0\" begins more than one id: 0"),
        "{text}"
    );
    assert!(text.matches(", ").count() <= 4);
    assert!(!refusal.hint().is_empty());
}

#[test]
fn what_is_carried_out_is_bounded_cleaned_and_seen_at_once() {
    let mut machine = Machine::new();
    let command = TaskCommand::Add(NewTask {
        owner: Some("me\u{1b}[31m".to_owned()),
        acceptance: Some("x".repeat(9_000)),
        ..new(&format!("A \n title{}", "!".repeat(900)))
    });
    assert_eq!(asked(&mut machine, command.clone()), ["changed 1"]);
    assert_eq!(asked(&mut machine, command), ["changed 1"]);
    assert_eq!(
        machine.supervisor.state().tasks.len(),
        2,
        "said twice, it is two tasks"
    );
    let state = machine.supervisor.state().clone();
    let task = state.tasks.values().next().unwrap();
    assert!(task.title.starts_with("A title!!"));
    assert_eq!(task.title.chars().count(), 200);
    assert_eq!(task.owner.as_deref(), Some("me[31m"));
    assert_eq!(task.acceptance.as_ref().unwrap().chars().count(), 2_000);
    let claim = TaskCommand::Claim {
        task: task.id.to_string(),
        state: ClaimState::Done,
        reason: Some(" because ".to_owned()),
        commits: vec![commit(7)],
    };
    assert_eq!(asked(&mut machine, claim), ["changed 1"]);
    let task = &machine.supervisor.state().tasks[&task.id];
    assert_eq!(task.claims[0].commits, [commit(7)]);
    assert_eq!(task.target_commit, Some(commit(7)));
    let kinds: Vec<_> = task.evidence.iter().map(|seen| seen.kind).collect();
    assert_eq!(kinds, [EvidenceKind::Commit, EvidenceKind::Note]);
    assert!(
        task.evidence.iter().all(|seen| seen.ok.is_none()),
        "words verify nothing"
    );
}
