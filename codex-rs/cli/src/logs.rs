//! Our own log: a file under `$CODEX_HOME/log/`, bounded, never on a screen that a TUI may own.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Mutex;

use tracing_subscriber::EnvFilter;

/// Above this the log is turned over once: at most twice this stands on the disk.
const MAX_BYTES: u64 = 2 * 1024 * 1024;

/// Sends `tracing` to the file. Without a place to write, nothing is logged and nothing fails.
pub(crate) fn start(home: &Path) {
    let dir = home.join("log");
    let path = dir.join("codex-orch.log");
    if fs::create_dir_all(&dir).is_err() {
        return;
    }
    if path.metadata().is_ok_and(|meta| meta.len() > MAX_BYTES) {
        let _ = fs::rename(&path, dir.join("codex-orch.log.1"));
    }
    let Ok(file) = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(&path)
    else {
        return;
    };
    let filter = EnvFilter::try_from_env("CODEX_ORCH_LOG")
        .unwrap_or_else(|_| EnvFilter::new("info,rmcp=warn"));
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_writer(Mutex::new(file))
        .try_init();
}
