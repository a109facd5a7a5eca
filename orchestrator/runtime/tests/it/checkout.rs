//! The checkout: what people read, and what must not be written over or through.

use std::fs;
use std::path::Path;

use orch_core::judge::Here;
use orch_protocol::ids::LogId;
use orch_runtime::ports::{StateStore, Wanted};
use orch_runtime::store::BareStore;
use orch_runtime::store::checkout::{CheckoutError, refresh};

use crate::make::{added, folder};

async fn store(dir: &Path, titles: &[&str]) -> BareStore {
    let log = LogId::new(format!("log{}", titles.len()));
    let mut store = BareStore::new(dir.to_owned(), log.clone());
    let facts: Vec<_> = titles
        .iter()
        .zip(1..)
        .map(|(title, seq)| added(&log, seq, title))
        .collect();
    store.append(&facts).await.unwrap();
    store.fold().await.unwrap();
    store
}

#[tokio::test]
async fn it_names_its_state_and_hides_from_git() {
    let dir = folder();
    let (root, mut store) = (
        dir.path().join(".codex-orch"),
        store(&dir.path().join("s"), &["one"]).await,
    );
    let state = store.load(&Wanted::default()).await.unwrap();
    refresh(&root, &store, &state, &Here::default()).unwrap();
    let yaml = fs::read_to_string(root.join("project_tasks.yaml")).unwrap();
    let commit = store.head().unwrap().unwrap();
    assert!(
        yaml.starts_with(&format!("# state {commit}, as seen from")),
        "{yaml}"
    );
    assert!(yaml.contains("title: one"));
    assert_eq!(fs::read_to_string(root.join(".gitignore")).unwrap(), "*\n");
}

#[tokio::test]
async fn a_hand_edit_is_kept_beside_and_an_untouched_file_is_replaced() {
    let dir = folder();
    let root = dir.path().join(".codex-orch");
    let mut first = store(&dir.path().join("s"), &["one"]).await;
    let state = first.load(&Wanted::default()).await.unwrap();
    refresh(&root, &first, &state, &Here::default()).unwrap();
    let mut second = store(&dir.path().join("s"), &["one", "two"]).await;
    let state = second.load(&Wanted::default()).await.unwrap();
    assert!(
        refresh(&root, &second, &state, &Here::default())
            .unwrap()
            .is_empty(),
        "nobody changed it"
    );
    fs::write(root.join("project_tasks.yaml"), "mine\n").unwrap();
    let mut third = store(&dir.path().join("s"), &["one", "two", "three"]).await;
    let state = third.load(&Wanted::default()).await.unwrap();
    let kept = refresh(&root, &third, &state, &Here::default()).unwrap();
    assert_eq!(kept, ["project_tasks.yaml.edited-1"]);
    assert_eq!(fs::read_to_string(root.join(&kept[0])).unwrap(), "mine\n");
    assert!(
        fs::read_to_string(root.join("project_tasks.yaml"))
            .unwrap()
            .contains("three")
    );
}

#[tokio::test]
async fn nothing_is_written_through_a_link() {
    let dir = folder();
    let (root, outside) = (dir.path().join(".codex-orch"), dir.path().join("outside"));
    fs::create_dir(&outside).unwrap();
    let mut store = store(&dir.path().join("s"), &["one"]).await;
    let state = store.load(&Wanted::default()).await.unwrap();

    std::os::unix::fs::symlink(&outside, &root).unwrap();
    let refused = refresh(&root, &store, &state, &Here::default());
    assert!(matches!(refused, Err(CheckoutError::NotAFolder { .. })));
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);

    fs::remove_file(&root).unwrap();
    fs::create_dir(&root).unwrap();
    fs::write(outside.join("target"), "theirs").unwrap();
    std::os::unix::fs::symlink(outside.join("target"), root.join("project_tasks.yaml")).unwrap();
    std::os::unix::fs::symlink(outside.join("made"), root.join(".lock")).unwrap();
    assert!(refresh(&root, &store, &state, &Here::default()).is_err());
    assert!(!outside.join("made").exists());

    fs::remove_file(root.join(".lock")).unwrap();
    refresh(&root, &store, &state, &Here::default()).unwrap();
    assert_eq!(
        fs::read_to_string(outside.join("target")).unwrap(),
        "theirs"
    );
    assert!(
        root.join("project_tasks.yaml")
            .symlink_metadata()
            .unwrap()
            .is_file()
    );
}
