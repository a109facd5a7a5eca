//! A child with inherited stdio. Signals would reach every test, so the one who waits is this binary once more, as a child.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use orch_engine::exec::{ExecChild, ExecPlan, Stderr};
use orch_engine::leash::Launch;
use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Home, engine, folder, script, trampoline};

pub(crate) const PROGRAM: &str = "ORCH_EXEC_HOST";

/// Not a test of its own: what [`host`] runs.
#[tokio::test]
async fn the_waiting_process() {
    let Some(program) = std::env::var_os(PROGRAM) else {
        return;
    };
    let plan = ExecPlan {
        launch: Launch {
            program: program.into(),
            trampoline: Some(trampoline()),
        },
        args: std::env::var("ORCH_EXEC_ARGS")
            .unwrap_or_default()
            .split_whitespace()
            .map(Into::into)
            .collect(),
        envs: vec![("ADDED".into(), "yes".into())],
        cwd: Some("/".into()),
        stderr: Stderr::Tee,
        is_bare: false,
    };
    let end = ExecChild::spawn(&plan).unwrap().wait().await.unwrap();
    let tail = String::from_utf8(end.stderr_tail.clone().unwrap_or_default()).unwrap();
    println!("END {:?} {} {:?}", end.end(), end.shell_code(), tail);
}

fn host(program: &Path, args: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "exec::the_waiting_process",
            "--nocapture",
            "--test-threads=1",
        ])
        .env(PROGRAM, program)
        .env("ORCH_EXEC_ARGS", args)
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The host's stdout and stderr after `stdin` was given to it.
fn run(body: &str, stdin: &str) -> (String, String) {
    let folder = folder();
    let program = folder.path().join("codex");
    script(&program, body);
    let mut host = host(&program, "");
    host.stdin
        .take()
        .unwrap()
        .write_all(stdin.as_bytes())
        .unwrap();
    let output = host.wait_with_output().unwrap();
    (
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

#[test]
fn stdio_is_the_childs_own_and_its_end_is_told() {
    let (out, err) = run(
        "read line; echo \"got $line $ADDED $PWD\"; echo oops >&2; exit 7",
        "a line\n",
    );
    assert!(out.contains("got a line yes /\n"), "{out}");
    assert!(out.contains("END Code(7) 7 \"oops\\n\""), "{out}");
    assert!(err.contains("oops\n"), "{err}");
    let (out, _) = run("kill -9 $$", "");
    assert!(out.contains("END Signal(9) 137"), "{out}");
}

#[test]
fn a_grandchild_that_keeps_stderr_does_not_keep_us() {
    let (out, _) = run("sleep 5 <&- >&- & echo last words >&2; exit 0", "");
    assert!(out.contains("END Code(0) 0 \"last words\\n\""), "{out}");
}

#[test]
fn signals_to_us_reach_the_child_once() {
    for (signal, code) in [
        (Signal::TERM, 15),
        (Signal::HUP, 1),
        (Signal::INT, 2),
        (Signal::QUIT, 3),
    ] {
        let folder = folder();
        let program = folder.path().join("codex");
        // The one who waits must outlive the signal and tell how its child took it.
        script(
            &program,
            "for s in TERM HUP INT QUIT; do trap \"echo caught $s; exit 9\" $s; done\necho ready\nwhile :; do read line || exit 8; done",
        );
        let mut host = host(&program, "");
        let mut out = BufReader::new(host.stdout.take().unwrap());
        let mut seen = String::new();
        while !seen.contains("ready\n") {
            assert_ne!(out.read_line(&mut seen).unwrap(), 0, "{seen}");
        }
        kill_process(Pid::from_child(&host), signal).unwrap();
        // The shell runs its trap once its `read` was interrupted or fed.
        let mut stdin = host.stdin.take().unwrap();
        let _ = stdin.write_all(b"\n");
        out.read_to_string(&mut seen).unwrap();
        host.wait().unwrap();
        assert_eq!(seen.matches("caught").count(), 1, "signal {code}: {seen}");
        assert!(seen.contains("END Code(9)"), "signal {code}: {seen}");
    }
}

#[test]
fn the_real_engine_is_run_through() {
    let home = Home::new(Vec::new());
    let output = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "exec::the_waiting_process",
            "--nocapture",
            "--test-threads=1",
        ])
        .env(PROGRAM, engine())
        .env("ORCH_EXEC_ARGS", "exec --skip-git-repo-check --json hello")
        .env("CODEX_HOME", home.home())
        .env("SCRIPTED_KEY", "x")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    assert!(
        out.contains("turn.completed") && out.contains("END Code(0)"),
        "{out}"
    );
    assert_eq!(home.requests().len(), 1);
}
