//! `kill -9` of whoever started the engine.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use rustix::process::Pid;
use serde_json::json;

use crate::support::{Home, Mourner, PidPipe, engine, trampoline};

#[test]
fn an_idle_app_server_dies_with_its_parent() {
    let home = Home::new(Vec::new());
    // The script plays codex-orch; its child's stdin stays open when it dies, for it is this test's.
    let mut parent = Command::new("sh")
        .args([
            "-c",
            "exec 3<&0; \"$1\" __leash $$ \"$2\" app-server <&3 & echo $!; wait",
            "sh",
        ])
        .arg(trampoline())
        .arg(engine())
        .env("CODEX_HOME", home.home())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = parent.stdin.take().unwrap();
    let hello = json!({"id": 1, "method": "initialize", "params": {"clientInfo": {"name": "t", "version": "0"}}});
    writeln!(stdin, "{hello}").unwrap();
    let mut lines = BufReader::new(parent.stdout.take().unwrap()).lines();
    let pid: i32 = lines.next().unwrap().unwrap().parse().unwrap();
    let answer = lines.next().unwrap().unwrap();
    assert!(answer.contains("userAgent"), "{answer}");
    let mourner = Mourner::of(Pid::from_raw(pid).unwrap());
    parent.kill().unwrap();
    parent.wait().unwrap();
    mourner.wait();
}

#[test]
fn a_run_and_the_command_it_runs_die_with_its_parent() {
    let folder = crate::support::folder();
    let pipe = PidPipe::new(folder.path());
    let command = format!("echo $$ > '{}'; exec sleep 300", pipe.path().display());
    let call = json!([{"type": "function_call", "call_id": "c1", "name": "exec_command",
        "arguments": json!({"cmd": command, "yield_time_ms": 20_000}).to_string()}]);
    let home = Home::new(vec![call]);
    let mut parent = Command::new("sh")
        .args(["-c", "\"$1\" __leash $$ \"$2\" exec --json --skip-git-repo-check --dangerously-bypass-approvals-and-sandbox go & echo $!; wait", "sh"])
        .arg(trampoline())
        .arg(engine())
        .env("CODEX_HOME", home.home())
        .env("SCRIPTED_KEY", "x")
        .env("HOME", home.folder.path())
        .current_dir(home.project())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(parent.stdout.take().unwrap()).lines();
    let pid: i32 = lines.next().unwrap().unwrap().parse().unwrap();
    let command = Mourner::of(pipe.read());
    let engine = Mourner::of(Pid::from_raw(pid).unwrap());
    parent.kill().unwrap();
    parent.wait().unwrap();
    engine.wait();
    command.wait();
}

#[test]
fn a_parent_that_is_gone_already_starts_nothing() {
    let output = Command::new(trampoline())
        .args(["__leash", "1", "/bin/echo", "alive"])
        .output()
        .unwrap();
    assert!(!output.status.success() && output.stdout.is_empty());
    assert!(String::from_utf8_lossy(&output.stderr).contains("has ended"));
}

#[test]
fn arguments_pass_and_a_missing_program_is_told() {
    let mut command = orch_engine::leash::leash_command(&trampoline(), "/bin/echo".as_ref());
    let output = command
        .args(["-n", "a b", "--", "__leash"])
        .output()
        .unwrap();
    assert_eq!(output.stdout, b"a b -- __leash");
    let mut command = orch_engine::leash::leash_command(&trampoline(), "/no/such".as_ref());
    let output = command.output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("/no/such"));
    let output = Command::new(trampoline())
        .args(["__leash", "x"])
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("expected <parent-pid>"));
}
