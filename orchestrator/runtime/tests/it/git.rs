//! Looks and walks, with the real git as the oracle.

use std::collections::BTreeSet;

use orch_protocol::git::{Head, Operation};
use orch_protocol::ids::CommitId;
use orch_runtime::git::FolderGit;
use orch_runtime::ports::{Asked, Clock, Git, SystemClock};

use crate::make::{commit, folder, git, repo};

#[tokio::test]
async fn a_look_says_what_git_says() {
    let dir = repo();
    let at = dir.path();
    let look = || async { FolderGit::new(at).look().await.unwrap().unwrap() };
    let seen = look().await;
    let head = git(at, &["rev-parse", "HEAD"]);
    assert_eq!(
        seen.head,
        Head::Branch {
            name: "main".into(),
            commit: CommitId::new(&head)
        }
    );
    assert!(seen.dirty.is_empty() && seen.operation.is_none());

    std::fs::write(at.join("new file"), "x").unwrap();
    std::fs::write(at.join("README"), "changed\n").unwrap();
    let dirty: Vec<String> = look()
        .await
        .dirty
        .into_iter()
        .map(|file| file.path)
        .collect();
    assert_eq!(dirty, ["README", "new file"]);
    assert_eq!(
        look().await.dirty[0].blob,
        git(at, &["hash-object", "README"])
    );

    git(at, &["checkout", "-q", "--detach"]);
    assert_eq!(
        look().await.head,
        Head::Detached {
            commit: CommitId::new(&head)
        }
    );
    git(at, &["checkout", "-q", "--", "README"]);
    git(at, &["switch", "-q", "--orphan", "empty"]);
    assert_eq!(
        look().await.head,
        Head::Unborn {
            name: "empty".into()
        }
    );
}

#[tokio::test]
async fn an_unfinished_merge_is_seen() {
    let dir = repo();
    let at = dir.path();
    git(at, &["switch", "-q", "-c", "other"]);
    commit(at, "README", "theirs\n", "theirs");
    git(at, &["switch", "-q", "main"]);
    commit(at, "README", "ours\n", "ours");
    let merged = std::process::Command::new("git")
        .current_dir(at)
        .args(["merge", "other"])
        .output()
        .unwrap();
    assert!(!merged.status.success(), "the test wants a conflict");
    assert_eq!(
        FolderGit::new(at).look().await.unwrap().unwrap().operation,
        Some(Operation::Merge)
    );
}

#[tokio::test]
async fn no_repository_is_no_error() {
    // The checkout of this project is a repository itself: look from outside of it.
    let dir = tempfile::tempdir_in("/")
        .or_else(|_| tempfile::tempdir())
        .unwrap();
    assert!(FolderGit::new(dir.path()).look().await.unwrap().is_none());
}

#[tokio::test]
async fn reachable_agrees_with_merge_base() {
    let dir = repo();
    let at = dir.path();
    let base = git(at, &["rev-parse", "HEAD"]);
    git(at, &["switch", "-q", "-c", "side"]);
    let side = commit(at, "side", "1", "side");
    git(at, &["switch", "-q", "main"]);
    let main = commit(at, "main", "1", "main");
    let asked: BTreeSet<CommitId> = [
        &base,
        &side,
        &main,
        "0000000000000000000000000000000000000000",
        "no commit",
    ]
    .map(CommitId::new)
    .into();
    for step in ["main", "side", "merged"] {
        if step == "merged" {
            git(at, &["merge", "-q", "--no-edit", "main"]);
        } else {
            git(at, &["switch", "-q", step]);
        }
        let asked = Asked {
            heads: asked.clone(),
            ..Asked::default()
        };
        let judged = FolderGit::new(at).judge(asked).await.unwrap();
        let found = judged.reachable;
        for commit in [&base, &side, &main] {
            let oracle = std::process::Command::new("git")
                .current_dir(at)
                .args(["merge-base", "--is-ancestor", commit, "HEAD"])
                .status()
                .unwrap();
            assert_eq!(
                found.contains(&CommitId::new(commit)),
                oracle.success(),
                "{commit} on {step}"
            );
        }
        assert!(!found.contains(&CommitId::new("no commit")));
    }
}

#[tokio::test]
async fn a_relation_counts_what_rev_list_counts() {
    let dir = repo();
    let at = dir.path();
    let look = || async { FolderGit::new(at).look().await.unwrap().unwrap() };
    let before = look().await;
    commit(at, "a", "1", "one");
    commit(at, "b", "1", "two");
    let ahead = look().await;
    let relation = FolderGit::new(at)
        .relation(before.clone(), ahead.clone(), None)
        .await
        .unwrap();
    assert!(relation.expected_in_seen && relation.expected_branch_merged);
    assert_eq!((relation.incoming_total, relation.outgoing_total), (2, 0));
    assert_eq!(relation.incoming[0].subject, "two");
    assert_eq!(relation.incoming[0].files, ["b"]);

    git(at, &["reset", "-q", "--hard", "HEAD~2"]);
    commit(at, "c", "1", "rewritten");
    let rewritten = FolderGit::new(at)
        .relation(ahead, look().await, None)
        .await
        .unwrap();
    assert!(!rewritten.expected_in_seen);
    assert_eq!((rewritten.incoming_total, rewritten.outgoing_total), (1, 2));
}

#[tokio::test]
async fn commits_of_a_turn_are_those_made_in_it() {
    let dir = repo();
    let at = dir.path();
    let look = || async { FolderGit::new(at).look().await.unwrap().unwrap() };
    // An old commit on another branch, merged during the turn: reachable now, but made long before.
    git(at, &["switch", "-q", "-c", "old"]);
    std::fs::write(at.join("old"), "1").unwrap();
    git(at, &["add", "old"]);
    let old = std::process::Command::new("git")
        .current_dir(at)
        .args([
            "-c",
            "user.name=t",
            "-c",
            "user.email=t@localhost",
            "commit",
            "-qm",
            "old",
        ])
        .env("GIT_COMMITTER_DATE", "2001-01-01T00:00:00Z")
        .status()
        .unwrap();
    assert!(old.success());
    git(at, &["switch", "-q", "main"]);
    let (before, began) = (look().await, SystemClock.now());
    let made = commit(at, "new", "1", "made in the turn");
    git(at, &["merge", "-q", "--no-edit", "old"]);
    let merge = git(at, &["rev-parse", "HEAD"]);
    let until = SystemClock.now();
    let found = FolderGit::new(at)
        .made_between(before, look().await, began, until)
        .await
        .unwrap();
    let ids: Vec<String> = found.iter().map(|commit| commit.id.to_string()).collect();
    assert_eq!(ids, [made, merge]);
}

#[test]
fn a_bare_repository_is_no_work_tree() {
    let dir = folder();
    git(dir.path(), &["init", "-q", "--bare", "."]);
    assert_eq!(orch_runtime::git::find(dir.path()), None);
}

#[tokio::test]
async fn a_branch_that_was_left_within_the_turn_gives_its_commits_too() {
    let dir = repo();
    let at = dir.path();
    let look = || async { FolderGit::new(at).look().await.unwrap().unwrap() };
    let (before, began) = (look().await, SystemClock.now());
    git(at, &["switch", "-q", "-c", "fix"]);
    let fixed = commit(at, "fix", "1", "fixed");
    git(at, &["switch", "-q", "main"]);
    let after = look().await;
    assert_eq!(before.head, after.head);
    let until = SystemClock.now();
    let git = FolderGit::new(at);
    let found = git.made_between(before, after, began, until);
    let ids: Vec<String> = found
        .await
        .unwrap()
        .iter()
        .map(|made| made.id.to_string())
        .collect();
    // The first commit was made within the same second as the turn began.
    assert!(ids.contains(&fixed), "{ids:?}");
}

#[tokio::test]
async fn a_branch_that_held_the_expected_head_before_has_merged_nothing() {
    let dir = repo();
    let at = dir.path();
    let look = || async { FolderGit::new(at).look().await.unwrap().unwrap() };
    let expected = look().await;
    git(at, &["switch", "-q", "-c", "feature"]);
    let known = CommitId::new(commit(at, "f", "1", "feature"));
    let seen = look().await;
    let git = FolderGit::new(at);
    let ask = |known| git.relation(expected.clone(), seen.clone(), known);
    assert!(ask(Some(known)).await.unwrap().expected_known_there);
    assert!(!ask(None).await.unwrap().expected_known_there);
}
