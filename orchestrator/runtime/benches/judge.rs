//! What it costs to judge claims by git in a repository of 50,000 commits: the first walk, a checkout of a branch that
//! left 1,000 commits ago and has 1,000 of its own (200 of them claimed, so what they became is looked for), a checkout
//! 1,000 commits back, and a HEAD that stands still.
//!
//! `cargo bench -p orch-runtime --bench judge`. The repository is made by `git fast-import`; `git rev-list --count HEAD`
//! is timed beside the first walk, by the same clock, process start included.
#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::BTreeSet;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use divan::Bencher;
use orch_protocol::ids::CommitId;
use orch_runtime::git::FolderGit;
use orch_runtime::ports::{Asked, Git};
use tempfile::TempDir;

const COMMITS: usize = 50_000;
const SIDE: usize = 1_000;
const FOLDERS: usize = 40;
const FILES: usize = 50;

static WORLD: LazyLock<World> = LazyLock::new(World::new);

struct World {
    dir: TempDir,
    /// Tips of `main`, of `side`, and the commit that `main` was 1,000 commits ago.
    main: String,
    side: String,
    back: String,
    /// 200 commits of `side`, 9,800 of `main`.
    claimed: BTreeSet<CommitId>,
}

fn main() {
    divan::main();
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        git(dir.path(), &["init", "-q", "-b", "main"]);
        let mut import = Command::new("git")
            .current_dir(dir.path())
            .args(["fast-import", "--quiet"])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        history(&mut BufWriter::new(import.stdin.take().unwrap()));
        assert!(import.wait().unwrap().success());
        let one = |name: &str| git(dir.path(), &["rev-parse", name]);
        let some = |args: &[&str], step: usize| -> Vec<CommitId> {
            let list = git(dir.path(), args);
            list.lines().step_by(step).map(CommitId::new).collect()
        };
        let mut claimed: BTreeSet<CommitId> = BTreeSet::new();
        claimed.extend(some(&["rev-list", "main..side"], 5));
        claimed.extend(some(&["rev-list", "--max-count=49000", "main"], 5));
        Self {
            main: one("main"),
            side: one("side"),
            back: one("main~1000"),
            claimed,
            dir,
        }
    }

    fn cache(&self) -> PathBuf {
        self.dir.path().join(".git/cache")
    }

    fn stand_at(&self, commit: &str) {
        std::fs::write(self.dir.path().join(".git/HEAD"), format!("{commit}\n")).unwrap();
    }

    fn asked(&self) -> Asked {
        Asked {
            claimed: self.claimed.clone(),
            ..Asked::default()
        }
    }

    /// Nothing is kept but what was found at `main`.
    fn at_main(&self) {
        let _ = std::fs::remove_dir_all(self.cache());
        self.stand_at(&self.main);
        self.judge(self.asked());
    }

    fn judge(&self, asked: Asked) -> usize {
        let git = FolderGit::new(self.dir.path()).with_cache(self.cache());
        let judged = runtime().block_on(git.judge(asked)).unwrap();
        judged.rewrites.len()
    }
}

fn runtime() -> &'static tokio::runtime::Runtime {
    static RUNTIME: LazyLock<tokio::runtime::Runtime> = LazyLock::new(|| {
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
    });
    &RUNTIME
}

fn git(dir: &Path, args: &[&str]) -> String {
    let out = Command::new("git")
        .current_dir(dir)
        .args(args)
        .output()
        .unwrap();
    assert!(out.status.success());
    String::from_utf8(out.stdout).unwrap().trim_end().to_owned()
}

/// Each commit changes one line of one of 2,000 files.
fn history(to: &mut impl Write) {
    let mut chance: u64 = 7;
    let mut next = |below: usize| {
        chance = chance
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (chance >> 33) as usize % below
    };
    let body = |n: usize| -> String {
        (0..30)
            .map(|line| match line == n % 30 {
                true => format!("changed in {n}\n"),
                false => format!("line {line}\n"),
            })
            .collect()
    };
    let path = |n: usize| format!("d{:02}/f{:02}.txt", n / FILES, n % FILES);
    let mut commit = |branch: &str, n: usize, at: usize, from: Option<usize>, files: &[usize]| {
        let message = format!("change {n}\n\nWhat was changed, and a few words on why.\n");
        let who = format!("A <a@localhost> {at} +0000");
        write!(
            to,
            "commit refs/heads/{branch}\nmark :{n}\nauthor {who}\ncommitter {who}\ndata {}\n{message}",
            message.len()
        )
        .unwrap();
        if let Some(from) = from {
            writeln!(to, "from :{from}").unwrap();
        }
        for file in files {
            let text = body(n + file);
            let (path, length) = (path(*file), text.len());
            writeln!(to, "M 100644 inline {path}\ndata {length}\n{text}").unwrap();
        }
        writeln!(to).unwrap();
    };
    let (begin, minute) = (1_500_000_000, 60);
    let all: Vec<usize> = (0..FOLDERS * FILES).collect();
    commit("main", 1, begin, None, &all);
    for n in 2..=COMMITS {
        let file = next(FOLDERS * FILES);
        commit("main", n, begin + n * minute, Some(n - 1), &[file]);
    }
    let fork = COMMITS - SIDE;
    for step in 1..=SIDE {
        let n = COMMITS + step;
        let from = if step == 1 { fork } else { n - 1 };
        let at = begin + (fork + step) * minute + 1;
        let file = next(FOLDERS * FILES);
        commit("side", n, at, Some(from), &[file]);
    }
}

#[divan::bench(sample_count = 10, sample_size = 1)]
fn rev_list_count(bencher: Bencher<'_, '_>) {
    let world = &*WORLD;
    world.stand_at(&world.main);
    bencher.bench(|| git(world.dir.path(), &["rev-list", "--count", "HEAD"]));
}

/// Nothing is kept; 10,000 commits are claimed, the oldest near the beginning.
#[divan::bench(sample_count = 10, sample_size = 1)]
fn first_walk(bencher: Bencher<'_, '_>) {
    first_of(bencher, 49_000);
}

/// The same with 200 commits claimed, all among the newest 1,000: what a first use meets.
#[divan::bench(sample_count = 10, sample_size = 1)]
fn first_walk_of_new_claims(bencher: Bencher<'_, '_>) {
    first_of(bencher, 1_000);
}

/// A first walk in which each fifth of the `newest` commits of `main` is claimed. (Those of `side` would be looked for as
/// well; that isn't the walk.)
fn first_of(bencher: Bencher<'_, '_>, newest: usize) {
    let world = &*WORLD;
    let count = format!("--max-count={newest}");
    let only = git(world.dir.path(), &["rev-list", &count, "main"]);
    let asked = Asked {
        claimed: only.lines().step_by(5).map(CommitId::new).collect(),
        ..Asked::default()
    };
    world.stand_at(&world.main);
    bencher
        .with_inputs(|| {
            let _ = std::fs::remove_dir_all(world.cache());
            asked.clone()
        })
        .bench_values(|asked| world.judge(asked));
}

#[divan::bench(sample_count = 20, sample_size = 1)]
fn thousand_back(bencher: Bencher<'_, '_>) {
    let world = &*WORLD;
    bencher
        .with_inputs(|| {
            world.at_main();
            world.stand_at(&world.back);
            world.asked()
        })
        .bench_values(|asked| world.judge(asked));
}

/// 200 claims of `side` come in reach, 200 of `main` go out of it: what these became is looked for among 1,000 commits.
#[divan::bench(sample_count = 20, sample_size = 1)]
fn sibling(bencher: Bencher<'_, '_>) {
    let world = &*WORLD;
    bencher
        .with_inputs(|| {
            world.at_main();
            world.stand_at(&world.side);
            world.asked()
        })
        .bench_values(|asked| world.judge(asked));
}

#[divan::bench(sample_count = 20, sample_size = 1)]
fn head_stands_still(bencher: Bencher<'_, '_>) {
    let world = &*WORLD;
    world.at_main();
    bencher
        .with_inputs(|| world.asked())
        .bench_values(|asked| world.judge(asked));
}
