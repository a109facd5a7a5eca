//! What git was found to have done to claimed commits: recorded once; a revert proposes to open the task again, once.

use orch_core::drift::OnDrift;
use orch_core::judge::status_at;
use orch_core::reverts::Reverted;
use orch_core::supervisor::{Ended, Input};
use orch_protocol::fact::Event;
use orch_protocol::project::RunKind;
use orch_protocol::proposal::{Change, Confidence};
use orch_protocol::task::{Claim, ClaimState, Task, TaskStatus};

use crate::given::*;

fn done(name: &str, n: u64) -> Task {
    let claim = Claim {
        commits: vec![commit(n)],
        ..claim(ClaimState::Done)
    };
    Task {
        claims: vec![claim],
        ..task(name)
    }
}

fn reverted(n: u64, by: u64, taken_back: Option<u64>) -> Reverted {
    Reverted {
        commit: commit(n),
        by: commit(by),
        taken_back: taken_back.map(commit),
    }
}

/// A run that ends on `main`, which reaches `reached`; its facts by name, the run's own apart.
fn run(
    machine: &mut Machine,
    reached: &[u64],
    rewrites: &[(u64, u64)],
    reverts: &[Reverted],
) -> Vec<&'static str> {
    let second = 100 * (1 + machine.facts.len() as i64);
    let begun = start(
        RunKind::Fresh,
        Some(snapshot(branch("main", 1))),
        OnDrift::Stop,
        second,
    );
    let run = begun.run.clone();
    let _ = machine.take(Input::Start(Box::new(begun)));
    let from = machine.facts.len();
    let ended = Ended {
        after: Some(snapshot(branch("main", 1))),
        here: here("main", reached),
        rewrites: rewrites
            .iter()
            .map(|(named, found)| (commit(*named), commit(*found)))
            .collect(),
        reverts: reverts.to_vec(),
        ..ended(&run, second + 1)
    };
    let _ = machine.take(Input::Ended(Box::new(ended)));
    let facts = machine.facts_since(from).into_iter();
    facts
        .filter(|name| !["run ended", "checkpoint"].contains(name))
        .collect()
}

#[test]
fn rewrites_are_recorded_once() {
    let mut machine = Machine::new();
    assert_eq!(run(&mut machine, &[1], &[(2, 3)], &[]), ["rewrites found"]);
    assert!(run(&mut machine, &[1], &[(2, 3)], &[]).is_empty());
    // Only what is new.
    assert_eq!(
        run(&mut machine, &[1], &[(2, 3), (2, 4)], &[]),
        ["rewrites found"]
    );
    let Some(Event::RewritesFound { pairs }) = machine
        .facts
        .iter()
        .rev()
        .map(|fact| fact.event.clone())
        .find(|event| matches!(event, Event::RewritesFound { .. }))
    else {
        panic!("none found");
    };
    assert_eq!(pairs, [(commit(2), commit(4))]);
    let known = &machine.supervisor.state().project.rewrites[&commit(2)];
    assert_eq!(
        known.iter().cloned().collect::<Vec<_>>(),
        [commit(3), commit(4)]
    );
}

#[test]
fn a_revert_proposes_to_open_the_task_again_and_changes_nothing() {
    let mut machine = Machine::from(state_of(&[done("a", 1), done("b", 2), task("c")]));
    let reverts = [reverted(1, 7, None)];
    assert_eq!(run(&mut machine, &[1, 2, 7], &[], &reverts), ["proposed"]);
    assert!(run(&mut machine, &[1, 2, 7], &[], &reverts).is_empty());
    let state = machine.supervisor.state();
    let on_main = here("main", &[1, 2, 7]);
    assert_eq!(
        status_at(&state.tasks[&id("a")], &on_main),
        TaskStatus::Done
    );
    let [proposal] = state.project.proposals.values().collect::<Vec<_>>()[..] else {
        panic!("one proposal");
    };
    assert_eq!(proposal.confidence, Confidence::Medium);
    for named in [commit(1), commit(7)] {
        assert!(
            proposal.reason.contains(named.short()),
            "{}",
            proposal.reason
        );
    }
    // Accepted, it opens the task where the revert is reached, and nowhere else.
    let Change::Claim { task, claim } = &proposal.change else {
        panic!("a claim");
    };
    let mut accepted = state.tasks[task].clone();
    accepted.claims.push(claim.clone());
    assert_eq!(status_at(&accepted, &on_main), TaskStatus::Pending);
    let before = here("release", &[1, 2]);
    assert_eq!(status_at(&accepted, &before), TaskStatus::Done);
}

#[test]
fn without_ground_nothing_is_proposed() {
    let tasks = [done("a", 1), said(task("c"), ClaimState::Active)];
    // The revert was reverted; the task isn't done here; nobody claimed that commit.
    for (reached, reverts) in [
        (&[1, 7, 8][..], reverted(1, 7, Some(8))),
        (&[7][..], reverted(1, 7, None)),
        (&[1, 5, 7][..], reverted(5, 7, None)),
    ] {
        let mut machine = Machine::from(state_of(&tasks));
        assert!(run(&mut machine, reached, &[], &[reverts]).is_empty());
    }
    // What was proposed is withdrawn when the revert is reverted, and proposed again when that is.
    let mut machine = Machine::from(state_of(&tasks));
    assert_eq!(
        run(&mut machine, &[1, 7], &[], &[reverted(1, 7, None)]),
        ["proposed"]
    );
    let back = [reverted(1, 7, Some(8))];
    assert_eq!(
        run(&mut machine, &[1, 7, 8], &[], &back),
        ["proposal settled"]
    );
    assert!(run(&mut machine, &[1, 7, 8], &[], &back).is_empty());
    assert!(machine.supervisor.state().project.proposals.is_empty());
    assert_eq!(
        run(&mut machine, &[1, 7, 8, 9], &[], &[reverted(1, 7, None)]),
        ["proposed"]
    );
}
