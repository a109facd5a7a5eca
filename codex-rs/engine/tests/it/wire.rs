//! What the tests of links and relay share: two peers, a relay between them, and a WebSocket written by hand.

use orch_engine::link::frame::Frame;
use orch_engine::link::{Link, lines, ws};
use orch_engine::relay::{ClientRules, EngineRules, RelayEnd, relay};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex, split};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire {
    Ws,
    Lines,
}

/// A link and its other end; `room` bytes are on their way at most.
pub(crate) async fn pair(wire: Wire, room: usize) -> (Link, Link) {
    let (near, far) = duplex(room);
    match wire {
        Wire::Ws => {
            let (client, server) = tokio::join!(ws::connect(near), ws::accept(far));
            (client.unwrap(), server.unwrap())
        }
        Wire::Lines => (over_lines(near), over_lines(far)),
    }
}

pub(crate) fn over_lines(stream: DuplexStream) -> Link {
    let (input, output) = split(stream);
    lines::link(input, output)
}

/// Client and engine with a running relay between them.
pub(crate) struct Between {
    pub(crate) client: Link,
    pub(crate) engine: Link,
    pub(crate) inject: mpsc::Sender<Frame>,
    pub(crate) end: JoinHandle<RelayEnd>,
}

pub(crate) async fn between(
    wires: (Wire, Wire),
    room: usize,
    client_rules: impl ClientRules + 'static,
    engine_rules: impl EngineRules + 'static,
) -> Between {
    let (client, near) = pair(wires.0, room).await;
    let (far, engine) = pair(wires.1, room).await;
    let (inject, injected) = mpsc::channel(1);
    let end = tokio::spawn(relay(near, far, client_rules, engine_rules, injected));
    Between {
        client,
        engine,
        inject,
        end,
    }
}

pub(crate) fn frame(text: &str) -> Frame {
    Frame::from(text.to_owned())
}

pub(crate) async fn send(link: &mut Link, text: &str) {
    link.sender.feed(&frame(text)).await.unwrap();
    link.sender.flush().await.unwrap();
}

/// The next frame's text.
pub(crate) async fn hear(link: &mut Link) -> String {
    let frame = link.receiver.next().await.unwrap();
    frame
        .expect("the link has ended")
        .text()
        .unwrap()
        .to_owned()
}

/// The client's end of a WebSocket on which any bytes can be written.
pub(crate) async fn raw_client(mut stream: DuplexStream) -> DuplexStream {
    let hello = "GET /any HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        x-codex-app-server-compression: zstd-stream-v1\r\n\r\n";
    stream.write_all(hello.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 101 "), "{head}");
    assert!(!head.contains("compression"), "{head}");
    stream
}

/// One frame of a WebSocket as a client sends it.
pub(crate) fn masked(opcode: u8, last: bool, mask: [u8; 4], payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![opcode | (u8::from(last) << 7)];
    match payload.len() {
        short @ 0..126 => bytes.push(0x80 | u8::try_from(short).unwrap()),
        middle @ 126..65_536 => {
            bytes.push(0x80 | 126);
            bytes.extend(u16::try_from(middle).unwrap().to_be_bytes());
        }
        long => {
            bytes.push(0x80 | 127);
            bytes.extend(u64::try_from(long).unwrap().to_be_bytes());
        }
    }
    bytes.extend(mask);
    let masked = payload.iter().zip(mask.iter().cycle());
    bytes.extend(masked.map(|(byte, mask)| byte ^ mask));
    bytes
}
