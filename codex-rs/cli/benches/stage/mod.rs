//! What the benches of this crate stand on: the real engine, the scripted model, a repository, and quantiles.
#![allow(clippy::unwrap_used, dead_code, missing_docs, unreachable_pub)]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use orch_engine::find::ENGINE_ENV;
use orch_engine::obtain::obtain_pinned;
use orch_fake_model::scenario::Scenario;
use orch_fake_model::server::{KEY_VARIABLE, Server};

pub const OURS: &str = env!("CARGO_BIN_EXE_codex-orch");

/// The engine that `CODEX_ORCH_ENGINE` names, else the pinned one, as the tests have it.
pub fn engine() -> PathBuf {
    let tmp = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let data = tmp.parent().unwrap().join("codex-orch-data");
    let path = std::env::var_os("PATH").unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime
        .block_on(obtain_pinned(std::env::var_os(ENGINE_ENV), &data, path))
        .unwrap()
}

/// A home, a repository of 200 files, and a model.
pub struct Stage {
    pub engine: PathBuf,
    pub dir: tempfile::TempDir,
    _model: Server,
}

impl Stage {
    pub fn new(engine: PathBuf) -> Self {
        // The engine doesn't like a home in the system's temporary folder.
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let scenario = r#"{"replies": [], "fallback": {"steps": [{"say": "Done."}]}}"#;
        let model = Server::start(scenario.parse::<Scenario>().unwrap()).unwrap();
        let (home, repo) = (dir.path().join("home"), dir.path().join("repo"));
        std::fs::create_dir_all(&home).unwrap();
        std::fs::create_dir_all(repo.join("src")).unwrap();
        let trust = format!(
            "[projects.\"{}\"]\ntrust_level = \"trusted\"\n",
            repo.display()
        );
        std::fs::write(home.join("config.toml"), model.config_toml() + &trust).unwrap();
        for n in 0..200 {
            let text = format!("pub fn f{n}() -> u32 {{ {n} }}\n").repeat(50);
            std::fs::write(repo.join(format!("src/f{n}.rs")), text).unwrap();
        }
        for git in [
            ["init", "-q", "-b", "main"].as_slice(),
            &["add", "-A"],
            &[
                "-c",
                "user.name=a",
                "-c",
                "user.email=a@b",
                "commit",
                "-qm",
                "files",
            ],
        ] {
            let done = Command::new("git").args(git).current_dir(&repo).status();
            assert!(done.unwrap().success());
        }
        Self {
            engine,
            dir,
            _model: model,
        }
    }

    pub fn command(&self, program: &Path, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(args)
            .current_dir(self.dir.path().join("repo"))
            .env("CODEX_HOME", self.dir.path().join("home"))
            .env("CODEX_ORCH_ENGINE", &self.engine)
            .env(KEY_VARIABLE, "x")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }
}

pub fn high_water(pid: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM"))?;
    let kilobytes: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes / 1024.0)
}

pub fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

pub fn quantile(values: &mut [f64], of: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * of).round() as usize]
}
