//! The interposer at work: an engine of ours (or the daemon that runs), a socket for clients, a relay for each of them, and
//! the [`desk`] that the supervisor's decisions come from.
//!
//! The relays and all children are the main thread's (children are leashed to it); the desk has a thread and a runtime of
//! its own, so that no frame waits for git or the disk. [`tui`] and [`app_server`] are the two ways in.

pub(crate) mod app_server;
mod calls;
mod clients;
mod desk;
mod projects;
pub(crate) mod tui;
mod turns;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use orch_engine::app_server::{AppServer, Connect};
use orch_engine::error::EngineError;
use orch_engine::interpose::{ClientId, EVENTS, Event, Interposer};
use orch_engine::leash::Launch;
use orch_engine::link::frame::Frame;
use orch_engine::link::listen::{Listener, dial};
use orch_engine::link::{Link, ws};
use orch_engine::relay::{Injected, RelayEnd, relay};
use orch_engine::serve::{Serve, Serving, daemon};
use orch_rollout::live::OBSERVED;
use tokio::net::UnixStream;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};

use self::calls::Calls;
use self::clients::Outlets;
use self::desk::{Desk, News};
use self::projects::Projects;
use crate::config::Config;
use crate::mcp;
use crate::trouble::Trouble;

/// Frames of ours that may wait for one side of one client, and news for the desk.
const OUTLET: usize = 16;
/// How long an engine may take until it listens. A cold 300 MB file on a slow disk takes seconds.
const LISTENING: Duration = Duration::from_secs(30);

/// What comes in pieces comes whole in the end: our own connection doesn't want the pieces.
const DELTAS: [&str; 8] = [
    "item/agentMessage/delta",
    "item/plan/delta",
    "item/reasoning/summaryPartAdded",
    "item/reasoning/summaryTextDelta",
    "item/reasoning/textDelta",
    "item/commandExecution/outputDelta",
    "item/fileChange/outputDelta",
    "turn/diff/updated",
];

/// An engine that takes connections.
#[derive(Debug, Clone)]
struct Listening {
    socket: PathBuf,
    /// It is the user's daemon, and none of ours to end.
    is_daemon: bool,
}

/// Where the engine listens; none until it does.
type Engine = watch::Receiver<Option<Listening>>;

/// The desk's thread, and the ways to it.
struct DeskThread {
    news: mpsc::Sender<News>,
    interposer: Interposer,
    thread: std::thread::JoinHandle<usize>,
    clients: u64,
}

impl DeskThread {
    /// `settings` (values in JSON) go with every thread that is resumed or forked.
    fn open(
        config: &Config,
        engine: Engine,
        settings: Vec<(String, String)>,
    ) -> Result<Self, Trouble> {
        let (news, inbox) = mpsc::channel(OUTLET);
        let (events, told) = mpsc::channel(EVENTS);
        let home = config.home.clone();
        let work = move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            match runtime {
                Ok(runtime) => {
                    let desk = Desk::new(Projects::new(home), Calls::new(engine), settings);
                    runtime.block_on(desk.run(inbox, told))
                }
                Err(error) => {
                    crate::out::note(&format!("nothing is recorded: {error}"));
                    0
                }
            }
        };
        let thread = std::thread::Builder::new()
            .name("desk".to_owned())
            .spawn(work)
            .map_err(|error| {
                Trouble::new(
                    format!("Failed to start: {error}"),
                    "this is a fault of the system; try again",
                )
            })?;
        Ok(Self {
            news,
            interposer: Interposer::new(events, mcp::dynamic_tools(), &OBSERVED),
            thread,
            clients: 0,
        })
    }

    /// A way to tell the desk what no connection tells.
    fn news(&self) -> mpsc::Sender<News> {
        self.news.clone()
    }

    /// Carries one client's frames until one side ends.
    async fn serve(
        &mut self,
        client: Link,
        engine: Link,
    ) -> impl Future<Output = RelayEnd> + use<> {
        self.clients += 1;
        let id = ClientId(self.clients);
        let (client_outlet, to_client) = mpsc::channel(OUTLET);
        let (engine_outlet, to_engine) = mpsc::channel(OUTLET);
        let outlets = Outlets {
            client: client_outlet,
            engine: engine_outlet,
        };
        // Before any frame of its own can reach the desk.
        let _ = self.news.send(News::Connected(id, outlets)).await;
        let (client_side, engine_side) = self.interposer.sides(id);
        let gone = self.interposer.clone();
        async move {
            let injected = Injected {
                to_client,
                to_engine,
            };
            let end = relay(client, engine, client_side, engine_side, injected).await;
            tracing::info!(?id, ?end, "a client's connection ended");
            gone.tell(Event::Gone { client: id }).await;
            end
        }
    }

    /// Ends the desk: what is not recorded yet is recorded now; how many turns were still running. To be called when every
    /// relay has ended.
    async fn close(self) -> usize {
        let Self {
            interposer, thread, ..
        } = self;
        // With it the last one goes who could tell of an event.
        drop(interposer);
        let ended = tokio::task::spawn_blocking(move || thread.join()).await;
        ended.ok().and_then(Result::ok).unwrap_or_else(|| {
            tracing::error!("the desk ended badly");
            0
        })
    }
}

/// How the engine of this process is started.
struct Start<'a> {
    config: &'a Config,
    launch: &'a Launch,
    /// Behind `app-server`.
    args: &'a [OsString],
    /// Where it shall listen.
    socket: PathBuf,
    /// One of our own, whatever else runs.
    no_daemon: bool,
}

/// The engine of this process: started here, or the user's daemon.
struct Upstream {
    at: watch::Sender<Option<Listening>>,
    coming: Option<JoinHandle<Result<Serving, EngineError>>>,
    serving: Option<Serving>,
}

impl Upstream {
    fn new() -> (Self, Engine) {
        let (at, engine) = watch::channel(None);
        let upstream = Self {
            at,
            coming: None,
            serving: None,
        };
        (upstream, engine)
    }

    /// Starts an engine, or takes the daemon that runs when the arguments ask for nothing that it wouldn't know of.
    async fn spawn(&mut self, start: &Start<'_>) -> Result<(), Trouble> {
        if start.args.is_empty()
            && !start.no_daemon
            && let Some(socket) = daemon(&start.config.home).await
        {
            tracing::info!(socket = %socket.display(), "the user's daemon is taken as the engine");
            self.at.send_replace(Some(Listening {
                socket,
                is_daemon: true,
            }));
            return Ok(());
        }
        let serve = Serve {
            launch: start.launch.clone(),
            args: start.args.to_vec(),
            envs: vec![("CODEX_HOME".into(), start.config.home.clone().into())],
            cwd: None,
            socket: start.socket.clone(),
            timeout: LISTENING,
        };
        self.coming = Some(tokio::spawn(Serving::start(serve)));
        // It is on its way before anything else is done here.
        tokio::task::yield_now().await;
        Ok(())
    }

    /// Waits until it takes connections.
    async fn listening(&mut self) -> Result<(), Trouble> {
        let Some(coming) = &mut self.coming else {
            return Ok(());
        };
        let came = coming.await;
        self.coming = None;
        let serving = came.map_err(|error| {
            Trouble::new(
                format!("Failed to start the engine: {error}"),
                "try again; codex-orch engine status tells which engine is used",
            )
        })??;
        self.at.send_replace(Some(Listening {
            socket: serving.socket(),
            is_daemon: false,
        }));
        self.serving = Some(serving);
        Ok(())
    }

    /// It has died: nobody is to connect to it.
    fn gone(&mut self) {
        self.serving = None;
        self.at.send_replace(None);
    }

    /// Waits until an engine of ours has ended by itself.
    async fn died(&self) -> EngineError {
        match &self.serving {
            Some(serving) => serving.ended().await,
            None => std::future::pending().await,
        }
    }

    async fn stop(self, patience: Duration) {
        if let Some(coming) = self.coming {
            // Its process dies with the task that waits for it.
            coming.abort();
        }
        if let Some(serving) = self.serving
            && let Err(error) = serving.stop(patience).await
        {
            tracing::warn!(%error, "the engine's end could not be told");
        }
    }
}

/// A connection to the engine, as soon as it listens.
async fn to_engine(mut engine: Engine) -> Result<Link, EngineError> {
    let known = engine.wait_for(Option::is_some).await;
    let known = known.ok().and_then(|known| known.clone());
    link_to(&known.map(|known| known.socket).unwrap_or_default()).await
}

async fn link_to(socket: &Path) -> Result<Link, EngineError> {
    let io = |source| EngineError::Io {
        doing: "connect to",
        path: socket.to_owned(),
        source,
    };
    let stream = dial(socket).await.map_err(io)?;
    ws::connect(stream)
        .await
        .map_err(|error| io(std::io::Error::other(error)))
}

/// The desk's own connection, and what the engine says on it.
async fn connect_own(
    socket: Option<PathBuf>,
    timeout: Duration,
) -> Result<(AppServer, mpsc::Receiver<Frame>), EngineError> {
    let link = link_to(&socket.unwrap_or_default()).await?;
    let (incoming, heard) = mpsc::channel(EVENTS);
    let connect = Connect {
        client_version: env!("CARGO_PKG_VERSION").to_owned(),
        timeout,
        opt_out: DELTAS.map(str::to_owned).to_vec(),
        incoming: Some(incoming),
    };
    Ok((AppServer::connect(link, connect).await?, heard))
}

/// Takes clients of `listener` until `end` is done; then those that are there have a moment to end.
async fn take_clients<T>(
    desk_thread: &mut DeskThread,
    listener: &Listener,
    engine: Engine,
    welcome: impl Fn(),
    end: impl Future<Output = T>,
) -> T {
    let mut relays = JoinSet::new();
    // Each shakes hands in its own time: one that says nothing keeps nobody waiting.
    let mut shaking = JoinSet::new();
    let mut end = std::pin::pin!(end);
    let ended = loop {
        tokio::select! {
            ended = &mut end => break ended,
            accepted = listener.accept() => match accepted {
                Ok(stream) => {
                    welcome();
                    shaking.spawn(shake(stream, engine.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "a client could not connect");
                    tokio::task::yield_now().await;
                }
            },
            Some(shaken) = shaking.join_next() => match shaken {
                Ok(Ok((client, engine))) => {
                    let serving = desk_thread.serve(client, engine).await;
                    relays.spawn(serving);
                }
                // The TUI knocks to see whether anybody listens.
                Ok(Err(error)) => tracing::debug!(error, "a client could not be served"),
                Err(error) => tracing::error!(%error, "a client could not be served"),
            },
            Some(_) = relays.join_next() => {}
        }
    };
    let rest = async { while relays.join_next().await.is_some() {} };
    if tokio::time::timeout(Duration::from_secs(3), rest)
        .await
        .is_err()
    {
        relays.shutdown().await;
    }
    ended
}

/// Both ends of a relay, as soon as client and engine are there.
async fn shake(stream: UnixStream, engine: Engine) -> Result<(Link, Link), String> {
    let client = ws::accept(stream)
        .await
        .map_err(|error| error.to_string())?;
    let engine = to_engine(engine).await.map_err(|error| error.to_string())?;
    Ok((client, engine))
}
