//! The server as its user holds it: started from anywhere, asked what it saw, gone when dropped.
//!
//! It owns a thread with a runtime of its own, so it is started the same way in a plain thread and in a task.

use std::fmt::Write as _;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot};

use crate::http::{self, Stage};
use crate::record::{Log, Recorded, TooFew};
use crate::scenario::Scenario;
use crate::script::Script;

/// The environment variable in which the engine looks for the key of the scripted model; any value will do.
pub const KEY_VARIABLE: &str = "SCRIPTED_KEY";

/// A scripted model that listens on a free port of 127.0.0.1 until it is dropped.
pub struct Server {
    address: SocketAddr,
    patience: Patience,
    stage: Arc<Stage>,
    /// Gone after the drop has begun: that stops the thread.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What may be chosen about a server.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// A file to which every request is appended, one JSON a line.
    pub record: Option<PathBuf>,
    /// How the engine is told to bear with faults.
    pub patience: Patience,
}

/// How long the engine bears with a model that fails. What is `None` is the engine's own choice.
#[derive(Debug, Clone, Copy, Default)]
pub struct Patience {
    /// How often it repeats a request answered by a 5xx status, each time it asks (0.169: 4).
    pub request_max_retries: Option<u32>,
    /// How often it asks again when a stream broke or a request failed for good (0.169: 5).
    pub stream_max_retries: Option<u32>,
    /// How long a stream may be silent (0.169: 300 s). It begins with the response's head: a hang is borne for ever.
    pub stream_idle_timeout: Option<Duration>,
}

impl Patience {
    /// Repeats nothing; the engine's own idle timeout.
    pub const NO_RETRIES: Self = Self {
        request_max_retries: Some(0),
        stream_max_retries: Some(0),
        stream_idle_timeout: None,
    };
}

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The record file could not be opened.
    #[error("Failed to open the record file {}", path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No port, no thread or no runtime.
    #[error("Failed to start the scripted model")]
    System(#[from] io::Error),
}

impl Server {
    /// Starts a server that records in memory only and leaves retries to the engine. Needs no runtime around it.
    pub fn start(scenario: Scenario) -> Result<Self, StartError> {
        Self::start_with(scenario, Options::default())
    }

    /// Starts a server. It takes connections as soon as this returns.
    pub fn start_with(scenario: Scenario, options: Options) -> Result<Self, StartError> {
        let Options { record, patience } = options;
        let log = Log::new(record.as_deref()).map_err(|source| StartError::Record {
            path: record.unwrap_or_default(),
            source,
        })?;
        let stage = Arc::new(Stage {
            script: Mutex::new(Script::new(scenario)),
            log,
            releases: Semaphore::new(0),
        });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let listener = {
            let _context = runtime.enter();
            tokio::net::TcpListener::from_std(listener)?
        };
        let (stop, stopped) = oneshot::channel();
        let serving = http::serve(listener, Arc::clone(&stage));
        let thread = std::thread::Builder::new()
            .name("fake-model".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        _ = serving => {}
                        _ = stopped => {}
                    }
                });
                // With the runtime, dropped here, go the tasks of all connections and with them the sockets.
            })?;
        Ok(Self {
            address,
            patience,
            stage,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// The base URL a provider is given: `http://127.0.0.1:PORT/v1`.
    pub fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A `config.toml` for the engine, which then needs no login but [`KEY_VARIABLE`] in its environment. It consists of
    /// top-level keys only, so keys as well as tables may follow. It also switches off what would call out: analytics
    /// and the look for updates.
    pub fn config_toml(&self) -> String {
        let Patience {
            request_max_retries,
            stream_max_retries,
            stream_idle_timeout,
        } = self.patience;
        let mut provider = format!(
            r#"name = "scripted", base_url = "{}", wire_api = "responses", env_key = "{KEY_VARIABLE}""#,
            self.url()
        );
        let limits = [
            ("request_max_retries", request_max_retries.map(u128::from)),
            ("stream_max_retries", stream_max_retries.map(u128::from)),
            (
                "stream_idle_timeout_ms",
                stream_idle_timeout.map(|limit| limit.as_millis()),
            ),
        ];
        for (key, limit) in limits {
            if let Some(limit) = limit {
                // Writing to a string cannot fail.
                let _ = write!(provider, ", {key} = {limit}");
            }
        }
        format!(
            "model = \"scripted\"\n\
             model_provider = \"scripted\"\n\
             model_providers.scripted = {{ {provider} }}\n\
             check_for_update_on_startup = false\n\
             analytics.enabled = false\n"
        )
    }

    /// The requests so far, oldest first; `GET /v1/models` is not among them.
    pub fn requests(&self) -> Vec<Arc<Recorded>> {
        self.stage.log.all()
    }

    /// Blocks until there were `wanted` requests in all, and returns them. For threads; tasks have [`Self::arrived`].
    pub fn wait_for(&self, wanted: usize, within: Duration) -> Result<Vec<Arc<Recorded>>, TooFew> {
        self.stage.log.wait(wanted, within)
    }

    /// Waits until there were `wanted` requests in all, and returns them.
    pub async fn arrived(
        &self,
        wanted: usize,
        within: Duration,
    ) -> Result<Vec<Arc<Recorded>>, TooFew> {
        self.stage.log.wait_async(wanted, within).await
    }

    /// Lets one answer go on that hangs or stalls: the one that was held first, or, if none is held now, the next.
    pub fn release(&self) {
        self.stage.releases.add_permits(1);
    }
}

impl Drop for Server {
    /// Breaks all connections and returns when the port is free.
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has let go of the port too.
            let _ = thread.join();
        }
    }
}
