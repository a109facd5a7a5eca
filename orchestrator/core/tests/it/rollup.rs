//! Roll-up: which trigger brings what into the long state, and that its budgets hold whatever an agent returned.

use orch_core::agent::Opinion;
use orch_core::drift::OnDrift;
use orch_core::rollup::*;
use orch_core::supervisor::{Ended, Input};
use orch_protocol::ids::ThreadId;
use orch_protocol::project::RunKind;
use orch_protocol::session::Digest;
use orch_protocol::task::Actor;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::given::*;
use crate::properties::text;

#[test]
fn each_trigger_brings_its_own() {
    let turn = Came {
        is_turn: true,
        ..Came::default()
    };
    let exec = Came::default();
    for (came, checkpoint, archive) in [
        (turn, None, false),
        (
            Came {
                began: true,
                ..turn
            },
            None,
            true,
        ),
        (Came { done: 1, ..turn }, Some("task-done"), false),
        (Came { commits: 1, ..turn }, Some("commit"), false),
        (
            Came {
                commits: 2,
                done: 3,
                ..turn
            },
            Some("commit"),
            false,
        ),
        (
            Came {
                commits: 1,
                began: true,
                ..turn
            },
            Some("commit"),
            true,
        ),
        (
            Came {
                recovered: true,
                commits: 1,
                ..turn
            },
            Some("recovery"),
            true,
        ),
        (exec, Some("session-end"), true),
        (Came { done: 1, ..exec }, Some("task-done"), true),
        (
            Came {
                commits: 1,
                done: 1,
                ..exec
            },
            Some("commit"),
            true,
        ),
        (
            Came {
                recovered: true,
                ..exec
            },
            Some("recovery"),
            true,
        ),
    ] {
        let expect = Due {
            context: true,
            checkpoint,
            archive,
        };
        assert_eq!(due(&came), expect, "{came:?}");
    }
    let mut triggers: Vec<_> = RULES.iter().map(|rule| rule.trigger).collect();
    triggers.dedup();
    assert!(
        triggers.is_sorted() && triggers.len() == RULES.len(),
        "the strongest first, one rule each"
    );
}

fn blank() -> Digest {
    Digest {
        at: at(0),
        goal: String::new(),
        changes: Vec::new(),
        commits: Vec::new(),
        open_ends: Vec::new(),
        next_actions: Vec::new(),
    }
}

fn numbered(n: usize) -> Vec<String> {
    (1..=n).map(|n| format!("entry {n}")).collect()
}

#[test]
fn what_a_budget_cuts_is_said() {
    let fits = Digest {
        changes: numbered(20),
        open_ends: numbered(20),
        next_actions: numbered(10),
        commits: (0..50).map(|n| summary(n, &[])).collect(),
        ..blank()
    };
    assert_eq!(digest(fits.clone()), fits);
    let cut = digest(Digest {
        changes: numbered(31),
        open_ends: numbered(21),
        next_actions: numbered(400),
        commits: (0..62).map(|n| summary(n, &[])).collect(),
        goal: "x".repeat(1_000),
        ..blank()
    });
    assert_eq!(cut.changes.len(), 20);
    assert_eq!(cut.changes[17], "entry 18");
    assert_eq!(cut.changes[18..], ["and 13 more", "and 12 earlier commits"]);
    assert_eq!(cut.open_ends[18..], ["entry 19", "and 2 more"]);
    assert_eq!(cut.next_actions[8..], ["entry 9", "and 391 more"]);
    assert_eq!(cut.commits.len(), 50);
    assert_eq!(cut.commits[0], summary(12, &[]), "the newest stay");
    assert_eq!(cut.goal.chars().count(), 300);
    assert!(cut.goal.ends_with('…'));
}

#[test]
fn a_secret_is_not_cut_in_two_before_it_is_taken_out() {
    let goal = format!("{} sk-{}", "x".repeat(280), "aB3".repeat(20));
    let kept = digest(Digest { goal, ..blank() }).goal;
    assert!(!kept.contains("aB3"), "{kept}");
}

proptest! {
    #[test]
    fn a_digest_keeps_its_budget(
        goal in text(),
        changes in vec(text(), 0..60),
        commits in 0..120u64,
        open_ends in vec(text(), 0..60),
        next_actions in vec(text(), 0..60),
    ) {
        let given = Digest {
            at: at(0),
            goal,
            changes,
            commits: (0..commits).map(|n| summary(n, &[])).collect(),
            open_ends,
            next_actions,
        };
        let kept = digest(given.clone());
        prop_assert!(kept.goal.chars().count() <= MAX_GOAL);
        prop_assert!(kept.commits.len() <= MAX_COMMITS);
        prop_assert!(given.commits.ends_with(&kept.commits));
        for (given, kept, max) in [
            (&given.changes, &kept.changes, MAX_CHANGES),
            (&given.open_ends, &kept.open_ends, MAX_OPEN_ENDS),
            (&given.next_actions, &kept.next_actions, MAX_NEXT_ACTIONS),
        ] {
            prop_assert!(kept.len() <= max && kept.len() <= given.len() + 1);
            prop_assert!(kept.iter().all(|entry| entry.chars().count() <= MAX_ENTRY && !entry.chars().any(char::is_control)));
            // Nothing goes without a word: what is there and what is said to be missing come to what was given.
            let said: usize = kept.iter().filter_map(|entry| entry.strip_prefix("and ")?.strip_suffix(" more")?.parse::<usize>().ok()).sum();
            let notes = kept.iter().filter(|entry| entry.starts_with("and ") && entry.chars().any(char::is_numeric)).count();
            prop_assert_eq!(kept.len() - notes + said, given.len());
        }
        prop_assert_eq!(digest(kept.clone()).goal, kept.goal);
    }
}

#[test]
fn an_agent_that_returns_too_much_is_cut_where_it_is_recorded() {
    let mut machine = Machine::new();
    let main = snapshot(branch("main", 1));
    let begun = start(RunKind::Fresh, Some(main.clone()), OnDrift::Stop, 10);
    let run = begun.run.clone();
    let _ = machine.take(Input::Start(Box::new(begun)));
    let mut record = turn("t", "one", 11);
    record.request = "y".repeat(2_000);
    let left = Ended {
        thread: Some(ThreadId::new("t")),
        turns: vec![record],
        after: Some(main),
        ..ended(&run, 20)
    };
    let _ = machine.take(Input::Ended(Box::new(left)));
    let told = Opinion::Session {
        digest: Digest {
            changes: numbered(1_000),
            ..blank()
        },
        journal: "# page".to_owned(),
    };
    let _ = machine.take(Input::Opinions {
        now: at(21),
        by: Actor::Summariser,
        opinions: vec![told],
    });
    let _ = machine.answer_all(22);
    let project = &machine.supervisor.state().project;
    let context = &project.branches["main"];
    let changes = &context.digest.as_ref().unwrap().changes;
    assert_eq!(changes.len(), 20);
    assert_eq!(changes[19], "and 981 more");
    assert_eq!(context.objective.as_ref().unwrap().chars().count(), 300);
    assert!(project.checkpoints[0].text.chars().count() <= 500);
}
