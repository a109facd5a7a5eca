//! The loop over fakes: facts before effects, recovery, drift, and what happens when a port fails.

use std::collections::VecDeque;

use orch_agents::all;
use orch_core::agent::Agent;
use orch_core::brief::BriefLimits;
use orch_core::drift::OnDrift;
use orch_core::reverts::Reverted;
use orch_protocol::fact::Event;
use orch_protocol::git::{GitSnapshot, Head, HeadRelation};
use orch_protocol::ids::{ClaimId, CommitId, LogId, RunId, ThreadId, TurnId};
use orch_protocol::project::RunKind;
use orch_protocol::task::{Actor, Claim, ClaimState};
use orch_protocol::turn::{
    PlanStep, StepStatus, TokenUsage, TurnEvent, TurnKind, TurnRecord, TurnStatus,
};
use orch_runtime::driver::{Begun, Driver, DriverError, Outcome, Request};
use orch_runtime::memory::{FakeClock, FakeGit, MemStore, ScriptedEngine};
use orch_runtime::ports::{Ran, StateStore, Wanted};

use crate::make::at;

fn look(branch: &str, commit: &str) -> GitSnapshot {
    GitSnapshot {
        common_dir: "/r/.git".into(),
        worktree: "/r".into(),
        head: Head::Branch {
            name: branch.into(),
            commit: CommitId::new(commit),
        },
        operation: None,
        dirty: Vec::new(),
        dirty_truncated: false,
    }
}

fn turn(id: &str, step: StepStatus) -> TurnRecord {
    TurnRecord {
        thread: ThreadId::new("thread-1"),
        turn: TurnId::new(id),
        kind: TurnKind::User,
        status: TurnStatus::Completed,
        started_at: None,
        ended_at: None,
        request: "Write the parser".into(),
        cwd: Some("/r".into()),
        model: None,
        events: vec![TurnEvent::Plan {
            at: Some(at(10)),
            explanation: None,
            steps: vec![PlanStep {
                step: "Write the parser".into(),
                status: step,
            }],
        }],
        events_dropped: 0,
        usage: TokenUsage::default(),
        commits: Vec::new(),
    }
}

fn ran(turns: Vec<TurnRecord>) -> Ran {
    Ran {
        exit_code: Some(0),
        thread: Some(ThreadId::new("thread-1")),
        turns,
        ..Ran::default()
    }
}

struct Stand {
    store: MemStore,
    git: FakeGit,
    engine: ScriptedEngine,
    told: Vec<String>,
}

impl Stand {
    fn new(runs: Vec<Ran>) -> Self {
        let git = FakeGit {
            looks: VecDeque::from([look("main", "c0")]).into(),
            ..FakeGit::default()
        };
        let engine = ScriptedEngine {
            runs: runs.into(),
            ..ScriptedEngine::default()
        };
        Self {
            store: MemStore::new(LogId::new("l")),
            git,
            engine,
            told: Vec::new(),
        }
    }

    async fn run(
        &mut self,
        n: u32,
        kind: RunKind,
        on_drift: OnDrift,
    ) -> Result<Outcome, DriverError> {
        let (agents, clock) = (all(), FakeClock::new(at(i64::from(n) * 1_000)));
        let tell = &mut |line: &str| self.told.push(line.to_owned());
        let mut driver = Driver {
            store: &mut self.store,
            git: &self.git,
            engine: &mut self.engine,
            agents: &agents,
            clock: &clock,
            limits: BriefLimits::default(),
            tell,
        };
        let run = RunId::new(format!("run-{n}"));
        driver
            .run(Request {
                run,
                kind,
                cwd: "/r".into(),
                codex_home: "/h".into(),
                on_drift,
                outlives: false,
            })
            .await
    }

    fn resume() -> RunKind {
        RunKind::Resume {
            thread: ThreadId::new("thread-1"),
        }
    }
}

#[tokio::test]
async fn the_second_run_is_told_what_the_first_left() {
    let mut stand = Stand::new(vec![
        ran(vec![turn("t1", StepStatus::InProgress)]),
        ran(Vec::new()),
    ]);
    stand.run(1, RunKind::Fresh, OnDrift::Stop).await.unwrap();
    let outcome = stand.run(2, RunKind::Fresh, OnDrift::Stop).await.unwrap();
    assert!(matches!(
        outcome,
        Outcome::Ran {
            exit_code: Some(0),
            unrecorded: None,
            ..
        }
    ));
    let brief = &stand.engine.launched[1].brief;
    assert!(
        brief.text.contains("Active tasks:") && brief.text.contains("] Write the parser"),
        "{}",
        brief.text
    );
    assert!(
        brief.text.contains("run-2"),
        "the rollout of this run is found by it"
    );
    assert!(stand.store.state.project.open_runs.is_empty());
}

#[tokio::test]
async fn a_run_is_durable_before_it_starts() {
    let mut stand = Stand::new(Vec::new());
    let failed = stand.run(1, RunKind::Fresh, OnDrift::Stop).await;
    assert!(matches!(failed, Err(DriverError::Engine(_))));
    let events: Vec<&Event> = stand.store.facts.iter().map(|fact| &fact.event).collect();
    assert!(matches!(events[0], Event::RunStarted { .. }));
    assert!(
        matches!(events.last().unwrap(), Event::RunEnded { .. }),
        "nothing ran, so nothing is left to recover"
    );
}

#[tokio::test]
async fn a_dead_run_is_recovered_once_from_its_rollout() {
    let mut stand = Stand::new(vec![ran(vec![turn("t1", StepStatus::InProgress)])]);
    stand.run(1, RunKind::Fresh, OnDrift::Stop).await.unwrap();
    // As if the process had died after its start became durable.
    let started = stand.store.facts[0].clone();
    let mut state = orch_core::state::State::default();
    state.apply(&started);
    let mut next = Stand::new(vec![ran(Vec::new())]);
    next.store = MemStore::new(LogId::new("next"));
    next.store.state = state;
    // Meanwhile somebody has left the branch: what the thread expects is where its run was, not where HEAD is now.
    next.git.looks = VecDeque::from([look("elsewhere", "c9")]).into();
    let mut cut = turn("t1", StepStatus::InProgress);
    cut.status = TurnStatus::Interrupted;
    next.engine.found = Ran {
        exit_code: None,
        ..ran(vec![cut])
    };
    next.run(2, RunKind::Fresh, OnDrift::Stop).await.unwrap();
    let sessions = &next.store.load(&Wanted::default()).await.unwrap().sessions;
    let turns: Vec<TurnStatus> = sessions
        .values()
        .flat_map(|s| &s.turns)
        .map(|t| t.record.status)
        .collect();
    assert_eq!(turns, [TurnStatus::Interrupted]);
    let expected = sessions.values().next().unwrap().snapshot.as_ref().unwrap();
    assert_eq!(expected.head, look("main", "c0").head);
    let ended = next
        .store
        .facts
        .iter()
        .filter(|fact| matches!(fact.event, Event::RunEnded { .. }))
        .count();
    assert_eq!(ended, 2, "the dead run and this one");
    assert!(
        next.store
            .state
            .project
            .checkpoints
            .iter()
            .any(|checkpoint| checkpoint.trigger == "recovery")
    );
}

#[tokio::test]
async fn a_resume_on_another_branch_stops_unless_it_was_told_what_to_do() {
    for (policy, expect) in [
        (OnDrift::Stop, None),
        (OnDrift::FastForward, Some(Stand::resume())),
        (OnDrift::Fork, Some(Stand::resume())),
        (OnDrift::Rebuild, Some(RunKind::Fresh)),
    ] {
        let mut stand = Stand::new(vec![
            ran(vec![turn("t1", StepStatus::InProgress)]),
            ran(Vec::new()),
        ]);
        stand.run(1, RunKind::Fresh, OnDrift::Stop).await.unwrap();
        stand.git.looks = VecDeque::from([look("feature", "c1")]).into();
        stand.git.relation = HeadRelation {
            expected_in_seen: true,
            incoming_total: 1,
            ..HeadRelation::default()
        };
        let outcome = stand.run(2, Stand::resume(), policy).await.unwrap();
        match expect {
            None => {
                let Outcome::Stopped { what, hint } = outcome else {
                    panic!("{policy:?} should stop")
                };
                assert!(
                    what.contains("main at c0") && what.contains("feature at c1"),
                    "{what}"
                );
                assert!(hint.contains("--on-drift fork"), "{hint}");
                assert_eq!(stand.engine.launched.len(), 1, "nothing was sent");
            }
            Some(kind) => {
                assert_eq!(stand.engine.launched[1].kind, kind, "{policy:?}");
                assert_eq!(
                    stand.engine.parked.len(),
                    usize::from(policy == OnDrift::Fork)
                );
            }
        }
        let met = &stand.store.state.project.drift;
        assert_eq!((met.len(), met[0].choice.as_str()), (1, policy.name()));
    }
}

fn turn_of_thread(n: u32, outlives: bool) -> Request {
    Request {
        run: RunId::new(format!("run-{n}")),
        kind: RunKind::Turn {
            thread: ThreadId::new("thread-1"),
        },
        cwd: "/r".into(),
        codex_home: "/h".into(),
        on_drift: OnDrift::Stop,
        outlives,
    }
}

fn driver<'a>(
    stand: &'a mut Stand,
    agents: &'a [Box<dyn Agent>],
    clock: &'a FakeClock,
    tell: &'a mut dyn FnMut(&str),
) -> Driver<'a> {
    Driver {
        store: &mut stand.store,
        git: &stand.git,
        engine: &mut stand.engine,
        agents,
        clock,
        limits: BriefLimits::default(),
        tell,
    }
}

#[tokio::test]
async fn a_turn_somebody_else_sends_is_open_until_it_is_finished() {
    let mut stand = Stand::new(Vec::new());
    let (agents, clock, mut quiet) = (all(), FakeClock::new(at(1_000)), |_: &str| {});
    let mut driver = driver(&mut stand, &agents, &clock, &mut quiet);
    let begun = driver.begin(turn_of_thread(1, false)).await.unwrap();
    let Begun::Going { brief } = begun else {
        panic!("{begun:?}")
    };
    let keys: Vec<String> = brief.fragments().into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, ["codex_orch_brief_1"]);
    let state = driver.store.load(&Wanted::default()).await.unwrap();
    assert_eq!(
        state.project.open_runs.len(),
        1,
        "durable before it is sent"
    );
    let left = ran(vec![turn("t1", StepStatus::InProgress)]);
    driver.finish(&RunId::new("run-1"), left).await.unwrap();
    let state = driver.store.load(&Wanted::default()).await.unwrap();
    assert!(state.project.open_runs.is_empty());
    assert_eq!(state.sessions.len(), 1);

    // HEAD has moved to a branch that knows nothing of it: nothing is sent, and no run is open.
    let moved = FakeGit {
        looks: VecDeque::from([look("dev", "c9")]).into(),
        ..FakeGit::default()
    };
    driver.git = &moved;
    let begun = driver.begin(turn_of_thread(2, false)).await.unwrap();
    assert!(matches!(begun, Begun::Stopped { .. }), "{begun:?}");
    let state = driver.store.load(&Wanted::default()).await.unwrap();
    assert!(state.project.open_runs.is_empty());
}

#[tokio::test]
async fn a_turn_that_may_still_run_in_a_daemon_is_left_alone_until_it_is_quiet() {
    let check = async |outlives: bool, heard: i64, has_ended: bool, left: usize| {
        let mut stand = Stand::new(Vec::new());
        let (agents, clock, mut quiet) = (all(), FakeClock::new(at(10_000)), |_: &str| {});
        let mut driver = driver(&mut stand, &agents, &clock, &mut quiet);
        let _ = driver.begin(turn_of_thread(1, outlives)).await.unwrap();
        let state = driver.store.load(&Wanted::default()).await.unwrap();
        let mut next = Stand::new(vec![ran(Vec::new())]);
        next.store = MemStore::new(LogId::new("next"));
        next.store.state = state;
        let mut turn = turn("t1", StepStatus::InProgress);
        turn.ended_at = has_ended.then(|| at(9_000));
        next.engine.found = Ran {
            last_seen: Some(at(heard)),
            ..ran(vec![turn])
        };
        next.run(10, RunKind::Fresh, OnDrift::Stop).await.unwrap();
        let open = next.store.state.project.open_runs.len();
        assert_eq!(open, left, "{outlives} {heard} {has_ended}");
    };
    check(true, 9_990, false, 1).await;
    check(true, 9_990, true, 0).await;
    check(true, 9_000, false, 0).await;
    check(false, 9_990, false, 0).await;
}

#[tokio::test]
async fn what_git_did_to_claimed_commits_is_recorded_with_the_run() {
    let mut stand = Stand::new(vec![ran(Vec::new()), ran(Vec::new())]);
    let mut claimed = crate::make::task("a");
    let claim = Claim {
        id: ClaimId::new("c"),
        state: ClaimState::Done,
        by: Actor::Person,
        at: at(1),
        branch: None,
        worktree: None,
        commits: vec![CommitId::new("c1")],
        files: Vec::new(),
        reason: None,
    };
    claimed.claims.push(claim);
    let state = &mut stand.store.state;
    state.tasks.insert(claimed.id.clone(), claimed);
    let pair = (CommitId::new("c1"), CommitId::new("k1"));
    stand.git.rewrites = vec![pair.clone()];
    stand.git.reverts = vec![Reverted {
        commit: pair.0.clone(),
        by: CommitId::new("r1"),
        taken_back: None,
    }];
    for n in 1..=2 {
        let run = stand.run(n, RunKind::Fresh, OnDrift::Stop).await;
        assert!(matches!(
            run,
            Ok(Outcome::Ran {
                unrecorded: None,
                ..
            })
        ));
    }
    let events: Vec<&Event> = stand.store.facts.iter().map(|fact| &fact.event).collect();
    let found = |event: &&&Event| matches!(event, Event::RewritesFound { pairs } if *pairs == [pair.clone()]);
    let proposed = |event: &&&Event| matches!(event, Event::Proposed { .. });
    // Seen at the end of both runs, recorded at the end of the first.
    assert_eq!(events.iter().filter(found).count(), 1);
    assert_eq!(events.iter().filter(proposed).count(), 1);
}
