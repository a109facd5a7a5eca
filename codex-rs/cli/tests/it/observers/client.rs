//! A client of the real app-server over stdio that shows every notification to the live observer. It judges nothing.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use orch_protocol::Timestamp;
use orch_protocol::ids::{ThreadId, TurnId};
use orch_rollout::live::LiveThreads;
use orch_rollout::live::seen::Seen;
use serde_json::{Value, json};

use crate::engine::engine;
use crate::world::{PATIENCE, World, text};

pub(crate) struct Client<'a> {
    world: &'a World,
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    /// Notifications that came and were not waited for yet.
    unread: VecDeque<Value>,
    calls: u64,
    pub(crate) live: LiveThreads,
    pub(crate) seen: Vec<Seen>,
    /// The thread that is talked to.
    pub(crate) thread: String,
}

impl<'a> Client<'a> {
    pub(crate) fn new(world: &'a World) -> Self {
        Self::of(world, world.program(engine(), &["app-server"]))
    }

    /// A client of what `command` starts.
    pub(crate) fn of(world: &'a World, mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let (line, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for found in stdout.lines().map_while(Result::ok) {
                if line.send(found).is_err() {
                    return;
                }
            }
        });
        let mut client = Self {
            world,
            stdin: child.stdin.take(),
            child,
            lines,
            unread: VecDeque::new(),
            calls: 0,
            live: LiveThreads::default(),
            seen: Vec::new(),
            thread: String::new(),
        };
        let info = json!({"name": "observers", "title": "observers", "version": "1"});
        let hello = json!({"clientInfo": info, "capabilities": {"experimentalApi": true}});
        client.call("initialize", hello);
        client.send(&json!({"method": "initialized"}));
        client
    }

    pub(crate) fn world(&self) -> &World {
        self.world
    }

    /// Starts a thread and talks to it from now on.
    pub(crate) fn start(&mut self, more: Value) {
        let mut params = json!({"cwd": self.world.repo});
        merge(&mut params, more);
        let answer = self.call("thread/start", params);
        self.live_in(&answer);
    }

    /// Talks to the thread that an answer has in it.
    pub(crate) fn live_in(&mut self, answer: &Value) {
        self.thread = text(&answer["thread"]["id"]).to_owned();
        self.seen
            .extend(self.live.know(&answer["thread"].to_string()));
    }

    /// Asks, and waits for the answer.
    #[track_caller]
    pub(crate) fn call(&mut self, method: &str, params: Value) -> Value {
        let answer = self.try_call(method, params);
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].clone()
    }

    pub(crate) fn try_call(&mut self, method: &str, params: Value) -> Value {
        self.calls += 1;
        let id = self.calls;
        if method == "thread/revert" {
            let thread = ThreadId::new(text(&params["threadId"]));
            let before = TurnId::new(text(&params["beforeTurnId"]));
            self.live.revert_asked(&thread, &before);
        }
        self.send(&json!({"id": id, "method": method, "params": params}));
        loop {
            let message = self
                .next()
                .unwrap_or_else(|| panic!("{method}: it has ended"));
            if message["id"] == id && message.get("method").is_none() {
                return message;
            }
            self.unread.push_back(message);
        }
    }

    /// The same in the thread that is talked to.
    #[track_caller]
    pub(crate) fn ask(&mut self, method: &str, more: Value) -> Value {
        let mut params = json!({"threadId": self.thread});
        merge(&mut params, more);
        self.call(method, params)
    }

    /// Begins a turn; its id.
    #[track_caller]
    pub(crate) fn begin(&mut self, request: &str) -> String {
        self.begin_with(json!([{"type": "text", "text": request}]))
    }

    #[track_caller]
    pub(crate) fn begin_with(&mut self, input: Value) -> String {
        let answer = self.ask("turn/start", json!({"input": input}));
        text(&answer["turn"]["id"]).to_owned()
    }

    /// A whole turn; its id.
    #[track_caller]
    pub(crate) fn turn(&mut self, request: &str) -> String {
        let turn = self.begin(request);
        self.until(|message| {
            message["method"] == "turn/completed" && message["params"]["turn"]["id"] == *turn
        });
        turn
    }

    /// Waits for the end of a turn in the thread that is talked to.
    #[track_caller]
    pub(crate) fn ended(&mut self) {
        let thread = self.thread.clone();
        self.until(|message| {
            message["method"] == "turn/completed" && message["params"]["threadId"] == *thread
        });
    }

    /// Waits until an item of this kind begins.
    #[track_caller]
    pub(crate) fn until_begun(&mut self, kind: &str) {
        self.until(|message| {
            message["method"] == "item/started" && message["params"]["item"]["type"] == kind
        });
    }

    /// Waits for a notification; those before it are not waited for again.
    #[track_caller]
    pub(crate) fn until(&mut self, wanted: impl Fn(&Value) -> bool) {
        loop {
            let message = match self.unread.pop_front() {
                Some(message) => message,
                None => self.next().expect("it has ended before that came"),
            };
            if wanted(&message) {
                return;
            }
        }
    }

    /// Closes the server and takes in all that it still says.
    pub(crate) fn finish(&mut self) {
        self.stdin = None;
        while self.next().is_some() {}
        self.child.wait().unwrap();
        let gone = self.live.engine_gone();
        self.seen.extend(gone);
    }

    /// Kills the server.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.finish();
    }

    fn send(&mut self, message: &Value) {
        let stdin = self.stdin.as_mut().unwrap();
        stdin.write_all(format!("{message}\n").as_bytes()).unwrap();
    }

    /// The next message, shown to the observer; none when the server has ended.
    fn next(&mut self) -> Option<Value> {
        use std::sync::mpsc::RecvTimeoutError;
        let line = match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => line,
            Err(RecvTimeoutError::Disconnected) => return None,
            Err(RecvTimeoutError::Timeout) => panic!("nothing came within {PATIENCE:?}"),
        };
        let message: Value = serde_json::from_str(&line).unwrap();
        if let Some(method) = message["method"].as_str() {
            if message.get("id").is_some() {
                self.send(&json!({"id": message["id"], "result": {"decision": "decline"}}));
            } else {
                let params = message["params"].to_string();
                let seen = self.live.take(method, &params, Timestamp::now());
                self.seen.extend(seen);
            }
        }
        Some(message)
    }
}

impl Drop for Client<'_> {
    fn drop(&mut self) {
        // It has ended already unless the test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn merge(params: &mut Value, more: Value) {
    if let (Value::Object(params), Value::Object(more)) = (params, more) {
        params.extend(more);
    }
}
