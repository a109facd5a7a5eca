//! A listening app-server, with the real engine: it takes connections when it is said to, and its end is told.

use std::fs;
use std::os::unix::net::UnixListener;
use std::time::Duration;

use orch_engine::error::EngineError;
use orch_engine::home::PrivateHome;
use orch_engine::leash::Launch;
use orch_engine::serve::{Serve, Serving, daemon};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use crate::support::{Home, Mourner, PidPipe, folder, launch, script};

fn serve(home: &Home, private: &PrivateHome) -> Serve {
    Serve {
        launch: launch(),
        args: Vec::new(),
        envs: vec![
            ("CODEX_HOME".into(), home.home().into()),
            ("SCRIPTED_KEY".into(), "x".into()),
        ],
        cwd: Some(home.project()),
        socket: private.engine_socket(),
        timeout: Duration::from_secs(20),
    }
}

/// Whether it answers as a websocket server does.
async fn speaks(serving: &Serving) -> bool {
    let mut stream = UnixStream::connect(serving.socket()).await.unwrap();
    let hello = "GET /rpc HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
        sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(hello.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    answer == *b"HTTP/1.1 101"
}

#[tokio::test]
async fn it_listens_when_started_and_is_gone_when_stopped() {
    let home = Home::new(Vec::new());
    let private = PrivateHome::make(&home.home()).unwrap();
    let serving = Serving::start(serve(&home, &private)).await.unwrap();
    assert!(speaks(&serving).await);
    let socket = serving.socket();
    // Its status is not looked at: asked this early it may not have got round to catching the signal.
    serving.stop(Duration::from_secs(20)).await.unwrap();
    assert!(UnixStream::connect(&socket).await.is_err());
}

#[tokio::test]
async fn a_killed_one_is_told_of_and_its_place_can_be_used_again() {
    let home = Home::new(Vec::new());
    let private = PrivateHome::make(&home.home()).unwrap();
    // Unleashed, so that the process that we kill is the engine.
    let unleashed = Launch {
        trampoline: None,
        ..launch()
    };
    let start = Serve {
        launch: unleashed,
        ..serve(&home, &private)
    };
    let serving = Serving::start(start).await.unwrap();
    let stream = UnixStream::connect(serving.socket()).await.unwrap();
    let pid = stream.peer_cred().unwrap().pid().unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
    match serving.ended().await {
        EngineError::EngineDied { status, .. } => assert!(status.contains("9"), "{status}"),
        other => panic!("{other}"),
    }
    assert!(
        private.engine_socket().is_symlink(),
        "it had no time to tidy"
    );
    let again = Serving::start(serve(&home, &private)).await.unwrap();
    assert!(speaks(&again).await);
}

#[tokio::test]
async fn one_that_cannot_start_says_why() {
    let home = Home::new(Vec::new());
    let private = PrivateHome::make(&home.home()).unwrap();
    let start = Serve {
        args: vec!["--no-such-flag".into()],
        ..serve(&home, &private)
    };
    match Serving::start(start).await {
        Err(EngineError::EngineDied { status, stderr }) => {
            assert!(status.contains('2'), "{status}");
            assert!(stderr.contains("--no-such-flag"), "{stderr}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn one_that_never_listens_is_given_up() {
    let home = Home::new(Vec::new());
    let private = PrivateHome::make(&home.home()).unwrap();
    let start = Serve {
        launch: Launch {
            program: "/bin/cat".into(),
            trampoline: None,
        },
        args: vec!["/dev/tty".into()],
        timeout: Duration::ZERO,
        ..serve(&home, &private)
    };
    match Serving::start(start).await {
        Err(EngineError::Timeout { .. } | EngineError::EngineDied { .. }) => {}
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn nobody_waiting_for_it_ends_it() {
    let home = Home::new(Vec::new());
    let private = PrivateHome::make(&home.home()).unwrap();
    let top = folder();
    let pipe = PidPipe::new(top.path());
    let fake = top.path().join("codex");
    script(
        &fake,
        &format!("echo $$ > {}\nexec sleep 1000", pipe.path().display()),
    );
    let start = Serve {
        launch: Launch {
            program: fake,
            trampoline: None,
        },
        ..serve(&home, &private)
    };
    let started = tokio::spawn(Serving::start(start));
    let told = tokio::task::spawn_blocking(move || Mourner::of(pipe.read()));
    let mourner = told.await.unwrap();
    started.abort();
    tokio::task::spawn_blocking(move || mourner.wait())
        .await
        .unwrap();
}

#[tokio::test]
async fn a_daemon_is_one_that_takes_connections() {
    let top = folder();
    let home = top.path().join("codex");
    assert_eq!(daemon(&home).await, None);
    fs::create_dir_all(home.join("app-server-control")).unwrap();
    let control = home.join("app-server-control/app-server-control.sock");
    let short = tempfile::tempdir().unwrap();
    let socket = short.path().canonicalize().unwrap().join("s");
    let listener = UnixListener::bind(&socket).unwrap();
    std::os::unix::fs::symlink(&socket, &control).unwrap();
    assert_eq!(daemon(&home).await, Some(socket));
    drop(listener);
    assert_eq!(daemon(&home).await, None);
}
