//! The supervisor's side of the interposer: one loop, on a thread of its own, that rules on held frames, answers calls of our
//! tools, and records turns. Frames never wait for it, but for a ruling.
//!
//! It knows what runs where; whether a turn may begin, and what is recorded of it, is the supervisor's (`orch-core`), by way
//! of each project's driver.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use orch_core::supervisor::Input;
use orch_engine::frame::peek;
use orch_engine::interpose::{Asked, ClientId, Event, Held, NAMESPACE, Ruling};
use orch_engine::link::frame::Frame;
use orch_protocol::git::GitSnapshot;
use orch_protocol::ids::{RunId, ThreadId, TurnId};
use orch_protocol::turn::TurnRecord;
use orch_rollout::live::LiveThreads;
use orch_rollout::live::seen::{Ended, LiveThread, Ran, Role, RunBy, Seen};
use orch_runtime::driver::Begun;
use orch_runtime::ports::{Clock as _, SystemClock};
use tokio::sync::mpsc;

use super::calls::{Calls, Params};
use super::clients::{Clients, Outlets};
use super::projects::Projects;
use crate::trouble::Trouble;

/// What was recorded is folded, and the checkout refreshed, when nothing has happened for this long.
const IDLE: Duration = Duration::from_millis(150);

/// Threads that are remembered; beyond that, those that are not the user's conversations are forgotten.
const MOST_THREADS: usize = 4_096;

/// What reaches the desk beside the events of connections, and is heard before them.
#[derive(Debug)]
pub(crate) enum News {
    /// A client has connected; what we say to it and to the engine in its name goes out here.
    Connected(ClientId, Outlets),
    /// The engine has died; another one may come.
    EngineGone,
}

/// A turn that was let begin, and isn't recorded yet.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) run: RunId,
    pub(super) cwd: PathBuf,
    /// What it is, once the engine has said so.
    pub(super) turn: Option<TurnId>,
}

/// What is known of a thread beyond what the observer keeps.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) cwd: Option<PathBuf>,
    /// The client whose frames tell of it: with two clients everything is said twice.
    pub(super) source: Option<ClientId>,
    pub(super) open: Option<Open>,
    /// What sub-agents have done for the running turn.
    pub(super) below: Vec<TurnRecord>,
    /// The last turn as recorded: sub-agents may end after it.
    pub(super) last: Option<(PathBuf, TurnRecord)>,
    /// Something of the running turn was missed: its rollout has it whole.
    pub(super) has_gap: bool,
    /// Git before the user's own command.
    pub(super) before: Option<(PathBuf, GitSnapshot)>,
}

/// Our own connection, which hears of threads whose client has left in mid-turn.
pub(super) const OWN: ClientId = ClientId(0);

pub(crate) struct Desk {
    pub(super) live: LiveThreads,
    pub(super) threads: HashMap<ThreadId, Known>,
    pub(super) clients: Clients,
    pub(super) projects: Projects,
    pub(super) calls: Calls,
    /// Of the command line, for threads that are resumed or forked; values in JSON.
    settings: Vec<(String, String)>,
    pub(super) turns_begun: u64,
}

impl Desk {
    pub(crate) fn new(projects: Projects, calls: Calls, settings: Vec<(String, String)>) -> Self {
        Self {
            live: LiveThreads::default(),
            threads: HashMap::new(),
            clients: Clients::default(),
            projects,
            calls,
            settings,
            turns_begun: 0,
        }
    }

    /// Works until nobody is left to tell of an event. What runs then is recorded as interrupted; how many turns did.
    pub(crate) async fn run(
        mut self,
        mut news: mpsc::Receiver<News>,
        mut events: mpsc::Receiver<Event>,
    ) -> usize {
        loop {
            tokio::select! {
                biased;
                Some(news) = news.recv() => match news {
                    News::Connected(client, outlets) => self.clients.connected(client, outlets),
                    News::EngineGone => {
                        // What it had told before counts.
                        while let Ok(event) = events.try_recv() {
                            self.take(event).await;
                        }
                        self.engine_gone().await;
                    }
                },
                event = events.recv() => match event {
                    Some(event) => self.take(event).await,
                    None => break,
                },
                frame = self.calls.heard() => self.overheard(frame).await,
                () = tokio::time::sleep(IDLE), if self.projects.is_untidy() => self.projects.tidy().await,
            }
        }
        if self.calls.outlives() {
            // What runs there goes on: a later start reads what became of it.
            self.projects.close().await;
            return 0;
        }
        let running = self.engine_gone().await;
        self.projects.close().await;
        running
    }

    /// What ran is recorded as interrupted; what was let begin and never began is closed. How many turns ran.
    async fn engine_gone(&mut self) -> usize {
        let left = self.live.engine_gone();
        let ran = |seen: &&Seen| {
            matches!(
                seen,
                Seen::TurnEnded(Ended {
                    role: Role::Root,
                    ..
                })
            )
        };
        let running = left.iter().filter(ran).count();
        for seen in left {
            self.seen(None, seen).await;
        }
        let left: Vec<ThreadId> = self.threads.keys().cloned().collect();
        for thread in left {
            self.settle(&thread).await;
        }
        self.calls.forget();
        running
    }

    async fn take(&mut self, event: Event) {
        match event {
            Event::Held {
                client,
                held,
                frame,
                ruling,
            } => {
                let began = std::time::Instant::now();
                let answer = self.rule(client, held, &frame).await;
                tracing::debug!(?client, ?held, took = ?began.elapsed(), ?answer, "ruled");
                // A client that has gone needs no ruling.
                let _ = ruling.send(answer);
            }
            Event::Answered {
                client,
                asked,
                thread,
                frame,
            } => self.answered(client, asked, thread, &frame).await,
            Event::Told {
                client,
                method,
                frame,
            } => self.told(client, &method, &frame).await,
            Event::Tool { client, frame } => self.tool(client, &frame).await,
            Event::Missed { client } => {
                let of_client = |known: &&mut Known| known.source == Some(client);
                for known in self.threads.values_mut().filter(of_client) {
                    known.has_gap = true;
                }
            }
            Event::Gone { client } => {
                self.clients.gone(client);
                let of_client = |(thread, known): (&ThreadId, &Known)| {
                    (known.source == Some(client)).then(|| thread.clone())
                };
                let left: Vec<ThreadId> = self.threads.iter().filter_map(of_client).collect();
                for thread in left {
                    self.source_left(&thread).await;
                }
            }
        }
    }

    async fn rule(&mut self, client: ClientId, held: Held, frame: &Frame) -> Ruling {
        let Some(params) = Params::of(frame) else {
            return Ruling::AS_IT_IS;
        };
        let Some(thread) = params.thread_id.clone().map(ThreadId::new) else {
            return Ruling::AS_IT_IS;
        };
        match held {
            Held::ThreadOpen => {
                let mut settings = self.settings.clone();
                settings.extend(self.projects.tools_for(&thread));
                Ruling::Go(settings)
            }
            Held::Revert => {
                if let Some(before) = params.before_turn_id {
                    self.live.revert_asked(&thread, &TurnId::new(before));
                }
                Ruling::AS_IT_IS
            }
            Held::ShellCommand => {
                self.look_before(&thread).await;
                Ruling::AS_IT_IS
            }
            Held::TurnStart
            | Held::ReviewStart
            | Held::QueueAdd
            | Held::QueueStart
            | Held::CompactStart => {
                let is_root = self.live.role(&thread) == Some(Role::Root);
                // What joins a running turn, or waits behind it, begins none now.
                if !is_root || self.live.running(&thread).is_some() {
                    return Ruling::AS_IT_IS;
                }
                let cwd = params.cwd.map(PathBuf::from);
                match self.begin(&thread, cwd).await {
                    Ok(Begun::Going { brief }) => Ruling::Go(brief.fragments()),
                    Ok(Begun::Stopped { what, hint }) => {
                        let why = format!("{what}. {hint}");
                        // The TUI says that the message was refused, and doesn't say why.
                        self.clients.tell(client, &thread, &why);
                        Ruling::Refuse(why)
                    }
                    Err(trouble) => {
                        self.unrecorded(&trouble);
                        Ruling::AS_IT_IS
                    }
                }
            }
        }
    }

    async fn answered(
        &mut self,
        client: ClientId,
        asked: Asked,
        thread: Option<String>,
        frame: &Frame,
    ) {
        let Some(answer) = frame.text().and_then(peek) else {
            return;
        };
        match (asked, answer.result) {
            (Asked::Thread, Some(result)) => {
                if let Some(thread) = super::calls::thread_of(result) {
                    for seen in self.live.know(thread) {
                        self.seen(Some(client), seen).await;
                    }
                }
            }
            (Asked::Held(held), None) => {
                // The engine has refused it: no turn comes of it.
                let is_turn = matches!(
                    held,
                    Held::TurnStart | Held::ReviewStart | Held::CompactStart
                );
                if let Some(thread) = thread.map(ThreadId::new)
                    && is_turn
                {
                    self.close_unbegun(&thread).await;
                }
            }
            (Asked::Leave, Some(_)) => {
                let thread = thread.map(ThreadId::new).filter(|thread| {
                    let known = self.threads.get(thread);
                    known.is_some_and(|known| known.source == Some(client))
                });
                if let Some(thread) = thread {
                    self.source_left(&thread).await;
                }
            }
            (Asked::Thread | Asked::Leave, None) | (Asked::Held(_), Some(_)) => {}
        }
    }

    async fn told(&mut self, client: ClientId, method: &str, frame: &Frame) {
        let Some(params) = frame.text().and_then(peek).and_then(|said| said.params) else {
            return;
        };
        if method != "thread/started"
            && let Some(thread) = Params::read(params).and_then(|params| params.thread_id)
        {
            if self.threads.len() >= MOST_THREADS {
                self.threads.retain(|_, known| known.cwd.is_some());
            }
            let known = self.threads.entry(ThreadId::new(thread)).or_default();
            // What our own connection hears of threads it doesn't watch was said to everybody.
            let is_source = match client == OWN {
                true => known.source == Some(OWN),
                false => *known.source.get_or_insert(client) == client,
            };
            if !is_source {
                return;
            }
        }
        for seen in self.live.take(method, params, SystemClock.now()) {
            self.seen(Some(client), seen).await;
        }
    }

    async fn seen(&mut self, client: Option<ClientId>, seen: Seen) {
        match seen {
            Seen::Thread(thread) => self.thread(*thread),
            Seen::TurnStarted {
                thread,
                turn,
                role: Role::Root,
                ..
            } => self.started(client, thread, turn).await,
            Seen::TurnEnded(ended) if ended.role == Role::Root => self.ended(ended).await,
            Seen::TurnEnded(Ended {
                above: Some(above),
                record: Some(record),
                ..
            }) => self.worked_for(&above, *record).await,
            Seen::TurnMissed { thread, turn } => self.missed(&thread, &turn).await,
            Seen::Ran(ran) if ran.by == RunBy::User => self.moved(&ran).await,
            Seen::Reverted {
                thread,
                turns: Some(turns),
            } => self.reverted(thread, turns).await,
            Seen::ThreadClosed { thread } => {
                self.settle(&thread).await;
                self.threads.remove(&thread);
            }
            // Plans and commands are part of their turn's record.
            Seen::TurnStarted { .. }
            | Seen::TurnEnded(_)
            | Seen::Ran(_)
            | Seen::Reverted { turns: None, .. }
            | Seen::PlanChanged { .. }
            | Seen::Compacted { .. } => {}
        }
    }

    fn thread(&mut self, thread: LiveThread) {
        if thread.role == Role::Root {
            let known = self.threads.entry(thread.thread).or_default();
            known.cwd = thread.cwd.map(PathBuf::from).or(known.cwd.take());
        }
    }

    async fn look_before(&mut self, thread: &ThreadId) {
        let Some(cwd) = self.threads.get(thread).and_then(|known| known.cwd.clone()) else {
            return;
        };
        let seen = match self.projects.of(&cwd) {
            Ok(Some(project)) => project.look().await,
            Ok(None) | Err(_) => None,
        };
        if let Some(known) = self.threads.get_mut(thread) {
            known.before = seen.map(|seen| (cwd, seen));
        }
    }

    async fn moved(&mut self, ran: &Ran) {
        let known = self.threads.get_mut(&ran.thread);
        let Some((cwd, before)) = known.and_then(|known| known.before.take()) else {
            return;
        };
        if let Ok(Some(project)) = self.projects.of(&cwd)
            && let Some(after) = project.look().await
        {
            let input = Input::Moved {
                now: SystemClock.now(),
                thread: ran.thread.clone(),
                moved: Box::new((before, after)),
            };
            self.note(&cwd, &ran.thread, input).await;
        }
    }

    async fn reverted(&mut self, thread: ThreadId, turns: Vec<TurnId>) {
        let Some(cwd) = self
            .threads
            .get(&thread)
            .and_then(|known| known.cwd.clone())
        else {
            return;
        };
        let input = Input::Reverted {
            now: SystemClock.now(),
            thread: thread.clone(),
            turns,
        };
        self.note(&cwd, &thread, input).await;
    }

    pub(super) async fn note(&mut self, cwd: &Path, thread: &ThreadId, input: Input) {
        let noted = match self.projects.of(cwd) {
            Ok(Some(project)) => project.note(&mut self.calls, thread, input).await,
            Ok(None) => Ok(()),
            Err(trouble) => Err(trouble),
        };
        if let Err(trouble) = noted {
            self.unrecorded(&trouble);
        }
    }

    /// Who told of a thread tells no more. The next who does may have told some of it already, unheard; while a turn runs we
    /// listen ourselves.
    async fn source_left(&mut self, thread: &ThreadId) {
        let Some(known) = self.threads.get_mut(thread) else {
            return;
        };
        known.source = None;
        known.has_gap = true;
        if known.open.is_some() && self.calls.watch(thread).await {
            let known = self.threads.entry(thread.clone()).or_default();
            known.source = Some(OWN);
        }
    }

    async fn overheard(&mut self, frame: Frame) {
        let Some(said) = frame.text().and_then(peek) else {
            return;
        };
        match (said.method.as_deref(), said.id) {
            (Some("item/tool/call"), Some(_)) => {
                let call = super::calls::tool_call(&frame);
                let is_ours =
                    |call: &super::calls::ToolCall| call.namespace.as_deref() == Some(NAMESPACE);
                if call.as_ref().is_some_and(is_ours) {
                    self.tool(OWN, &frame).await;
                }
            }
            (Some(method), None) => {
                let method = method.to_owned();
                self.told(OWN, &method, &frame).await;
            }
            // Approvals are nobody's to give while nobody is there.
            (Some(_), Some(_)) | (None, _) => {}
        }
    }

    async fn tool(&mut self, client: ClientId, frame: &Frame) {
        let Some(call) = super::calls::tool_call(frame) else {
            return;
        };
        if !self.clients.takes_up(client, &call.call_id) {
            return;
        }
        let thread = ThreadId::new(call.thread_id.clone());
        let cwd = self
            .threads
            .get(&thread)
            .and_then(|known| known.cwd.clone());
        let answer = match cwd {
            Some(cwd) => self.projects.tool(&cwd, &call).await,
            None => super::calls::no_project(),
        };
        match client == OWN {
            true => self.calls.answer(&call, &answer).await,
            false => self.clients.answer(client, &call, &answer).await,
        }
    }

    pub(super) fn unrecorded(&self, trouble: &Trouble) {
        crate::out::note(&format!("not recorded: {}", trouble.line()));
    }
}
