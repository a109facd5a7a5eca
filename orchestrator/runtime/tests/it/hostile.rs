//! Hostile names and files in and around the checkout: a clear error or a safe name, and nothing outside is touched.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use orch_core::judge::Here;
use orch_core::name;
use orch_core::state::State;
use orch_protocol::fact::Event;
use orch_protocol::ids::{LogId, RunId, ThreadId};
use orch_protocol::proposal::{Change, TaskEdit};
use orch_protocol::session::Digest;
use orch_runtime::checkout::place::{Put, exchange};
use orch_runtime::checkout::{Checkout, CheckoutError, Shown, TASKS};
use orch_runtime::ports::{StateStore, Wanted};
use orch_runtime::store::BareStore;
use tempfile::TempDir;

use crate::make::{added, at, fact, folder};

/// Branches as somebody hostile, or just somebody, may name them.
const BRANCHES: [&str; 11] = [
    "feat/../../etc",
    "-rf",
    "CON",
    "con",
    "feat",
    "feat/x",
    "Feat",
    "\u{1f980}\u{1f389}",
    "..",
    "a\u{202e}b",
    ".git/hooks",
];

/// A store, and a work tree beside a folder that nobody is to touch.
struct Stand {
    dir: TempDir,
    store: BareStore,
    state: State,
}

impl Stand {
    async fn new() -> Self {
        let dir = folder();
        fs::create_dir(dir.path().join("work")).unwrap();
        fs::create_dir(dir.path().join("canary")).unwrap();
        fs::write(dir.path().join("canary/bird"), "alive").unwrap();
        let log = LogId::new("log");
        let mut store = BareStore::new(dir.path().join("store"), log.clone());
        store.append(&[added(&log, 1, "one")]).await.unwrap();
        store.fold().await.unwrap();
        let state = store.load(&Wanted::default()).await.unwrap();
        Self { dir, store, state }
    }

    /// Gives the one task another title.
    async fn retitle(&mut self, n: u64, title: &str) {
        let log = LogId::new("log");
        let change = Change::EditTask {
            task: self.state.tasks.keys().next().unwrap().clone(),
            edit: TaskEdit {
                title: Some(title.to_owned()),
                ..TaskEdit::default()
            },
        };
        let reason = "test".to_owned();
        let edit = fact(&log, 2 + n, Event::Changed { change, reason });
        self.store.append(&[edit]).await.unwrap();
        self.store.fold().await.unwrap();
        self.state = self.store.load(&Wanted::default()).await.unwrap();
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join("work/.codex-orch")
    }

    fn checkout(&self) -> Checkout {
        Checkout::new(&self.root(), self.store.dir())
    }

    fn refresh(&self) -> Result<Vec<String>, CheckoutError> {
        let here = Here::default();
        let shown = Shown::of(&self.state, &here);
        self.checkout().refresh(&self.store, shown, &here, None)
    }

    /// Nothing but the checkout stands in the work tree, and the folder beside is as it was.
    fn check_outside(&self) {
        assert_eq!(names(&self.dir.path().join("work")), [".codex-orch"]);
        assert_eq!(names(&self.dir.path().join("canary")), ["bird"]);
        assert_eq!(
            fs::read_to_string(self.dir.path().join("canary/bird")).unwrap(),
            "alive"
        );
        assert_eq!(names(self.dir.path()), ["canary", "store", "work"]);
    }
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn branches_make_files_of_their_own_in_their_folders() {
    let mut stand = Stand::new().await;
    let log = LogId::new("log");
    let long = "x/".repeat(125);
    let mut facts = Vec::new();
    let mut taken: Vec<String> = Vec::new();
    for (n, branch) in BRANCHES.iter().copied().chain([long.as_str()]).enumerate() {
        let thread = ThreadId::new(format!("0199-{n:012}"));
        let session = name::session_id(at(0), Some(branch), &thread);
        let journal = name::journal_name(at(0), Some(branch), taken.iter().map(String::as_str));
        taken.push(journal.clone());
        let run = RunId::new("run");
        let opened = Event::SessionOpened {
            session: session.clone(),
            thread,
            branch: Some(branch.into()),
            run,
        };
        let digest = Digest {
            at: at(0),
            goal: String::new(),
            changes: Vec::new(),
            commits: Vec::new(),
            open_ends: Vec::new(),
            next_actions: Vec::new(),
        };
        let digested = Event::SessionDigested {
            session,
            digest,
            journal,
            text: "text\n".into(),
        };
        facts.extend([opened, digested]);
    }
    let facts: Vec<_> = facts
        .into_iter()
        .zip(2..)
        .map(|(event, seq)| fact(&log, seq, event))
        .collect();
    stand.store.append(&facts).await.unwrap();
    stand.store.fold().await.unwrap();
    stand.state = stand.store.load(&Wanted::default()).await.unwrap();
    assert_eq!(stand.refresh().unwrap(), Vec::<String>::new());
    for dir in ["sessions", "journal"] {
        let names = names(&stand.root().join(dir));
        assert_eq!(names.len(), BRANCHES.len() + 1, "{names:?}");
        for name in &names {
            assert!(name.is_ascii() && name.len() < 255, "{name}");
            assert!(
                name.starts_with(|c: char| c.is_ascii_digit()),
                "{name} is no option and no device"
            );
        }
        let mut folded: Vec<String> = names.iter().map(|name| name.to_lowercase()).collect();
        folded.dedup();
        assert_eq!(folded.len(), names.len(), "also where case doesn't count");
    }
    stand.check_outside();
}

#[tokio::test]
async fn only_the_newest_sessions_are_shown() {
    let mut stand = Stand::new().await;
    let log = LogId::new("log");
    let opened = |n: i64| {
        let thread = ThreadId::new(format!("0199-{n:012}"));
        let session = name::session_id(at(n), Some("main"), &thread);
        Event::SessionOpened {
            session,
            thread,
            branch: None,
            run: RunId::new("run"),
        }
    };
    let facts: Vec<_> = (0..100)
        .map(|n| fact(&log, n + 2, opened(i64::try_from(n).unwrap())))
        .collect();
    stand.store.append(&facts).await.unwrap();
    stand.store.fold().await.unwrap();
    stand.refresh().unwrap();
    let before = names(&stand.root().join("sessions"));
    assert_eq!(before.len(), 100);
    fs::write(stand.root().join("sessions").join(&before[1]), "mine").unwrap();
    let facts: Vec<_> = (100..102)
        .map(|n| fact(&log, n + 2, opened(i64::try_from(n).unwrap())))
        .collect();
    stand.store.append(&facts).await.unwrap();
    stand.store.fold().await.unwrap();
    stand.refresh().unwrap();
    let after = names(&stand.root().join("sessions"));
    assert!(
        !after.contains(&before[0]),
        "the oldest is ours to take away"
    );
    assert!(
        after.contains(&before[1]),
        "somebody has written into that one"
    );
    assert_eq!(after.len(), 101);
}

#[tokio::test]
async fn a_huge_file_is_not_read() {
    let stand = Stand::new().await;
    stand.refresh().unwrap();
    let path = stand.root().join(TASKS);
    // It takes no room; to read it would take a gigabyte of memory.
    File::create(&path).unwrap().set_len(1 << 30).unwrap();
    let error = stand.checkout().edited().unwrap_err();
    assert!(
        matches!(error, CheckoutError::TooLong { size, .. } if size == 1 << 30),
        "{error}"
    );
    assert!(matches!(
        stand.refresh(),
        Err(CheckoutError::TooLong { .. })
    ));
    assert_eq!(
        fs::metadata(&path).unwrap().len(),
        1 << 30,
        "it is left alone"
    );
    fs::write(&path, b"\xff\xfe").unwrap();
    assert!(matches!(
        stand.checkout().edited(),
        Err(CheckoutError::NotText { at: 0, .. })
    ));
    stand.check_outside();
}

#[tokio::test]
async fn links_folders_and_pipes_are_not_followed_opened_or_waited_for() {
    let stand = Stand::new().await;
    stand.refresh().unwrap();
    let (root, canary) = (stand.root(), stand.dir.path().join("canary"));
    let pipe = |path: &Path| {
        let made = std::process::Command::new("mkfifo")
            .arg(path)
            .status()
            .unwrap();
        assert!(made.success());
    };
    for name in [TASKS, "project_state.json", ".checkout.json", ".gitignore"] {
        let path = root.join(name);
        for n in 0..4 {
            fs::remove_file(&path)
                .or_else(|_| fs::remove_dir(&path))
                .unwrap();
            match n {
                0 => symlink(canary.join("bird"), &path).unwrap(),
                1 => symlink(canary.join("made"), &path).unwrap(),
                2 => pipe(&path),
                _ => fs::create_dir(&path).unwrap(),
            }
            assert!(stand.checkout().edited().unwrap().is_none());
            // Moved aside, or told; never written through.
            let _ = stand.refresh();
            stand.check_outside();
            if path.is_dir() {
                fs::remove_dir(&path).unwrap();
                stand.refresh().unwrap();
            }
            assert!(path.symlink_metadata().unwrap().is_file(), "{name} {n}");
        }
    }
    for name in ["sessions", "journal", ".lock"] {
        let path = root.join(name);
        fs::remove_file(&path)
            .or_else(|_| fs::remove_dir(&path))
            .unwrap();
        symlink(canary.join("made"), &path).unwrap();
        assert!(stand.refresh().is_err(), "{name}");
        stand.check_outside();
        fs::remove_file(&path).unwrap();
    }
    // A hard link: the other name keeps what it held.
    let path = root.join(TASKS);
    fs::remove_file(&path).unwrap();
    fs::hard_link(canary.join("bird"), &path).unwrap();
    assert!(
        stand.checkout().edited().unwrap().is_some(),
        "it is somebody's text"
    );
    stand.refresh().unwrap();
    stand.check_outside();
    fs::remove_dir_all(&root).unwrap();
    symlink(&canary, &root).unwrap();
    assert!(matches!(
        stand.checkout().edited(),
        Err(CheckoutError::NotAFolder { .. })
    ));
    assert!(matches!(
        stand.refresh(),
        Err(CheckoutError::NotAFolder { .. })
    ));
    stand.check_outside();
}

#[tokio::test]
async fn the_cache_may_vanish_or_be_damaged() {
    let mut stand = Stand::new().await;
    stand.refresh().unwrap();
    let cache = stand.store.dir().join("cache");
    for n in 0..4 {
        for entry in fs::read_dir(&cache).unwrap() {
            let path = entry.unwrap().path();
            let bytes = fs::read(&path).unwrap();
            match n {
                0 => fs::remove_file(&path).unwrap(),
                1 => fs::write(&path, &bytes[..bytes.len() / 2]).unwrap(),
                2 => {
                    let changed: Vec<u8> = bytes.iter().map(|byte| byte ^ 1).collect();
                    fs::write(&path, changed).unwrap();
                }
                _ => fs::write(&path, "\u{0}").unwrap(),
            }
        }
        assert!(
            stand.checkout().edited().unwrap().is_none(),
            "nobody edited it"
        );
        stand.retitle(n, &format!("title {n}")).await;
        assert!(stand.refresh().unwrap().is_empty());
        let text = fs::read_to_string(stand.root().join(TASKS)).unwrap();
        assert!(text.contains(&format!("title: title {n}")), "{text}");
    }
}

#[test]
fn what_is_saved_between_the_look_and_the_exchange_is_not_lost() {
    let dir = folder();
    let path = dir.path().join("file");
    let put = |bytes: &str, ours: &dyn Fn(&[u8]) -> bool| {
        exchange(dir.path(), &path, bytes.as_bytes(), ours).unwrap()
    };
    let read = || fs::read_to_string(&path).unwrap();
    assert!(matches!(put("ours", &|_| false), Put::Placed(_)));
    assert!(matches!(
        put("ours 2", &|held| held == b"ours"),
        Put::Placed(_)
    ));
    assert_eq!(read(), "ours 2");
    // Saved before: it stands there still.
    fs::write(&path, "theirs").unwrap();
    assert!(matches!(
        put("ours 3", &|held| held == b"ours 2"),
        Put::Changed
    ));
    assert_eq!(read(), "theirs");
    // Saved before, and again while the two are exchanged: both are there.
    let again = |held: &[u8]| {
        if held == b"theirs" {
            fs::write(&path, "theirs 2").unwrap();
        }
        false
    };
    let Put::Aside(kept) = put("ours 4", &again) else {
        panic!("nothing was kept");
    };
    assert_eq!(read(), "theirs");
    assert_eq!(
        fs::read_to_string(dir.path().join(kept)).unwrap(),
        "theirs 2"
    );
    assert_eq!(names(dir.path()).len(), 2, "nothing else is left");
}

#[tokio::test]
async fn what_a_killed_process_has_displaced_is_kept_and_told() {
    let stand = Stand::new().await;
    stand.refresh().unwrap();
    let left = |name: &str, text: &str| fs::write(stand.root().join(name), text).unwrap();
    let shown = fs::read_to_string(stand.root().join(TASKS)).unwrap();
    // Killed while it wrote; killed before or after the exchange, with nothing of anybody's in between.
    left(".part-a1B2c3", "# state 123");
    left(".swap-project_tasks.yaml-d4E5f6", &shown);
    left(".swap-.gitignore-g7H8i9", "*\n");
    assert_eq!(stand.refresh().unwrap(), Vec::<String>::new());
    // Somebody saved between the look and the exchange, and then it was killed.
    left(".swap-project_tasks.yaml-j1K2l3", "tasks: []  # mine\n");
    let told = stand.refresh().unwrap();
    assert_eq!(told.len(), 1, "{told:?}");
    stand.check_outside();
    let kept = "project_tasks.yaml.edited-1";
    assert!(told[0].contains(kept), "{told:?}");
    let text = fs::read_to_string(stand.root().join(kept)).unwrap();
    assert_eq!(text, "tasks: []  # mine\n");
    let hidden = |name: &String| name.starts_with(".part-") || name.starts_with(".swap-");
    assert!(!names(&stand.root()).iter().any(hidden));
    assert_eq!(stand.refresh().unwrap(), Vec::<String>::new());
    // Names that would lead out, and what is no file.
    left(".swap-..-x", "out");
    left(".swap--x", "out");
    fs::create_dir(stand.root().join(".part-folder")).unwrap();
    assert_eq!(stand.refresh().unwrap().len(), 2);
    stand.check_outside();
    assert_eq!(stand.refresh().unwrap(), Vec::<String>::new());
}
