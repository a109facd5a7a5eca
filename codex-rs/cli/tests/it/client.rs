//! `codex-orch app-server` as a client meets it: JSON-RPC over its stdio or its socket, one client or several. It judges
//! nothing, answers nothing by itself, and keeps all it has heard.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Instant;

use orch_engine::link::frame::Frame;
use orch_engine::link::{Link, lines, ws};
use rustix::process::{Pid, Signal};
use serde_json::{Value, json};
use tokio::net::UnixStream;
use tokio::process::{ChildStdin, ChildStdout};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::world::{Output, PATIENCE, Running, World, text};

/// A running app-server that clients reach by a socket.
pub(crate) struct Front {
    pub(crate) running: Running,
    socket: PathBuf,
}

impl Front {
    /// `codex-orch app-server --listen unix://…`, as soon as it takes clients.
    pub(crate) fn open(world: &World) -> Self {
        let socket = world.root().join("clients.sock");
        let at = format!("unix://{}", socket.display());
        Self::start(world.start(&["app-server", "--listen", &at]), socket)
    }

    /// The same for anything that will listen at `socket`.
    pub(crate) fn start(running: Running, socket: PathBuf) -> Self {
        wait("it listens", || {
            std::os::unix::net::UnixStream::connect(&socket).is_ok()
        });
        Self { running, socket }
    }

    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    pub(crate) fn client(&self) -> Client {
        Client::dial(&self.socket)
    }

    /// The engine's process: that of the leash's child, where there is a leash.
    pub(crate) fn engine(&self) -> Pid {
        engine_of(&self.running)
    }

    /// Asks it to end, which it does when all is recorded.
    pub(crate) fn stop(self) -> Output {
        self.running.signal(Signal::TERM);
        self.running.finish()
    }
}

/// The engine's process below an app-server of ours.
pub(crate) fn engine_of(running: &Running) -> Pid {
    let mut found = None;
    wait("the engine runs", || {
        found = below(running.pid()).into_iter().find(|pid| is_engine(*pid));
        found.is_some()
    });
    found.unwrap()
}

/// All processes below one, in no order.
pub(crate) fn below(pid: Pid) -> Vec<Pid> {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", pid.as_raw_nonzero()));
    let lists = tasks.into_iter().flatten().flatten();
    let lists = lists.map(|task| std::fs::read_to_string(task.path().join("children")));
    let children: Vec<Pid> = lists
        .flat_map(|list| {
            let list = list.unwrap_or_default();
            let pids = list.split_whitespace();
            let pids = pids.filter_map(|pid| Pid::from_raw(pid.parse().ok()?));
            pids.collect::<Vec<_>>()
        })
        .collect();
    let further: Vec<Pid> = children.iter().flat_map(|child| below(*child)).collect();
    [children, further].concat()
}

fn is_engine(pid: Pid) -> bool {
    let line = std::fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero()));
    let line = line.unwrap_or_default();
    let mut words = line.split(|byte| *byte == 0);
    // The guard's command line has the engine's in it.
    let program = words.next().unwrap_or_default();
    program.ends_with(b"codex") && words.next() == Some(b"app-server")
}

/// Waits for what is to come without a word.
#[track_caller]
pub(crate) fn wait(what: &str, mut come: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !come() {
        assert!(begun.elapsed() < PATIENCE, "it never came: {what}");
        std::thread::yield_now();
    }
}

/// Whether a process has ended, also when nobody has collected it.
pub(crate) fn is_dead(pid: Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
    let stat = stat.unwrap_or_default();
    let state = stat.rsplit(") ").next().unwrap_or_default();
    state.is_empty() || state.starts_with(['Z', 'X'])
}

enum Order {
    Send(Frame),
    /// Reads, or doesn't.
    Read(bool),
    Close,
}

/// One client. Dropped, its connection breaks without a farewell.
pub(crate) struct Client {
    orders: Option<UnboundedSender<Order>>,
    said: Receiver<Frame>,
    calls: u64,
    unread: VecDeque<Value>,
    /// All that was heard and looked at, in its order.
    pub(crate) heard: Vec<Value>,
    /// The thread that is talked to.
    pub(crate) thread: String,
}

impl Client {
    /// The only client of an app-server on stdio.
    pub(crate) fn stdio(world: &World) -> (Running, Self) {
        Self::speak(world, &["app-server"])
    }

    pub(crate) fn speak(world: &World, args: &[&str]) -> (Running, Self) {
        Self::of(&mut world.command(args))
    }

    /// The same of what `command` starts.
    pub(crate) fn of(command: &mut Command) -> (Running, Self) {
        let mut running = Running::start(command.stdin(Stdio::piped()));
        let child = running.child();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let client = Self::over(async move || {
            let (input, output) = (ChildStdin::from_std(input), ChildStdout::from_std(output));
            lines::link(output.unwrap(), input.unwrap())
        });
        (running, client)
    }

    pub(crate) fn dial(socket: &Path) -> Self {
        let socket = socket.canonicalize().unwrap();
        Self::over(async move || {
            let stream = UnixStream::connect(socket).await.unwrap();
            ws::connect(stream).await.unwrap()
        })
    }

    fn over(link: impl AsyncFnOnce() -> Link + Send + 'static) -> Self {
        let (orders, to_carry) = unbounded_channel();
        let (heard, said) = channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async { carry(link().await, to_carry, heard).await });
        });
        Self {
            orders: Some(orders),
            said,
            calls: 0,
            unread: VecDeque::new(),
            heard: Vec::new(),
            thread: String::new(),
        }
    }

    /// Shakes hands.
    pub(crate) fn greeted(mut self) -> Self {
        let info = json!({"name": "an_ide", "title": "An IDE", "version": "1"});
        let hello = json!({"clientInfo": info, "capabilities": {"experimentalApi": true}});
        self.call("initialize", hello);
        self.send(&json!({"method": "initialized"}));
        self
    }

    /// Starts a thread and talks to it from now on.
    pub(crate) fn start(&mut self, params: Value) {
        let answer = self.call("thread/start", params);
        self.thread = text(&answer["thread"]["id"]).to_owned();
    }

    /// Talks to a thread that is there already.
    pub(crate) fn resume(&mut self, thread: &str) {
        self.call("thread/resume", json!({"threadId": thread}));
        self.thread = thread.to_owned();
    }

    /// Asks, and waits for the answer.
    #[track_caller]
    pub(crate) fn call(&mut self, method: &str, params: Value) -> Value {
        let answer = self.try_call(method, params);
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].clone()
    }

    /// The whole answer, also when it is an error.
    #[track_caller]
    pub(crate) fn try_call(&mut self, method: &str, params: Value) -> Value {
        let id = self.ask(method, params);
        self.answer_to(id)
    }

    /// Asks without waiting; the request's id.
    pub(crate) fn ask(&mut self, method: &str, params: Value) -> u64 {
        self.calls += 1;
        self.send(&json!({"id": self.calls, "method": method, "params": params}));
        self.calls
    }

    #[track_caller]
    pub(crate) fn answer_to(&mut self, id: u64) -> Value {
        loop {
            let message = self.next().expect("it has ended without an answer");
            if message["id"] == id && message.get("method").is_none() {
                return message;
            }
            self.unread.push_back(message);
        }
    }

    /// The error that refuses a call.
    #[track_caller]
    pub(crate) fn refused(&mut self, method: &str, params: Value) -> String {
        let answer = self.try_call(method, params);
        let message = &answer["error"]["message"];
        message
            .as_str()
            .unwrap_or_else(|| panic!("{answer}"))
            .to_owned()
    }

    /// What `turn/start` takes in the thread that is talked to.
    pub(crate) fn message(&self, request: &str) -> Value {
        json!({"threadId": self.thread, "input": [{"type": "text", "text": request}]})
    }

    /// Begins a turn; its id.
    #[track_caller]
    pub(crate) fn begin(&mut self, request: &str) -> String {
        let answer = self.call("turn/start", self.message(request));
        text(&answer["turn"]["id"]).to_owned()
    }

    /// A whole turn; its id.
    #[track_caller]
    pub(crate) fn turn(&mut self, request: &str) -> String {
        let turn = self.begin(request);
        self.ended(&turn);
        turn
    }

    /// Waits for the end of a turn, and until it is recorded.
    #[track_caller]
    pub(crate) fn ended(&mut self, turn: &str) {
        self.until(|message| {
            message["method"] == "turn/completed" && message["params"]["turn"]["id"] == turn
        });
        self.settled();
    }

    /// Returns when all that was heard so far is recorded: a frame that is held, for whatever thread, waits for that.
    #[track_caller]
    pub(crate) fn settled(&mut self) {
        let nobody = json!({"threadId": "01890000-0000-7000-8000-000000000000"});
        self.refused("thread/compact/start", nobody);
    }

    /// Waits for a message; those before it are not waited for again.
    #[track_caller]
    pub(crate) fn until(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let message = match self.unread.pop_front() {
                Some(message) => message,
                None => self.next().expect("it has ended before that came"),
            };
            if wanted(&message) {
                return message;
            }
        }
    }

    /// How often something was told.
    pub(crate) fn times(&self, method: &str) -> usize {
        let of_method = |message: &&Value| message["method"] == method;
        self.heard.iter().filter(of_method).count()
    }

    pub(crate) fn send(&self, message: &Value) {
        self.send_frame(Frame::from(message.to_string()));
    }

    pub(crate) fn send_frame(&self, frame: Frame) {
        self.order(Order::Send(frame));
    }

    /// Reads from now on, or doesn't.
    pub(crate) fn reads(&self, whether: bool) {
        self.order(Order::Read(whether));
    }

    fn order(&self, order: Order) {
        // Whether anybody is there to take it is seen by what comes back.
        let _ = self.orders.as_ref().unwrap().send(order);
    }

    /// Closes, and takes in all that is still said.
    pub(crate) fn close(&mut self) {
        self.order(Order::Close);
        while self.next().is_some() {}
    }

    /// Waits until the other side has closed.
    pub(crate) fn closed(&mut self) {
        while self.next().is_some() {}
    }

    /// The next message; none when the connection has ended.
    pub(crate) fn next(&mut self) -> Option<Value> {
        let frame = match self.said.recv_timeout(PATIENCE) {
            Ok(frame) => frame,
            Err(RecvTimeoutError::Disconnected) => return None,
            Err(RecvTimeoutError::Timeout) => panic!("nothing came within {PATIENCE:?}"),
        };
        let message: Value = serde_json::from_slice(frame.as_bytes()).unwrap();
        self.heard.push(message.clone());
        Some(message)
    }
}

async fn carry(
    link: Link,
    mut orders: UnboundedReceiver<Order>,
    heard: std::sync::mpsc::Sender<Frame>,
) {
    let Link {
        sender,
        mut receiver,
    } = link;
    let mut sender = Some(sender);
    let mut reads = true;
    loop {
        tokio::select! {
            order = orders.recv() => match order {
                Some(Order::Send(frame)) => {
                    let Some(to) = &mut sender else { continue };
                    if to.feed(&frame).await.is_err() || to.flush().await.is_err() {
                        // What was said before is still to be read.
                        sender = None;
                    }
                }
                Some(Order::Read(whether)) => reads = whether,
                Some(Order::Close) => {
                    if let Some(mut gone) = sender.take() {
                        let _ = gone.close().await;
                    }
                }
                None => return,
            },
            next = receiver.next(), if reads => match next {
                Ok(Some(frame)) => {
                    let _ = heard.send(frame);
                }
                Ok(None) | Err(_) => return,
            },
        }
    }
}
