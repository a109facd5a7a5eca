//! The second half of a run: what it left behind becomes session, tasks, digest and journal.

use std::collections::VecDeque;

use orch_protocol::Timestamp;
use orch_protocol::fact::Event;
use orch_protocol::git::GitSnapshot;
use orch_protocol::ids::{SessionId, ThreadId};
use orch_protocol::project::{Checkpoint, RunKind};
use orch_protocol::proposal::{Change, Confidence, Proposal};
use orch_protocol::session::{Digest, SessionTurn};
use orch_protocol::task::{Actor, ClaimState};
use orch_protocol::turn::{TurnKind, TurnRecord, TurnStatus};

use crate::agent::Opinion;
use crate::archive::{Limits, leaving};
use crate::contexts::Branches;
use crate::drift::plural;
use crate::graph::cycle_closed_by;
use crate::name::{journal_name, session_id};
use crate::reverts::{reopenings, withdrawn};
use crate::rollup::{self, Came};
use crate::supervisor::{About, Effect, Ended, Recording, Supervisor};

/// The order in which agents are asked about a turn: the summary builds on the backlog.
const AGENTS: [Actor; 2] = [Actor::BacklogKeeper, Actor::Summariser];

impl Supervisor {
    pub(crate) fn ended(&mut self, ended: Ended) {
        let Some(run) = self.state.project.open_runs.get(&ended.run).cloned() else {
            return;
        };
        let (now, before) = (ended.now, run.snapshot.clone());
        self.found(&ended);
        let is_review = matches!(run.kind, RunKind::Review);
        let new: Vec<TurnRecord> = if is_review {
            Vec::new()
        } else {
            self.new_turns(&ended, run.at)
        };
        let branch = before
            .as_ref()
            .and_then(|seen| seen.head.branch())
            .map(str::to_owned);
        let session = match (&ended.thread, new.first()) {
            (Some(thread), Some(first)) => {
                let at = first.started_at.unwrap_or(run.at);
                let session = self.session_for(thread, branch.as_deref(), at);
                let opened = Event::SessionOpened {
                    session: session.clone(),
                    thread: thread.clone(),
                    branch,
                    run: run.run.clone(),
                };
                self.fact(now, Actor::Supervisor, opened);
                Some(session)
            }
            (Some(_), None) | (None, _) => None,
        };
        let mut questions = VecDeque::new();
        if let Some(session) = &session {
            for record in new {
                if record.kind == TurnKind::User {
                    questions.extend(AGENTS.map(|agent| (agent, About::Turn(record.turn.clone()))));
                }
                let recorded = Event::TurnRecorded {
                    session: session.clone(),
                    record: Box::new(record),
                    snapshot: ended.after.clone(),
                };
                self.fact(now, Actor::Supervisor, recorded);
            }
            questions.push_back((Actor::Summariser, About::SessionEnd));
        }
        let opened = session.as_ref().and_then(|id| self.state.sessions.get(id));
        let began = opened.is_some_and(|session| session.runs == [run.run]);
        self.recording = Some(Recording {
            ended,
            before,
            began,
            session,
            questions,
            done: 0,
            waiting: 0,
        });
        self.next_question(now);
    }

    /// What git was found to have done to claimed commits. Found twice, it is recorded once.
    fn found(&mut self, ended: &Ended) {
        let known = &self.state.project.rewrites;
        let pairs: Vec<_> = ended
            .rewrites
            .iter()
            .filter(|(named, found)| !known.get(named).is_some_and(|known| known.contains(found)))
            .cloned()
            .collect();
        if !pairs.is_empty() {
            self.fact(ended.now, Actor::Supervisor, Event::RewritesFound { pairs });
        }
        for proposal in withdrawn(&self.state, &ended.reverts) {
            let settled = Event::ProposalSettled {
                proposal,
                accepted: false,
            };
            self.fact(ended.now, Actor::Supervisor, settled);
        }
        for proposal in reopenings(&self.state, &ended.here, &ended.reverts, ended.now) {
            let proposal = Box::new(proposal);
            self.fact(ended.now, Actor::Supervisor, Event::Proposed { proposal });
        }
    }

    pub(crate) fn opinions(&mut self, now: Timestamp, by: Actor, opinions: Vec<Opinion>) {
        for opinion in opinions {
            match opinion {
                Opinion::Change(proposal) => self.weigh(now, *proposal),
                Opinion::Turn { turn, summary } => {
                    if let Some(session) = self
                        .recording
                        .as_ref()
                        .and_then(|recording| recording.session.clone())
                    {
                        self.fact(
                            now,
                            by,
                            Event::TurnSummarised {
                                session,
                                turn,
                                summary,
                            },
                        );
                    }
                }
                Opinion::Session { digest, journal } => self.digested(now, by, digest, journal),
            }
        }
        self.next_question(now);
    }

    /// Turns of the rollout that no session has yet, and that this run can have made.
    fn new_turns(&self, ended: &Ended, since: Timestamp) -> Vec<TurnRecord> {
        let Some(thread) = &ended.thread else {
            return Vec::new();
        };
        let known = |record: &TurnRecord| {
            self.sessions_of(thread)
                .flat_map(|session| &session.turns)
                .any(|turn| turn.record.turn == record.turn && is_told(turn))
        };
        // Upstream stamps whole seconds; a turn of this very run may seem to begin up to a second before it.
        let begins = since.as_second() - 1;
        let ours = |record: &&TurnRecord| {
            record.started_at.is_none_or(|at| at.as_second() >= begins) && !known(record)
        };
        ended.turns.iter().filter(ours).cloned().collect()
    }

    /// The session that a turn of `thread` on `branch` belongs to: its newest there, or a new one.
    fn session_for(&self, thread: &ThreadId, branch: Option<&str>, at: Timestamp) -> SessionId {
        let last = self
            .sessions_of(thread)
            .last()
            .filter(|session| session.branch.as_deref() == branch);
        last.map_or_else(
            || session_id(at, branch, thread),
            |session| session.id.clone(),
        )
    }

    fn next_question(&mut self, now: Timestamp) {
        let next = self
            .recording
            .as_mut()
            .and_then(|recording| recording.questions.pop_front());
        match next {
            Some((agent, about)) => self.effect(Effect::Consult { agent, about }),
            None => self.close(now),
        }
    }

    /// Policy: what rests on observation is applied at once, all else waits for review.
    fn weigh(&mut self, now: Timestamp, proposal: Proposal) {
        let at_once = match &proposal.change {
            Change::AddTask { .. }
            | Change::AddAlias { .. }
            | Change::AddEvidence { .. }
            | Change::AnchorClaim { .. } => true,
            Change::Claim { claim, .. } => match claim.state {
                ClaimState::Active => true,
                ClaimState::Pending
                | ClaimState::Blocked
                | ClaimState::Done
                | ClaimState::Dropped => proposal.confidence == Confidence::High,
            },
            Change::AddNeed { task, need } => {
                proposal.confidence == Confidence::High
                    && cycle_closed_by(&self.state.tasks, task, need).is_none()
            }
            Change::EditTask { .. }
            | Change::RemoveNeed { .. }
            | Change::MergeTask { .. }
            | Change::Archive { .. } => false,
        };
        let is_done = matches!(&proposal.change, Change::Claim { claim, .. } if claim.state == ClaimState::Done);
        if at_once {
            self.fact(
                now,
                proposal.by,
                Event::Changed {
                    change: proposal.change,
                    reason: proposal.reason,
                },
            );
        } else if !self.state.project.proposals.contains_key(&proposal.id) {
            if let Some(recording) = &mut self.recording {
                recording.waiting += 1;
            }
            self.fact(
                now,
                proposal.by,
                Event::Proposed {
                    proposal: Box::new(proposal),
                },
            );
        }
        if let Some(recording) = &mut self.recording {
            recording.done += usize::from(at_once && is_done);
        }
    }

    fn digested(&mut self, now: Timestamp, by: Actor, digest: Digest, text: String) {
        let Some(session) = self
            .recording
            .as_ref()
            .and_then(|recording| recording.session.clone())
        else {
            return;
        };
        let Some(known) = self.state.sessions.get(&session) else {
            return;
        };
        let journal = known.journal.clone().unwrap_or_else(|| {
            let names = self.state.journal.keys().map(String::as_str);
            journal_name(known.started_at, known.branch.as_deref(), names)
        });
        self.fact(
            now,
            by,
            Event::SessionDigested {
                session,
                digest: rollup::digest(digest),
                journal,
                text,
            },
        );
    }

    /// Rolls the short cache up into the long one, and ends the run.
    fn close(&mut self, now: Timestamp) {
        let Some(recording) = self.recording.take() else {
            return;
        };
        let Recording {
            ended,
            session,
            began,
            done,
            waiting,
            ..
        } = recording;
        let run = self.state.project.open_runs.get(&ended.run);
        let due = rollup::due(&Came {
            recovered: ended.recovered,
            commits: ended.commits.len(),
            done,
            is_turn: run.is_some_and(|run| matches!(run.kind, RunKind::Turn { .. })),
            began,
        });
        self.rename_contexts(now, &ended.branches);
        if let (true, Some(id), Some(after)) = (due.context, &session, &ended.after) {
            self.roll_up(now, id, after, &ended.branches);
        }
        self.put_contexts_away(now, &ended.branches, &ended.here);
        if due.archive {
            self.bound_contexts(now, &ended.here);
            self.archive(now, &ended);
        }
        let line = self.report(session.as_ref(), &ended, done, waiting);
        if let (Some(after), Some(trigger)) = (&ended.after, due.checkpoint) {
            let checkpoint = Checkpoint {
                at: now,
                head: after.head.clone(),
                trigger: trigger.to_owned(),
                text: rollup::checkpoint(&line),
                session,
            };
            self.fact(
                now,
                Actor::Supervisor,
                Event::CheckpointReached { checkpoint },
            );
        }
        self.fact(
            now,
            Actor::Supervisor,
            Event::RunEnded {
                run: ended.run,
                exit_code: ended.exit_code,
            },
        );
        self.effect(Effect::Tell { line });
        self.effect(Effect::Fold);
    }

    /// Moves closed tasks that nobody looks at any more out of the backlog.
    fn archive(&mut self, now: Timestamp, ended: &Ended) {
        let leaving = leaving(
            &self.state.tasks,
            &ended.here,
            ended.branches.trunk.as_deref(),
            now,
            &Limits::default(),
        );
        for task in leaving {
            let change = Change::Archive {
                task,
                archived: true,
            };
            let reason = "closed long ago".to_owned();
            self.fact(now, Actor::Supervisor, Event::Changed { change, reason });
        }
    }

    fn roll_up(
        &mut self,
        now: Timestamp,
        id: &SessionId,
        after: &GitSnapshot,
        branches: &Branches,
    ) {
        let Some(session) = self.state.sessions.get(id).cloned() else {
            return;
        };
        // The stretch belongs to the branch it began on, even when the agent left that branch on its way.
        let Some(branch) = session.branch.as_deref().map(|name| branches.now(name)) else {
            return;
        };
        let known = self.state.context(Some(branch));
        let stays = after.head.branch() == Some(branch);
        let context = rollup::context(known, &session, stays.then_some(after));
        let event = Event::ContextSet {
            branch: branch.to_owned(),
            context: Box::new(context),
        };
        self.fact(now, Actor::Supervisor, event);
    }

    /// What a run came to, in one line.
    fn report(
        &self,
        session: Option<&SessionId>,
        ended: &Ended,
        done: usize,
        waiting: usize,
    ) -> String {
        let session = session.and_then(|id| self.state.sessions.get(id));
        let last = session.and_then(|session| session.turns.last());
        let mut parts = vec![match last.map(|turn| turn.record.status) {
            Some(TurnStatus::Completed) => "turn recorded".to_owned(),
            Some(TurnStatus::Failed) => "failed turn recorded".to_owned(),
            Some(TurnStatus::Interrupted) => "interrupted turn recorded".to_owned(),
            // An ephemeral run, a review, or one that ended before its first turn.
            None => match ended.exit_code {
                Some(code) => format!("no turn recorded, exit code {code}"),
                None => "no turn recorded".to_owned(),
            },
        }];
        let commits = ended.commits.len();
        if commits > 0 {
            parts.push(format!("{commits} commit{}", plural(commits)));
        }
        if done > 0 {
            parts.push(format!("{done} task{} done", plural(done)));
        }
        if waiting > 0 {
            parts.push(format!("{waiting} to review"));
        }
        if let Some(journal) = session.and_then(|session| session.journal.as_ref()) {
            parts.push(format!("journal {journal}"));
        }
        parts.join(" · ")
    }
}

/// Whether the agents have been asked about a turn: the summary is the last they give. A turn that was recorded by a
/// process that died before that is taken up again.
fn is_told(turn: &SessionTurn) -> bool {
    turn.summary.is_some() || turn.record.kind != TurnKind::User
}
