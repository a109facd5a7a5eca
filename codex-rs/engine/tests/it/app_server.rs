//! The app-server client, against the real engine and against engines that misbehave.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use orch_engine::app_server::{AppServer, Start};
use orch_engine::error::EngineError;
use orch_engine::leash::Launch;
use orch_engine::threads::{Fork, ThreadQuery};
use orch_protocol::ids::ThreadId;
use tokio::sync::mpsc;

use crate::support::{Home, folder, launch, script};

const PATIENCE: Duration = Duration::from_secs(5);

/// How to start the real engine on `home`.
pub(crate) fn start(home: &Home) -> Start {
    Start {
        launch: launch(),
        args: Vec::new(),
        envs: vec![
            ("CODEX_HOME".into(), home.home().into()),
            ("SCRIPTED_KEY".into(), "x".into()),
        ],
        cwd: Some(home.project()),
        client_version: "0.0.0".into(),
        timeout: Duration::from_secs(20),
        notifications: None,
    }
}

fn fake(program: PathBuf, timeout: Duration) -> Start {
    Start {
        launch: Launch {
            program,
            trampoline: None,
        },
        args: Vec::new(),
        envs: Vec::new(),
        cwd: None,
        client_version: "0.0.0".into(),
        timeout,
        notifications: None,
    }
}

/// The texts of the developer messages in a request to the model.
fn developer_texts(request: &serde_json::Value) -> String {
    let items = request["input"].as_array().unwrap();
    let developer = items.iter().filter(|item| item["role"] == "developer");
    developer.map(|item| item["content"].to_string()).collect()
}

#[tokio::test]
async fn what_is_injected_reaches_the_model_of_the_next_exec_resume() {
    let home = Home::new(Vec::new());
    let id = ThreadId::new(home.exec(&home.project(), &["hello"]).unwrap());
    let config = home.config();
    let (tx, mut notes) = mpsc::channel(64);
    let started = Instant::now();
    let server = AppServer::start(Start {
        notifications: Some(tx),
        ..start(&home)
    })
    .await
    .unwrap();
    println!("start and initialize: {:?}", started.elapsed());

    let page = server
        .thread_list(&ThreadQuery {
            cwd: Some(home.project()),
            sources: vec!["exec"],
            ..ThreadQuery::default()
        })
        .await
        .unwrap();
    assert_eq!(
        page.threads
            .iter()
            .map(|thread| &thread.id)
            .collect::<Vec<_>>(),
        [&id]
    );
    assert_eq!(page.threads[0].preview, "hello");
    let elsewhere = ThreadQuery {
        cwd: Some("/".into()),
        sources: vec!["exec"],
        ..ThreadQuery::default()
    };
    assert!(
        server
            .thread_list(&elsewhere)
            .await
            .unwrap()
            .threads
            .is_empty()
    );

    assert_eq!(server.resume(&id).await.unwrap().cwd, home.project());
    server
        .inject(&id, &["BRIEF ONE".into(), "BRIEF TWO".into()])
        .await
        .unwrap();
    server.inject(&id, &[]).await.unwrap();
    server.unsubscribe(&id).await.unwrap();
    // Unsubscribing is not enough.
    assert!(
        home.exec(&home.project(), &["resume", id.as_str(), "on"])
            .unwrap_err()
            .contains("active writer")
    );
    assert!(server.shutdown(PATIENCE).await.unwrap().success());
    println!("all calls, to the server's end: {:?}", started.elapsed());
    assert!(notes.recv().await.is_some());
    assert_eq!(
        home.config(),
        config,
        "upstream's configuration is untouched"
    );

    assert_eq!(
        home.exec(&home.project(), &["resume", "--last", "on"])
            .unwrap(),
        id.as_str()
    );
    let texts = developer_texts(home.requests().last().unwrap());
    assert!(
        texts.contains("BRIEF ONE") && texts.contains("BRIEF TWO"),
        "{texts}"
    );

    // Shutting down twice, and calls to what has ended, are told and do not hang.
    assert!(server.shutdown(PATIENCE).await.unwrap().success());
    assert!(matches!(
        server.resume(&id).await.unwrap_err(),
        EngineError::EngineDied { .. }
    ));
}

#[tokio::test]
async fn threads_that_cannot_be_had_are_told_apart_and_a_busy_one_can_be_forked() {
    let home = Home::new(Vec::new());
    let id = ThreadId::new(home.exec(&home.project(), &["hello"]).unwrap());
    let first = AppServer::start(start(&home)).await.unwrap();
    let second = AppServer::start(start(&home)).await.unwrap();
    first.resume(&id).await.unwrap();
    let error = second.resume(&id).await.unwrap_err();
    assert!(
        matches!(&error, EngineError::ThreadBusy { thread } if *thread == id),
        "{error}"
    );
    assert!(error.hint().contains("close the codex"));
    let error = second.inject(&id, &["x".into()]).await.unwrap_err();
    assert!(
        matches!(error, EngineError::ThreadUnknown { .. }),
        "{error}"
    );
    let fork = second.fork(&id, Fork::Listed).await.unwrap();
    assert_ne!(fork, id);
    assert_eq!(
        second.thread_read(&fork).await.unwrap().forked_from_id,
        Some(id.clone())
    );

    let nobody = ThreadId::new("01a202a1-3541-7ec0-a911-e0b235a9b840");
    for outcome in [
        second.resume(&nobody).await,
        second.thread_read(&nobody).await,
        second
            .fork(&nobody, Fork::Listed)
            .await
            .map(|_| unreachable!()),
    ] {
        assert!(
            matches!(outcome, Err(EngineError::ThreadUnknown { .. })),
            "{outcome:?}"
        );
    }
    let error = second.resume(&ThreadId::new("no id")).await.unwrap_err();
    assert!(matches!(error, EngineError::Refused { .. }), "{error}");
    // The last handle of the second goes; the first's death is had by shutdown.
    drop(second);
    first.shutdown(PATIENCE).await.unwrap();
}

#[tokio::test]
async fn developer_instructions_are_those_of_all_layers_that_count() {
    let home = Home::new(Vec::new());
    let project = home.project();
    fs::create_dir_all(project.join(".git")).unwrap();
    fs::create_dir_all(project.join(".codex")).unwrap();
    let read = async |args: Vec<std::ffi::OsString>, cwd: &Path| {
        let server = AppServer::start(Start {
            args,
            ..start(&home)
        })
        .await
        .unwrap();
        let config = server.config_read(cwd).await.unwrap();
        server.shutdown(PATIENCE).await.unwrap();
        assert_eq!(config.model_provider.as_deref(), Some("scripted"));
        config.developer_instructions.unwrap()
    };
    fs::write(
        project.join(".codex/config.toml"),
        "developer_instructions = \"FROM PROJECT\"",
    )
    .unwrap();
    assert_eq!(
        read(vec![], &project).await,
        "FROM USER",
        "an untrusted folder has no say"
    );
    let trust = format!(
        "{}[projects.{:?}]\ntrust_level = \"trusted\"\n",
        home.config(),
        project
    );
    fs::write(home.home().join("config.toml"), trust).unwrap();
    assert_eq!(read(vec![], &project).await, "FROM PROJECT");
    assert_eq!(read(vec![], Path::new("/")).await, "FROM USER");
    let flag = ["-c", "developer_instructions=\"FROM FLAG\""]
        .map(Into::into)
        .to_vec();
    assert_eq!(read(flag, &project).await, "FROM FLAG");
}

#[tokio::test]
async fn an_engine_that_dies_is_told_with_its_last_words() {
    let home = Home::new(Vec::new());
    let flag = Start {
        args: vec!["--no-such-flag".into()],
        ..start(&home)
    };
    let error = AppServer::start(flag).await.unwrap_err();
    let text = error.to_string();
    assert!(
        matches!(error, EngineError::EngineDied { .. }) && text.contains("--no-such-flag"),
        "{text}"
    );

    fs::write(home.home().join("config.toml"), "model = [").unwrap();
    let server = AppServer::start(start(&home)).await.unwrap();
    let error = server.config_read(Path::new("/")).await.unwrap_err();
    assert!(
        matches!(&error, EngineError::BadConfig { message } if message.contains("config.toml:1")),
        "{error}"
    );

    let folder = folder();
    let program = folder.path().join("codex");
    script(&program, "read hello; echo last words >&2; exit 3");
    let error = AppServer::start(fake(program, PATIENCE)).await.unwrap_err();
    assert!(
        error.to_string().contains("exit status: 3") && error.to_string().contains("last words"),
        "{error}"
    );
    // Its end is noticed although a grandchild has inherited all its output.
    let program = folder.path().join("codex");
    script(&program, "sleep 20 & read hello; echo gone >&2; exit 4");
    let started = Instant::now();
    let error = AppServer::start(fake(program, Duration::from_secs(15)))
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("exit status: 4") && error.to_string().contains("gone"),
        "{error}"
    );
    assert!(started.elapsed() < PATIENCE);
    let error = AppServer::start(fake("/no/such".into(), PATIENCE))
        .await
        .unwrap_err();
    assert!(matches!(error, EngineError::Spawn { .. }), "{error}");
}

#[tokio::test]
async fn its_requests_are_refused_its_noise_is_ignored_and_silence_ends_a_call() {
    let folder = folder();
    let program = folder.path().join("codex");
    let log = folder.path().join("log");
    // Answers the handshake between noise, asks for an approval, then says nothing more, and ignores its stdin's end.
    script(
        &program,
        &format!(
            r#"read hello
echo 'no json'
echo '{{"id":"s-1","method":"item/commandExecution/requestApproval","params":{{}}}}'
echo '{{"method":"note"}}'
echo '{{"id":99,"result":{{}}}}'
echo '{{"id":1,"result":null}}'
while read line; do echo "$line" >> '{}'; done
exec sleep 300"#,
            log.display()
        ),
    );
    let server = AppServer::start(fake(program, Duration::from_millis(300)))
        .await
        .unwrap();
    let error = server.config_read(Path::new("/")).await.unwrap_err();
    assert!(
        matches!(&error, EngineError::Timeout { method, .. } if method == "config/read"),
        "{error}"
    );
    let status = server.shutdown(Duration::from_millis(300)).await.unwrap();
    assert!(!status.success(), "it had to be killed");
    let told = fs::read_to_string(log).unwrap();
    assert!(
        told.contains("\"id\":\"s-1\"") && told.contains("-32601"),
        "{told}"
    );
    assert!(!told.contains("\"result\""), "{told}");
}
