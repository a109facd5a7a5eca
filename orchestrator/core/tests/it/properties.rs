//! Properties over arbitrary inputs: the facts alone rebuild the state, the graph stays acyclic, the brief stays bounded.

use orch_core::agent::Opinion;
use orch_core::brief::{BriefLimits, brief};
use orch_core::command::{Asker, NewTask, TaskCommand};
use orch_core::drift::OnDrift;
use orch_core::graph::is_acyclic;
use orch_core::state::State;
use orch_core::supervisor::{Ended, Input};
use orch_protocol::git::{GitSnapshot, Head, HeadRelation};
use orch_protocol::ids::*;
use orch_protocol::project::RunKind;
use orch_protocol::proposal::{Change, Confidence, Proposal, TaskEdit};
use orch_protocol::session::{Digest, TurnSummary};
use orch_protocol::task::*;
use orch_protocol::turn::*;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::given::*;

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-zA-Z <>&\\[\\]\\n\u{1b}äß]{0,30}",
        1 => Just("use sk-aaaaaaaaaaaaaaaaaaaaaaaa now".to_owned()),
        1 => Just("x".repeat(3_000)),
    ]
}

fn a_task() -> impl Strategy<Value = TaskId> {
    select(vec!["a", "b", "c", "d", "e", "f"]).prop_map(id)
}

fn commits() -> impl Strategy<Value = Vec<CommitId>> {
    vec((0..6u64).prop_map(commit), 0..3)
}

fn thread() -> impl Strategy<Value = ThreadId> {
    select(vec!["t", "u", "v"]).prop_map(ThreadId::new)
}

fn head() -> impl Strategy<Value = Head> {
    prop_oneof![
        6 => (select(vec!["main", "dev", "a/b"]), 0..6u64).prop_map(|(name, n)| branch(name, n)),
        1 => (0..6u64).prop_map(|n| Head::Detached { commit: commit(n) }),
        1 => Just(Head::Unborn { name: "main".to_owned() }),
    ]
}

fn look() -> impl Strategy<Value = Option<GitSnapshot>> {
    let files = proptest::sample::subsequence(vec!["a.rs", "b.rs", "c.rs"], 0..3);
    proptest::option::weighted(
        0.9,
        (head(), files).prop_map(|(head, files)| dirty(head, &files)),
    )
}

fn a_state() -> impl Strategy<Value = ClaimState> {
    use ClaimState::{Active, Blocked, Done, Dropped, Pending};
    select(vec![Pending, Active, Blocked, Done, Dropped])
}

fn actor() -> impl Strategy<Value = Actor> {
    select(vec![
        Actor::Person,
        Actor::MainAgent,
        Actor::BacklogKeeper,
        Actor::Summariser,
    ])
}

fn a_claim() -> impl Strategy<Value = Claim> {
    (
        0..9u8,
        a_state(),
        actor(),
        0..99i64,
        commits(),
        proptest::option::of(text()),
    )
        .prop_map(|(n, state, by, second, commits, reason)| Claim {
            id: ClaimId::new(format!("claim-{n}")),
            by,
            at: at(second),
            commits,
            reason,
            ..claim(state)
        })
}

fn evidence() -> impl Strategy<Value = Evidence> {
    use EvidenceKind::{Command, Commit, File, Note, Turn};
    let kind = select(vec![Commit, Command, File, Turn, Note]);
    (kind, text(), any::<Option<bool>>()).prop_map(|(kind, reference, ok)| Evidence {
        kind,
        reference,
        ok,
        tree: None,
        at: at(0),
        session: None,
    })
}

fn edit() -> impl Strategy<Value = TaskEdit> {
    let some = || proptest::option::of(text());
    (some(), some(), any::<Option<u8>>(), some(), some()).prop_map(
        |(title, owner, priority, acceptance, note)| TaskEdit {
            title,
            owner,
            priority,
            acceptance,
            note,
            ..TaskEdit::default()
        },
    )
}

fn whole_task() -> impl Strategy<Value = Task> {
    (
        a_task(),
        text(),
        0..5u8,
        proptest::option::of(a_task()),
        vec(a_task(), 0..4),
    )
        .prop_map(|(id, title, priority, parent, needs)| Task {
            id,
            title,
            priority,
            parent,
            needs,
            ..task("")
        })
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        4 => whole_task().prop_map(|task| Change::AddTask { task: Box::new(task) }),
        4 => (a_task(), a_task()).prop_map(|(task, need)| Change::AddNeed { task, need }),
        1 => (a_task(), a_task()).prop_map(|(task, need)| Change::RemoveNeed { task, need }),
        2 => (a_task(), a_claim()).prop_map(|(task, claim)| Change::Claim { task, claim }),
        1 => (a_task(), 0..9u8, commits()).prop_map(|(task, n, commits)| Change::AnchorClaim {
            task,
            claim: ClaimId::new(format!("claim-{n}")),
            commits,
        }),
        1 => (a_task(), vec(evidence(), 0..4)).prop_map(|(task, evidence)| Change::AddEvidence { task, evidence }),
        1 => (a_task(), text()).prop_map(|(task, alias)| Change::AddAlias { task, alias }),
        1 => (a_task(), edit()).prop_map(|(task, edit)| Change::EditTask { task, edit }),
    ]
}

fn opinion() -> impl Strategy<Value = Opinion> {
    let sure = select(vec![Confidence::Low, Confidence::Medium, Confidence::High]);
    let proposal = (change(), 0..99u8, sure, text()).prop_map(|(change, n, confidence, reason)| {
        Opinion::Change(Box::new(Proposal {
            id: ProposalId::new(format!("proposal-{n}")),
            by: Actor::BacklogKeeper,
            at: at(0),
            change,
            reason,
            confidence,
            evidence: Vec::new(),
        }))
    });
    let summed = (0..5u8, text()).prop_map(|(n, text)| Opinion::Turn {
        turn: TurnId::new(format!("turn-{n}")),
        summary: TurnSummary {
            text,
            tasks: Vec::new(),
        },
    });
    let told = (text(), text()).prop_map(|(goal, journal)| Opinion::Session {
        digest: Digest {
            at: at(0),
            goal,
            changes: Vec::new(),
            commits: Vec::new(),
            open_ends: Vec::new(),
            next_actions: Vec::new(),
        },
        journal,
    });
    prop_oneof![6 => proposal, 1 => summed, 1 => told]
}

fn a_turn() -> impl Strategy<Value = TurnRecord> {
    let status = select(vec![
        TurnStatus::Completed,
        TurnStatus::Failed,
        TurnStatus::Interrupted,
    ]);
    (0..5u8, 0..2_000i64, status, any::<bool>(), text(), text()).prop_map(
        |(n, second, status, review, request, said)| TurnRecord {
            kind: if review {
                TurnKind::Review
            } else {
                TurnKind::User
            },
            status,
            request,
            events: vec![
                TurnEvent::Message {
                    at: None,
                    text: said.clone(),
                },
                TurnEvent::Command {
                    at: Some(at(second)),
                    call_id: "c".to_owned(),
                    command: said,
                    kind: CommandKind::Test,
                    exit_code: Some(0),
                    vouches: !review,
                },
            ],
            ..turn("t", &format!("turn-{n}"), second)
        },
    )
}

fn kind() -> impl Strategy<Value = RunKind> {
    prop_oneof![
        2 => Just(RunKind::Fresh),
        3 => thread().prop_map(|thread| RunKind::Resume { thread }),
        1 => thread().prop_map(|thread| RunKind::Fork { thread }),
        1 => Just(RunKind::Review),
        3 => thread().prop_map(|thread| RunKind::Turn { thread }),
    ]
}

fn command() -> impl Strategy<Value = TaskCommand> {
    prop_oneof![
        5 => one_command(),
        1 => vec(one_command(), 0..5).prop_map(TaskCommand::All),
    ]
}

fn one_command() -> impl Strategy<Value = TaskCommand> {
    let named = || a_task().prop_map(|id| id.to_string());
    let new =
        (text(), any::<Option<u8>>(), vec(named(), 0..3)).prop_map(|(title, priority, needs)| {
            TaskCommand::Add(NewTask {
                title,
                priority,
                needs,
                ..NewTask::default()
            })
        });
    prop_oneof![
        new,
        (named(), edit()).prop_map(|(task, edit)| TaskCommand::Edit { task, edit }),
        (named(), a_state(), proptest::option::of(text()), commits()).prop_map(
            |(task, state, reason, commits)| TaskCommand::Claim {
                task,
                state,
                reason,
                commits
            }
        ),
        (named(), named()).prop_map(|(task, need)| TaskCommand::Need { task, need }),
        (named(), named()).prop_map(|(task, need)| TaskCommand::Unneed { task, need }),
        (text(), proptest::option::of(text())).prop_map(|(name, text)| {
            TaskCommand::Milestone {
                name,
                text,
                due: None,
            }
        }),
        text().prop_map(|name| TaskCommand::RemoveMilestone { name }),
    ]
}

/// An input; `n` is its place, which makes times and runs.
#[derive(Debug, Clone)]
enum Given {
    Start(RunKind, Option<GitSnapshot>, OnDrift),
    Compared(bool, bool),
    Parked(Option<ThreadId>),
    Ended(
        usize,
        Option<ThreadId>,
        Vec<TurnRecord>,
        Option<GitSnapshot>,
        bool,
    ),
    Opinions(Actor, Vec<Opinion>),
    Command(TaskCommand),
}

fn given() -> impl Strategy<Value = Given> {
    let policy = select(vec![
        OnDrift::Stop,
        OnDrift::Fork,
        OnDrift::FastForward,
        OnDrift::Rebuild,
    ]);
    let left = (
        0..3usize,
        proptest::option::of(thread()),
        vec(a_turn(), 0..3),
        look(),
        any::<bool>(),
    );
    prop_oneof![
        3 => (kind(), look(), policy).prop_map(|(kind, seen, policy)| Given::Start(kind, seen, policy)),
        2 => any::<(bool, bool)>().prop_map(|(a, b)| Given::Compared(a, b)),
        1 => proptest::option::of(thread()).prop_map(Given::Parked),
        3 => left.prop_map(|(back, thread, turns, after, recovered)| Given::Ended(back, thread, turns, after, recovered)),
        4 => (actor(), vec(opinion(), 0..4)).prop_map(|(by, opinions)| Given::Opinions(by, opinions)),
        3 => command().prop_map(Given::Command),
    ]
}

fn feed(machine: &mut Machine, n: usize, given: Given) {
    let now = at(n as i64 * 10);
    let input = match given {
        Given::Start(kind, seen, policy) => {
            Input::Start(Box::new(start(kind, seen, policy, n as i64 * 10)))
        }
        Given::Compared(expected_in_seen, expected_branch_merged) => Input::Compared {
            now,
            relation: Box::new(HeadRelation {
                expected_in_seen,
                expected_branch_merged,
                ..HeadRelation::default()
            }),
        },
        Given::Parked(copy) => Input::Parked { now, copy },
        Given::Ended(back, thread, turns, after, recovered) => {
            let open = &machine.supervisor.state().project.open_runs;
            let run = open.keys().nth(back % open.len().max(1)).cloned();
            Input::Ended(Box::new(Ended {
                thread,
                turns,
                after,
                recovered,
                ..ended(&run.unwrap_or_else(|| RunId::new("none")), n as i64 * 10)
            }))
        }
        Given::Opinions(by, opinions) => Input::Opinions { now, by, opinions },
        Given::Command(command) => Input::Command {
            asker: Box::new(Asker {
                by: Actor::Person,
                origin: Origin::Person { branch: None },
                branch: Some("main".to_owned()),
                worktree: None,
                head: None,
                now,
                nonce: machine.supervisor.nonce(),
            }),
            command: Box::new(command),
        },
    };
    // That the facts so far rebuild the state is asserted at every step.
    let _ = machine.take(input);
}

/// A state that arbitrary changes have led to.
fn grown(changes: Vec<Change>) -> State {
    let mut state = State::default();
    for (n, change) in changes.into_iter().enumerate() {
        // Two processes, one after the other.
        let log = if n % 2 == 0 { "1" } else { "2" };
        state.apply(&changed(log, n as u64 + 1, change));
    }
    state
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn facts_alone_rebuild_the_state(inputs in vec(given(), 1..20)) {
        let mut machine = Machine::new();
        for (n, given) in inputs.into_iter().enumerate() {
            feed(&mut machine, n, given);
            prop_assert!(is_acyclic(&machine.supervisor.state().tasks));
        }
        let written = serde_json::to_string(&machine.facts).unwrap();
        prop_assert!(!written.contains("sk-aaaa"), "a secret was recorded");
    }

    #[test]
    fn no_change_closes_a_cycle(changes in vec(change(), 0..60)) {
        let state = grown(changes.clone());
        prop_assert!(is_acyclic(&state.tasks));
        prop_assert!(state.tasks.values().all(|task| task.needs.is_sorted()));
        prop_assert_eq!(state, grown(changes));
    }

    #[test]
    fn a_brief_keeps_its_limit(
        changes in vec(change(), 0..60),
        notes in vec(text(), 0..4),
        chars in 0..30_000usize,
        tasks in 0..20usize,
    ) {
        let state = grown(changes);
        let limits = BriefLimits { chars, tasks };
        let brief = brief(&state, &here("main", &[1]), Some(&RunId::new("run-x")), &notes, limits);
        prop_assert!(brief.text.chars().count() <= chars.clamp(BriefLimits::MIN, BriefLimits::MAX));
        prop_assert!(brief.text.contains("(run-x)"));
        prop_assert!(brief.pieces().iter().all(|piece| piece.chars().count() <= 3_600));
        // What an open thread is told is the same from turn to turn, and arrives whole.
        let open = |notes| orch_core::brief::brief(&state, &here("main", &[1]), None, notes, limits);
        prop_assert_eq!(open(&notes).text, open(&[]).text);
        let arrives = |(key, value): &(String, String)| {
            value.chars().count() <= 3_500 && !value.contains('<') && key.starts_with("codex_orch_")
        };
        prop_assert!(open(&notes).fragments().iter().all(arrives));
        let is_named = |task: &TaskId| brief.text.contains(&format!("[{task}]"));
        prop_assert!(brief.tasks.iter().all(is_named));
    }
}
