//! What can go wrong with the engine: one line saying what, one line saying what to do. It decides no exit code.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use orch_protocol::ids::ThreadId;

use crate::check::{MINIMUM, PINNED, Version};
use crate::find::Source;

/// Why the engine could not be found, trusted, installed, started or talked to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// No candidate was left.
    #[error("Failed to find the codex engine: none is installed by codex-orch, and PATH has none")]
    NotFound,
    /// A candidate that was asked for by name cannot be run.
    #[error("Failed to use the engine {path} given by {origin}: {why}", path = path.display())]
    Unusable {
        /// Where the path came from.
        origin: Source,
        /// The path as given.
        path: PathBuf,
        /// Why it cannot be run.
        why: String,
    },
    /// The engine given is codex-orch itself.
    #[error("Failed to use the engine {path} given by {origin}: it is codex-orch itself", path = path.display())]
    Ourselves {
        /// Where the path came from.
        origin: Source,
        /// The path as given.
        path: PathBuf,
    },
    /// A node launcher is there, its platform package is not.
    #[error("Failed to find the native binary that belongs to {launcher} (package {package})", launcher = launcher.display())]
    NativeMissing {
        /// The launcher.
        launcher: PathBuf,
        /// The npm package that should hold the binary.
        package: &'static str,
    },
    /// The operating system or processor has no upstream binary.
    #[error(
        "Failed to name an engine for this platform: upstream has no binary for {os} on {arch}"
    )]
    UnknownPlatform {
        /// Operating system, as Rust calls it.
        os: &'static str,
        /// Processor, as Rust calls it.
        arch: &'static str,
    },
    /// What was found calls codex-orch again.
    #[error("Failed to find the codex engine: the `codex` that was found starts codex-orch again")]
    Loop,
    /// The binary does not say which version it is.
    #[error("Failed to read the version of {path}: {why}", path = path.display())]
    NoVersion {
        /// The binary.
        path: PathBuf,
        /// What it said or did.
        why: String,
    },
    /// The binary is older than what was verified.
    #[error("Failed to accept the engine {path}: it is {found}, and {MINIMUM} or newer is needed", path = path.display())]
    TooOld {
        /// The binary.
        path: PathBuf,
        /// Its version.
        found: Version,
    },
    /// The binary does not speak a method that is needed.
    #[error("Failed to accept the engine {path} ({version}): its app-server lacks {missing}", path = path.display(), missing = missing.join(", "))]
    MissingMethods {
        /// The binary.
        path: PathBuf,
        /// Its version.
        version: Version,
        /// The methods it lacks.
        missing: Vec<String>,
    },
    /// The protocol of the binary could not be read.
    #[error("Failed to read the protocol of {path}: {why}", path = path.display())]
    NoSchema {
        /// The binary.
        path: PathBuf,
        /// What it said or did.
        why: String,
    },
    /// A file or folder of ours could not be used.
    #[error("Failed to {doing} {path}", path = path.display())]
    Io {
        /// What was attempted, as a verb.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's words.
        #[source]
        source: io::Error,
    },
    /// There is no `npm`.
    #[error("Failed to install the engine: npm is not on PATH")]
    NpmMissing,
    /// The registry was not reached.
    #[error("Failed to install the engine: the npm registry was not reached\n{tail}")]
    Network {
        /// npm's last lines.
        tail: String,
    },
    /// No space left.
    #[error("Failed to install the engine: no space left on the disk that holds {folder}\n{tail}", folder = folder.display())]
    DiskFull {
        /// Where it was to go.
        folder: PathBuf,
        /// npm's last lines.
        tail: String,
    },
    /// What arrived is not what the registry promised.
    #[error(
        "Failed to install the engine: a downloaded package does not match its checksum\n{tail}"
    )]
    Checksum {
        /// npm's last lines.
        tail: String,
    },
    /// The registry does not have that version.
    #[error("Failed to install the engine: the registry has no @openai/codex {version}\n{tail}")]
    NoSuchVersion {
        /// The version asked for.
        version: String,
        /// npm's last lines.
        tail: String,
    },
    /// npm failed in a way not told apart.
    #[error("Failed to install the engine: npm ended with {status}\n{tail}")]
    Npm {
        /// Its exit status.
        status: String,
        /// npm's last lines.
        tail: String,
    },
    /// npm said it succeeded, the binary is not there.
    #[error("Failed to install the engine: npm brought no {package}")]
    Incomplete {
        /// The package with the binary.
        package: &'static str,
    },
    /// What was installed is another version than asked for.
    #[error("Failed to install the engine: asked for {wanted}, got {found}")]
    WrongVersion {
        /// Asked for.
        wanted: String,
        /// Installed.
        found: Version,
    },
    /// A process could not be started.
    #[error("Failed to start {program}", program = program.display())]
    Spawn {
        /// The program.
        program: PathBuf,
        /// The system's words.
        #[source]
        source: io::Error,
    },
    /// The process that a leashed child belongs to is gone.
    #[error("Failed to start the engine: the process it belongs to has ended")]
    ParentGone,
    /// `__leash` was called by hand.
    #[error("Failed to read the arguments of __leash: expected <parent-pid> <engine> [args]")]
    LeashUsage,
    /// The engine ended while it was needed.
    #[error("Failed to reach the engine: its app-server ended ({status})\n{stderr}")]
    EngineDied {
        /// Exit status, or how the connection broke.
        status: String,
        /// Its last lines on stderr.
        stderr: String,
    },
    /// No answer in time.
    #[error("Failed to get an answer from the engine to {method} within {after:?}")]
    Timeout {
        /// The request.
        method: String,
        /// How long was waited.
        after: Duration,
    },
    /// Another process writes the thread.
    #[error("Failed to open thread {thread}: another process is writing it")]
    ThreadBusy {
        /// The thread.
        thread: ThreadId,
    },
    /// There is no such thread.
    #[error("Failed to find thread {thread}")]
    ThreadUnknown {
        /// The thread.
        thread: ThreadId,
    },
    /// The thread is archived.
    #[error("Failed to open thread {thread}: it is archived")]
    ThreadArchived {
        /// The thread.
        thread: ThreadId,
    },
    /// The engine cannot read its configuration.
    #[error("Failed to read codex's configuration: {message}")]
    BadConfig {
        /// The engine's words, which name file, line and column.
        message: String,
    },
    /// The engine answered with an error not told apart.
    #[error("Failed to run {method}: {message} ({code})")]
    Refused {
        /// The request.
        method: String,
        /// JSON-RPC's code.
        code: i64,
        /// The engine's words.
        message: String,
    },
    /// The engine answered with something this version does not understand.
    #[error("Failed to read the engine's answer to {method}: {why}")]
    BadAnswer {
        /// The request.
        method: String,
        /// What was wrong with it.
        why: String,
    },
}

impl EngineError {
    /// One line saying what to do.
    pub fn hint(&self) -> String {
        match self {
            Self::NotFound => {
                "run `codex-orch engine install`, or name a codex binary with --engine PATH or CODEX_ORCH_ENGINE".into()
            }
            Self::Unusable { origin, .. } | Self::Ourselves { origin, .. } => match origin {
                Source::Flag => "give --engine the path of an upstream codex binary, or leave it out".into(),
                Source::Env => "set CODEX_ORCH_ENGINE to the path of an upstream codex binary, or unset it".into(),
                Source::Config => "correct the engine's path in orch.toml, or remove it".into(),
                Source::Managed | Source::Path => "run `codex-orch engine install`".into(),
            },
            Self::NativeMissing { .. } => {
                "reinstall codex with optional packages (npm install -g --include=optional @openai/codex), or run `codex-orch engine install`".into()
            }
            Self::UnknownPlatform { .. } => {
                "build codex from source and name it with --engine PATH".into()
            }
            Self::Loop => {
                "name the upstream binary itself with --engine PATH or CODEX_ORCH_ENGINE, or run `codex-orch engine install`".into()
            }
            Self::NoVersion { path, .. } => {
                format!("check that `{} --version` prints `codex-cli X.Y.Z`", path.display())
            }
            Self::TooOld { .. } => format!(
                "update codex, or run `codex-orch engine install` to get {PINNED} beside it"
            ),
            Self::MissingMethods { .. } | Self::NoSchema { .. } => {
                format!("run `codex-orch engine install` to get {PINNED}, the version codex-orch was verified with")
            }
            Self::Io { .. } => "check that the folder exists, is yours, and has space left".into(),
            Self::NpmMissing => {
                "install Node.js (it brings npm), or download codex from its releases and name it with --engine PATH".into()
            }
            Self::Network { .. } => {
                "check the connection, proxy settings and `npm config get registry`, then run it again".into()
            }
            Self::DiskFull { .. } => "free about 500 MB there, then run it again".into(),
            Self::Checksum { .. } => {
                "run `npm cache verify`, then run it again; if it stays, the registry or a proxy alters packages".into()
            }
            Self::NoSuchVersion { .. } => {
                "check `npm config get registry`: a mirror may lag behind".into()
            }
            Self::Npm { .. } | Self::Incomplete { .. } | Self::WrongVersion { .. } => {
                format!("try `npm install -g --include=optional @openai/codex@{PINNED}` to see npm's full output")
            }
            Self::Spawn { .. } => "check that the file is there and may be executed".into(),
            Self::ParentGone => "nothing is left to do: start codex-orch again if you still need it".into(),
            Self::LeashUsage => "codex-orch calls this itself; run `codex-orch --help` instead".into(),
            Self::EngineDied { .. } => {
                "run `codex app-server` by hand to see all it says; check CODEX_HOME and the -c options given".into()
            }
            Self::BadConfig { .. } => "correct that file; plain `codex` refuses it too".into(),
            Self::Timeout { .. } => "run it again; if it stays, look for a stuck codex process".into(),
            Self::ThreadBusy { .. } => {
                "close the codex that has this thread open, or fork the thread".into()
            }
            Self::ThreadUnknown { .. } => {
                "list the threads with `codex resume --all`; CODEX_HOME may point elsewhere".into()
            }
            Self::ThreadArchived { thread } => format!("run `codex unarchive {thread}`"),
            Self::Refused { .. } | Self::BadAnswer { .. } => format!(
                "the engine may be newer than codex-orch knows; `codex-orch engine install` brings {PINNED}"
            ),
        }
    }
}
