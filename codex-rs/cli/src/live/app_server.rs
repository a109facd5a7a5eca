//! `codex-orch app-server`: the interposer for IDE clients, on stdio or on a unix socket. Everything after `app-server` that
//! isn't about the transport is the engine's.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use orch_engine::check::check;
use orch_engine::link::lines;
use orch_engine::link::listen::Listener;
use orch_engine::relay::RelayEnd;
use tokio::signal::unix::{SignalKind, signal};

use super::tui::socket_folder;
use super::{DeskThread, Start, Upstream, take_clients, to_engine};
use crate::args::take_no_orch;
use crate::config::Config;
use crate::pass;
use crate::trouble::Trouble;

/// How long a turn may go on when its client has left.
const PATIENCE: Duration = Duration::from_millis(200);

/// How clients reach us.
#[derive(Debug, PartialEq, Eq)]
enum Listen {
    Stdio,
    Unix(PathBuf),
}

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
struct Line {
    listen: Listen,
    engine_args: Vec<OsString>,
}

/// Options of upstream's `app-server` that take a value (codex-cli 0.169).
const VALUES: [&str; 15] = [
    "-c",
    "--config",
    "--enable",
    "--disable",
    "--startup-client-info",
    "--cloud-skills-snapshot",
    "--code-mode-host",
    "--listen",
    "--ws-auth",
    "--ws-token-file",
    "--ws-token-sha256",
    "--ws-shared-secret-file",
    "--ws-issuer",
    "--ws-audience",
    "--ws-max-clock-skew-seconds",
];

impl Line {
    /// None: nothing that we stand in (a subcommand, help, another transport), so it is upstream's as it is.
    fn of(root: &[OsString], args: &[OsString]) -> Option<Self> {
        let mut listen = Listen::Stdio;
        let mut engine_args = root.to_vec();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let text = arg.to_str()?;
            match text {
                "-h" | "--help" | "-V" | "--version" | "--print-startup-config" => return None,
                "--stdio" => listen = Listen::Stdio,
                "--listen" => listen = Listen::of(args.next()?.to_str()?)?,
                _ if text.starts_with("--listen=") => {
                    listen = Listen::of(text.strip_prefix("--listen=")?)?;
                }
                _ if text.starts_with("--ws-") => return None,
                _ if VALUES.contains(&text) => {
                    engine_args.push(arg.clone());
                    engine_args.push(args.next()?.clone());
                }
                _ if text.starts_with('-') => engine_args.push(arg.clone()),
                _ => return None,
            }
        }
        Some(Self {
            listen,
            engine_args,
        })
    }
}

impl Listen {
    fn of(url: &str) -> Option<Self> {
        match url.strip_prefix("unix://") {
            // Without a path it is upstream's own control socket.
            Some("") => None,
            Some(path) => Some(Self::Unix(PathBuf::from(path))),
            None => (url == "stdio://").then_some(Self::Stdio),
        }
    }
}

pub(crate) async fn run(
    engine: Option<OsString>,
    root: Vec<OsString>,
    mut args: Vec<OsString>,
) -> Result<u8, Trouble> {
    let config = Config::load()?;
    let is_plain = take_no_orch(&mut args);
    let line = match Line::of(&root, &args) {
        Some(line) if config.enabled && !is_plain => line,
        Some(_) | None => {
            let mut all = root;
            all.push("app-server".into());
            all.extend(args);
            return pass::run(engine.as_deref(), &all);
        }
    };
    let found = config.find_engine(engine.as_deref())?;
    check(&found.program, &config.cache_dir()).await?;
    crate::logs::start(&config.home);
    let launch = config.leashed(found.program)?;
    let folder = socket_folder()?;
    let start = Start {
        config: &config,
        launch: &launch,
        args: &line.engine_args,
        socket: folder.path().join("e"),
        no_daemon: false,
    };
    match &line.listen {
        Listen::Stdio => stdio(&start).await,
        Listen::Unix(path) => unix(&start, path).await,
    }
}

/// One client, on our stdin and stdout; it ends when the client closes.
async fn stdio(start: &Start<'_>) -> Result<u8, Trouble> {
    let (mut upstream, engine) = Upstream::new();
    let mut desk_thread = DeskThread::open(start.config, engine.clone(), Vec::new())?;
    upstream.spawn(start).await?;
    upstream.listening().await?;
    let client = lines::link(tokio::io::stdin(), tokio::io::stdout());
    let serving = desk_thread.serve(client, to_engine(engine).await?).await;
    let stopped = asked_to_stop()?;
    let death = tokio::select! {
        end = serving => match end {
            RelayEnd::EngineClosed | RelayEnd::EngineFailed(_) => {
                let died = tokio::time::timeout(Duration::from_secs(2), upstream.died()).await;
                Some(died.map_or_else(|_| lost(), Trouble::from))
            }
            RelayEnd::ClientClosed | RelayEnd::ClientFailed(_) => None,
        },
        () = stopped => None,
    };
    upstream.stop(PATIENCE).await;
    desk_thread.close().await;
    match death {
        Some(trouble) => Err(trouble),
        None => Ok(0),
    }
}

/// Any number of clients, until we are asked to stop or the engine ends.
async fn unix(start: &Start<'_>, path: &Path) -> Result<u8, Trouble> {
    let listener = Listener::bind(path)?;
    let (mut upstream, engine) = Upstream::new();
    let mut desk_thread = DeskThread::open(start.config, engine.clone(), Vec::new())?;
    upstream.spawn(start).await?;
    upstream.listening().await?;
    let stopped = asked_to_stop()?;
    let end = async {
        tokio::select! {
            died = upstream.died() => Some(Trouble::from(died)),
            () = stopped => None,
        }
    };
    let death = take_clients(&mut desk_thread, &listener, engine, || {}, end).await;
    drop(listener);
    upstream.stop(PATIENCE).await;
    desk_thread.close().await;
    match death {
        Some(trouble) => Err(trouble),
        None => Ok(0),
    }
}

fn asked_to_stop() -> Result<impl Future<Output = ()>, Trouble> {
    let fail = |error| {
        Trouble::new(
            format!("Failed to watch for signals: {error}"),
            "this is a fault of the system; try again",
        )
    };
    let mut terminate = signal(SignalKind::terminate()).map_err(fail)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(fail)?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

fn lost() -> Trouble {
    Trouble::new(
        "the engine closed the connection",
        "what was done is kept; connect again",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expect: Option<(Listen, &str)>) {
        let args: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        let expect = expect.map(|(listen, args)| Line {
            listen,
            engine_args: args.split_whitespace().map(OsString::from).collect(),
        });
        assert_eq!(Line::of(&[], &args), expect, "{line}");
    }

    #[test]
    fn the_transport_is_ours_and_all_else_the_engines() {
        check("", Some((Listen::Stdio, "")));
        check("--stdio -c a=b", Some((Listen::Stdio, "-c a=b")));
        check(
            "--listen unix:///run/x --enable y --strict-config",
            Some((Listen::Unix("/run/x".into()), "--enable y --strict-config")),
        );
        check("--listen=stdio://", Some((Listen::Stdio, "")));
        for upstreams in [
            "daemon start",
            "proxy",
            "--help",
            "--listen ws://127.0.0.1:1",
            "--listen unix://",
            "--listen off",
            "--ws-auth capability-token",
            "generate-ts --out x",
        ] {
            check(upstreams, None);
        }
    }
}
