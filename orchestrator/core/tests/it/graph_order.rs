//! In which order tasks can be done, what holds them up, what a picture shows: by table.

use orch_core::graph::reduce::reduced;
use orch_core::graph::tree::tree;
use orch_core::graph::waits::{around, blocked_by, unblocks};
use orch_core::graph::waves::{critical_path, waves};
use orch_core::graph::{Statuses, is_acyclic};
use orch_core::state::State;
use orch_protocol::task::{ClaimState, Task};

use crate::given::*;

fn titles(tasks: &[&Task]) -> Vec<String> {
    tasks.iter().map(|task| task.title.clone()).collect()
}

/// Sorted: ids are hashes, so among equals the order says nothing to a reader.
fn sorted(tasks: &[&Task]) -> Vec<String> {
    let mut titles = titles(tasks);
    titles.sort_unstable();
    titles
}

fn judged(tasks: &[Task]) -> (State, Statuses) {
    let state = state_of(tasks);
    let statuses = Statuses::judge(&state.tasks, &here("main", &[]));
    (state, statuses)
}

/// A release with parts, something begun, something blocked, something dropped.
fn backlog() -> (State, Statuses) {
    let with = |task: Task, needs: &[&str]| Task {
        needs: needs.iter().map(|need| id(need)).collect(),
        ..task
    };
    judged(&[
        said(task("schema"), ClaimState::Done),
        needing("parser", &["schema", "archived long ago"]),
        said(task("lexer"), ClaimState::Active),
        task("release"),
        with(part("binary", "release"), &["parser"]),
        with(part("notes", "release"), &["binary", "parser"]),
        needing("announce", &["release"]),
        said(task("licence"), ClaimState::Blocked),
        needing("sell", &["licence", "announce"]),
        said(task("gui"), ClaimState::Dropped),
        needing("icons", &["gui"]),
        needing("tokens", &["lexer"]),
    ])
}

#[test]
fn waves_are_what_can_be_done_one_after_the_other() {
    let (state, statuses) = backlog();
    let found = waves(&state.tasks, &statuses);
    let layers: Vec<Vec<String>> = found.waves.iter().map(|wave| sorted(wave)).collect();
    assert_eq!(
        layers,
        [
            vec!["lexer", "parser"],
            vec!["binary", "tokens"],
            vec!["notes"],
            vec!["announce"],
        ]
    );
    assert_eq!(sorted(&found.stuck), ["icons", "licence", "sell"]);
    let parents: Vec<_> = found.parents.into_iter().collect();
    assert_eq!(parents, [(&id("release"), 2)], "done with its last part");
}

#[test]
fn the_longest_chain_goes_through_parts_and_ends_in_what_is_most_urgent() {
    let (state, statuses) = backlog();
    assert_eq!(
        titles(&critical_path(&state.tasks, &statuses)),
        ["parser", "binary", "notes", "announce", "sell"]
    );
    let two = |priority: u8, second: i64| {
        let tasks = [
            task("a"),
            needing("b", &["a"]),
            task("x"),
            Task {
                priority,
                created_at: at(second),
                ..needing("y", &["x"])
            },
        ];
        let (state, statuses) = judged(&tasks);
        titles(&critical_path(&state.tasks, &statuses))
    };
    assert_eq!(two(1, 9), ["x", "y"], "the more urgent");
    assert_eq!(two(3, -9), ["a", "b"]);
    assert_eq!(two(2, -9), ["x", "y"], "the older");
    assert!(critical_path(&State::default().tasks, &Statuses::default()).is_empty());
}

#[test]
fn what_holds_a_task_up_is_told_with_where_it_begins() {
    let (state, statuses) = backlog();
    let check = |name: &str, needs: &[&str], first: &[&str]| {
        let found = blocked_by(&state.tasks, &statuses, &id(name));
        assert_eq!(sorted(&found.needs), needs, "{name} directly");
        assert_eq!(sorted(&found.first), first, "{name} in the end");
    };
    check("sell", &["announce", "licence"], &["licence", "parser"]);
    check("release", &[], &["parser"]);
    check("icons", &["gui"], &["gui"]);
    check("tokens", &["lexer"], &["lexer"]);
    check("parser", &[], &[]);
    check("schema", &[], &[]);
    check("nowhere", &[], &[]);
}

#[test]
fn what_a_task_frees_is_told_with_all_behind_it() {
    let (state, statuses) = backlog();
    let check = |name: &str, next: &[&str], downstream: &[&str]| {
        let found = unblocks(&state.tasks, &statuses, &id(name));
        assert_eq!(sorted(&found.next), next, "{name} at once");
        assert_eq!(sorted(&found.downstream), downstream, "{name} in the end");
    };
    check(
        "parser",
        &["binary"],
        &["announce", "binary", "notes", "release", "sell"],
    );
    check("notes", &[], &["announce", "release", "sell"]);
    check("gui", &["icons"], &["icons"]);
    check("schema", &[], &[]);
    check("nowhere", &[], &[]);
    // The last open part takes its parent with it.
    let (state, statuses) = judged(&[
        task("goal"),
        said(part("one", "goal"), ClaimState::Done),
        part("two", "goal"),
        needing("after", &["goal"]),
    ]);
    let found = unblocks(&state.tasks, &statuses, &id("two"));
    assert_eq!(titles(&found.next), ["after"]);
}

#[test]
fn around_a_task_is_what_it_waits_for_and_what_waits_for_it() {
    let (state, _) = backlog();
    let check = |name: &str, expect: &[&str]| {
        let found = around(&state.tasks, &id(name));
        let mut found: Vec<&str> = found
            .iter()
            .map(|id| state.tasks[*id].title.as_str())
            .collect();
        found.sort_unstable();
        assert_eq!(found, expect, "around {name}");
    };
    check("tokens", &["lexer", "tokens"]);
    check(
        "binary",
        &[
            "announce", "binary", "notes", "parser", "release", "schema", "sell",
        ],
    );
    check("nowhere", &[]);
}

#[test]
fn a_need_that_follows_from_others_is_not_drawn() {
    let (state, _) = judged(&[
        task("c"),
        needing("b", &["c"]),
        needing("a", &["b", "c", "gone"]),
        needing("diamond", &["a", "other"]),
        needing("other", &["c"]),
        needing("self", &["self", "a", "b"]),
        needing("x", &["y", "c"]),
        needing("y", &["x", "b"]),
    ]);
    let check = |name: &str, expect: &[&str], keep: &dyn Fn(&Task) -> bool| {
        let drawn = reduced(&state.tasks, keep);
        let mut expect: Vec<_> = expect.iter().map(|name| id(name)).collect();
        expect.sort();
        let found: Vec<_> = drawn[&id(name)]
            .iter()
            .map(|need| (*need).clone())
            .collect();
        assert_eq!(found, expect, "{name}");
    };
    let all = |_: &Task| true;
    check("a", &["b"], &all);
    check("diamond", &["a", "other"], &all);
    check("self", &["self", "a"], &all);
    check("x", &["c", "y"], &all);
    check("y", &["x", "b"], &all);
    // Where b isn't shown, nothing tells any more that a waits for c.
    check("a", &["c"], &|task| task.title != "b");
}

#[test]
fn the_forest_is_shown_as_it_concerns_one() {
    let (state, statuses) = backlog();
    let shown = |depth: usize, keep: &dyn Fn(&Task) -> bool| -> Vec<String> {
        tree(&state.tasks, &statuses, depth, keep)
            .iter()
            .map(|row| {
                let last = if row.is_last { "└" } else { "├" };
                format!(
                    "{}{last}{}+{}",
                    " ".repeat(row.depth),
                    row.task.title,
                    row.hidden
                )
            })
            .collect()
    };
    let all = shown(9, &|_| true);
    assert_eq!(all.len(), 12);
    assert_eq!(all[0], "├lexer+0", "what is active comes first");
    assert_eq!(all[11], "└gui+0", "what is dropped last");
    let below = all.iter().position(|row| row == "├release+0").unwrap();
    let mut parts = all[below + 1..below + 3].to_vec();
    parts.sort();
    let mut names: Vec<String> = parts
        .iter()
        .map(|row| row.replace(['├', '└'], ""))
        .collect();
    names.sort();
    assert_eq!(names, [" binary+0", " notes+0"]);
    assert!(shown(1, &|_| true).contains(&"├release+2".to_owned()));
    assert!(shown(0, &|_| true).is_empty());
    // A part that is wanted brings what stands above it.
    assert_eq!(
        shown(9, &|task| task.title == "notes"),
        ["└release+0", " └notes+0"]
    );
}

/// Chains, loops and cycles of 30,000, enough to overflow a stack: nothing recurses, nothing hangs.
#[test]
fn a_hostile_backlog_costs_neither_the_stack_nor_the_end() {
    const MANY: usize = 30_000;
    let name = |n: usize| format!("{n}");
    let chain = |link: &dyn Fn(usize) -> Task| -> Vec<Task> { (0..MANY).map(link).collect() };
    let deep = |closed: bool| {
        let needs = chain(&|n| match (n, closed) {
            (0, false) => task("0"),
            (0, true) => needing("0", &[&name(MANY - 1)]),
            (n, _) => needing(&name(n), &[&name(n - 1)]),
        });
        judged(&needs)
    };
    let (state, statuses) = deep(false);
    assert!(is_acyclic(&state.tasks));
    assert_eq!(waves(&state.tasks, &statuses).waves.len(), MANY);
    assert_eq!(critical_path(&state.tasks, &statuses).len(), MANY);
    let last = id(&name(MANY - 1));
    let found = blocked_by(&state.tasks, &statuses, &last);
    assert_eq!(titles(&found.first), ["0"]);
    assert_eq!(
        unblocks(&state.tasks, &statuses, &id("0")).downstream.len(),
        MANY - 1
    );
    assert_eq!(reduced(&state.tasks, |_| true).len(), MANY);
    let (state, statuses) = deep(true);
    assert!(!is_acyclic(&state.tasks));
    let found = waves(&state.tasks, &statuses);
    assert_eq!((found.waves.len(), found.stuck.len()), (0, MANY));
    assert!(critical_path(&state.tasks, &statuses).is_empty());
    assert!(blocked_by(&state.tasks, &statuses, &last).first.is_empty());
    let parts = chain(&|n| match n {
        0 => part("0", &name(MANY - 1)),
        n => part(&name(n), &name(n - 1)),
    });
    let (state, statuses) = judged(&parts);
    assert_eq!(
        tree(&state.tasks, &statuses, usize::MAX, |_| true).len(),
        MANY
    );
    assert!(waves(&state.tasks, &statuses).waves.is_empty());
}
