//! Where the state is kept: in the clone when it is trusted and can be written, in upstream's home otherwise.

use orch_protocol::ids::LogId;
use orch_runtime::place::{Aside, Place};
use orch_runtime::ports::{StateStore, Wanted};
use orch_runtime::store::BareStore;

use crate::make::{added, folder, git, repo};

#[test]
fn a_trusted_clone_keeps_its_own_state() {
    let (repo, home) = (repo(), folder());
    let inside = repo.path().join("src");
    std::fs::create_dir(&inside).unwrap();
    let top = repo.path().canonicalize().unwrap();
    let place = Place::of(&inside, home.path(), |folder| folder == top);
    assert_eq!(place.store, top.join(".git/codex-orch"));
    assert_eq!(place.checkout, Some(top.join(".codex-orch")));
    assert_eq!(place.aside, None);
}

#[test]
fn an_untrusted_clone_is_left_alone() {
    let (repo, home) = (repo(), folder());
    let place = Place::of(repo.path(), home.path(), |_| false);
    assert!(place.store.starts_with(home.path()));
    assert_eq!(
        (place.checkout, place.aside),
        (None, Some(Aside::Untrusted))
    );
}

#[test]
fn work_trees_of_one_clone_share_their_state() {
    let (repo, home, other) = (repo(), folder(), folder());
    let path = other.path().join("wt");
    git(
        repo.path(),
        &[
            "worktree",
            "add",
            "-q",
            "-b",
            "side",
            path.to_str().unwrap(),
        ],
    );
    let main = Place::of(repo.path(), home.path(), |_| true);
    let side = Place::of(&path, home.path(), |_| true);
    assert_eq!(main.store, side.store);
    assert_ne!(main.checkout, side.checkout);
    // Trusting the main work tree trusts the others: they share its history and its hooks.
    let top = repo.path().canonicalize().unwrap();
    assert_eq!(
        Place::of(&path, home.path(), |folder| folder == top).aside,
        None
    );
}

#[tokio::test]
async fn a_state_kept_aside_moves_into_the_clone_once_it_is_trusted() {
    let (repo, home) = (repo(), folder());
    let aside = Place::of(repo.path(), home.path(), |_| false);
    let log = LogId::new("a");
    let mut store = BareStore::new(aside.store.clone(), log.clone());
    store
        .append(&[added(&log, 1, "before trust")])
        .await
        .unwrap();
    let busy = Place::of(repo.path(), home.path(), |_| true);
    assert!(
        !busy.store.exists(),
        "a store that is being written is not moved away under its writer"
    );
    store.close().unwrap();
    let trusted = Place::of(repo.path(), home.path(), |_| true);
    assert!(!aside.store.exists());
    let mut adopted = BareStore::new(trusted.store, LogId::new("b"));
    assert_eq!(
        adopted.load(&Wanted::default()).await.unwrap().tasks.len(),
        1
    );
}

#[tokio::test]
async fn a_state_from_before_git_init_is_found_and_adopted() {
    let (dir, home) = (
        folder(),
        tempfile::tempdir_in("/")
            .or_else(|_| tempfile::tempdir())
            .unwrap(),
    );
    // The checkout of this project is a repository itself: a folder without one stands outside of it.
    let outside = home.path().join("project");
    std::fs::create_dir(&outside).unwrap();
    let before = Place::of(&outside, dir.path(), |_| true);
    let log = LogId::new("a");
    let mut store = BareStore::new(before.store.clone(), log.clone());
    store.append(&[added(&log, 1, "before git")]).await.unwrap();
    store.close().unwrap();
    git(&outside, &["init", "-q"]);
    let untrusted = Place::of(&outside, dir.path(), |_| false);
    assert_eq!(
        untrusted.store, before.store,
        "it stays where it is until it may move"
    );
    let trusted = Place::of(&outside, dir.path(), |_| true);
    let mut adopted = BareStore::new(trusted.store.clone(), LogId::new("b"));
    assert_eq!(
        adopted.load(&Wanted::default()).await.unwrap().tasks.len(),
        1
    );
    assert!(!before.store.exists());
}

#[tokio::test]
async fn a_second_state_is_named_and_never_merged_or_dropped_in_silence() {
    let (repo, home) = (repo(), folder());
    let own = Place::of(repo.path(), home.path(), |_| true);
    assert_eq!(own.second, None);
    let log = LogId::new("a");
    let mut store = BareStore::new(own.store.clone(), log.clone());
    store.append(&[added(&log, 1, "own")]).await.unwrap();
    store.close().unwrap();
    let aside = Place::of(repo.path(), home.path(), |_| false);
    let mut store = BareStore::new(aside.store.clone(), log.clone());
    store.append(&[added(&log, 1, "aside")]).await.unwrap();
    store.close().unwrap();
    let both = Place::of(repo.path(), home.path(), |_| true);
    assert_eq!(both.second, Some(aside.store.clone()));
    assert_eq!(both.store, own.store);
    assert!(aside.store.exists());
}
