//! Two clones of a project, each with a store of its own that began as the same: what both have done is merged over the
//! state that they had in common, with real stores.

use std::path::Path;
use std::process::Command;

use orch_core::brief::BriefLimits;
use orch_core::command::{Asker, NewTask, TaskCommand};
use orch_core::graph::is_acyclic;
use orch_core::merge::{Lost, merge_into};
use orch_core::state::State;
use orch_protocol::ids::{CommitId, TaskId};
use orch_protocol::proposal::TaskEdit;
use orch_protocol::task::{Actor, ClaimState, Origin};
use orch_protocol::tasks::Tasks;
use orch_runtime::driver::Driver;
use orch_runtime::git::FolderGit;
use orch_runtime::ports::{Clock, StateStore, SystemClock, Wanted};
use orch_runtime::store::{BareStore, log};
use orch_runtime::upstream::RolloutsOnly;

use crate::make::{folder, git};

fn open(clone: &Path) -> BareStore {
    BareStore::new(clone.join("store"), log::fresh_id(SystemClock.now()))
}

/// Carries commands out, each as a process of its own would.
async fn run(clone: &Path, commands: Vec<TaskCommand>) -> Vec<TaskId> {
    let mut touched = Vec::new();
    for command in commands {
        let mut store = open(clone);
        let mut driver = Driver {
            store: &mut store,
            git: &FolderGit::new(clone),
            engine: &mut RolloutsOnly,
            agents: &[],
            clock: &SystemClock,
            limits: BriefLimits::default(),
            tell: &mut |_| {},
        };
        let asker = Asker {
            by: Actor::Person,
            origin: Origin::Person { branch: None },
            branch: Some("main".to_owned()),
            worktree: None,
            head: None,
            now: SystemClock.now(),
            nonce: String::new(),
        };
        let done = driver.command(asker, command).await.unwrap().unwrap();
        touched.extend(done.into_iter().map(|named| named.id));
        store.close().unwrap();
    }
    touched
}

fn add(title: &str) -> TaskCommand {
    TaskCommand::Add(NewTask {
        title: title.to_owned(),
        ..NewTask::default()
    })
}

fn edit(task: &TaskId, edit: TaskEdit) -> TaskCommand {
    TaskCommand::Edit {
        task: task.to_string(),
        edit,
    }
}

fn said(task: &TaskId, state: ClaimState, reason: &str) -> TaskCommand {
    TaskCommand::Claim {
        task: task.to_string(),
        state,
        reason: Some(reason.to_owned()),
        commits: Vec::new(),
    }
}

fn need(task: &TaskId, need: &TaskId) -> TaskCommand {
    TaskCommand::Need {
        task: task.to_string(),
        need: need.to_string(),
    }
}

async fn state(clone: &Path) -> State {
    open(clone).load(&Wanted::default()).await.unwrap()
}

fn head(clone: &Path) -> CommitId {
    open(clone).head().unwrap().unwrap()
}

/// A clone with three tasks, one beside it with a copy of its store, and the state commit that both have.
async fn cloned(dir: &Path) -> (Vec<TaskId>, CommitId) {
    let ours = dir.join("ours");
    let ids = run(&ours, vec![add("One"), add("Two"), add("Three")]).await;
    let copied = Command::new("cp")
        .arg("-r")
        .args([&ours, &dir.join("theirs")])
        .status();
    assert!(copied.unwrap().success());
    (ids, head(&ours))
}

/// The base as the store has it, and both ways of merging.
async fn merged(dir: &Path, base: &CommitId) -> (Tasks, Vec<String>) {
    let (ours, theirs) = (dir.join("ours"), dir.join("theirs"));
    // Git says the same of where the two parted.
    let bare = theirs.join("store/store.git");
    let url = ours.join("store/store.git").display().to_string();
    git(
        &bare,
        &["fetch", "-q", &url, "refs/codex-orch/state:refs/other"],
    );
    let parted = git(
        &bare,
        &["merge-base", "refs/codex-orch/state", "refs/other"],
    );
    assert_eq!(parted, base.as_str());

    let common = open(&ours).state_at(base).unwrap().unwrap().tasks;
    let other = open(&theirs).state_at(base).unwrap().unwrap().tasks;
    assert_eq!(common, other);
    let [ours, theirs] = [state(&ours).await.tasks, state(&theirs).await.tasks];
    let (mut there, mut back) = (ours.clone(), theirs.clone());
    let lost = merge_into(&common, &mut there, &theirs);
    let lost_back = merge_into(&common, &mut back, &ours);
    assert_eq!(there, back, "both directions are the same");
    let why = |lost: Vec<Lost>| {
        let mut why: Vec<String> = lost.into_iter().map(|lost| lost.why).collect();
        why.sort();
        why
    };
    let lost = why(lost);
    assert_eq!(lost, why(lost_back));
    assert!(is_acyclic(&there));
    (there, lost)
}

#[tokio::test]
async fn what_two_clones_did_apart_is_all_there_and_nothing_is_in_conflict() {
    let dir = folder();
    let (ids, base) = cloned(dir.path()).await;
    let [one, two, three] = ids.as_slice() else {
        panic!("{ids:?}")
    };
    let (ours, theirs) = (dir.path().join("ours"), dir.path().join("theirs"));
    let note = |text: &str| TaskEdit {
        note: Some(text.to_owned()),
        ..TaskEdit::default()
    };
    // Different fields of one task, different tasks, and both say, need and add.
    let title = TaskEdit {
        title: Some("One, renamed here".to_owned()),
        ..note("seen here")
    };
    let mine = vec![
        edit(one, title),
        said(two, ClaimState::Active, "begun here"),
        need(two, one),
        add("Added here"),
    ];
    let ours_added = run(&ours, mine).await.pop().unwrap();
    let owner = TaskEdit {
        owner: Some("ann".to_owned()),
        priority: Some(0),
        ..note("seen there")
    };
    let others = vec![
        edit(one, owner),
        said(three, ClaimState::Done, "done there"),
        said(two, ClaimState::Blocked, "blocked there"),
        need(three, two),
        add("Added there"),
    ];
    let theirs_added = run(&theirs, others).await.pop().unwrap();

    let (tasks, lost) = merged(dir.path(), &base).await;
    assert_eq!(lost, Vec::<String>::new());
    assert_eq!(tasks.len(), 5);
    let task = &tasks[one];
    assert_eq!(task.title, "One, renamed here");
    assert_eq!((task.owner.as_deref(), task.priority), (Some("ann"), 0));
    assert_eq!(task.notes, ["seen here", "seen there"]);
    let reasons = |id: &TaskId| -> Vec<&str> {
        let claims = tasks[id].claims.iter();
        claims.filter_map(|claim| claim.reason.as_deref()).collect()
    };
    assert_eq!(reasons(two), ["begun here", "blocked there"]);
    assert_eq!(reasons(three), ["done there"]);
    assert_eq!(tasks[two].needs, std::slice::from_ref(one));
    assert_eq!(tasks[three].needs, std::slice::from_ref(two));
    assert_eq!(tasks[&ours_added].title, "Added here");
    assert_eq!(tasks[&theirs_added].title, "Added there");
}

#[tokio::test]
async fn what_two_clones_did_against_each_other_is_decided_alike_and_the_loser_is_told() {
    let dir = folder();
    let (ids, base) = cloned(dir.path()).await;
    let (ours, theirs) = (dir.path().join("ours"), dir.path().join("theirs"));
    let title = |text: &str| TaskEdit {
        title: Some(text.to_owned()),
        ..TaskEdit::default()
    };
    let mine = vec![edit(&ids[0], title("Short")), need(&ids[0], &ids[1])];
    run(&ours, mine).await;
    let others = vec![edit(&ids[0], title("Longer")), need(&ids[1], &ids[0])];
    run(&theirs, others).await;
    let (tasks, lost) = merged(dir.path(), &base).await;
    assert_eq!(tasks[&ids[0]].title, "Longer");
    assert_eq!(lost.len(), 2, "a title, and an edge of the cycle: {lost:?}");
}
