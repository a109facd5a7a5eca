//! The user's own developer instructions: ours replace them on the command line, so they have to be said again.
//!
//! The engine knows best what is in force, but asking it costs a tenth of a second. It is asked only when some file that
//! it reads names the setting at all.

use std::path::{Path, PathBuf};
use std::time::Duration;

use orch_engine::app_server::{AppServer, Start};
use orch_engine::leash::Launch;
use toml::{Table, Value};

use crate::config::Config;
use crate::exec_line::ExecLine;
use crate::trouble::Trouble;

const KEY: &str = "developer_instructions";

/// The instructions in force for a run in `folder`, if there are any.
pub(crate) async fn own(
    config: &Config,
    line: &ExecLine,
    folder: &Path,
    launch: &Launch,
) -> Result<Option<String>, Trouble> {
    if let Some(given) = line.override_of(KEY) {
        return Ok(Some(text_of(given)));
    }
    if let Some(text) = profile(config, line) {
        return Ok(Some(text));
    }
    // Without the user's configuration no folder is trusted either, so a project's has no say.
    if line.ignores_user_config() {
        return Ok(None);
    }
    if !layers(config, folder).iter().any(|path| names_key(path)) {
        return Ok(None);
    }
    let server = AppServer::start(Start {
        launch: launch.clone(),
        args: Vec::new(),
        envs: vec![("CODEX_HOME".into(), config.home.clone().into())],
        cwd: Some(folder.to_owned()),
        client_version: env!("CARGO_PKG_VERSION").to_owned(),
        timeout: Duration::from_secs(30),
        notifications: None,
    })
    .await?;
    let read = server.config_read(folder).await;
    server.shutdown(Duration::from_secs(5)).await?;
    Ok(read?.developer_instructions)
}

/// As upstream reads `-c key=value`: TOML if it parses, else the text itself.
fn text_of(given: &str) -> String {
    let parsed = format!("x = {given}").parse::<Table>().ok();
    parsed
        .and_then(|table| Some(table.get("x")?.as_str()?.to_owned()))
        .unwrap_or_else(|| given.to_owned())
}

fn profile(config: &Config, line: &ExecLine) -> Option<String> {
    let name = line.profile().filter(|name| !name.contains('/'))?;
    let text = std::fs::read_to_string(config.home.join(format!("{name}.config.toml"))).ok()?;
    text.parse::<Table>()
        .ok()?
        .get(KEY)
        .and_then(Value::as_str)
        .map(str::to_owned)
}

/// Every file that can set it, without the profile.
fn layers(config: &Config, folder: &Path) -> Vec<PathBuf> {
    let project = folder
        .ancestors()
        .map(|dir| dir.join(".codex").join("config.toml"));
    let system = ["/etc/codex/config.toml", "/etc/codex/managed_config.toml"].map(PathBuf::from);
    let user = ["config.toml", "managed_config.toml"].map(|name| config.home.join(name));
    project.chain(system).chain(user).collect()
}

fn names_key(path: &Path) -> bool {
    std::fs::read(path).is_ok_and(|bytes| {
        bytes
            .windows(KEY.len())
            .any(|window| window == KEY.as_bytes())
    })
}
