//! A world to run in: a repository, an upstream home, a scripted model, and `codex-orch` started in a clean environment.

use std::ffi::OsStr;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use orch_fake_model::record::Recorded;
use orch_fake_model::scenario::Scenario;
use orch_fake_model::server::{KEY_VARIABLE, Options, Patience, Server};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::engine::{cache_dir, data_dir, engine};

/// Nothing here takes that long; whatever does hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// What the folder is, before anything of ours runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Folder {
    /// A repository with one commit on `main`.
    Committed,
    /// A repository without a commit.
    Unborn,
    /// No repository.
    Plain,
}

/// What may be chosen about a world.
pub(crate) struct Setting {
    pub(crate) replies: Value,
    pub(crate) fallback: Option<Value>,
    pub(crate) patience: Patience,
    pub(crate) folder: Folder,
    pub(crate) trusted: bool,
    /// Names of the two folders.
    pub(crate) names: [&'static str; 2],
    /// More top-level keys of `config.toml`.
    pub(crate) config: String,
}

impl Setting {
    pub(crate) fn new(replies: Value) -> Self {
        Self {
            replies,
            fallback: None,
            patience: Patience {
                stream_idle_timeout: Some(Duration::from_secs(2)),
                ..Patience::NO_RETRIES
            },
            folder: Folder::Committed,
            trusted: true,
            names: ["home", "repo"],
            config: String::new(),
        }
    }
}

pub(crate) struct World {
    root: TempDir,
    /// A folder in no repository, for [`Folder::Plain`]: the build itself may be in one.
    _outside: Option<TempDir>,
    pub(crate) home: PathBuf,
    pub(crate) repo: PathBuf,
    pub(crate) server: Server,
}

impl World {
    /// A trusted repository with one commit, and a model that plays `replies`.
    pub(crate) fn new(replies: Value) -> Self {
        Self::of(Setting::new(replies))
    }

    pub(crate) fn of(setting: Setting) -> Self {
        // Upstream wants its home outside the system's temporary folder.
        let root = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let outside = (setting.folder == Folder::Plain).then(|| tempfile::tempdir().unwrap());
        let above = outside
            .as_ref()
            .unwrap_or(&root)
            .path()
            .canonicalize()
            .unwrap();
        let [home, repo] = setting.names;
        let (home, repo) = (
            root.path().canonicalize().unwrap().join(home),
            above.join(repo),
        );
        std::fs::create_dir(&home).unwrap();
        std::fs::create_dir(&repo).unwrap();
        let mut scenario = json!({"replies": setting.replies});
        if let Some(fallback) = setting.fallback {
            scenario["fallback"] = fallback;
        }
        let options = Options {
            patience: setting.patience,
            ..Options::default()
        };
        let server = Server::start_with(Scenario::from_value(scenario).unwrap(), options).unwrap();
        let world = Self {
            root,
            _outside: outside,
            home,
            repo,
            server,
        };
        let config = world.server.config_toml()
            + "sandbox_mode = \"danger-full-access\"\napproval_policy = \"never\"\n"
            + &setting.config;
        world.write_home("config.toml", &config);
        if setting.trusted {
            world.trust();
        }
        // What is known of the engine is known: asking it again costs half a second a world.
        engine();
        let cache = world.home.join("orch/cache");
        std::fs::create_dir_all(&cache).unwrap();
        for entry in std::fs::read_dir(cache_dir()).unwrap().flatten() {
            std::fs::copy(entry.path(), cache.join(entry.file_name())).unwrap();
        }
        if setting.folder != Folder::Plain {
            world.git(&["init", "-q", "-b", "main"]);
            world.git(&["config", "user.name", "Ada"]);
            world.git(&["config", "user.email", "ada@example.org"]);
        }
        if setting.folder == Folder::Committed {
            world.commit("README.md", "hello\n", "begin");
        }
        world
    }

    /// Lets upstream's configuration trust the repository.
    pub(crate) fn trust(&self) {
        // JSON's strings are TOML's basic ones.
        let key = Value::from(self.repo.to_str().unwrap());
        let config = std::fs::read_to_string(self.home.join("config.toml")).unwrap();
        let entry = format!("{config}\n[projects.{key}]\ntrust_level = \"trusted\"\n");
        self.write_home("config.toml", &entry);
    }

    pub(crate) fn write_home(&self, name: &str, text: &str) {
        std::fs::write(self.home.join(name), text).unwrap();
    }

    pub(crate) fn root(&self) -> &Path {
        self.root.path()
    }

    /// Where the state of this repository is kept.
    pub(crate) fn store(&self) -> PathBuf {
        self.repo.join(".git/codex-orch")
    }

    /// Runs git in the repository; its stdout, trimmed.
    pub(crate) fn git<S: AsRef<OsStr>>(&self, args: &[S]) -> String {
        self.git_in(&self.repo, args)
    }

    pub(crate) fn git_in<S: AsRef<OsStr>>(&self, folder: &Path, args: &[S]) -> String {
        let output = self.git_command(folder).args(args).output().unwrap();
        assert!(
            output.status.success(),
            "git: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    pub(crate) fn git_command(&self, folder: &Path) -> Command {
        let mut command = Command::new("git");
        command
            .current_dir(folder)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.root.path())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .stdin(Stdio::null());
        command
    }

    /// Commits one file; the commit's id.
    pub(crate) fn commit(&self, file: &str, text: &str, message: &str) -> String {
        std::fs::write(self.repo.join(file), text).unwrap();
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", message]);
        self.head()
    }

    pub(crate) fn head(&self) -> String {
        self.git(&["rev-parse", "HEAD"])
    }

    /// `codex-orch` in the repository, in a process group of its own.
    pub(crate) fn command<S: AsRef<OsStr>>(&self, args: &[S]) -> Command {
        self.program(Path::new(env!("CARGO_BIN_EXE_codex-orch")), args)
    }

    /// The same for upstream itself.
    pub(crate) fn plain<S: AsRef<OsStr>>(&self, args: &[S]) -> Output {
        Running::start(&mut self.program(engine(), args)).finish()
    }

    pub(crate) fn program<S: AsRef<OsStr>>(&self, program: &Path, args: &[S]) -> Command {
        let mut command = Command::new(program);
        command
            .args(args)
            .current_dir(&self.repo)
            .env_clear()
            .env("CODEX_HOME", &self.home)
            .env(KEY_VARIABLE, "x")
            .env("CODEX_ORCH_ENGINE", engine())
            .env("CODEX_ORCH_DATA", data_dir())
            .env("HOME", self.root.path())
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        command
    }

    pub(crate) fn start<S: AsRef<OsStr>>(&self, args: &[S]) -> Running {
        Running::start(&mut self.command(args))
    }

    pub(crate) fn run<S: AsRef<OsStr>>(&self, args: &[S]) -> Output {
        self.start(args).finish()
    }

    /// `codex-orch exec --json PROMPT`, which must succeed.
    pub(crate) fn exec(&self, prompt: &str) -> Output {
        self.run(&["exec", "--json", prompt]).ok()
    }

    /// Every task, as seen from HEAD.
    pub(crate) fn tasks(&self) -> Vec<Value> {
        self.listing(&["tasks", "list", "--all", "--json"], "tasks")
    }

    /// Titles with their statuses, in the order in which they were added.
    pub(crate) fn statuses(&self) -> Vec<String> {
        let line = |task: &Value| format!("{}: {}", text(&task["title"]), text(&task["status"]));
        self.tasks().iter().map(line).collect()
    }

    pub(crate) fn task(&self, title: &str) -> Value {
        let tasks = self.tasks();
        let found = tasks.iter().find(|task| task["title"] == title);
        found
            .unwrap_or_else(|| panic!("no task {title:?} in {tasks:#?}"))
            .clone()
    }

    /// The texts of the journal's entries, newest first.
    pub(crate) fn journal(&self) -> Vec<String> {
        let names = self.listing(&["journal", "list", "--json"], "journal");
        let show = |entry: &Value| {
            let name = text(&entry["name"]);
            let shown = self.listing(&["journal", "show", name, "--json"], "journal");
            text(&shown[0]["text"]).to_owned()
        };
        names.iter().map(show).collect()
    }

    /// `state show --json`.
    pub(crate) fn state(&self) -> Value {
        self.listing(&["state", "show", "--json"], "state")
            .remove(0)
    }

    /// Every session file of the store, oldest first.
    pub(crate) fn sessions(&self) -> Vec<Value> {
        let state = self.state();
        let store = PathBuf::from(text(&state["store"])).join("store.git");
        let names = state["sessions"].as_array().unwrap();
        let read = |name: &Value| {
            let object = format!("refs/codex-orch/state:sessions/{}.json", text(name));
            let json = self.git_in(&store, &["cat-file", "blob", &object]);
            serde_json::from_str(&json).unwrap()
        };
        names.iter().map(read).collect()
    }

    /// The status of every recorded turn, session by session.
    pub(crate) fn turns(&self) -> Vec<String> {
        let sessions = self.sessions();
        let turns = sessions
            .iter()
            .flat_map(|session| session["turns"].as_array().unwrap());
        turns
            .map(|turn| text(&turn["record"]["status"]).to_owned())
            .collect()
    }

    fn listing(&self, args: &[&str], noun: &str) -> Vec<Value> {
        let output = self.run(args).ok();
        let value: Value = serde_json::from_str(&output.stdout).unwrap();
        value[noun].as_array().unwrap().clone()
    }

    pub(crate) fn requests(&self) -> Vec<Arc<Recorded>> {
        self.server.requests()
    }

    /// Waits until the model was asked `n` times in all.
    pub(crate) fn asked(&self, n: usize) -> Vec<Arc<Recorded>> {
        self.server.wait_for(n, PATIENCE).unwrap()
    }
}

/// The text of a JSON string.
#[track_caller]
pub(crate) fn text(value: &Value) -> &str {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is no text"))
}

/// The developer messages of a request, joined: where a brief stands.
pub(crate) fn told(request: &Recorded) -> String {
    request.messages("developer").join("\n")
}

/// A started program, and what was read of its output already.
pub(crate) struct Running {
    child: Child,
    read: String,
}

/// How it came out.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    pub(crate) code: Option<i32>,
    pub(crate) signal: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        Self {
            child: command.spawn().unwrap(),
            read: String::new(),
        }
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    pub(crate) fn signal_group(&self, signal: Signal) {
        kill_process_group(self.pid(), signal).unwrap();
    }

    /// Reads stdout up to the first line that contains `text`.
    pub(crate) fn until(&mut self, text: &str) {
        use std::io::Read as _;
        let stdout = self.child.stdout.as_mut().unwrap();
        let mut byte = [0];
        let mut line = Vec::new();
        while stdout.read(&mut byte).unwrap() == 1 {
            line.push(byte[0]);
            if byte == *b"\n" {
                let whole = String::from_utf8(std::mem::take(&mut line)).unwrap();
                self.read += &whole;
                if whole.contains(text) {
                    return;
                }
            }
        }
        panic!("it has ended without {text:?}: {}", self.read);
    }

    /// Its children at this moment.
    pub(crate) fn children(&self) -> Vec<Pid> {
        let pid = self.pid().as_raw_nonzero();
        let listed = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
        let pids = listed.unwrap_or_default();
        pids.split_whitespace()
            .filter_map(|pid| Pid::from_raw(pid.parse().ok()?))
            .collect()
    }

    /// Waits for its end. One that doesn't end is ended, and fails the test.
    pub(crate) fn finish(self) -> Output {
        let (pid, read) = (self.pid(), self.read);
        let child = self.child;
        let (done, ended) = channel();
        let waiting = std::thread::spawn(move || done.send(child.wait_with_output()));
        let Ok(output) = ended.recv_timeout(PATIENCE) else {
            let _ = kill_process_group(pid, Signal::KILL);
            panic!("it has not ended within {PATIENCE:?}");
        };
        let _ = waiting.join();
        let output = output.unwrap();
        Output {
            code: output.status.code(),
            signal: output.status.signal(),
            stdout: read + &String::from_utf8_lossy(&output.stdout),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Output {
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        self.exits(0)
    }

    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    /// What `exec --json` printed.
    pub(crate) fn events(&self) -> Vec<Value> {
        let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|_| panic!("{self:#?}"));
        self.stdout.lines().map(parse).collect()
    }

    /// The thread of an `exec --json`.
    pub(crate) fn thread(&self) -> String {
        text(&self.events()[0]["thread_id"]).to_owned()
    }

    /// Our own lines on stderr.
    pub(crate) fn ours(&self) -> Vec<&str> {
        self.stderr.lines().filter(|line| is_ours(line)).collect()
    }

    /// Upstream's lines on stderr.
    pub(crate) fn theirs(&self) -> Vec<&str> {
        self.stderr.lines().filter(|line| !is_ours(line)).collect()
    }

    /// One line that says what, one that says what to do; nothing else.
    #[track_caller]
    pub(crate) fn is_trouble(&self, what: &str, hint: &str) {
        let lines: Vec<&str> = self.stderr.lines().collect();
        let [first, second] = lines.as_slice() else {
            panic!("two lines expected: {self:#?}");
        };
        assert!(
            first.starts_with("codex-orch: ") && first.contains(what),
            "{self:#?}"
        );
        assert!(
            second.starts_with("  hint: ") && second.contains(hint),
            "{self:#?}"
        );
        assert_eq!(self.stdout, "", "{self:#?}");
    }
}

fn is_ours(line: &str) -> bool {
    line.starts_with("codex-orch: ") || line.starts_with("  hint: ")
}
