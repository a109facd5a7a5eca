//! What a command on the backlog costs, process start included, at 100 to 100,000 tasks of which a fifth are open, and
//! each of the others done by a commit of its own.
//!
//! `cargo bench -p orch-cli --bench backlog`; `-- --sizes 100,1000 --runs 11` for others. Told are medians: until the
//! command's first line is there (for `add` and `done`: acknowledged), and until it has ended (the checkout refreshed).
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

mod stage;

use std::io::{BufRead as _, BufReader, BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use orch_protocol::Timestamp;
use orch_protocol::fact::{Event, Fact};
use orch_protocol::ids::{ClaimId, CommitId, FactId, LogId, TaskId};
use orch_protocol::proposal::Change;
use orch_protocol::task::{Actor, Claim, ClaimState, Evidence, EvidenceKind, Origin, Task};
use orch_runtime::ports::StateStore as _;
use orch_runtime::store::BareStore;

use stage::{OURS, high_water, ms, quantile};

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let given = |name: &str| {
        let at = args.iter().position(|arg| arg == name)?;
        args.get(at + 1).cloned()
    };
    let sizes = given("--sizes").unwrap_or_else(|| "100,1000,10000,100000".to_owned());
    let runs: usize = given("--runs").map_or(21, |runs| runs.parse().unwrap());
    println!("| tasks | command | first line, ms | ended, ms | most memory, MB |");
    println!("|---|---|---|---|---|");
    for size in sizes.split(',') {
        let size: usize = size.parse().unwrap();
        let place = Place::new(size);
        let open = place.open();
        place.measure(size, runs, "ready", |_| vec!["ready".into()]);
        place.measure(size, runs, "list --json --all", |_| {
            vec!["list".into(), "--json".into(), "--all".into()]
        });
        place.measure(size, runs, "add", |n| {
            vec!["add".into(), format!("Another task of the bench {n}")]
        });
        place.measure(size, runs, "done", |n| {
            vec!["done".into(), open[n % open.len()].clone()]
        });
    }
}

struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new(size: usize) -> Self {
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let place = Self { dir };
        std::fs::create_dir_all(place.home()).unwrap();
        std::fs::create_dir_all(place.repo()).unwrap();
        let trust = format!(
            "[projects.\"{}\"]\ntrust_level = \"trusted\"\n",
            place.repo().display()
        );
        std::fs::write(place.home().join("config.toml"), trust).unwrap();
        place.git(&["init", "-q", "-b", "main"]);
        let commits = place.commits(size);
        place.fill(size, &commits);
        // What is made once and kept: outline, checkout, what HEAD reaches.
        place.run(&["add".to_owned(), "The first one by hand".to_owned()]);
        place.run(&["ready".to_owned()]);
        place
    }

    fn home(&self) -> PathBuf {
        self.dir.path().join("home")
    }

    fn repo(&self) -> PathBuf {
        self.dir.path().join("repo")
    }

    fn git(&self, args: &[&str]) -> String {
        let out = Command::new("git")
            .args(args)
            .current_dir(self.repo())
            .output();
        let out = out.unwrap();
        assert!(out.status.success(), "{args:?}");
        String::from_utf8(out.stdout).unwrap()
    }

    /// So many commits on `main`, the oldest first, one a minute.
    fn commits(&self, size: usize) -> Vec<CommitId> {
        let mut import = Command::new("git")
            .args(["fast-import", "--quiet"])
            .current_dir(self.repo())
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let mut to = BufWriter::new(import.stdin.take().unwrap());
        for n in 0..size {
            let (at, message) = (1_780_000_000 + 60 * n, format!("Work {n}\n"));
            write!(
                to,
                "commit refs/heads/main\ncommitter A <a@localhost> {at} +0000\ndata {}\n{message}\n",
                message.len()
            )
            .unwrap();
        }
        drop(to);
        assert!(import.wait().unwrap().success());
        let all = self.git(&["rev-list", "--reverse", "main"]);
        all.lines().map(CommitId::new).collect()
    }

    fn fill(&self, size: usize, commits: &[CommitId]) {
        let log = LogId::new("20260101T000000000-1-bench");
        let mut store = BareStore::new(self.repo().join(".git/codex-orch"), log.clone());
        let facts: Vec<Fact> = (0..size)
            .flat_map(|n| changes(n, &commits[n]))
            .zip(1..)
            .map(|(change, seq)| Fact {
                id: FactId {
                    log: log.clone(),
                    seq,
                },
                at: at(0),
                by: Actor::Person,
                op: 1,
                head: commits.last().cloned(),
                event: Event::Changed {
                    change,
                    reason: "bench".to_owned(),
                },
            })
            .collect();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(store.append(&facts)).unwrap();
        store.close().unwrap();
    }

    fn open(&self) -> Vec<String> {
        let out = self
            .command(&["list".to_owned(), "--json".to_owned()])
            .output()
            .unwrap();
        let found: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
        let tasks = found["tasks"].as_array().unwrap().iter();
        tasks
            .map(|task| task["id"].as_str().unwrap().to_owned())
            .collect()
    }

    fn command(&self, args: &[String]) -> Command {
        let mut command = Command::new(Path::new(OURS));
        command
            .arg("tasks")
            .args(args)
            .current_dir(self.repo())
            .env("CODEX_HOME", self.home())
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        command
    }

    /// Until the first line, until the end, and the most memory held.
    fn run(&self, args: &[String]) -> (Duration, Duration, f64) {
        let begun = Instant::now();
        let mut child = self.command(args).spawn().unwrap();
        let pid = child.id();
        let watched = std::thread::spawn(move || {
            let mut peak: f64 = 0.0;
            while let Some(now) = high_water(pid) {
                peak = peak.max(now);
                std::thread::sleep(Duration::from_millis(2));
            }
            peak
        });
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let first = begun.elapsed();
        out.read_to_end(&mut Vec::new()).unwrap();
        assert!(child.wait().unwrap().success(), "{args:?}");
        (first, begun.elapsed(), watched.join().unwrap())
    }

    fn measure(&self, size: usize, runs: usize, name: &str, args: impl Fn(usize) -> Vec<String>) {
        let (mut first, mut ended, mut peak) = (Vec::new(), Vec::new(), 0.0f64);
        for n in 0..runs {
            let (a, b, held) = self.run(&args(n));
            first.push(ms(a));
            ended.push(ms(b));
            peak = peak.max(held);
        }
        println!(
            "| {size} | `{name}` | {:.1} | {:.1} | {peak:.0} |",
            quantile(&mut first, 0.5),
            quantile(&mut ended, 0.5),
        );
    }
}

fn at(second: usize) -> Timestamp {
    Timestamp::from_second(1_780_000_000 + second as i64).unwrap()
}

fn id(n: usize) -> TaskId {
    TaskId::from_seed(&["bench", &n.to_string()])
}

/// A task in a group of ten, needing up to two earlier ones; four of five are done, by `commit`.
fn changes(n: usize, commit: &CommitId) -> Vec<Change> {
    let mut task = Task::new(
        id(n),
        format!("Task {n}: make the part of the system that has this number work"),
        Origin::Person {
            branch: Some("main".to_owned()),
        },
        at(n),
    );
    task.priority = (n % 5) as u8;
    task.owner = n.is_multiple_of(3).then(|| "agent".to_owned());
    task.acceptance = n
        .is_multiple_of(4)
        .then(|| "Its tests pass, and the page about it is true.".to_owned());
    task.parent = (!n.is_multiple_of(10)).then(|| id(n - n % 10));
    task.needs = [n / 2, n / 3]
        .into_iter()
        .filter(|need| *need < n && need / 10 != n / 10 && n.is_multiple_of(2))
        .map(id)
        .collect();
    task.needs.sort();
    task.needs.dedup();
    let mut made = vec![Change::AddTask {
        task: Box::new(task),
    }];
    if !n.is_multiple_of(5) {
        let claim = Claim {
            id: ClaimId::from_seed(&["bench", &n.to_string()]),
            state: ClaimState::Done,
            by: Actor::MainAgent,
            at: at(n + 60),
            branch: Some("main".to_owned()),
            worktree: None,
            commits: vec![commit.clone()],
            files: Vec::new(),
            reason: None,
        };
        made.push(Change::Claim { task: id(n), claim });
        let evidence = vec![Evidence {
            kind: EvidenceKind::Commit,
            reference: commit.as_str().to_owned(),
            ok: None,
            tree: None,
            at: at(n + 60),
            session: None,
        }];
        made.push(Change::AddEvidence {
            task: id(n),
            evidence,
        });
    }
    made
}
