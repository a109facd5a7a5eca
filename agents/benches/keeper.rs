//! How long the backlog-keeper takes to map a plan of 20 steps onto a large backlog: `cargo bench -p orch-agents`.
#![allow(clippy::unwrap_used, missing_docs)]

use divan::Bencher;
use orch_agents::backlog_keeper::BacklogKeeper;
use orch_core::agent::{Agent, Question, View};
use orch_core::judge::Here;
use orch_core::state::State;
use orch_protocol::Timestamp;
use orch_protocol::ids::{SessionId, TaskId, ThreadId, TurnId};
use orch_protocol::task::{Origin, Task};
use orch_protocol::turn::{
    PlanStep, StepStatus, TokenUsage, TurnEvent, TurnKind, TurnRecord, TurnStatus,
};

fn main() {
    divan::main();
}

const VERBS: [&str; 10] = [
    "Add", "Write", "Remove", "Inspect", "Fix", "Update", "Split", "Rename", "Document", "Measure",
];
const THINGS: [&str; 14] = [
    "parser",
    "lexer",
    "importer",
    "cache",
    "icons",
    "fonts",
    "router",
    "session",
    "login",
    "queue",
    "index",
    "exporter",
    "scheduler",
    "store",
];
const PLACES: [&str; 9] = [
    "rows",
    "columns",
    "the config",
    "the tests",
    "the docs",
    "retries",
    "errors",
    "the public API",
    "batches",
];

fn title(n: usize) -> String {
    let (verb, thing) = (VERBS[n % 10], THINGS[n / 10 % 14]);
    format!(
        "{verb} the {thing} for {} in part {}",
        PLACES[n / 140 % 9],
        n / 1_260
    )
}

#[divan::bench(args = [1_000, 10_000], sample_count = 30, sample_size = 1)]
fn plan_of_20_steps(bencher: Bencher<'_, '_>, open: usize) {
    let at = Timestamp::from_second(1_800_000_000).unwrap();
    let mut state = State::default();
    for n in 0..open {
        let task = task(n, at);
        state.tasks.insert(task.id.clone(), task);
    }
    let (here, session) = (Here::default(), SessionId::new("s"));
    let record = record(open, at);
    let view = View {
        state: &state,
        here: &here,
        now: at,
    };
    let question = Question::Turn {
        session: &session,
        record: &record,
        before: None,
        after: None,
    };
    bencher.bench_local(|| BacklogKeeper.consider(view, question));
}

/// An open step of another thread.
fn task(n: usize, at: Timestamp) -> Task {
    Task::new(
        TaskId::from_seed(&[&n.to_string()]),
        title(n),
        Origin::PlanStep {
            branch: None,
            thread: ThreadId::new(format!("thread-{}", n / 20)),
            turn: TurnId::new("t"),
        },
        at,
    )
}

/// Ten steps that are tasks already, worded anew; ten that are new. Two plans, as a turn has at least.
fn record(open: usize, at: Timestamp) -> TurnRecord {
    let steps = |status| {
        (0..20)
            .map(|n| PlanStep {
                step: match n % 2 {
                    0 => format!("{} now", title(n * open / 20)),
                    _ => format!("Look at the {} once more, number {n}", THINGS[n % 14]),
                },
                status,
            })
            .collect()
    };
    let plan = |status| TurnEvent::Plan {
        at: Some(at),
        explanation: None,
        steps: steps(status),
    };
    TurnRecord {
        thread: ThreadId::new("thread-of-the-turn"),
        turn: TurnId::new("turn"),
        kind: TurnKind::User,
        status: TurnStatus::Completed,
        started_at: Some(at),
        ended_at: Some(at),
        request: "Go on".to_owned(),
        cwd: None,
        model: None,
        events: vec![plan(StepStatus::Pending), plan(StepStatus::Completed)],
        events_dropped: 0,
        usage: TokenUsage::default(),
        commits: Vec::new(),
    }
}
