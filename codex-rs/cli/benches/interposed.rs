//! What the interposer costs: start to the composer beside plain codex, a turn's start beside the engine's own, and memory
//! after 100,000 frames. What one frame costs is `orch-engine`'s bench.
//!
//! `cargo bench -p orch-cli --bench interposed`; `-- --pairs 40` changes the number of pairs.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

mod stage;

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use orch_engine::app_server::{AppServer, Connect};
use orch_engine::link::listen::dial;
use orch_engine::link::ws;
use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use serde_json::{Value, json};
use stage::{OURS, Stage, engine, high_water, ms, quantile};
use tokio::sync::mpsc;

/// The composer's text, drawn as soon as the TUI has a screen.
const COMPOSER: &str = "Ask Codex to do anything";
/// The line below it, drawn when the engine has told model and folder: from here on a message can be sent.
const READY: &str = "scripted default";
/// What the TUI asks of its terminal, and what a terminal says.
const ANSWERS: [(&str, &str); 5] = [
    ("\x1b[6n", "\x1b[1;1R"),
    ("\x1b[c", "\x1b[?62;22c"),
    ("\x1b[?u", "\x1b[?0u"),
    ("\x1b]10;?", "\x1b]10;rgb:eeee/eeee/eeee\x1b\\"),
    ("\x1b]11;?", "\x1b]11;rgb:1111/1111/1111\x1b\\"),
];

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let given = args.iter().position(|arg| arg == "--pairs");
    let pairs = given.map_or(30, |at| args[at + 1].parse().unwrap());
    let stage = Stage::new(engine());
    start(&stage, pairs);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(turns(&stage, pairs * 3));
    runtime.block_on(frames(&stage));
}

/// Start to the composer.
fn start(stage: &Stage, pairs: usize) {
    let plain = || begun(stage.command(&stage.engine, &["--no-daemon"]));
    let ours = || begun(stage.command(Path::new(OURS), &[]));
    for _ in 0..3 {
        plain();
        ours();
    }
    let mut told = [(Vec::new(), Vec::new(), Vec::new()), Default::default()];
    for pair in 0..pairs {
        let (plain, ours) = match pair % 2 {
            0 => (plain(), ours()),
            _ => {
                let ours = ours();
                (plain(), ours)
            }
        };
        let both = plain.0.into_iter().zip(ours.0);
        for ((a, b, ratio), (plain, ours)) in told.iter_mut().zip(both) {
            a.push(ms(plain));
            b.push(ms(ours));
            ratio.push(ms(ours) / ms(plain));
        }
    }
    for (what, (a, b, ratio)) in ["the composer drawn", "ready for a message"]
        .iter()
        .zip(&mut told)
    {
        println!(
            "start to {what}: {pairs} pairs: plain {:.0} ms, codex-orch {:.0} ms, ratio {:.2} (quartiles {:.2} to {:.2})",
            quantile(a, 0.5),
            quantile(b, 0.5),
            quantile(ratio, 0.5),
            quantile(ratio, 0.25),
            quantile(ratio, 0.75),
        );
    }
    println!("memory of codex-orch then: {:.1} MB", ours().1);
}

/// Runs a program in a terminal until a message can be sent; how long it took to draw the composer and until then, and
/// its own memory.
fn begun(command: Command) -> ([Duration; 2], f64) {
    let size = PtySize {
        rows: 40,
        cols: 110,
        pixel_width: 0,
        pixel_height: 0,
    };
    let pty = native_pty_system().openpty(size).unwrap();
    let mut builder = CommandBuilder::new(command.get_program());
    builder.args(command.get_args());
    builder.cwd(command.get_current_dir().unwrap());
    for (key, value) in command.get_envs() {
        builder.env(key, value.unwrap_or_default());
    }
    builder.env("TERM", "xterm-256color");
    let begun = Instant::now();
    let mut child = pty.slave.spawn_command(builder).unwrap();
    drop(pty.slave);
    let mut reader = pty.master.try_clone_reader().unwrap();
    let mut writer = pty.master.take_writer().unwrap();
    let (mut seen, mut answered) = (String::new(), 0);
    let mut chunk = [0; 16 * 1024];
    let mut drawn = None;
    while !seen.contains(READY) {
        let n = reader.read(&mut chunk).unwrap();
        assert_ne!(n, 0, "it ended: {seen}");
        seen.push_str(&String::from_utf8_lossy(&chunk[..n]));
        if drawn.is_none() && seen.contains(COMPOSER) {
            drawn = Some(begun.elapsed());
        }
        for (asked, answer) in ANSWERS {
            if let Some(new) = seen.get(answered..)
                && new.contains(asked)
            {
                writer.write_all(answer.as_bytes()).unwrap();
            }
        }
        answered = seen.len();
    }
    let took = [drawn.unwrap(), begun.elapsed()];
    let memory = child.process_id().and_then(high_water).unwrap();
    child.clone_killer().kill().unwrap();
    // The terminal's end is what a leftover would be told.
    drop((writer, reader, pty.master));
    child.wait().unwrap();
    (took, memory)
}

/// A server that listens, and a client of it.
struct Served {
    child: Child,
    client: AppServer,
    notes: mpsc::Receiver<orch_engine::link::frame::Frame>,
}

async fn serve(stage: &Stage, program: &Path, name: &str) -> Served {
    let socket = stage.dir.path().join(name);
    let listen = format!("unix://{}", socket.display());
    let mut command = stage.command(program, &["app-server", "--listen", &listen]);
    let child = command.spawn().unwrap();
    let stream = loop {
        match dial(&socket).await {
            Ok(stream) => break stream,
            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    };
    let (incoming, notes) = mpsc::channel(100_000);
    let connect = Connect {
        client_version: "1".to_owned(),
        timeout: Duration::from_secs(60),
        opt_out: Vec::new(),
        incoming: Some(incoming),
    };
    let link = ws::connect(stream).await.unwrap();
    let client = AppServer::connect(link, connect).await.unwrap();
    Served {
        child,
        client,
        notes,
    }
}

impl Served {
    async fn thread(&self, stage: &Stage) -> Value {
        let cwd = stage.dir.path().join("repo");
        let params = json!({"cwd": cwd, "sandbox": "read-only", "approvalPolicy": "never"});
        let started = self.client.call("thread/start", params).await.unwrap();
        started["thread"]["id"].clone()
    }

    /// From the message to the engine's word that its turn has begun.
    async fn turn(&mut self, thread: &Value) -> Duration {
        let params = json!({"threadId": thread, "input": [{"type": "text", "text": "hello"}]});
        let begun = Instant::now();
        self.client.call("turn/start", params).await.unwrap();
        let took = begun.elapsed();
        loop {
            let note = self.notes.recv().await.unwrap();
            if note
                .text()
                .unwrap()
                .contains(r#""method":"turn/completed""#)
            {
                return took;
            }
        }
    }

    fn end(mut self) {
        let _ = Command::new("kill")
            .arg(self.child.id().to_string())
            .status();
        self.child.wait().unwrap();
    }
}

/// What the check, the brief and the durable record add to the start of a turn.
async fn turns(stage: &Stage, pairs: usize) {
    let mut plain = serve(stage, &stage.engine, "plain.sock").await;
    let mut ours = serve(stage, Path::new(OURS), "ours.sock").await;
    let (t, u) = (plain.thread(stage).await, ours.thread(stage).await);
    for _ in 0..3 {
        plain.turn(&t).await;
        ours.turn(&u).await;
    }
    let (mut a, mut b, mut added) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..pairs {
        let (direct, interposed) = (plain.turn(&t).await, ours.turn(&u).await);
        a.push(ms(direct));
        b.push(ms(interposed));
        added.push(ms(interposed) - ms(direct));
    }
    println!(
        "turn/start to its answer: {pairs} pairs: engine {:.1} ms, through codex-orch {:.1} ms, added {:.1} ms (p90 {:.1}, most {:.1})",
        quantile(&mut a, 0.5),
        quantile(&mut b, 0.5),
        quantile(&mut added, 0.5),
        quantile(&mut added, 0.9),
        quantile(&mut added, 1.0),
    );
    plain.end();
    ours.end();
}

/// Memory after 100,000 frames: 50,000 requests, one after the other, and their answers.
async fn frames(stage: &Stage) {
    let ours = serve(stage, Path::new(OURS), "many.sock").await;
    let begun = Instant::now();
    for _ in 0..50_000 {
        ours.client
            .call("thread/loaded/list", json!({}))
            .await
            .unwrap();
    }
    let took = begun.elapsed();
    println!(
        "memory of codex-orch after 100,000 frames: {:.1} MB ({:.0} µs a request and its answer, the engine's share included)",
        high_water(ours.child.id()).unwrap(),
        took.as_secs_f64() * 1e6 / 50_000.0,
    );
    ours.end();
}
