//! The supervisor: one machine, fed with inputs, answering with facts to be made durable and effects to be run.
//!
//! It keeps no handle, no clock and no task. `handle` is the only way in; the state changes by the facts it returns.

use std::collections::{BTreeSet, VecDeque};

use orch_protocol::Timestamp;
use orch_protocol::fact::{Event, Fact};
use orch_protocol::git::{CommitSummary, GitSnapshot, Head, HeadRelation};
use orch_protocol::ids::{CommitId, FactId, LogId, RunId, SessionId, TaskId, ThreadId, TurnId};
use orch_protocol::project::{FileComments, OpenRun, Project, RunKind};
use orch_protocol::proposal::Change;
use orch_protocol::session::Session;
use orch_protocol::task::Actor;
use orch_protocol::turn::TurnRecord;

use crate::agent::{Opinion, Question, View};
use crate::brief::{Brief, BriefLimits, brief};
use crate::command::{Asker, Named, Refusal, TaskCommand, plan};
use crate::contexts::Branches;
use crate::drift::OnDrift;
use crate::judge::Here;
use crate::redact;
use crate::reverts::Reverted;
use crate::run::{Gate, Start};
use crate::state::State;

/// Everything that can happen to the supervisor.
#[derive(Debug, Clone)]
pub enum Input {
    /// The user starts a run.
    Start(Box<Start>),
    /// Git compared the head a thread expects with the one seen.
    Compared {
        /// When.
        now: Timestamp,
        /// What it found.
        relation: Box<HeadRelation>,
    },
    /// A copy of the conversation was parked.
    Parked {
        /// When.
        now: Timestamp,
        /// The copy; none when the engine could not make it.
        copy: Option<ThreadId>,
    },
    /// The upstream process has ended, or was found dead.
    Ended(Box<Ended>),
    /// An agent answered.
    Opinions {
        /// When.
        now: Timestamp,
        /// Which agent.
        by: Actor,
        /// What it thinks.
        opinions: Vec<Opinion>,
    },
    /// The user's own command (`!cmd`) ran in an open thread.
    Moved {
        /// When.
        now: Timestamp,
        /// In which thread.
        thread: ThreadId,
        /// Git before and after it.
        moved: Box<(GitSnapshot, GitSnapshot)>,
    },
    /// The user took turns of a thread back.
    Reverted {
        /// When.
        now: Timestamp,
        /// Of which thread.
        thread: ThreadId,
        /// Which ones.
        turns: Vec<TurnId>,
    },
    /// A sub-agent has ended after the turn it worked for.
    Amended {
        /// When.
        now: Timestamp,
        /// The record of that turn, with the sub-agent's work in it.
        record: Box<TurnRecord>,
    },
    /// A person chose what to do about a thread's drift.
    Chosen {
        /// When.
        now: Timestamp,
        /// Of which thread.
        thread: ThreadId,
        /// What.
        choice: OnDrift,
        /// HEAD now.
        head: Head,
    },
    /// A person or the main agent changes the backlog.
    Command {
        /// Who, where, when.
        asker: Box<Asker>,
        /// What.
        command: Box<TaskCommand>,
    },
    /// A person undoes an operation.
    Undo {
        /// Who, where, when.
        asker: Box<Asker>,
        /// The state commit that holds it.
        operation: CommitId,
        /// What it was, in one line.
        what: String,
        /// What takes it back (`core::undo`).
        events: Vec<Event>,
    },
    /// A file of the checkout was edited by hand, and what that changes is known.
    HandEdit {
        /// Who, where, when.
        asker: Box<Asker>,
        /// What.
        edit: Box<HandEdit>,
    },
}

/// What an edit by hand comes to: checked as a whole by whoever read the file.
#[derive(Debug, Clone, PartialEq)]
pub struct HandEdit {
    /// The file's name.
    pub file: String,
    /// The state commit that it was made from.
    pub base: CommitId,
    /// What it changes in the backlog.
    pub changes: Vec<Change>,
    /// The comments outside of the tasks, as they were and as they are; none where they are the same.
    pub comments: Option<(Option<FileComments>, Option<FileComments>)>,
}

impl Input {
    /// Whether it begins an operation, and where HEAD stood then; the other inputs go on with the one under way.
    fn begins(&self) -> Option<Option<CommitId>> {
        let of = |seen: Option<&GitSnapshot>| seen.and_then(|seen| seen.head.commit().cloned());
        match self {
            Input::Start(start) => Some(of(start.seen.as_ref())),
            Input::Ended(ended) => Some(of(ended.after.as_ref())),
            Input::Moved { moved, .. } => Some(of(Some(&moved.1))),
            Input::Chosen { head, .. } => Some(head.commit().cloned()),
            Input::Command { asker, .. }
            | Input::Undo { asker, .. }
            | Input::HandEdit { asker, .. } => Some(asker.head.clone()),
            Input::Reverted { .. } | Input::Amended { .. } => Some(None),
            Input::Compared { .. } | Input::Parked { .. } | Input::Opinions { .. } => None,
        }
    }
}

/// What a run left behind.
#[derive(Debug, Clone)]
pub struct Ended {
    /// When it was seen.
    pub now: Timestamp,
    /// Which run.
    pub run: RunId,
    /// Upstream's exit code; none when a signal ended it or it was found dead.
    pub exit_code: Option<i32>,
    /// The thread, as its rollout says.
    pub thread: Option<ThreadId>,
    /// The turns of the rollout; those known already are passed over.
    pub turns: Vec<TurnRecord>,
    /// Commits made during the run, oldest first; each is also part of the turn it was made in, if turns were found.
    pub commits: Vec<CommitSummary>,
    /// Git now.
    pub after: Option<GitSnapshot>,
    /// Where tasks are judged now.
    pub here: Here,
    /// What became of the branches that [`contexts::asked`](crate::contexts::asked) names.
    pub branches: Branches,
    /// Claimed commits that were found again under other ids: as named, and as found.
    pub rewrites: Vec<(CommitId, CommitId)>,
    /// Claimed commits that were reverted here.
    pub reverts: Vec<Reverted>,
    /// The run's process was found dead by a later one.
    pub recovered: bool,
}

/// What is to be done once the facts of a step are durable.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Ask git how two heads stand to one another; answer with [`Input::Compared`].
    Compare {
        /// Git at the end of the thread's last turn.
        expected: Box<GitSnapshot>,
        /// Git now.
        seen: Box<GitSnapshot>,
        /// Where the branch seen stood when it was last worked on.
        known: Option<CommitId>,
    },
    /// Copy a conversation; answer with [`Input::Parked`].
    Park {
        /// Of which thread.
        thread: ThreadId,
    },
    /// Start upstream; answer with [`Input::Ended`].
    Launch {
        /// The run.
        run: RunId,
        /// How.
        kind: RunKind,
        /// What the model is told.
        brief: Brief,
    },
    /// Put a question to an agent; answer with [`Input::Opinions`].
    Consult {
        /// Which agent.
        agent: Actor,
        /// The question.
        about: About,
    },
    /// Fold the log into a state commit and refresh the checkout; nobody waits for it.
    Fold,
    /// One line for the user.
    Tell {
        /// The line.
        line: String,
    },
    /// Nothing is sent: a person has to decide.
    Stop {
        /// What happened.
        what: String,
        /// What can be done.
        hint: String,
    },
    /// A command was carried out, and these tasks were touched; or it was refused.
    Answer(Result<Vec<Named>, Refusal>),
}

/// A question as data; [`Supervisor::question`] fills it in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// A turn.
    Turn(TurnId),
    /// The end of the session.
    SessionEnd,
}

/// Facts first, then effects.
#[derive(Debug, Default)]
#[must_use = "facts are to be made durable before the effects are run"]
pub struct Step {
    /// To be appended to the log, with one sync.
    pub facts: Vec<Fact>,
    /// To be run then, in order.
    pub effects: Vec<Effect>,
}

/// What the run that is being recorded has come to.
#[derive(Debug)]
pub(crate) struct Recording {
    pub(crate) ended: Ended,
    pub(crate) before: Option<GitSnapshot>,
    pub(crate) session: Option<SessionId>,
    /// It is the session's first run.
    pub(crate) began: bool,
    pub(crate) questions: VecDeque<(Actor, About)>,
    pub(crate) done: usize,
    pub(crate) waiting: usize,
}

/// The machine.
#[derive(Debug)]
pub struct Supervisor {
    pub(crate) state: State,
    pub(crate) limits: BriefLimits,
    pub(crate) gate: Option<Gate>,
    pub(crate) recording: Option<Recording>,
    log: LogId,
    seq: u64,
    /// `seq` of the first fact of the operation under way.
    op: u64,
    /// Where HEAD stood, as the input said that began it.
    head: Option<CommitId>,
    step: Step,
}

impl Supervisor {
    /// Starts from a state; facts will be numbered in `log`.
    pub fn new(state: State, log: LogId, limits: BriefLimits) -> Self {
        let seq = state.folded.get(&log).copied().unwrap_or(0);
        Self {
            state,
            limits,
            gate: None,
            recording: None,
            log,
            seq,
            op: seq + 1,
            head: None,
            step: Step::default(),
        }
    }

    /// The state as it is now.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Gives up the machine for its state.
    pub fn into_state(self) -> State {
        self.state
    }

    /// Takes in what other processes have made durable since the state was loaded (the main agent's tools, a second
    /// terminal). `state` holds every fact of ours as well: they are durable too.
    pub fn refresh(&mut self, state: State) {
        self.state = state;
    }

    /// Makes ids of the next command differ from all others.
    pub fn nonce(&self) -> String {
        format!("{}/{}", self.log, self.seq + 1)
    }

    /// Takes one input. The returned facts are applied to the state already; they count once they are durable.
    pub fn handle(&mut self, input: Input) -> Step {
        if let Some(head) = input.begins() {
            self.op = self.seq + 1;
            self.head = head;
        }
        match input {
            Input::Start(start) => self.start(*start),
            Input::Compared { now, relation } => self.compared(now, &relation),
            Input::Parked { now, copy } => self.parked(now, copy),
            Input::Ended(ended) => self.ended(*ended),
            Input::Opinions { now, by, opinions } => self.opinions(now, by, opinions),
            Input::Moved { now, thread, moved } => self.moved(now, &thread, *moved),
            Input::Reverted { now, thread, turns } => self.reverted(now, &thread, &turns),
            Input::Amended { now, record } => self.amended(now, *record),
            Input::Chosen {
                now,
                thread,
                choice,
                head,
            } => self.chosen(now, thread, choice, head),
            Input::Command { asker, command } => self.command(&asker, &command),
            Input::Undo {
                asker,
                operation,
                what,
                events,
            } => {
                self.fact(asker.now, asker.by, Event::Undone { operation, what });
                for event in events {
                    self.fact(asker.now, asker.by, event);
                }
            }
            Input::HandEdit { asker, edit } => self.hand_edit(&asker, *edit),
        }
        std::mem::take(&mut self.step)
    }

    /// The question an agent is asked, and what it may look at.
    pub fn question<'a>(
        &'a self,
        about: &'a About,
        now: Timestamp,
    ) -> Option<(View<'a>, Question<'a>)> {
        let recording = self.recording.as_ref()?;
        let session = self.state.sessions.get(recording.session.as_ref()?)?;
        let view = View {
            state: &self.state,
            here: &recording.ended.here,
            now,
        };
        let question = match about {
            About::SessionEnd => Question::SessionEnd {
                session: &session.id,
            },
            About::Turn(turn) => Question::Turn {
                session: &session.id,
                record: &session
                    .turns
                    .iter()
                    .find(|known| known.record.turn == *turn)?
                    .record,
                before: recording.before.as_ref(),
                after: recording.ended.after.as_ref(),
            },
        };
        Some((view, question))
    }

    fn command(&mut self, asker: &Asker, command: &TaskCommand) {
        let answer = plan(&self.state, command, asker).map(|events| {
            let mut seen = BTreeSet::new();
            let mut touched: Vec<TaskId> = Vec::new();
            for event in events {
                if let Event::Changed { change, .. } = &event
                    && seen.insert(change.task().clone())
                {
                    touched.push(change.task().clone());
                }
                self.fact(asker.now, asker.by, event);
            }
            let named = |id: &TaskId| self.state.tasks.get(id).map(Named::of);
            touched.iter().filter_map(named).collect()
        });
        self.effect(Effect::Answer(answer));
    }

    /// One operation: that a file was edited, and what was taken in from it.
    fn hand_edit(&mut self, asker: &Asker, edit: HandEdit) {
        let HandEdit {
            file,
            base,
            changes,
            comments,
        } = edit;
        let touched: BTreeSet<TaskId> =
            changes.iter().map(|change| change.task().clone()).collect();
        self.fact(asker.now, asker.by, Event::HandEdited { file, base });
        for change in changes {
            let reason = "by hand".to_owned();
            self.fact(asker.now, asker.by, Event::Changed { change, reason });
        }
        if let Some((before, after)) = comments {
            let with = |comments| {
                Box::new(Project {
                    comments,
                    ..Project::default()
                })
            };
            let (base, theirs) = (with(before), with(after));
            self.fact(asker.now, asker.by, Event::ProjectMerged { base, theirs });
        }
        let tasks = touched.iter().filter_map(|id| self.state.tasks.get(id));
        let tasks = tasks.map(Named::of).collect();
        self.effect(Effect::Answer(Ok(tasks)));
    }

    /// The sessions of a thread, the newest last.
    pub(crate) fn sessions_of<'a>(
        &'a self,
        thread: &'a ThreadId,
    ) -> impl Iterator<Item = &'a Session> {
        self.state
            .sessions
            .values()
            .filter(move |session| session.thread == *thread)
    }

    pub(crate) fn brief_for(&self, mark: Option<&RunId>, here: &Here, notes: &[String]) -> Brief {
        brief(&self.state, here, mark, notes, self.limits)
    }

    pub(crate) fn open_run(&self, start: &Start) -> OpenRun {
        OpenRun {
            run: start.run.clone(),
            at: start.now,
            kind: start.kind.clone(),
            cwd: start.cwd.clone(),
            codex_home: start.codex_home.clone(),
            snapshot: start.seen.clone(),
            log: self.log.clone(),
            brief_tasks: Vec::new(),
            outlives: start.outlives,
        }
    }

    /// Records what happened: redacted, numbered, applied, and part of the step.
    pub(crate) fn fact(&mut self, at: Timestamp, by: Actor, event: Event) {
        self.seq += 1;
        let id = FactId {
            log: self.log.clone(),
            seq: self.seq,
        };
        let fact = Fact {
            id,
            at,
            by,
            op: self.op,
            head: self.head.clone(),
            event: redact::event(event),
        };
        self.state.apply(&fact);
        self.step.facts.push(fact);
    }

    pub(crate) fn effect(&mut self, effect: Effect) {
        self.step.effects.push(effect);
    }
}
