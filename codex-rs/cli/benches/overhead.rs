//! What codex-orch adds to upstream: wall time of a one-message `exec`, its own memory meanwhile, and the pass-through.
//!
//! `cargo bench -p orch-cli` runs the real engine against the scripted model, each
//! pair one right after the other, the first of a pair changing. Medians of pairs are robust against other load on the
//! machine; the difference is the median of the pairs' differences. `-- --pairs 60` changes the number of pairs.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

mod stage;

use std::path::Path;
use std::time::{Duration, Instant};

use stage::{OURS, Stage, engine, high_water, ms, quantile};

fn main() {
    let engine = engine();
    let args: Vec<String> = std::env::args().collect();
    let given = args.iter().position(|arg| arg == "--pairs");
    let pairs = given.map(|at| args[at + 1].parse().unwrap());
    let stage = Overhead(Stage::new(engine));
    stage.exec(pairs.unwrap_or(40));
    stage.memory(10);
    stage.version(pairs.unwrap_or(40).max(100));
}

struct Overhead(Stage);

impl Overhead {
    fn time(&self, program: &Path, args: &[&str]) -> Duration {
        let mut command = self.0.command(program, args);
        let begun = Instant::now();
        assert!(command.status().unwrap().success());
        begun.elapsed()
    }

    fn pairs(&self, name: &str, args: &[&str], pairs: usize) {
        for program in [Path::new(OURS), &self.0.engine] {
            for _ in 0..2 {
                self.time(program, args);
            }
        }
        let (mut plain, mut ours, mut added) = (Vec::new(), Vec::new(), Vec::new());
        for pair in 0..pairs {
            let (a, b) = if pair % 2 == 0 {
                let a = self.time(&self.0.engine, args);
                (a, self.time(Path::new(OURS), args))
            } else {
                let b = self.time(Path::new(OURS), args);
                (self.time(&self.0.engine, args), b)
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
                .0
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
