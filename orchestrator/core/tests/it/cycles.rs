//! Edges that were fine where they were made, and close a cycle where they meet.

use orch_core::graph::is_acyclic;
use orch_core::state::State;
use orch_protocol::proposal::Change;

use crate::given::*;

fn need(task: &str, need: &str) -> Change {
    Change::AddNeed {
        task: id(task),
        need: id(need),
    }
}

fn add(task: orch_protocol::task::Task) -> Change {
    Change::AddTask {
        task: Box::new(task),
    }
}

fn applied(facts: &[(&str, u64, Change)]) -> State {
    let mut state = State::default();
    for (log, seq, change) in facts {
        assert!(state.apply(&changed(log, *seq, change.clone())));
    }
    state
}

#[test]
fn the_edge_that_comes_second_waits_for_review() {
    let facts = [
        ("1", 1, add(task("a"))),
        ("1", 2, add(task("b"))),
        ("2", 1, need("a", "b")),
        ("3", 1, need("b", "a")),
    ];
    let state = applied(&facts);
    assert!(is_acyclic(&state.tasks));
    assert_eq!(state.tasks[&id("a")].needs, [id("b")]);
    assert!(state.tasks[&id("b")].needs.is_empty());
    let waiting: Vec<_> = state.project.proposals.values().collect();
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0].change, need("b", "a"));
    assert!(waiting[0].reason.contains("cycle"), "{}", waiting[0].reason);
    assert_eq!(state, applied(&facts), "in replay it is the same");
    // Said again, it is still one; once the way is free, it is an edge, and waits no more.
    let mut state = state;
    assert!(state.apply(&changed("3", 2, need("b", "a"))));
    assert_eq!(state.project.proposals.len(), 1);
    let free = Change::RemoveNeed {
        task: id("a"),
        need: id("b"),
    };
    assert!(state.apply(&changed("2", 2, free)));
    assert!(state.apply(&changed("3", 3, need("b", "a"))));
    assert_eq!(state.tasks[&id("b")].needs, [id("a")]);
    assert!(state.project.proposals.is_empty());
}

#[test]
fn a_task_that_needs_what_waits_for_it_gets_its_other_needs() {
    let state = applied(&[
        ("1", 1, add(needing("a", &["new"]))),
        ("1", 2, add(task("b"))),
        ("2", 1, add(needing("new", &["b", "a", "new"]))),
    ]);
    assert!(is_acyclic(&state.tasks));
    assert_eq!(state.tasks[&id("new")].needs, [id("b")]);
    assert_eq!(state.project.proposals.len(), 2);
}
