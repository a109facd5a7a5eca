//! How long an acknowledged flush takes: a turn's facts appended to the write-ahead log, fdatasync included.
//!
//! `cargo bench -p orch-runtime` prints percentiles over 2,000 turns; means would hide what a person waits for. The log
//! is in the target folder, so on the disk that the target folder is on.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use std::time::{Duration, Instant};

use orch_protocol::Timestamp;
use orch_protocol::fact::{Event, Fact};
use orch_protocol::git::{CommitSummary, GitSnapshot, Head};
use orch_protocol::ids::{CommitId, FactId, LogId, SessionId, TaskId, ThreadId, TurnId};
use orch_protocol::proposal::Change;
use orch_protocol::session::TurnSummary;
use orch_protocol::task::{Actor, Evidence, EvidenceKind};
use orch_protocol::turn::{
    ChangeKind, CommandKind, PlanStep, StepStatus, TokenUsage, TurnEvent, TurnKind, TurnRecord,
    TurnStatus,
};
use orch_runtime::ports::StateStore;
use orch_runtime::store::BareStore;

const TURNS: u64 = 2_000;

fn main() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let id = LogId::new("20270115T080000000-1-abc");
    let mut store = BareStore::new(dir.path().join("codex-orch"), id.clone());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let mut seq = 0;
    let mut times: Vec<Duration> = Vec::new();
    let mut bytes = 0;
    for turn in 0..TURNS {
        let facts = facts(&id, &mut seq, turn);
        bytes = facts
            .iter()
            .map(|fact| serde_json::to_vec(fact).unwrap().len())
            .sum();
        let begun = Instant::now();
        runtime.block_on(store.append(&facts)).unwrap();
        // The first one also makes the folder and the log.
        if turn > 0 {
            times.push(begun.elapsed());
        }
    }
    times.sort();
    let at = |of: f64| times[((times.len() - 1) as f64 * of).round() as usize].as_secs_f64() * 1e3;
    println!(
        "acknowledged flush of a turn ({bytes} bytes, one fdatasync), {} turns: p50 {:.2} ms, p90 {:.2} ms, p99 {:.2} ms, most {:.2} ms",
        times.len(),
        at(0.5),
        at(0.9),
        at(0.99),
        at(1.0)
    );
}

/// A turn of 40 events, its snapshot, its summary, and evidence for three tasks.
fn facts(log: &LogId, seq: &mut u64, turn: u64) -> Vec<Fact> {
    let at = Timestamp::from_second(1_800_000_000 + turn as i64).unwrap();
    let commit = CommitId::new(format!("{turn:040x}"));
    let session = SessionId::new("20270115T080000000Z_main_0123456789ab");
    let turn = TurnId::new(format!("01a00000-0000-7000-8000-{turn:012x}"));
    let record = record(&turn, at, &commit);
    let snapshot = GitSnapshot {
        common_dir: "/home/me/project/.git".to_owned(),
        worktree: "/home/me/project".to_owned(),
        head: Head::Branch {
            name: "main".to_owned(),
            commit: commit.clone(),
        },
        operation: None,
        dirty: Vec::new(),
        dirty_truncated: false,
    };
    let summary = TurnSummary {
        text: "Asked: make the importer faster. ".repeat(10),
        tasks: vec![TaskId::from_seed(&["a"])],
    };
    let mut events = vec![
        Event::TurnRecorded {
            session: session.clone(),
            record: Box::new(record),
            snapshot: Some(snapshot),
        },
        Event::TurnSummarised {
            session: session.clone(),
            turn: turn.clone(),
            summary,
        },
    ];
    events.extend(["a", "b", "c"].map(|task| Event::Changed {
        change: Change::AddEvidence {
            task: TaskId::from_seed(&[task]),
            evidence: vec![Evidence {
                kind: EvidenceKind::Commit,
                reference: commit.to_string(),
                ok: None,
                tree: Some(commit.clone()),
                at,
                session: Some(session.clone()),
            }],
        },
        reason: "observed in the turn".to_owned(),
    }));
    let numbered = events.into_iter().map(|event| {
        *seq += 1;
        Fact {
            id: FactId {
                log: log.clone(),
                seq: *seq,
            },
            at,
            by: Actor::Supervisor,
            op: 0,
            head: None,
            event,
        }
    });
    numbered.collect()
}

fn record(turn: &TurnId, at: Timestamp, commit: &CommitId) -> TurnRecord {
    let plan = TurnEvent::Plan {
        at: Some(at),
        explanation: None,
        steps: (0..8)
            .map(|n| PlanStep {
                step: format!("Step {n} of the work on the importer"),
                status: StepStatus::InProgress,
            })
            .collect(),
    };
    let command = |n: usize| TurnEvent::Command {
        at: Some(at),
        call_id: format!("call_{n:024}"),
        command: format!(
            "sed -n '{n},200p' src/importer/rows.rs && cargo test --workspace importer::{n}"
        ),
        kind: CommandKind::Test,
        exit_code: Some(0),
        vouches: true,
    };
    let file = |n: usize| TurnEvent::File {
        at: Some(at),
        path: format!("src/importer/part_{n}.rs"),
        change: ChangeKind::Modified,
        ok: true,
    };
    let message = |n: usize| TurnEvent::Message {
        at: Some(at),
        text: format!("Message {n}: the rows are read in chunks now. ").repeat(8),
    };
    let mut events = vec![plan];
    events.extend((0..24).map(command));
    events.extend((0..10).map(file));
    events.extend((0..5).map(message));
    TurnRecord {
        thread: ThreadId::new("01a00000-0000-7000-8000-0123456789ab"),
        turn: turn.clone(),
        kind: TurnKind::User,
        status: TurnStatus::Completed,
        started_at: Some(at),
        ended_at: Some(at),
        request: "Make the importer faster and test it".to_owned(),
        cwd: Some("/home/me/project".to_owned()),
        model: Some("gpt".to_owned()),
        events,
        events_dropped: 0,
        usage: TokenUsage::default(),
        commits: vec![CommitSummary {
            id: commit.clone(),
            subject: "Read rows in chunks".to_owned(),
            time: at.as_second(),
            files: (0..10)
                .map(|n| format!("src/importer/part_{n}.rs"))
                .collect(),
        }],
    }
}
