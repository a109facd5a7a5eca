//! The real engine: starts upstream's own `exec`, waits for it, and reads the rollout it left.
//!
//! A new thread gets its brief on the command line; an old one gets it by an app-server of ours, which lets go of the
//! thread before upstream's `exec resume` takes it. Nothing here starts a turn by itself.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use orch_core::brief::Brief;
use orch_engine::app_server::{AppServer, Start};
use orch_engine::error::EngineError;
use orch_engine::exec::{End, ExecChild, ExecPlan, Stderr};
use orch_engine::leash;
use orch_engine::threads::Fork;
use orch_protocol::Timestamp;
use orch_protocol::ids::{RunId, ThreadId};
use orch_protocol::project::{OpenRun, RunKind};
use orch_rollout::below::read_with_below;
use orch_rollout::find::{find_by_marker, find_by_thread};
use orch_rollout::reader::read_thread;

use crate::ports::{Engine, EngineTrouble, Launch, Ran};

/// How long an app-server of ours may take to end once its stdin is closed.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long one call to it may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The arguments of upstream for a kind of run and a brief. Ours to call, the command line's to know.
pub type CommandLine = dyn Fn(&RunId, &RunKind, &Brief) -> Vec<OsString>;

/// Upstream's `exec`, run once.
pub struct UpstreamExec {
    /// What is started, on a leash.
    pub program: leash::Launch,
    /// Upstream's home.
    pub codex_home: PathBuf,
    /// The folder the run works in.
    pub cwd: PathBuf,
    /// Its arguments.
    pub line: Box<CommandLine>,
    /// The run leaves no rollout.
    pub ephemeral: bool,
    /// A fork is made by an app-server of ours and then resumed, so that the copy can be told the brief: a copy takes no
    /// new instructions from the command line. Otherwise upstream makes it, and its turn isn't recorded.
    pub copies: bool,
}

impl From<EngineError> for EngineTrouble {
    fn from(error: EngineError) -> Self {
        Self {
            what: error.to_string(),
            hint: error.hint(),
        }
    }
}

/// What commands use that start no engine: it reads what dead runs have left, and that is all.
#[derive(Debug, Clone, Copy)]
pub struct RolloutsOnly;

#[async_trait(?Send)]
impl Engine for RolloutsOnly {
    async fn run(&mut self, _: &Launch) -> Result<Ran, EngineTrouble> {
        Err(EngineTrouble {
            what: "this command starts no engine".to_owned(),
            hint: "use codex-orch exec".to_owned(),
        })
    }

    async fn park(&mut self, _: &ThreadId) -> Result<ThreadId, EngineTrouble> {
        Err(EngineTrouble {
            what: "this command copies no conversation".to_owned(),
            hint: "use codex-orch exec".to_owned(),
        })
    }

    async fn recover(&mut self, run: &OpenRun) -> Ran {
        read(Path::new(&run.codex_home), &run.run, &run.kind, run.at)
    }
}

impl UpstreamExec {
    /// Starts an app-server of ours, for looking things up and for what must be said to a thread before it runs.
    pub async fn app_server(&self) -> Result<AppServer, EngineError> {
        AppServer::start(Start {
            launch: self.program.clone(),
            args: Vec::new(),
            envs: vec![("CODEX_HOME".into(), self.codex_home.clone().into())],
            cwd: Some(self.cwd.clone()),
            timeout: TIMEOUT,
            client_version: env!("CARGO_PKG_VERSION").to_owned(),
            notifications: None,
        })
        .await
    }

    /// Opens a thread, or a copy of it, says the brief to it, and lets go of it. Returns which thread was told.
    async fn tell(
        &self,
        thread: &ThreadId,
        copy: bool,
        brief: &Brief,
    ) -> Result<ThreadId, EngineError> {
        let server = self.app_server().await?;
        let told = async {
            let thread = match copy {
                true => server.fork(thread, Fork::Listed).await?,
                false => server.resume(thread).await.map(|_| thread.clone())?,
            };
            server.inject(&thread, &brief.pieces()).await?;
            Ok(thread)
        };
        let told = told.await;
        // Only its end makes the thread free for upstream's exec.
        server.shutdown(PATIENCE).await?;
        told
    }

    /// What is really started: what must be said to a thread beforehand has been said when this returns.
    async fn prepared(&self, launch: &Launch) -> Result<RunKind, EngineError> {
        let thread = match &launch.kind {
            RunKind::Resume { thread } => self.tell(thread, false, &launch.brief).await?,
            RunKind::Fork { thread } if self.copies => {
                self.tell(thread, true, &launch.brief).await?
            }
            kind @ (RunKind::Fresh
            | RunKind::Fork { .. }
            | RunKind::Review
            | RunKind::Turn { .. }) => {
                return Ok(kind.clone());
            }
        };
        Ok(RunKind::Resume { thread })
    }
}

#[async_trait(?Send)]
impl Engine for UpstreamExec {
    async fn run(&mut self, launch: &Launch) -> Result<Ran, EngineTrouble> {
        let kind = self.prepared(launch).await?;
        let plan = ExecPlan {
            launch: self.program.clone(),
            args: (self.line)(&launch.run, &kind, &launch.brief),
            envs: Vec::new(),
            cwd: None,
            stderr: Stderr::Inherit,
            is_bare: false,
        };
        let end = ExecChild::spawn(&plan)?.wait().await?;
        let read = read(&self.codex_home, &launch.run, &kind, launch.at);
        let remark = read.remark.clone().or_else(|| {
            let leaves_one = matches!(kind, RunKind::Fresh | RunKind::Resume { .. });
            let expected = !self.ephemeral && leaves_one && end.end() == End::Code(0);
            (expected && read.thread.is_none()).then(|| {
                "no rollout of this run was found, so its turns are not recorded".to_owned()
            })
        });
        let (exit_code, signal) = match end.end() {
            End::Code(code) => (Some(code), None),
            End::Signal(signal) => (None, Some(signal)),
        };
        Ok(Ran {
            exit_code,
            signal,
            remark,
            ..read
        })
    }

    async fn park(&mut self, thread: &ThreadId) -> Result<ThreadId, EngineTrouble> {
        let server = self.app_server().await?;
        let copy = server.fork(thread, Fork::Attached).await;
        server.shutdown(PATIENCE).await?;
        Ok(copy?)
    }

    async fn recover(&mut self, run: &OpenRun) -> Ran {
        read(Path::new(&run.codex_home), &run.run, &run.kind, run.at)
    }
}

/// Reads what a run has left, by its thread where that is known, by the run's mark in the brief otherwise.
fn read(home: &Path, run: &RunId, kind: &RunKind, since: Timestamp) -> Ran {
    let sessions = home.join("sessions");
    let paths = match kind {
        RunKind::Resume { thread } | RunKind::Turn { thread } => {
            find_by_thread(&sessions, thread.as_str())
        }
        RunKind::Fresh | RunKind::Fork { .. } => {
            // File systems keep coarser times than clocks.
            let since = SystemTime::from(since) - Duration::from_secs(2);
            // A sub-agent's file repeats what its parent was told, and a later session may have printed it: the run's own
            // is the first that was begun, as the names say.
            let mut paths = find_by_marker(&sessions, since, run.as_str());
            paths.sort_by_key(|path| path.file_name().map(ToOwned::to_owned));
            let is_root = |path: &PathBuf| {
                let meta = read_thread(std::slice::from_ref(path))
                    .ok()
                    .and_then(|read| read.meta);
                meta.is_some_and(|meta| !meta.is_subagent)
            };
            paths.into_iter().find(is_root).into_iter().collect()
        }
        RunKind::Review => Vec::new(),
    };
    if paths.is_empty() {
        return Ran::default();
    }
    let modified = paths
        .iter()
        .filter_map(|path| path.metadata().ok()?.modified().ok())
        .max();
    let thread = match kind {
        RunKind::Resume { thread } | RunKind::Turn { thread } => Some(thread.clone()),
        RunKind::Fresh | RunKind::Fork { .. } | RunKind::Review => read_thread(&paths)
            .ok()
            .and_then(|read| Some(read.meta?.thread)),
    };
    let found = match &thread {
        Some(thread) => read_with_below(&sessions, thread),
        None => read_thread(&paths),
    };
    match found {
        Ok(rollout) => Ran {
            thread: rollout.meta.as_ref().map(|meta| meta.thread.clone()),
            turns: rollout.turns,
            last_seen: modified.and_then(|at| Timestamp::try_from(at).ok()),
            ..Ran::default()
        },
        Err(error) => Ran {
            remark: Some(format!("{error}: this run's turns are not recorded")),
            ..Ran::default()
        },
    }
}
