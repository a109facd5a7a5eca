//! What the relay adds between a client and the engine, over real unix sockets: time a frame, frames and bytes a second, and
//! the memory of the process that relays.
//!
//! `cargo bench -p orch-engine` starts itself again as that process, with rules that read every frame's envelope. Client and
//! engine (an echo) are threads of this one. The added time is that of a round trip through the relay less the median of one
//! without it, halved: a frame passes the relay twice.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use orch_engine::frame::peek;
use orch_engine::link::frame::Frame;
use orch_engine::link::listen::{Listener, dial};
use orch_engine::link::{Link, ws};
use orch_engine::relay::{ClientRules, EngineRules, Verdict, relay};
use tokio::sync::mpsc;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if let Some(at) = args.iter().position(|arg| arg == "--relay") {
        return block_on(serve(Path::new(&args[at + 1]), Path::new(&args[at + 2])));
    }
    reading();
    let dir = tempfile::tempdir().unwrap();
    let (ours, engine) = (dir.path().join("ours"), dir.path().join("engine"));
    let at = engine.clone();
    std::thread::spawn(move || block_on(echo(&at)));
    let relay = Relay::start(&ours, &engine);
    block_on(async {
        latency(&ours, &engine).await;
        println!(
            "memory of the relay after 40,000 round trips: {}",
            relay.peak()
        );
        rate("direct", &engine).await;
        rate("relay", &ours).await;
        println!(
            "memory of the relay after 300,000 small frames: {}",
            relay.peak()
        );
        large("direct", &engine).await;
        large("relay", &ours).await;
        println!("memory of the relay after large frames: {}", relay.peak());
    });
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build().unwrap().block_on(future)
}

/// A frame as the engine sends many: a delta of the answer.
fn small() -> Frame {
    let params = r#"{"threadId":"01a00000-0000-7000-8000-00000000000a","turnId":"01a00000-0000-7000-8000-00000000000b","itemId":"msg_1","delta":" word"}"#;
    format!(r#"{{"method":"item/agentMessage/delta","params":{params}}}"#).into()
}

/// A frame of `size` bytes: the output of a command, with the escapes that such has.
fn output(size: usize) -> String {
    let line = r#"    let found = map.get(\"key\").copied().unwrap_or_default(); // größer\n"#;
    let text = line.repeat(size / line.len());
    format!(r#"{{"method":"item/completed","params":{{"item":{{"aggregatedOutput":"{text}"}}}}}}"#)
}

fn reading() {
    for (name, text, times) in [
        ("1 MiB", output(1 << 20), 200),
        ("small", small().text().unwrap().to_owned(), 200_000),
    ] {
        let begun = Instant::now();
        let mut read = 0;
        for _ in 0..times {
            read += usize::from(std::hint::black_box(peek(std::hint::black_box(&text))).is_some());
        }
        assert_eq!(read, times);
        let each = begun.elapsed() / u32::try_from(times).unwrap();
        let speed = text.len() as f64 / each.as_secs_f64() / 1e6;
        println!("envelope of a {name} frame: {each:?}, {speed:.0} MB/s");
    }
}

async fn open(path: &Path) -> Link {
    ws::connect(dial(path).await.unwrap()).await.unwrap()
}

async fn latency(ours: &Path, engine: &Path) {
    let (mut direct, mut through) = (open(engine).await, open(ours).await);
    let frame = Frame::from(small().text().unwrap().replace("delta", "echo"));
    let (mut plain, mut relayed) = (Vec::new(), Vec::new());
    for round in 0..20_000 {
        let a = there_and_back(&mut direct, &frame).await;
        let b = there_and_back(&mut through, &frame).await;
        if round >= 1000 {
            plain.push(a);
            relayed.push(b);
        }
    }
    let base = quantile(&mut plain, 0.5);
    let (median, late) = (quantile(&mut relayed, 0.5), quantile(&mut relayed, 0.99));
    println!(
        "round trip direct: median {base:?}, p99 {:?}; through the relay: median {median:?}, p99 {late:?}",
        quantile(&mut plain, 0.99),
    );
    println!(
        "added a frame: median {:?}, p99 {:?}",
        median.saturating_sub(base) / 2,
        late.saturating_sub(base) / 2,
    );
}

async fn there_and_back(link: &mut Link, frame: &Frame) -> Duration {
    let begun = Instant::now();
    link.sender.feed(frame).await.unwrap();
    link.sender.flush().await.unwrap();
    link.receiver.next().await.unwrap().unwrap();
    begun.elapsed()
}

async fn rate(name: &str, path: &Path) {
    let frames = 300_000;
    let time = pour(path, &small(), frames).await;
    let rate = frames as f64 / time.as_secs_f64();
    println!("small frames, {name}: {rate:.0} a second");
}

async fn large(name: &str, path: &Path) {
    let frame = Frame::from(output(1 << 20));
    let frames = 400;
    let time = pour(path, &frame, frames).await;
    let speed = (frames * frame.as_bytes().len()) as f64 / time.as_secs_f64() / 1e6;
    println!("frames of 1 MiB, {name}: {speed:.0} MB/s");
}

/// Sends `frame` so often, and waits until all have been taken.
async fn pour(path: &Path, frame: &Frame, times: usize) -> Duration {
    let mut link = open(path).await;
    let begun = Instant::now();
    for _ in 0..times {
        link.sender.feed(frame).await.unwrap();
    }
    let done = Frame::from(r#"{"id":1,"method":"echo"}"#.to_owned());
    link.sender.feed(&done).await.unwrap();
    link.sender.flush().await.unwrap();
    link.receiver.next().await.unwrap().unwrap();
    begun.elapsed()
}

/// The engine: sends back what asks for it, and takes everything else.
async fn echo(path: &Path) {
    let listener = Listener::bind(path).unwrap();
    loop {
        let stream = listener.accept().await.unwrap();
        tokio::spawn(async move {
            let mut link = ws::accept(stream).await.unwrap();
            while let Some(frame) = link.receiver.next().await.unwrap() {
                let head = frame.as_bytes().get(..60).unwrap_or(frame.as_bytes());
                if head.windows(4).any(|part| part == b"echo") {
                    link.sender.feed(&frame).await.unwrap();
                    link.sender.flush().await.unwrap();
                }
            }
        });
    }
}

struct Rules;

impl ClientRules for Rules {
    async fn from_client(&mut self, frame: &Frame) -> Verdict {
        judge(frame)
    }
}

impl EngineRules for Rules {
    fn from_engine(&mut self, frame: &Frame) -> Verdict {
        judge(frame)
    }
}

fn judge(frame: &Frame) -> Verdict {
    match frame.text().and_then(peek).and_then(|read| read.method) {
        Some(method) if method == "no/such" => Verdict::Drop,
        Some(_) | None => Verdict::Pass,
    }
}

async fn serve(ours: &Path, engine: &Path) {
    let listener = Listener::bind(ours).unwrap();
    loop {
        let stream = listener.accept().await.unwrap();
        let engine = engine.to_owned();
        tokio::spawn(async move {
            let client = ws::accept(stream).await.unwrap();
            let (_inject, injected) = mpsc::channel(1);
            relay(client, open(&engine).await, Rules, Rules, injected).await
        });
    }
}

struct Relay(Child);

impl Relay {
    fn start(ours: &Path, engine: &Path) -> Self {
        let child = Command::new(std::env::current_exe().unwrap())
            .arg("--relay")
            .args([ours, engine])
            .spawn()
            .unwrap();
        // A socket has its name once it listens.
        while !(ours.exists() && engine.exists()) {
            std::thread::sleep(Duration::from_millis(5));
        }
        Self(child)
    }

    fn peak(&self) -> String {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM"));
        line.unwrap().to_owned()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn quantile(values: &mut [Duration], of: f64) -> Duration {
    values.sort();
    values[((values.len() - 1) as f64 * of).round() as usize]
}
