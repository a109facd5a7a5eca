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
            "# 2027-01-15 · main · session-t1

## Goal

- Make the importer faster (request, turn 1)

## What happened

- Make the importer faster — 2 commands, \\`cargo test\\` passed, 1 file changed (icons.rs), committed 0000000000 Commit 2748. (turn 1, completed)
- \\# go on\\[31m — 1 command (1 failed), \\`cargo test\\` failed, 1 file changed (fonts\\`.rs). (turn 2, interrupted)

## Changes

- `icons.rs` (patch, turn 1)
- ``fonts`.rs`` (patch, turn 2)
- Tests failed (`cargo test` exited 101, turn 2)

## Commits

- Commit 2748 (commit `0000000000000000000000000000000000000abc`, turn 1)

## Tasks

- `{goal}` Make the importer faster and test it: pending (no claim holds, as seen from `0000000000`)
- `{done}` Cache icons: done (commit `0000000000`, as seen from `0000000000`)
- `{open}` Trim \\<fonts\\>: active (word of the main agent, as seen from `0000000000`)

## Open ends

- Tests fail (`cargo test` exited 101, turn 2)
- \\# go on\\[31m (turn 2 interrupted)
- ``fonts`.rs`` is not committed (git, end of the last turn)
- Trim \\<fonts\\> (task `{open}`, active)

## Next

- Trim \\<fonts\\> (task `{open}`, active)
",
            goal = orch_protocol::ids::TaskId::from_seed(&["goal", "t1"]),
        )
    );
    assert_eq!(digest.goal, "Make the importer faster");
    assert_eq!(
        digest.next_actions,
        [format!("[{open}] Trim <fonts> (active)")]
    );
    assert_eq!(digest.open_ends.len(), 4);
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
    assert!(journal.contains("(turn 150, completed)"));
}
