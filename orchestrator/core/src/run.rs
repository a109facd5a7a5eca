//! The first half of a run: what it may start from. Drift is judged here, and the brief is written.

use orch_protocol::Timestamp;
use orch_protocol::fact::Event;
use orch_protocol::git::{GitSnapshot, HeadRelation};
use orch_protocol::ids::{CommitId, RunId, ThreadId};
use orch_protocol::project::{BranchContext, DriftEntry, OpenRun, RunKind};
use orch_protocol::session::Session;
use orch_protocol::task::Actor;
use orch_protocol::turn::{TurnEvent, TurnRecord};

use crate::contexts::Branches;
use crate::drift::{Compared, Decision, Drift, DriftKind, OnDrift, classify, decide, head_text};
use crate::judge::Here;
use crate::supervisor::{Effect, Supervisor};

/// What the user asked for, and what git says as it begins.
#[derive(Debug, Clone)]
pub struct Start {
    /// When.
    pub now: Timestamp,
    /// The run's id.
    pub run: RunId,
    /// A new thread, an old one, a copy, a review.
    pub kind: RunKind,
    /// The folder it runs in.
    pub cwd: String,
    /// Upstream's home.
    pub codex_home: String,
    /// Git now; none outside a repository.
    pub seen: Option<GitSnapshot>,
    /// Where tasks are judged.
    pub here: Here,
    /// What became of the branches that [`contexts::asked`](crate::contexts::asked) names.
    pub branches: Branches,
    /// What to do about drift.
    pub on_drift: OnDrift,
    /// The engine goes on without us.
    pub outlives: bool,
}

/// A run that waits for an answer before it may start.
#[derive(Debug)]
pub(crate) struct Gate {
    start: Start,
    drift: Option<Drift>,
}

impl Supervisor {
    pub(crate) fn start(&mut self, start: Start) {
        self.rename_contexts(start.now, &start.branches);
        self.put_contexts_away(start.now, &start.branches, &start.here);
        match (&start.kind, &start.seen) {
            (
                RunKind::Resume { thread } | RunKind::Fork { thread } | RunKind::Turn { thread },
                Some(seen),
            ) => {
                let last = self.sessions_of(thread).last();
                let expected = last
                    .and_then(|session| Some((session.id.clone(), session.snapshot.clone()?)))
                    .map(|(session, expected)| {
                        self.anchor_renamed(start.now, session, expected, &start.branches)
                    });
                match expected {
                    Some(expected) if expected != *seen => {
                        self.effect(Effect::Compare {
                            expected: Box::new(expected),
                            seen: Box::new(seen.clone()),
                            known: self.last_head_on(seen.head.branch()),
                        });
                        self.gate = Some(Gate { start, drift: None });
                    }
                    Some(_) | None => self.launch(&start, &[]),
                }
            }
            (RunKind::Fresh | RunKind::Review, _) | (_, None) => self.launch(&start, &[]),
        }
    }

    fn last_head_on(&self, branch: Option<&str>) -> Option<CommitId> {
        self.state.context(branch).snapshot?.head.commit().cloned()
    }

    pub(crate) fn compared(&mut self, now: Timestamp, relation: &HeadRelation) {
        let Some(mut gate) = self.gate.take() else {
            return;
        };
        let (RunKind::Resume { thread } | RunKind::Fork { thread } | RunKind::Turn { thread }) =
            gate.start.kind.clone()
        else {
            return;
        };
        if matches!(gate.start.kind, RunKind::Turn { .. }) {
            gate.start.on_drift = self.take_choice(now, &thread, gate.start.seen.as_ref());
        }
        let (Some(session), Some(seen)) =
            (self.sessions_of(&thread).last(), gate.start.seen.as_ref())
        else {
            return;
        };
        let Some(expected) = session.snapshot.clone() else {
            return;
        };
        let thread_files = edited_files(session, &expected.worktree);
        let has_context = seen.head.branch().is_some_and(|branch| {
            self.state
                .project
                .branches
                .get(branch)
                .is_some_and(|context| context.forked_from.is_none())
        });
        let given = Compared {
            expected: &expected,
            seen,
            relation,
            has_context,
            thread_files: &thread_files,
        };
        let drift = classify(given);
        // `exec fork` is itself the choice "fork": the copy goes on here, and is told what moved.
        let decision = match gate.start.kind {
            RunKind::Fork { .. } => Decision::GoOn,
            RunKind::Resume { .. } | RunKind::Turn { .. } | RunKind::Fresh | RunKind::Review => {
                decide(drift.kind, gate.start.on_drift)
            }
        };
        match decision {
            Decision::Stop => self.stop(now, &thread, &drift, &gate.start),
            // Only the client can change its thread.
            Decision::Do(OnDrift::Rebuild) if matches!(gate.start.kind, RunKind::Turn { .. }) => {
                self.stop(now, &thread, &drift, &gate.start);
            }
            Decision::GoOn => {
                let quiet = drift.kind == DriftKind::None
                    || (drift.kind == DriftKind::Files && drift.touched.is_empty());
                if quiet {
                    return self.launch(&gate.start, &[]);
                }
                self.met(now, &thread, &drift, "go on");
                self.tell(&drift, "go on");
                self.launch(&gate.start, &[drift.note()]);
            }
            Decision::Do(OnDrift::Fork) => {
                gate.drift = Some(drift);
                self.gate = Some(gate);
                self.effect(Effect::Park { thread });
            }
            Decision::Do(OnDrift::Rebuild) => {
                self.met(now, &thread, &drift, OnDrift::Rebuild.name());
                self.tell(&drift, OnDrift::Rebuild.name());
                let fresh = Start {
                    kind: RunKind::Fresh,
                    ..gate.start
                };
                self.launch(
                    &fresh,
                    &[format!(
                        "A new conversation takes the place of one from {}.",
                        head_text(&drift.from)
                    )],
                );
            }
            Decision::Do(choice @ (OnDrift::FastForward | OnDrift::Stop)) => {
                self.met(now, &thread, &drift, choice.name());
                self.tell(&drift, choice.name());
                self.launch(&gate.start, &[drift.note()]);
            }
        }
    }

    pub(crate) fn parked(&mut self, now: Timestamp, copy: Option<ThreadId>) {
        let Some(Gate {
            start,
            drift: Some(drift),
        }) = self.gate.take()
        else {
            return;
        };
        let (RunKind::Resume { thread } | RunKind::Fork { thread } | RunKind::Turn { thread }) =
            start.kind.clone()
        else {
            return;
        };
        let Some(copy) = copy else {
            let choose = choosing(&start.kind);
            self.effect(Effect::Stop {
                what: "the conversation could not be copied, so nothing was sent".to_owned(),
                hint: format!("try again, or choose {choose} fast-forward or rebuild"),
            });
            return;
        };
        if let Some(branch) = drift.from.branch() {
            let parked = BranchContext {
                parked_thread: Some(copy),
                ..self.state.context(Some(branch))
            };
            let event = Event::ContextSet {
                branch: branch.to_owned(),
                context: Box::new(parked),
            };
            self.fact(now, Actor::Supervisor, event);
        }
        self.met(now, &thread, &drift, OnDrift::Fork.name());
        self.tell(&drift, OnDrift::Fork.name());
        self.launch(&start, &[drift.note()]);
    }

    fn launch(&mut self, start: &Start, notes: &[String]) {
        self.inherit_context(start);
        // The rollout of an open thread is found by the thread's id.
        let mark = (!matches!(start.kind, RunKind::Turn { .. })).then_some(&start.run);
        let brief = self.brief_for(mark, &start.here, notes);
        let run = OpenRun {
            brief_tasks: brief.tasks.clone(),
            ..self.open_run(start)
        };
        self.fact(start.now, Actor::Supervisor, Event::RunStarted { run });
        self.effect(Effect::Launch {
            run: start.run.clone(),
            kind: start.kind.clone(),
            brief,
        });
    }

    fn tell(&mut self, drift: &Drift, choice: &str) {
        self.effect(Effect::Tell {
            line: format!("{} ({choice})", drift.line()),
        });
    }

    fn met(&mut self, now: Timestamp, thread: &ThreadId, drift: &Drift, choice: &str) {
        let entry = DriftEntry {
            at: now,
            thread: Some(thread.clone()),
            kind: drift.kind.name().to_owned(),
            from: Some(drift.from.clone()),
            to: Some(drift.to.clone()),
            choice: choice.to_owned(),
            text: drift.line(),
        };
        self.fact(now, Actor::Supervisor, Event::DriftMet { drift: entry });
    }

    fn stop(&mut self, now: Timestamp, thread: &ThreadId, drift: &Drift, start: &Start) {
        self.met(now, thread, drift, OnDrift::Stop.name());
        let offered = drift.kind.choices();
        let is_turn = matches!(start.kind, RunKind::Turn { .. });
        let refused = match start.on_drift {
            OnDrift::Stop => String::new(),
            OnDrift::Rebuild if is_turn => String::new(),
            asked => format!(" ({} isn't possible here)", asked.name()),
        };
        let choose = choosing(&start.kind);
        let choices: Vec<String> = offered
            .iter()
            .filter(|choice| !(is_turn && **choice == OnDrift::Rebuild))
            .map(|choice| format!("{choose} {}", choice.name()))
            .collect();
        let fresh = match is_turn {
            true => "begin a new conversation with /new",
            false => "start a fresh run",
        };
        self.effect(Effect::Stop {
            what: format!(
                "nothing was sent: this conversation no longer fits the repository{refused}. {}",
                drift.line()
            ),
            hint: match choices.is_empty() {
                true => format!("go back to where it was, or {fresh}"),
                false => format!(
                    "go back to where it was, {fresh}, or choose: {}",
                    choices.join(", ")
                ),
            },
        });
        self.effect(Effect::Fold);
    }
}

/// How a choice is made, in words that its name follows.
fn choosing(kind: &RunKind) -> &'static str {
    match kind {
        RunKind::Turn { .. } => "codex-orch drift resolve",
        RunKind::Fresh | RunKind::Resume { .. } | RunKind::Fork { .. } | RunKind::Review => {
            "--on-drift"
        }
    }
}

/// Paths that a session's turns have edited, from the top of the work tree.
pub(crate) fn edited_files(session: &Session, worktree: &str) -> Vec<String> {
    let mut files: Vec<String> = session
        .turns
        .iter()
        .flat_map(|turn| turn_files(&turn.record, worktree))
        .collect();
    files.sort();
    files.dedup();
    files
}

fn turn_files(record: &TurnRecord, worktree: &str) -> Vec<String> {
    let inside = |path: &str| {
        let joined = match (path.starts_with('/'), record.cwd.as_deref()) {
            (false, Some(cwd)) => format!("{}/{path}", cwd.trim_end_matches('/')),
            (true, _) | (false, None) => path.to_owned(),
        };
        joined
            .strip_prefix(worktree)
            .map(|rest| rest.trim_start_matches('/').to_owned())
    };
    let patched = record.events.iter().filter_map(|event| match event {
        TurnEvent::File { path, .. } => inside(path),
        TurnEvent::Plan { .. }
        | TurnEvent::Command { .. }
        | TurnEvent::Message { .. }
        | TurnEvent::Error { .. } => None,
    });
    patched
        .chain(
            record
                .commits
                .iter()
                .flat_map(|commit| commit.files.iter().cloned()),
        )
        .collect()
}
