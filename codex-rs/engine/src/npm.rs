//! One run of npm: its command line, its process group, and what its last words mean. It neither locks nor renames.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, ChildStderr, Command};

use crate::error::EngineError;
use crate::leash::Launch;

/// Lines of npm's output kept for an error.
const LINES: usize = 12;
/// How long npm's last lines are waited for after its end.
const AFTERGLOW: Duration = Duration::from_millis(200);
/// Bytes kept of one line.
const WIDTH: usize = 300;

/// A running npm; dropped before its end, its whole process group is killed.
pub(crate) struct Npm {
    child: Child,
    stderr: Option<ChildStderr>,
    group: Option<Pid>,
    tail: Tail,
}

impl Npm {
    /// Starts npm, putting `package` below `folder`.
    pub(crate) fn start(
        launch: &Launch,
        path: &OsStr,
        package: &str,
        folder: &Path,
    ) -> Result<Self, EngineError> {
        let mut command = Command::from(launch.command());
        command
            .args(["install", "--prefix"])
            .arg(folder)
            // The platform package is an optional dependency, and a user's npmrc may leave those out or install globally.
            .args(["--global=false", "--include=optional", "--ignore-scripts"])
            .args(["--no-save", "--no-package-lock", "--no-audit", "--no-fund"])
            .args(["--no-progress", "--no-update-notifier", "--loglevel=error"])
            .arg(package)
            .env("PATH", path)
            // The npmrc of the project we are started in has no say.
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .process_group(0);
        let mut child = command.spawn().map_err(|source| EngineError::Spawn {
            program: launch.program.clone(),
            source,
        })?;
        Ok(Self {
            group: child
                .id()
                .and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?)),
            stderr: child.stderr.take(),
            child,
            tail: Tail::default(),
        })
    }

    /// Reads npm's output and waits for its end. Cancel-safe: call it again to go on.
    pub(crate) async fn ended(&mut self) -> Result<ExitStatus, EngineError> {
        let mut chunk = [0; 4096];
        while let Some(stderr) = &mut self.stderr {
            tokio::select! {
                read = stderr.read(&mut chunk) => match read.unwrap_or(0) {
                    0 => self.stderr = None,
                    n => self.tail.push(chunk.get(..n).unwrap_or_default()),
                },
                status = self.child.wait() => {
                    // A grandchild may keep stderr open, so what is left is read with a bound.
                    let _ = tokio::time::timeout(AFTERGLOW, self.drain()).await;
                    return self.reaped(status);
                }
            }
        }
        let status = self.child.wait().await;
        self.reaped(status)
    }

    async fn drain(&mut self) {
        let mut chunk = [0; 4096];
        while let Some(stderr) = &mut self.stderr {
            match stderr.read(&mut chunk).await.unwrap_or(0) {
                0 => self.stderr = None,
                n => self.tail.push(chunk.get(..n).unwrap_or_default()),
            }
        }
    }

    /// npm's last lines.
    pub(crate) fn tail(&self) -> String {
        self.tail.text()
    }

    fn reaped(&mut self, status: std::io::Result<ExitStatus>) -> Result<ExitStatus, EngineError> {
        self.group = None;
        status.map_err(|source| EngineError::Io {
            doing: "wait for",
            path: "npm".into(),
            source,
        })
    }
}

impl Drop for Npm {
    fn drop(&mut self) {
        if let Some(group) = self.group
            && kill_process_group(group, Signal::KILL).is_ok()
        {
            // Whoever removes the folder next must not race with a living npm. It is reaped by tokio later.
            let _ = waitid(
                WaitId::Pid(group),
                WaitIdOptions::EXITED | WaitIdOptions::NOWAIT,
            );
        }
    }
}

/// The first `npm` on `path`.
pub(crate) fn locate(path: &OsStr) -> Result<PathBuf, EngineError> {
    std::env::split_paths(path)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join("npm"))
        .find(|npm| {
            std::fs::metadata(npm)
                .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
        })
        .ok_or(EngineError::NpmMissing)
}

/// Why npm failed, from what it said.
pub(crate) fn failure(
    status: ExitStatus,
    tail: String,
    version: &str,
    folder: &Path,
) -> EngineError {
    let said = |words: &[&str]| words.iter().any(|word| tail.contains(word));
    if said(&["ENOSPC", "no space left", "EDQUOT"]) {
        EngineError::DiskFull {
            folder: folder.to_owned(),
            tail,
        }
    } else if said(&["EINTEGRITY", "integrity checksum failed"]) {
        EngineError::Checksum { tail }
    } else if said(&["E404", "ETARGET", "No matching version"]) {
        EngineError::NoSuchVersion {
            version: version.to_owned(),
            tail,
        }
    } else if said(&[
        "ENOTFOUND",
        "EAI_AGAIN",
        "ECONNREFUSED",
        "ECONNRESET",
        "ETIMEDOUT",
        "ENETUNREACH",
        "EHOSTUNREACH",
        "ERR_SOCKET",
        "network",
    ]) {
        EngineError::Network { tail }
    } else {
        EngineError::Npm {
            status: status.to_string(),
            tail,
        }
    }
}

#[derive(Default)]
struct Tail {
    lines: VecDeque<String>,
    partial: Vec<u8>,
}

impl Tail {
    fn push(&mut self, bytes: &[u8]) {
        for byte in bytes {
            match byte {
                b'\n' => {
                    let line = printable(&std::mem::take(&mut self.partial));
                    self.lines.push_back(line);
                    if self.lines.len() > LINES {
                        self.lines.pop_front();
                    }
                }
                _ if self.partial.len() < WIDTH => self.partial.push(*byte),
                _ => {}
            }
        }
    }

    fn text(&self) -> String {
        let last = printable(&self.partial);
        let lines = self.lines.iter().chain(std::iter::once(&last));
        let shown: Vec<&str> = lines
            .map(String::as_str)
            .filter(|line| !line.trim().is_empty())
            .collect();
        shown.join("\n")
    }
}

/// Text for a terminal: no control characters.
fn printable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.chars().filter(|c| !c.is_control()).collect()
}
