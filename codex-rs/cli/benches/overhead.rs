//! What codex-orch adds to upstream: wall time of a one-message `exec`, its own memory meanwhile, and the pass-through.
//!
//! `cargo bench -p orch-cli` runs the real engine against the scripted model, each
//! pair one right after the other, the first of a pair changing. Medians of pairs are robust against other load on the
//! machine; the difference is the median of the pairs' differences. `-- --pairs 60` changes the number of pairs.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use orch_engine::find::ENGINE_ENV;
use orch_engine::obtain::obtain_pinned;
use orch_fake_model::scenario::Scenario;
use orch_fake_model::server::{KEY_VARIABLE, Server};

const OURS: &str = env!("CARGO_BIN_EXE_codex-orch");

fn main() {
    let engine = engine();
    let args: Vec<String> = std::env::args().collect();
    let given = args.iter().position(|arg| arg == "--pairs");
    let pairs = given.map(|at| args[at + 1].parse().unwrap());
    let stage = Stage::new(engine);
    stage.exec(pairs.unwrap_or(40));
    stage.memory(10);
    stage.version(pairs.unwrap_or(40).max(100));
}

/// The engine that `CODEX_ORCH_ENGINE` names, else the pinned one, as the tests have it.
fn engine() -> PathBuf {
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

struct Stage {
    engine: PathBuf,
    dir: tempfile::TempDir,
    _model: Server,
}

impl Stage {
    fn new(engine: PathBuf) -> Self {
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

    fn command(&self, program: &Path, args: &[&str]) -> Command {
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

    fn time(&self, program: &Path, args: &[&str]) -> Duration {
        let mut command = self.command(program, args);
        let begun = Instant::now();
        assert!(command.status().unwrap().success());
        begun.elapsed()
    }

    fn pairs(&self, name: &str, args: &[&str], pairs: usize) {
        for program in [Path::new(OURS), &self.engine] {
            for _ in 0..2 {
                self.time(program, args);
            }
        }
        let (mut plain, mut ours, mut added) = (Vec::new(), Vec::new(), Vec::new());
        for pair in 0..pairs {
            let (a, b) = if pair % 2 == 0 {
                let a = self.time(&self.engine, args);
                (a, self.time(Path::new(OURS), args))
            } else {
                let b = self.time(Path::new(OURS), args);
                (self.time(&self.engine, args), b)
            };
            plain.push(ms(a));
            ours.push(ms(b));
            added.push(ms(b) - ms(a));
        }
        println!(
            "{name}: {pairs} pairs: plain {:.1} ms, codex-orch {:.1} ms, added {:.1} ms (quartiles {:.1} to {:.1})",
            quantile(&mut plain, 0.5),
            quantile(&mut ours, 0.5),
            quantile(&mut added, 0.5),
            quantile(&mut added, 0.25),
            quantile(&mut added, 0.75),
        );
    }

    fn exec(&self, pairs: usize) {
        self.pairs("exec, one message", &["exec", "--json", "say hello"], pairs);
    }

    fn version(&self, pairs: usize) {
        self.pairs("--version", &["--version"], pairs);
    }

    /// The most memory our own process ever held, the engine's not counted.
    fn memory(&self, runs: usize) {
        let mut peaks: Vec<f64> = Vec::new();
        for _ in 0..runs {
            let mut child = self
                .command(Path::new(OURS), &["exec", "--json", "say hello"])
                .spawn()
                .unwrap();
            let mut peak = 0.0;
            while child.try_wait().unwrap().is_none() {
                peak = high_water(child.id()).unwrap_or(peak);
                std::thread::sleep(Duration::from_millis(1));
            }
            peaks.push(peak);
        }
        println!(
            "memory during exec (VmHWM of codex-orch): median {:.1} MB, most {:.1} MB of {runs} runs",
            quantile(&mut peaks, 0.5),
            quantile(&mut peaks, 1.0),
        );
    }
}

fn high_water(pid: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM"))?;
    let kilobytes: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes / 1024.0)
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn quantile(values: &mut [f64], of: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * of).round() as usize]
}
