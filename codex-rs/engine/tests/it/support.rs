//! What several tests need: the real engine, a home for it, a model for it, fake programs, and waiting without sleeping.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, LazyLock, Mutex, mpsc};
use std::time::Duration;

use orch_engine::find::ENGINE_ENV;
use orch_engine::leash::Launch;
use orch_engine::obtain::obtain_pinned;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use serde_json::{Value, json};
use tempfile::TempDir;

/// The real engine: the one that `CODEX_ORCH_ENGINE` names, or the pinned one, installed once below the target folder.
pub(crate) fn engine() -> PathBuf {
    static ENGINE: LazyLock<PathBuf> = LazyLock::new(|| {
        let data = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("codex-orch-data");
        let named = std::env::var_os(ENGINE_ENV);
        let path = std::env::var_os("PATH").unwrap_or_default();
        // A thread and a runtime of its own: tests that are async ask for it too.
        let obtained = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(obtain_pinned(named, &data, path))
        });
        let obtained = obtained.join().unwrap();
        obtained.unwrap_or_else(|error| {
            panic!("these tests run the real engine: {error}. {}", error.hint())
        })
    });
    ENGINE.clone()
}

pub(crate) fn trampoline() -> PathBuf {
    env!("CARGO_BIN_EXE_orch-leash").into()
}

/// The real engine on a leash.
pub(crate) fn launch() -> Launch {
    Launch {
        program: engine(),
        trampoline: Some(trampoline()),
    }
}

/// A folder outside the system's temporary one, which the engine doesn't like as a home.
pub(crate) fn folder() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

/// A shell script at `path`.
pub(crate) fn script(path: &Path, body: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, format!("#!/bin/sh\n{body}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// A fake engine: version, and a schema with `methods`; each run appends its first argument to `<path>.log`.
pub(crate) fn fake_engine(path: &Path, version: &str, methods: &[&str]) {
    let variant = |method: &&str| json!({"properties": {"method": {"enum": [method]}}});
    let schema = json!({"oneOf": methods.iter().map(variant).collect::<Vec<_>>()});
    script(
        path,
        &format!(
            r#"echo "$1" >> "$0.log"
if [ "$1" = --version ]; then echo "codex-cli {version}"; exit; fi
[ "$2" = generate-json-schema ] || exit 9
mkdir -p "$5" && echo '{schema}' > "$5/ClientRequest.json""#
        ),
    );
}

/// A named pipe on which a child tells its process id.
pub(crate) struct PidPipe(PathBuf);

impl PidPipe {
    pub(crate) fn new(folder: &Path) -> Self {
        let path = folder.join("pid.fifo");
        assert!(
            Command::new("mkfifo")
                .arg(&path)
                .status()
                .unwrap()
                .success()
        );
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The id, once told.
    pub(crate) fn read(&self) -> Pid {
        let (tell, told) = mpsc::channel();
        let path = self.0.clone();
        std::thread::spawn(move || tell.send(fs::read_to_string(path).unwrap()));
        let text = told
            .recv_timeout(Duration::from_secs(20))
            .expect("nobody told a process id");
        Pid::from_raw(text.trim().parse().unwrap()).unwrap()
    }
}

/// Waits until a process that is alive now has ended; panics after ten seconds.
pub(crate) struct Mourner(rustix::fd::OwnedFd);

impl Mourner {
    pub(crate) fn of(pid: Pid) -> Self {
        Self(pidfd_open(pid, PidfdFlags::empty()).expect("the process is gone already"))
    }

    pub(crate) fn fd(&self) -> &rustix::fd::OwnedFd {
        &self.0
    }

    pub(crate) fn wait(&self) {
        let patience = Timespec {
            tv_sec: 10,
            tv_nsec: 0,
        };
        let mut fds = [PollFd::new(&self.0, PollFlags::IN)];
        // A signal of a child's end may interrupt it.
        let ready = loop {
            match poll(&mut fds, Some(&patience)) {
                Err(rustix::io::Errno::INTR) => {}
                ready => break ready.unwrap(),
            }
        };
        assert_eq!(ready, 1, "the process lives on");
    }
}

impl From<rustix::fd::OwnedFd> for Mourner {
    fn from(pidfd: rustix::fd::OwnedFd) -> Self {
        Self(pidfd)
    }
}

/// A home for the engine with a scripted model behind it, and a project folder.
pub(crate) struct Home {
    pub(crate) folder: TempDir,
    requests: Arc<Mutex<Vec<Value>>>,
}

impl Home {
    /// `script` are the items of one answer each; when it is used up the model says `ok`.
    pub(crate) fn new(script: Vec<Value>) -> Self {
        let folder = folder();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let provider = |name: &str| {
            format!(
                "[model_providers.{name}]\nname = \"{name}\"\nbase_url = \"http://127.0.0.1:{port}/v1\"\n\
                 wire_api = \"responses\"\nenv_key = \"SCRIPTED_KEY\"\n"
            )
        };
        let config = format!(
            "model = \"scripted\"\nmodel_provider = \"scripted\"\ndeveloper_instructions = \"FROM USER\"\n{}{}",
            provider("scripted"),
            provider("other"),
        );
        fs::create_dir(folder.path().join("home")).unwrap();
        fs::create_dir(folder.path().join("project")).unwrap();
        fs::write(folder.path().join("home/config.toml"), config).unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        std::thread::spawn(move || {
            let mut script = script.into_iter();
            for stream in listener.incoming().flatten() {
                let _ = answer(stream, &mut script, &seen);
            }
        });
        Self { folder, requests }
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    pub(crate) fn project(&self) -> PathBuf {
        self.folder.path().join("project")
    }

    pub(crate) fn dir(&self, name: &str) -> PathBuf {
        let dir = self.folder.path().join(name);
        fs::create_dir_all(&dir).unwrap();
        dir
    }

    pub(crate) fn config(&self) -> String {
        fs::read_to_string(self.home().join("config.toml")).unwrap()
    }

    /// The bodies of the requests to the model so far.
    pub(crate) fn requests(&self) -> Vec<Value> {
        self.requests.lock().unwrap().clone()
    }

    /// Makes one call of an app-server that the crate has no need of.
    pub(crate) fn call(&self, method: &str, params: &Value) {
        let mut child = Command::new(engine())
            .arg("app-server")
            .env("CODEX_HOME", self.home())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let info = json!({"clientInfo": {"name": "t", "version": "0"}, "capabilities": {"experimentalApi": true}});
        writeln!(
            stdin,
            "{}",
            json!({"id": 1, "method": "initialize", "params": info})
        )
        .unwrap();
        writeln!(stdin, "{}", json!({"method": "initialized"})).unwrap();
        writeln!(
            stdin,
            "{}",
            json!({"id": 2, "method": method, "params": params})
        )
        .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let answer = lines.find_map(|line| {
            let frame: Value = serde_json::from_str(&line.unwrap()).unwrap();
            (frame["id"] == 2).then_some(frame)
        });
        let answer = answer.unwrap();
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        drop(stdin);
        child.wait().unwrap();
    }

    /// Runs `codex exec --json --skip-git-repo-check <args>`; the id of the thread, or what it said on stderr.
    pub(crate) fn exec(&self, cwd: &Path, args: &[&str]) -> Result<String, String> {
        let output = Command::new(engine())
            .args(["exec", "--json", "--skip-git-repo-check"])
            .args(args)
            .current_dir(cwd)
            .env("CODEX_HOME", self.home())
            .env("SCRIPTED_KEY", "x")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        let events = String::from_utf8_lossy(&output.stdout).into_owned();
        let event: Value = serde_json::from_str(events.lines().next().unwrap()).unwrap();
        assert_eq!(event["type"], "thread.started");
        Ok(event["thread_id"].as_str().unwrap().to_owned())
    }
}

fn answer(
    stream: TcpStream,
    script: &mut impl Iterator<Item = Value>,
    seen: &Mutex<Vec<Value>>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        if line == "\r\n" {
            break;
        }
        head.push(line.to_ascii_lowercase());
    }
    let length = head
        .iter()
        .find_map(|line| line.strip_prefix("content-length:"));
    let mut body = vec![0; length.map_or(0, |length| length.trim().parse().unwrap())];
    reader.read_exact(&mut body)?;
    let (kind, text) = if head[0].starts_with("post") {
        seen.lock()
            .unwrap()
            .push(serde_json::from_slice(&body).unwrap());
        let said = json!([{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "ok"}]}]);
        ("text/event-stream", events(&script.next().unwrap_or(said)))
    } else {
        ("application/json", "{\"models\":[]}".to_owned())
    };
    let length = text.len();
    write!(
        reader.get_mut(),
        "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{text}"
    )
}

fn events(items: &Value) -> String {
    let usage = json!({"input_tokens": 1, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": 1,
        "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 2});
    let mut events = vec![json!({"type": "response.created", "response": {"id": "r"}})];
    for item in items.as_array().unwrap() {
        events.push(json!({"type": "response.output_item.done", "item": item}));
    }
    events.push(json!({"type": "response.completed", "response": {"id": "r", "usage": usage}}));
    let line = |event: &Value| {
        format!(
            "event: {}\ndata: {event}\n\n",
            event["type"].as_str().unwrap()
        )
    };
    events.iter().map(line).collect()
}
