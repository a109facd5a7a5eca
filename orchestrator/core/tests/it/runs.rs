//! Whole runs through the supervisor: what it asks for, what it records, in which order.

use orch_core::agent::Opinion;
use orch_core::drift::OnDrift;
use orch_core::supervisor::{Ended, Input};
use orch_protocol::git::{GitSnapshot, Head, HeadRelation, Operation};
use orch_protocol::ids::{RunId, ThreadId};
use orch_protocol::project::RunKind;
use orch_protocol::session::{Digest, TurnSummary};
use orch_protocol::task::Actor;
use orch_protocol::turn::TurnKind;

use crate::given::*;

const POLICIES: [OnDrift; 4] = [
    OnDrift::Stop,
    OnDrift::Fork,
    OnDrift::FastForward,
    OnDrift::Rebuild,
];

/// A thread `t` whose last turn ended on `main` at commit 1; another, `o`, on `dev`.
fn known() -> Machine {
    let mut machine = Machine::new();
    let dev = snapshot(branch("dev", 9));
    machine.ran("o", &dev, &dev);
    let main = snapshot(branch("main", 1));
    machine.ran("t", &main, &main);
    machine
}

/// An effect without its words: what is told by the choice alone, in brackets.
fn brief_form(effects: Vec<String>) -> Vec<String> {
    let short = |effect: String| match effect.strip_prefix("tell ") {
        Some(line) => format!(
            "tell {}",
            line.rsplit(" (")
                .next()
                .unwrap_or_default()
                .trim_end_matches(')')
        ),
        None if effect.starts_with("stop") => "stop".to_owned(),
        None => effect,
    };
    effects.into_iter().map(short).collect()
}

/// Resumes `t`, and says how git moved; the effects under each policy.
#[track_caller]
fn check(seen: GitSnapshot, relation: HeadRelation, expect: [&[&str]; 4]) {
    for (policy, expect) in POLICIES.into_iter().zip(expect) {
        let mut machine = known();
        let begun = start(resume("t"), Some(seen.clone()), policy, 1_000);
        let effects = machine.take(Input::Start(Box::new(begun)));
        assert_eq!(effects.last().map(String::as_str), Some("compare"));
        let effects = machine.take(Input::Compared {
            now: at(1_001),
            relation: Box::new(relation.clone()),
        });
        assert_eq!(brief_form(effects), expect, "{policy:?}");
        // Nothing waits any more: a second answer is nobody's.
        if !expect[0].starts_with("park") {
            let again = machine.take(Input::Compared {
                now: at(1_002),
                relation: Box::new(relation.clone()),
            });
            assert!(again.is_empty());
        }
    }
}

#[test]
fn every_drift_goes_the_way_of_the_policy() {
    let after = || HeadRelation {
        expected_in_seen: true,
        incoming: vec![summary(2, &["a.rs"])],
        incoming_total: 1,
        ..HeadRelation::default()
    };
    let merged = HeadRelation {
        expected_branch_merged: true,
        ..after()
    };
    let none = HeadRelation::default;
    let go: &[&str] = &["launch resume t"];
    let told: &[&str] = &["tell go on", "launch resume t"];
    let stop: &[&str] = &["stop", "fold"];
    let park: &[&str] = &["park t"];
    let forward: &[&str] = &["tell fast-forward", "launch resume t"];
    let rebuild: &[&str] = &["tell rebuild", "launch fresh"];
    let bisecting = GitSnapshot {
        operation: Some(Operation::Bisect),
        ..snapshot(branch("main", 1))
    };
    let elsewhere = GitSnapshot {
        worktree: "/other".to_owned(),
        ..snapshot(branch("main", 1))
    };
    let detached = snapshot(Head::Detached { commit: commit(2) });
    let unborn = snapshot(Head::Unborn {
        name: "new".to_owned(),
    });
    // A file that this thread hasn't touched is no news; one that it has, is.
    check(dirty(branch("main", 1), &["z.rs"]), none(), [go; 4]);
    check(dirty(branch("main", 1), &["a.rs"]), none(), [told; 4]);
    check(
        snapshot(branch("main", 2)),
        after(),
        [forward, park, forward, rebuild],
    );
    check(
        snapshot(branch("new", 2)),
        after(),
        [stop, park, forward, rebuild],
    );
    check(
        snapshot(branch("dev", 2)),
        none(),
        [stop, park, forward, rebuild],
    );
    check(
        snapshot(branch("dev", 2)),
        merged,
        [told, park, forward, rebuild],
    );
    check(
        snapshot(branch("main", 3)),
        none(),
        [stop, park, stop, rebuild],
    );
    check(detached, after(), [stop, park, stop, rebuild]);
    check(unborn, none(), [stop, park, stop, rebuild]);
    check(bisecting, none(), [stop, park, stop, rebuild]);
    check(elsewhere, none(), [stop, stop, stop, rebuild]);
}

#[test]
fn a_stop_says_what_can_be_chosen() {
    let mut machine = known();
    let seen = snapshot(branch("main", 3));
    let begun = start(resume("t"), Some(seen), OnDrift::FastForward, 1_000);
    let _ = machine.take(Input::Start(Box::new(begun)));
    let from = machine.facts.len();
    let effects = machine.take(Input::Compared {
        now: at(1_001),
        relation: Box::default(),
    });
    assert_eq!(
        effects[0],
        "stop: go back to where it was, start a fresh run, or choose: --on-drift fork, --on-drift rebuild"
    );
    assert_eq!(
        machine.facts_since(from),
        ["drift met"],
        "and no run is open"
    );
    assert!(machine.supervisor.state().project.open_runs.is_empty());
}

#[test]
fn what_needs_no_comparison_is_launched_at_once() {
    let main = || Some(snapshot(branch("main", 1)));
    for (kind, seen, expect) in [
        (
            RunKind::Fresh,
            Some(snapshot(branch("main", 7))),
            "launch fresh",
        ),
        (RunKind::Fresh, None, "launch fresh"),
        (
            RunKind::Review,
            Some(snapshot(branch("main", 7))),
            "launch review",
        ),
        (resume("t"), main(), "launch resume t"),
        (resume("t"), None, "launch resume t"),
        (
            resume("unknown"),
            Some(snapshot(branch("main", 7))),
            "launch resume unknown",
        ),
    ] {
        let mut machine = known();
        let from = machine.facts.len();
        let begun = start(kind, seen, OnDrift::Stop, 1_000);
        assert_eq!(machine.take(Input::Start(Box::new(begun))), [expect]);
        assert_eq!(machine.facts_since(from), ["run started"]);
    }
    // `exec fork` is the choice itself: it never stops.
    let mut machine = known();
    let kind = RunKind::Fork {
        thread: ThreadId::new("t"),
    };
    let begun = start(
        kind,
        Some(snapshot(branch("main", 3))),
        OnDrift::Stop,
        1_000,
    );
    assert_eq!(machine.take(Input::Start(Box::new(begun))), ["compare"]);
    let effects = machine.take(Input::Compared {
        now: at(1_001),
        relation: Box::default(),
    });
    assert_eq!(brief_form(effects), ["tell go on", "launch fork t"]);
}

#[test]
fn a_new_branch_takes_over_what_was_known_where_it_grew_from() {
    let mut machine = known();
    let mut begun = start(
        RunKind::Fresh,
        Some(snapshot(branch("new", 2))),
        OnDrift::Stop,
        1_000,
    );
    begun.here = here("new", &[1, 2]);
    let effects = machine.take(Input::Start(Box::new(begun)));
    assert_eq!(
        effects,
        ["tell new takes over what was known on main", "launch fresh"]
    );
    let branches = &machine.supervisor.state().project.branches;
    assert_eq!(branches["new"].forked_from.as_deref(), Some("main"));
    assert_eq!(branches["new"].objective, branches["main"].objective);
    assert!(!branches["main"].objective.as_ref().unwrap().is_empty());
}

#[test]
fn a_conversation_is_parked_before_it_goes_on_elsewhere() {
    for copy in [Some(ThreadId::new("copy")), None] {
        let mut machine = known();
        let begun = start(
            resume("t"),
            Some(snapshot(branch("main", 3))),
            OnDrift::Fork,
            1_000,
        );
        let _ = machine.take(Input::Start(Box::new(begun)));
        let parking = machine.take(Input::Compared {
            now: at(1_001),
            relation: Box::default(),
        });
        assert_eq!(parking, ["park t"]);
        let from = machine.facts.len();
        let parked = Input::Parked {
            now: at(1_002),
            copy: copy.clone(),
        };
        let effects = brief_form(machine.take(parked.clone()));
        match &copy {
            Some(_) => {
                assert_eq!(effects, ["tell fork", "launch resume t"]);
                assert_eq!(
                    machine.facts_since(from),
                    ["context set", "drift met", "run started"]
                );
            }
            None => {
                assert_eq!(effects, ["stop"]);
                assert!(machine.facts_since(from).is_empty());
            }
        }
        let context = &machine.supervisor.state().project.branches["main"];
        assert_eq!(context.parked_thread, copy);
        assert!(
            machine.take(parked).is_empty(),
            "nothing waits for it any more"
        );
    }
}

/// Starts a run; its id.
fn begun(machine: &mut Machine, kind: RunKind) -> RunId {
    let begun = start(
        kind,
        Some(snapshot(branch("main", 1))),
        OnDrift::Stop,
        1_000,
    );
    let run = begun.run.clone();
    let _ = machine.take(Input::Start(Box::new(begun)));
    run
}

fn left(run: &RunId, thread: Option<&str>) -> Ended {
    let mut record = turn("n", "turn-n", 1_001);
    record.commits = vec![summary(2, &["a.rs"])];
    Ended {
        thread: thread.map(ThreadId::new),
        commits: record.commits.clone(),
        turns: vec![turn("n", "turn-long-ago", 10), record],
        after: Some(snapshot(branch("main", 2))),
        ..ended(run, 1_010)
    }
}

#[test]
fn what_a_run_left_is_recorded_question_by_question() {
    let mut machine = Machine::new();
    let run = begun(&mut machine, RunKind::Fresh);
    let from = machine.facts.len();
    let effects = machine.take(Input::Ended(Box::new(left(&run, Some("n")))));
    assert_eq!(effects, ["ask backlog-keeper about turn-n"]);
    assert_eq!(
        machine.facts_since(from),
        ["session opened", "turn recorded"]
    );
    let from = machine.facts.len();
    let opinions = |by, opinions| Input::Opinions {
        now: at(1_011),
        by,
        opinions,
    };
    let effects = machine.take(opinions(Actor::BacklogKeeper, Vec::new()));
    assert_eq!(effects, ["ask summariser about turn-n"]);
    let summary = Opinion::Turn {
        turn: orch_protocol::ids::TurnId::new("turn-n"),
        summary: TurnSummary {
            text: "Done.".to_owned(),
            tasks: Vec::new(),
        },
    };
    let effects = machine.take(opinions(Actor::Summariser, vec![summary]));
    assert_eq!(effects, ["ask summariser about the end"]);
    let digest = Digest {
        at: at(1_011),
        goal: "g".to_owned(),
        changes: Vec::new(),
        commits: Vec::new(),
        open_ends: Vec::new(),
        next_actions: Vec::new(),
    };
    let told = Opinion::Session {
        digest,
        journal: "# page".to_owned(),
    };
    let effects = machine.take(opinions(Actor::Summariser, vec![told]));
    assert_eq!(
        effects,
        [
            "tell turn recorded · 1 commit · journal 2027-01-15_main_1",
            "fold"
        ]
    );
    assert_eq!(
        machine.facts_since(from),
        [
            "turn summarised",
            "session digested",
            "context set",
            "checkpoint",
            "run ended"
        ]
    );
    let state = machine.supervisor.state();
    let session = state.sessions.values().next().unwrap();
    assert_eq!(
        session.turns.len(),
        1,
        "what was there before the run isn't its own"
    );
    assert!(session.turns[0].summary.is_some() && session.digest.is_some());
    assert_eq!(
        state.journal["2027-01-15_main_1"].as_deref(),
        Some("# page")
    );
    assert_eq!(state.project.checkpoints[0].trigger, "commit");
    let context = &state.project.branches["main"];
    assert_eq!(context.last_thread, Some(ThreadId::new("n")));
    assert_eq!(context.snapshot, Some(snapshot(branch("main", 2))));
    assert!(state.project.open_runs.is_empty());
    // The end that is told twice (by the process, and by recovery) is recorded once.
    let from = machine.facts.len();
    assert!(
        machine
            .take(Input::Ended(Box::new(left(&run, Some("n")))))
            .is_empty()
    );
    assert!(machine.facts_since(from).is_empty());
}

#[test]
fn a_run_that_left_less_is_closed_all_the_same() {
    let review = Ended {
        turns: Vec::new(),
        commits: Vec::new(),
        ..left(&RunId::new("run-1000"), Some("n"))
    };
    let recovered = Ended {
        recovered: true,
        exit_code: None,
        ..left(&RunId::new("run-1000"), Some("n"))
    };
    let outside = Ended {
        after: None,
        ..left(&RunId::new("run-1000"), None)
    };
    let ephemeral = left(&RunId::new("run-1000"), None);
    for (kind, ended, trigger, turns) in [
        (RunKind::Fresh, ephemeral, Some("commit"), 0),
        (RunKind::Review, review, Some("session-end"), 0),
        (RunKind::Fresh, recovered, Some("recovery"), 1),
        (RunKind::Fresh, outside, None, 0),
    ] {
        let mut machine = Machine::new();
        let run = begun(&mut machine, kind);
        let first = machine.take(Input::Ended(Box::new(Ended { run, ..ended })));
        let last = match turns {
            0 => first,
            _ => machine.answer_all(1_011),
        };
        assert_eq!(last.last().map(String::as_str), Some("fold"));
        let state = machine.supervisor.state();
        assert!(state.project.open_runs.is_empty());
        let seen = state.sessions.values().map(|session| session.turns.len());
        assert_eq!(seen.sum::<usize>(), turns);
        let checkpoint = state.project.checkpoints.last();
        assert_eq!(checkpoint.map(|point| point.trigger.as_str()), trigger);
    }
}

#[test]
fn a_review_turn_of_a_thread_is_recorded_but_no_agent_is_asked_about_it() {
    let mut machine = Machine::new();
    let run = begun(&mut machine, RunKind::Fresh);
    let mut ended = left(&run, Some("n"));
    ended.turns[1].kind = TurnKind::Review;
    let effects = machine.take(Input::Ended(Box::new(ended)));
    assert_eq!(effects, ["ask summariser about the end"]);
}

#[test]
fn a_resumed_thread_goes_on_in_its_session_and_journal() {
    let mut machine = known();
    let begun = start(
        resume("t"),
        Some(snapshot(branch("main", 1))),
        OnDrift::Stop,
        1_000,
    );
    let run = begun.run.clone();
    let _ = machine.take(Input::Start(Box::new(begun)));
    let ended = Ended {
        thread: Some(ThreadId::new("t")),
        turns: vec![turn("t", "turn-again", 1_001)],
        after: Some(snapshot(branch("main", 1))),
        ..ended(&run, 1_010)
    };
    let _ = machine.take(Input::Ended(Box::new(ended)));
    let _ = machine.answer_all(1_011);
    let sessions: Vec<_> = machine.supervisor.state().sessions.values().collect();
    let of_thread: Vec<_> = sessions
        .iter()
        .filter(|session| session.thread.as_str() == "t")
        .collect();
    assert_eq!(of_thread.len(), 1);
    assert_eq!((of_thread[0].turns.len(), of_thread[0].runs.len()), (2, 2));
}
