//! What became of branches, with the real git: renamed, copied, deleted, back again. Nothing is guessed and nothing written.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use orch_agents::all;
use orch_core::brief::BriefLimits;
use orch_core::contexts::Branches;
use orch_core::drift::OnDrift;
use orch_protocol::ids::{CommitId, LogId, RunId, ThreadId, TurnId};
use orch_protocol::project::{Project, RunKind};
use orch_protocol::turn::{TokenUsage, TurnKind, TurnRecord, TurnStatus};
use orch_runtime::driver::{Driver, Outcome, Request};
use orch_runtime::git::FolderGit;
use orch_runtime::memory::{FakeClock, MemStore, ScriptedEngine};
use orch_runtime::ports::{Asked, Clock, Git, Ran, SystemClock};

use crate::make::{at, commit, folder, git, repo};

async fn became(dir: &Path, asked: &[&str]) -> Branches {
    let asked: BTreeSet<String> = asked.iter().map(|name| (*name).to_owned()).collect();
    let before = files(&dir.join(".git"));
    let found = FolderGit::new(dir).branches(asked.clone()).await.unwrap();
    assert_eq!(
        before,
        files(&dir.join(".git")),
        "the repository is only read"
    );
    // What git itself says of them.
    for name in asked {
        let is_there = !git(dir, &["for-each-ref", &format!("refs/heads/{name}")])
            .lines()
            .filter(|line| line.ends_with(&format!("\trefs/heads/{name}")))
            .collect::<String>()
            .is_empty();
        assert_eq!(found.gone.contains(&name), !is_there, "{name}");
    }
    found
}

/// Every file below a folder, with its size.
fn files(dir: &Path) -> BTreeMap<PathBuf, u64> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(dir).into_iter().flatten() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => {
                let size = path.metadata().unwrap().len();
                found.insert(path, size);
            }
        }
    }
    found
}

/// Commands of git, one a line, in a repository whose branches `main` and `a` stand at its first commit; then what became
/// of `a`.
async fn check(commands: &str, gone: bool, renamed: Option<&str>) {
    let dir = repo();
    git(dir.path(), &["branch", "a"]);
    for command in commands.lines().map(str::trim) {
        git(dir.path(), &command.split(' ').collect::<Vec<_>>());
    }
    let found = became(dir.path(), &["a", "main"]).await;
    assert_eq!(found.gone.contains("a"), gone, "{commands}");
    let to = found.renamed.get("a").map(String::as_str);
    assert_eq!(to, renamed, "{commands}");
    assert!(!found.renamed.contains_key("main"));
}

#[tokio::test]
async fn a_renamed_branch_is_found_by_its_reflog() {
    let long = "x".repeat(200);
    for to in ["b", "a/x", "A", "🦀/ünï", "HEAD-2", long.as_str()] {
        check(&format!("branch -m a {to}"), true, Some(to)).await;
    }
    // Over and over, packed, worked on since, checked out.
    check(
        "branch -m a b\nbranch -m b c\nbranch -m c d/e",
        true,
        Some("d/e"),
    )
    .await;
    check("branch -m a b\npack-refs --all", true, Some("b")).await;
    check(
        "switch -q a\nbranch -m b\ncommit -q --allow-empty -m on",
        true,
        Some("b"),
    )
    .await;
    // Over another one.
    check("branch b\nbranch -M a b", true, Some("b")).await;
    // To another and back.
    check("branch -m a b\nbranch -m b a", false, None).await;
}

#[tokio::test]
async fn what_is_no_rename_is_not_taken_for_one() {
    check("branch -D a", true, None).await;
    check("branch b a\nbranch -D a", true, None).await;
    // A copy has the reflog of what it is a copy of.
    check("branch -c a b\nbranch -D a", true, None).await;
    check("branch -m a b\nbranch -c b c", true, Some("b")).await;
    check("branch -m a b\nbranch -c b c\nbranch -D b", true, None).await;
    // There again.
    check("branch -m a b\nbranch a", false, None).await;
    check("branch -m a b\nbranch -D b", true, None).await;
    // A commit that says so.
    let dir = repo();
    let says = "Branch: renamed refs/heads/a to refs/heads/main";
    git(dir.path(), &["commit", "-q", "--allow-empty", "-m", says]);
    assert!(became(dir.path(), &["a"]).await.renamed.is_empty());
    // Where no reflogs are kept, nothing is known.
    let dir = repo();
    git(dir.path(), &["config", "core.logAllRefUpdates", "false"]);
    git(dir.path(), &["branch", "a"]);
    git(dir.path(), &["branch", "-m", "a", "b"]);
    let found = became(dir.path(), &["a"]).await;
    assert!(found.gone.contains("a") && found.renamed.is_empty());
}

#[tokio::test]
async fn of_two_that_had_the_name_the_later_counts() {
    let dir = repo();
    let rename = |to: &str, time: &str| {
        git(dir.path(), &["branch", "a"]);
        let out = std::process::Command::new("git")
            .current_dir(dir.path())
            .args([
                "-c",
                "user.name=t",
                "-c",
                "user.email=t@localhost",
                "branch",
                "-m",
                "a",
                to,
            ])
            .env("GIT_COMMITTER_DATE", time)
            .status();
        assert!(out.unwrap().success());
    };
    rename("b", "2026-01-01T00:00:00Z");
    rename("c", "2026-01-01T00:00:09Z");
    let found = became(dir.path(), &["a"]).await;
    assert_eq!(found.renamed["a"], "c");
    // In the same second nobody can tell.
    rename("d", "2026-01-01T00:00:09Z");
    assert!(became(dir.path(), &["a"]).await.renamed.is_empty());
}

#[tokio::test]
async fn hostile_names_are_asked_for_and_nothing_happens() {
    let dir = repo();
    git(dir.path(), &["branch", "feat/x"]);
    let asked = ["feat", "feat/x", "feat/y", "Main", "HEAD"];
    let found = became(dir.path(), &asked).await;
    let gone: Vec<&str> = found.gone.iter().map(String::as_str).collect();
    assert_eq!(gone, ["HEAD", "Main", "feat", "feat/y"]);
    // What no branch can be called has never been one.
    let long = "y".repeat(250);
    let odd = [
        "../../etc/passwd",
        "feat/../etc",
        "",
        "a..b",
        "a b",
        "x\u{fffd}",
        "\0",
        long.as_str(),
    ];
    let asked = odd.iter().map(|name| (*name).to_owned()).collect();
    let found = FolderGit::new(dir.path()).branches(asked).await.unwrap();
    assert_eq!(found.gone, BTreeSet::from([long]));
    let outside = tempfile::tempdir_in("/")
        .or_else(|_| tempfile::tempdir())
        .unwrap();
    let asked = BTreeSet::from(["main".to_owned()]);
    let found = FolderGit::new(outside.path())
        .branches(asked)
        .await
        .unwrap();
    assert_eq!(found, Branches::default());
}

#[tokio::test]
async fn the_trunk_is_what_git_says() {
    let dir = repo();
    let trunk = || async { became(dir.path(), &[]).await.trunk };
    assert_eq!(trunk().await.as_deref(), Some("main"));
    git(dir.path(), &["branch", "master"]);
    assert_eq!(trunk().await, None);
    let clone = folder();
    git(dir.path(), &["switch", "-q", "-c", "develop"]);
    git(
        clone.path(),
        &["clone", "-q", &dir.path().to_string_lossy(), "."],
    );
    git(clone.path(), &["switch", "-q", "-c", "topic"]);
    let found = became(clone.path(), &["develop"]).await;
    assert_eq!(found.trunk.as_deref(), Some("develop"));
}

/// A project whose runs are driven in a real repository.
struct Here {
    dir: tempfile::TempDir,
    store: MemStore,
    runs: i64,
}

impl Here {
    fn new() -> Self {
        Self {
            dir: repo(),
            store: MemStore::new(LogId::new("l")),
            runs: 0,
        }
    }

    /// One run that leaves a turn with `request`; what is known then.
    async fn run(&mut self, kind: RunKind, request: &str) -> Project {
        self.runs += 1;
        let thread = ThreadId::new("thread-1");
        let turn = TurnRecord {
            thread: thread.clone(),
            turn: TurnId::new(format!("turn-{}", self.runs)),
            kind: TurnKind::User,
            status: TurnStatus::Completed,
            started_at: None,
            ended_at: None,
            request: request.to_owned(),
            cwd: None,
            model: None,
            events: Vec::new(),
            events_dropped: 0,
            usage: TokenUsage::default(),
            commits: Vec::new(),
        };
        let ran = Ran {
            exit_code: Some(0),
            thread: Some(thread),
            turns: vec![turn],
            ..Ran::default()
        };
        let mut engine = ScriptedEngine {
            runs: [ran].into(),
            ..ScriptedEngine::default()
        };
        let (agents, clock) = (all(), FakeClock::new(at(self.runs * 1_000)));
        let repository = FolderGit::new(self.dir.path());
        let mut driver = Driver {
            store: &mut self.store,
            git: &repository,
            engine: &mut engine,
            agents: &agents,
            clock: &clock,
            limits: BriefLimits::default(),
            tell: &mut |_| {},
        };
        let driven = driver.run(Request {
            run: RunId::new(format!("run-{}", self.runs)),
            kind,
            cwd: "/r".to_owned(),
            codex_home: "/h".to_owned(),
            on_drift: OnDrift::Stop,
            outlives: false,
        });
        let outcome = driven.await.unwrap();
        assert!(
            matches!(outcome, Outcome::Ran { .. }),
            "no drift: {outcome:?}"
        );
        self.store.state.project.clone()
    }
}

fn objectives(project: &Project) -> BTreeMap<&str, Option<&str>> {
    let branches = project.branches.iter();
    branches
        .map(|(name, context)| (name.as_str(), context.objective.as_deref()))
        .collect()
}

#[tokio::test]
async fn a_context_follows_its_branch_through_a_rename_a_deletion_and_back() {
    let mut here = Here::new();
    let at = here.dir.path().to_owned();
    here.run(RunKind::Fresh, "Keep the trunk green").await;
    git(&at, &["switch", "-q", "-c", "old"]);
    here.run(RunKind::Fresh, "Write the parser").await;
    let tip = commit(&at, "parser", "1", "Begin the parser");
    here.run(RunKind::Fresh, "Write the parser").await;

    git(&at, &["branch", "-m", "new"]);
    let thread = ThreadId::new("thread-1");
    // A conversation of the branch goes on: it hasn't moved.
    let project = here.run(RunKind::Resume { thread }, "Go on").await;
    assert_eq!(project.branches.keys().collect::<Vec<_>>(), ["main", "new"]);
    assert!(project.branches["new"].digest.is_some());

    git(&at, &["switch", "-q", "main"]);
    git(&at, &["branch", "-D", "new"]);
    let project = here.run(RunKind::Fresh, "Keep the trunk green").await;
    assert_eq!(
        objectives(&project),
        BTreeMap::from([("main", Some("Keep the trunk green"))])
    );
    assert!(project.archived.contains_key("new"));

    // Another branch of that name is another one.
    git(&at, &["switch", "-q", "-c", "new"]);
    let project = here.run(RunKind::Review, "").await;
    assert_eq!(project.branches["new"].forked_from.as_deref(), Some("main"));
    git(&at, &["switch", "-q", "main"]);
    git(&at, &["branch", "-D", "new"]);
    here.run(RunKind::Fresh, "Keep the trunk green").await;

    git(&at, &["switch", "-q", "-c", "topic", &tip]);
    let project = here.run(RunKind::Fresh, "Take it up").await;
    git(&at, &["switch", "-q", "main"]);
    git(&at, &["branch", "-D", "topic"]);
    let put_away = here.run(RunKind::Fresh, "Keep the trunk green").await;
    let kept = &put_away.archived["topic"].context;
    assert_eq!(*kept, project.branches["topic"]);
    git(&at, &["switch", "-q", "-c", "topic", &tip]);
    commit(&at, "parser", "2", "Further");
    let back = here.run(RunKind::Review, "").await;
    assert_eq!(back.branches["topic"], project.branches["topic"]);
    assert!(!back.archived.contains_key("topic"));
}

#[tokio::test]
async fn where_no_reflog_is_kept_none_is_made_by_looking() {
    let dir = repo();
    std::fs::remove_dir_all(dir.path().join(".git/logs")).unwrap();
    let head = CommitId::new(git(dir.path(), &["rev-parse", "HEAD"]));
    let repository = FolderGit::new(dir.path());
    let before = files(&dir.path().join(".git"));
    let seen = repository.look().await.unwrap().unwrap();
    let missing = CommitId::new("1".repeat(40));
    let asked = Asked {
        claimed: [head, missing].into(),
        ..Asked::default()
    };
    repository.judge(asked).await.unwrap();
    let (since, until) = (at(0), SystemClock.now());
    let made = repository.made_between(seen.clone(), seen, since, until);
    made.await.unwrap();
    assert_eq!(before, files(&dir.path().join(".git")));
}

#[tokio::test]
async fn a_linked_work_tree_says_the_same() {
    let dir = repo();
    let linked = folder();
    let at = linked.path().join("linked");
    git(dir.path(), &["branch", "a"]);
    git(
        dir.path(),
        &["worktree", "add", "-q", &at.to_string_lossy(), "a"],
    );
    git(&at, &["branch", "-m", "b"]);
    let asked = ["a", "b", "main"].map(str::to_owned).into();
    let found = FolderGit::new(&at).branches(asked).await.unwrap();
    assert_eq!(found.renamed, BTreeMap::from([("a".into(), "b".into())]));
    assert_eq!(found.gone, ["a".to_owned()].into());
    // HEAD's reflog is this work tree's own.
    let repository = FolderGit::new(&at);
    let (seen, since) = (repository.look().await.unwrap().unwrap(), SystemClock.now());
    git(&at, &["switch", "-q", "-c", "side"]);
    let made = commit(&at, "side", "1", "on the side");
    git(&at, &["switch", "-q", "b"]);
    let made_between = repository.made_between(seen.clone(), seen, since, SystemClock.now());
    let found = made_between.await.unwrap();
    assert!(found.iter().any(|found| found.id.as_str() == made));
}
