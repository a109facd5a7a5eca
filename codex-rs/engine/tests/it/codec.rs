//! However a stream is cut, its frames are the same.

use orch_engine::codec::{FrameDecoder, encode};
use proptest::prelude::*;

fn decode(chunks: &[&[u8]], limit: usize) -> (Vec<Vec<u8>>, usize, usize) {
    let mut decoder = FrameDecoder::with_limit(limit);
    let mut frames = Vec::new();
    let mut dropped = 0;
    for chunk in chunks {
        dropped += usize::from(decoder.feed(chunk, &mut frames).is_err());
    }
    (frames, dropped, decoder.pending())
}

/// Cuts `bytes` after each of `cuts` bytes, over and over.
fn chunks<'a>(mut bytes: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut out = Vec::new();
    for cut in cuts.iter().cycle() {
        if bytes.is_empty() {
            break;
        }
        let (head, tail) = bytes.split_at((*cut).min(bytes.len()));
        out.push(head);
        bytes = tail;
    }
    out
}

proptest! {
    #[test]
    fn frames_survive_any_cut(
        frames in prop::collection::vec("[^\r\n]{1,40}", 0..20),
        cuts in prop::collection::vec(1..30_usize, 1..8),
    ) {
        let frames: Vec<Vec<u8>> = frames.into_iter().map(String::into_bytes).collect();
        let mut bytes = Vec::new();
        frames.iter().for_each(|frame| encode(frame, &mut bytes));
        prop_assert_eq!(decode(&chunks(&bytes, &cuts), 1000), (frames, 0, 0));
    }

    #[test]
    fn any_bytes_are_held_within_the_limit(
        bytes in prop::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..400),
        cuts in prop::collection::vec(1..30_usize, 1..8),
        limit in 1..50_usize,
    ) {
        let (frames, _, pending) = decode(&chunks(&bytes, &cuts), limit);
        prop_assert!(pending <= limit);
        prop_assert!(frames.iter().all(|frame| frame.len() <= limit && !frame.is_empty()));
        let (whole, _, _) = decode(&[&bytes], limit);
        prop_assert_eq!(frames, whole);
    }
}

#[test]
fn a_line_too_long_is_dropped_and_the_next_is_read() {
    let (frames, dropped, _) = decode(&[b"ab\r\n\n12345678", b"9\nc", b"d\nend"], 4);
    assert_eq!(frames, [b"ab".to_vec(), b"cd".to_vec()]);
    assert_eq!(dropped, 1);
}
