//! How fast a rollout is read, in bytes a second, and how much memory it takes.
//!
//! `cargo bench -p orch-rollout` measures a rollout of 60 MB made here: per request of the model a token count, a
//! reasoning line, a message twice, a call, its output of a few KB twice, and now and then a line of 200 KB.
//! `cargo bench -p orch-rollout -- --peak 300` prints the peak memory after reading one of 300 MB.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use std::io::{BufWriter, Write};

use divan::counter::BytesCount;
use orch_rollout::reader::{Reader, read_file};
use tempfile::NamedTempFile;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    match args.iter().position(|arg| arg == "--peak") {
        Some(at) => peak(args[at + 1].parse().unwrap()),
        None => divan::main(),
    }
}

#[divan::bench(sample_count = 10, sample_size = 1)]
fn read_60_mb(bencher: divan::Bencher<'_, '_>) {
    let rollout = rollout(60);
    let size = rollout.as_file().metadata().unwrap().len();
    bencher
        .counter(BytesCount::new(size))
        .bench_local(|| read_file(rollout.path()).unwrap());
}

/// Reads turn by turn and keeps none, as a caller does who has no use for all of them at once.
fn peak(megabytes: u64) {
    let rollout = rollout(megabytes);
    let mut reader = Reader::open(&[rollout.path().to_path_buf()]).unwrap();
    let mut turns = 0;
    while reader.next_turn().unwrap().is_some() {
        turns += 1;
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .unwrap();
    println!(
        "{megabytes} MB, {turns} turns, {} lines: {peak}",
        reader.tally().lines
    );
}

fn rollout(megabytes: u64) -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    let mut out = BufWriter::new(file.as_file());
    let thread = "01a00000-0000-7000-8000-00000000000a";
    let mut written = 0;
    let mut request = 0u64;
    let mut line = |kind: &str, payload: &str| {
        let line = format!(
            "{{\"timestamp\":\"2026-01-01T00:00:00.000Z\",\"type\":\"{kind}\",\"payload\":{payload}}}\n"
        );
        out.write_all(line.as_bytes()).unwrap();
        written += line.len() as u64;
        written
    };
    let source = "    let found = map.get(\\\"key\\\").copied().unwrap_or_default(); // größer\\n";
    let (output, huge, secret) = (
        source.repeat(45),
        source.repeat(2_800),
        "gAAAAABpQnL7vzqsMAkD5T".repeat(50),
    );
    line(
        "session_meta",
        &format!(r#"{{"id":"{thread}","cwd":"/w","cli_version":"0.120.0","source":"cli"}}"#),
    );
    loop {
        if request.is_multiple_of(20) {
            line(
                "event_msg",
                &format!(r#"{{"type":"task_started","turn_id":"turn-{request}"}}"#),
            );
            line(
                "event_msg",
                r#"{"type":"user_message","message":"please fix the bug in the parser","images":[]}"#,
            );
        }
        let tokens = format!(
            r#"{{"input_tokens":{0},"cached_input_tokens":{0},"output_tokens":{0}}}"#,
            request * 1_000
        );
        line(
            "event_msg",
            &format!(
                r#"{{"type":"token_count","info":{{"total_token_usage":{tokens},"last_token_usage":{tokens}}},"rate_limits":{{"primary":{{"used_percent":1.0}}}}}}"#
            ),
        );
        line(
            "response_item",
            &format!(r#"{{"type":"reasoning","summary":[],"encrypted_content":"{secret}"}}"#),
        );
        line(
            "event_msg",
            r#"{"type":"agent_message","message":"I look at the parser first, then at its tests."}"#,
        );
        line(
            "response_item",
            r#"{"type":"message","role":"assistant","content":[{"type":"output_text","text":"I look at it."}]}"#,
        );
        line(
            "response_item",
            &format!(
                r#"{{"type":"function_call","name":"exec_command","arguments":"{{\"cmd\":\"cd core && cargo test -p x{request} 2>&1 | tail -5\"}}","call_id":"call_{request}"}}"#
            ),
        );
        let text = if request % 40 == 7 { &huge } else { &output };
        line(
            "event_msg",
            &format!(
                r#"{{"type":"exec_command_end","call_id":"call_{request}","command":["/bin/bash","-lc","cd core && cargo test"],"aggregated_output":"{text}","exit_code":0,"status":"completed"}}"#
            ),
        );
        let written = line(
            "response_item",
            &format!(
                r#"{{"type":"function_call_output","call_id":"call_{request}","output":"Chunk ID: 1\nProcess exited with code 0\nOutput:\n{text}"}}"#
            ),
        );
        request += 1;
        if request.is_multiple_of(20) {
            line(
                "event_msg",
                &format!(
                    r#"{{"type":"task_complete","turn_id":"turn-{}"}}"#,
                    request - 20
                ),
            );
            if written >= megabytes * 1_000_000 {
                break;
            }
        }
    }
    out.flush().unwrap();
    drop(out);
    file
}
