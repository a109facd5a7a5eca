//! The private home: everything is reachable through it, and nothing that either side writes is lost, whatever happens.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use orch_engine::home::PrivateHome;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tempfile::TempDir;

use crate::support::folder;

/// A user's home with this and that in it.
fn real() -> (TempDir, PathBuf) {
    let top = folder();
    let real = top.path().canonicalize().unwrap().join("codex");
    fs::create_dir_all(real.join("sessions/2026")).unwrap();
    fs::create_dir(real.join("app-server-control")).unwrap();
    fs::create_dir(real.join("app-server-daemon")).unwrap();
    fs::write(real.join("app-server-daemon/settings.json"), "{}").unwrap();
    fs::write(real.join("config.toml"), "model = \"m\"\n").unwrap();
    symlink("/nowhere/at/all", real.join("dangling")).unwrap();
    symlink("/", real.join("root")).unwrap();
    // Files get the time of the last tick: what is made from here on is to be younger.
    let made = ctime(&real.join("config.toml"));
    let probe = top.path().join("probe");
    while {
        fs::write(&probe, "").unwrap();
        ctime(&probe) <= made
    } {}
    (top, real)
}

fn ctime(path: &Path) -> (i64, i64) {
    let meta = fs::metadata(path).unwrap();
    (meta.ctime(), meta.ctime_nsec())
}

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).unwrap()
}

/// Writes as upstream writes some files: a new one beside, then renamed over the old one.
fn replace(path: &Path, text: &str) {
    let new = path.with_extension("new");
    fs::write(&new, text).unwrap();
    fs::rename(new, path).unwrap();
}

/// Contents of all files below `folder`, but not of the private homes.
fn contents(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() && entry.file_name() != "orch" {
            found.extend(contents(&entry.path()));
        } else if kind.is_file() {
            found.insert(read(entry.path()));
        }
    }
    found
}

#[test]
fn what_is_there_is_linked_and_what_is_private_is_not() {
    let (_top, real) = real();
    let home = PrivateHome::make(&real).unwrap();
    assert_eq!(home.real(), real);
    assert!(home.path().starts_with(&real));
    let mode = fs::metadata(home.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    for name in ["sessions", "config.toml", "dangling", "root"] {
        let link = fs::read_link(home.path().join(name)).unwrap();
        assert_eq!(link, real.join(name));
    }
    assert!(!home.path().join("orch").exists());
    for name in ["app-server-control", "app-server-daemon"] {
        assert!(home.path().join(name).symlink_metadata().unwrap().is_dir());
        assert_eq!(fs::read_dir(home.path().join(name)).unwrap().count(), 0);
    }
    let came = home.finish().unwrap();
    assert!(
        came.moved.is_empty() && came.kept.is_empty() && came.left.is_empty(),
        "{came:?}"
    );
    assert_eq!(read(real.join("config.toml")), "model = \"m\"\n");
    assert!(real.join("root").is_symlink() && real.join("dangling").is_symlink());
}

#[test]
fn what_the_tui_makes_is_seen_by_plain_codex_at_once() {
    let (_top, real) = real();
    let home = PrivateHome::make(&real).unwrap();
    fs::write(home.path().join("history.jsonl"), "one\n").unwrap();
    assert_eq!(read(real.join("history.jsonl")), "one\n");
    fs::create_dir_all(home.path().join("worktrees/a1/repo")).unwrap();
    assert!(real.join("worktrees/a1/repo").is_dir());
    fs::write(real.join("auth.json"), "key").unwrap();
    assert_eq!(read(home.path().join("auth.json")), "key");
    fs::create_dir(real.join("brand-new")).unwrap();
    assert!(!home.path().join("brand-new").exists());
    home.refresh().unwrap();
    assert!(home.path().join("brand-new").is_dir());
    let at = home.path().join("worktrees/a1/repo");
    home.finish().unwrap();
    assert!(at.is_dir(), "a thread in a worktree keeps its folder");
    assert!(
        !real.join("log").exists(),
        "an empty folder of ours is gone"
    );
}

#[test]
fn new_things_come_home_and_runtime_files_do_not() {
    let (_top, real) = real();
    let home = PrivateHome::make(&real).unwrap();
    let at = home.path();
    fs::create_dir_all(at.join("new/deep")).unwrap();
    fs::write(at.join("new/deep/file"), "deep").unwrap();
    fs::write(at.join("file"), "file").unwrap();
    symlink(at.join("new"), at.join("inward")).unwrap();
    symlink("/etc", at.join("outward")).unwrap();
    fs::write(at.join("app-server-daemon/daemon.lock"), "").unwrap();
    fs::write(at.join("app-server-daemon/daemon.pid"), "17").unwrap();
    fs::write(at.join("app-server-daemon/words"), "words").unwrap();
    let _listener = UnixListener::bind(home.control_socket()).unwrap();
    let came = home.finish().unwrap();
    assert!(came.left.is_empty(), "{came:?}");
    assert_eq!(read(real.join("new/deep/file")), "deep");
    assert_eq!(read(real.join("file")), "file");
    assert_eq!(
        fs::read_link(real.join("inward")).unwrap(),
        real.join("new")
    );
    assert_eq!(
        fs::read_link(real.join("outward")).unwrap(),
        Path::new("/etc")
    );
    assert_eq!(read(real.join("app-server-daemon/words")), "words");
    assert!(!real.join("app-server-daemon/daemon.pid").exists());
    let rest: Vec<_> = fs::read_dir(&at)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(rest, ["worktrees"]);
}

#[test]
fn a_link_replaced_by_a_newer_file_is_the_users_new_file() {
    let (_top, real) = real();
    let home = PrivateHome::make(&real).unwrap();
    replace(&home.path().join("config.toml"), "model = \"n\"\n");
    let came = home.finish().unwrap();
    assert_eq!(read(real.join("config.toml")), "model = \"n\"\n");
    assert!(came.kept.is_empty(), "{came:?}");
}

#[test]
fn settings_of_the_session_stay_out_of_the_users_file() {
    for crashes in [false, true] {
        let (_top, real) = real();
        let home = PrivateHome::make(&real).unwrap();
        home.overlay("model = \"o\"\n[tui]\ntheme = \"t\"\n")
            .unwrap();
        let private = home.path().join("config.toml");
        let text = read(&private);
        assert!(text.contains("\"o\"") && !text.contains("\"m\""), "{text}");
        assert_eq!(read(real.join("config.toml")), "model = \"m\"\n");
        replace(&private, &format!("{text}seen = true\n"));
        let came = if crashes {
            drop(home);
            PrivateHome::rescue(&real).unwrap()
        } else {
            home.finish().unwrap()
        };
        assert!(came.kept.is_empty() && came.left.is_empty(), "{came:?}");
        let text = read(real.join("config.toml"));
        assert!(
            text.starts_with("model = \"m\"\n") && text.contains("seen = true"),
            "{text}"
        );
        assert!(!text.contains("theme"), "{text}");
        assert!(!private.exists());
    }
}

#[test]
fn of_two_new_versions_the_newer_stays_and_the_other_is_kept_beside() {
    for ours_is_newer in [true, false] {
        let (_top, real) = real();
        let home = PrivateHome::make(&real).unwrap();
        let (private, plain) = (home.path().join("config.toml"), real.join("config.toml"));
        replace(&private, "private");
        replace(&plain, "plain");
        let newer = if ours_is_newer { &private } else { &plain };
        let later = std::time::SystemTime::now() + std::time::Duration::from_secs(9);
        fs::File::options()
            .write(true)
            .open(newer)
            .unwrap()
            .set_modified(later)
            .unwrap();
        let came = home.finish().unwrap();
        let (stays, beside) = if ours_is_newer {
            ("private", "plain")
        } else {
            ("plain", "private")
        };
        assert_eq!(read(&plain), stays);
        assert_eq!(came.kept.len(), 1);
        assert_eq!(read(&came.kept[0]), beside);
        assert!(
            came.kept[0]
                .to_str()
                .unwrap()
                .contains("/config.toml.codex-orch-2")
        );
    }
}

#[test]
fn a_link_of_the_users_is_never_written_through() {
    let (top, real) = real();
    let elsewhere = top.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let home = PrivateHome::make(&real).unwrap();
    symlink(&elsewhere, real.join("late")).unwrap();
    fs::create_dir(home.path().join("late")).unwrap();
    fs::write(home.path().join("late/file"), "ours").unwrap();
    let came = home.finish().unwrap();
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
    assert_eq!(read(came.kept[0].join("file")), "ours");
}

#[test]
fn several_at_once_have_places_of_their_own_and_the_dead_ones_are_used_again() {
    let (_top, real) = real();
    let first = PrivateHome::make(&real).unwrap();
    let second = PrivateHome::make(&real).unwrap();
    assert_ne!(first.path(), second.path());
    fs::write(first.path().join("of-first"), "1").unwrap();
    let came = PrivateHome::rescue(&real).unwrap();
    assert!(came.moved.is_empty(), "the living are left alone: {came:?}");
    let at = first.path();
    first.finish().unwrap();
    assert!(real.join("tmp").is_dir(), "the second one needs it");
    assert_eq!(read(real.join("of-first")), "1");
    assert_eq!(PrivateHome::make(&real).unwrap().path(), at);
    drop(second);
}

#[test]
fn inside_a_private_home_the_users_own_is_meant() {
    let (_top, real) = real();
    let home = PrivateHome::make(&real).unwrap();
    let inner = PrivateHome::make(&home.path()).unwrap();
    assert_eq!(inner.real(), real);
}

#[test]
fn a_socket_with_too_long_a_path_is_a_link_to_a_short_one() {
    let (top, _) = real();
    let real = top.path().canonicalize().unwrap().join("long".repeat(30));
    let home = PrivateHome::make(&real).unwrap();
    assert!(home.control_socket().as_os_str().len() > 107);
    let listener = UnixListener::bind(home.listen_at()).unwrap();
    let through = home.control_socket().canonicalize().unwrap();
    UnixStream::connect(&through).unwrap();
    let folder = through.parent().unwrap().to_owned();
    assert_eq!(
        fs::metadata(&folder).unwrap().permissions().mode() & 0o777,
        0o700
    );
    drop(listener);
    home.finish().unwrap();
    assert!(!folder.exists());
}

const HOLD: &str = "ORCH_HOME_HELD";

/// Not a test of its own: the process that [`what_a_killed_process_left_is_rescued`] kills.
#[test]
fn holder() {
    let Some(real) = std::env::var_os(HOLD) else {
        return;
    };
    let home = PrivateHome::make(Path::new(&real)).unwrap();
    fs::write(home.path().join("made"), "made").unwrap();
    fs::create_dir(home.path().join("dir")).unwrap();
    fs::write(home.path().join("dir/inner"), "inner").unwrap();
    replace(&home.path().join("config.toml"), "replaced");
    fs::write(home.path().join("history.jsonl"), "line\n").unwrap();
    let _listener = UnixListener::bind(home.listen_at()).unwrap();
    println!("\nready");
    std::io::stdout().flush().unwrap();
    std::thread::park();
}

#[test]
fn what_a_killed_process_left_is_rescued() {
    let (_top, real) = real();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "home::holder", "--nocapture"])
        .env(HOLD, &real)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "ready"));
    assert!(PrivateHome::rescue(&real).unwrap().moved.is_empty());
    assert!(!real.join("made").exists(), "it is alive");
    child.kill().unwrap();
    child.wait().unwrap();
    let came = PrivateHome::rescue(&real).unwrap();
    assert!(came.left.is_empty() && came.kept.is_empty(), "{came:?}");
    assert_eq!(came.moved.len(), 3);
    for (name, text) in [
        ("made", "made"),
        ("dir/inner", "inner"),
        ("config.toml", "replaced"),
        ("history.jsonl", "line\n"),
    ] {
        assert_eq!(read(real.join(name)), text);
    }
    assert!(PrivateHome::rescue(&real).unwrap().moved.is_empty());
}

#[test]
fn there_is_nothing_to_rescue_where_nothing_is() {
    let top = folder();
    assert!(
        PrivateHome::rescue(&top.path().join("none"))
            .unwrap()
            .moved
            .is_empty()
    );
    assert!(!top.path().join("none").exists());
    assert!(PrivateHome::rescue(top.path()).unwrap().moved.is_empty());
}

#[derive(Debug, Clone)]
struct Op {
    plain: bool,
    path: &'static str,
    how: How,
}

#[derive(Debug, Clone, Copy)]
enum How {
    Write,
    Replace,
    Link,
    Remove,
    Refresh,
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let path = prop::sample::select(vec![
        "config.toml",
        "history.jsonl",
        "new",
        "new/a",
        "d/x",
        "d/e/y",
        "d/e",
        "sessions/2026/s",
        "app-server-daemon/z",
        "tmp/t",
        "worktrees/w",
    ]);
    let how = prop::sample::select(vec![
        How::Write,
        How::Write,
        How::Replace,
        How::Link,
        How::Remove,
        How::Refresh,
    ]);
    let op = (any::<bool>(), path, how).prop_map(|(plain, path, how)| Op { plain, path, how });
    prop::collection::vec(op, 1..24)
}

fn apply(home: &PrivateHome, op: &Op, text: &str) {
    let side = if op.plain {
        home.real().to_owned()
    } else {
        home.path()
    };
    let path = side.join(op.path);
    // What can't be done (a file in the way of a folder) is not done, as for anybody.
    if !matches!(op.how, How::Refresh | How::Remove)
        && fs::create_dir_all(path.parent().unwrap()).is_err()
    {
        return;
    }
    match op.how {
        How::Write => drop(fs::write(&path, text)),
        How::Replace if !path.is_dir() => replace(&path, text),
        // Into a folder that isn't there, so that nothing is ever written through it.
        How::Link => drop(symlink("/nowhere/at/all", &path)),
        How::Remove => drop(fs::remove_file(&path)),
        How::Replace => {}
        How::Refresh => home.refresh().unwrap(),
    }
}

#[test]
fn every_content_that_either_side_wrote_exists_afterwards() {
    let config = Config {
        cases: 300,
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new(config)
        .run(&(ops(), any::<bool>()), |(ops, crashes)| {
            let (_top, real) = real();
            let home = PrivateHome::make(&real).unwrap();
            for (at, op) in ops.iter().enumerate() {
                apply(
                    &home,
                    op,
                    &format!("{} {at}", if op.plain { "plain" } else { "private" }),
                );
            }
            let mut wanted = contents(&real);
            wanted.extend(contents(&home.path()));
            // What was there before is upstream's to replace.
            wanted.remove("model = \"m\"\n");
            let at = home.path();
            let came = if crashes {
                drop(home);
                PrivateHome::rescue(&real).unwrap()
            } else {
                home.finish().unwrap()
            };
            prop_assert!(came.left.is_empty(), "{:?}", came);
            let kept = contents(&real);
            prop_assert!(
                wanted.is_subset(&kept),
                "{:?} of {:?}",
                wanted.difference(&kept).collect::<Vec<_>>(),
                ops
            );
            prop_assert!(contents(&at).is_empty());
            Ok(())
        })
        .unwrap();
}
