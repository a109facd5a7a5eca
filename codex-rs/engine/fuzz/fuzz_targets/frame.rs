//! Any bytes are read as a frame and edited without a panic, and what an edit gives is JSON. `just fuzzed codex-rs/engine frame`
#![no_main]

use libfuzzer_sys::fuzz_target;
use orch_engine::codec::FrameDecoder;
use orch_engine::frame::peek;
use orch_engine::splice::{Existing, push_elements, set_member};
use serde_json::value::RawValue;

fuzz_target!(|bytes: &[u8]| {
    let mut frames = Vec::new();
    let _ = FrameDecoder::with_limit(100).feed(bytes, &mut frames);
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let envelope = peek(text);
    let edits = [
        set_member(text, &["params"], "config", "{}", Existing::Keep),
        set_member(
            text,
            &["params", "config"],
            "a\"b",
            "[null]",
            Existing::Replace,
        ),
        push_elements(text, &["params", "dynamicTools"], &["1", "{}"]),
    ];
    for edited in edits.into_iter().flatten() {
        assert!(envelope.is_some(), "no frame, and edited");
        let read: Result<&RawValue, _> = serde_json::from_str(&edited);
        assert!(read.is_ok() && edited.len() >= text.len());
    }
});
