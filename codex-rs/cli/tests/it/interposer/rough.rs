//! Clients that send what is no message, too much, or half of it, and clients that don't read. What is the engine's to
//! refuse it refuses; nobody else is disturbed, and nothing grows.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;

use orch_engine::link::frame::Frame;
use serde_json::{Value, json};

use crate::client::{Client, Front, wait};
use crate::engine::engine;
use crate::interposer::{is_whole, rolled_out};
use crate::world::{World, text};

const HELLO: &str = "GET /rpc HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

#[test]
fn who_talks_nonsense_disturbs_nobody() {
    let world = World::new(json!([]));
    let front = Front::open(&world);
    let mut good = front.client().greeted();
    good.start(json!({"cwd": world.repo}));
    // One that never says what it is, for the whole test.
    let mut silent = UnixStream::connect(front.socket()).unwrap();
    front.client().greeted();
    // It was not waited for: it may still speak.
    silent.set_nonblocking(true).unwrap();
    let unread = silent.read(&mut [0]).unwrap_err();
    assert_eq!(unread.kind(), std::io::ErrorKind::WouldBlock);
    good.turn("one");
    for bytes in [
        &b"nonsense\r\n\r\n"[..],
        &[0xff; 4096],
        b"GET / HTTP/1.1\r\n\r\n",
    ] {
        let mut stream = UnixStream::connect(front.socket()).unwrap();
        stream.write_all(bytes).unwrap();
        drop(stream);
    }
    // Half a frame: its head says 100 bytes, and the end comes after four.
    for rest in [
        &[0x81, 0xe4, 1, 2, 3, 4, 9, 9, 9, 9][..],
        &[0x81],
        &[0xf3, 0x80, 0, 0, 0, 0],
    ] {
        let mut stream = UnixStream::connect(front.socket()).unwrap();
        stream.write_all(HELLO.as_bytes()).unwrap();
        let mut head = [0; 12];
        stream.read_exact(&mut head).unwrap();
        assert_eq!(&head, b"HTTP/1.1 101");
        stream.write_all(rest).unwrap();
    }
    for frame in [
        Frame::from("no json".to_owned()),
        Frame::from("{\"id\":1,\"method\":\"turn/start\"".to_owned()),
        Frame::from("[[[[".repeat(10_000)),
        Frame::from(vec![0xff, 0xfe, 0]),
        Frame::from(String::new()),
    ] {
        let client = front.client().greeted();
        client.send_frame(frame);
    }
    good.turn("two");
    drop(silent);
    front.stop().ok();
    is_whole(&world, &good.thread, 2);
}

/// What a server answers to frames.
fn answers(mut client: Client, frames: &[String]) -> Vec<Value> {
    for frame in frames {
        client.send_frame(Frame::from(frame.clone()));
    }
    // In whatever order they come.
    let mut said = Vec::new();
    while said.len() < frames.len() {
        let message = client.next().expect("it has ended");
        if message.get("method").is_none() {
            said.push(message);
        }
    }
    client.close();
    said
}

#[test]
fn what_is_the_engines_to_refuse_it_refuses() {
    let world = World::new(json!([]));
    let nobody = "01890000-0000-7000-8000-000000000000";
    let long = "x".repeat(20_000_000);
    let frames = [
        json!({"id": 50, "method": "no/such"}).to_string(),
        json!({"id": 51, "method": "turn/start", "params": {"threadId": nobody, "input": [{"type": "text", "text": long}]}}).to_string(),
        json!({"id": 52, "method": "turn/start", "params": {"threadId": 7, "input": "x"}}).to_string(),
        json!({"id": 53, "method": "thread/start", "params": {"cwd": 7}}).to_string(),
        json!({"id": 54, "method": "thread/resume", "params": {"threadId": "../../x"}}).to_string(),
        json!({"id": "a\"b\u{1f600}", "method": "turn/start"}).to_string(),
    ];
    let (running, client) = Client::of(&mut world.program(engine(), &["app-server"]));
    let theirs = answers(client.greeted(), &frames);
    running.finish();
    let (running, client) = Client::stdio(&world);
    let ours = answers(client.greeted(), &frames);
    running.finish().ok();
    let sorted = |mut all: Vec<Value>| {
        all.sort_by_key(|answer| answer["id"].to_string());
        all
    };
    assert_eq!(sorted(ours), sorted(theirs));
}

/// The most memory that a process ever had, in kB.
fn peak(pid: rustix::process::Pid) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero())).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_client_that_does_not_read_costs_no_memory_and_no_record() {
    let piece = "0123456789abcdef".repeat(4_096);
    let pieces = 400;
    let stream: Vec<&str> = vec![&piece; pieces];
    let world = World::new(json!([
        {"when": {"user": "Much"}, "steps": [{"stream": stream}, {"run": "echo ran"}]},
    ]));
    let front = Front::open(&world);
    let mut client = front.client().greeted();
    client.start(json!({"cwd": world.repo}));
    client.turn("Hello");
    client.ask("turn/start", client.message("Much"));
    client.reads(false);
    world.asked(3);
    let mut other = front.client().greeted();
    other.call("thread/loaded/list", json!({}));
    let thread = client.thread.clone();
    wait("the turn ends", || {
        let turns = rolled_out(&world, &thread);
        turns.len() == 2 && turns[1].ended_at.is_some()
    });
    let peak = peak(front.running.pid());
    // Twice what stands between the two would be 52 MB more.
    assert!(peak < 64_000, "{peak} kB");
    client.reads(true);
    let mut streamed = 0;
    loop {
        let message = client.next().expect("it has ended before all was said");
        if message["method"] == "item/agentMessage/delta" {
            streamed += text(&message["params"]["delta"]).len();
        }
        if message["method"] == "turn/completed" {
            break;
        }
    }
    assert_eq!(streamed, piece.len() * pieces);
    front.stop().ok();
    is_whole(&world, &thread, 2);
}
