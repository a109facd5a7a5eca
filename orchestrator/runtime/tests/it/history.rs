//! The history of the state: an operation is a commit, git is the oracle, and any of them can be taken back.

use std::path::Path;

use jiff::SignedDuration;
use orch_core::brief::BriefLimits;
use orch_core::command::{Asker, NewTask, TaskCommand};
use orch_core::state::State;
use orch_core::verify::{Known, findings};
use orch_protocol::ids::{CommitId, LogId, TaskId};
use orch_protocol::proposal::TaskEdit;
use orch_protocol::task::{Actor, ClaimState, Origin};
use orch_runtime::driver::Driver;
use orch_runtime::git::FolderGit;
use orch_runtime::ports::{Clock, StateStore, SystemClock, Wanted};
use orch_runtime::store::keep::{bring_back, forgotten};
use orch_runtime::store::{BareStore, log};
use orch_runtime::upstream::RolloutsOnly;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::make::{folder, git};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

fn open(dir: &Path) -> BareStore {
    BareStore::new(dir.join("s"), log::fresh_id(SystemClock.now()))
}

fn asker() -> Asker {
    Asker {
        by: Actor::Person,
        origin: Origin::Person { branch: None },
        branch: Some("main".to_owned()),
        worktree: None,
        head: Some(CommitId::new("1".repeat(40))),
        now: SystemClock.now(),
        nonce: String::new(),
    }
}

/// Runs what a process would: one command, one log, folded and given up at its end.
async fn command(dir: &Path, command: TaskCommand) -> Vec<TaskId> {
    let mut store = open(dir);
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
    let done = driver.command(asker(), command).await.unwrap();
    store.close().unwrap();
    done.unwrap().into_iter().map(|named| named.id).collect()
}

async fn add(dir: &Path, title: &str) -> TaskId {
    let new = NewTask {
        title: title.to_owned(),
        ..NewTask::default()
    };
    command(dir, TaskCommand::Add(new)).await.remove(0)
}

async fn undo(dir: &Path, operation: &CommitId) -> bool {
    let mut store = open(dir);
    let operation = store.operation(operation.as_str()).unwrap().unwrap();
    let versions = store.versions(&operation.id).unwrap();
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
    let has_changed = driver.undo(asker(), &operation, versions).await.unwrap();
    store.close().unwrap();
    has_changed
}

async fn state(dir: &Path) -> State {
    let mut state = open(dir).load(&Wanted::default()).await.unwrap();
    // Which logs there were is no part of what is undone.
    state.folded.clear();
    state
}

fn newest(dir: &Path) -> CommitId {
    open(dir).operations(1).unwrap().remove(0).id
}

#[tokio::test]
async fn an_operation_is_a_commit_that_git_can_read() {
    let dir = folder();
    let id = add(dir.path(), "Write the parser").await;
    let said = TaskCommand::Claim {
        task: id.to_string(),
        state: ClaimState::Blocked,
        reason: Some("waits for Ann".to_owned()),
        commits: Vec::new(),
    };
    command(dir.path(), said).await;
    let bare = dir.path().join("s/store.git");
    let log = git(&bare, &["log", "--format=%s", "refs/codex-orch/state"]);
    assert_eq!(
        log,
        format!("person: claim {id} blocked (and 1 more)\nperson: add {id} Write the parser")
    );
    let store = open(dir.path());
    let operations = store.operations(10).unwrap();
    assert_eq!(operations.len(), 2);
    assert_eq!(operations[1].who, "person");
    assert_eq!(operations[1].what, format!("add {id} Write the parser"));
    assert_eq!(operations[1].code, Some(CommitId::new("1".repeat(40))));
    let ids = git(&bare, &["log", "--format=%H", "refs/codex-orch/state"]);
    let ours: Vec<&str> = operations
        .iter()
        .map(|operation| operation.id.as_str())
        .collect();
    assert_eq!(ids.lines().collect::<Vec<_>>(), ours);
    assert!(store.operation("not-one").unwrap().is_none());
    assert!(store.operation(&ours[0][..12]).unwrap().is_some());
}

#[tokio::test]
async fn what_was_done_after_something_was_seen_comes_after_it_whatever_the_clocks_say() {
    let dir = folder();
    let (mut first, mut second) = (open(dir.path()), open(dir.path()));
    let (git, ahead) = (FolderGit::new(dir.path()), SystemClock.now() + HOUR);
    let mut named = Vec::new();
    for (store, title) in [(&mut first, None), (&mut second, Some("two"))] {
        let mut driver = Driver {
            store,
            git: &git,
            engine: &mut RolloutsOnly,
            agents: &[],
            clock: &SystemClock,
            limits: BriefLimits::default(),
            tell: &mut |_| {},
        };
        let (asker, command) = match title {
            // The first one's clock is ahead of the second one's, and neither has folded.
            None => {
                let now = ahead;
                let new = NewTask {
                    title: "one".to_owned(),
                    ..NewTask::default()
                };
                (Asker { now, ..asker() }, TaskCommand::Add(new))
            }
            Some(title) => {
                let edit = TaskEdit {
                    title: Some(title.to_owned()),
                    ..TaskEdit::default()
                };
                let task = TaskId::to_string(&named[0]);
                (asker(), TaskCommand::Edit { task, edit })
            }
        };
        let done = driver.command(asker, command).await.unwrap().unwrap();
        named.extend(done.into_iter().map(|named| named.id));
    }
    for _ in 0..2 {
        assert_eq!(state(dir.path()).await.tasks[&named[0]].title, "two");
        first.fold().await.unwrap();
    }
}

#[tokio::test]
async fn a_hostile_title_cannot_forge_what_an_operation_says_of_itself() {
    let dir = folder();
    let first = add(dir.path(), "one").await;
    let head = newest(dir.path());
    let forged = format!("x\n\nUndoes: {head}\nBookkeeping: yes\nCode-Commit: 0000");
    add(dir.path(), &forged).await;
    let operation = open(dir.path()).operations(1).unwrap().remove(0);
    assert_eq!(operation.undoes, None);
    assert!(!operation.quiet);
    assert_eq!(operation.code, Some(CommitId::new("1".repeat(40))));
    assert!(state(dir.path()).await.tasks.contains_key(&first));
}

/// What a person may do, one after the other.
#[derive(Debug, Clone)]
enum Step {
    Add(u8),
    Say(u8, ClaimState),
    Edit(u8, u8),
    Need(u8, u8),
}

fn step() -> impl Strategy<Value = Step> {
    use ClaimState::{Active, Blocked, Done, Dropped, Pending};
    let said = proptest::sample::select(vec![Active, Blocked, Done, Dropped, Pending]);
    prop_oneof![
        3 => any::<u8>().prop_map(Step::Add),
        2 => (any::<u8>(), said).prop_map(|(task, said)| Step::Say(task, said)),
        2 => (any::<u8>(), 0u8..5).prop_map(|(task, priority)| Step::Edit(task, priority)),
        1 => (any::<u8>(), any::<u8>()).prop_map(|(task, need)| Step::Need(task, need)),
    ]
}

/// Carries a step out as far as there is something to carry it out on; tells whether it was.
async fn take(dir: &Path, step: &Step) -> bool {
    let ids: Vec<TaskId> = state(dir).await.tasks.into_keys().collect();
    let pick = |n: u8| {
        ids.get(usize::from(n) % ids.len().max(1))
            .map(ToString::to_string)
    };
    let asked = match step {
        Step::Add(n) => {
            add(dir, &format!("task {n}")).await;
            return true;
        }
        Step::Say(task, said) => pick(*task).map(|task| TaskCommand::Claim {
            task,
            state: *said,
            reason: None,
            commits: Vec::new(),
        }),
        Step::Edit(task, priority) => pick(*task).map(|task| TaskCommand::Edit {
            task,
            edit: TaskEdit {
                priority: Some(*priority),
                ..Default::default()
            },
        }),
        Step::Need(task, need) => match (pick(*task), pick(*need)) {
            // An earlier task needs no later one, so that no need is refused.
            (Some(task), Some(need)) if task < need => Some(TaskCommand::Need { task, need }),
            _ => None,
        },
    };
    match asked {
        Some(asked) => {
            command(dir, asked).await;
            true
        }
        None => false,
    }
}

#[test]
fn what_is_undone_is_as_if_it_had_never_been_and_undoing_that_brings_it_back() {
    let mut runner = TestRunner::new(ProptestConfig::with_cases(12));
    let steps = proptest::collection::vec(step(), 1..8);
    runner
        .run(&steps, |steps| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .build()
                .unwrap();
            runtime.block_on(undo_all(&steps));
            Ok(())
        })
        .unwrap();
}

async fn undo_all(steps: &[Step]) {
    let dir = folder();
    let dir = dir.path();
    let mut passed = vec![state(dir).await];
    let mut operations = Vec::new();
    for step in steps {
        if take(dir, step).await {
            passed.push(state(dir).await);
            operations.push(newest(dir));
        }
    }
    for (at, operation) in operations.iter().enumerate().rev() {
        let changed = passed[at] != passed[at + 1];
        assert_eq!(undo(dir, operation).await, changed);
        assert_eq!(state(dir).await, passed[at], "{:?}", steps);
        if changed {
            let undoing = newest(dir);
            assert!(undo(dir, &undoing).await);
            assert_eq!(state(dir).await, passed[at + 1], "the undoing undone");
            let again = newest(dir);
            assert!(undo(dir, &again).await);
            assert_eq!(state(dir).await, passed[at]);
        }
    }
    let found = findings(&state(dir).await, &Known::default());
    assert!(found.is_empty(), "{found:?}");
}

#[tokio::test]
async fn what_came_later_stays_when_something_in_the_middle_is_undone() {
    let dir = folder();
    let one = add(dir.path(), "one").await;
    let added = newest(dir.path());
    let two = add(dir.path(), "two").await;
    assert!(undo(dir.path(), &added).await);
    let state = state(dir.path()).await;
    assert!(!state.tasks.contains_key(&one) && state.tasks.contains_key(&two));
}

#[tokio::test]
async fn a_store_of_the_first_schema_is_brought_forward_and_kept_as_it_was() {
    let dir = folder();
    let bare = dir.path().join("s/store.git");
    std::fs::create_dir_all(&bare).unwrap();
    git(&bare, &["init", "-q", "--bare", "."]);
    let tree = dir.path().join("tree");
    std::fs::create_dir_all(tree.join("tasks")).unwrap();
    let first = TaskId::from_seed(&["old"]);
    let task = serde_json::json!({"id": first, "title": "An old task", "origin": {"from": "person", "branch": null},
        "created_at": "2026-11-01T00:00:00Z"});
    let shard = format!("tasks/{}.json", &first.as_str()[..1]);
    std::fs::write(
        tree.join(&shard),
        serde_json::json!({"tasks": [task]}).to_string(),
    )
    .unwrap();
    std::fs::write(tree.join("schema.json"), r#"{"schema": 1}"#).unwrap();
    std::fs::write(tree.join("project_state.json"), "{}").unwrap();
    std::fs::write(tree.join("folded.json"), "{}").unwrap();
    let top = format!("--work-tree={}", tree.display());
    git(&bare, &[&top, "add", "-A"]);
    let made = git(&bare, &["write-tree"]);
    let made = git(
        &bare,
        &[
            "-c",
            "user.name=a",
            "-c",
            "user.email=a@b",
            "commit-tree",
            "-m",
            "old",
            made.trim(),
        ],
    );
    git(&bare, &["update-ref", "refs/codex-orch/state", made.trim()]);
    assert_eq!(
        state(dir.path()).await.tasks[&first].title,
        "An old task",
        "read as it is"
    );
    let new = add(dir.path(), "A new task").await;
    let state = state(dir.path()).await;
    assert!(state.tasks.contains_key(&first) && state.tasks.contains_key(&new));
    assert_eq!(
        git(&bare, &["rev-parse", "refs/codex-orch/kept/schema-1"]),
        made,
        "what it was is kept"
    );
    let files = git(
        &bare,
        &[
            "ls-tree",
            "-r",
            "--name-only",
            "refs/codex-orch/state",
            "tasks/",
        ],
    );
    assert!(
        files
            .lines()
            .all(|path| path.len() == "tasks/a/b.json".len()),
        "{files}"
    );
    assert_eq!(git(&bare, &["fsck", "--strict", "--no-dangling"]), "");
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_never_rewritten() {
    let dir = folder();
    add(dir.path(), "one").await;
    let bare = dir.path().join("s/store.git");
    let blob = dir.path().join("schema");
    std::fs::write(&blob, r#"{"schema": 99}"#).unwrap();
    let id = git(&bare, &["hash-object", "-w", blob.to_str().unwrap()]);
    git(&bare, &["read-tree", "refs/codex-orch/state"]);
    let entry = format!("100644,{},schema.json", id.trim());
    git(&bare, &["update-index", "--cacheinfo", &entry]);
    let tree = git(&bare, &["write-tree"]);
    let made = git(
        &bare,
        &[
            "-c",
            "user.name=a",
            "-c",
            "user.email=a@b",
            "commit-tree",
            "-m",
            "newer",
            tree.trim(),
        ],
    );
    git(&bare, &["update-ref", "refs/codex-orch/state", made.trim()]);
    let mut store = open(dir.path());
    let refused = store.load(&Wanted::default()).await.unwrap_err();
    assert!(refused.to_string().contains("schema 99"), "{refused}");
    assert!(refused.hint().contains("update codex-orch"));
    assert!(store.fold().await.is_err() || newest_is(&bare, made.trim()));
    assert!(newest_is(&bare, made.trim()));
}

fn newest_is(bare: &Path, commit: &str) -> bool {
    git(bare, &["rev-parse", "refs/codex-orch/state"]).trim() == commit
}

#[tokio::test]
async fn many_operations_are_folded_at_once_one_commit_each_in_one_pack() {
    let dir = folder();
    let log = LogId::new("20260101T000000000-1-many");
    let mut store = BareStore::new(dir.path().join("s"), log.clone());
    for seq in 1..=40 {
        let mut fact = crate::make::added(&log, seq, &format!("task {seq}"));
        fact.op = seq;
        store.append(&[fact]).await.unwrap();
    }
    store.close().unwrap();
    let bare = dir.path().join("s/store.git");
    assert_eq!(open(dir.path()).operations(100).unwrap().len(), 40);
    assert_eq!(git(&bare, &["fsck", "--strict", "--no-dangling"]), "");
    assert_eq!(state(dir.path()).await.tasks.len(), 40);
    open(dir.path()).pack().unwrap();
    assert_eq!(git(&bare, &["fsck", "--strict", "--no-dangling"]), "");
    assert_eq!(
        state(dir.path()).await.tasks.len(),
        40,
        "packed, and all there"
    );
}

#[tokio::test]
async fn an_outline_says_the_same_of_the_graph_as_the_whole_and_heals() {
    let dir = folder();
    for n in 0..30 {
        add(dir.path(), &format!("task {n}")).await;
    }
    let outline = || async {
        let wanted = Wanted::backlog(orch_runtime::ports::Backlog::Outline);
        open(dir.path()).load(&wanted).await.unwrap().tasks
    };
    let whole = state(dir.path()).await.tasks;
    assert_eq!(outline().await, whole);
    let cache = dir.path().join("s/cache/outline");
    assert!(cache.exists());
    for bytes in [&b""[..], b"codex-orch outline 1\n", &[255; 4096]] {
        std::fs::write(&cache, bytes).unwrap();
        assert_eq!(outline().await, whole, "whatever stands in the cache");
    }
    let mut damaged = std::fs::read(&cache).unwrap_or_default();
    damaged.truncate(damaged.len() / 2);
    std::fs::write(&cache, damaged).unwrap();
    add(dir.path(), "one more").await;
    assert_eq!(outline().await, state(dir.path()).await.tasks);
}

#[tokio::test]
async fn what_is_set_aside_can_be_brought_back() {
    let dir = folder();
    let id = add(dir.path(), "one").await;
    let store = open(dir.path());
    let place = store.dir().to_owned();
    let aside = store.forget(SystemClock.now()).unwrap();
    assert!(state(dir.path()).await.tasks.is_empty());
    assert_eq!(forgotten(&place), std::slice::from_ref(&aside));
    bring_back(&aside, &place).unwrap();
    assert!(state(dir.path()).await.tasks.contains_key(&id));
    assert!(
        bring_back(&aside, &place).is_err(),
        "never over another one"
    );
}

#[tokio::test]
async fn every_file_is_checked_and_what_is_wrong_is_told() {
    let dir = folder();
    let id = add(dir.path(), "one").await;
    let checked = open(dir.path()).check().unwrap();
    assert!(checked.findings.is_empty(), "{:?}", checked.findings);
    assert_eq!(checked.state.tasks.len(), 1);
    let bare = dir.path().join("s/store.git");
    let path = orch_runtime::store::files::Shard::of(&id).path("tasks");
    let blob = dir.path().join("blob");
    std::fs::write(&blob, "{\"tasks\": [oops").unwrap();
    let bad = git(&bare, &["hash-object", "-w", blob.to_str().unwrap()]);
    git(&bare, &["read-tree", "refs/codex-orch/state"]);
    git(
        &bare,
        &[
            "update-index",
            "--cacheinfo",
            &format!("100644,{},{path}", bad.trim()),
        ],
    );
    let tree = git(&bare, &["write-tree"]);
    let made = git(
        &bare,
        &[
            "-c",
            "user.name=a",
            "-c",
            "user.email=a@b",
            "commit-tree",
            "-m",
            "bad",
            tree.trim(),
        ],
    );
    git(&bare, &["update-ref", "refs/codex-orch/state", made.trim()]);
    let checked = open(dir.path()).check().unwrap();
    assert_eq!(checked.findings.len(), 1);
    assert_eq!(checked.findings[0].place, path);
    let refused = open(dir.path()).load(&Wanted::default()).await.unwrap_err();
    assert!(refused.to_string().contains(&path), "{refused}");
}

#[tokio::test]
async fn sessions_of_long_ago_leave_for_the_archive_and_are_found_by_their_thread() {
    use orch_protocol::fact::Event;
    use orch_protocol::ids::{RunId, SessionId, ThreadId};
    use orch_protocol::session::Digest;
    use orch_runtime::store::sessions::KEPT;
    let dir = folder();
    let log = LogId::new("20260101T000000000-1-sessions");
    let mut store = BareStore::new(dir.path().join("s"), log.clone());
    let thread = |n: usize| ThreadId::new(format!("thread{n:08}"));
    let name = |n: usize| {
        let at = crate::make::at(n as i64);
        orch_core::name::session_id(at, Some("main"), &thread(n))
    };
    let mut seq = 0;
    let mut fact = |event: Event| {
        seq += 1;
        crate::make::fact(&log, seq, event)
    };
    let opened = |n: usize, session: SessionId| Event::SessionOpened {
        session,
        thread: thread(n),
        branch: Some("main".to_owned()),
        run: RunId::new(format!("run-{n}")),
    };
    let mut facts = Vec::new();
    for n in 0..KEPT + 3 {
        facts.push(fact(opened(n, name(n))));
        let digest = Digest {
            at: crate::make::at(0),
            goal: format!("goal {n}"),
            changes: Vec::new(),
            commits: Vec::new(),
            open_ends: Vec::new(),
            next_actions: Vec::new(),
        };
        // The second one was never summed up: it has to stay.
        if n != 1 {
            facts.push(fact(Event::SessionDigested {
                session: name(n),
                digest,
                journal: format!("2026-01-01_main_{n}"),
                text: "text".to_owned(),
            }));
        }
    }
    store.append(&facts).await.unwrap();
    store.fold().await.unwrap();
    // They leave with the next operation.
    store
        .append(&[fact(opened(0, name(KEPT + 1)))])
        .await
        .unwrap();
    store.fold().await.unwrap();
    let bare = dir.path().join("s/store.git");
    let there = |folder: &str| {
        let out = git(
            &bare,
            &["ls-tree", "--name-only", "refs/codex-orch/state", folder],
        );
        out.lines().count()
    };
    assert_eq!(
        (there("archive/sessions/"), there("sessions/")),
        (2, KEPT + 1)
    );
    assert_eq!(store.sessions().unwrap().len(), KEPT + 3, "all are known");
    let loaded = store.load(&Wanted::of(&[thread(0)])).await.unwrap();
    assert_eq!(
        loaded.sessions[&name(0)].digest.as_ref().unwrap().goal,
        "goal 0"
    );
    assert!(store.check().unwrap().findings.is_empty());
    // Taken up again it stands in its old place, once.
    store.append(&[fact(opened(0, name(0)))]).await.unwrap();
    store.fold().await.unwrap();
    assert_eq!(store.sessions().unwrap().len(), KEPT + 3);
    assert_eq!(there("archive/sessions/") + there("sessions/"), KEPT + 3);
}
