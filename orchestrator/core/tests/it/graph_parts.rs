//! Parents: the cycles they take part in, and how far they are.

use orch_core::graph::parents::{Progress, milestones, progress};
use orch_core::graph::{
    Statuses, cycle_closed_by, cycle_closed_by_new, cycle_closed_by_parent, wait_closed_by,
};
use orch_protocol::ids::TaskId;
use orch_protocol::task::{ClaimState, Task};

use crate::given::*;

fn ids(names: &[&str]) -> Vec<TaskId> {
    names.iter().map(|name| id(name)).collect()
}

#[test]
fn a_parent_waits_for_its_parts() {
    let state = state_of(&[
        task("goal"),
        part("step", "goal"),
        part("small step", "step"),
        task("other"),
        Task {
            needs: ids(&["goal"]),
            ..part("its part", "other")
        },
    ]);
    let tasks = &state.tasks;
    let need = |from: &str, to: &str, expect: Option<&[&str]>| {
        let found = wait_closed_by(tasks, &id(from), &id(to));
        assert_eq!(found, expect.map(ids), "{from} needs {to}");
    };
    // What needs its own ancestor waits for itself.
    need("step", "goal", Some(&["step", "goal", "step"]));
    need(
        "small step",
        "goal",
        Some(&["small step", "goal", "step", "small step"]),
    );
    need(
        "step",
        "other",
        Some(&["step", "other", "its part", "goal", "step"]),
    );
    need("goal", "step", None);
    need("other", "goal", None);
    need("goal", "goal", Some(&["goal", "goal"]));
    assert_eq!(
        cycle_closed_by(tasks, &id("step"), &id("goal")),
        None,
        "the state counts needs alone"
    );
    let parent = |of: &str, to: &str, expect: Option<&[&str]>| {
        let found = cycle_closed_by_parent(tasks, &id(of), &id(to));
        assert_eq!(found, expect.map(ids), "{of} is a part of {to}");
    };
    parent("goal", "goal", Some(&["goal", "goal"]));
    parent(
        "goal",
        "small step",
        Some(&["small step", "goal", "step", "small step"]),
    );
    parent(
        "other",
        "step",
        Some(&["step", "other", "its part", "goal", "step"]),
    );
    parent("small step", "goal", None);
    parent("step", "nowhere", None);
    // A new task closes one only if it needs what waits for its parent.
    let new = |parent: &str, needs: &[&str]| {
        cycle_closed_by_new(tasks, &id("new"), &id(parent), &ids(needs))
    };
    assert_eq!(new("goal", &["step"]), None);
    assert_eq!(
        new("step", &["small step", "goal"]),
        Some(ids(&["step", "new", "goal", "step"]))
    );
}

#[test]
fn progress_counts_what_has_no_parts() {
    use ClaimState::{Active, Blocked, Done, Dropped};
    let named = |task: Task| Task {
        milestone: Some("1.0".to_owned()),
        ..task
    };
    let state = state_of(&[
        named(task("goal")),
        part("step", "goal"),
        said(part("a", "step"), Done),
        said(part("b", "step"), Active),
        named(said(part("c", "goal"), Dropped)),
        said(part("d", "goal"), Blocked),
        named(part("e", "goal")),
        named(said(task("alone"), Done)),
        task("nobody's"),
        part("lost", "gone"),
    ]);
    let statuses = Statuses::judge(&state.tasks, &here("main", &[]));
    let all = progress(&state.tasks, &statuses);
    let goal = Progress {
        pending: 1,
        active: 1,
        blocked: 1,
        done: 1,
        dropped: 1,
    };
    assert_eq!(all[&id("goal")], goal);
    assert_eq!((goal.done, goal.total()), (1, 4));
    assert_eq!((all[&id("step")].done, all[&id("step")].total()), (1, 2));
    assert_eq!(all.len(), 2, "only parents have any");
    let milestone = milestones(&state.tasks, &statuses)["1.0"];
    assert_eq!(milestone, Progress { done: 2, ..goal });
    let none = milestones(&state.tasks, &statuses).get("2.0").copied();
    assert_eq!(none, None);
}

#[test]
fn parents_in_a_loop_share_what_hangs_below() {
    let state = state_of(&[
        part("a", "b"),
        part("b", "a"),
        said(part("leaf of a", "a"), ClaimState::Done),
        part("leaf of b", "b"),
        part("self", "self"),
        part("above", "self"),
    ]);
    let statuses = Statuses::judge(&state.tasks, &here("main", &[]));
    let all = progress(&state.tasks, &statuses);
    for name in ["a", "b"] {
        assert_eq!((all[&id(name)].done, all[&id(name)].total()), (1, 2));
    }
    assert_eq!(all[&id("self")].total(), 1);
}
