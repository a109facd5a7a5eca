//! Makes what the tests work on: facts, stores, repositories. The repositories are made by the real git.

use std::path::Path;
use std::process::Command;

use orch_protocol::Timestamp;
use orch_protocol::fact::{Event, Fact};
use orch_protocol::ids::{FactId, LogId, TaskId};
use orch_protocol::proposal::Change;
use orch_protocol::task::{Actor, Origin, Task};
use tempfile::TempDir;

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + second).unwrap()
}

pub(crate) fn folder() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

pub(crate) fn task(title: &str) -> Task {
    Task::new(
        TaskId::from_seed(&[title]),
        title,
        Origin::Person { branch: None },
        at(0),
    )
}

pub(crate) fn added(log: &LogId, seq: u64, title: &str) -> Fact {
    let change = Change::AddTask {
        task: Box::new(task(title)),
    };
    fact(
        log,
        seq,
        Event::Changed {
            change,
            reason: "test".into(),
        },
    )
}

pub(crate) fn fact(log: &LogId, seq: u64, event: Event) -> Fact {
    Fact {
        id: FactId {
            log: log.clone(),
            seq,
        },
        at: at(0),
        by: Actor::Person,
        op: 0,
        head: None,
        event,
    }
}

/// Runs the real git, apart from anybody's configuration, and returns what it printed.
pub(crate) fn git(dir: &Path, args: &[&str]) -> String {
    let out = Command::new("git")
        .current_dir(dir)
        .args([
            "-c",
            "user.name=t",
            "-c",
            "user.email=t@localhost",
            "-c",
            "init.defaultBranch=main",
        ])
        .args(args)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .output()
        .unwrap();
    assert!(
        out.status.success(),
        "git {args:?}: {}",
        String::from_utf8_lossy(&out.stderr)
    );
    String::from_utf8(out.stdout).unwrap().trim_end().to_owned()
}

/// A repository with one commit on `main`.
pub(crate) fn repo() -> TempDir {
    let dir = folder();
    git(dir.path(), &["init", "-q"]);
    commit(dir.path(), "README", "first\n", "first");
    dir
}

/// Writes a file and commits it; returns the commit.
pub(crate) fn commit(dir: &Path, file: &str, text: &str, message: &str) -> String {
    std::fs::write(dir.join(file), text).unwrap();
    git(dir, &["add", file]);
    git(dir, &["commit", "-q", "-m", message]);
    git(dir, &["rev-parse", "HEAD"])
}
