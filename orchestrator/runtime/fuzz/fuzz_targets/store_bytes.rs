//! Whatever stands in the store's files is read without a panic: logs, tasks, sessions, the project, what was folded, an
//! operation's message, the outline's cache. What can be read of a log is applied, written, and read back as the same.
//! `just fuzzed orchestrator/runtime store_bytes`
//!
//! The first byte says which of them it is. Where a checksum would keep every input out, it is put right.
#![no_main]

use std::collections::BTreeSet;
use std::io::Write as _;
use std::sync::LazyLock;
use std::task::{Context, Poll, Waker};

use libfuzzer_sys::fuzz_target;
use orch_core::graph::is_acyclic;
use orch_core::state::State;
use orch_core::verify::{Known, findings};
use orch_protocol::Timestamp;
use orch_protocol::fact::{Event, Fact};
use orch_protocol::ids::{CommitId, FactId, LogId, TaskId};
use orch_protocol::proposal::Change;
use orch_protocol::task::{Actor, Origin, Task};
use orch_runtime::ports::{Backlog, StateStore, Wanted};
use orch_runtime::store::files::{self, Shard, Touched};
use orch_runtime::store::{BareStore, log, words};
use tempfile::TempDir;

/// A store with one task.
static STORE: LazyLock<TempDir> = LazyLock::new(|| {
    let dir = tempfile::tempdir().expect("a folder");
    let log = LogId::new("a");
    let task = Task::new(
        TaskId::from_seed(&["one"]),
        "one",
        Origin::Person { branch: None },
        Timestamp::UNIX_EPOCH,
    );
    let fact = Fact {
        id: FactId {
            log: log.clone(),
            seq: 1,
        },
        at: Timestamp::UNIX_EPOCH,
        by: Actor::Person,
        op: 1,
        head: None,
        event: Event::Changed {
            change: Change::AddTask {
                task: Box::new(task),
            },
            reason: "fuzz".into(),
        },
    };
    let mut store = BareStore::new(dir.path().join("store"), log);
    now(store.append(&[fact])).expect("appended");
    store.close().expect("folded");
    dir
});

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, bytes)) = bytes.split_first() else {
        return;
    };
    match kind % 8 {
        0 => logged(bytes),
        1 => logged(&checked(bytes)),
        2 => drop(files::schema(Some(bytes))),
        3 => drop(files::project(Some(bytes))),
        4 => drop(files::folded(Some(bytes))),
        5 => {
            let _ = files::tasks("tasks/a/b.json", bytes);
            let _ = files::session("sessions/a.json", bytes);
        }
        6 => {
            let id = CommitId::new("0".repeat(40));
            let message = String::from_utf8_lossy(bytes);
            let told = words::operation(id, Timestamp::UNIX_EPOCH, &message);
            for line in told.lines.iter().chain([&told.what, &told.who]) {
                assert!(!line.chars().any(char::is_control), "{line:?}");
            }
        }
        _ => outlined(bytes),
    }
});

/// Lines with right checksums.
fn checked(bytes: &[u8]) -> Vec<u8> {
    let mut log = Vec::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        let _ = write!(log, "{:08x} ", crc32fast::hash(line));
        log.extend_from_slice(line);
        log.push(b'\n');
    }
    log
}

fn logged(bytes: &[u8]) {
    let read = log::parse(LogId::new("a"), bytes);
    let mut state = State::default();
    let mut touched = Touched::default();
    for fact in &read.facts {
        touched
            .shards
            .extend(State::task_of(&fact.event).map(Shard::of));
        touched
            .sessions
            .extend(State::session_of(&fact.event).map(|id| id.as_str().to_owned()));
        state.apply(fact);
    }
    assert!(is_acyclic(&state.tasks));
    let _ = findings(&state, &Known::default());
    let _ = words::message(&read.facts);
    let written = files::written(&state, &touched).expect("what was read can be written");
    let mut back = BTreeSet::new();
    for (path, bytes) in &written {
        if let Some(bytes) = bytes
            && (path.starts_with("tasks/") || path.starts_with("archive/"))
        {
            let tasks = files::tasks(path, bytes).expect("what was written can be read");
            back.extend(tasks.into_iter().map(|task| task.id));
        }
    }
    let held = state.tasks.keys().chain(state.archive.keys());
    assert_eq!(back, held.cloned().collect());
}

/// The cache of the outline, its checksum put right: whatever it holds, the store is read.
fn outlined(bytes: &[u8]) {
    let dir = STORE.path().join("store");
    let mut cache = b"codex-orch outline 1\n".to_vec();
    cache.extend_from_slice(bytes);
    cache.extend_from_slice(&crc32fast::hash(&cache).to_le_bytes());
    std::fs::create_dir_all(dir.join("cache")).expect("a folder");
    std::fs::write(dir.join("cache/outline"), cache).expect("written");
    let mut store = BareStore::new(dir, LogId::new("reader"));
    assert!(now(store.load(&Wanted::backlog(Backlog::Outline))).is_ok());
}

/// What never waits.
fn now<T>(work: impl Future<Output = T>) -> T {
    match std::pin::pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => panic!("the store has waited"),
    }
}
