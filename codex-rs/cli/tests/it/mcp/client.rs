//! A folder to work in, and an MCP client that speaks lines of JSON over pipes.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

/// Nothing here takes that long; whatever does hangs.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) const THREAD: &str = "0199a213-81c0-7800-8aa1-bbab2a035a53";
pub(super) const TURN: &str = "0199a213-8b5e-7d03-a1a8-7e2b7f0c8a11";

/// A trusted repository with one commit, and an upstream home; not below the system's temporary folder.
pub(super) struct Stand {
    folder: TempDir,
}

impl Stand {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let stand = Self { folder };
        std::fs::create_dir(stand.home()).unwrap();
        std::fs::create_dir(stand.repo()).unwrap();
        stand.configure("");
        stand.git(&["init", "-q", "-b", "main"]);
        stand.git(&["config", "user.name", "Ada"]);
        stand.git(&["config", "user.email", "ada@example.org"]);
        stand.git(&["commit", "-q", "--allow-empty", "-m", "begin"]);
        stand
    }

    /// Writes upstream's configuration: `more`, and trust in the repository.
    pub(super) fn configure(&self, more: &str) {
        let repo = self.repo().canonicalize().unwrap();
        let config = format!("{more}\n[projects.{repo:?}]\ntrust_level = \"trusted\"\n");
        std::fs::write(self.home().join("config.toml"), config).unwrap();
    }

    /// A home whose name has to be quoted wherever it is written.
    pub(super) fn home(&self) -> PathBuf {
        self.folder.path().join("höme 'of' \"mine\"")
    }

    pub(super) fn repo(&self) -> PathBuf {
        self.folder.path().join("repo")
    }

    pub(super) fn git(&self, args: &[&str]) -> String {
        let output = self.program("git", args).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// A program in the repository, in a clean environment.
    pub(super) fn program(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(args)
            .current_dir(self.repo())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            .env("CODEX_HOME", self.home())
            .stdin(Stdio::null());
        command
    }

    pub(super) fn orch(&self, args: &[&str]) -> Command {
        self.program(env!("CARGO_BIN_EXE_codex-orch"), args)
    }

    /// What a listing of ours prints.
    pub(super) fn listing(&self, args: &[&str]) -> Value {
        let output = self.orch(args).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Every task, as a person sees it.
    pub(super) fn tasks(&self) -> Vec<Value> {
        let listed = self.listing(&["tasks", "list", "--all", "--json"]);
        listed["tasks"].as_array().unwrap().clone()
    }

    /// A server, and a session begun with it.
    pub(super) fn client(&self) -> Client {
        let mut client = self.stranger();
        let initialized = client.request(
            "initialize",
            json!({
                "protocolVersion": "2025-06-18",
                "capabilities": {},
                "clientInfo": {"name": "test", "version": "1"},
            }),
        );
        assert_eq!(initialized["result"]["serverInfo"]["name"], "codex-orch");
        client.send(b"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\n");
        client
    }

    /// A server, and nothing said to it.
    pub(super) fn stranger(&self) -> Client {
        let mut child = self
            .orch(&["mcp-orch"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        Client {
            input: child.stdin.take(),
            child,
            lines,
            last: 0,
        }
    }
}

pub(super) struct Client {
    pub(super) child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    last: u64,
}

impl Client {
    pub(super) fn send(&mut self, bytes: &[u8]) {
        self.input.as_mut().unwrap().write_all(bytes).unwrap();
    }

    /// Sends a request, and waits for its response; what else arrives is passed over.
    pub(super) fn request(&mut self, method: &str, params: Value) -> Value {
        self.last += 1;
        let id = self.last;
        let request = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        self.send(format!("{request}\n").as_bytes());
        self.response(id)
    }

    pub(super) fn response(&mut self, id: u64) -> Value {
        loop {
            let line = self.lines.recv_timeout(PATIENCE).expect("a response");
            let response: Value = serde_json::from_str(&line).unwrap();
            if response["id"] == id {
                return response;
            }
        }
    }

    /// Calls a tool as upstream does; the result, whose size is checked.
    pub(super) fn call_as(&mut self, call: &str, tool: &str, arguments: Value) -> Value {
        let meta = json!({
            "threadId": THREAD,
            "callId": call,
            "x-codex-turn-metadata": {"turn_id": TURN, "session_id": THREAD},
        });
        let params = json!({"name": tool, "arguments": arguments, "_meta": meta});
        let response = self.request("tools/call", params);
        let result = &response["result"];
        assert!(result.is_object(), "{tool}: {response}");
        assert!(result.to_string().len() <= 16 * 1024, "{tool}: too large");
        result.clone()
    }

    /// Calls a tool that must succeed; its data.
    pub(super) fn call(&mut self, tool: &str, arguments: Value) -> Value {
        let id = format!("call-{}", self.last + 1);
        let result = self.call_as(&id, tool, arguments);
        assert_eq!(result["isError"], false, "{tool}: {result}");
        result["structuredContent"].clone()
    }

    /// Calls a tool that must refuse; its text: what, and a hint.
    pub(super) fn refused(&mut self, tool: &str, arguments: Value) -> String {
        let id = format!("call-{}", self.last + 1);
        let result = self.call_as(&id, tool, arguments);
        assert_eq!(result["isError"], true, "{tool}: {result}");
        let text = result["content"][0]["text"].as_str().unwrap().to_owned();
        assert!(text.contains("\nhint: "), "{text}");
        text
    }

    /// Adds a task; its id.
    pub(super) fn add(&mut self, title: &str) -> String {
        let added = self.call("tasks_add", json!({"title": title}));
        added["id"].as_str().unwrap().to_owned()
    }

    pub(super) fn end_input(&mut self) {
        self.input = None;
    }

    /// Closes the input, and waits for the server's end.
    pub(super) fn close(mut self) -> ExitStatus {
        self.end_input();
        self.child.wait().unwrap()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
