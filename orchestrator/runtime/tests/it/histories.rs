//! Random histories made by the real git: at every branch, and at heads without one, the status of every task is what
//! `git rev-list`, `git merge-base` and `git patch-id` say it is. Cached answers are the uncached ones at every step.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Seek, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use orch_core::judge::{Here, status_at};
use orch_protocol::ids::{ClaimId, CommitId};
use orch_protocol::task::{Actor, Claim, ClaimState, Task, TaskStatus};
use orch_runtime::git::FolderGit;
use orch_runtime::ports::{Asked, Git};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use crate::make::{at, folder, task};

const FILES: usize = 4;
const LINES: usize = 24;

#[derive(Debug, Clone)]
enum Op {
    /// Sets one of few lines of one of few files to one of few values, so that patches come back.
    Commit {
        file: usize,
        line: usize,
        value: u8,
    },
    Binary {
        value: u8,
    },
    Branch,
    Checkout(usize),
    Detach(usize),
    Merge(usize),
    Squash(usize),
    Rebase(usize),
    CherryPick(usize),
    Revert(usize),
    Reset(usize),
    Amend {
        line: usize,
        value: u8,
    },
    Empty,
    /// What was found so far is recorded.
    Record,
    Lose,
}

fn op() -> impl Strategy<Value = Op> {
    let (file, line, value) = (0..FILES, 0..LINES, 0..6u8);
    prop_oneof![
        10 => (file, line.clone(), value.clone()).prop_map(|(file, line, value)| Op::Commit { file, line, value }),
        1 => value.clone().prop_map(|value| Op::Binary { value }),
        1 => Just(Op::Branch),
        5 => any::<usize>().prop_map(Op::Checkout),
        1 => (1..3usize).prop_map(Op::Detach),
        2 => any::<usize>().prop_map(Op::Merge),
        4 => any::<usize>().prop_map(Op::Squash),
        4 => any::<usize>().prop_map(Op::Rebase),
        4 => any::<usize>().prop_map(Op::CherryPick),
        2 => (0..3usize).prop_map(Op::Revert),
        1 => (1..3usize).prop_map(Op::Reset),
        1 => (line, value).prop_map(|(line, value)| Op::Amend { line, value }),
        1 => Just(Op::Empty),
        1 => Just(Op::Record),
        1 => Just(Op::Lose),
    ]
}

/// A repository without a reflog, which the oracle leaves out.
struct World {
    dir: tempfile::TempDir,
    clock: u64,
    branches: usize,
    tasks: Vec<Task>,
    recorded: BTreeMap<CommitId, BTreeSet<CommitId>>,
    oracle: Oracle,
}

#[derive(Default)]
struct Oracle {
    reached: BTreeMap<String, BTreeSet<String>>,
    patches: BTreeMap<(String, String), Option<String>>,
    bases: BTreeMap<(String, String), Vec<String>>,
}

impl World {
    fn new() -> Self {
        let mut world = Self {
            dir: folder(),
            clock: 1_700_000_000,
            branches: 1,
            tasks: Vec::new(),
            recorded: BTreeMap::new(),
            oracle: Oracle::default(),
        };
        world.git(&["init", "-q", "-b", "b0"]);
        let config = "[core]\nlogAllRefUpdates = false\nfsync = none\n[gc]\nauto = 0\n\
                      [user]\nname = t\nemail = t@localhost\n[commit]\ngpgSign = false\n[advice]\ndetachedHead = false\n";
        let path = world.at().join(".git/config");
        let had = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, had + config).unwrap();
        for file in 0..FILES {
            let lines: String = (0..LINES).map(|n| format!("line {n}\n")).collect();
            std::fs::write(world.at().join(format!("f{file}")), lines).unwrap();
        }
        std::fs::create_dir(world.at().join("deep")).unwrap();
        std::fs::write(world.at().join("deep/binary"), [0, 1, 2]).unwrap();
        world.git(&["add", "-A"]);
        world.git(&["commit", "-qm", "root"]);
        for name in ["b1", "b2"] {
            world.git(&["branch", name]);
        }
        world.branches = 3;
        world
    }

    fn at(&self) -> &Path {
        self.dir.path()
    }

    fn try_git(&mut self, args: &[&str]) -> Option<String> {
        // Time goes on with each command: no commit is as old as its parent.
        self.clock += 60;
        let date = format!("{} +0000", self.clock);
        let out = Command::new("git")
            .current_dir(self.at())
            .args(args)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_SYSTEM", "/dev/null")
            .env("GIT_AUTHOR_DATE", &date)
            .env("GIT_COMMITTER_DATE", &date)
            .env("GIT_EDITOR", "true")
            .output()
            .unwrap();
        let text = || String::from_utf8(out.stdout).unwrap().trim_end().to_owned();
        out.status.success().then(text)
    }

    fn git(&mut self, args: &[&str]) -> String {
        self.try_git(args).unwrap_or_else(|| panic!("git {args:?}"))
    }

    fn edit(&self, file: usize, line: usize, value: u8) {
        let path = self.at().join(format!("f{file}"));
        let text = std::fs::read_to_string(&path).unwrap();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        // Some values differ in white space alone, which patch ids pass over.
        lines[line] =
            ["one", "two", "t wo", "three", "four", "five"][usize::from(value)].to_owned();
        std::fs::write(&path, lines.join("\n") + "\n").unwrap();
    }

    fn branch(&self, n: usize) -> String {
        format!("b{}", n % self.branches)
    }

    fn apply(&mut self, op: &Op) {
        match op {
            Op::Commit { file, line, value } => {
                self.edit(*file, *line, *value);
                self.try_git(&["commit", "-qam", "edit"]);
            }
            Op::Binary { value } => {
                std::fs::write(self.at().join("deep/binary"), [0, 9, *value]).unwrap();
                self.try_git(&["commit", "-qam", "binary"]);
            }
            Op::Branch => {
                let name = format!("b{}", self.branches);
                self.git(&["checkout", "-q", "-b", &name]);
                self.branches += 1;
            }
            Op::Checkout(n) => {
                let name = self.branch(*n);
                self.git(&["checkout", "-q", &name]);
            }
            Op::Detach(back) => {
                self.try_git(&["checkout", "-q", "--detach", &format!("HEAD~{back}")]);
            }
            Op::Merge(n) => {
                let name = self.branch(*n);
                if self.try_git(&["merge", "-q", "--no-edit", &name]).is_none() {
                    self.git(&["reset", "-q", "--hard"]);
                }
            }
            Op::Squash(n) => {
                let name = self.branch(*n);
                let merged = self.try_git(&["merge", "-q", "--squash", &name]);
                if merged.is_none() || self.try_git(&["commit", "-qm", "squash"]).is_none() {
                    self.git(&["reset", "-q", "--hard"]);
                }
            }
            Op::Rebase(n) => {
                let name = self.branch(*n);
                if self.try_git(&["rebase", "-q", &name]).is_none() {
                    self.git(&["rebase", "--abort"]);
                }
            }
            Op::CherryPick(n) => {
                let name = self.branch(*n);
                if self.try_git(&["cherry-pick", &name]).is_none() {
                    self.try_git(&["cherry-pick", "--abort"]);
                    self.git(&["reset", "-q", "--hard"]);
                }
            }
            Op::Revert(back) => {
                // All but the root, which holds the files that are edited.
                let before = format!("HEAD~{}", back + 1);
                if self
                    .try_git(&["rev-parse", "-q", "--verify", &before])
                    .is_none()
                {
                    return;
                }
                let name = format!("HEAD~{back}");
                if self.try_git(&["revert", "--no-edit", &name]).is_none() {
                    self.try_git(&["revert", "--abort"]);
                    self.git(&["reset", "-q", "--hard"]);
                }
            }
            Op::Reset(back) => {
                self.try_git(&["reset", "-q", "--hard", &format!("HEAD~{back}")]);
            }
            Op::Amend { line, value } => {
                self.edit(0, *line, *value);
                if self
                    .try_git(&["commit", "-qa", "--amend", "-m", "amended"])
                    .is_none()
                {
                    self.git(&["reset", "-q", "--hard"]);
                }
            }
            Op::Empty => {
                self.git(&["commit", "-q", "--allow-empty", "-m", "empty"]);
            }
            Op::Record | Op::Lose => {}
        }
    }

    /// A task that is claimed done in what HEAD is now, and one that also names the commit before.
    fn claim(&mut self) {
        let Some(commits) = self.try_git(&["rev-list", "--max-count=2", "--first-parent", "HEAD"])
        else {
            return;
        };
        let commits: Vec<CommitId> = commits.lines().map(CommitId::new).collect();
        for names in [&commits[..1], &commits[..]] {
            let title = format!("{} of {}", names.len(), commits[0]);
            if self.tasks.iter().any(|known| known.title == title) {
                continue;
            }
            let claim = Claim {
                id: ClaimId::from_seed(&[&title]),
                state: ClaimState::Done,
                by: Actor::MainAgent,
                at: at(1),
                branch: None,
                worktree: None,
                commits: names.to_vec(),
                files: Vec::new(),
                reason: None,
            };
            self.tasks.push(Task {
                claims: vec![claim],
                ..task(&title)
            });
        }
    }

    fn claimed(&self) -> BTreeSet<CommitId> {
        let claims = self.tasks.iter().flat_map(|task| &task.claims);
        claims.flat_map(|claim| claim.commits.clone()).collect()
    }

    fn asked(&self) -> Asked {
        Asked {
            claimed: self.claimed(),
            heads: BTreeSet::new(),
            rewrites: self.recorded.clone(),
        }
    }

    /// Where git says that the work of a claimed commit is, from `head`: as the documents have it.
    fn oracle(&mut self, commit: &str, head: &str, tips: &BTreeSet<String>) -> bool {
        if self.reached(head).contains(commit) {
            return true;
        }
        let recorded = self.recorded.get(&CommitId::new(commit)).cloned();
        let reached = self.reached(head);
        if recorded
            .into_iter()
            .flatten()
            .any(|found| reached.contains(found.as_str()))
        {
            return true;
        }
        if let Some(patch) = self.patch(commit)
            && self.same(head, commit, &patch).len() == 1
        {
            return true;
        }
        let mut squashed = BTreeSet::new();
        for tip in tips {
            if self.reached(head).contains(tip) || !self.reached(tip).contains(commit) {
                continue;
            }
            let bases = self.bases(tip, head);
            let [base] = bases.as_slice() else { continue };
            let Some(patch) = self.between(base, tip) else {
                continue;
            };
            let same = self.same(head, tip, &patch);
            if same.len() == 1 {
                squashed.extend(same);
            }
        }
        squashed.len() == 1
    }

    /// `git rev-list HEAD`.
    fn reached(&mut self, head: &str) -> BTreeSet<String> {
        if !self.oracle.reached.contains_key(head) {
            let list = self.git(&["rev-list", head]);
            let list = list.lines().map(str::to_owned).collect();
            self.oracle.reached.insert(head.to_owned(), list);
        }
        self.oracle.reached[head].clone()
    }

    fn bases(&mut self, tip: &str, head: &str) -> Vec<String> {
        let key = (tip.to_owned(), head.to_owned());
        if !self.oracle.bases.contains_key(&key) {
            let found = self.try_git(&["merge-base", "--all", tip, head]);
            let found = found
                .unwrap_or_default()
                .lines()
                .map(str::to_owned)
                .collect();
            self.oracle.bases.insert(key.clone(), found);
        }
        self.oracle.bases[&key].clone()
    }

    /// The patch id of a commit that is no merge.
    fn patch(&mut self, commit: &str) -> Option<String> {
        let key = (String::new(), commit.to_owned());
        self.oracle.patches.get(&key).cloned().flatten()
    }

    /// Has git tell the patch ids of all these commits at once; of merge commits it tells none.
    fn read_patches(&mut self, commits: &BTreeSet<String>) {
        let key = |commit: &String| (String::new(), commit.clone());
        let new: Vec<String> = commits
            .iter()
            .filter(|commit| !self.oracle.patches.contains_key(&key(commit)))
            .cloned()
            .collect();
        let list = new.join("\n") + "\n";
        let diff = self.piped(
            &["diff-tree", "--stdin", "-p", "--full-index", "--root"],
            &list,
        );
        let ids = self.piped(&["patch-id", "--stable"], &diff);
        let empty = new.iter().map(|commit| (key(commit), None));
        self.oracle.patches.extend(empty);
        for line in ids.lines() {
            let (patch, commit) = line.split_once(' ').unwrap();
            let patch = Some(patch.to_owned());
            self.oracle
                .patches
                .insert((String::new(), commit.to_owned()), patch);
        }
    }

    fn between(&mut self, old: &str, new: &str) -> Option<String> {
        let key = (old.to_owned(), new.to_owned());
        if !self.oracle.patches.contains_key(&key) {
            let patch = self.patch_id(&["diff-tree", "-p", "--full-index", old, new]);
            self.oracle.patches.insert(key.clone(), patch);
        }
        self.oracle.patches[&key].clone()
    }

    fn patch_id(&mut self, args: &[&str]) -> Option<String> {
        let diff = self.git(args) + "\n";
        let text = self.piped(&["patch-id", "--stable"], &diff);
        let id = text.split(' ').next();
        id.filter(|id| !id.is_empty()).map(str::to_owned)
    }

    fn piped(&self, args: &[&str], input: &str) -> String {
        let mut from = tempfile::tempfile().unwrap();
        from.write_all(input.as_bytes()).unwrap();
        from.rewind().unwrap();
        let out = Command::new("git")
            .current_dir(self.at())
            .args(args)
            .stdin(Stdio::from(from))
            .output()
            .unwrap();
        assert!(out.status.success());
        String::from_utf8(out.stdout).unwrap()
    }

    /// Commits of `git rev-list head ^without` with this patch.
    fn same(&mut self, head: &str, without: &str, patch: &str) -> Vec<String> {
        let without = self.reached(without);
        let candidates: Vec<String> = self.reached(head).difference(&without).cloned().collect();
        candidates
            .into_iter()
            .filter(|candidate| self.patch(candidate).as_deref() == Some(patch))
            .collect()
    }

    fn check(&mut self, seen: &mut Seen, runtime: &tokio::runtime::Runtime, cached: &FolderGit) {
        let asked = self.asked();
        let judged = runtime.block_on(cached.judge(asked.clone())).unwrap();
        let plain = runtime
            .block_on(FolderGit::new(self.at()).judge(asked))
            .unwrap();
        assert_eq!(judged, plain, "the cache says something else");
        let here = Here {
            reachable: judged.reachable,
            ..Here::default()
        };
        let head = self.git(&["rev-parse", "HEAD"]);
        let tips = self.git(&["for-each-ref", "--format=%(objectname)", "refs/heads"]);
        let mut tips: BTreeSet<String> = tips.lines().map(str::to_owned).collect();
        tips.extend(self.claimed().iter().map(CommitId::to_string));
        let all = self.reached(&head).union(&tips).cloned().collect();
        self.read_patches(&all);
        for task in self.tasks.clone() {
            let commits = task.claims[0].commits.clone();
            let all = commits
                .iter()
                .all(|commit| self.oracle(commit.as_str(), &head, &tips));
            let expect = if all {
                TaskStatus::Done
            } else {
                TaskStatus::Pending
            };
            let graph = || {
                let git = |args: &[&str]| crate::make::git(self.dir.path(), args);
                let mut told = git(&["log", "--all", "--graph", "--format=%H %s"]);
                for commit in &commits {
                    let found = here.reachable.rewritten_to(commit).unwrap_or(commit);
                    told += &git(&["show", "-m", commit.as_str(), found.as_str()]);
                }
                told
            };
            assert_eq!(
                status_at(&task, &here),
                expect,
                "{} at {head}\n{}",
                task.title,
                graph()
            );
            seen.judged += 1;
            let rewritten = |commit: &CommitId| here.reachable.rewritten_to(commit).is_some();
            seen.rewritten += usize::from(all && commits.iter().any(rewritten));
        }
    }
}

#[derive(Default)]
struct Seen {
    judged: usize,
    rewritten: usize,
}

#[test]
fn every_status_is_what_git_says() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let seen = std::cell::RefCell::new(Seen::default());
    let config = ProptestConfig {
        cases: 20,
        max_shrink_iters: 60,
        rng_seed: RngSeed::Fixed(4),
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let ops = proptest::collection::vec((op(), proptest::bool::weighted(0.5)), 20..32);
    proptest!(config, |(ops in ops)| {
        let mut seen = seen.borrow_mut();
        let mut world = World::new();
        let cache = world.at().join(".git/cache");
        let cached = FolderGit::new(world.at()).with_cache(cache.clone());
        for (op, claims) in &ops {
            world.apply(op);
            // Some commands begin a reflog whatever is configured.
            let _ = std::fs::remove_dir_all(world.at().join(".git/logs"));
            if *claims {
                world.claim();
            }
            let asked = world.asked();
            let judged = runtime.block_on(cached.judge(asked.clone())).unwrap();
            let plain = FolderGit::new(world.at());
            prop_assert_eq!(&judged, &runtime.block_on(plain.judge(asked)).unwrap());
            match op {
                Op::Record => {
                    for (named, found) in judged.rewrites {
                        world.recorded.entry(named).or_default().insert(found);
                    }
                }
                Op::Lose => {
                    for entry in std::fs::read_dir(&cache).into_iter().flatten() {
                        std::fs::write(entry.unwrap().path(), "spoilt").unwrap();
                    }
                }
                _ => {}
            }
        }
        world.git(&["reset", "-q", "--hard"]);
        let branches = world.git(&["for-each-ref", "--format=%(refname)", "refs/heads"]);
        for branch in branches.lines() {
            world.git(&["symbolic-ref", "HEAD", branch]);
            world.check(&mut seen, &runtime, &cached);
        }
        world.git(&["checkout", "-qf", "--detach"]);
        for commit in world.claimed().iter().step_by(8) {
            world.git(&["update-ref", "--no-deref", "HEAD", commit.as_str()]);
            world.check(&mut seen, &runtime, &cached);
        }
    });
    let Seen { judged, rewritten } = seen.into_inner();
    // Or the histories say nothing.
    assert!(
        judged > 1_000 && rewritten > 30,
        "{judged} judged, {rewritten} rewritten"
    );
}
