//! What dies with us and what does not, with the real engine; and that the guard is not noticed otherwise.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process, kill_process_group, test_kill_process};
use serde_json::json;

use crate::support::{Home, Mourner, PidPipe, engine, folder, script, trampoline};

/// A parent that plays codex-orch, its guard, the engine, and what the engine has started.
struct Family {
    home: Home,
    parent: Child,
    guard: Pid,
    engine: Mourner,
    /// Upstream's own, to the last grandchild.
    own: Vec<Mourner>,
    detached: Pid,
    shell: Pid,
}

impl Family {
    /// A run in the midst of a command, with an MCP server.
    fn start() -> Self {
        let pipes = folder();
        let pipe = |name: &str| {
            let folder = pipes.path().join(name);
            fs::create_dir(&folder).unwrap();
            PidPipe::new(&folder)
        };
        let names = ["shell", "job", "fore", "nested", "server", "helper"];
        let own = names.map(pipe);
        let detached = pipe("detached");
        let tell = |n: usize| format!("echo $$ > '{}'", own[n].path().display());
        let command = format!(
            "{}; sh -c \"{}; exec sleep 300\" & setsid sh -c \"echo \\$\\$ > '{}'; exec sleep 302\" & \
             sh -c \"{}; (sh -c \\\"{}; exec sleep 303\\\"; true) & sleep 301 && true\" && true",
            tell(0),
            tell(1).replace('$', "\\$"),
            detached.path().display(),
            tell(2).replace('$', "\\$"),
            tell(3).replace('$', "\\\\\\$"),
        );
        let call = json!([{"type": "function_call", "call_id": "c1", "name": "exec_command",
            "arguments": json!({"cmd": command, "yield_time_ms": 20_000}).to_string()}]);
        let home = Home::new(vec![call]);
        let server = home.dir("bin").join("server");
        script(
            &server,
            &format!(
                r#"{}; sh -c "{}; exec sleep 304" &
while read line; do case "$line" in
*'"initialize"'*) echo '{{"jsonrpc":"2.0","id":0,"result":{{"protocolVersion":"2025-06-18","capabilities":{{"tools":{{}}}},"serverInfo":{{"name":"m","version":"1"}}}}}}';;
*tools/list*) echo '{{"jsonrpc":"2.0","id":1,"result":{{"tools":[]}}}}';;
esac; done"#,
                tell(4),
                tell(5).replace('$', "\\$"),
            ),
        );
        let config = format!("{}[mcp_servers.m]\ncommand = {:?}\n", home.config(), server);
        fs::write(home.home().join("config.toml"), config).unwrap();
        let mut parent = Command::new("sh")
            .args(["-c", "\"$1\" __leash $$ \"$2\" exec --json --skip-git-repo-check --dangerously-bypass-approvals-and-sandbox go & echo $!; wait", "sh"])
            .arg(trampoline())
            .arg(engine())
            .env("CODEX_HOME", home.home())
            .env("SCRIPTED_KEY", "x")
            // A login shell's start-up files may take locks (pyenv does) that a kill leaves behind.
            .env("HOME", home.folder.path())
            .current_dir(home.project())
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(parent.stdout.take().unwrap()).lines();
        let guard = pid(&lines.next().unwrap().unwrap());
        let own = own.map(|pipe| pipe.read());
        Self {
            home,
            parent,
            guard,
            engine: Mourner::of(only_child(guard)),
            own: own.map(Mourner::of).into(),
            detached: detached.read(),
            shell: own[0],
        }
    }

    /// Ends what the shell has started, where nobody else does.
    fn clean_up(&self) {
        let _ = kill_process_group(self.shell, Signal::KILL);
        for own in &self.own {
            let _ = rustix::process::pidfd_send_signal(own.fd(), Signal::KILL);
        }
    }

    /// All is gone but what was detached.
    fn assert_gone(mut self) {
        self.parent.wait().unwrap();
        self.engine.wait();
        for own in &self.own {
            own.wait();
        }
        test_kill_process(self.detached).expect("what was detached is gone");
        let mourner = Mourner::of(self.detached);
        kill_process(self.detached, Signal::KILL).unwrap();
        mourner.wait();
        drop(self.home);
    }
}

/// What lives in a session.
fn session(of: Pid) -> Vec<String> {
    let stats = fs::read_dir("/proc").unwrap().flatten();
    let stats = stats.filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok());
    let of = of.as_raw_pid().to_string();
    stats
        .filter(|stat| {
            let tail = stat.rsplit_once(") ").unwrap().1;
            let mut fields = tail.split(' ');
            fields.next() != Some("Z") && fields.nth(2) == Some(&of)
        })
        .collect()
}

fn pid(text: &str) -> Pid {
    Pid::from_raw(text.trim().parse().unwrap()).unwrap()
}

fn only_child(of: Pid) -> Pid {
    let of = of.as_raw_pid();
    pid(&fs::read_to_string(format!("/proc/{of}/task/{of}/children")).unwrap())
}

#[test]
fn all_that_is_ours_dies_with_us_and_what_was_detached_lives_on() {
    let mut family = Family::start();
    let guard = Mourner::of(family.guard);
    family.parent.kill().unwrap();
    guard.wait();
    assert_eq!(session(family.shell), [] as [String; 0]);
    family.assert_gone();
}

#[test]
fn the_same_when_the_engine_is_killed_together_with_us() {
    let family = Family::start();
    let guard = Mourner::of(family.guard);
    kill_process_group(Pid::from_child(&family.parent), Signal::KILL).unwrap();
    guard.wait();
    assert_eq!(session(family.shell), [] as [String; 0]);
    family.assert_gone();
}

#[test]
fn a_killed_guard_takes_the_engine_with_it() {
    let mut family = Family::start();
    kill_process(family.guard, Signal::KILL).unwrap();
    family.engine.wait();
    // What the shell has started is out of reach then; end it here.
    kill_process_group(Pid::from_child(&family.parent), Signal::KILL).unwrap();
    family.parent.wait().unwrap();
    family.clean_up();
    family.assert_gone();
}

/// A leashed shell script, with this process as its parent.
fn leashed(folder: &Path, body: &str) -> Child {
    let program = folder.join("codex");
    script(&program, body);
    orch_engine::leash::leash_command(&trampoline(), &program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn status(body: &str) -> ExitStatus {
    leashed(folder().path(), body).wait().unwrap()
}

#[test]
fn the_engines_end_is_the_guards() {
    for code in [0, 1, 7, 255] {
        assert_eq!(status(&format!("exit {code}")).code(), Some(code));
    }
    for signal in [1, 2, 3, 6, 9, 10, 11, 13, 15] {
        let status = status(&format!("kill -{signal} $$"));
        assert_eq!(status.signal(), Some(signal), "{status}");
    }
}

#[test]
fn what_the_engine_left_running_is_left_alone_and_orphans_are_buried() {
    let folder = folder();
    let mut child = leashed(
        folder.path(),
        "(sleep 300 <&- >&- 2>&- & echo $!)\nsh -c 'true & echo $!'\nread line",
    );
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let left = pid(&lines.next().unwrap().unwrap());
    let orphan = pid(&lines.next().unwrap().unwrap());
    // It may be buried before it can be looked at.
    if let Ok(fd) = rustix::process::pidfd_open(orphan, rustix::process::PidfdFlags::empty()) {
        Mourner::from(fd).wait();
    }
    child.stdin.take().unwrap().write_all(b"\n").unwrap();
    assert!(child.wait().unwrap().success());
    let mourner = Mourner::of(left);
    assert!(
        !fs::read(format!("/proc/{}/stat", left.as_raw_pid()))
            .unwrap()
            .is_empty()
    );
    kill_process(left, Signal::KILL).unwrap();
    mourner.wait();
}

#[test]
fn the_guard_keeps_no_pipe_open() {
    // The program closes its output and lives on; its input's end reaches it.
    let folder = folder();
    let mut child = leashed(
        folder.path(),
        "echo out; echo err >&2; exec >&- 2>&-; while read line; do :; done; exit 5",
    );
    let (mut out, mut err) = (String::new(), String::new());
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut out)
        .unwrap();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut err)
        .unwrap();
    assert_eq!((&*out, &*err), ("out\n", "err\n"));
    assert!(child.try_wait().unwrap().is_none());
    drop(child.stdin.take());
    assert_eq!(child.wait().unwrap().code(), Some(5));
    // Nobody reads: the program ends by SIGPIPE, and is told to have.
    let mut child = leashed(folder.path(), "while :; do echo y; done");
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().signal(), Some(13));
}

#[test]
fn signals_to_the_guard_reach_the_engine_once_and_ignored_ones_stay_ignored() {
    for (name, signal) in [
        ("TERM", Signal::TERM),
        ("INT", Signal::INT),
        ("HUP", Signal::HUP),
        ("QUIT", Signal::QUIT),
        ("USR1", Signal::USR1),
        ("USR2", Signal::USR2),
    ] {
        let folder = folder();
        let mut child = leashed(
            folder.path(),
            &format!("trap 'echo caught' {name}; echo ready; read line; read line; exit 4"),
        );
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut seen = String::new();
        out.read_line(&mut seen).unwrap();
        kill_process(Pid::from_child(&child), signal).unwrap();
        out.read_line(&mut seen).unwrap_or_default();
        child.stdin.take().unwrap().write_all(b"\n\n").unwrap();
        out.read_to_string(&mut seen).unwrap();
        assert_eq!(seen, "ready\ncaught\n", "{name}");
        assert_eq!(child.wait().unwrap().code(), Some(4), "{name}");
    }
    let folder = folder();
    let program = folder.path().join("codex");
    script(&program, "grep SigIgn /proc/self/status");
    let output = Command::new("sh")
        .args(["-c", "trap '' HUP; \"$1\" __leash $$ \"$2\"; exit", "sh"])
        .arg(trampoline())
        .arg(&program)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.trim_end().ends_with('1'), "{text}");
}

#[test]
fn the_real_app_server_ends_at_its_stdins_end_and_the_real_exec_by_sigterm() {
    let home = Home::new(Vec::new());
    let mut server = orch_engine::leash::leash_command(&trampoline(), &engine())
        .arg("app-server")
        .env("CODEX_HOME", home.home())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    drop(server.stdin.take());
    assert!(server.wait().unwrap().success());

    let mut family = Family::start();
    let guard = Mourner::of(family.guard);
    kill_process(family.guard, Signal::TERM).unwrap();
    guard.wait();
    family.engine.wait();
    family.parent.wait().unwrap();
    family.clean_up();
    family.assert_gone();
}
