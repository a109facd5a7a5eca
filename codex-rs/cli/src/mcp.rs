//! `codex-orch mcp-orch`: the backlog and the journal as an MCP server on stdio, for the main agent of an `exec`, for
//! threads begun in plain codex, and for other agents.
//!
//! A call arrives on the [`wire`] and is carried out at the [`desk`], one after the other: the desk owns the project,
//! the wire owns the protocol, and they share a channel of [`Call`]s. The input's end, or a signal to go, closes the
//! wire; that ends the channel, and the desk folds and closes.

mod answer;
mod desk;
mod search;
mod tools;
mod wire;
mod write;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use clap::Parser;
use orch_protocol::ids::{ThreadId, TurnId};
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use crate::tasks::parse;
use crate::trouble::Trouble;
pub(crate) use answer::Answer;
pub(crate) use desk::Desk;
pub(crate) use tools::dynamic_tools;

/// Environment that upstream would keep from a server it starts.
const HANDED_ON: [&str; 2] = ["CODEX_ORCH_DATA", "CODEX_ORCH_LOG"];

/// Writes are folded into a state commit when nothing was asked for this long: nobody waits for it, and a burst of
/// writes becomes one commit.
const FOLD_AFTER: Duration = Duration::from_millis(50);

/// The backlog as an MCP server on stdin and stdout
#[derive(Debug, Parser)]
#[command(name = "codex-orch mcp-orch", disable_version_flag = true)]
struct Args {
    /// Count the folder as trusted, as the run that starts this server does
    #[arg(long)]
    trust: bool,
}

/// A tool call on its way to the desk.
#[derive(Debug)]
struct Call {
    tool: String,
    arguments: Value,
    caller: Caller,
    answer: oneshot::Sender<Answer>,
}

/// Who calls, as far as the client says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Caller {
    /// The call's own id: a call that comes twice is carried out once.
    pub(crate) call: Option<String>,
    pub(crate) thread: Option<ThreadId>,
    pub(crate) turn: Option<TurnId>,
}

/// Upstream's configuration, as values of `-c`, that gives a run our server. Without approval of ours the tools that
/// write would fail in every sandbox that asks for none; what they write is the backlog alone.
pub(crate) fn configured(exe: &Path, home: &Path, trusting: bool) -> Vec<String> {
    let pairs = settings(exe, home, trusting);
    let pair = |(key, value): (String, toml::Value)| format!("{key}={value}");
    pairs.into_iter().map(pair).collect()
}

/// The same as settings of one thread: keys, and values as JSON.
pub(crate) fn as_settings(exe: &Path, home: &Path) -> Vec<(String, String)> {
    let pairs = settings(exe, home, false);
    let pair = |(key, value)| Some((key, serde_json::to_string(&value).ok()?));
    pairs.into_iter().filter_map(pair).collect()
}

fn settings(exe: &Path, home: &Path, trusting: bool) -> Vec<(String, toml::Value)> {
    let (Some(exe), Some(home)) = (exe.to_str(), home.to_str()) else {
        // TOML holds no such path. The run has no tools then; its records are made all the same.
        return Vec::new();
    };
    let mut args = vec!["mcp-orch"];
    args.extend(trusting.then_some("--trust"));
    let handed_on = HANDED_ON
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?)));
    let env: BTreeMap<String, String> = [("CODEX_HOME".to_owned(), home.to_owned())]
        .into_iter()
        .chain(handed_on)
        .collect();
    let env: toml::Table = env
        .into_iter()
        .map(|(name, value)| (name, value.into()))
        .collect();
    let pairs: [(&str, toml::Value); 4] = [
        ("command", exe.into()),
        ("args", args.into()),
        ("env", env.into()),
        ("default_tools_approval_mode", "approve".into()),
    ];
    let full = |(key, value)| (format!("mcp_servers.codex_orch.{key}"), value);
    pairs.into_iter().map(full).collect()
}

/// Serves until the input ends.
pub(crate) async fn run(args: Vec<OsString>) -> Result<u8, Trouble> {
    let Some(Args { trust }) = parse::<Args>("codex-orch mcp-orch", args)? else {
        return Ok(0);
    };
    let (sender, mut calls) = mpsc::channel(16);
    wire::start(sender)?;
    let mut desk = Desk::new(trust);
    loop {
        tokio::select! {
            biased;
            call = calls.recv() => match call {
                Some(Call { tool, arguments, caller, answer }) => {
                    // Whoever asked may have gone; what was done stays done.
                    let _ = answer.send(desk.answer(&tool, arguments, caller).await);
                }
                None => break,
            },
            () = tokio::time::sleep(FOLD_AFTER), if desk.is_unfolded() => desk.fold().await,
        }
    }
    desk.close().await?;
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_path_survives_the_way_through_toml() {
        let (exe, home) = (
            r#"/opt/my "tools"/codex-orch"#,
            "/home/jürgen/a 'b' \\ ${c}\n=",
        );
        let pairs = configured(Path::new(exe), Path::new(home), true);
        let read: toml::Table = pairs.join("\n").parse().unwrap_or_default();
        let server = &read["mcp_servers"]["codex_orch"];
        assert_eq!(server["command"].as_str(), Some(exe));
        assert_eq!(server["args"][1].as_str(), Some("--trust"));
        assert_eq!(server["env"]["CODEX_HOME"].as_str(), Some(home));
        assert_eq!(
            server["default_tools_approval_mode"].as_str(),
            Some("approve")
        );
        let plain = configured(Path::new("/x"), Path::new("/y"), false);
        assert_eq!(plain[1], r#"mcp_servers.codex_orch.args=["mcp-orch"]"#);
    }
}
