//! Edits by hand: what a person writes into the tasks' file becomes changes, or is refused with the line.

use std::collections::BTreeMap;

use orch_core::command::Asker;
use orch_core::judge::Here;
use orch_core::state::State;
use orch_core::supervisor::{HandEdit, Input, Supervisor};
use orch_protocol::fact::Event;
use orch_protocol::ids::{CommitId, LogId, TaskId};
use orch_protocol::proposal::Change;
use orch_protocol::task::{
    Actor, Claim, ClaimState, Evidence, EvidenceKind, Origin, Task, TaskStatus,
};
use orch_runtime::checkout::edits::{Against, Scope, document, taken};
use orch_runtime::checkout::{Judged, Refused, Taken, parse, views};

use crate::make::{at, task};

fn asker() -> Asker {
    Asker {
        by: Actor::Person,
        origin: Origin::Person { branch: None },
        branch: Some("main".into()),
        worktree: Some("/w".into()),
        head: None,
        now: at(100),
        nonce: "n".into(),
    }
}

/// Three tasks: `one`, `two` that needs it, and `three` with evidence, a claim and a note.
fn base() -> State {
    let (one, mut two, mut three) = (task("one"), task("two"), task("three"));
    two.needs = vec![one.id.clone()];
    three.notes = vec!["careful".into()];
    three.evidence = vec![Evidence {
        kind: EvidenceKind::Command,
        reference: "cargo test".into(),
        ok: Some(true),
        tree: None,
        at: at(1),
        session: None,
    }];
    three.claims = vec![Claim {
        id: orch_protocol::ids::ClaimId::new("c"),
        state: ClaimState::Active,
        by: Actor::Person,
        at: at(2),
        branch: None,
        worktree: None,
        commits: Vec::new(),
        files: Vec::new(),
        reason: None,
    }];
    let tasks = [one, two, three].map(|task| (task.id.clone(), task));
    State {
        tasks: tasks.into_iter().collect(),
        ..State::default()
    }
}

fn written(state: &State) -> String {
    let seen: Vec<_> = views(state, &Here::default()).collect();
    document(&seen).unwrap()
}

fn take(state: &State, text: &str, scope: Scope) -> Result<Taken, Refused> {
    let shown: BTreeMap<TaskId, Judged> = views(state, &Here::default())
        .map(|view| (view.id().clone(), view.judged()))
        .collect();
    let against = Against {
        base: &state.tasks,
        comments: state.project.comments.as_ref(),
        shown: &|id| shown.get(id).cloned(),
        now: state,
        asker: &asker(),
        saved: at(90),
        scope,
    };
    taken(&against, &parse::read(text)?)
}

/// What `replace` does to the file, taken in.
fn edit(replace: &[(&str, &str)]) -> Result<Taken, Refused> {
    let state = base();
    let mut text = written(&state);
    for (from, to) in replace {
        assert!(text.contains(from), "{from:?} is not in\n{text}");
        text = text.replacen(from, to, 1);
    }
    take(&state, &text, Scope::Whole)
}

/// The state after what was taken in, by the supervisor.
fn after(taken: Taken) -> State {
    let limits = orch_core::brief::BriefLimits::default();
    let mut supervisor = Supervisor::new(base(), LogId::new("log"), limits);
    let edit = HandEdit {
        file: "project_tasks.yaml".into(),
        base: CommitId::new("0".repeat(40)),
        changes: taken.changes,
        comments: taken.comments,
    };
    let step = supervisor.handle(Input::HandEdit {
        asker: Box::new(asker()),
        edit: Box::new(edit),
    });
    assert!(matches!(step.facts[0].event, Event::HandEdited { .. }));
    assert!(step.facts.iter().all(|fact| fact.op == 1), "one operation");
    supervisor.state().clone()
}

fn id(title: &str) -> TaskId {
    task(title).id
}

#[test]
fn nothing_edited_is_nothing_taken() {
    assert_eq!(edit(&[]).unwrap(), Taken::default());
    // The order of tasks and line ends mean nothing.
    let state = base();
    let text = written(&state);
    assert_eq!(
        take(&state, &text.replace('\n', "\r\n"), Scope::Whole).unwrap(),
        Taken::default()
    );
}

#[test]
fn fields_are_taken_and_the_rest_of_the_task_is_as_it_was() {
    let taken = edit(&[
        ("title: one", "title: uno"),
        ("owner: null", "owner: kim"),
        ("priority: 2", "priority: 0"),
        ("milestone: null", "milestone: v1"),
        ("acceptance: null", "acceptance: it is green"),
    ])
    .unwrap();
    assert_eq!(taken.remarks, Vec::<String>::new());
    let state = after(taken);
    // Tasks of one age stand in the order of their ids: the replaced fields are those of the first one.
    let changed: Vec<&Task> = state
        .tasks
        .values()
        .filter(|task| **task != base().tasks[&task.id])
        .collect();
    assert!(changed.iter().any(|task| task.title == "uno"));
    assert!(
        changed
            .iter()
            .any(|task| task.owner.as_deref() == Some("kim") && task.priority == 0)
    );
    assert!(
        changed
            .iter()
            .any(|task| task.milestone.as_deref() == Some("v1"))
    );
    assert!(
        changed
            .iter()
            .any(|task| task.acceptance.as_deref() == Some("it is green"))
    );
    assert_eq!(
        state.tasks[&id("three")].claims,
        base().tasks[&id("three")].claims
    );
    assert!(
        changed.iter().all(|task| task.layout.is_none()),
        "nobody wrote in a way of their own"
    );
}

#[test]
fn a_status_becomes_a_claim_of_whoever_edited() {
    let taken = edit(&[("status: active", "status: done")]).unwrap();
    let [Change::Claim { task, claim }] = taken.changes.as_slice() else {
        panic!("{taken:?}");
    };
    assert_eq!(
        (task, claim.state, claim.by),
        (&id("three"), ClaimState::Done, Actor::Person)
    );
    assert_eq!(claim.branch.as_deref(), Some("main"));
    // The same text taken in twice is one claim.
    let again = edit(&[("status: active", "status: done")]).unwrap();
    assert_eq!(taken, again);
}

#[test]
fn a_task_that_is_missing_is_dropped_and_a_part_drops_nothing() {
    let state = base();
    let text = written(&state);
    let parsed = parse::read(&text).unwrap();
    let gone = parsed
        .entries
        .iter()
        .find(|entry| entry.title.as_ref().unwrap().value == "one")
        .unwrap();
    let rest = text.replace(gone.block.as_ref().unwrap(), "");
    let taken = take(&state, &rest, Scope::Whole).unwrap();
    assert_eq!(taken.remarks.len(), 1);
    let [Change::Claim { task, claim }] = taken.changes.as_slice() else {
        panic!("{taken:?}");
    };
    assert_eq!((task, claim.state), (&id("one"), ClaimState::Dropped));
    assert_eq!(
        claim.reason.as_deref(),
        Some("removed from project_tasks.yaml by hand")
    );
    assert!(take(&state, &rest, Scope::Part).unwrap().is_empty());
}

#[test]
fn new_tasks_may_need_one_another_under_any_names() {
    let state = base();
    let text = format!(
        "{}- title: four\n  status: done\n  id: ../../x\n  needs: [{}]\n- title: five\n  needs: [../../x]\n  parent: ../../x\n",
        written(&state),
        id("one")
    );
    let state = after(take(&state, &text, Scope::Whole).unwrap());
    let find = |title: &str| {
        state
            .tasks
            .values()
            .find(|task| task.title == title)
            .unwrap()
    };
    let (four, five) = (find("four"), find("five"));
    assert_eq!(TaskId::parse(four.id.as_str()).as_ref(), Some(&four.id));
    assert_eq!(four.claims[0].state, ClaimState::Done);
    assert_eq!(four.needs, [id("one")]);
    assert_eq!(
        (&five.needs[0], five.parent.as_ref()),
        (&four.id, Some(&four.id))
    );
    assert!(!written(&state).contains(".."));
}

#[test]
fn what_observers_wrote_stays_and_what_is_added_is_a_note() {
    let evidence = "  - kind: command\n";
    let taken = edit(&[(
        evidence,
        "  - seen it work\n  - kind: commit\n    ref: abc\n  - kind: command\n",
    )])
    .unwrap();
    let [Change::AddEvidence { evidence, .. }] = taken.changes.as_slice() else {
        panic!("{taken:?}");
    };
    let notes: Vec<(EvidenceKind, &str)> = evidence
        .iter()
        .map(|seen| (seen.kind, seen.reference.as_str()))
        .collect();
    assert_eq!(
        notes,
        [
            (EvidenceKind::Note, "seen it work"),
            (EvidenceKind::Note, "commit abc")
        ]
    );

    for (from, to, told) in [
        ("ok: true", "ok: false", "evidence is written by observers"),
        ("state: active", "state: done", "claims are a record"),
        ("from: person", "from: import", "origin and created_at"),
    ] {
        let taken = edit(&[(from, to)]).unwrap();
        assert!(taken.is_empty(), "{taken:?}");
        assert!(
            taken.remarks.len() == 1 && taken.remarks[0].contains(told),
            "{:?}",
            taken.remarks
        );
    }
}

#[test]
fn comments_and_unknown_keys_are_kept_and_told_once() {
    let taken = edit(&[("- id: ", "# mind this\n- estimate: 3d\n  id: ")]).unwrap();
    assert_eq!(taken.remarks.len(), 1, "{:?}", taken.remarks);
    assert!(taken.remarks[0].contains("\"estimate\" is no key"));
    let state = after(taken);
    let text = written(&state);
    assert!(
        text.contains("# mind this\n- estimate: 3d\n  id: "),
        "{text}"
    );
    // Written and read again, it is what it was.
    assert_eq!(take(&state, &text, Scope::Whole).unwrap(), Taken::default());
    // A comment alone, or one outside of the tasks.
    let text = text.replacen("priority: 2", "priority: 2 # for now", 1);
    let taken = take(&state, &text, Scope::Whole).unwrap();
    assert!(
        matches!(taken.changes.as_slice(), [Change::MergeTask { .. }]),
        "{taken:?}"
    );
    let taken = edit(&[("tasks:\n", "# ours\ntasks:\n")]).unwrap();
    assert_eq!(taken.comments.unwrap().1.unwrap().top, "# ours\n");
}

#[test]
fn what_makes_no_sense_is_refused_whole_with_its_line() {
    let (one, two) = (id("one").to_string(), id("two").to_string());
    let long = format!("title: {}", "x".repeat(201));
    let needs = format!("needs: [{two}]");
    let parent = format!("parent: {one}");
    let line_of = |text: &str| {
        let text_of = written(&base());
        1 + text_of
            .lines()
            .position(|line| line.contains(text))
            .unwrap() as u64
    };
    for (from, to, line, what) in [
        (
            "title: one",
            "title: ''",
            line_of("title: one"),
            "needs a title",
        ),
        (
            "title: one",
            &long,
            line_of("title: one"),
            "200 is the most",
        ),
        (
            "title: one",
            "title: [",
            line_of("title: one"),
            "expected string",
        ),
        (
            "priority: 2",
            "priority: 9",
            line_of("priority: 2"),
            "priority 9",
        ),
        (
            "status: active",
            "status: finished",
            line_of("status: active"),
            "no status",
        ),
        (
            "parent: null",
            "parent: zzz",
            line_of("parent: null"),
            "no task \"zzz\"",
        ),
        (
            "target_commit: null",
            "target_commit: HEAD",
            line_of("target_commit"),
            "no whole commit id",
        ),
        (
            &format!("id: {two}"),
            &format!("id: {one}"),
            0,
            "is there twice",
        ),
        ("tasks:\n", "task:\n", 1, "is no key of this file"),
        ("title: one", "<<<<<<< ours\n  title: one", 0, ""),
        (
            "title: one\n  status: pending\n  ready: true\n  owner: null\n  priority: 2\n  parent: null\n  needs: []",
            &format!("title: one\n  {needs}"),
            0,
            "would close a cycle",
        ),
        (
            "title: one\n  status: pending\n  ready: true\n  owner: null\n  priority: 2\n  parent: null",
            &format!("title: one\n  {parent}"),
            0,
            "a part of itself",
        ),
    ] {
        let refused = edit(&[(from, to)]).expect_err(what);
        assert!(refused.what.contains(what), "{refused}");
        assert!(!refused.hint.is_empty());
        if line > 0 {
            assert_eq!(refused.line, line, "{refused}");
        }
    }
}

#[test]
fn bombs_are_refused() {
    let mut bomb = String::from("a: &a [x,x,x,x,x,x,x,x,x]\n");
    for (name, of) in ["b", "c", "d", "e", "f"]
        .iter()
        .zip(["a", "b", "c", "d", "e"])
    {
        bomb.push_str(&format!(
            "{name}: &{name} [{}]\n",
            vec![format!("*{of}"); 9].join(",")
        ));
    }
    let deep = format!(
        "tasks:\n- id: {}{}\n",
        "[".repeat(10_000),
        "]".repeat(10_000)
    );
    let merged = "tasks:\n- &a\n  title: a\n- <<: *a\n".to_owned();
    let documents = "tasks: []\n---\ntasks: []\n".to_owned();
    for text in [
        bomb,
        deep,
        merged,
        documents,
        "tasks: *x\n".to_owned(),
        String::new(),
    ] {
        assert!(
            parse::read(&text).is_err(),
            "{}",
            &text[..text.len().min(60)]
        );
    }
}

#[test]
fn status_words_are_those_that_are_shown() {
    for status in [
        TaskStatus::Pending,
        TaskStatus::Blocked,
        TaskStatus::Dropped,
    ] {
        let to = format!("status: {}", status.name());
        assert_eq!(edit(&[("status: active", &to)]).unwrap().changes.len(), 1);
    }
}
