//! Many writers at once, and writers killed at any moment: what was acknowledged is there, once. `cargo bench -p
//! orch-runtime --bench reliability` does the same for longer, with kills that hang on the clock.
//!
//! The writers are processes of this test binary itself, told by an environment variable what to do.

use std::fs::{self, File, Permissions, TryLockError};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Stdio};

use orch_protocol::ids::LogId;
use orch_runtime::ports::StateStore as _;
use orch_runtime::store::BareStore;

use crate::make::{added, folder};
use crate::writer::{Book, Job, lines};

const PACK: &str = "ORCH_TEST_PACK";

const ARGS: [&str; 4] = [
    "--exact",
    "race::writer_process",
    "--nocapture",
    "--test-threads=1",
];

/// A writer, when this binary was started as one; otherwise there is nothing to test.
#[tokio::test]
async fn writer_process() {
    if let Some(job) = Job::given() {
        job.work().await;
    }
}

#[tokio::test]
async fn writers_at_once_lose_nothing_and_double_nothing() {
    let dir = folder();
    let mut writers: Vec<Child> = (0..4)
        .map(|n| {
            let job = Job {
                dir: dir.path().to_owned(),
                number: n,
                seed: n,
                count: 40,
                is_long: n % 2 == 1,
            };
            job.start(&ARGS)
        })
        .collect();
    let mut book = Book::default();
    for writer in &mut writers {
        let mut said = Book::default();
        said.hear(&mut lines(writer), usize::MAX);
        assert!(said.folds > 0);
        book.add(said);
    }
    for mut writer in writers {
        assert!(writer.wait().unwrap().success());
    }
    assert_eq!(book.acknowledged() + book.refused, 160);
    let audit = book.audit(dir.path()).await;
    assert_eq!(audit.wrong, Vec::<String>::new());
}

#[tokio::test]
async fn a_writer_killed_anywhere_has_lost_nothing_it_acknowledged() {
    let dir = folder();
    let mut book = Book::default();
    // The moment of the kill is told by the writer's own progress, so that it does not hang on the machine's speed.
    for round in 0..60 {
        let job = Job {
            dir: dir.path().to_owned(),
            number: round,
            seed: round,
            count: 1_000,
            is_long: round % 2 == 1,
        };
        let mut writer = job.start(&ARGS);
        let mut lines = lines(&mut writer);
        book.hear(&mut lines, usize::try_from(round % 6).unwrap());
        writer.kill().unwrap();
        writer.wait().unwrap();
        book.hear(&mut lines, usize::MAX);
    }
    // Five in every six rounds are killed after they have done something.
    assert!(book.acknowledged() >= 150, "{}", book.acknowledged());
    let audit = book.audit(dir.path()).await;
    assert!(audit.tasks > 0 && audit.commits >= book.acknowledged());
    assert_eq!(audit.wrong, Vec::<String>::new());
}

/// Packs a store, when this binary was started for it.
#[test]
fn packing_process() {
    if let Ok(dir) = std::env::var(PACK) {
        let _ = BareStore::new(dir.into(), LogId::new("packer")).pack();
    }
}

#[tokio::test]
async fn nobody_writes_while_git_packs_for_a_process_that_was_killed() {
    let dir = folder();
    let store = dir.path().join("store");
    let log = LogId::new("log");
    let mut writer = BareStore::new(store.clone(), log.clone());
    writer.append(&[added(&log, 1, "one")]).await.unwrap();
    writer.close().unwrap();
    // In place of git stands what says that it has begun, and goes on when it is told to.
    let [begun, go, git] = ["begun", "go", "git"].map(|name| dir.path().join(name));
    let made = Command::new("mkfifo").args([&begun, &go]).status();
    assert!(made.unwrap().success());
    let (says, waits) = (begun.display(), go.display());
    let script = format!("#!/bin/sh\necho > '{says}'\nread line < '{waits}'\n");
    fs::write(&git, script).unwrap();
    fs::set_permissions(&git, Permissions::from_mode(0o755)).unwrap();
    let mut packer = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "race::packing_process"])
        .env(PACK, &store)
        .env("PATH", dir.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    fs::read(&begun).unwrap();
    packer.kill().unwrap();
    packer.wait().unwrap();
    let lock = File::open(store.join("fold.lock")).unwrap();
    assert!(matches!(lock.try_lock(), Err(TryLockError::WouldBlock)));
    fs::write(&go, "\n").unwrap();
    lock.lock().unwrap();
}
