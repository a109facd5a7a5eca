//! An open thread between its turns: what a client of the interposer sends, and what the user does meanwhile.

use orch_core::drift::OnDrift;
use orch_core::supervisor::{Ended, Input};
use orch_protocol::git::{GitSnapshot, Head};
use orch_protocol::ids::{ProposalId, ThreadId, TurnId};
use orch_protocol::project::RunKind;
use orch_protocol::proposal::Change;
use orch_protocol::session::TurnSummary;
use orch_protocol::task::{Actor, ClaimState};

use crate::given::*;

fn turn_of(thread: &str) -> RunKind {
    RunKind::Turn {
        thread: ThreadId::new(thread),
    }
}

/// One turn of thread `t` on main was recorded.
fn known() -> Machine {
    let mut machine = Machine::new();
    let main = snapshot(branch("main", 1));
    machine.ran("t", &main, &main);
    machine
}

/// A turn is asked for while git is as `seen`; the last effects.
fn asked(machine: &mut Machine, seen: GitSnapshot, second: i64) -> Vec<String> {
    let begun = start(turn_of("t"), Some(seen), OnDrift::Stop, second);
    let effects = machine.take(Input::Start(Box::new(begun)));
    if effects != ["compare"] {
        return effects;
    }
    machine.take(Input::Compared {
        now: at(second + 1),
        relation: Box::default(),
    })
}

fn chosen(machine: &mut Machine, choice: OnDrift, head: Head) {
    let effects = machine.take(Input::Chosen {
        now: at(900),
        thread: ThreadId::new("t"),
        choice,
        head,
    });
    assert_eq!(effects, ["fold"]);
}

#[test]
fn a_turn_that_fits_goes_and_one_that_doesnt_says_how_to_go_on() {
    let mut machine = known();
    assert_eq!(
        asked(&mut machine, snapshot(branch("main", 1)), 1_000),
        ["turn of t"]
    );
    let mut machine = known();
    let effects = asked(&mut machine, snapshot(branch("dev", 2)), 1_000);
    assert_eq!(
        effects[0],
        "stop: go back to where it was, begin a new conversation with /new, or choose: \
         codex-orch drift resolve fork, codex-orch drift resolve fast-forward"
    );
    assert!(machine.supervisor.state().project.open_runs.is_empty());
}

#[test]
fn a_choice_counts_once_and_only_where_it_was_made() {
    let dev = || snapshot(branch("dev", 2));
    let mut machine = known();
    chosen(&mut machine, OnDrift::FastForward, branch("dev", 2));
    assert_eq!(
        asked(&mut machine, dev(), 1_000).last().unwrap(),
        "turn of t"
    );
    assert!(machine.supervisor.state().project.drift_choices.is_empty());

    // HEAD has moved since: nothing was decided about that.
    let mut machine = known();
    chosen(&mut machine, OnDrift::FastForward, branch("dev", 9));
    assert!(asked(&mut machine, dev(), 1_000)[0].starts_with("stop"));
    assert!(
        asked(&mut machine, dev(), 1_100)[0].starts_with("stop"),
        "it was used up"
    );

    let mut machine = known();
    chosen(&mut machine, OnDrift::Fork, branch("dev", 2));
    assert_eq!(asked(&mut machine, dev(), 1_000), ["park t"]);
    let effects = machine.take(Input::Parked {
        now: at(1_002),
        copy: Some(ThreadId::new("copy")),
    });
    assert_eq!(effects.last().unwrap(), "turn of t");

    // The client alone can open another thread.
    let mut machine = known();
    chosen(&mut machine, OnDrift::Rebuild, branch("dev", 2));
    assert!(asked(&mut machine, dev(), 1_000)[0].starts_with("stop: go back"));
}

#[test]
fn what_the_users_own_command_moved_is_expected() {
    let (main, ahead) = (snapshot(branch("main", 1)), snapshot(branch("dev", 2)));
    let moved = |machine: &mut Machine, from: &GitSnapshot| {
        machine.take(Input::Moved {
            now: at(900),
            thread: ThreadId::new("t"),
            moved: Box::new((from.clone(), ahead.clone())),
        })
    };
    let mut machine = known();
    assert_eq!(moved(&mut machine, &main), ["fold"]);
    assert_eq!(asked(&mut machine, ahead.clone(), 1_000), ["turn of t"]);

    // It had drifted before that command: that is still to be decided.
    let mut machine = known();
    assert!(moved(&mut machine, &snapshot(branch("other", 3))).is_empty());
    assert!(asked(&mut machine, ahead.clone(), 1_000)[0].starts_with("stop"));
}

#[test]
fn what_a_turn_finished_is_proposed_for_reopening_when_it_is_taken_back() {
    let done = said(task("done"), ClaimState::Done);
    let by_agent = {
        let mut task = done.clone();
        task.claims[0].by = Actor::BacklogKeeper;
        task
    };
    let by_person = {
        let mut task = said(task("person's"), ClaimState::Done);
        task.claims[0].by = Actor::Person;
        task
    };
    let mut machine = Machine::from(state_of(&[by_agent.clone(), by_person.clone()]));
    let main = snapshot(branch("main", 1));
    let begun = start(turn_of("t"), Some(main.clone()), OnDrift::Stop, 100);
    let run = begun.run.clone();
    let _ = machine.take(Input::Start(Box::new(begun)));
    let ended = Ended {
        thread: Some(ThreadId::new("t")),
        turns: vec![turn("t", "turn-1", 101)],
        after: Some(main),
        ..ended(&run, 110)
    };
    let _ = machine.take(Input::Ended(Box::new(ended)));
    let summary = TurnSummary {
        text: "did it".to_owned(),
        tasks: vec![by_agent.id.clone(), by_person.id.clone()],
    };
    let _ = machine.take(Input::Opinions {
        now: at(111),
        by: Actor::Summariser,
        opinions: vec![orch_core::agent::Opinion::Turn {
            turn: TurnId::new("turn-1"),
            summary,
        }],
    });
    machine.answer_all(112);
    let from = machine.facts.len();
    let taken_back = || Input::Reverted {
        now: at(200),
        thread: ThreadId::new("t"),
        turns: vec![TurnId::new("turn-1"), TurnId::new("never recorded")],
    };
    assert_eq!(machine.take(taken_back()), ["fold"]);
    assert_eq!(machine.facts_since(from), ["turn reverted", "proposed"]);
    let state = machine.supervisor.state();
    let proposals: Vec<&ProposalId> = state.project.proposals.keys().collect();
    assert_eq!(proposals.len(), 1);
    let proposal = &state.project.proposals[proposals[0]];
    assert!(matches!(&proposal.change, Change::Claim { task, claim }
        if *task == by_agent.id && claim.state == ClaimState::Pending));
    assert!(machine.take(taken_back()).is_empty(), "once");
}

#[test]
fn a_quiet_turn_is_no_checkpoint() {
    let mut machine = known();
    let before = machine.supervisor.state().project.checkpoints.len();
    let main = snapshot(branch("main", 1));
    let begun = start(turn_of("t"), Some(main.clone()), OnDrift::Stop, 1_000);
    let run = begun.run.clone();
    let _ = machine.take(Input::Start(Box::new(begun)));
    let ended = Ended {
        thread: Some(ThreadId::new("t")),
        turns: vec![turn("t", "turn-2", 1_001)],
        after: Some(main),
        ..ended(&run, 1_010)
    };
    let _ = machine.take(Input::Ended(Box::new(ended)));
    machine.answer_all(1_011);
    assert_eq!(machine.supervisor.state().project.checkpoints.len(), before);
    assert!(machine.supervisor.state().project.open_runs.is_empty());
}
