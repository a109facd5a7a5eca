//! `--help`: upstream's own, as it is, and what codex-orch adds below it.

use std::ffi::{OsStr, OsString};
use std::process::Command;

use crate::config::Config;
use crate::out;
use crate::trouble::Trouble;

const OURS: &str = "
codex-orch adds (everything above is upstream's own):
                      The TUI, resume, fork, agents and app-server with the supervisor between; [--no-orch] without
  exec ...            Upstream's exec, recorded: [--on-drift stop|fork|fast-forward|rebuild] [--no-orch]
  tasks               The backlog, judged by git: list, show, add, edit, done, need, graph, import, export ...
  journal             What happened, session by session: list, show
  state               What is known here, and where it is kept: show
  drift               Conversations that no longer fit the repository: status, resolve
  engine              The upstream engine: status, install
  mcp-orch            The backlog as an MCP server on stdio, for agents
  demo                A story of two sessions with the real engine and a scripted model
      --engine <PATH>  Use this upstream binary
Each of them answers to --help.";

pub(crate) fn run(engine: Option<&OsStr>, args: &[OsString]) -> Result<u8, Trouble> {
    let found = Config::load()?.find_engine(engine);
    let code = match found {
        Ok(found) => {
            let ended = Command::new(&found.program).args(args).status();
            ended
                .ok()
                .and_then(|status| status.code())
                .and_then(|code| u8::try_from(code).ok())
                .unwrap_or(1)
        }
        // Without an engine, help is what tells how to get one.
        Err(trouble) => {
            out::note(&trouble.line());
            0
        }
    };
    out::line(OURS)?;
    Ok(code)
}
