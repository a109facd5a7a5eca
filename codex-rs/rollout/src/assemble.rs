//! Decides which turn a line belongs to, and which turns are the thread's own. Reads no bytes; keeps one turn at a time.
//!
//! Where a turn begins and ends depends on the version. Where the engine announces turns (`task_started`), a message that
//! comes while one runs joins it. Older versions announce nothing: there every message of the user begins a turn.

use std::collections::VecDeque;

use orch_protocol::Timestamp;
use orch_protocol::ids::{ThreadId, TurnId};
use orch_protocol::turn::{CommandKind, TurnKind, TurnRecord};

use crate::call::{Asked, asked, for_people};
use crate::command::{Purposes, purposes};
use crate::line::{Below, Call, CommandEnd, Entry, Line, Meta, PatchEnd, TurnRef, UsageRecord};
use crate::meta::{thread_meta, uuid_millis};
use crate::open_turn::{End, Form, OpenTurn};
use crate::patch;
use crate::request::request_of;
use crate::thread::{Counts, Tally, ThreadMeta};
use crate::tokens::{RunningTotal, usage};

#[derive(Default)]
pub(crate) struct Assembler {
    pub(crate) meta: Option<ThreadMeta>,
    pub(crate) tally: Tally,
    turn: Option<OpenTurn>,
    /// The history of another thread is being read, as forks copy it.
    copying: bool,
    /// User messages so far: names the turns of versions that have no turn ids.
    messages: u64,
    last_at: Option<Timestamp>,
    last_ordinal: Option<u64>,
    cwd: Option<String>,
    model: Option<String>,
    total: RunningTotal,
    /// Calls of earlier turns that may still end.
    left_running: VecDeque<String>,
    /// The threads that work for this one.
    pub(crate) below: Vec<ThreadId>,
    /// Turns that work for a turn of another thread, with that turn.
    pub(crate) above: Vec<(TurnId, TurnId)>,
    /// The turns that stand, with the ordinals that they began at.
    standing: VecDeque<(u64, TurnId)>,
    /// The turns that were taken back, in the order they were.
    pub(crate) reverted: Vec<TurnId>,
}

/// Copied history is written in one go: a line that comes later than this after the one before is no copy.
const BURST_MILLIS: i64 = 250;
const MAX_LEFT_RUNNING: usize = 256;
/// Only so many turns are remembered to be taken back, or to work for others.
const MAX_STANDING: usize = 10_000;
const MAX_BELOW: usize = 1_000;

impl Assembler {
    /// Takes in a line; gives the turn that it ended.
    pub(crate) fn feed(&mut self, line: Line<'_>) -> Option<TurnRecord> {
        let at = line.at;
        if self.is_repeated(&line) {
            return None;
        }
        let ended = self.entry(line.entry, at, Form::Event, None);
        self.last_at = at.or(self.last_at);
        ended
    }

    /// The turn that was open when the rollout ended.
    pub(crate) fn finish(&mut self) -> Option<TurnRecord> {
        self.close(End::Silent, self.last_at)
    }

    /// Windows of one thread may overlap: an ordinal is taken once. A thread that begins anew at an ordinal that was there
    /// before was taken back to it.
    fn is_repeated(&mut self, line: &Line<'_>) -> bool {
        let Some(ordinal) = line.ordinal else {
            return false;
        };
        if self.last_ordinal.is_some_and(|last| ordinal <= last) {
            match &line.entry {
                Entry::Meta(meta) if meta.id.as_str() == self.thread().as_str() => {
                    self.revert(ordinal);
                }
                Entry::Meta(_) => {}
                _ => return true,
            }
        }
        self.last_ordinal = Some(ordinal);
        false
    }

    fn entry(
        &mut self,
        entry: Entry<'_>,
        at: Option<Timestamp>,
        form: Form,
        turn: Option<String>,
    ) -> Option<TurnRecord> {
        match entry {
            Entry::Ignored => {}
            Entry::Meta(meta) => self.meta(&meta),
            Entry::Context(context) => {
                self.cwd = context.cwd.into_non_empty().or(self.cwd.take());
                self.model = context.model.into_non_empty().or(self.model.take());
                if let Some(turn) = &mut self.turn {
                    turn.context(self.cwd.clone(), self.model.clone());
                }
            }
            Entry::Started(started) => return self.started(started, at),
            Entry::Completed(ended) => {
                let id = ended.turn_id.as_str();
                if let (Some(error), true) = (&ended.error, self.is_open(id))
                    && let Some(turn) = &mut self.turn
                {
                    turn.failed(at, &error.text());
                }
                return self.ended(id, End::Completed, at);
            }
            Entry::Aborted(ended) => return self.ended(ended.turn_id.as_str(), End::Aborted, at),
            Entry::UserMessage(message) => {
                let is_users = matches!(message.kind.as_str(), "" | "plain");
                if let Some(request) = request_of(&message.text()).filter(|_| is_users) {
                    return self.user_message(request, form, turn, at);
                }
            }
            Entry::AgentMessage(message) => {
                if let Some(turn) = &mut self.turn {
                    turn.message(form, at, &message.text());
                }
            }
            Entry::Error(message) => {
                if let Some(turn) = &mut self.turn {
                    turn.error(at, &message.text());
                }
            }
            Entry::ReviewEntered => {
                if self.turn.is_none() && turn.is_some() {
                    self.open(turn, true, at);
                }
                if let Some(turn) = &mut self.turn {
                    turn.review();
                }
            }
            Entry::TokenCount(count) => {
                let grown = count.info.and_then(|info| self.total.grow(&info));
                if let (Some(turn), Some(grown)) = (&mut self.turn, grown) {
                    turn.counted(grown);
                }
            }
            Entry::Usage(record) => self.usage_record(&record),
            Entry::Call(call) => self.call(&call, at),
            Entry::Output(output) => {
                if let (Some(turn), Some(raw)) = (&mut self.turn, output.output) {
                    turn.output(output.call_id.as_str(), raw.get());
                }
            }
            Entry::CommandEnd(end) => self.command_ended(&end, at),
            Entry::PatchEnd(end) => self.patch_ended(&end, at),
            Entry::Below(below) => self.below(&below),
            // What a helper thread does below this one is told in its own rollout; what a review runs belongs to the review.
            Entry::Item(turn, entry) if self.is_foreign(turn.thread_id.as_str()) => {
                let is_work = matches!(*entry, Entry::CommandEnd(_) | Entry::PatchEnd(_));
                let reviews = |turn: &OpenTurn| turn.kind() == TurnKind::Review;
                if is_work && self.turn.as_ref().is_some_and(reviews) {
                    return self.entry(*entry, at, Form::Item, None);
                }
            }
            // A command of an earlier turn ended only now.
            Entry::Item(turn, entry)
                if matches!(*entry, Entry::CommandEnd(_) | Entry::PatchEnd(_))
                    && !self.is_open(turn.turn_id.as_str()) => {}
            Entry::Item(turn, entry) => {
                return self.entry(*entry, at, Form::Item, turn.turn_id.into_non_empty());
            }
        }
        None
    }

    /// The first line says whose thread it is; one of another thread says that its history follows.
    fn meta(&mut self, meta: &Meta<'_>) {
        let id = meta.id.as_str();
        match &mut self.meta {
            Some(known) if known.thread.as_str() == id || id.is_empty() => {}
            Some(known) => {
                known.parent.get_or_insert_with(|| ThreadId::new(id));
                self.copying = true;
            }
            None if id.is_empty() => {}
            None => {
                let meta = thread_meta(meta);
                self.copying = meta.parent.is_some();
                self.meta = Some(meta);
            }
        }
    }

    /// The thread goes on from an earlier point of its own.
    fn revert(&mut self, end: u64) {
        let kept = self.standing.partition_point(|(began, _)| *began < end);
        let room = MAX_STANDING.saturating_sub(self.reverted.len());
        let taken = self.standing.drain(kept..).map(|(_, turn)| turn);
        self.reverted.extend(taken.take(room));
    }

    fn thread(&self) -> ThreadId {
        self.meta
            .as_ref()
            .map_or_else(|| ThreadId::new("unknown"), |meta| meta.thread.clone())
    }

    fn started(&mut self, started: TurnRef<'_>, at: Option<Timestamp>) -> Option<TurnRecord> {
        if let Some(open) = &self.turn {
            let open = open.id().as_str();
            // Announced twice, or the turn of a helper that works below the open one.
            if open == started.turn_id.as_str() || open == started.root_turn_id.as_str() {
                return None;
            }
        }
        let ended = self.close(End::Silent, self.last_at);
        let root = started.root_turn_id.into_non_empty();
        let turn = started.turn_id.into_non_empty();
        let is_below = self.meta.as_ref().is_some_and(|meta| meta.is_subagent);
        if let (Some(turn), Some(root), true) = (&turn, root, is_below)
            && *turn != root
            && self.above.len() < MAX_STANDING
        {
            self.above.push((TurnId::new(turn), TurnId::new(root)));
        }
        self.open(turn, true, at);
        ended
    }

    fn below(&mut self, below: &Below<'_>) {
        let receivers = below.receiver_thread_ids.iter();
        for thread in receivers.chain([&below.agent_thread_id]) {
            let thread = ThreadId::new(thread.as_str());
            let is_news = !thread.as_str().is_empty() && !self.below.contains(&thread);
            if is_news && self.below.len() < MAX_BELOW {
                self.below.push(thread);
            }
        }
    }

    fn ended(&mut self, id: &str, end: End, at: Option<Timestamp>) -> Option<TurnRecord> {
        if self.is_open(id) {
            self.close(end, at)
        } else {
            None
        }
    }

    fn is_open(&self, id: &str) -> bool {
        self.turn
            .as_ref()
            .is_some_and(|turn| id.is_empty() || !turn.announced || turn.id().as_str() == id)
    }

    fn user_message(
        &mut self,
        text: &str,
        form: Form,
        turn: Option<String>,
        at: Option<Timestamp>,
    ) -> Option<TurnRecord> {
        self.messages += 1;
        let joins = self.turn.as_ref().is_some_and(|turn| turn.announced);
        let ended = if joins {
            None
        } else {
            let ended = self.close(End::Silent, self.last_at);
            self.open(turn, false, at);
            ended
        };
        let Some(turn) = &mut self.turn else {
            return ended;
        };
        if turn.request(form, text) {
            self.counts().user_messages += 1;
        }
        if let Some(meta) = self
            .meta
            .as_mut()
            .filter(|_| text.starts_with(">>> TRANSCRIPT START"))
        {
            meta.is_approval_review = true;
        }
        ended
    }

    fn open(&mut self, id: Option<String>, announced: bool, at: Option<Timestamp>) {
        let thread = self.thread();
        self.copying = self.copying && self.is_copy(thread.as_str(), id.as_deref(), at);
        let ordinal = self.messages.max(1);
        let id = id.unwrap_or_else(|| format!("{thread}.{ordinal}"));
        let mut turn = OpenTurn::new(thread, TurnId::new(id), at);
        turn.announced = announced;
        turn.inherited = self.copying;
        if let (Some(ordinal), false) = (self.last_ordinal, turn.inherited) {
            if self.standing.len() >= MAX_STANDING {
                self.standing.pop_front();
            }
            self.standing.push_back((ordinal, turn.id().clone()));
        }
        self.turn = Some(turn);
    }

    /// A turn older than the thread is its parent's: both ids hold the time they were made. Without such ids the times of
    /// the lines decide.
    fn is_copy(&self, thread: &str, turn: Option<&str>, at: Option<Timestamp>) -> bool {
        match (
            turn.and_then(uuid_millis),
            uuid_millis(thread),
            at,
            self.last_at,
        ) {
            (Some(turn), Some(thread), _, _) => turn < thread,
            (_, _, Some(at), Some(last)) => {
                at.as_millisecond() - last.as_millisecond() <= BURST_MILLIS
            }
            _ => false,
        }
    }

    fn close(&mut self, end: End, at: Option<Timestamp>) -> Option<TurnRecord> {
        let mut turn = self.turn.take()?;
        self.left_running.extend(turn.unfinished().cloned());
        while self.left_running.len() > MAX_LEFT_RUNNING {
            self.left_running.pop_front();
        }
        let started_in = self.meta.as_ref().and_then(|meta| meta.cwd.clone());
        turn.context(self.cwd.clone().or(started_in), None);
        if turn.inherited {
            return None;
        }
        turn.close(end, at)
    }

    fn is_foreign(&self, thread: &str) -> bool {
        let copied = self.copying || self.turn.as_ref().is_some_and(|turn| turn.inherited);
        !thread.is_empty()
            && !copied
            && self
                .meta
                .as_ref()
                .is_some_and(|meta| meta.thread.as_str() != thread)
    }

    /// Counts of what is being read now: the thread's own, or its parent's.
    fn counts(&mut self) -> &mut Counts {
        match self
            .turn
            .as_ref()
            .map_or(self.copying, |turn| turn.inherited)
        {
            true => &mut self.tally.inherited,
            false => &mut self.tally.own,
        }
    }

    fn call(&mut self, call: &Call<'_>, at: Option<Timestamp>) {
        let id = call.call_id.as_str();
        let is_script = call.name.as_str() == "exec";
        if let Some(turn) = &mut self.turn
            && !turn.begin_call(id, is_script)
        {
            return;
        }
        for asked in asked(call) {
            match asked {
                Asked::Command(command) => self.command(id, at, command.as_deref()),
                Asked::Patch(patch) => {
                    self.counts().patches += 1;
                    self.patched(id, at, &patch);
                }
                Asked::Plan { explanation, steps } => {
                    self.counts().plans += 1;
                    if let Some(turn) = &mut self.turn {
                        turn.plan(at, explanation, steps);
                    }
                }
                Asked::Wait(process) => {
                    if let Some(turn) = &mut self.turn {
                        turn.waits(id, process);
                    }
                }
                Asked::Other => {}
            }
        }
    }

    fn command(&mut self, id: &str, at: Option<Timestamp>, command: Option<&str>) {
        self.counts().shell_calls += 1;
        let Some(command) = command else {
            return;
        };
        if let Some(patch) = patch::in_command(command) {
            self.counts().patches += 1;
            return self.patched(id, at, patch);
        }
        let Purposes { test, commit } = purposes(command);
        let counts = self.counts();
        counts.test_commands += u64::from(test);
        counts.commit_commands += u64::from(commit);
        let kind = match (commit, test) {
            (true, _) => CommandKind::Commit,
            (false, true) => CommandKind::Test,
            (false, false) => CommandKind::Other,
        };
        if let Some(turn) = &mut self.turn {
            turn.command(id, at, command, kind);
        }
    }

    fn patched(&mut self, id: &str, at: Option<Timestamp>, patch: &str) {
        if let Some(turn) = &mut self.turn {
            for (path, change) in patch::files(patch) {
                turn.file(id, at, path, change);
            }
        }
    }

    /// The engine's own word on a command. One that no call began (a script computed it) is added; the user's own isn't.
    fn command_ended(&mut self, end: &CommandEnd<'_>, at: Option<Timestamp>) {
        let id = end.call_id.as_str();
        let is_users = matches!(end.source.as_str(), "user_shell" | "userShell");
        let Some(turn) = self.turn.as_mut().filter(|_| !is_users) else {
            return;
        };
        let command = for_people(&end.command);
        if turn.command_ended(id, &command, end.exit_code)
            || self.left_running.iter().any(|left| left == id)
        {
            return;
        }
        turn.begin_call(id, false);
        self.command(id, at, Some(&command));
        if let Some(turn) = &mut self.turn {
            turn.command_ended(id, &command, end.exit_code);
        }
    }

    fn patch_ended(&mut self, end: &PatchEnd<'_>, at: Option<Timestamp>) {
        let Some(turn) = &mut self.turn else {
            return;
        };
        let id = end.call_id.as_str();
        let ok = end.success.unwrap_or(end.status.as_str() == "completed");
        let moved = end.changes.values().map(|change| change.move_path.as_str());
        let paths: Vec<&str> = end
            .changes
            .keys()
            .map(|path| path.as_str())
            .chain(moved.filter(|moved| !moved.is_empty()))
            .collect();
        if turn.patch_ended(id, &paths, ok) {
            return;
        }
        turn.begin_call(id, false);
        for (path, change) in &end.changes {
            let (kind, moved) = (change.kind.as_str(), change.move_path.as_str());
            turn.changed(id, at, path.as_str(), kind, moved);
        }
        turn.patch_ended(id, &[], ok);
        self.counts().patches += 1;
    }

    fn usage_record(&mut self, record: &UsageRecord<'_>) {
        let thread = self.thread();
        if let Some(turn) = &mut self.turn {
            let is_ours = record.thread_id.as_str() == thread.as_str() || turn.inherited;
            if is_ours && record.turn_id.as_str() == turn.id().as_str() {
                turn.recorded(usage(record.usage));
            }
        }
    }
}
