//! Where calls are carried out, one after the other. The desk opens the project when it is first needed, remembers what
//! it has answered to calls that write, and folds what it has written when there is time.

use std::collections::VecDeque;
use std::path::PathBuf;

use orch_core::command::{Refusal, TaskCommand, find};
use orch_core::graph::ready;
use orch_protocol::task::{Task, TaskStatus};
use orch_protocol::text::one_line;
use orch_runtime::ports::{Backlog, StateStore, Wanted};
use serde_json::{Value, json};

use super::Caller;
use super::answer::{Answer, Tasks};
use super::search::{Words, excerpt};
use super::tools::{Ask, Link, List, Search, TOOLS, Which};
use super::write::{self, done, refused};
use crate::backlog::{Who, try_change, whole_commit};
use crate::config::Config;
use crate::journal::sort_key;
use crate::session::{Project, Seen, working_directory};
use crate::tasks::order;
use crate::trouble::{Trouble, chain};

/// How many answers are remembered.
const REMEMBERED: usize = 256;

/// A call that writes, as it is recognised when it comes again. A call id alone won't do: some models count theirs from
/// nought in each turn.
#[derive(Debug, PartialEq)]
struct Known {
    caller: Caller,
    tool: &'static str,
    arguments: Value,
}

/// The project, behind the tools.
pub(crate) struct Desk {
    trusting: bool,
    /// None: the working directory.
    folder: Option<PathBuf>,
    project: Option<Project>,
    answered: VecDeque<(Known, Answer)>,
    has_written: bool,
    is_unfolded: bool,
}

impl Desk {
    /// The project of the working directory.
    pub(super) fn new(trusting: bool) -> Self {
        Self::of(None, trusting)
    }

    /// The project that `folder` belongs to.
    pub(crate) fn at(folder: PathBuf) -> Self {
        Self::of(Some(folder), false)
    }

    fn of(folder: Option<PathBuf>, trusting: bool) -> Self {
        Self {
            trusting,
            folder,
            project: None,
            answered: VecDeque::new(),
            has_written: false,
            is_unfolded: false,
        }
    }

    /// Carries out a call. What it has written is durable when this returns; a call that comes again gets its answer again.
    pub(crate) async fn answer(&mut self, tool: &str, arguments: Value, caller: Caller) -> Answer {
        let Some(tool) = TOOLS.iter().find(|known| known.name == tool) else {
            let tool = one_line(tool, 60);
            return Answer::refused(
                &format!("there is no tool {tool:?}"),
                "tools/list shows every name",
            );
        };
        let ask = match (tool.parse)(arguments.clone()) {
            Ok(ask) => ask,
            Err(error) => {
                return Answer::refused(
                    &format!("{} doesn't take these arguments: {error}", tool.name),
                    "its input schema says what it takes; nothing was changed",
                );
            }
        };
        let call = (!tool.reads && caller.call.is_some()).then(|| Known {
            caller: caller.clone(),
            tool: tool.name,
            arguments,
        });
        if let Some(call) = &call
            && let Some((_, answer)) = self.answered.iter().find(|(known, _)| known == call)
        {
            return answer.clone();
        }
        let answer = self
            .carry_out(ask, caller)
            .await
            .unwrap_or_else(Answer::from);
        if let Some(call) = call.filter(|_| !answer.is_error) {
            self.answered.push_back((call, answer.clone()));
            if self.answered.len() > REMEMBERED {
                self.answered.pop_front();
            }
        }
        answer
    }

    /// Something that was written isn't in a state commit yet.
    pub(crate) fn is_unfolded(&self) -> bool {
        self.is_unfolded
    }

    /// Folds what was written. A failure is logged, and tried again after the next write and at the end.
    pub(crate) async fn fold(&mut self) {
        self.is_unfolded = false;
        if let Some(project) = &mut self.project
            && let Err(error) = project.store.fold().await
        {
            tracing::warn!(error = chain(&error), "what was recorded is not folded yet");
        }
    }

    /// Gives up the log and refreshes the checkout, if anything was written.
    pub(super) async fn close(self) -> Result<(), Trouble> {
        match self.project {
            Some(project) if self.has_written => project.close().await,
            Some(_) | None => Ok(()),
        }
    }

    async fn carry_out(&mut self, ask: Ask, caller: Caller) -> Result<Answer, Trouble> {
        match ask {
            Ask::List(list) => self.list(list).await,
            Ask::Ready(asked) => self.ready(asked.limit).await,
            Ask::Show(show) => self.show(&show.task).await,
            Ask::Add(add) => self.write(caller, write::add(add), "added").await,
            Ask::Update(update) => match write::update(update) {
                Ok(command) => self.write(caller, command, "updated").await,
                Err(refused) => Ok(refused),
            },
            Ask::Link(link) => self.link(caller, link).await,
            Ask::Search(search) => self.search(&search).await,
        }
    }

    async fn list(
        &mut self,
        List {
            status,
            text,
            limit,
        }: List,
    ) -> Result<Answer, Trouble> {
        // Words are looked for in texts that an outline doesn't hold.
        let backlog = match text {
            Some(_) => Backlog::Whole,
            None => Backlog::Outline,
        };
        let seen = self.project()?.see_of(backlog).await?;
        let tasks = Tasks::new(&seen.state, &seen.here);
        let words = text.as_deref().map(Words::new);
        let holds = |task: &Task| {
            let texts = [&task.owner, &task.acceptance].into_iter().flatten();
            let texts: Vec<&str> = std::iter::once(&task.title)
                .chain(texts)
                .chain(&task.notes)
                .map(String::as_str)
                .collect();
            match &words {
                Some(words) if !words.is_empty() => words.are_in(&texts.join("\n")),
                Some(_) | None => true,
            }
        };
        let of = |task: &Task| tasks.statuses.of(&task.id);
        let mut found: Vec<&Task> = seen
            .state
            .tasks
            .values()
            .filter(|task| is_wanted(status, of(task)) && holds(task))
            .collect();
        found.sort_by_key(|task| (order(of(task)), task.priority, task.created_at, &task.id));
        Ok(listed(&tasks, &found, limit))
    }

    async fn ready(&mut self, limit: usize) -> Result<Answer, Trouble> {
        let seen = self.project()?.see_of(Backlog::Outline).await?;
        let tasks = Tasks::new(&seen.state, &seen.here);
        let found = ready(&seen.state.tasks, &tasks.statuses);
        Ok(listed(&tasks, &found, limit))
    }

    async fn show(&mut self, given: &str) -> Result<Answer, Trouble> {
        let given = [given.to_owned()];
        let mut seen = self.project()?.see_tasks(&given).await?;
        let id = match find(&seen.state, &given[0]) {
            Ok(task) => task.id.clone(),
            Err(refusal) => return Ok(refused(&refusal)),
        };
        let archive = seen.take_archive();
        let of = |seen: &Seen| {
            let tasks = Tasks::new(&seen.state, &seen.here);
            let task = seen.state.tasks.get(&id)?;
            Some(Answer::of(tasks.whole(task), &tasks.row(task).1))
        };
        let unknown = || refused(&Refusal::NoTask(id.to_string()));
        Ok(of(&seen).or_else(|| of(&archive)).unwrap_or_else(unknown))
    }

    async fn link(&mut self, caller: Caller, link: Link) -> Result<Answer, Trouble> {
        let task = link.task;
        let command = match (link.need, link.commit) {
            (Some(need), None) => TaskCommand::Need { task, need },
            (None, Some(given)) => {
                let commit = whole_commit(self.project()?, &given).await?;
                TaskCommand::Link { task, commit }
            }
            (Some(_), Some(_)) | (None, None) => {
                return Ok(Answer::refused(
                    "a link is either a need or a commit",
                    "give exactly one of need and commit",
                ));
            }
        };
        self.write(caller, command, "linked").await
    }

    async fn write(
        &mut self,
        caller: Caller,
        command: TaskCommand,
        word: &str,
    ) -> Result<Answer, Trouble> {
        let who = Who::Agent {
            thread: caller.thread,
            turn: caller.turn,
        };
        // A write that failed half-way may have left a log of ours behind.
        self.has_written = true;
        let changed = try_change(self.project()?, who, command).await?;
        self.is_unfolded |= changed.is_ok();
        Ok(match changed {
            Ok(tasks) => done(&tasks, word),
            Err(refusal) => refused(&refusal),
        })
    }

    async fn search(&mut self, search: &Search) -> Result<Answer, Trouble> {
        let words = Words::new(&search.words);
        if words.is_empty() {
            return Ok(Answer::refused(
                "no words were given",
                "name what to look for",
            ));
        }
        let project = self.project()?;
        let state = project
            .store
            .load(&Wanted::backlog(Backlog::Untouched))
            .await?;
        let mut names: Vec<&String> = state.journal.keys().collect();
        names.sort_by_key(|name| std::cmp::Reverse(sort_key(name)));
        let mut found = Vec::new();
        for name in names {
            let text = project.store.journal(&state, name)?;
            if let Some(lines) = text.and_then(|text| excerpt(&text, &words)) {
                let name = one_line(name, 120);
                found.push((json!({"name": name, "lines": lines}), name));
            }
        }
        let total = found.len();
        let limit = search.limit.clamp(1, 50);
        Ok(Answer::list(
            "entries",
            found.into_iter().take(limit),
            total,
        ))
    }

    /// Ends the desk, and leaves its project to be closed.
    pub(crate) fn into_project(self) -> Option<Project> {
        self.project
    }

    /// The project, opened when it is first asked for.
    pub(crate) fn project(&mut self) -> Result<&mut Project, Trouble> {
        let project = match self.project.take() {
            Some(project) => project,
            None => {
                let folder = match &self.folder {
                    Some(folder) => folder.clone(),
                    None => working_directory()?,
                };
                Project::open(Config::load()?, &folder, self.trusting)
            }
        };
        Ok(self.project.insert(project))
    }
}

fn is_wanted(which: Which, status: TaskStatus) -> bool {
    match which {
        Which::Open => status.is_open(),
        Which::Pending => status == TaskStatus::Pending,
        Which::Active => status == TaskStatus::Active,
        Which::Blocked => status == TaskStatus::Blocked,
        Which::Done => status == TaskStatus::Done,
        Which::Dropped => status == TaskStatus::Dropped,
        Which::All => true,
    }
}

fn listed(tasks: &Tasks<'_>, found: &[&Task], limit: usize) -> Answer {
    let shown = found.iter().take(limit.clamp(1, 200));
    Answer::list("tasks", shown.map(|task| tasks.row(task)), found.len())
}
