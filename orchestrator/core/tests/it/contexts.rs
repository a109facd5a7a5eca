//! Branch contexts follow their branches: renamed, deleted, back again, too many.

use std::collections::BTreeMap;

use orch_core::contexts::{Branches, asked};
use orch_core::drift::OnDrift;
use orch_core::state::State;
use orch_core::supervisor::{Ended, Input};
use orch_protocol::fact::Event;
use orch_protocol::git::{GitSnapshot, Head};
use orch_protocol::ids::{SessionId, ThreadId};
use orch_protocol::project::{ArchivedContext, BranchContext, Project, RunKind};

use crate::given::*;

fn renamed(pairs: &[(&str, &str)]) -> Branches {
    let owned = |(from, to): &(&str, &str)| ((*from).to_owned(), (*to).to_owned());
    Branches {
        gone: pairs.iter().map(|(from, _)| (*from).to_owned()).collect(),
        renamed: pairs.iter().map(owned).collect(),
        trunk: None,
    }
}

fn gone(names: &[&str]) -> Branches {
    Branches {
        gone: names.iter().map(|name| (*name).to_owned()).collect(),
        ..Branches::default()
    }
}

/// A context, told from others by its objective.
fn context(objective: &str, head: Head) -> BranchContext {
    BranchContext {
        objective: Some(objective.to_owned()),
        snapshot: Some(snapshot(head)),
        ..BranchContext::default()
    }
}

/// Contexts by branch, each left at the commit that stands beside it.
fn contexts(of: &[(&str, u64)]) -> Machine {
    let context = |(name, n): &(&str, u64)| {
        let context = context(&format!("work on {name}"), branch(name, *n));
        ((*name).to_owned(), context)
    };
    Machine::from(State {
        project: Project {
            branches: of.iter().map(context).collect(),
            ..Project::default()
        },
        ..State::default()
    })
}

/// Begins a run at `seen`, when these commits are reached and this has become of branches; the facts.
fn begin(
    machine: &mut Machine,
    seen: Head,
    reached: &[u64],
    branches: Branches,
) -> Vec<&'static str> {
    let from = machine.facts.len();
    let mut begun = start(
        RunKind::Fresh,
        Some(snapshot(seen.clone())),
        OnDrift::Stop,
        1_000 + from as i64,
    );
    begun.here = here(seen.branch().unwrap_or_default(), reached);
    begun.here.branch = seen.branch().map(str::to_owned);
    begun.branches = branches;
    let _ = machine.take(Input::Start(Box::new(begun)));
    machine.facts_since(from)
}

fn objectives(machine: &Machine) -> BTreeMap<&str, &str> {
    let branches = &machine.supervisor.state().project.branches;
    branches
        .iter()
        .map(|(name, context)| {
            (
                name.as_str(),
                context.objective.as_deref().unwrap_or_default(),
            )
        })
        .collect()
}

#[test]
fn a_renamed_branch_takes_its_context_along() {
    let long = "x".repeat(250);
    for (old, new) in [
        ("feat", "feat/x"),
        ("feat/x", "feat"),
        ("Fix", "fix"),
        ("topic", long.as_str()),
        ("topic", "🦀/ünï"),
        ("topic", "-rf"),
        ("topic", "feat/../etc"),
    ] {
        let mut machine = contexts(&[(old, 1), ("main", 1)]);
        let facts = begin(&mut machine, branch(new, 1), &[1], renamed(&[(old, new)]));
        assert_eq!(facts, ["context moved", "run started"], "{old} → {new}");
        let state = machine.supervisor.state();
        let moved = &state.project.branches[new];
        assert_eq!(moved.objective, Some(format!("work on {old}")));
        assert_eq!(
            moved.snapshot,
            Some(snapshot(branch(new, 1))),
            "its branch is called so now"
        );
        assert!(!state.project.branches.contains_key(old));
        assert!(state.project.archived.is_empty());
    }
}

#[test]
fn names_that_differ_in_case_alone_are_two() {
    let mut machine = contexts(&[("Fix", 1), ("fix", 1), ("feat", 1), ("feat/x", 1)]);
    let _ = begin(&mut machine, branch("fix", 1), &[1], gone(&["Fix", "feat"]));
    let names: Vec<&str> = objectives(&machine).into_keys().collect();
    assert_eq!(names, ["feat/x", "fix"]);
}

#[test]
fn a_branch_renamed_over_another_puts_that_ones_context_away() {
    let mut machine = contexts(&[("a", 1), ("b", 2)]);
    let _ = begin(&mut machine, branch("b", 1), &[1], renamed(&[("a", "b")]));
    assert_eq!(objectives(&machine), BTreeMap::from([("b", "work on a")]));
    let archived = &machine.supervisor.state().project.archived["b"];
    assert_eq!(archived.context.objective.as_deref(), Some("work on b"));
}

#[test]
fn a_conversation_goes_on_without_drift_on_a_renamed_branch() {
    let mut machine = Machine::new();
    let old = snapshot(branch("old", 1));
    machine.ran("t", &old, &old);
    let from = machine.facts.len();
    let mut begun = start(
        resume("t"),
        Some(snapshot(branch("new", 1))),
        OnDrift::Stop,
        1_000,
    );
    begun.branches = renamed(&[("old", "new")]);
    let effects = machine.take(Input::Start(Box::new(begun)));
    assert_eq!(effects, ["launch resume t"]);
    assert_eq!(
        machine.facts_since(from),
        ["context moved", "anchored", "run started"]
    );
    assert!(asked(machine.supervisor.state()).contains("new"));
}

#[test]
fn a_deleted_branch_leaves_its_context_in_the_archive_until_it_is_back() {
    // Who comes back, where it stands, and whether what was known comes along.
    for (seen, reached, expect) in [
        (
            branch("topic", 5),
            vec![1, 5],
            vec!["context restored", "run started"],
        ),
        (
            branch("topic", 6),
            vec![1, 5, 6],
            vec!["context restored", "run started"],
        ),
        // Another branch of that name, grown from main.
        (
            branch("topic", 7),
            vec![1, 7],
            vec!["context set", "run started"],
        ),
        (
            branch("other", 5),
            vec![1, 5],
            vec!["context set", "run started"],
        ),
        (
            Head::Detached { commit: commit(5) },
            vec![1, 5],
            vec!["run started"],
        ),
    ] {
        let mut machine = contexts(&[("main", 1), ("topic", 5)]);
        let facts = begin(&mut machine, branch("main", 1), &[1], gone(&["topic"]));
        assert_eq!(facts, ["context archived", "run started"]);
        let project = machine.supervisor.state().project.clone();
        assert_eq!(
            objectives(&machine),
            BTreeMap::from([("main", "work on main")])
        );
        assert_eq!(
            project.archived["topic"].context.objective.as_deref(),
            Some("work on topic")
        );
        // Asked again, it is put away once.
        assert_eq!(
            begin(&mut machine, branch("main", 1), &[1], gone(&["topic"])),
            ["run started"]
        );
        let facts = begin(&mut machine, seen.clone(), &reached, Branches::default());
        assert_eq!(facts, expect, "{seen:?}");
        let project = &machine.supervisor.state().project;
        let is_back = expect[0] == "context restored";
        assert_eq!(project.archived.contains_key("topic"), !is_back);
        if is_back {
            assert_eq!(objectives(&machine)["topic"], "work on topic");
        }
    }
}

#[test]
fn a_branch_that_never_had_a_commit_is_not_deleted() {
    let mut machine = contexts(&[]);
    let unborn = Head::Unborn {
        name: "new".to_owned(),
    };
    machine.ran("t", &snapshot(unborn.clone()), &snapshot(unborn));
    let facts = begin(&mut machine, branch("main", 1), &[1], gone(&["new"]));
    assert_eq!(facts, ["run started"]);
}

/// A run on `before` that ends at `after`, when this has become of branches.
fn ran(machine: &mut Machine, before: Head, after: GitSnapshot, branches: Branches) {
    let begun = start(RunKind::Fresh, Some(snapshot(before)), OnDrift::Stop, 2_000);
    let run = begun.run.clone();
    let _ = machine.take(Input::Start(Box::new(begun)));
    let left = Ended {
        thread: Some(ThreadId::new("t")),
        turns: vec![turn("t", "one", 2_001)],
        here: here(after.head.branch().unwrap_or_default(), &[1]),
        after: Some(after),
        branches,
        ..ended(&run, 2_010)
    };
    let _ = machine.take(Input::Ended(Box::new(left)));
    machine.answer_all(2_011);
}

#[test]
fn what_the_agent_does_to_its_own_branch_is_followed() {
    // It renames the branch that it works on: what it did is known under the new name.
    let mut machine = contexts(&[("old", 1)]);
    let after = snapshot(branch("new", 1));
    ran(
        &mut machine,
        branch("old", 1),
        after.clone(),
        renamed(&[("old", "new")]),
    );
    let project = &machine.supervisor.state().project;
    assert_eq!(project.branches.keys().collect::<Vec<_>>(), ["new"]);
    let context = &project.branches["new"];
    assert_eq!(
        context.objective.as_deref(),
        Some("Make the importer faster")
    );
    assert_eq!(context.snapshot, Some(after));
    // It deletes it.
    let mut machine = contexts(&[("old", 1), ("main", 1)]);
    let after = snapshot(branch("main", 1));
    ran(&mut machine, branch("old", 1), after, gone(&["old"]));
    let project = &machine.supervisor.state().project;
    assert_eq!(project.branches.keys().collect::<Vec<_>>(), ["main"]);
    let archived = &project.archived["old"].context;
    assert_eq!(
        archived.objective.as_deref(),
        Some("Make the importer faster")
    );
}

#[test]
fn contexts_are_bounded_live_and_put_away() {
    let mut state = State::default();
    for n in 0..250u64 {
        let name = format!("b{n:03}");
        let mut context = context(&name, branch(&name, 1));
        // The one that is worked on is the oldest of all.
        context.last_session = Some(SessionId::new(format!("2026{n:04}")));
        let archived = ArchivedContext {
            at: at(n as i64),
            context: context.clone(),
        };
        state.project.branches.insert(name.clone(), context);
        if n < 190 {
            state
                .project
                .archived
                .insert(format!("gone-{name}"), archived);
        }
    }
    let mut machine = Machine::from(state);
    let after = snapshot(branch("b000", 1));
    ran(&mut machine, branch("b000", 1), after, Branches::default());
    let project = &machine.supervisor.state().project;
    assert_eq!(project.branches.len(), Project::MAX_CONTEXTS);
    assert!(project.branches.contains_key("b000") && project.branches.contains_key("b249"));
    assert!(!project.branches.contains_key("b001") && project.archived.contains_key("b001"));
    assert_eq!(project.archived.len(), Project::MAX_ARCHIVED);
    assert!(
        !project.archived.contains_key("gone-b000"),
        "the oldest goes"
    );
    let moves = machine
        .facts
        .iter()
        .filter(|fact| matches!(fact.event, Event::ContextArchived { .. }));
    assert_eq!(moves.count(), 50);
}
