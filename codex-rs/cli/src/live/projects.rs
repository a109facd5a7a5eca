//! The projects that the threads of one engine belong to, told by the folders they work in. Each is opened when its first
//! turn begins.

use std::collections::HashMap;
use std::io::{BufRead as _, Read as _};
use std::path::{Path, PathBuf};

use orch_core::supervisor::Input;
use orch_engine::interpose::NAMESPACE;
use orch_protocol::git::GitSnapshot;
use orch_protocol::ids::{LogId, RunId, ThreadId, TurnId};
use orch_protocol::turn::TurnRecord;
use orch_rollout::below::read_with_below;
use orch_rollout::find::find_by_thread;
use orch_runtime::driver::{Begun, Request};
use orch_runtime::ports::{Engine, Git as _, Ran, StateStore as _};

use super::calls::{ToolCall, no_project};
use crate::config::own_exe;
use crate::mcp::{self, Answer, Caller};
use crate::out;
use crate::session::Project;
use crate::trouble::Trouble;

/// The most projects that are open at once; more are worked in, unrecorded.
const MOST: usize = 64;

/// Beyond this a rollout's first line isn't read: it holds the tools of all clients.
const MAX_FIRST_LINE: u64 = 4 * 1024 * 1024;

pub(crate) struct Projects {
    home: PathBuf,
    open: HashMap<PathBuf, Opened>,
}

/// A project with the desk of its tools.
pub(super) struct Opened {
    desk: mcp::Desk,
    log: LogId,
    is_untidy: bool,
}

impl Projects {
    pub(crate) fn new(home: PathBuf) -> Self {
        Self {
            home,
            open: HashMap::new(),
        }
    }

    /// Upstream's home, as it is recorded.
    pub(super) fn home(&self) -> String {
        self.home.to_string_lossy().into_owned()
    }

    /// The project of a folder; none when too many are open.
    pub(super) fn of(&mut self, folder: &Path) -> Result<Option<&mut Opened>, Trouble> {
        if !self.open.contains_key(folder) {
            if self.open.len() >= MOST {
                tracing::warn!(folder = %folder.display(), "too many projects are open");
                return Ok(None);
            }
            let mut desk = mcp::Desk::at(folder.to_owned());
            let project = desk.project()?;
            if let Some(notice) = project.first_notice() {
                out::note(&notice);
            }
            let log = project.store.log_id().clone();
            let opened = Opened {
                desk,
                log,
                is_untidy: false,
            };
            self.open.insert(folder.to_owned(), opened);
        }
        Ok(self.open.get_mut(folder))
    }

    /// Carries out a call of a tool of ours.
    pub(super) async fn tool(&mut self, folder: &Path, call: &ToolCall) -> Answer {
        let caller = Caller {
            call: Some(call.call_id.clone()),
            thread: Some(ThreadId::new(call.thread_id.clone())),
            turn: Some(TurnId::new(call.turn_id.clone())),
        };
        match self.of(folder) {
            Ok(Some(opened)) => {
                let answer = opened
                    .desk
                    .answer(&call.tool, call.arguments.clone(), caller)
                    .await;
                opened.is_untidy |= opened.desk.is_unfolded();
                answer
            }
            Ok(None) => no_project(),
            Err(trouble) => Answer::from(trouble),
        }
    }

    /// A turn as its thread's rollout has it.
    pub(super) fn recorded(&self, thread: &ThreadId, turn: &TurnId) -> Option<TurnRecord> {
        let read = read_with_below(&self.home.join("sessions"), thread).ok()?;
        read.turns.into_iter().find(|record| record.turn == *turn)
    }

    /// Settings that give a thread our tools by an MCP server: those begun without us have no others.
    pub(super) fn tools_for(&self, thread: &ThreadId) -> Vec<(String, String)> {
        let paths = find_by_thread(&self.home.join("sessions"), thread.as_str());
        let begun = paths.first().and_then(|path| first_line(path));
        match begun {
            Some(line) if !line.contains(&format!(r#""name":"{NAMESPACE}""#)) => match own_exe() {
                Ok(exe) => mcp::as_settings(&exe, &self.home),
                Err(_) => Vec::new(),
            },
            Some(_) | None => Vec::new(),
        }
    }

    pub(super) fn is_untidy(&self) -> bool {
        self.open.values().any(|opened| opened.is_untidy)
    }

    /// Folds what was recorded and refreshes the checkouts.
    pub(super) async fn tidy(&mut self) {
        for opened in self.open.values_mut().filter(|opened| opened.is_untidy) {
            opened.is_untidy = false;
            opened.desk.fold().await;
            if let Ok(project) = opened.desk.project() {
                project.refresh().await;
            }
        }
    }

    pub(super) async fn close(self) {
        for (_, opened) in self.open {
            if let Some(project) = opened.desk.into_project() {
                project.settle().await;
            }
        }
    }
}

impl Opened {
    pub(super) fn store_log(&self) -> &LogId {
        &self.log
    }

    pub(super) async fn begin(
        &mut self,
        engine: &mut dyn Engine,
        request: Request,
    ) -> Result<Begun, Trouble> {
        let project = self.desk.project()?;
        project.take_in().await;
        project.turn.begin();
        Ok(driver(project, engine, &mut log).begin(request).await?)
    }

    pub(super) async fn finish(
        &mut self,
        engine: &mut dyn Engine,
        run: &RunId,
        ran: Ran,
    ) -> Result<(), Trouble> {
        self.is_untidy = true;
        let project = self.desk.project()?;
        project.turn.end();
        Ok(driver(project, engine, &mut log).finish(run, ran).await?)
    }

    pub(super) async fn note(
        &mut self,
        engine: &mut dyn Engine,
        thread: &ThreadId,
        input: Input,
    ) -> Result<(), Trouble> {
        self.is_untidy = true;
        let project = self.desk.project()?;
        Ok(driver(project, engine, &mut log)
            .note(thread, input)
            .await?)
    }

    /// Git now; none outside a repository, or when it can't be asked.
    pub(super) async fn look(&mut self) -> Option<GitSnapshot> {
        let project = self.desk.project().ok()?;
        project.git.look().await.ok().flatten()
    }
}

/// What a rollout says of its thread's beginning.
fn first_line(path: &Path) -> Option<String> {
    let file = std::fs::File::open(path).ok()?.take(MAX_FIRST_LINE);
    let mut line = String::new();
    std::io::BufReader::new(file).read_line(&mut line).ok()?;
    Some(line)
}

fn driver<'a>(
    project: &'a mut Project,
    engine: &'a mut dyn Engine,
    tell: &'a mut dyn FnMut(&str),
) -> orch_runtime::driver::Driver<'a> {
    project.driver(engine, tell)
}

/// The screen is the client's: what exec says on stderr goes into the log.
fn log(line: &str) {
    tracing::info!(line, "told");
}
