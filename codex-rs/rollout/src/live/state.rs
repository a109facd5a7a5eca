//! One thread as the wire has told it so far: what is known of it, and the turn that runs. It knows no other threads.

use std::collections::VecDeque;

use orch_protocol::Timestamp;
use orch_protocol::ids::{ThreadId, TurnId};
use orch_protocol::turn::TurnKind;
use serde::Deserialize;
use serde_json::Value;

use crate::call::{for_people, kept, plan};
use crate::command::command_kind;
use crate::line::{Message, TokenInfo, Tokens};
use crate::live::seen::{Above, Ended, LiveThread, Ran, Role, RunBy, Seen};
use crate::live::wire::{
    AgentMessage, Breakdown, Command, ErrorParams, ItemParams, Patch, PlanParams, Settings, Thread,
    Turn, UsageParams,
};
use crate::loose::Argv;
use crate::open_turn::{End, Form, OpenTurn};
use crate::patch;
use crate::request::request_of;
use crate::tokens::RunningTotal;

/// The ended turns remembered of a thread.
const MAX_PAST: usize = 1_000;
/// The longest id of a call kept, in characters.
const MAX_CALL: usize = 1_000;

pub(crate) struct State {
    pub(crate) thread: LiveThread,
    /// When it was heard of last, as a count.
    pub(crate) heard: u64,
    running: Option<Running>,
    /// The turns that have ended, oldest first.
    past: VecDeque<TurnId>,
    /// The first turn that a revert was asked to take back.
    reverting: Option<TurnId>,
    total: RunningTotal,
}

struct Running {
    turn: OpenTurn,
    above: Option<Above>,
}

impl State {
    pub(crate) fn new(thread: ThreadId) -> Self {
        State {
            thread: LiveThread {
                thread,
                role: Role::Root,
                cwd: None,
                path: None,
                model: None,
                parent: None,
            },
            heard: 0,
            running: None,
            past: VecDeque::new(),
            reverting: None,
            total: RunningTotal::default(),
        }
    }

    pub(crate) fn running(&self) -> Option<&TurnId> {
        self.running.as_ref().map(|running| running.turn.id())
    }

    pub(crate) fn has_turn(&self, turn: &str) -> bool {
        let mut known = self.running().into_iter().chain(&self.past);
        known.any(|known| known.as_str() == turn)
    }

    pub(crate) fn announced(&mut self, found: &Thread<'_>) {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let is_spawned = match &found.source {
            Value::Object(source) => source.contains_key("subAgent"),
            _ => false,
        };
        let above = [&found.parent_thread_id, &found.attached_to_thread_id];
        let above = above.into_iter().find(|id| !id.as_str().is_empty());
        let thread = &mut self.thread;
        thread.role = match (found.ephemeral, above.is_some() || is_spawned) {
            (true, _) => Role::Ephemeral,
            (false, true) => Role::Below,
            (false, false) => Role::Root,
        };
        thread.parent = above
            .or(Some(&found.forked_from_id))
            .and_then(|id| text(id.as_str()))
            .map(ThreadId::new);
        thread.cwd = text(found.cwd.as_str()).or(thread.cwd.take());
        thread.model = text(found.model.as_str()).or(thread.model.take());
        thread.path = text(found.path.as_str()).or(thread.path.take());
    }

    /// Another thread has it work for itself: sub-agents are not announced, and begin with what their parent has.
    pub(crate) fn works_for(&mut self, above: &LiveThread, model: Option<String>) {
        let thread = &mut self.thread;
        if thread.role != Role::Root || thread.path.is_some() || thread.thread == above.thread {
            return;
        }
        thread.role = Role::Below;
        thread.parent = Some(above.thread.clone());
        thread.cwd = thread.cwd.take().or(above.cwd.clone());
        thread.model = thread.model.take().or(model).or(above.model.clone());
        if let Some(running) = &mut self.running {
            let turn = &mut running.turn;
            turn.context(thread.cwd.clone(), thread.model.clone());
        }
    }

    pub(crate) fn settings(&mut self, settings: Settings<'_>) -> Vec<Seen> {
        let before = self.thread.clone();
        self.thread.cwd = settings.cwd.into_non_empty().or(self.thread.cwd.take());
        self.thread.model = settings.model.into_non_empty().or(self.thread.model.take());
        if self.thread == before {
            return Vec::new();
        }
        vec![Seen::Thread(Box::new(self.thread.clone()))]
    }

    pub(crate) fn turn_started(
        &mut self,
        turn: &str,
        above: Option<Above>,
        kind: TurnKind,
        now: Timestamp,
    ) -> Vec<Seen> {
        if self.has_turn(turn) {
            return Vec::new();
        }
        let mut seen = self.silenced();
        let id = TurnId::new(turn);
        let mut open = OpenTurn::new(self.thread.thread.clone(), id.clone(), Some(now));
        open.announced = true;
        let model = match kind {
            TurnKind::User => self.thread.model.clone(),
            // Configured apart, and not told.
            TurnKind::Review => None,
        };
        open.context(self.thread.cwd.clone(), model);
        if kind == TurnKind::Review {
            open.review();
        }
        let above = above.filter(|_| self.thread.role == Role::Below);
        self.running = Some(Running {
            turn: open,
            above: above.clone(),
        });
        seen.push(Seen::TurnStarted {
            thread: self.thread.thread.clone(),
            turn: id,
            role: self.thread.role,
            above,
        });
        seen
    }

    pub(crate) fn turn_completed(&mut self, turn: &Turn<'_>, now: Timestamp) -> Vec<Seen> {
        let id = turn.id.as_str();
        let Some(open) = self.open(id) else {
            if id.is_empty() || self.has_turn(id) {
                return Vec::new();
            }
            return vec![Seen::TurnMissed {
                thread: self.thread.thread.clone(),
                turn: TurnId::new(id),
            }];
        };
        let end = match turn.status.as_str() {
            "interrupted" => End::Aborted,
            _ => End::Completed,
        };
        if let (Some(error), End::Completed) = (&turn.error, end) {
            open.failed(Some(now), error.message.as_str());
        }
        self.close(end, Some(now))
    }

    /// What runs will not be heard of again.
    pub(crate) fn silenced(&mut self) -> Vec<Seen> {
        self.close(End::Silent, None)
    }

    fn close(&mut self, end: End, at: Option<Timestamp>) -> Vec<Seen> {
        let Some(Running { turn, above }) = self.running.take() else {
            return Vec::new();
        };
        let id = turn.id().clone();
        if self.past.len() >= MAX_PAST {
            self.past.pop_front();
        }
        self.past.push_back(id.clone());
        vec![Seen::TurnEnded(Ended {
            thread: self.thread.thread.clone(),
            turn: id,
            role: self.thread.role,
            above,
            record: turn.close(end, at).map(Box::new),
        })]
    }

    pub(crate) fn revert_asked(&mut self, before: &TurnId) {
        self.reverting = Some(before.clone());
    }

    pub(crate) fn reverted(&mut self) -> Vec<Seen> {
        let mut seen = self.silenced();
        // The total falls to what it was then, and nobody says so.
        self.total = RunningTotal::default();
        let first = self.reverting.take();
        let first = first.and_then(|first| self.past.iter().position(|turn| *turn == first));
        let turns = first.map(|first| self.past.split_off(first).into());
        seen.push(Seen::Reverted {
            thread: self.thread.thread.clone(),
            turns,
        });
        seen
    }

    pub(crate) fn plan(&mut self, params: &PlanParams<'_>, now: Timestamp) -> Vec<Seen> {
        let (thread, role) = (self.thread.thread.clone(), self.thread.role);
        let Some(open) = self.open(params.turn_id.as_str()) else {
            return Vec::new();
        };
        let steps = params.plan.iter();
        let steps = steps.map(|step| (step.step.as_str(), step.status.as_str()));
        let (explanation, steps) = plan(params.explanation.as_str(), steps);
        let turn = open.id().clone();
        open.plan(Some(now), explanation.clone(), steps.clone());
        if role != Role::Root {
            return Vec::new();
        }
        vec![Seen::PlanChanged {
            thread,
            turn,
            explanation,
            steps,
        }]
    }

    /// The totals go on from turn to turn, also through those that nobody records.
    pub(crate) fn usage(&mut self, params: &UsageParams<'_>) {
        let tokens = |found: &Breakdown| Tokens {
            input_tokens: found.input_tokens,
            cached_input_tokens: found.cached_input_tokens,
            output_tokens: found.output_tokens,
        };
        let grown = self.total.grow(&TokenInfo {
            total_token_usage: params.token_usage.total.as_ref().map(tokens),
            last_token_usage: params.token_usage.last.as_ref().map(tokens),
        });
        if let (Some(open), Some(grown)) = (self.open(params.turn_id.as_str()), grown) {
            open.counted(grown);
        }
    }

    /// An error that the engine doesn't try to get over by itself.
    pub(crate) fn error(&mut self, params: &ErrorParams<'_>, now: Timestamp) {
        if let Some(open) = self.open(params.turn_id.as_str())
            && !params.will_retry
        {
            open.error(Some(now), params.error.message.as_str());
        }
    }

    pub(crate) fn item(
        &mut self,
        kind: &str,
        item: &str,
        params: &ItemParams<'_>,
        completed: bool,
        now: Timestamp,
    ) -> Vec<Seen> {
        let turn = params.turn_id.as_str();
        let began = time(params.started_at_ms).unwrap_or(now);
        match (kind, completed) {
            // It comes before the turn is said to have started, under another id.
            ("enteredReviewMode", false) => {
                return self.turn_started(turn, None, TurnKind::Review, began);
            }
            ("contextCompaction", true) => {
                return vec![Seen::Compacted {
                    thread: self.thread.thread.clone(),
                }];
            }
            ("commandExecution", _) => {
                if let Some(command) = read(item) {
                    return self.command(&command, params, completed, now);
                }
            }
            ("userMessage", true) => {
                // What a review asks of the model is the engine's wording.
                if let (Some(open), Some(message)) = (self.open(turn), read::<Message<'_>>(item))
                    && open.kind() == TurnKind::User
                    && let Some(request) = request_of(&message.text())
                {
                    open.request(Form::Item, request);
                }
            }
            ("agentMessage", true) => {
                if let (Some(open), Some(found)) = (self.open(turn), read::<AgentMessage<'_>>(item))
                {
                    let at = time(params.completed_at_ms).unwrap_or(now);
                    open.message(Form::Item, Some(at), found.text.as_str());
                }
            }
            ("fileChange", _) => {
                if let (Some(open), Some(found)) = (self.open(turn), read::<Patch<'_>>(item)) {
                    patched(open, &found, began, completed);
                }
            }
            _ => {}
        }
        Vec::new()
    }

    fn command(
        &mut self,
        found: &Command<'_>,
        params: &ItemParams<'_>,
        completed: bool,
        now: Timestamp,
    ) -> Vec<Seen> {
        let by = match found.source.as_str() {
            "userShell" => RunBy::User,
            // A look at a process that another call began.
            "unifiedExecInteraction" => return Vec::new(),
            _ => RunBy::Agent,
        };
        let turn = params.turn_id.as_str();
        let (id, command) = (found.id.as_str(), unquoted(found.command.as_str()));
        let began = time(params.started_at_ms.or(found.started_at_ms)).unwrap_or(now);
        if let (Some(open), RunBy::Agent) = (self.open(turn), by) {
            ran(open, id, &command, began);
            if completed {
                open.command_ended(id, &command, found.exit_code);
                open.patch_ended(id, &[], found.exit_code == Some(0));
            }
        }
        let never_ran = found.status.as_str() == "declined";
        if !completed || never_ran {
            return Vec::new();
        }
        vec![Seen::Ran(Ran {
            thread: self.thread.thread.clone(),
            turn: TurnId::new(turn),
            by,
            command: kept(&command, orch_protocol::turn::TurnRecord::MAX_COMMAND),
            began,
            ended: time(params.completed_at_ms).unwrap_or(now),
            exit_code: found.exit_code,
        })]
    }

    /// The turn that runs, if it is this one.
    fn open(&mut self, turn: &str) -> Option<&mut OpenTurn> {
        let running = self.running.as_mut()?;
        (running.turn.id().as_str() == turn).then_some(&mut running.turn)
    }
}

/// Begins a command, unless it is known.
fn ran(open: &mut OpenTurn, id: &str, command: &str, at: Timestamp) {
    if id.len() > MAX_CALL || !open.begin_call(id, false) {
        return;
    }
    match patch::in_command(command) {
        Some(patch) => {
            for (path, change) in patch::files(patch) {
                open.file(id, Some(at), path, change);
            }
        }
        None => open.command(id, Some(at), command, command_kind(command)),
    }
}

fn patched(open: &mut OpenTurn, found: &Patch<'_>, at: Timestamp, completed: bool) {
    let id = found.id.as_str();
    if id.len() <= MAX_CALL && open.begin_call(id, false) {
        for change in found.changes.iter().take(patch::MAX_FILES) {
            let (kind, moved) = (change.kind.kind.as_str(), change.kind.move_path.as_str());
            open.changed(id, Some(at), change.path.as_str(), kind, moved);
        }
    }
    if completed {
        open.patch_ended(id, &[], found.status.as_str() == "completed");
    }
}

/// The command that the shell was given: the wire has the words of its call, quoted and joined.
fn unquoted(joined: &str) -> String {
    match shlex::split(joined) {
        Some(words) => for_people(&Argv::Words(words)),
        None => joined.to_owned(),
    }
}

fn time(millis: Option<i64>) -> Option<Timestamp> {
    Timestamp::from_millisecond(millis?).ok()
}

fn read<'a, T: Deserialize<'a>>(item: &'a str) -> Option<T> {
    serde_json::from_str(item).ok()
}
