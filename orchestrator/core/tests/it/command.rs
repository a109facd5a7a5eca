//! Commands: carried out whole or refused whole, in words that help.

use orch_core::command::{Asker, NewTask, Reads, TaskCommand, find};
use orch_core::supervisor::Input;
use orch_protocol::ids::{ClaimId, TaskId};
use orch_protocol::proposal::TaskEdit;
use orch_protocol::task::{Actor, Claim, ClaimState, EvidenceKind, Origin, Task};

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

fn unneed(task: &str, need: &str) -> TaskCommand {
    TaskCommand::Unneed {
        task: task.to_owned(),
        need: need.to_owned(),
    }
}

fn parent(task: &str, parent: &str) -> TaskCommand {
    let edit = TaskEdit {
        parent: Some(parent.to_owned()),
        ..TaskEdit::default()
    };
    TaskCommand::Edit {
        task: task.to_owned(),
        edit,
    }
}

fn milestone(name: &str, text: Option<&str>, due: Option<&str>) -> TaskCommand {
    TaskCommand::Milestone {
        name: name.to_owned(),
        text: text.map(str::to_owned),
        due: due.map(str::to_owned),
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
    let [a, b, c] = ["a", "b", "c"].map(|name| id(name).to_string());
    let tasks = [task("a"), needing("b", &["a"]), part("c", "b")];
    let mut machine = Machine::from(state_of(&tasks));
    let x = TaskId::from_seed(&["x", &machine.supervisor.nonce()]);
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
            format!("that need would close a cycle: {a} (a) → {b} (b) → {a} (a)"),
        ),
        (
            need(&a, &a),
            format!("that need would close a cycle: {a} (a) → {a} (a)"),
        ),
        (need(&a, ""), "there is no task \"\"".to_owned()),
        (unneed(&a, &b), format!("{a} (a) doesn't need {b} (b)")),
        (unneed(&b, "zzzz"), "there is no task \"zzzz\"".to_owned()),
        (
            parent(&a, &a),
            format!("that parent would wait for itself: {a} (a) → {a} (a)"),
        ),
        (
            parent(&b, &c),
            format!("that parent would wait for itself: {c} (c) → {b} (b) → {c} (c)"),
        ),
        // A parent waits for its parts.
        (
            need(&c, &b),
            format!("that need would close a cycle: {c} (c) → {b} (b) → {c} (c)"),
        ),
        (
            parent(&b, &a),
            format!("that parent would wait for itself: {a} (a) → {b} (b) → {a} (a)"),
        ),
        (
            TaskCommand::Add(NewTask {
                parent: Some(a.clone()),
                needs: vec![b.clone()],
                ..new("x")
            }),
            format!("that need would close a cycle: {a} (a) → {x} (x) → {b} (b) → {a} (a)"),
        ),
        (
            edit(TaskEdit {
                note: Some(" \u{7} ".to_owned()),
                ..TaskEdit::default()
            }),
            "nothing to change was given".to_owned(),
        ),
        (
            milestone(" ", None, None),
            "a milestone needs a name".to_owned(),
        ),
        (
            milestone("v1", None, Some("soon")),
            "\"soon\" is no day".to_owned(),
        ),
        (
            milestone("v1", None, Some("2027-02-30")),
            "\"2027-02-30\" is no day".to_owned(),
        ),
        (
            TaskCommand::RemoveMilestone {
                name: "v1".to_owned(),
            },
            "there is no milestone \"v1\"".to_owned(),
        ),
        (
            TaskCommand::All(Vec::new()),
            "nothing to change was given".to_owned(),
        ),
        // The first of the two is fine, and is not carried out either.
        (
            TaskCommand::All(vec![TaskCommand::Add(new("x")), parent(&a, "zzzz")]),
            "there is no task \"zzzz\"".to_owned(),
        ),
        // Each of the two is fine by itself.
        (
            TaskCommand::All(vec![unneed(&b, &a), need(&a, &b), need(&b, &a)]),
            format!("that need would close a cycle: {b} (b) → {a} (a) → {b} (b)"),
        ),
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

#[test]
fn several_commands_are_one_and_each_sees_what_came_before() {
    let [a, b] = ["a", "b"].map(|name| id(name).to_string());
    let mut machine = Machine::from(state_of(&[task("a"), needing("b", &["a"])]));
    let turned = TaskCommand::All(vec![unneed(&b, &a), need(&a, &b)]);
    assert_eq!(asked(&mut machine, turned), ["changed 2"]);
    let tasks = &machine.supervisor.state().tasks;
    assert_eq!(tasks[&id("a")].needs, [id("b")]);
    assert!(tasks[&id("b")].needs.is_empty());

    let twice = TaskCommand::All(vec![TaskCommand::Add(new("x")), TaskCommand::Add(new("x"))]);
    let before = machine.facts.len();
    assert_eq!(asked(&mut machine, twice), ["changed 2"]);
    assert_eq!(machine.supervisor.state().tasks.len(), 4);
    let operations: Vec<u64> = machine.facts[before..].iter().map(|fact| fact.op).collect();
    assert_eq!(operations.len(), 2);
    assert_eq!(operations[0], operations[1], "it is undone as one");
}

#[test]
fn a_need_that_left_the_backlog_can_be_taken_off() {
    let gone = id("gone").to_string();
    let mut machine = Machine::from(state_of(&[needing("b", &["gone"])]));
    let command = unneed(id("b").as_str(), &gone);
    assert_eq!(asked(&mut machine, command), ["changed 1"]);
    assert!(machine.supervisor.state().tasks[&id("b")].needs.is_empty());
}

#[test]
fn a_milestone_is_set_field_by_field_and_removed_with_what_names_it() {
    let mut machine = Machine::from(state_of(&[task("a"), task("b")]));
    let mut set = |command| asked(&mut machine, command);
    assert_eq!(
        set(milestone("Mark 1", Some("x"), Some("2027-01-31"))),
        ["changed 0"]
    );
    assert_eq!(set(milestone("mark 1", None, Some(""))), ["changed 0"]);
    assert_eq!(
        set(milestone("Mark 1", None, Some(""))),
        ["refused: nothing to change was given"]
    );
    let of = edit(TaskEdit {
        milestone: Some("MARK 1".to_owned()),
        ..TaskEdit::default()
    });
    assert_eq!(set(of), ["changed 1"]);
    let state = machine.supervisor.state();
    let known: Vec<_> = state.project.milestones.iter().collect();
    assert_eq!(known.len(), 1, "names differ by more than case");
    assert_eq!(known[0].0, "Mark 1");
    assert_eq!(known[0].1.text.as_deref(), Some("x"));
    assert_eq!(known[0].1.due, None);
    assert_eq!(state.tasks[&id("a")].milestone.as_deref(), Some("Mark 1"));

    // A name is a key, which facts don't redact: a secret never gets that far.
    let secret = "sk-aaaaaaaaaaaaaaaaaaaaaaaa";
    asked(&mut machine, milestone(secret, None, None));
    let kept = machine.supervisor.state().project.milestones.keys();
    assert_eq!(kept.collect::<Vec<_>>(), ["Mark 1", "[redacted]"]);
    let gone = TaskCommand::RemoveMilestone {
        name: "[redacted]".to_owned(),
    };
    assert_eq!(asked(&mut machine, gone), ["changed 0"]);

    let gone = TaskCommand::RemoveMilestone {
        name: "mark 1".to_owned(),
    };
    assert_eq!(asked(&mut machine, gone), ["changed 1"]);
    let state = machine.supervisor.state();
    assert!(state.project.milestones.is_empty());
    assert_eq!(state.tasks[&id("a")].milestone, None);
}

#[test]
fn a_backlog_imported_twice_is_there_once() {
    let mut machine = Machine::new();
    let claim = Claim {
        id: ClaimId::from_seed(&["x"]),
        state: ClaimState::Done,
        by: Actor::Person,
        at: at(1),
        branch: None,
        worktree: None,
        commits: Vec::new(),
        files: Vec::new(),
        reason: None,
    };
    // The need comes after the task that needs it.
    let tasks = vec![(needing("a", &["b"]), None), (task("b"), Some(claim))];
    let import = || TaskCommand::Import(tasks.clone());
    assert_eq!(asked(&mut machine, import()), ["changed 2"]);
    let first = machine.supervisor.state().tasks.clone();
    assert_eq!(first[&id("a")].needs, [id("b")]);
    assert_eq!(first[&id("b")].claims.len(), 1);
    assert_eq!(asked(&mut machine, import()), ["changed 0"]);
    assert_eq!(machine.supervisor.state().tasks, first);
}

#[test]
fn an_archived_task_is_found_behind_the_backlog_and_brought_back_by_what_changes_it() {
    let archived = |old: &Task| {
        let mut state = state_of(&[task("a")]);
        state.archive = state_of(std::slice::from_ref(old)).tasks;
        state
    };
    let old = said(task("old"), ClaimState::Done);
    let o = old.id.to_string();
    assert_eq!(find(&archived(&old), &o).unwrap().id, old.id);

    let a = id("a").to_string();
    for (command, touched) in [
        (
            TaskCommand::Claim {
                task: o.clone(),
                state: ClaimState::Pending,
                reason: None,
                commits: Vec::new(),
            },
            1,
        ),
        (need(&o, &a), 1),
        (parent(&a, &o), 2),
        (
            TaskCommand::Add(NewTask {
                parent: Some(o.clone()),
                ..new("x")
            }),
            2,
        ),
    ] {
        let mut machine = Machine::from(archived(&old));
        let expect = [format!("changed {touched}")];
        assert_eq!(asked(&mut machine, command.clone()), expect, "{command:?}");
        let state = machine.supervisor.state();
        assert!(state.archive.is_empty(), "{command:?}");
        assert!(state.tasks.contains_key(&old.id), "{command:?}");
        let operations: Vec<u64> = machine.facts.iter().map(|fact| fact.op).collect();
        assert_eq!(operations, vec![1; operations.len()], "{command:?}");
    }

    // To need it changes the one that waits alone.
    let mut machine = Machine::from(archived(&old));
    assert_eq!(asked(&mut machine, need(&a, &o)), ["changed 1"]);
    assert!(machine.supervisor.state().archive.contains_key(&old.id));

    // What it needed before it was archived can close a cycle again.
    let old = Task {
        needs: vec![id("a")],
        ..old
    };
    let mut machine = Machine::from(archived(&old));
    let both = TaskCommand::All(vec![edit_of(&o, "New words"), need(&a, &o)]);
    let refused =
        format!("refused: that need would close a cycle: {a} (a) → {o} (New words) → {a} (a)");
    assert_eq!(asked(&mut machine, both), [refused]);
    assert!(machine.facts.is_empty());
}

#[test]
fn a_command_reads_what_its_edges_could_close() {
    let [a, b] = ["a", "b"].map(|name| id(name).to_string());
    let add = |parent: Option<&String>, needs: &[&String]| {
        TaskCommand::Add(NewTask {
            parent: parent.cloned(),
            needs: needs.iter().copied().cloned().collect(),
            ..new("x")
        })
    };
    let named = |names: &[&String]| names.iter().copied().cloned().collect::<Vec<_>>();
    for (command, expect) in [
        (add(None, &[]), Reads::Named(vec![])),
        (add(Some(&a), &[]), Reads::Named(named(&[&a]))),
        (add(None, &[&b]), Reads::Named(named(&[&b]))),
        (add(Some(&a), &[&b]), Reads::All(named(&[&b, &a]))),
        (need(&a, &b), Reads::All(named(&[&a, &b]))),
        (parent(&a, &b), Reads::All(named(&[&a, &b]))),
        (parent(&a, ""), Reads::Named(named(&[&a]))),
        (
            TaskCommand::All(vec![unneed(&a, &b), parent(&a, &b)]),
            Reads::All(named(&[&a, &b, &a, &b])),
        ),
        (
            TaskCommand::All(vec![TaskCommand::Import(Vec::new()), unneed(&a, &b)]),
            Reads::Whole,
        ),
    ] {
        assert_eq!(command.reads(), expect, "{command:?}");
    }
}

fn edit_of(task: &str, title: &str) -> TaskCommand {
    TaskCommand::Edit {
        task: task.to_owned(),
        edit: TaskEdit {
            title: Some(title.to_owned()),
            ..TaskEdit::default()
        },
    }
}
