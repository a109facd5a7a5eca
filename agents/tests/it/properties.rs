//! Properties over made-up turns. That a turn considered again proposes nothing is asserted in every one of them
//! ([`World::take`]).

use std::collections::BTreeSet;

use orch_core::judge::Reachable;
use orch_protocol::ids::TaskId;
use orch_protocol::turn::{StepStatus, TurnEvent};
use proptest::prelude::*;

use crate::given::*;

fn step() -> impl Strategy<Value = String> {
    let verb = prop::sample::select(vec![
        "Add", "Write", "Remove", "Inspect", "Run", "Fix", "Update", "",
    ]);
    let what = prop::sample::select(vec![
        "tests",
        "parser",
        "lexer",
        "docs",
        "config loading",
        "foo.rs",
        "phase 2",
        "cache",
    ]);
    let rest = prop::sample::select(vec![
        "",
        "for the parser",
        "in bar.rs",
        "and verify",
        "step 3",
        "with docs",
        "of cache",
    ]);
    (verb, what, rest).prop_map(|(verb, what, rest)| format!("{verb} {what} {rest}"))
}

fn a_plan() -> impl Strategy<Value = TurnEvent> {
    prop::collection::vec((0..3usize, step()), 0..6).prop_map(|steps| {
        let steps: Vec<String> = steps
            .into_iter()
            .map(|(status, step)| format!("{}{step}", ["", "> ", "x "][status]))
            .collect();
        plan(&steps.iter().map(String::as_str).collect::<Vec<_>>())
    })
}

fn event() -> impl Strategy<Value = TurnEvent> {
    prop_oneof![
        4 => a_plan(),
        1 => (0..2).prop_map(tested),
        1 => Just(committed()),
        1 => prop::sample::select(vec!["a.rs", "b.rs", "../c", "/repo/d"]).prop_map(patched),
    ]
}

#[derive(Debug, Clone)]
struct Turn {
    events: Vec<TurnEvent>,
    commits: Vec<(u64, i64)>,
    dirty: Vec<&'static str>,
    thread: &'static str,
}

fn turn() -> impl Strategy<Value = Turn> {
    (
        prop::collection::vec(event(), 0..6),
        prop::collection::vec((0..30u64, -50..600i64), 0..3),
        prop::sample::subsequence(vec!["a.rs", "b.rs"], 0..3),
        prop::sample::select(vec!["t1", "t1", "t2"]),
    )
        .prop_map(|(events, commits, dirty, thread)| Turn {
            events,
            commits,
            dirty,
            thread,
        })
}

proptest! {
    #[test]
    fn no_task_is_lost_and_no_two_steps_are_one(turns in prop::collection::vec(turn(), 1..6), apply_all: bool) {
        let mut world = World::new();
        world.apply_all = apply_all;
        let mut records = Vec::new();
        for turn in turns {
            world.open(turn.thread);
            let files = ["a.rs", "b.rs"];
            let commits = turn.commits.iter().map(|(n, second)| commit(*n, *second, &files[..(*n as usize % 3)])).collect();
            let before: BTreeSet<TaskId> = world.state.tasks.keys().cloned().collect();
            let record = world.record(turn.events, commits);
            let proposals = world.take(&record, &turn.dirty);
            prop_assert!(before.iter().all(|id| world.state.tasks.contains_key(id)));
            // One claim a task a turn, besides one that the work was discarded.
            let ids: Vec<_> = proposals.iter().map(|proposal| &proposal.id).collect();
            prop_assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
            // Each step of the last plan is a task of its own.
            let steps = record.last_plan().unwrap_or_default().iter().filter(|step| !step.step.trim().is_empty());
            let open = steps.filter(|step| step.status != StepStatus::Completed).count();
            let tasks = world.state.tasks.values().filter(|task| task.parent.is_some());
            prop_assert!(tasks.count() >= open);
            records.push((turn.thread, record, turn.dirty));
        }
        // A turn that is recorded again long after proposes no task and takes nothing back.
        let all = world.state.sessions.values().flat_map(|s| &s.turns).flat_map(|t| &t.record.commits);
        world.here.reachable = Reachable::new(all.map(|commit| commit.id.clone()).collect::<Vec<_>>());
        let known = world.state.tasks.len();
        for (thread, record, dirty) in records {
            world.open(thread);
            world.take(&record, &dirty);
            prop_assert_eq!(world.state.tasks.len(), known, "added twice");
        }
    }

    #[test]
    fn hostile_text_is_harmless(
        texts in prop::collection::vec("(\\PC|[\\x00-\\x1f`<\\[*_\u{202e}\u{200b}]){0,60}", 8),
        branch in "(\\PC|[\\x00-\\x1f]){0,20}",
    ) {
        let mut world = World::new();
        world.here.branch = Some(branch);
        world.open("t9");
        let mut record = world.record(
            vec![
                plan(&[&texts[0], &texts[1], &format!("> {}", texts[2])]),
                ran(&texts[3], orch_protocol::turn::CommandKind::Test, 1),
                patched(&texts[4]),
                plan(&[&format!("x {}", texts[2]), &texts[5]]),
            ],
            vec![commit(1, 110, &[&texts[4]])],
        );
        record.request = texts[6].clone();
        record.commits[0].subject = texts[7].clone();
        world.take(&record, &[&texts[4]]);
        let (digest, journal) = world.end().unwrap();
        prop_assert!(!journal.chars().any(|c| c.is_control() && c != '\n'));
        let hidden = ['\u{202e}', '\u{200b}'];
        prop_assert!(!journal.contains(hidden));
        prop_assert!(!digest.goal.chars().any(char::is_control));
        // Whatever was written, the page has its own headings only.
        let known = ["Goal", "What happened", "Commits", "Changes", "Tasks", "Open ends", "Next"];
        let mut headings = journal.lines().filter(|line| line.starts_with('#'));
        prop_assert!(headings.next().is_some_and(|line| line.starts_with("# Session of ")));
        let mut known = known.iter();
        for heading in headings {
            // Each at most once, and in this order.
            prop_assert!(known.any(|name| heading == format!("## {name}")), "{heading}");
        }
    }
}
