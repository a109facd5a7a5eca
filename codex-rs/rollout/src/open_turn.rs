//! One turn while it is being read: its events in the order they began, filled in as outcomes come in. It doesn't decide
//! where a turn begins or ends, nor what is counted.

use std::collections::HashMap;

use orch_protocol::Timestamp;
use orch_protocol::ids::{ThreadId, TurnId};
use orch_protocol::turn::{
    ChangeKind, CommandKind, PlanStep, TokenUsage, TurnEvent, TurnKind, TurnRecord, TurnStatus,
};

use crate::call::kept;
use crate::command::exit_code_vouches;
use crate::output::{self, Outcome};
use crate::path::{is_below, kept_path, relative};
use crate::room::make_room;
use crate::tokens::sum;

/// Where a message was read. Some versions write one message in several forms: the first form seen in a turn counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Event,
    Item,
}

/// The calls remembered of one turn; older finished ones make room.
const MAX_CALLS: usize = 4_096;
/// The longest id of a call kept, in characters.
const MAX_CALL: usize = 1_000;

pub(crate) struct OpenTurn {
    /// The engine wrote where it began (and will write where it ends).
    pub(crate) announced: bool,
    /// Copied from the thread that this one was forked from.
    pub(crate) inherited: bool,
    record: TurnRecord,
    events: Vec<(u64, TurnEvent)>,
    next_event: u64,
    calls: HashMap<String, CallEvents>,
    /// Which call began the process of this number.
    processes: HashMap<i64, String>,
    user_form: Option<Form>,
    agent_form: Option<Form>,
    asked: bool,
    last: Last,
    counted: TokenUsage,
    recorded: Option<TokenUsage>,
}

/// The events a call began.
#[derive(Default)]
struct CallEvents {
    commands: Vec<u64>,
    files: Vec<u64>,
    waits_for: Option<i64>,
    is_script: bool,
    finished: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    Work,
    Message,
    Error,
}

/// How a turn came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Completed,
    Aborted,
    /// Nothing more was written of it.
    Silent,
}

impl OpenTurn {
    pub(crate) fn new(thread: ThreadId, turn: TurnId, at: Option<Timestamp>) -> Self {
        OpenTurn {
            announced: false,
            inherited: false,
            record: TurnRecord {
                thread,
                turn,
                kind: TurnKind::User,
                status: TurnStatus::Interrupted,
                started_at: at,
                ended_at: None,
                request: String::new(),
                cwd: None,
                model: None,
                events: Vec::new(),
                events_dropped: 0,
                usage: TokenUsage::default(),
                commits: Vec::new(),
            },
            events: Vec::new(),
            next_event: 0,
            calls: HashMap::new(),
            processes: HashMap::new(),
            user_form: None,
            agent_form: None,
            asked: false,
            last: Last::Work,
            counted: TokenUsage::default(),
            recorded: None,
        }
    }

    pub(crate) fn id(&self) -> &TurnId {
        &self.record.turn
    }

    pub(crate) fn kind(&self) -> TurnKind {
        self.record.kind
    }

    pub(crate) fn review(&mut self) {
        self.record.kind = TurnKind::Review;
    }

    pub(crate) fn context(&mut self, cwd: Option<String>, model: Option<String>) {
        if self.record.cwd.is_none() {
            self.record.cwd = cwd;
        }
        self.record.model = model.or(self.record.model.take());
    }

    /// Adds what the user asked; later messages join the first. False when it is known already in another form.
    pub(crate) fn request(&mut self, form: Form, text: &str) -> bool {
        if *self.user_form.get_or_insert(form) != form {
            return false;
        }
        self.asked = true;
        let text = kept(text, TurnRecord::MAX_MESSAGE);
        let request = &self.record.request;
        self.record.request = match request.is_empty() {
            true => text,
            false => kept(&format!("{request}\n\n{text}"), TurnRecord::MAX_MESSAGE),
        };
        true
    }

    pub(crate) fn message(&mut self, form: Form, at: Option<Timestamp>, text: &str) {
        if *self.agent_form.get_or_insert(form) == form {
            self.last = Last::Message;
            let text = kept(text, TurnRecord::MAX_MESSAGE);
            self.push(TurnEvent::Message { at, text });
        }
    }

    pub(crate) fn error(&mut self, at: Option<Timestamp>, text: &str) {
        self.last = Last::Error;
        let text = kept(text, TurnRecord::MAX_MESSAGE);
        self.push(TurnEvent::Error { at, text });
    }

    /// The turn's end carries an error; one that was told before as an event is not told twice.
    pub(crate) fn failed(&mut self, at: Option<Timestamp>, text: &str) {
        if self.last != Last::Error {
            self.error(at, text);
        }
    }

    pub(crate) fn plan(
        &mut self,
        at: Option<Timestamp>,
        explanation: Option<String>,
        steps: Vec<PlanStep>,
    ) {
        self.push(TurnEvent::Plan {
            at,
            explanation,
            steps,
        });
    }

    /// Opens a call; false when it is known, so that a repeated line adds nothing.
    pub(crate) fn begin_call(&mut self, call: &str, is_script: bool) -> bool {
        if self.calls.contains_key(call) {
            return false;
        }
        if self.calls.len() >= MAX_CALLS {
            self.calls.retain(|_, events| !events.finished);
        }
        if self.calls.len() >= MAX_CALLS {
            self.calls.clear();
        }
        self.last = Last::Work;
        let events = CallEvents {
            is_script,
            ..CallEvents::default()
        };
        self.calls.insert(call.to_owned(), events);
        true
    }

    pub(crate) fn command(
        &mut self,
        call: &str,
        at: Option<Timestamp>,
        command: &str,
        kind: CommandKind,
    ) {
        let event = self.push(TurnEvent::Command {
            at,
            call_id: kept(call, MAX_CALL),
            command: kept(command, TurnRecord::MAX_COMMAND),
            kind,
            exit_code: None,
            vouches: exit_code_vouches(command),
        });
        if let Some(events) = self.calls.get_mut(call) {
            events.commands.push(event);
        }
    }

    pub(crate) fn file(
        &mut self,
        call: &str,
        at: Option<Timestamp>,
        path: &str,
        change: ChangeKind,
    ) {
        let event = self.push(TurnEvent::File {
            at,
            path: kept_path(self.relative(path)),
            change,
            ok: false,
        });
        if let Some(events) = self.calls.get_mut(call) {
            events.files.push(event);
        }
    }

    /// Adds what the engine says a patch did to one file; a move is the old path deleted and the new one added.
    pub(crate) fn changed(
        &mut self,
        call: &str,
        at: Option<Timestamp>,
        path: &str,
        kind: &str,
        moved: &str,
    ) {
        match (kind, moved) {
            ("add", _) => self.file(call, at, path, ChangeKind::Added),
            ("delete", _) => self.file(call, at, path, ChangeKind::Deleted),
            (_, "") => self.file(call, at, path, ChangeKind::Modified),
            (_, moved) => {
                self.file(call, at, path, ChangeKind::Deleted);
                self.file(call, at, moved, ChangeKind::Added);
            }
        }
    }

    pub(crate) fn waits(&mut self, call: &str, process: i64) {
        if let Some(events) = self.calls.get_mut(call) {
            events.waits_for = Some(process);
        }
    }

    /// Takes in what the model was given as the output of `call`: raw JSON.
    pub(crate) fn output(&mut self, call: &str, raw: &str) {
        let Some(events) = self.calls.get_mut(call) else {
            return;
        };
        events.finished = true;
        let (commands, files) = (events.commands.clone(), events.files.clone());
        let waits_for = events.waits_for;
        if events.is_script {
            let codes = output::script_exit_codes(raw);
            if codes.len() == commands.len() {
                for (command, code) in commands.into_iter().zip(codes) {
                    self.exited(command, code);
                }
            }
            return;
        }
        if !files.is_empty() && output::patch_applied(raw) {
            self.applied(&files, true);
        }
        let began = waits_for.and_then(|process| self.processes.get(&process).cloned());
        match output::outcome(raw) {
            Outcome::Running(process) if began.is_none() => {
                self.processes.insert(process, call.to_owned());
            }
            Outcome::Running(_) | Outcome::Unknown => {}
            Outcome::Exited(code) => {
                let commands = match began.and_then(|began| self.calls.get(&began)) {
                    Some(events) => events.commands.clone(),
                    None => commands,
                };
                for command in commands {
                    self.exited(command, code);
                }
            }
        }
    }

    /// Takes in the engine's own word on a command's end. False when no call of this turn began it.
    pub(crate) fn command_ended(&mut self, call: &str, command: &str, code: Option<i32>) -> bool {
        let known = match self.calls.get(call) {
            Some(events) => events.commands.first().copied(),
            None => self.script_event(|event| matches!(event, TurnEvent::Command { command: text, exit_code: None, .. } if *text == kept(command, TurnRecord::MAX_COMMAND))),
        };
        if let (Some(event), Some(code)) = (known, code) {
            self.exited(event, code);
        }
        let is_scripts = !self.calls.contains_key(call);
        if let (Some(event), true) = (known, is_scripts) {
            self.named(event, call);
        }
        known.is_some() || !is_scripts
    }

    /// Takes in the engine's own word on a patch, and the full paths it gives. False when no call of this turn began it.
    pub(crate) fn patch_ended(&mut self, call: &str, paths: &[&str], ok: bool) -> bool {
        let files = match self.calls.get(call) {
            Some(events) => events.files.clone(),
            None => {
                let Some(changed) = paths.first() else {
                    return true;
                };
                let in_script = |event: &TurnEvent| matches!(event, TurnEvent::File { path, .. } if *changed == path || is_below(changed, path));
                let Some(first) = self.script_event(in_script) else {
                    return false;
                };
                let script = self
                    .calls
                    .values()
                    .find(|events| events.files.contains(&first));
                script.map_or_else(Vec::new, |events| events.files.clone())
            }
        };
        for id in &files {
            self.place(*id, paths);
        }
        self.applied(&files, ok);
        true
    }

    /// A patch may have been applied in another folder than the turn's: names the file as seen from the turn's folder.
    fn place(&mut self, id: u64, paths: &[&str]) {
        let Some(at) = self.event(id) else { return };
        let TurnEvent::File { path, .. } = &self.events[at].1 else {
            return;
        };
        let is_unknown = self.record.cwd.is_none();
        if is_unknown || paths.iter().any(|full| self.relative(full) == path) {
            return;
        }
        let placed = paths.iter().find(|full| is_below(full, path));
        let placed = placed.map(|full| kept_path(self.relative(full)));
        if let (TurnEvent::File { path, .. }, Some(placed)) = (&mut self.events[at].1, placed) {
            *path = placed;
        }
    }

    fn relative<'a>(&self, path: &'a str) -> &'a str {
        relative(self.record.cwd.as_deref(), path)
    }

    /// The first event that a script began and that fits.
    fn script_event(&self, fits: impl Fn(&TurnEvent) -> bool) -> Option<u64> {
        self.calls
            .values()
            .filter(|events| events.is_script)
            .flat_map(|events| events.commands.iter().chain(&events.files))
            .copied()
            .filter(|id| self.event(*id).is_some_and(|at| fits(&self.events[at].1)))
            .min()
    }

    pub(crate) fn counted(&mut self, usage: TokenUsage) {
        self.counted = sum(self.counted, usage);
    }

    /// Adds an exact record; where there is one, the running totals of `counted` are not used.
    pub(crate) fn recorded(&mut self, usage: TokenUsage) {
        self.recorded = Some(sum(self.recorded.unwrap_or_default(), usage));
    }

    /// The calls whose end wasn't seen.
    pub(crate) fn unfinished(&self) -> impl Iterator<Item = &String> {
        self.calls
            .iter()
            .filter(|(_, events)| !events.commands.is_empty())
            .filter(|(_, events)| {
                events.commands.iter().any(|id| {
                    let at = self.event(*id);
                    at.is_some_and(|at| {
                        matches!(
                            self.events[at].1,
                            TurnEvent::Command {
                                exit_code: None,
                                ..
                            }
                        )
                    })
                })
            })
            .map(|(call, _)| call)
    }

    /// The record; none when nothing was asked and nothing happened (a compaction, a command of the user's own).
    pub(crate) fn close(mut self, end: End, at: Option<Timestamp>) -> Option<TurnRecord> {
        // Before ends were written, a turn was over when the agent had spoken last.
        let ended = match end {
            End::Silent if !self.announced && self.last != Last::Work => End::Completed,
            end => end,
        };
        self.record.status = match (ended, self.last) {
            (End::Completed, Last::Error) => TurnStatus::Failed,
            (End::Completed, Last::Work | Last::Message) => TurnStatus::Completed,
            (End::Aborted | End::Silent, _) => TurnStatus::Interrupted,
        };
        self.record.ended_at = match ended {
            End::Completed | End::Aborted => at,
            End::Silent => None,
        };
        self.record.usage = self.recorded.unwrap_or(self.counted);
        let worth = self.asked || !self.events.is_empty() || self.record.kind == TurnKind::Review;
        self.record.events = self.events.into_iter().map(|(_, event)| event).collect();
        worth.then_some(self.record)
    }

    /// Adds an event and tells its number. When the turn is full, plans and commits push out the newest of the others.
    fn push(&mut self, event: TurnEvent) -> u64 {
        let id = self.next_event;
        self.next_event += 1;
        if self.events.len() >= TurnRecord::MAX_EVENTS {
            self.record.events_dropped += 1;
            if !make_room(&mut self.events, |(_, event)| event, &event) {
                return id;
            }
        }
        self.events.push((id, event));
        id
    }

    fn event(&self, id: u64) -> Option<usize> {
        self.events.binary_search_by_key(&id, |(id, _)| *id).ok()
    }

    /// A command of a script has an id of its own.
    fn named(&mut self, id: u64, call: &str) {
        if let Some(at) = self.event(id)
            && let TurnEvent::Command { call_id, .. } = &mut self.events[at].1
        {
            *call_id = kept(call, MAX_CALL);
        }
    }

    fn exited(&mut self, id: u64, code: i32) {
        if let Some(at) = self.event(id)
            && let TurnEvent::Command { exit_code, .. } = &mut self.events[at].1
        {
            *exit_code = Some(code);
        }
    }

    fn applied(&mut self, files: &[u64], success: bool) {
        for id in files {
            if let Some(at) = self.event(*id)
                && let TurnEvent::File { ok, .. } = &mut self.events[at].1
            {
                *ok = success;
            }
        }
    }
}
