//! What happens to an open thread between its turns: the user's own commands move git, turns are taken back, a person
//! chooses what to do about a drift.

use orch_protocol::Timestamp;
use orch_protocol::fact::Event;
use orch_protocol::git::{GitSnapshot, Head};
use orch_protocol::ids::{ClaimId, ProposalId, SessionId, TaskId, ThreadId, TurnId};
use orch_protocol::project::DriftChoice;
use orch_protocol::proposal::{Change, Confidence, Proposal};
use orch_protocol::session::SessionTurn;
use orch_protocol::task::{Actor, Claim, ClaimState, Task};
use orch_protocol::turn::TurnRecord;

use crate::drift::OnDrift;
use crate::supervisor::{Effect, Supervisor};

impl Supervisor {
    /// Git moved by the user's own command in the thread: expected from now on, if the thread fitted before.
    pub(crate) fn moved(
        &mut self,
        now: Timestamp,
        thread: &ThreadId,
        (before, after): (GitSnapshot, GitSnapshot),
    ) {
        let Some(session) = self.sessions_of(thread).last() else {
            return;
        };
        let fitted = session.snapshot.as_ref().is_some_and(|expected| {
            expected.head == before.head && expected.worktree == before.worktree
        });
        if !fitted || before == after {
            return;
        }
        let session = session.id.clone();
        let snapshot = Box::new(after);
        self.fact(
            now,
            Actor::Supervisor,
            Event::Anchored { session, snapshot },
        );
        self.effect(Effect::Fold);
    }

    /// Replaces the record of a turn by one that holds more; commits were git's to find, and stay.
    pub(crate) fn amended(&mut self, now: Timestamp, mut record: TurnRecord) {
        let known = self.sessions_of(&record.thread).find_map(|session| {
            let turn = session
                .turns
                .iter()
                .find(|known| known.record.turn == record.turn)?;
            Some((session.id.clone(), turn.record.commits.clone()))
        });
        let Some((session, commits)) = known else {
            return;
        };
        record.commits = commits;
        let recorded = Event::TurnRecorded {
            session,
            record: Box::new(record),
            snapshot: None,
        };
        self.fact(now, Actor::Supervisor, recorded);
        self.effect(Effect::Fold);
    }

    /// Closes the records of turns that were taken back. What was done by them is proposed for reopening: the conversation
    /// no longer knows of it, though the files may still hold it.
    pub(crate) fn reverted(&mut self, now: Timestamp, thread: &ThreadId, turns: &[TurnId]) {
        let gone = |turn: &&SessionTurn| !turn.reverted && turns.contains(&turn.record.turn);
        let gone: Vec<(SessionId, TurnId)> = self
            .sessions_of(thread)
            .flat_map(|session| {
                let gone = session.turns.iter().filter(gone);
                gone.map(|turn| (session.id.clone(), turn.record.turn.clone()))
            })
            .collect();
        if gone.is_empty() {
            return;
        }
        let resting: Vec<Proposal> = gone
            .iter()
            .flat_map(|(session, turn)| self.resting_on(now, session, turn))
            .collect();
        for (session, turn) in gone {
            self.fact(
                now,
                Actor::Supervisor,
                Event::TurnReverted { session, turn },
            );
        }
        for proposal in resting {
            let proposal = Box::new(proposal);
            self.fact(now, Actor::Supervisor, Event::Proposed { proposal });
        }
        self.effect(Effect::Fold);
    }

    /// Tasks whose newest word is "done" and was said while this turn ran.
    fn resting_on(&self, now: Timestamp, session: &SessionId, turn: &TurnId) -> Vec<Proposal> {
        let turns = self
            .state
            .sessions
            .get(session)
            .map(|session| &session.turns);
        let Some(summary) = turns
            .and_then(|turns| turns.iter().find(|known| known.record.turn == *turn))
            .and_then(|known| known.summary.as_ref())
        else {
            return Vec::new();
        };
        let done_by_it = |task: &&Task| {
            task.claims
                .last()
                .is_some_and(|claim| claim.state == ClaimState::Done && claim.by != Actor::Person)
        };
        summary
            .tasks
            .iter()
            .filter_map(|id| self.state.tasks.get(id))
            .filter(done_by_it)
            .map(|task| reopening(now, task, turn))
            .collect()
    }

    /// A person's choice, for the thread's next turn.
    pub(crate) fn chosen(&mut self, now: Timestamp, thread: ThreadId, choice: OnDrift, head: Head) {
        let choice = Some(DriftChoice {
            at: now,
            choice: choice.name().to_owned(),
            head,
        });
        self.fact(now, Actor::Person, Event::DriftChosen { thread, choice });
        self.effect(Effect::Fold);
    }

    /// Takes up what was chosen for this thread; it no longer counts when HEAD has moved since.
    pub(crate) fn take_choice(
        &mut self,
        now: Timestamp,
        thread: &ThreadId,
        seen: Option<&GitSnapshot>,
    ) -> OnDrift {
        let Some(chosen) = self.state.project.drift_choices.get(thread).cloned() else {
            return OnDrift::Stop;
        };
        let thread = thread.clone();
        self.fact(
            now,
            Actor::Supervisor,
            Event::DriftChosen {
                thread,
                choice: None,
            },
        );
        match seen {
            Some(seen) if seen.head == chosen.head => {
                OnDrift::parse(&chosen.choice).unwrap_or(OnDrift::Stop)
            }
            Some(_) | None => OnDrift::Stop,
        }
    }
}

fn reopening(now: Timestamp, task: &Task, turn: &TurnId) -> Proposal {
    let seed: [&str; 3] = ["reverted", task.id.as_str(), turn.as_str()];
    let id: &TaskId = &task.id;
    Proposal {
        id: ProposalId::from_seed(&seed),
        by: Actor::Supervisor,
        at: now,
        change: Change::Claim {
            task: id.clone(),
            claim: Claim {
                id: ClaimId::from_seed(&seed),
                state: ClaimState::Pending,
                by: Actor::Supervisor,
                at: now,
                branch: None,
                worktree: None,
                commits: Vec::new(),
                files: Vec::new(),
                reason: Some("the turn that finished it was taken back".to_owned()),
            },
        },
        reason: "the turn that finished it was taken back".to_owned(),
        confidence: Confidence::Low,
        evidence: Vec::new(),
    }
}
