//! Many writers at once, and writers killed at any moment: what was acknowledged is there, once.
//!
//! The writers are processes of this test binary itself, told by an environment variable what to do.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use orch_core::brief::BriefLimits;
use orch_core::command::{Asker, NewTask, TaskCommand};
use orch_protocol::ids::LogId;
use orch_protocol::task::{Actor, Origin};
use orch_runtime::driver::Driver;
use orch_runtime::git::FolderGit;
use orch_runtime::ports::{Clock, StateStore, SystemClock, Wanted};
use orch_runtime::store::{BareStore, log};
use orch_runtime::upstream::RolloutsOnly;

use crate::make::{folder, git};

const WRITER: &str = "ORCH_TEST_WRITER";

fn writer(dir: &Path, name: &str, count: usize) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "race::writer_process",
            "--nocapture",
            "--test-threads=1",
        ])
        .env(WRITER, format!("{}\n{name}\n{count}", dir.display()))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Adds tasks one after the other, each as a process of its own would, and prints each title once it is acknowledged.
#[tokio::test]
async fn writer_process() {
    let Ok(told) = std::env::var(WRITER) else {
        return;
    };
    let told: Vec<&str> = told.lines().collect();
    let (dir, name, count) = (
        Path::new(told[0]),
        told[1],
        told[2].parse::<usize>().unwrap(),
    );
    for n in 0..count {
        let mut store = BareStore::new(dir.to_owned(), log::fresh_id(SystemClock.now()));
        let title = format!("{name} {n}");
        let (git, mut engine) = (FolderGit::new(dir), RolloutsOnly);
        let mut driver = Driver {
            store: &mut store,
            git: &git,
            engine: &mut engine,
            agents: &[],
            clock: &SystemClock,
            limits: BriefLimits::default(),
            tell: &mut |_| {},
        };
        let asker = Asker {
            by: Actor::Person,
            origin: Origin::Person { branch: None },
            branch: None,
            worktree: None,
            head: None,
            now: SystemClock.now(),
            nonce: String::new(),
        };
        let new = NewTask {
            title: title.clone(),
            ..NewTask::default()
        };
        driver
            .command(asker, TaskCommand::Add(new))
            .await
            .unwrap()
            .unwrap();
        println!("ack {title}");
        std::io::stdout().flush().unwrap();
        store.close().unwrap();
    }
}

fn acknowledged(child: &mut Child) -> Vec<String> {
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    lines
        .map_while(Result::ok)
        .filter_map(|line| Some(line.split_once("ack ")?.1.to_owned()))
        .collect()
}

async fn titles(dir: &Path) -> Vec<String> {
    let mut store = BareStore::new(dir.to_owned(), LogId::new("reader"));
    store.fold().await.unwrap();
    let state = store.load(&Wanted::default()).await.unwrap();
    let mut titles: Vec<String> = state.tasks.into_values().map(|task| task.title).collect();
    titles.sort();
    titles
}

fn fsck(dir: &Path) {
    let out = git(
        &dir.join("store.git"),
        &["fsck", "--strict", "--no-dangling"],
    );
    assert_eq!(out, "", "git fsck finds nothing");
}

#[tokio::test]
async fn writers_at_once_lose_nothing_and_double_nothing() {
    let dir = folder();
    let mut writers: Vec<Child> = (0..4)
        .map(|n| writer(dir.path(), &format!("w{n}"), 25))
        .collect();
    let mut acked: Vec<String> = writers.iter_mut().flat_map(acknowledged).collect();
    for mut writer in writers {
        assert!(writer.wait().unwrap().success());
    }
    acked.sort();
    assert_eq!(acked.len(), 100);
    assert_eq!(titles(dir.path()).await, acked);
    fsck(dir.path());
}

#[tokio::test]
async fn a_writer_killed_anywhere_has_lost_nothing_it_acknowledged() {
    let dir = folder();
    let mut acked = Vec::new();
    // The moment of the kill is told by the writer's own progress, so that it does not hang on the machine's speed.
    for round in 0..40 {
        let mut child = writer(dir.path(), &format!("round {round}"), 1_000);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        for _ in 0..=(round % 7) {
            let ack = lines
                .by_ref()
                .map_while(Result::ok)
                .find_map(|line| Some(line.split_once("ack ")?.1.to_owned()));
            acked.extend(ack);
        }
        child.kill().unwrap();
        child.wait().unwrap();
        acked.extend(
            lines
                .map_while(Result::ok)
                .filter_map(|line| Some(line.split_once("ack ")?.1.to_owned())),
        );
    }
    let found = titles(dir.path()).await;
    let lost: Vec<&String> = acked
        .iter()
        .filter(|title| !found.contains(title))
        .collect();
    assert!(lost.is_empty(), "{lost:?}");
    let mut once = found.clone();
    once.dedup();
    assert_eq!(once, found, "nothing twice");
    // A killed writer may have made one task durable without having had the time to say so.
    assert!(
        found.len() - acked.len() <= 40,
        "{} found, {} acknowledged",
        found.len(),
        acked.len()
    );
    let logs = std::fs::read_dir(dir.path().join("log")).unwrap();
    let left = logs.filter(|entry| {
        let name = entry.as_ref().unwrap().file_name();
        name.to_string_lossy().ends_with(".log")
    });
    assert_eq!(left.count(), 0, "every dead log is folded and gone");
    fsck(dir.path());
}
