//! Hostile clients, models and repositories: what they name is looked at nowhere, and what they configure counts for nothing.

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::client::Front;
use crate::interposer::{call, is_whole, talking, titles};
use crate::world::{Folder, Setting, World, told};

#[test]
fn nobody_else_reaches_the_socket() {
    let world = World::new(json!([]));
    let folder = world.root().join("deep/er");
    let socket = folder.join("s");
    let at = format!("unix://{}", socket.display());
    let running = world.start(&["app-server", "--listen", &at]);
    // At every moment since there is anything.
    while std::os::unix::net::UnixStream::connect(&socket).is_err() {
        if let Ok(there) = std::fs::metadata(&socket) {
            assert_eq!(there.permissions().mode() & 0o777, 0o600);
        }
    }
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&folder), mode(&socket)), (0o700, 0o600));
    let front = Front::start(running, socket.clone());
    let mut client = front.client().greeted();
    // The engine's own socket, which anybody might try as well.
    let line = std::fs::read(format!("/proc/{}/cmdline", front.engine().as_raw_nonzero())).unwrap();
    let line = String::from_utf8(line).unwrap();
    let engines = line
        .split('\0')
        .find_map(|word| word.strip_prefix("unix://"))
        .unwrap();
    let engines = Path::new(engines).to_owned();
    assert_eq!(mode(engines.parent().unwrap()), 0o700);
    let real = engines.canonicalize().unwrap();
    assert_eq!(mode(&real) & 0o077, 0);
    assert_eq!(asks(&socket, None), "101", "we ourselves are let in");
    assert_eq!(asks(&engines, None), "101");
    if rustix::process::geteuid().is_root() {
        assert_eq!(asks(&engines, Some(NOBODY)), "");
        assert_eq!(asks(&socket, Some(NOBODY)), "");
        // Even where modes would let them through, they are turned away.
        open_up(&socket);
        assert_eq!(asks(&socket, Some(NOBODY)), "");
    }
    client.call("thread/loaded/list", json!({}));
    front.stop().ok();
    assert!(!socket.exists() && !engines.exists());
}

const NOBODY: u32 = 65_534;

/// The status that a user's request for a connection is answered with, if it is.
fn asks(socket: &Path, user: Option<u32>) -> String {
    let script = r#"
        my $socket = IO::Socket::UNIX->new(Peer => $ARGV[0]) or exit;
        $SIG{PIPE} = "IGNORE";
        print $socket "GET /rpc HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            . "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        $socket->flush;
        print substr(<$socket> // "", 9, 3);"#;
    let mut command = Command::new("perl");
    command
        .args(["-MIO::Socket::UNIX", "-e", script])
        .arg(socket)
        .current_dir("/")
        .stdin(Stdio::null());
    if let Some(user) = user {
        command.uid(user).gid(user);
    }
    let output = command.output().unwrap();
    assert!(output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn open_up(socket: &Path) {
    let all = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    all(socket, 0o666);
    let mut folder = socket.parent();
    while let Some(path) = folder.filter(|path| path.starts_with(env!("CARGO_TARGET_TMPDIR"))) {
        all(path, 0o711);
        folder = path
            .parent()
            .filter(|path| *path != Path::new(env!("CARGO_TARGET_TMPDIR")));
    }
}

#[test]
fn a_repository_configures_nothing_of_ours() {
    for trusted in [true, false] {
        let mut setting = Setting::new(json!([]));
        setting.trusted = trusted;
        let world = World::of(setting);
        let trap = world.root().join("trap");
        let evil = world.repo.join("evil");
        std::fs::write(
            &evil,
            format!("#!/bin/sh\ntouch {}\nexit 1\n", trap.display()),
        )
        .unwrap();
        std::fs::set_permissions(&evil, std::fs::Permissions::from_mode(0o755)).unwrap();
        let ours = format!(
            "[engine]\npath = {evil:?}\n[record]\nenabled = false\n[brief]\nmax_chars = 1\nmax_tasks = 0\n[policy]\nstatus = \"apply\"\n"
        );
        for folder in [".codex", ".codex-orch"] {
            std::fs::create_dir_all(world.repo.join(folder)).unwrap();
            for name in ["config.toml", "orch.toml"] {
                std::fs::write(world.repo.join(folder).join(name), &ours).unwrap();
            }
        }
        std::fs::write(world.repo.join("orch.toml"), &ours).unwrap();
        std::fs::write(world.repo.join("codex"), "#!/bin/sh\nexit 1\n").unwrap();
        let (running, mut client) = talking(&world);
        client.turn("Hello");
        client.close();
        running.finish().ok();
        assert!(!trap.exists());
        assert!(told(&world.requests()[0]).contains("<codex_orch_brief_1>"));
        is_whole(&world, &client.thread, 1);
    }
}

/// Everything below a folder: kind, size, mode, and when it was changed.
fn listing(folder: &Path) -> BTreeMap<String, (u32, u64, i64)> {
    let mut found = BTreeMap::new();
    let mut left = vec![folder.to_owned()];
    while let Some(folder) = left.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let meta = entry.path().symlink_metadata().unwrap();
            if meta.is_dir() {
                left.push(entry.path());
            }
            let size = if meta.is_dir() { 0 } else { meta.size() };
            found.insert(
                entry.path().display().to_string(),
                (meta.mode(), size, meta.mtime_nsec()),
            );
        }
    }
    found
}

#[test]
fn what_a_client_names_as_folder_is_not_written_to() {
    let world = World::new(json!([]));
    let decoy = world.root().join("decoy");
    std::fs::create_dir(&decoy).unwrap();
    std::fs::write(decoy.join("kept"), "kept").unwrap();
    let fifo = decoy.join("fifo");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &fifo,
        rustix::fs::FileType::Fifo,
        0o600.into(),
        0,
    )
    .unwrap();
    let before = listing(&decoy);
    let repo = listing(&world.repo);
    let front = Front::open(&world);
    let mut client = front.client().greeted();
    client.start(json!({"cwd": world.repo}));
    let long = format!("/{}", "x/".repeat(5_000));
    for cwd in [
        "/etc",
        "../../x",
        "decoy\n/etc",
        "/does/not/exist",
        fifo.to_str().unwrap(),
        &long,
        "",
        "/proc/self/root",
        "\u{0}",
    ] {
        // Whatever the engine makes of it.
        let answer = client.try_call(
            "turn/start",
            json!({
                "threadId": client.thread, "cwd": cwd, "input": [{"type": "text", "text": "Hello"}],
            }),
        );
        if let Some(turn) = answer["result"]["turn"]["id"].as_str() {
            let turn = turn.to_owned();
            client.ended(&turn);
        }
        let answer = client.try_call("thread/start", json!({"cwd": cwd}));
        if let Some(thread) = answer["result"]["thread"]["id"].as_str() {
            let input = json!([{"type": "text", "text": "Hello"}]);
            let answer = client.try_call("turn/start", json!({"threadId": thread, "input": input}));
            if let Some(turn) = answer["result"]["turn"]["id"].as_str() {
                let turn = turn.to_owned();
                client.ended(&turn);
            }
        }
    }
    for thread in ["../../x", "/etc/passwd", "a\nb", "", &"x".repeat(100_000)] {
        for method in [
            "turn/start",
            "thread/resume",
            "thread/fork",
            "thread/revert",
            "thread/shellCommand",
        ] {
            let params =
                json!({"threadId": thread, "beforeTurnId": "../x", "command": "true", "input": []});
            client.refused(method, params);
        }
    }
    client.close();
    let output = front.stop().ok();
    assert!(!output.stderr.contains("panicked"), "{}", output.stderr);
    assert_eq!(listing(&decoy), before);
    let ours = |path: &String| path.contains("/.git/codex-orch") || path.contains("/.codex-orch");
    let now: BTreeMap<_, _> = listing(&world.repo)
        .into_iter()
        .filter(|(path, _)| !ours(path))
        .collect();
    let changed: Vec<_> = now
        .iter()
        .filter(|(path, what)| repo.get(*path) != Some(what))
        .map(|(path, _)| path)
        .collect();
    assert_eq!(changed, [world.repo.join(".git").to_str().unwrap()]);
    assert!(repo.keys().all(|path| now.contains_key(path)));
    let mut beside: Vec<String> = std::fs::read_dir(world.root())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    beside.sort();
    assert_eq!(beside, ["decoy", "home", "repo"]);
    let in_etc = ["codex-orch", ".codex-orch"].map(|name| Path::new("/etc").join(name));
    assert!(in_etc.iter().all(|path| !path.exists()));
}

#[test]
fn what_the_model_puts_into_a_tools_arguments_is_text() {
    let nasty = [
        "../../../etc/passwd",
        "$(touch trap)",
        "`touch trap`",
        "a\u{1b}[2J\nb",
        "/etc",
        "--help",
    ];
    let mut steps: Vec<Value> = Vec::new();
    for text in nasty {
        steps.push(call("tasks_add", json!({"title": format!("T {text}")})));
        steps.push(call("tasks_show", json!({"id": text})));
        steps.push(call("tasks_link", json!({"id": text, "commit": text})));
        steps.push(call("journal_search", json!({"words": text})));
        steps.push(call(text, json!({"path": text})));
        steps.push(call("tasks_list", json!({"text": text, "limit": -1})));
    }
    let count = steps.len();
    let mut setting = Setting::new(json!([{"when": {"user": "Go"}, "steps": steps}]));
    setting.folder = Folder::Committed;
    let world = World::of(setting);
    let (running, mut client) = talking(&world);
    client.turn("Go");
    client.close();
    let output = running.finish().ok();
    assert!(!output.stderr.contains("panicked"), "{}", output.stderr);
    assert_eq!(
        world.requests()[1].outputs().len(),
        count,
        "each is answered"
    );
    assert!(!world.repo.join("trap").exists());
    let titles = titles(&world);
    assert!(
        titles.iter().all(|title| !title.contains('\u{1b}')),
        "{titles:?}"
    );
    assert_eq!(titles.len(), nasty.len(), "{titles:?}");
    is_whole(&world, &client.thread, 1);
}
