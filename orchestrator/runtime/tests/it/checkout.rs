//! The checkout: what people read, and what must not be written over or through.

use std::fs;
use std::path::Path;

use orch_core::judge::Here;
use orch_core::state::State;
use orch_protocol::fact::Event;
use orch_protocol::ids::{CommitId, LogId};
use orch_protocol::project::Milestone;
use orch_runtime::checkout::{Checkout, CheckoutError, Shown, TASKS, parse};
use orch_runtime::ports::{StateStore, Wanted};
use orch_runtime::store::BareStore;
use serde_json::Value;

use crate::make::{added, fact, folder};

fn refresh(
    root: &Path,
    store: &BareStore,
    state: &State,
    here: &Here,
) -> Result<Vec<String>, CheckoutError> {
    Checkout::new(root, store.dir()).refresh(store, Shown::of(state, here), here, None)
}

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
async fn it_shows_what_stands_in_the_state_it_names_whatever_others_do_meanwhile() {
    let dir = folder();
    let root = dir.path().join(".codex-orch");
    let mut ours = store(&dir.path().join("s"), &["one"]).await;
    let shows = |store: &BareStore| {
        let yaml = fs::read_to_string(root.join(TASKS)).unwrap();
        let named = CommitId::new(yaml.split(' ').nth(2).unwrap().trim_end_matches(','));
        let held = store.state_at(&named).unwrap().unwrap().tasks;
        let parsed = parse::read(&yaml).unwrap();
        let titles = held.values().filter(|task| yaml.contains(&task.title));
        assert_eq!(
            (titles.count(), parsed.entries.len()),
            (held.len(), held.len())
        );
        held.len()
    };
    let log = LogId::new("other");
    let mut other = BareStore::new(dir.path().join("s"), log.clone());

    // What is durable and in no state commit yet would be taken for an edit of the commit that is named.
    other.append(&[added(&log, 1, "pending")]).await.unwrap();
    let seen = ours.load(&Wanted::default()).await.unwrap();
    assert_eq!(seen.tasks.len(), 2);
    refresh(&root, &ours, &seen, &Here::default()).unwrap();
    assert_eq!(shows(&ours), 1);

    // What another one has folded since would be taken for something that was taken out.
    let seen = ours.load(&Wanted::default()).await.unwrap();
    other.append(&[added(&log, 2, "folded")]).await.unwrap();
    other.fold().await.unwrap();
    refresh(&root, &ours, &seen, &Here::default()).unwrap();
    assert_eq!(shows(&ours), 3);
}

#[tokio::test]
async fn what_a_killed_process_has_put_there_is_nobodys_edit() {
    let dir = folder();
    let root = dir.path().join(".codex-orch");
    let mut store = store(&dir.path().join("s"), &["one"]).await;
    let manifest = root.join(".checkout.json");
    let read = || -> Value { serde_json::from_slice(&fs::read(&manifest).unwrap()).unwrap() };
    let state = store.load(&Wanted::default()).await.unwrap();
    refresh(&root, &store, &state, &Here::default()).unwrap();
    let mut before = read();
    let (log, milestone) = (store.log_id().clone(), Some(Milestone::default()));
    let event = Event::MilestoneSet {
        name: "first".into(),
        milestone,
    };
    let facts = [added(&log, 2, "two"), fact(&log, 3, event)];
    store.append(&facts).await.unwrap();
    store.fold().await.unwrap();
    let state = store.load(&Wanted::default()).await.unwrap();
    refresh(&root, &store, &state, &Here::default()).unwrap();

    // Killed with every file in its place, and before that was noted down.
    before["next"] = read()["tasks"].clone();
    fs::write(&manifest, before.to_string()).unwrap();
    fs::remove_dir_all(dir.path().join("s/cache")).unwrap();
    let checkout = Checkout::new(&root, store.dir());
    assert_eq!(checkout.edited().unwrap(), None);
    let event = Event::MilestoneSet {
        name: "first".into(),
        milestone: None,
    };
    store
        .append(&[fact(&log, 4, event), added(&log, 5, "three")])
        .await
        .unwrap();
    store.fold().await.unwrap();
    let state = store.load(&Wanted::default()).await.unwrap();
    let told = refresh(&root, &store, &state, &Here::default()).unwrap();
    assert_eq!(told, Vec::<String>::new());
    assert_eq!(read()["next"], Value::Null);
    assert!(
        fs::read_to_string(root.join(TASKS))
            .unwrap()
            .contains("title: three")
    );
}

#[tokio::test]
async fn an_edited_file_is_left_alone_and_another_is_kept_beside() {
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
    let tasks = root.join("project_tasks.yaml");
    assert!(fs::read_to_string(&tasks).unwrap().contains("title: two"));
    fs::write(&tasks, "mine\n").unwrap();
    fs::write(root.join("project_state.json"), "{}").unwrap();
    let mut third = store(&dir.path().join("s"), &["one", "two", "three"]).await;
    let log = third.log_id().clone();
    let context = Event::ContextSet {
        branch: "main".into(),
        context: Box::default(),
    };
    third.append(&[fact(&log, 4, context)]).await.unwrap();
    third.fold().await.unwrap();
    let state = third.load(&Wanted::default()).await.unwrap();
    let told = refresh(&root, &third, &state, &Here::default()).unwrap();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains("project_state.json.edited-1"), "{told:?}");
    assert!(told[1].contains("left as it is"), "{told:?}");
    assert_eq!(fs::read_to_string(&tasks).unwrap(), "mine\n");
    let kept = fs::read_to_string(root.join("project_state.json.edited-1"));
    assert_eq!(kept.unwrap(), "{}");
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
