//! Properties over arbitrary inputs: the facts alone rebuild the state, the graph stays acyclic, the brief stays bounded.

use orch_core::agent::Opinion;
use orch_core::brief::{BriefLimits, brief};
use orch_core::command::{Asker, NewTask, TaskCommand};
use orch_core::contexts::Branches;
use orch_core::drift::OnDrift;
use orch_core::graph::is_acyclic;
use orch_core::run::Start;
use orch_core::state::State;
use orch_core::supervisor::{Ended, Input};
use orch_protocol::fact::{Event, Fact};
use orch_protocol::git::{GitSnapshot, Head, HeadRelation};
use orch_protocol::ids::*;
use orch_protocol::project::*;
use orch_protocol::proposal::{Change, Confidence, Proposal, TaskEdit};
use orch_protocol::session::{Digest, TurnSummary};
use orch_protocol::task::*;
use orch_protocol::turn::*;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::given::*;

pub(crate) fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-zA-Z <>&\\[\\]\\n\u{1b}äß]{0,30}",
        1 => Just("use sk-aaaaaaaaaaaaaaaaaaaaaaaa now".to_owned()),
        1 => Just("x".repeat(3_000)),
    ]
}

pub(crate) fn a_task() -> impl Strategy<Value = TaskId> {
    select(vec!["a", "b", "c", "d", "e", "f"]).prop_map(id)
}

pub(crate) fn commits() -> impl Strategy<Value = Vec<CommitId>> {
    vec((0..6u64).prop_map(commit), 0..3)
}

pub(crate) fn thread() -> impl Strategy<Value = ThreadId> {
    select(vec!["t", "u", "v"]).prop_map(ThreadId::new)
}

pub(crate) fn head() -> impl Strategy<Value = Head> {
    prop_oneof![
        6 => (select(vec!["main", "dev", "a/b"]), 0..6u64).prop_map(|(name, n)| branch(name, n)),
        1 => (0..6u64).prop_map(|n| Head::Detached { commit: commit(n) }),
        1 => Just(Head::Unborn { name: "main".to_owned() }),
    ]
}

pub(crate) fn look() -> impl Strategy<Value = Option<GitSnapshot>> {
    let files = proptest::sample::subsequence(vec!["a.rs", "b.rs", "c.rs"], 0..3);
    option::weighted(
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

pub(crate) fn a_claim() -> impl Strategy<Value = Claim> {
    (
        0..9u8,
        a_state(),
        actor(),
        0..99i64,
        commits(),
        option::of(text()),
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

pub(crate) fn evidence() -> impl Strategy<Value = Evidence> {
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
    let some = || option::of(text());
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

pub(crate) fn whole_task() -> impl Strategy<Value = Task> {
    (
        a_task(),
        text(),
        0..5u8,
        option::of(a_task()),
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

pub(crate) fn change() -> impl Strategy<Value = Change> {
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
        2 => (a_task(), any::<bool>()).prop_map(|(task, archived)| Change::Archive { task, archived }),
        2 => (option::of(whole_task()), option::of(whole_task()), a_task()).prop_map(|(base, theirs, task)| {
            let version = |side: Option<Task>| side.map(|side| Box::new(Task { id: task.clone(), ..side }));
            Change::MergeTask { base: version(base), theirs: version(theirs), task: task.clone() }
        }),
    ]
}

fn context() -> impl Strategy<Value = BranchContext> {
    (
        option::of(text()),
        option::of(thread()),
        look(),
        option::of(thread()),
    )
        .prop_map(
            |(objective, last_thread, snapshot, parked_thread)| BranchContext {
                objective,
                last_thread,
                snapshot,
                parked_thread,
                ..BranchContext::default()
            },
        )
}

/// Some of what is no task.
fn some_project() -> impl Strategy<Value = Box<Project>> {
    let name = || select(vec!["main", "dev"]).prop_map(str::to_owned);
    let pair = || ((0..6u64).prop_map(commit), (0..6u64).prop_map(commit));
    (vec((name(), context()), 0..2), vec((pair(), text()), 0..3))
        .prop_map(|(branches, history)| Project {
            branches: branches.into_iter().collect(),
            rewrites: history
                .iter()
                .map(|((named, found), _)| (named.clone(), [found.clone()].into()))
                .collect(),
            drift: history
                .into_iter()
                .zip(0..)
                .map(|((_, text), second)| DriftEntry {
                    at: at(second),
                    thread: None,
                    kind: "advanced".to_owned(),
                    from: None,
                    to: None,
                    choice: String::new(),
                    text,
                })
                .collect(),
            ..Project::default()
        })
        .prop_map(Box::new)
}

/// A fact of the backlog or of what is no task.
pub(crate) fn event() -> impl Strategy<Value = Event> {
    let name = || select(vec!["main", "dev", "a/b"]).prop_map(str::to_owned);
    let milestone = option::of(option::of(text()).prop_map(|text| Milestone { text, due: None }));
    let pair = || ((0..6u64).prop_map(commit), (0..6u64).prop_map(commit));
    let checkpoint = (0..9i64, head(), text()).prop_map(|(second, head, text)| Checkpoint {
        at: at(second),
        head,
        trigger: "commit".to_owned(),
        text,
        session: None,
    });
    let proposal = (change(), 0..4u8, text()).prop_map(|(change, n, reason)| Proposal {
        id: ProposalId::new(format!("proposal-{n}")),
        by: Actor::BacklogKeeper,
        at: at(0),
        change,
        reason,
        confidence: Confidence::Low,
        evidence: Vec::new(),
    });
    let choice = option::of((0..9i64, head()).prop_map(|(second, head)| DriftChoice {
        at: at(second),
        choice: "fork".to_owned(),
        head,
    }));
    let run = (0..4u8).prop_map(|n| OpenRun {
        run: RunId::new(format!("run-{n}")),
        at: at(0),
        kind: RunKind::Fresh,
        cwd: String::new(),
        codex_home: String::new(),
        snapshot: None,
        log: LogId::new("1"),
        brief_tasks: Vec::new(),
        outlives: false,
    });
    prop_oneof![
        12 => change().prop_map(|change| Event::Changed { change, reason: "by command".to_owned() }),
        1 => proposal.prop_map(|proposal| Event::Proposed { proposal: Box::new(proposal) }),
        1 => (0..4u8).prop_map(|n| Event::ProposalSettled {
            proposal: ProposalId::new(format!("proposal-{n}")),
            accepted: true,
        }),
        1 => (name(), context()).prop_map(|(branch, context)| Event::ContextSet { branch, context: Box::new(context) }),
        1 => (name(), name()).prop_map(|(from, to)| Event::ContextMoved { from, to }),
        1 => name().prop_map(|branch| Event::ContextArchived { branch }),
        1 => name().prop_map(|branch| Event::ContextRestored { branch }),
        1 => checkpoint.prop_map(|checkpoint| Event::CheckpointReached { checkpoint }),
        1 => (thread(), choice).prop_map(|(thread, choice)| Event::DriftChosen { thread, choice }),
        1 => run.prop_map(|run| Event::RunStarted { run }),
        1 => (0..4u8).prop_map(|n| Event::RunEnded { run: RunId::new(format!("run-{n}")), exit_code: None }),
        1 => (name(), milestone).prop_map(|(name, milestone)| Event::MilestoneSet { name, milestone }),
        1 => vec(pair(), 0..3).prop_map(|pairs| Event::RewritesFound { pairs }),
        1 => (some_project(), some_project()).prop_map(|(base, theirs)| Event::ProjectMerged { base, theirs }),
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
        (named(), a_state(), option::of(text()), commits()).prop_map(
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
    Start(RunKind, Option<GitSnapshot>, OnDrift, Branches),
    Compared(bool, bool),
    Parked(Option<ThreadId>),
    Ended(
        usize,
        Option<ThreadId>,
        Vec<TurnRecord>,
        Option<GitSnapshot>,
        bool,
        Branches,
    ),
    Opinions(Actor, Vec<Opinion>),
    Command(TaskCommand),
}

fn branches() -> impl Strategy<Value = Branches> {
    let name = || select(vec!["main", "dev", "a/b", "new"]).prop_map(str::to_owned);
    let renamed = btree_map(name(), name(), 0..2);
    (vec(name(), 0..2), renamed).prop_map(|(gone, renamed)| Branches {
        gone: gone.into_iter().chain(renamed.keys().cloned()).collect(),
        renamed,
        trunk: None,
    })
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
        option::of(thread()),
        vec(a_turn(), 0..3),
        look(),
        any::<bool>(),
        branches(),
    );
    prop_oneof![
        3 => (kind(), look(), policy, branches()).prop_map(|(kind, seen, policy, branches)| Given::Start(kind, seen, policy, branches)),
        2 => any::<(bool, bool)>().prop_map(|(a, b)| Given::Compared(a, b)),
        1 => option::of(thread()).prop_map(Given::Parked),
        3 => left.prop_map(|(back, thread, turns, after, recovered, branches)| Given::Ended(back, thread, turns, after, recovered, branches)),
        4 => (actor(), vec(opinion(), 0..4)).prop_map(|(by, opinions)| Given::Opinions(by, opinions)),
        3 => command().prop_map(Given::Command),
    ]
}

fn feed(machine: &mut Machine, n: usize, given: Given) {
    let now = at(n as i64 * 10);
    let input = match given {
        Given::Start(kind, seen, policy, branches) => Input::Start(Box::new(Start {
            branches,
            ..start(kind, seen, policy, n as i64 * 10)
        })),
        Given::Compared(expected_in_seen, expected_branch_merged) => Input::Compared {
            now,
            relation: Box::new(HeadRelation {
                expected_in_seen,
                expected_branch_merged,
                ..HeadRelation::default()
            }),
        },
        Given::Parked(copy) => Input::Parked { now, copy },
        Given::Ended(back, thread, turns, after, recovered, branches) => {
            let open = &machine.supervisor.state().project.open_runs;
            let run = open.keys().nth(back % open.len().max(1)).cloned();
            Input::Ended(Box::new(Ended {
                thread,
                turns,
                after,
                recovered,
                branches,
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

/// A state that arbitrary facts have led to, as they are written and read again.
fn replayed(events: &[Event]) -> State {
    let mut state = State::default();
    for (n, event) in events.iter().enumerate() {
        let fact = Fact {
            event: event.clone(),
            ..changed(
                "1",
                n as u64 + 1,
                Change::Archive {
                    task: id("a"),
                    archived: true,
                },
            )
        };
        let written = serde_json::to_string(&fact).unwrap();
        let read: Fact = serde_json::from_str(&written).unwrap();
        assert_eq!(read, fact);
        assert!(state.apply(&read));
        assert!(!state.apply(&read));
    }
    state
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
    fn whatever_happened_the_state_is_sound(events in vec(event(), 0..60)) {
        let state = replayed(&events);
        prop_assert!(is_acyclic(&state.tasks));
        for (id, task) in state.tasks.iter().chain(&state.archive) {
            prop_assert_eq!(id, &task.id);
            prop_assert!(state.tasks.contains_key(id) != state.archive.contains_key(id), "in one place");
        }
        prop_assert_eq!(&state, &replayed(&events));
        let written = serde_json::to_string(&state.project).unwrap();
        let read: Project = serde_json::from_str(&written).unwrap();
        prop_assert_eq!(read, state.project);
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
