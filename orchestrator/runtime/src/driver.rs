//! The one loop: an input goes into the supervisor, its facts become durable, its effects are run, and what they
//! bring comes back as inputs.

mod afterwards;
mod asked;
mod judging;

use std::collections::VecDeque;

use jiff::SignedDuration;
use orch_core::agent::Agent;
use orch_core::brief::{Brief, BriefLimits};
use orch_core::command::{Named, Refusal};
use orch_core::judge::Stand;
use orch_core::run::Start;
use orch_core::supervisor::{About, Effect, Input, Supervisor};
use orch_protocol::Timestamp;
use orch_protocol::ids::{RunId, ThreadId};
use orch_protocol::project::{OpenRun, RunKind};
use orch_protocol::task::Actor;
use thiserror::Error;

use crate::git::GitError;
use crate::ports::{Backlog, Clock, Engine, EngineTrouble, Git, Launch, Ran, StateStore, Wanted};
use crate::store::StoreError;

/// A turn that nothing was heard of for this long has ended, whatever ended it.
const STILL: SignedDuration = SignedDuration::from_mins(10);

/// What the loop stands on. One value of this is one process's view of the world.
pub struct Driver<'a> {
    /// Where facts become durable.
    pub store: &'a mut dyn StateStore,
    /// The user's repository.
    pub git: &'a dyn Git,
    /// Upstream.
    pub engine: &'a mut dyn Engine,
    /// Who is asked about turns and sessions.
    pub agents: &'a [Box<dyn Agent>],
    /// The time.
    pub clock: &'a dyn Clock,
    /// How large a brief may become.
    pub limits: BriefLimits,
    /// Lines for the user.
    pub tell: &'a mut dyn FnMut(&str),
}

/// Why the loop ended early.
#[derive(Debug, Error)]
#[allow(missing_docs)]
pub enum DriverError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Git(#[from] GitError),
    #[error(transparent)]
    Engine(#[from] EngineTrouble),
}

/// What the user asked for.
#[derive(Debug, Clone)]
pub struct Request {
    /// The run's id.
    pub run: RunId,
    /// A new thread, an old one, a copy, a review.
    pub kind: RunKind,
    /// The folder it runs in.
    pub cwd: String,
    /// Upstream's home.
    pub codex_home: String,
    /// What to do about drift.
    pub on_drift: orch_core::drift::OnDrift,
    /// The engine goes on without us.
    pub outlives: bool,
}

/// How a run came out.
#[derive(Debug)]
pub enum Outcome {
    /// Upstream ran.
    Ran {
        /// Its exit code; none when a signal ended it.
        exit_code: Option<i32>,
        /// The signal that ended it.
        signal: Option<i32>,
        /// It ran, but what it left could not be recorded; a later start tries again.
        unrecorded: Option<DriverError>,
    },
    /// Nothing was sent: drift needs a decision.
    Stopped {
        /// What happened.
        what: String,
        /// What can be done.
        hint: String,
    },
}

/// Whether a turn of an open thread may begin.
#[derive(Debug)]
pub enum Begun {
    /// It may.
    Going {
        /// What the model is told.
        brief: Brief,
    },
    /// A person has to decide first.
    Stopped {
        /// What happened.
        what: String,
        /// What can be done.
        hint: String,
    },
}

impl Driver<'_> {
    /// Runs upstream once, orchestrated.
    pub async fn run(&mut self, request: Request) -> Result<Outcome, DriverError> {
        let mut turn = Turn::default();
        let driven = self.start(request, &mut turn).await;
        match (driven, turn.ran, turn.stopped) {
            // What a person has to decide comes before what could not be folded.
            (_, _, Some((what, hint))) => Ok(Outcome::Stopped { what, hint }),
            // Upstream's exit code is the user's, whatever became of our records.
            (driven, Some((exit_code, signal)), None) => Ok(Outcome::Ran {
                exit_code,
                signal,
                unrecorded: driven.err(),
            }),
            (Err(error), _, _) => Err(error),
            (Ok(()), None, None) => Ok(Outcome::Ran {
                exit_code: Some(0),
                signal: None,
                unrecorded: None,
            }),
        }
    }

    async fn start(&mut self, request: Request, turn: &mut Turn) -> Result<(), DriverError> {
        let threads: Vec<ThreadId> = match &request.kind {
            RunKind::Resume { thread } | RunKind::Fork { thread } | RunKind::Turn { thread } => {
                vec![thread.clone()]
            }
            RunKind::Fresh | RunKind::Review => Vec::new(),
        };
        // The brief needs no task's evidence; what records the end of the run loads anew.
        let wanted = Wanted {
            threads,
            backlog: Backlog::Outline,
        };
        let mut supervisor = self.open(&wanted).await?;
        let seen = self.git.look().await?;
        let stand = seen.as_ref().map(Stand::from);
        let here = self.here(supervisor.state(), stand.as_ref(), &[]).await?;
        let branches = self.branches(supervisor.state()).await?;
        let start = Start {
            now: self.now(),
            run: request.run,
            kind: request.kind,
            cwd: request.cwd,
            codex_home: request.codex_home,
            seen,
            here,
            branches,
            on_drift: request.on_drift,
            outlives: request.outlives,
        };
        self.drive(&mut supervisor, Input::Start(Box::new(start)), turn)
            .await
    }

    /// Lets a turn of an open thread begin, or says why not. The run is open from here on, durably; [`Driver::finish`]
    /// closes it.
    pub async fn begin(&mut self, request: Request) -> Result<Begun, DriverError> {
        let mut turn = Turn {
            is_elsewhere: true,
            ..Turn::default()
        };
        self.start(request, &mut turn).await?;
        Ok(match (turn.stopped, turn.brief) {
            (Some((what, hint)), _) => Begun::Stopped { what, hint },
            (None, brief) => Begun::Going {
                brief: brief.unwrap_or_default(),
            },
        })
    }

    /// Records what a turn that [`Driver::begin`] let begin has come to.
    pub async fn finish(&mut self, run: &RunId, ran: Ran) -> Result<(), DriverError> {
        let threads: Vec<ThreadId> = ran.thread.iter().cloned().collect();
        let mut supervisor = self.loaded(&threads).await?;
        let ended = self.ended(&supervisor, run, ran, false).await?;
        let input = Input::Ended(Box::new(ended));
        self.drive(&mut supervisor, input, &mut Turn::default())
            .await
    }

    /// Takes in what happened to an open thread between its turns.
    pub async fn note(&mut self, thread: &ThreadId, input: Input) -> Result<(), DriverError> {
        let mut supervisor = self.loaded(std::slice::from_ref(thread)).await?;
        self.drive(&mut supervisor, input, &mut Turn::default())
            .await
    }

    async fn loaded(&mut self, threads: &[ThreadId]) -> Result<Supervisor, DriverError> {
        let state = self.store.load(&Wanted::of(threads)).await?;
        let log = self.store.log_id().clone();
        Ok(Supervisor::new(state, log, self.limits))
    }

    /// Loads the state as far as it is wanted, and finishes what dead processes have left unfinished.
    pub async fn open(&mut self, wanted: &Wanted) -> Result<Supervisor, DriverError> {
        let state = self.store.load(wanted).await?;
        let dead: Vec<OpenRun> = state
            .project
            .open_runs
            .values()
            .filter(|run| self.store.is_dead(&run.log))
            .cloned()
            .collect();
        let dead = self.ours(dead).await?;
        if dead.is_empty() {
            return Ok(Supervisor::new(
                state,
                self.store.log_id().clone(),
                self.limits,
            ));
        }
        let mut found = Vec::with_capacity(dead.len());
        for run in dead {
            let ran = self.engine.recover(&run).await;
            if !self.may_go_on(&run, &ran) {
                found.push((run, ran));
            }
        }
        let also = found.iter().filter_map(|(_, ran)| ran.thread.clone());
        let threads: Vec<ThreadId> = wanted.threads.iter().cloned().chain(also).collect();
        let state = self.store.load(&Wanted::of(&threads)).await?;
        let mut supervisor = Supervisor::new(state, self.store.log_id().clone(), self.limits);
        for (run, ran) in found {
            let ended = self.ended(&supervisor, &run.run, ran, true).await?;
            self.drive(
                &mut supervisor,
                Input::Ended(Box::new(ended)),
                &mut Turn::default(),
            )
            .await?;
        }
        Ok(supervisor)
    }

    /// Whether a turn may still be running in an engine that outlived us: its end isn't written, and it was heard of lately.
    fn may_go_on(&self, run: &OpenRun, ran: &Ran) -> bool {
        let quiet = ran.last_seen.map(|at| self.clock.now().duration_since(at));
        let is_open = ran.turns.last().is_none_or(|turn| turn.ended_at.is_none());
        run.outlives && is_open && quiet.is_some_and(|quiet| quiet < STILL)
    }

    /// Those runs that were begun in this work tree: what another one's HEAD was can only be told there.
    async fn ours(&self, dead: Vec<OpenRun>) -> Result<Vec<OpenRun>, GitError> {
        if dead.is_empty() {
            return Ok(dead);
        }
        let here = self.git.stand().await?.map(|stand| stand.worktree);
        let is_ours = |run: &OpenRun| match &run.snapshot {
            Some(began) => here.as_ref() == Some(&began.worktree),
            None => true,
        };
        Ok(dead.into_iter().filter(is_ours).collect())
    }

    fn now(&self) -> Timestamp {
        self.not_before_seen(self.clock.now())
    }

    /// `now`, or just after the newest fact of others that was seen, whose clock may be ahead or who may have been quicker.
    fn not_before_seen(&self, now: Timestamp) -> Timestamp {
        let seen = self.store.newest();
        let next = seen.and_then(|at| at.checked_add(SignedDuration::from_nanos(1)).ok());
        next.map_or(now, |next| now.max(next))
    }

    async fn drive(
        &mut self,
        supervisor: &mut Supervisor,
        first: Input,
        turn: &mut Turn,
    ) -> Result<(), DriverError> {
        let mut inputs = VecDeque::from([first]);
        while let Some(input) = inputs.pop_front() {
            let step = supervisor.handle(input);
            self.store.append(&step.facts).await?;
            for effect in step.effects {
                if let Some(input) = self.effect(supervisor, effect, turn).await? {
                    inputs.push_back(input);
                }
            }
        }
        Ok(())
    }

    async fn effect(
        &mut self,
        supervisor: &mut Supervisor,
        effect: Effect,
        turn: &mut Turn,
    ) -> Result<Option<Input>, DriverError> {
        match effect {
            Effect::Compare {
                expected,
                seen,
                known,
            } => {
                let relation = Box::new(self.git.relation(*expected, *seen, known).await?);
                Ok(Some(Input::Compared {
                    now: self.now(),
                    relation,
                }))
            }
            Effect::Park { thread } => {
                let copy = self.engine.park(&thread).await;
                if let Err(trouble) = &copy {
                    tracing::warn!(%trouble, "the conversation could not be copied");
                }
                Ok(Some(Input::Parked {
                    now: self.now(),
                    copy: copy.ok(),
                }))
            }
            Effect::Launch { brief, .. } if turn.is_elsewhere => {
                turn.brief = Some(brief);
                Ok(None)
            }
            Effect::Launch { run, kind, brief } => {
                let launch = Launch {
                    run,
                    kind,
                    brief,
                    at: self.clock.now(),
                };
                let ran = match self.engine.run(&launch).await {
                    Ok(ran) => ran,
                    Err(trouble) => {
                        // Nothing ran, so nothing is to be recovered: the run is closed before the error is told.
                        let ended = self
                            .ended(supervisor, &launch.run, Ran::default(), false)
                            .await?;
                        turn.trouble = Some(trouble);
                        return Ok(Some(Input::Ended(Box::new(ended))));
                    }
                };
                turn.ran = Some((ran.exit_code, ran.signal));
                // Meanwhile the agent has had its tools, and people other terminals.
                let threads: Vec<ThreadId> = ran.thread.iter().cloned().collect();
                supervisor.refresh(self.store.load(&Wanted::of(&threads)).await?);
                if let Some(remark) = &ran.remark {
                    (self.tell)(remark);
                }
                let ended = self.ended(supervisor, &launch.run, ran, false).await?;
                Ok(Some(Input::Ended(Box::new(ended))))
            }
            Effect::Consult { agent, about } => Ok(Some(self.consult(supervisor, agent, &about))),
            Effect::Fold => {
                self.store.fold().await?;
                match turn.trouble.take() {
                    Some(trouble) => Err(trouble.into()),
                    None => Ok(None),
                }
            }
            Effect::Tell { line } => {
                // Where upstream could not be started, the trouble is what is told.
                if turn.trouble.is_none() {
                    (self.tell)(&line);
                }
                Ok(None)
            }
            Effect::Stop { what, hint } => {
                turn.stopped = Some((what, hint));
                Ok(None)
            }
            Effect::Answer(answer) => {
                turn.answer = Some(answer);
                Ok(None)
            }
        }
    }

    fn consult(&self, supervisor: &Supervisor, actor: Actor, about: &About) -> Input {
        let now = self.now();
        let asked = self.agents.iter().filter(|agent| agent.actor() == actor);
        let opinions = match supervisor.question(about, now) {
            Some((view, question)) => asked
                .flat_map(|agent| agent.consider(view, question))
                .collect(),
            None => Vec::new(),
        };
        Input::Opinions {
            now,
            by: actor,
            opinions,
        }
    }
}

#[derive(Default)]
struct Turn {
    /// Somebody else sends it, once it may begin.
    is_elsewhere: bool,
    brief: Option<Brief>,
    ran: Option<(Option<i32>, Option<i32>)>,
    stopped: Option<(String, String)>,
    answer: Option<Result<Vec<Named>, Refusal>>,
    trouble: Option<EngineTrouble>,
}
