//! Whatever goes into a relay comes out as it was, in order, both ways; rules apply; an end is told and loses nothing.

use orch_engine::link::frame::Frame;
use orch_engine::link::{Link, ws};
use orch_engine::relay::{ClientRules, EngineRules, PassAll, RelayEnd, Verdict, relay};
use proptest::prelude::*;
use tokio::io::{AsyncWriteExt as _, duplex};
use tokio::sync::{mpsc, oneshot};

use crate::wire::{
    Between, Wire, between, frame, hear, masked, over_lines, pair, raw_client, send,
};

const WIRES: [(Wire, Wire); 4] = [
    (Wire::Ws, Wire::Ws),
    (Wire::Lines, Wire::Ws),
    (Wire::Ws, Wire::Lines),
    (Wire::Lines, Wire::Lines),
];

fn run<T>(test: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build().unwrap().block_on(test)
}

/// A frame: known shapes, odd ids, escapes, garbage; some of them large.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => ("[0-9]{1,30}|\"\\PC{0,9}\"|null|1e999", "[a-z/]{1,12}", "[^\r\n]{0,60}").prop_map(|(id, method, text)| {
            format!("{{ \"id\":{id}, \"method\":\"{method}\",\"params\":{{\"x\":{text:?},\"half\":\"\\ud83d\"}}}}")
        }),
        2 => "[^\r\n]{1,200}",
        1 => (1..200_000_usize, "[^\r\n]").prop_map(|(times, text)| text.repeat(times)),
    ]
}

async fn say(link: &mut orch_engine::link::Sender, texts: &[String]) {
    for text in texts {
        link.feed(&frame(text)).await.unwrap();
    }
    link.flush().await.unwrap();
}

async fn listen(link: &mut orch_engine::link::Receiver, count: usize) -> Vec<String> {
    let mut heard = Vec::new();
    while heard.len() < count {
        let frame = link.next().await.unwrap().expect("ended too early");
        heard.push(frame.text().unwrap().to_owned());
    }
    heard
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn frames_come_out_as_they_went_in(
        wires in prop::sample::select(WIRES.to_vec()),
        room in prop_oneof![1..64_usize, Just(65_536)],
        up in prop::collection::vec(text(), 0..12),
        down in prop::collection::vec(text(), 0..12),
    ) {
        // Large frames through a needle's eye only take long.
        let room = if up.iter().chain(&down).any(|text| text.len() > 1000) { room.max(4096) } else { room };
        let (heard_up, heard_down, end) = run(async {
            let Between { mut client, mut engine, end, inject: _inject } = between(wires, room, PassAll, PassAll).await;
            let (_, _, heard_up, heard_down) = tokio::join!(
                say(&mut client.sender, &up),
                say(&mut engine.sender, &down),
                listen(&mut engine.receiver, up.len()),
                listen(&mut client.receiver, down.len()),
            );
            client.sender.close().await.unwrap();
            (heard_up, heard_down, end.await.unwrap())
        });
        prop_assert!(heard_up == up && heard_down == down);
        prop_assert!(matches!(end, RelayEnd::ClientClosed), "{end:?}");
    }

    #[test]
    fn fragments_and_pings_make_no_difference(
        frames in prop::collection::vec((text(), any::<[u8; 4]>(), prop::collection::vec((1..5000_usize, any::<bool>()), 1..6)), 1..6),
        engine_wire in prop::sample::select(vec![Wire::Ws, Wire::Lines]),
    ) {
        let mut bytes = Vec::new();
        for (text, mask, cuts) in &frames {
            let mut rest = text.as_bytes();
            let mut opcode = 1;
            for (cut, ping) in cuts {
                let (piece, left) = rest.split_at(rest.len().min(*cut));
                bytes.extend(masked(opcode, false, *mask, piece));
                if *ping {
                    bytes.extend(masked(9, true, *mask, b"still there?"));
                }
                (rest, opcode) = (left, 0);
            }
            bytes.extend(masked(opcode, true, *mask, rest));
        }
        let heard = run(async {
            let (raw, near) = duplex(4096);
            let (raw, near) = tokio::join!(raw_client(raw), ws::accept(near));
            let (far, mut engine) = pair(engine_wire, 4096).await;
            let (_inject, injected) = mpsc::channel(1);
            let relayed = tokio::spawn(relay(near.unwrap(), far, PassAll, PassAll, injected));
            let (mut pongs, mut raw) = tokio::io::split(raw);
            tokio::spawn(async move { tokio::io::copy(&mut pongs, &mut tokio::io::sink()).await });
            let (written, heard) = tokio::join!(
                raw.write_all(&bytes),
                listen(&mut engine.receiver, frames.len())
            );
            written.unwrap();
            drop(relayed);
            heard
        });
        prop_assert!(heard.iter().eq(frames.iter().map(|(text, ..)| text)));
    }
}

#[tokio::test]
async fn frames_larger_than_upstream_takes_in_one_piece_go_through() {
    for wires in [(Wire::Ws, Wire::Ws), (Wire::Lines, Wire::Ws)] {
        let large = vec!["ü".repeat(9 << 20), "x".repeat(5 << 20), "{}".to_owned()];
        let mut it = between(wires, 1 << 16, PassAll, PassAll).await;
        let (_, _, up, down) = tokio::join!(
            say(&mut it.client.sender, &large),
            say(&mut it.engine.sender, &large),
            listen(&mut it.engine.receiver, 3),
            listen(&mut it.client.receiver, 3),
        );
        assert!(up == large && down == large);
    }
}

#[tokio::test]
async fn garbage_goes_through_as_it_came() {
    let mut it = between((Wire::Ws, Wire::Ws), 64, PassAll, PassAll).await;
    let binary = Frame::Binary(vec![0, 255, 10].into());
    for (from, to) in [
        (&mut it.client.sender, &mut it.engine.receiver),
        (&mut it.engine.sender, &mut it.client.receiver),
    ] {
        from.feed(&binary).await.unwrap();
        from.feed(&frame("not\njson\0")).await.unwrap();
        from.feed(&frame("")).await.unwrap();
        from.flush().await.unwrap();
        assert_eq!(to.next().await.unwrap(), Some(binary.clone()));
        assert_eq!(to.next().await.unwrap(), Some(frame("not\njson\0")));
        assert_eq!(to.next().await.unwrap(), Some(frame("")));
    }

    let (mut raw, near) = duplex(64);
    let (far, mut engine) = pair(Wire::Lines, 64).await;
    let (_inject, injected) = mpsc::channel(1);
    let end = tokio::spawn(relay(over_lines(near), far, PassAll, PassAll, injected));
    raw.write_all(b"\xff\xfe\n\r\n\n {\r\nlast").await.unwrap();
    raw.shutdown().await.unwrap();
    let bytes = engine.receiver.next().await.unwrap().unwrap();
    assert_eq!(bytes.as_bytes(), b"\xff\xfe");
    assert_eq!(hear(&mut engine).await, " {");
    assert_eq!(hear(&mut engine).await, "last");
    assert_eq!(engine.receiver.next().await.unwrap(), None);
    assert!(matches!(end.await.unwrap(), RelayEnd::ClientClosed));
    // Between the tokens of a frame a line break is a space.
    let (mut near, mut far) = pair(Wire::Lines, 64).await;
    send(&mut near, "{\n\"a\":1\r\n}").await;
    assert_eq!(hear(&mut far).await, "{ \"a\":1\r }");
}

#[tokio::test]
async fn a_broken_protocol_is_told_with_its_side() {
    // A client that doesn't mask; a frame of an unknown kind; a message that says it is too long.
    let unmasked = vec![0x81, 2, b'{', b'}'];
    let unknown = masked(3, true, [0; 4], b"");
    let mut endless = masked(1, true, [0; 4], b"");
    endless.splice(1..2, [0xff, 0, 0, 1, 0, 0, 0, 0, 0]);
    for bytes in [unmasked, unknown, endless] {
        let (raw, near) = duplex(4096);
        let (raw, near) = tokio::join!(raw_client(raw), ws::accept(near));
        let (far, mut engine) = pair(Wire::Ws, 4096).await;
        let (_inject, injected) = mpsc::channel(1);
        let end = tokio::spawn(relay(near.unwrap(), far, PassAll, PassAll, injected));
        let mut raw = raw;
        raw.write_all(&masked(1, true, [7; 4], b"before"))
            .await
            .unwrap();
        raw.write_all(&bytes).await.unwrap();
        assert_eq!(hear(&mut engine).await, "before");
        assert_eq!(engine.receiver.next().await.unwrap(), None);
        let end = end.await.unwrap();
        assert!(matches!(end, RelayEnd::ClientFailed(_)), "{end:?}");
    }
    // An engine that speaks no WebSocket at all.
    let (mut raw, far) = duplex(4096);
    raw.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        .await
        .unwrap();
    assert!(ws::connect(far).await.is_err());
    let (mut raw, near) = duplex(4096);
    raw.write_all(b"{\"id\":1}\r\n\r\n").await.unwrap();
    assert!(ws::accept(near).await.is_err());
}

/// Says what each frame says: `hold` waits for the word, `answer`, `drop` and `replace` are done.
struct Said(Option<oneshot::Receiver<()>>);

fn said(frame: &Frame) -> Verdict {
    match frame.text() {
        Some("answer") => Verdict::Answer("answered".into()),
        Some("drop") => Verdict::Drop,
        Some("replace") => Verdict::Replace("replaced".into()),
        Some(_) | None => Verdict::Pass,
    }
}

impl ClientRules for Said {
    async fn from_client(&mut self, frame: &Frame) -> Verdict {
        if frame.text() == Some("hold")
            && let Some(word) = self.0.take()
        {
            let _ = word.await;
        }
        said(frame)
    }
}

impl EngineRules for Said {
    fn from_engine(&mut self, frame: &Frame) -> Verdict {
        said(frame)
    }
}

#[tokio::test]
async fn rules_are_applied_and_a_held_frame_holds_only_its_direction() {
    for wires in WIRES {
        let (word, held) = oneshot::channel();
        let mut it = between(wires, 64, Said(Some(held)), Said(None)).await;
        let texts = ["answer", "drop", "replace", "a"].map(str::to_owned);
        say(&mut it.client.sender, &texts).await;
        assert_eq!(hear(&mut it.client).await, "answered");
        assert_eq!(hear(&mut it.engine).await, "replaced");
        assert_eq!(hear(&mut it.engine).await, "a");
        say(&mut it.engine.sender, &texts).await;
        assert_eq!(hear(&mut it.engine).await, "answered");
        assert_eq!(hear(&mut it.client).await, "replaced");
        assert_eq!(hear(&mut it.client).await, "a");

        say(&mut it.client.sender, &["hold", "after"].map(str::to_owned)).await;
        send(&mut it.engine, "meanwhile").await;
        assert_eq!(hear(&mut it.client).await, "meanwhile");
        it.inject.send(frame("ours")).await.unwrap();
        assert_eq!(hear(&mut it.client).await, "ours");
        word.send(()).unwrap();
        assert_eq!(hear(&mut it.engine).await, "hold");
        assert_eq!(hear(&mut it.engine).await, "after");
    }
}

#[tokio::test]
async fn an_end_loses_nothing_that_came_before_it() {
    let many: Vec<String> = (0..500).map(|n| format!("frame {n}")).collect();
    for wires in WIRES {
        // The client says much and leaves.
        let mut it = between(wires, 1 << 16, PassAll, PassAll).await;
        say(&mut it.client.sender, &many).await;
        it.client.sender.close().await.unwrap();
        drop(it.client);
        assert_eq!(listen(&mut it.engine.receiver, 500).await, many);
        assert_eq!(it.engine.receiver.next().await.unwrap(), None);
        assert!(matches!(it.end.await.unwrap(), RelayEnd::ClientClosed));

        // The engine does, without a word of farewell, while frames of the client and of ours are held.
        let (_word, held) = oneshot::channel();
        let mut it = between(wires, 1 << 16, Said(Some(held)), PassAll).await;
        send(&mut it.client, "hold").await;
        say(&mut it.engine.sender, &many).await;
        drop(it.engine);
        it.inject.send(frame("ours")).await.unwrap();
        let mut heard = listen(&mut it.client.receiver, 501).await;
        heard.retain(|text| text != "ours");
        assert_eq!(heard, many);
        assert_eq!(it.client.receiver.next().await.unwrap(), None);
        assert!(matches!(it.end.await.unwrap(), RelayEnd::EngineClosed));
    }
}

/// Feeds frames until none is taken for a second (of a clock that only moves when nothing else does); their number.
async fn until_full(link: &mut Link) -> usize {
    let large = "x".repeat(10_000);
    let mut taken = 0;
    loop {
        let fed = async {
            link.sender.feed(&frame(&large)).await.unwrap();
            link.sender.flush().await.unwrap();
        };
        match tokio::time::timeout(std::time::Duration::from_secs(1), fed).await {
            Ok(()) => taken += 1,
            Err(_) => return taken,
        }
        assert!(taken < 1000, "nothing slows the sender down");
    }
}

#[tokio::test(start_paused = true)]
async fn who_reads_slowly_slows_the_other_side_down() {
    for wires in WIRES {
        let mut it = between(wires, 1 << 14, PassAll, PassAll).await;
        let down = until_full(&mut it.engine).await;
        let up = until_full(&mut it.client).await;
        println!("{wires:?}: {down} and {up} frames of 10 kB on their way");
        assert_eq!(listen(&mut it.client.receiver, down).await.len(), down);
        assert_eq!(listen(&mut it.engine.receiver, up).await.len(), up);
    }
}
