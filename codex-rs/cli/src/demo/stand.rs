//! The stage of the demo: a folder with a home of its own and a small project, the scripted model, and children started
//! as a user would start them. Children die with us, and Ctrl-C ends what runs.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use orch_engine::find::ENGINE_ENV;
use orch_engine::leash::leash_command;
use orch_fake_model::loading::ScenarioError;
use orch_fake_model::scenario::Scenario;
use orch_fake_model::server::{KEY_VARIABLE, Server};
use orch_protocol::text::one_line;
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};

use crate::config::own_exe;
use crate::trouble::{Trouble, chain};

/// How long any one command of the story may take.
const PATIENCE: Duration = Duration::from_secs(120);
const SCENARIO: &str = include_str!("scenario.json");
const PROJECT: [(&str, &str); 3] = [
    ("README.md", include_str!("project/README.md")),
    ("duration.sh", include_str!("project/duration.sh")),
    ("test.sh", include_str!("project/test.sh")),
];
/// What would make git look elsewhere than into the project.
const GIT_ENV: [&str; 6] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_COMMON_DIR",
    "GIT_OBJECT_DIRECTORY",
    "GIT_NAMESPACE",
];

/// Everything the story is played on.
pub(crate) struct Stand {
    pub(crate) folder: PathBuf,
    pub(crate) home: PathBuf,
    pub(crate) project: PathBuf,
    pub(crate) model: Server,
    engine: PathBuf,
    own: PathBuf,
}

/// How a child ended, and what it printed.
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    /// Its end in words, with what it said last.
    pub(crate) fn ended(&self) -> String {
        let last = self.err.lines().last().unwrap_or_default();
        match self.code {
            Some(code) => format!("exit {code}: {last}"),
            None => format!("ended by a signal: {last}"),
        }
    }

    /// The notes and hints of codex-orch itself, without its name.
    pub(crate) fn ours(&self) -> Vec<&str> {
        let lines = self.err.lines();
        lines
            .filter_map(|line| match line.strip_prefix("codex-orch: ") {
                Some(note) => Some(note),
                None => line
                    .strip_prefix("  ")
                    .filter(|rest| rest.starts_with("hint: ")),
            })
            .collect()
    }
}

/// Makes the folder, which must be new or empty, and gives it its real name.
pub(crate) fn made(folder: &Path) -> Result<PathBuf, Trouble> {
    std::fs::create_dir_all(folder).map_err(failed("make", folder))?;
    let folder = folder.canonicalize().map_err(failed("find", folder))?;
    let mut entries = std::fs::read_dir(&folder).map_err(failed("read", &folder))?;
    if entries.next().is_some() {
        return Err(Trouble::usage(
            format!("{} is not empty", folder.display()),
            "name a folder that is new or empty, or leave --folder out",
        ));
    }
    Ok(folder)
}

/// Waits for Ctrl-C, or for a request to end, and tells where things stand then.
pub(crate) async fn interrupted(folder: &Path) -> Trouble {
    let caught = [
        SignalKind::interrupt(),
        SignalKind::terminate(),
        SignalKind::hangup(),
    ]
    .map(signal);
    let [Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)] = caught else {
        return std::future::pending().await;
    };
    let number = tokio::select! {
        _ = interrupt.recv() => SignalKind::interrupt(),
        _ = terminate.recv() => SignalKind::terminate(),
        _ = hangup.recv() => SignalKind::hangup(),
    };
    Trouble::interrupted(
        number.as_raw_value(),
        "the demo was stopped; nothing of it is running any more",
        format!("what there is of it is kept in {}", folder.display()),
    )
}

impl Stand {
    /// Fills the folder and starts the model.
    pub(crate) fn new(folder: PathBuf, engine: PathBuf) -> Result<Self, Trouble> {
        let (home, project) = (folder.join("home"), folder.join("project"));
        for dir in [&home, &project] {
            std::fs::create_dir_all(dir).map_err(failed("make", dir))?;
        }
        let scenario: Scenario = SCENARIO
            .parse()
            .map_err(|error: ScenarioError| fault(&chain(&error)))?;
        let model = Server::start(scenario).map_err(|error| {
            Trouble::new(
                chain(&error),
                "the demo listens on a port of 127.0.0.1: check that this is allowed",
            )
        })?;
        let trusted = toml::Value::from(project.to_string_lossy().into_owned());
        // The script's own commands are harmless, and containers often can't offer the engine a sandbox. A login shell would
        // run the user's profile for each of them, which may take seconds.
        let config = format!(
            "{}sandbox_mode = \"danger-full-access\"\nallow_login_shell = false\n\n[projects.{trusted}]\ntrust_level = \"trusted\"\n",
            model.config_toml()
        );
        write(&home.join("config.toml"), &config)?;
        for (name, text) in PROJECT {
            write(&project.join(name), text)?;
        }
        Ok(Self {
            folder,
            home,
            project,
            model,
            engine,
            own: own_exe()?,
        })
    }

    /// What the engine calls itself: `codex-cli 0.169.0`.
    pub(crate) async fn version(&self) -> Result<String, Trouble> {
        let said = self.child(&self.engine, &["--version"]).await?;
        Ok(one_line(&said.out, 60))
    }

    /// The exit code of the project's own test, run beside the engine.
    pub(crate) async fn project_test(&self) -> Result<Option<i32>, Trouble> {
        Ok(self.child(Path::new("sh"), &["test.sh"]).await?.code)
    }

    /// How many conversations the engine itself has recorded.
    pub(crate) fn rollouts(&self) -> usize {
        let mut folders = vec![self.home.join("sessions")];
        let mut found = 0;
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                if entry.path().is_dir() {
                    folders.push(entry.path());
                } else {
                    found += usize::from(entry.file_name().to_string_lossy().ends_with(".jsonl"));
                }
            }
        }
        found
    }

    /// Runs this very program in the project, as a user would.
    pub(crate) async fn orch(&self, args: &[&str]) -> Result<Said, Trouble> {
        self.child(&self.own, args).await
    }

    /// Runs git in the project; that it fails is an error.
    pub(crate) async fn git(&self, args: &[&str]) -> Result<String, Trouble> {
        let said = self.child(Path::new("git"), args).await?;
        match said.code {
            Some(0) => Ok(said.out.trim().to_owned()),
            _ => Err(Trouble::new(
                format!("Failed to run git {}: {}", args.join(" "), said.err.trim()),
                "the demo needs a git that can init, commit, switch and merge (2.28 or newer)",
            )),
        }
    }

    /// Replaces text in a file of the project, as a person would.
    pub(crate) fn edit(&self, name: &str, from: &str, to: &str) -> Result<(), Trouble> {
        let path = self.project.join(name);
        let text = std::fs::read_to_string(&path).map_err(failed("read", &path))?;
        write(&path, &text.replacen(from, to, 1))
    }

    async fn child(&self, program: &Path, args: &[&str]) -> Result<Said, Trouble> {
        let mut command = Command::from(leash_command(&self.own, program));
        for name in GIT_ENV {
            command.env_remove(name);
        }
        command
            .args(args)
            .current_dir(&self.project)
            .env("CODEX_HOME", &self.home)
            .env(ENGINE_ENV, &self.engine)
            .env(KEY_VARIABLE, "any")
            // The model is on this machine; a proxy couldn't reach it.
            .env("NO_PROXY", "127.0.0.1")
            .env("no_proxy", "127.0.0.1")
            // No hooks, signatures or aliases of the user's.
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let child = command.spawn().map_err(failed("start", program))?;
        let Ok(ended) = tokio::time::timeout(PATIENCE, child.wait_with_output()).await else {
            let name = program.file_name().unwrap_or(OsStr::new("a command"));
            return Err(Trouble::new(
                format!(
                    "{} {} didn't end within {} s and was stopped",
                    name.display(),
                    args.first().unwrap_or(&""),
                    PATIENCE.as_secs()
                ),
                format!("what it left is in {}", self.folder.display()),
            ));
        };
        let ended = ended.map_err(failed("wait for", program))?;
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ok(Said {
            code: ended.status.code(),
            out: text(ended.stdout),
            err: text(ended.stderr),
        })
    }
}

/// Something in the demo itself is wrong.
pub(crate) fn fault(what: &str) -> Trouble {
    Trouble::new(what, "this is a fault of codex-orch; report it")
}

fn write(path: &Path, text: &str) -> Result<(), Trouble> {
    std::fs::write(path, text).map_err(failed("write", path))
}

fn failed(doing: &str, path: &Path) -> impl FnOnce(std::io::Error) -> Trouble {
    let what = format!("Failed to {doing} {}", path.display());
    move |error| {
        Trouble::new(
            format!("{what}: {error}"),
            "check that it exists, is yours, and that there is space left",
        )
    }
}
