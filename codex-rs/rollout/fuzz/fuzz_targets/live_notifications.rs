//! Any lines are taken as notifications (`METHOD PARAMS`) without a panic, and records stay within their bounds.
//! `just fuzzed codex-rs/rollout live_notifications`
#![no_main]

use libfuzzer_sys::fuzz_target;
use orch_protocol::Timestamp;
use orch_protocol::turn::TurnRecord;
use orch_rollout::live::LiveThreads;
use orch_rollout::live::seen::Seen;

fuzz_target!(|text: &str| {
    let mut live = LiveThreads::default();
    let mut seen = Vec::new();
    for line in text.lines() {
        let (method, params) = line.split_once(' ').unwrap_or((line, ""));
        seen.extend(live.take(method, params, Timestamp::UNIX_EPOCH));
    }
    seen.extend(live.engine_gone());
    for seen in &seen {
        if let Seen::TurnEnded(ended) = seen
            && let Some(record) = &ended.record
        {
            assert!(record.events.len() <= TurnRecord::MAX_EVENTS);
            assert!(record.request.chars().count() <= TurnRecord::MAX_MESSAGE);
        }
    }
});
