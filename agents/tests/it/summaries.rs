//! Summaries of turns and sessions.

use orch_protocol::turn::{CommandKind, TurnEvent, TurnStatus};

use crate::given::*;

#[track_caller]
fn check(events: Vec<TurnEvent>, commits: usize, expect: &str) {
    let mut world = World::new();
    let commits = (1..=commits as u64)
        .map(|n| commit(n, 110, &["a"]))
        .collect();
    world.turn(events, commits, &[]);
    let session = &world.state.sessions[&world.session()];
    assert_eq!(session.turns[0].summary.as_ref().unwrap().text, expect);
}

#[test]
fn a_turn_is_summed_up_from_what_was_seen() {
    check(
        vec![],
        0,
        "Asked: Make the importer faster. Turn completed: nothing was run or changed.",
    );
    check(
        vec![
            tested(1),
            patched("a.rs"),
            patched("b.rs"),
            patched("a.rs"),
            tested(0),
            ran("ls", CommandKind::Other, 1),
            committed(),
        ],
        1,
        "Asked: Make the importer faster. Turn completed: 4 commands (2 failed), `cargo test` passed, 2 files changed (a.rs; b.rs), \
         committed 0000000000 Commit 1.",
    );
}

#[test]
fn tests_whose_result_nobody_saw_have_not_passed() {
    check(
        vec![tested_unheard(0)],
        0,
        "Asked: Make the importer faster. Turn completed: 1 command, `cargo test | tail` ran, its exit code doesn't tell \
         whether the tests passed.",
    );
    check(
        vec![tested_unheard(1)],
        0,
        "Asked: Make the importer faster. Turn completed: 1 command (1 failed), `cargo test | tail` failed.",
    );
    let mut world = World::new();
    world.turn(vec![tested_unheard(0)], vec![], &[]);
    let (digest, journal) = world.end().unwrap();
    assert!(
        !journal.contains("passed") || journal.contains("doesn't tell whether the tests passed")
    );
    assert!(!journal.contains("Tests fail"));
    assert_eq!(digest.open_ends, [""; 0]);
}

#[test]
fn a_goal_is_what_its_parts_are() {
    let mut world = World::new();
    world.turn(
        vec![
            plan(&["> Cache icons"]),
            committed(),
            plan(&["x Cache icons"]),
        ],
        vec![commit(1, 110, &["icons.rs"])],
        &[],
    );
    let (digest, journal) = world.end().unwrap();
    assert!(journal.contains("- Make the importer faster and test it — done, 1 of 1 part done ("));
    assert!(journal.contains("\n## Open ends\n\nNone were seen.\n"));
    assert!(!journal.contains("## Next"), "{journal}");
    assert_eq!(
        digest.changes,
        [
            "Make the importer faster and test it (all parts done)",
            "Cache icons (done, commit 0000000000)",
            "icons.rs changed in commit 0000000000",
        ]
    );
    assert_eq!(digest.next_actions, [""; 0]);
}

#[test]
fn a_session_is_summed_up_with_evidence() {
    let mut world = World::new();
    world.turn(
        vec![
            plan(&["> Cache icons", "Trim <fonts>"]),
            patched("icons.rs"),
            tested(0),
            committed(),
            plan(&["x Cache icons", "> Trim <fonts>"]),
        ],
        vec![commit(0xabc, 110, &["icons.rs"])],
        &[],
    );
    let mut record = world.record(vec![tested(101), patched("fonts`.rs")], vec![]);
    record.status = TurnStatus::Interrupted;
    record.request = "# go on\u{1b}[31m".into();
    world.take(&record, &["fonts`.rs"]);
    let (digest, journal) = world.end().unwrap();
    let done = world.task("Cache icons").id.clone();
    let open = world.task("Trim <fonts>").id.clone();
    assert_eq!(
        journal,
        format!(
            "# Session of 2027-01-15 on `main`

08:00 to 08:04 UTC, 2 turns · as seen from `0000000000` · `session-t1`

## Goal

Make the importer faster and test it

## What happened

- Turn 1 completed: 2 commands, 1 patched file, 1 commit, `cargo test` passed
- Turn 2 “\\# go on\\[31m” was interrupted: 1 command (1 failed), 1 patched file, `cargo test` failed

## Commits

- `0000000000000000000000000000000000000abc` Commit 2748 (turn 1)

## Changes

- `icons.rs` (patched in turn 1, commit `0000000000`)
- ``fonts`.rs`` (patched in turn 2, not committed)

## Tasks

- Make the importer faster and test it — active, 1 of 2 parts done (`{goal}`)
  - Cache icons — done, commit `0000000000` (`{done}`)
  - Trim \\<fonts\\> — active, the main agent's word (`{open}`)

## Open ends

- Tests fail: `cargo test` exited 101 (turn 2)
- Turn 2 was interrupted
- Not committed: ``fonts`.rs``

## Next

- Trim \\<fonts\\> (`{open}`, active)
",
            goal = orch_protocol::ids::TaskId::from_seed(&["goal", "t1"]),
        )
    );
    assert_eq!(digest.goal, "Make the importer faster");
    assert_eq!(
        digest.next_actions,
        [format!("[{open}] Trim <fonts> (active)")]
    );
    assert_eq!(
        digest.open_ends,
        [
            "`cargo test` exited 101 in turn 2",
            "turn 2 interrupted: # go on[31m",
            "not committed: fonts`.rs",
        ]
    );
    assert_eq!(digest.changes[0], "Cache icons (done, commit 0000000000)");
    // Written once, it isn't written again.
    world.fact(orch_protocol::fact::Event::SessionDigested {
        session: world.session(),
        digest,
        journal: "j".into(),
        text: journal,
    });
    assert_eq!(world.end(), None);
}

#[test]
fn a_journal_is_bounded_and_says_so() {
    let mut world = World::new();
    for n in 0..150 {
        let mut record = world.record(
            vec![patched(&format!("{}{n}", "x*".repeat(90))), tested(n)],
            vec![],
        );
        record.request = "_*".repeat(500);
        record.commits = (0..3).map(|i| commit(n as u64 * 3 + i, 110, &[])).collect();
        world.take(&record, &[]);
    }
    let (_, journal) = world.end().unwrap();
    assert!(
        journal.len() <= orch_agents::summariser::Summariser::MAX_JOURNAL,
        "{}",
        journal.len()
    );
    assert!(journal.contains("earlier turns, left out for length"));
    assert!(journal.contains("more, left out for length"));
    assert!(journal.contains("- Turn 150 “"));
}
