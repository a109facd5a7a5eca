//! Any bytes are read as a rollout, and as a command, without a panic. `just fuzzed codex-rs/rollout rollout_bytes`
#![no_main]

use libfuzzer_sys::fuzz_target;
use orch_protocol::turn::TurnRecord;
use orch_rollout::command::{command_kind, exit_code_vouches};
use orch_rollout::reader::Reader;

fuzz_target!(|bytes: &[u8]| {
    let mut reader = Reader::new(bytes);
    while let Ok(Some(turn)) = reader.next_turn() {
        assert!(turn.events.len() <= TurnRecord::MAX_EVENTS);
    }
    if let Ok(command) = std::str::from_utf8(bytes) {
        let _ = (command_kind(command), exit_code_vouches(command));
    }
});
