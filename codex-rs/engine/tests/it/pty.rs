//! Keys of a terminal: `script` gives us one. Ctrl-C, Ctrl-\ and Ctrl-Z reach the engine as they would without us.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::exec::PROGRAM;
use crate::support::{folder, script};

/// The shell's.
const PROMPT: &str = "what now> ";

struct Terminal {
    child: Child,
    keys: ChildStdin,
    screen: ChildStdout,
    seen: String,
}

impl Terminal {
    fn start(shell: &str, program: &Path) -> Self {
        let mut child = Command::new("script")
            .args(["-qec", shell, "/dev/null"])
            .env(PROGRAM, program)
            .env("ORCH_EXEC_ARGS", "")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            keys: child.stdin.take().unwrap(),
            screen: child.stdout.take().unwrap(),
            child,
            seen: String::new(),
        }
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    fn until(&mut self, text: &str) {
        let mut chunk = [0; 1024];
        while !self.seen.contains(text) {
            let n = self.screen.read(&mut chunk).unwrap();
            assert_ne!(n, 0, "no {text} in {}", self.seen);
            self.seen += &String::from_utf8_lossy(&chunk[..n]);
        }
    }

    /// Waits for the shell's nth prompt. What is typed before it may be somebody else's, or nobody's.
    fn prompt(&mut self, nth: usize) {
        let mut chunk = [0; 1024];
        while self.seen.matches(PROMPT).count() < nth {
            let n = self.screen.read(&mut chunk).unwrap();
            assert_ne!(n, 0, "no prompt in {}", self.seen);
            self.seen += &String::from_utf8_lossy(&chunk[..n]);
        }
    }

    /// What stands between two texts that were seen.
    fn between(&self, before: &str, after: &str) -> &str {
        let (_, rest) = self.seen.split_once(before).unwrap();
        rest.split_once(after).unwrap().0
    }

    fn end(mut self) -> String {
        let mut rest = String::new();
        self.screen.read_to_string(&mut rest).unwrap();
        self.child.wait().unwrap();
        self.seen + &rest
    }
}

fn until_stopped(pid: u32) {
    let stat = || std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    while !stat().contains(") T ") {
        std::thread::yield_now();
    }
}

/// The command line that waits for [`PROGRAM`] through the crate. Without `exec` a plain sh would stay as leader of the
/// session, die of Ctrl-\\, and take the terminal with it.
fn host() -> String {
    format!(
        "exec {} --exact exec::the_waiting_process --nocapture --test-threads=1",
        std::env::current_exe().unwrap().display()
    )
}

fn program(folder: &Path, body: &str) -> PathBuf {
    let program = folder.join("codex");
    script(&program, body);
    program
}

#[test]
fn keys_that_signal_reach_the_engine_once() {
    let folder = folder();
    for (name, key) in [("INT", "\x03"), ("QUIT", "\x1c")] {
        let body = format!(
            "trap 'echo caught' {name}; echo ready; read line; read line; echo \"got $line\"; exit 9"
        );
        let mut terminal = Terminal::start(&host(), &program(folder.path(), &body));
        terminal.until("ready");
        terminal.press(key);
        terminal.until("caught");
        terminal.press("one\ntwo\n");
        let seen = terminal.end();
        assert_eq!(seen.matches("caught").count(), 1, "{seen}");
        assert!(seen.contains("END Code(9)"), "{seen}");
    }
}

#[test]
fn ctrl_z_stops_us_both_and_fg_goes_on() {
    let folder = folder();
    let body = "echo \"pid $$ ready\"; read line; echo \"got $line\"; exit 9";
    let mut terminal = Terminal::start(
        // The sh in between would set a prompt of its own.
        &format!("exec env PS1='{PROMPT}' bash --norc -i"),
        &program(folder.path(), body),
    );
    terminal.prompt(1);
    terminal.press(&format!("({})\n", host()));
    terminal.until(" ready");
    let engine: u32 = terminal.between("pid ", " ready").parse().unwrap();
    terminal.press("\x1a");
    terminal.until("Stopped");
    terminal.prompt(2);
    // The shell has seen that we are stopped. The engine may be about to be, and would take the next key.
    until_stopped(engine);
    terminal.press("fg; echo back from $?\n");
    terminal.press("on\n");
    terminal.until("got on");
    terminal.until("END Code(9)");
    terminal.until("back from 0");
    terminal.prompt(3);
    terminal.press("exit\n");
    terminal.end();
}

#[test]
fn ctrl_z_is_nothing_where_no_shell_could_go_on() {
    let folder = folder();
    let body = "echo ready; read line; echo \"got $line\"; exit 9";
    let mut terminal = Terminal::start(&host(), &program(folder.path(), body));
    terminal.until("ready");
    terminal.press("\x1a");
    terminal.press("on\n");
    terminal.until("got on");
    assert!(terminal.end().contains("END Code(9)"));
}
