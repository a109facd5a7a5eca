//! What every store has to keep, run over the fake and the real one.

use orch_protocol::ids::{LogId, TaskId};
use orch_runtime::memory::MemStore;
use orch_runtime::ports::{StateStore, Wanted};
use orch_runtime::store::BareStore;

use crate::make::{added, at, folder};

async fn keeps_what_it_acknowledged(store: &mut dyn StateStore) {
    let log = store.log_id().clone();
    assert!(
        store
            .load(&Wanted::default())
            .await
            .unwrap()
            .tasks
            .is_empty()
    );
    store.append(&[]).await.unwrap();
    store
        .append(&[added(&log, 1, "one"), added(&log, 2, "two")])
        .await
        .unwrap();
    assert_eq!(
        store.load(&Wanted::default()).await.unwrap().tasks.len(),
        2,
        "visible before it is folded"
    );
    assert_eq!(store.newest(), Some(at(0)));
    store.fold().await.unwrap();
    store.fold().await.unwrap();
    store.append(&[added(&log, 3, "three")]).await.unwrap();
    let state = store.load(&Wanted::default()).await.unwrap();
    assert_eq!(state.tasks.len(), 3);
    assert_eq!(state.tasks[&TaskId::from_seed(&["two"])].title, "two");
    assert!(!store.is_dead(&log), "its own log is alive");
    assert!(store.is_dead(&LogId::new("never-was")));
}

#[tokio::test]
async fn the_fake_store_keeps_the_contract() {
    keeps_what_it_acknowledged(&mut MemStore::new(LogId::new("a"))).await;
}

#[tokio::test]
async fn the_real_store_keeps_the_contract() {
    let dir = folder();
    keeps_what_it_acknowledged(&mut BareStore::new(dir.path().join("s"), LogId::new("a"))).await;
}

#[tokio::test]
async fn nothing_is_created_by_reading() {
    let dir = folder();
    let mut store = BareStore::new(dir.path().join("s"), LogId::new("a"));
    store.load(&Wanted::default()).await.unwrap();
    store.append(&[]).await.unwrap();
    assert!(!dir.path().join("s").exists());
}

#[tokio::test]
async fn two_processes_see_each_other_and_lose_nothing() {
    let dir = folder();
    let open = |id: &str| BareStore::new(dir.path().to_owned(), LogId::new(id));
    let (mut a, mut b) = (open("a"), open("b"));
    a.append(&[added(&LogId::new("a"), 1, "from a")])
        .await
        .unwrap();
    assert_eq!(
        b.load(&Wanted::default()).await.unwrap().tasks.len(),
        1,
        "acknowledged there, seen here"
    );
    b.append(&[added(&LogId::new("b"), 1, "from b")])
        .await
        .unwrap();
    assert!(!b.is_dead(&LogId::new("a")), "a lives");
    a.fold().await.unwrap();
    b.fold().await.unwrap();
    a.append(&[added(&LogId::new("a"), 2, "again from a")])
        .await
        .unwrap();
    a.close().unwrap();
    b.close().unwrap();
    assert_eq!(
        std::fs::read_dir(dir.path().join("log")).unwrap().count(),
        0,
        "both logs are folded and gone"
    );
    assert_eq!(
        open("c")
            .load(&Wanted::default())
            .await
            .unwrap()
            .tasks
            .len(),
        3
    );
}

#[tokio::test]
async fn a_log_left_behind_is_folded_exactly_once() {
    let dir = folder();
    let log = LogId::new("dead");
    let mut dead = BareStore::new(dir.path().to_owned(), log.clone());
    dead.append(&[added(&log, 1, "left behind")]).await.unwrap();
    drop(dead);
    let mut next = BareStore::new(dir.path().to_owned(), LogId::new("next"));
    assert!(next.is_dead(&log));
    next.fold().await.unwrap();
    let head = next.head().unwrap();
    assert!(!dir.path().join("log/dead.log").exists());
    next.fold().await.unwrap();
    assert_eq!(
        next.head().unwrap(),
        head,
        "a second fold finds nothing to do"
    );
    assert_eq!(next.load(&Wanted::default()).await.unwrap().tasks.len(), 1);
}
