//! Turns of root threads, from the ruling that lets one begin to the record of what it came to. A run is open in the store
//! in between, so that a turn that is cut off is found by the next start.

use std::path::PathBuf;

use orch_core::drift::OnDrift;
use orch_core::supervisor::Input;
use orch_engine::interpose::ClientId;
use orch_protocol::ids::{RunId, ThreadId, TurnId};
use orch_protocol::project::RunKind;
use orch_protocol::turn::TurnRecord;
use orch_rollout::below::add;
use orch_rollout::live::seen::{Above, Ended};
use orch_runtime::driver::{Begun, Request};
use orch_runtime::ports::{Clock as _, Ran, SystemClock};

use super::desk::{Desk, OWN, Open};
use crate::trouble::Trouble;

impl Desk {
    /// Lets a turn of a root thread begin, or not. What it leaves will be recorded for `cwd`, else for the thread's folder.
    pub(super) async fn begin(
        &mut self,
        thread: &ThreadId,
        cwd: Option<PathBuf>,
    ) -> Result<Begun, Trouble> {
        self.settle(thread).await;
        let known = self.threads.entry(thread.clone()).or_default();
        let own = known.cwd.clone();
        // A relative one is the engine's to understand: the thread's is as near as we can say.
        let Some(cwd) = cwd.filter(|cwd| cwd.is_absolute()).or(own) else {
            return Ok(Begun::Going {
                brief: Default::default(),
            });
        };
        self.turns_begun += 1;
        let n = self.turns_begun.to_string();
        let codex_home = self.projects.home();
        let Some(project) = self.projects.of(&cwd)? else {
            return Ok(Begun::Going {
                brief: Default::default(),
            });
        };
        let run = RunId::from_seed(&[project.store_log().as_str(), "turn", &n]);
        let request = Request {
            run: run.clone(),
            kind: RunKind::Turn {
                thread: thread.clone(),
            },
            cwd: cwd.to_string_lossy().into_owned(),
            codex_home,
            on_drift: OnDrift::Stop,
            outlives: self.calls.outlives(),
        };
        let begun = project.begin(&mut self.calls, request).await?;
        if matches!(begun, Begun::Going { .. }) {
            let known = self.threads.entry(thread.clone()).or_default();
            known.open = Some(Open {
                run,
                cwd,
                turn: None,
            });
        }
        Ok(begun)
    }

    pub(super) async fn started(
        &mut self,
        client: Option<ClientId>,
        thread: ThreadId,
        turn: TurnId,
    ) {
        let known = self.threads.entry(thread.clone()).or_default();
        if let Some(open) = known.open.as_mut().filter(|open| open.turn.is_none()) {
            open.turn = Some(turn);
            return;
        }
        if known.before.is_some() {
            return; // The user's own command.
        }
        // The engine's own: a goal, a queued message.
        match self.begin(&thread, None).await {
            Ok(Begun::Going { .. }) => {
                let known = self.threads.entry(thread).or_default();
                if let Some(open) = &mut known.open {
                    open.turn = Some(turn);
                }
            }
            Ok(Begun::Stopped { what, hint }) => {
                self.calls.halt(&thread, &turn).await;
                if let Some(client) = client {
                    self.clients
                        .tell(client, &thread, &format!("{what}. {hint}"));
                }
            }
            Err(trouble) => self.unrecorded(&trouble),
        }
    }

    pub(super) async fn ended(&mut self, ended: Ended) {
        let Ended {
            thread,
            turn,
            record,
            ..
        } = ended;
        let known = self.threads.entry(thread.clone()).or_default();
        known.before = None;
        let has_gap = std::mem::take(&mut known.has_gap);
        let Some(open) = known.open.take_if(|open| open.turn.as_ref() == Some(&turn)) else {
            return;
        };
        let below = std::mem::take(&mut known.below);
        let whole = has_gap.then(|| self.projects.recorded(&thread, &turn));
        let heard = record.map(|mut record| {
            below.iter().for_each(|below| add(&mut record, below));
            *record
        });
        // A turn that was stopped at once may have been cut off on the wire before its message was told.
        let record = whole
            .flatten()
            .or(heard)
            .or_else(|| self.projects.recorded(&thread, &turn));
        self.close(&thread, open, record).await;
    }

    /// The running turn has come to its end, however that was told.
    async fn close(&mut self, thread: &ThreadId, open: Open, record: Option<TurnRecord>) {
        let known = self.threads.entry(thread.clone()).or_default();
        known.has_gap = false;
        known.below.clear();
        known.last = record.clone().map(|record| (open.cwd.clone(), record));
        if known.source.take_if(|source| *source == OWN).is_some() {
            self.calls.leave(thread).await;
        }
        self.finish(thread, open, record).await;
    }

    /// A sub-agent has done its part.
    pub(super) async fn worked_for(&mut self, above: &Above, record: TurnRecord) {
        let Some(thread) = &above.thread else {
            return;
        };
        let known = self.threads.entry(thread.clone()).or_default();
        let is_open = known
            .open
            .as_ref()
            .is_some_and(|open| open.turn.as_ref() == Some(&above.turn));
        if is_open {
            known.below.push(record);
            return;
        }
        let Some((cwd, last)) = known
            .last
            .as_mut()
            .filter(|(_, last)| last.turn == above.turn)
        else {
            return;
        };
        add(last, &record);
        let (cwd, record) = (cwd.clone(), Box::new(last.clone()));
        let now = SystemClock.now();
        self.note(&cwd, thread, Input::Amended { now, record })
            .await;
    }

    /// A turn whose beginning wasn't seen here.
    pub(super) async fn missed(&mut self, thread: &ThreadId, turn: &TurnId) {
        let known = self.threads.entry(thread.clone()).or_default();
        let Some(open) = known.open.take() else {
            return;
        };
        // It has its sub-agents' work in it.
        let record = self.projects.recorded(thread, turn);
        self.close(thread, open, record).await;
    }

    async fn finish(&mut self, thread: &ThreadId, open: Open, record: Option<TurnRecord>) {
        let ran = Ran {
            thread: Some(thread.clone()),
            turns: record.into_iter().collect(),
            ..Ran::default()
        };
        let finished = match self.projects.of(&open.cwd) {
            Ok(Some(project)) => project.finish(&mut self.calls, &open.run, ran).await,
            Ok(None) => Ok(()),
            Err(trouble) => Err(trouble),
        };
        if let Err(trouble) = finished {
            self.unrecorded(&trouble);
        }
    }

    /// What was let begin and never began: nothing is to be recorded of it.
    pub(super) async fn close_unbegun(&mut self, thread: &ThreadId) {
        let known = self.threads.get_mut(thread);
        let unbegun = known.and_then(|known| known.open.take_if(|open| open.turn.is_none()));
        if let Some(open) = unbegun {
            self.finish(thread, open, None).await;
        }
    }

    /// Nothing more will be heard of what is open in a thread: what began is in its rollout.
    pub(super) async fn settle(&mut self, thread: &ThreadId) {
        let open = self
            .threads
            .get(thread)
            .and_then(|known| known.open.as_ref());
        match open.and_then(|open| open.turn.clone()) {
            Some(turn) => self.missed(thread, &turn).await,
            None => self.close_unbegun(thread).await,
        }
    }
}
