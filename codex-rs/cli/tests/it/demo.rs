//! `codex-orch demo` with the real engine: what it reports is compared with git, and what is the user's stays as it was.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::engine::engine;

/// A user who has a home with a codex in it, and stands in a repository of theirs.
struct User {
    folder: TempDir,
}

impl User {
    fn new() -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let user = Self { folder };
        std::fs::create_dir_all(user.at("home/.codex")).unwrap();
        std::fs::create_dir(user.at("repo")).unwrap();
        let config = "model = \"mine\"\n# a comment\n";
        std::fs::write(user.at("home/.codex/config.toml"), config).unwrap();
        std::fs::write(user.at("home/.codex/auth.json"), "{}").unwrap();
        assert!(git(&user.at("repo"), &["init", "-q"]).is_empty());
        user
    }

    fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn demo(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_codex-orch"));
        command
            .arg("demo")
            .args(args)
            .current_dir(self.at("repo"))
            .env("HOME", self.at("home"))
            .env("CODEX_HOME", self.at("home/.codex"))
            .env("CODEX_ORCH_DATA", self.at("data"))
            .env("CODEX_ORCH_ENGINE", engine())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.demo(args).output().unwrap()
    }

    /// Everything that is theirs, with its bytes.
    fn belongings(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut found = BTreeMap::new();
        let mut folders = vec![self.at("home"), self.at("repo")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    found.insert(path.clone(), std::fs::read(&path).unwrap());
                }
            }
        }
        found
    }
}

fn git(folder: &Path, args: &[&str]) -> String {
    let output = Command::new("git")
        .args(args)
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "git {args:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn done_by(task: &Value) -> BTreeSet<String> {
    let claims = task["claims"].as_array().unwrap().iter();
    let done = claims.filter(|claim| claim["state"] == "done");
    let commits = done.flat_map(|claim| claim["commits"].as_array().cloned().unwrap_or_default());
    commits
        .map(|commit| commit.as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn the_report_is_what_git_says_and_the_users_own_stays_as_it_was() {
    let user = User::new();
    let before = user.belongings();
    let folder = user.at("a folder/demo");
    let output = user.run(&["--json", "--folder", folder.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["schema"], "codex-orch.demo/1");
    let kept = PathBuf::from(report["folder"].as_str().unwrap());
    assert_eq!(kept, folder.canonicalize().unwrap());
    let project = kept.join("project");

    // Subject to commit, as git has it.
    let log = git(&project, &["log", "--format=%s%x09%H", "main"]);
    let commits: BTreeMap<&str, &str> = log
        .lines()
        .map(|line| line.split_once('\t').unwrap())
        .collect();
    assert_eq!(commits.len(), 5, "{log}");
    let held: BTreeMap<&str, BTreeSet<String>> = report["tasks"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|task| !task["parent"].is_null())
        .map(|task| (task["title"].as_str().unwrap(), done_by(task)))
        .collect();
    let by = |subject: &str| BTreeSet::from([commits[subject].to_owned()]);
    let expected = BTreeMap::from([
        (
            "Write cases with minutes and hours",
            by("Print minutes and hours"),
        ),
        (
            "Split seconds into hours and minutes",
            by("Print minutes and hours"),
        ),
        ("Explain the format in the README", by("Explain the format")),
        (
            "Refuse input that is not a number",
            by("Refuse what is not a number"),
        ),
    ]);
    assert_eq!(held, expected);
    let tasks = report["tasks"].as_array().unwrap();
    assert!(
        tasks.iter().all(|task| task["status"] == "done"),
        "{tasks:?}"
    );

    let journal = report["journal"].as_array().unwrap();
    let names: Vec<&str> = journal
        .iter()
        .map(|entry| entry["name"].as_str().unwrap().split_once('_').unwrap().1)
        .collect();
    assert_eq!(names, ["main_1", "docs_1", "main_2"]);
    let entries = [
        "Print minutes and hours",
        "Explain the format",
        "Refuse what is not a number",
    ];
    for (entry, subject) in journal.iter().zip(entries) {
        assert!(
            entry["text"].as_str().unwrap().contains(commits[subject]),
            "{subject}"
        );
    }

    let drift = report["drift"].as_array().unwrap();
    let seen: Vec<(&str, &str)> = drift
        .iter()
        .map(|met| {
            (
                met["kind"].as_str().unwrap(),
                met["choice"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(seen, [("branched", "stop"), ("branched", "fork")]);
    assert_eq!(
        drift[0]["from"]["commit"],
        commits["Print minutes and hours"]
    );
    assert_eq!(drift[0]["to"]["commit"], commits["Add a case of one hour"]);

    assert_eq!(user.belongings(), before);
    assert_eq!(git(&project, &["status", "--porcelain"]), "");
    let passes = Command::new("sh")
        .arg("test.sh")
        .current_dir(&project)
        .status();
    assert!(passes.unwrap().success());
}

#[test]
fn the_story_is_printed_and_names_a_folder_below_our_data() {
    let user = User::new();
    let output = user.run(&["--headless"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let story = String::from_utf8(output.stdout).unwrap();
    let data = user.at("data").canonicalize().unwrap().join("demo");
    let wanted = [
        "exit 3",
        "--on-drift fork",
        "(done on docs)",
        data.to_str().unwrap(),
    ];
    for wanted in wanted {
        assert!(story.contains(wanted), "{wanted}: {story}");
    }
    assert!(!story.contains('\u{1b}'), "{story}");
    assert!(
        story.lines().all(|line| line.chars().count() <= 200),
        "{story}"
    );
}

#[test]
fn a_folder_that_holds_something_is_left_alone() {
    let user = User::new();
    let before = user.belongings();
    let output = user.run(&["--folder", user.at("home").to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("is not empty"));
    assert_eq!(user.belongings(), before);
}

#[cfg(target_os = "linux")]
#[test]
fn an_interrupt_leaves_nothing_running() {
    let user = User::new();
    let folder = user.at("demo");
    let mut demo = user
        .demo(&["--folder", folder.to_str().unwrap()])
        .spawn()
        .unwrap();
    let story = BufReader::new(demo.stdout.take().unwrap());
    let mut lines = story.lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("$ codex-orch exec resume")));
    let pid = demo.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &pid])
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(demo.wait().unwrap().code(), Some(130));
    let deadline = Instant::now() + Duration::from_secs(10);
    while let Some(left) = working_in(&folder) {
        assert!(Instant::now() < deadline, "{left} is still running");
        std::thread::yield_now();
    }
}

/// A process whose working directory is below `folder`.
#[cfg(target_os = "linux")]
fn working_in(folder: &Path) -> Option<String> {
    let folder = folder.canonicalize().unwrap();
    std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .find_map(|entry| {
            let cwd = std::fs::read_link(entry.path().join("cwd")).ok()?;
            let command = std::fs::read_to_string(entry.path().join("cmdline")).ok()?;
            (cwd.starts_with(&folder) && !command.is_empty()).then_some(command)
        })
}
