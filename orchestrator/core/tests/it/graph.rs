//! What is ready, what closes a cycle, what a parent is.

use orch_core::graph::{Statuses, cycle_closed_by, is_acyclic, ready};
use orch_protocol::task::{ClaimState, Task, TaskStatus};

use crate::given::*;

#[test]
fn what_can_be_begun_comes_the_most_urgent_first() {
    let urgent = Task {
        priority: 0,
        ..needing("urgent", &["done"])
    };
    let old = Task {
        created_at: at(-9),
        ..task("old")
    };
    let state = state_of(&[
        said(task("done"), ClaimState::Done),
        said(task("dropped"), ClaimState::Dropped),
        said(task("active"), ClaimState::Active),
        task("plain"),
        needing("waits", &["plain"]),
        needing("waits for what was dropped", &["dropped"]),
        needing("waits for what is not there", &["nowhere"]),
        task("goal"),
        part("step", "goal"),
        old,
        urgent,
    ]);
    let statuses = Statuses::judge(&state.tasks, &here("main", &[]));
    let mut titles: Vec<&str> = ready(&state.tasks, &statuses)
        .iter()
        .map(|task| task.title.as_str())
        .collect();
    assert_eq!(titles[..2], ["urgent", "old"]);
    titles.sort_unstable();
    // What isn't in the backlog (it was archived, or undone) holds nobody up.
    let free = "waits for what is not there";
    assert_eq!(titles, ["old", "plain", "step", "urgent", free]);
}

#[test]
fn a_cycle_is_told_before_it_is_closed() {
    let state = state_of(&[
        task("a"),
        needing("b", &["a"]),
        needing("c", &["b"]),
        needing("lost", &["nowhere"]),
    ]);
    let check = |from: &str, to: &str, expect: Option<&[&str]>| {
        let cycle = cycle_closed_by(&state.tasks, &id(from), &id(to));
        let expect = expect.map(|names| names.iter().map(|name| id(name)).collect::<Vec<_>>());
        assert_eq!(cycle, expect, "{from} needs {to}");
    };
    check("a", "c", Some(&["a", "c", "b", "a"]));
    check("a", "b", Some(&["a", "b", "a"]));
    check("a", "a", Some(&["a", "a"]));
    check("c", "a", None);
    check("lost", "c", None);
    check("a", "nowhere", None);
    assert!(is_acyclic(&state.tasks));
    for looped in [
        state_of(&[needing("a", &["a"])]),
        state_of(&[needing("a", &["b"]), needing("b", &["a"])]),
    ] {
        assert!(!is_acyclic(&looped.tasks));
    }
}

#[test]
fn a_parent_is_what_its_parts_are() {
    use ClaimState::{Active, Blocked, Done, Dropped};
    #[track_caller]
    fn check(own: Option<ClaimState>, parts: &[Option<ClaimState>], expect: TaskStatus) {
        let say = |task: Task, state: Option<ClaimState>| match state {
            Some(state) => said(task, state),
            None => task,
        };
        let mut tasks = vec![say(part("goal", "above"), own), task("above")];
        for (n, state) in parts.iter().enumerate() {
            tasks.push(say(part(&format!("part {n}"), "goal"), *state));
        }
        let state = state_of(&tasks);
        let statuses = Statuses::judge(&state.tasks, &here("main", &[]));
        assert_eq!(statuses.of(&id("goal")), expect);
        // It goes up, floor by floor.
        let above = match expect {
            TaskStatus::Active | TaskStatus::Done => expect,
            TaskStatus::Pending | TaskStatus::Blocked | TaskStatus::Dropped => TaskStatus::Pending,
        };
        assert_eq!(statuses.of(&id("above")), above);
    }
    check(None, &[None], TaskStatus::Pending);
    check(None, &[None, Some(Active)], TaskStatus::Active);
    check(None, &[None, Some(Done)], TaskStatus::Active);
    check(None, &[Some(Done), Some(Done)], TaskStatus::Done);
    check(None, &[Some(Done), Some(Dropped)], TaskStatus::Done);
    check(None, &[Some(Dropped)], TaskStatus::Pending);
    check(None, &[Some(Blocked)], TaskStatus::Pending);
    check(Some(Active), &[None], TaskStatus::Active);
    check(Some(Active), &[Some(Done)], TaskStatus::Done);
    // A word on the parent itself stands.
    check(Some(Done), &[None], TaskStatus::Done);
    check(Some(Blocked), &[Some(Done)], TaskStatus::Blocked);
}

#[test]
fn a_parent_whose_parts_are_all_closed_can_be_begun_itself() {
    use ClaimState::{Done, Dropped, Pending};
    let state = state_of(&[
        said(task("reopened"), Pending),
        said(part("step", "reopened"), Done),
        task("left over"),
        said(part("not wanted", "left over"), Dropped),
        said(task("waits"), Pending),
        part("open", "waits"),
    ]);
    let statuses = Statuses::judge(&state.tasks, &here("main", &[]));
    let mut titles: Vec<&str> = ready(&state.tasks, &statuses)
        .iter()
        .map(|task| task.title.as_str())
        .collect();
    titles.sort_unstable();
    assert_eq!(titles, ["left over", "open", "reopened"]);
}

#[test]
fn parents_in_a_circle_come_to_an_end() {
    let mut tasks = vec![part("a", "b"), part("b", "a"), part("self", "self")];
    tasks.push(said(part("leaf", "a"), ClaimState::Done));
    for n in 0..200 {
        tasks.push(part(&format!("deep {n}"), &format!("deep {}", n + 1)));
    }
    let state = state_of(&tasks);
    let statuses = Statuses::judge(&state.tasks, &here("main", &[]));
    assert_eq!(statuses.of(&id("leaf")), TaskStatus::Done);
    assert_eq!(statuses.of(&id("deep 0")), TaskStatus::Pending);
    assert!(
        ready(&state.tasks, &statuses)
            .iter()
            .any(|task| task.title == "deep 0")
    );
}
