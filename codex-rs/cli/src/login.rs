//! Not logged in: upstream would wait for the network and try again and again. We ask it first, where it can't be told
//! from its files.

use std::path::Path;
use std::process::Stdio;

use orch_engine::find::PROBE_ENV;

use crate::config::Config;
use crate::exec_line::ExecLine;
use crate::trouble::Trouble;

/// Keys that upstream accepts in place of a login.
const KEYS: [&str; 3] = ["CODEX_API_KEY", "OPENAI_API_KEY", "CODEX_ACCESS_TOKEN"];

/// Fails when a run would need an account and there is none.
pub(crate) async fn require(
    config: &Config,
    line: &ExecLine,
    program: &Path,
) -> Result<(), Trouble> {
    let other_provider = line.names_provider()
        || line.profile().is_some()
        || config
            .user_text("model_provider")
            .is_some_and(|provider| provider != "openai")
        || config.user_text("openai_base_url").is_some();
    let has_key = KEYS
        .iter()
        .any(|key| std::env::var_os(key).is_some_and(|value| !value.is_empty()));
    if other_provider || has_key || config.home.join("auth.json").exists() {
        return Ok(());
    }
    // A login may also be in the system's keyring: only upstream can tell. What else it has to say it says best itself.
    let status = tokio::process::Command::new(program)
        .args(["login", "status"])
        .env(PROBE_ENV, "1")
        .env("CODEX_HOME", &config.home)
        .stdin(Stdio::null())
        .output()
        .await;
    let is_missing = |said: &[u8]| String::from_utf8_lossy(said).contains("Not logged in");
    match status {
        Ok(told)
            if !told.status.success() && (is_missing(&told.stderr) || is_missing(&told.stdout)) =>
        {
            Err(Trouble::new(
                "not logged in",
                "run codex-orch login, or choose a local model with --oss",
            ))
        }
        Ok(_) | Err(_) => Ok(()),
    }
}
