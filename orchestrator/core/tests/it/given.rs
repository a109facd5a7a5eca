//! A world for tests: short ways to say heads, tasks and turns, and a supervisor whose every step is checked for replay.

use orch_core::brief::BriefLimits;
use orch_core::contexts::Branches;
use orch_core::drift::OnDrift;
use orch_core::judge::{Here, Reachable};
use orch_core::run::Start;
use orch_core::state::State;
use orch_core::supervisor::{About, Effect, Ended, Input, Supervisor};
use orch_protocol::Timestamp;
use orch_protocol::fact::{Event, Fact};
use orch_protocol::git::{CommitSummary, DirtyFile, GitSnapshot, Head};
use orch_protocol::ids::*;
use orch_protocol::project::RunKind;
use orch_protocol::proposal::Change;
use orch_protocol::task::*;
use orch_protocol::turn::*;

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

pub(crate) fn commit(n: u64) -> CommitId {
    CommitId::new(format!("{n:040x}"))
}

pub(crate) fn summary(n: u64, files: &[&str]) -> CommitSummary {
    CommitSummary {
        id: commit(n),
        subject: format!("Commit {n}"),
        time: 1_800_000_000,
        files: files.iter().map(|file| (*file).to_owned()).collect(),
    }
}

pub(crate) fn branch(name: &str, n: u64) -> Head {
    Head::Branch {
        name: name.to_owned(),
        commit: commit(n),
    }
}

/// A clean work tree.
pub(crate) fn snapshot(head: Head) -> GitSnapshot {
    GitSnapshot {
        common_dir: "/repo/.git".to_owned(),
        worktree: "/repo".to_owned(),
        head,
        operation: None,
        dirty: Vec::new(),
        dirty_truncated: false,
    }
}

pub(crate) fn dirty(head: Head, files: &[&str]) -> GitSnapshot {
    GitSnapshot {
        dirty: files
            .iter()
            .map(|path| DirtyFile {
                path: (*path).to_owned(),
                blob: "b".to_owned(),
            })
            .collect(),
        ..snapshot(head)
    }
}

pub(crate) fn here(branch: &str, reached: &[u64]) -> Here {
    Here {
        branch: Some(branch.to_owned()),
        worktree: Some("/repo".to_owned()),
        head: reached.last().map(|n| commit(*n)),
        reachable: Reachable::new(reached.iter().map(|n| commit(*n))),
    }
}

/// The id that stands for a short name.
pub(crate) fn id(name: &str) -> TaskId {
    TaskId::from_seed(&[name])
}

pub(crate) fn task(name: &str) -> Task {
    Task::new(id(name), name, Origin::Person { branch: None }, at(0))
}

pub(crate) fn needing(name: &str, needs: &[&str]) -> Task {
    Task {
        needs: needs.iter().map(|need| id(need)).collect(),
        ..task(name)
    }
}

pub(crate) fn part(name: &str, parent: &str) -> Task {
    Task {
        parent: Some(id(parent)),
        ..task(name)
    }
}

pub(crate) fn said(task: Task, state: ClaimState) -> Task {
    Task {
        claims: vec![claim(state)],
        ..task
    }
}

/// A person's word, which holds everywhere.
pub(crate) fn claim(state: ClaimState) -> Claim {
    Claim {
        id: ClaimId::new("c"),
        state,
        by: Actor::Person,
        at: at(1),
        branch: Some("main".to_owned()),
        worktree: Some("/repo".to_owned()),
        commits: Vec::new(),
        files: Vec::new(),
        reason: None,
    }
}

pub(crate) fn state_of(tasks: &[Task]) -> State {
    State {
        tasks: tasks
            .iter()
            .map(|task| (task.id.clone(), task.clone()))
            .collect(),
        ..State::default()
    }
}

pub(crate) fn turn(thread: &str, turn: &str, second: i64) -> TurnRecord {
    TurnRecord {
        thread: ThreadId::new(thread),
        turn: TurnId::new(turn),
        kind: TurnKind::User,
        status: TurnStatus::Completed,
        started_at: Some(at(second)),
        ended_at: Some(at(second + 5)),
        request: "Make the importer faster".to_owned(),
        cwd: Some("/repo".to_owned()),
        model: None,
        events: vec![TurnEvent::File {
            at: None,
            path: "a.rs".to_owned(),
            change: ChangeKind::Modified,
            ok: true,
        }],
        events_dropped: 0,
        usage: TokenUsage::default(),
        commits: Vec::new(),
    }
}

/// A supervisor, its facts, and the state it began with.
pub(crate) struct Machine {
    pub(crate) supervisor: Supervisor,
    pub(crate) facts: Vec<Fact>,
    begun: State,
}

impl Machine {
    pub(crate) fn new() -> Self {
        Self::from(State::default())
    }

    pub(crate) fn from(state: State) -> Self {
        Self {
            begun: state.clone(),
            supervisor: Supervisor::new(state, LogId::new("log"), BriefLimits::default()),
            facts: Vec::new(),
        }
    }

    /// Takes an input; the effects, one short line each.
    pub(crate) fn take(&mut self, input: Input) -> Vec<String> {
        let step = self.supervisor.handle(input);
        self.facts.extend(step.facts);
        self.replayed();
        step.effects.iter().map(shown).collect()
    }

    /// The facts since `from`, by name.
    pub(crate) fn facts_since(&self, from: usize) -> Vec<&'static str> {
        self.facts[from..]
            .iter()
            .map(|fact| name(&fact.event))
            .collect()
    }

    /// Facts, read back as they are written, rebuild the state; applied again, they change nothing.
    pub(crate) fn replayed(&self) {
        let mut state = self.begun.clone();
        for fact in &self.facts {
            let written = serde_json::to_string(fact).unwrap();
            let read: Fact = serde_json::from_str(&written).unwrap();
            assert_eq!(read, *fact);
            assert!(state.apply(&read));
            assert!(!state.apply(&read));
        }
        assert_eq!(&state, self.supervisor.state());
        for fact in &self.facts {
            assert!(!state.apply(fact));
        }
        assert_eq!(&state, self.supervisor.state());
    }

    /// A whole run of a new thread that leaves one turn.
    pub(crate) fn ran(&mut self, thread: &str, before: &GitSnapshot, after: &GitSnapshot) {
        let second = self.facts.len() as i64 * 100;
        let begun = start(RunKind::Fresh, Some(before.clone()), OnDrift::Stop, second);
        let run = begun.run.clone();
        let _ = self.take(Input::Start(Box::new(begun)));
        let ended = Ended {
            thread: Some(ThreadId::new(thread)),
            turns: vec![turn(thread, &format!("turn-{second}"), second + 1)],
            after: Some(after.clone()),
            ..ended(&run, second + 10)
        };
        let _ = self.take(Input::Ended(Box::new(ended)));
        self.answer_all(second + 11);
    }

    /// Every question is answered with nothing, until none is left; the effects of the last answer.
    pub(crate) fn answer_all(&mut self, second: i64) -> Vec<String> {
        loop {
            let effects = self.take(Input::Opinions {
                now: at(second),
                by: Actor::BacklogKeeper,
                opinions: Vec::new(),
            });
            if !effects.iter().any(|effect| effect.starts_with("ask ")) {
                return effects;
            }
        }
    }
}

pub(crate) fn start(
    kind: RunKind,
    seen: Option<GitSnapshot>,
    on_drift: OnDrift,
    second: i64,
) -> Start {
    Start {
        now: at(second),
        run: RunId::new(format!("run-{second}")),
        kind,
        cwd: "/repo".to_owned(),
        codex_home: "/home".to_owned(),
        here: Here::new(seen.as_ref(), Reachable::default()),
        seen,
        branches: Branches::default(),
        on_drift,
        outlives: false,
    }
}

pub(crate) fn ended(run: &RunId, second: i64) -> Ended {
    Ended {
        now: at(second),
        run: run.clone(),
        exit_code: Some(0),
        thread: None,
        turns: Vec::new(),
        commits: Vec::new(),
        after: None,
        here: Here::default(),
        branches: Branches::default(),
        rewrites: Vec::new(),
        reverts: Vec::new(),
        recovered: false,
    }
}

pub(crate) fn resume(thread: &str) -> RunKind {
    RunKind::Resume {
        thread: ThreadId::new(thread),
    }
}

pub(crate) fn shown(effect: &Effect) -> String {
    match effect {
        Effect::Compare { .. } => "compare".to_owned(),
        Effect::Park { thread } => format!("park {thread}"),
        Effect::Launch { kind, .. } => match kind {
            RunKind::Fresh => "launch fresh".to_owned(),
            RunKind::Resume { thread } => format!("launch resume {thread}"),
            RunKind::Fork { thread } => format!("launch fork {thread}"),
            RunKind::Review => "launch review".to_owned(),
            RunKind::Turn { thread } => format!("turn of {thread}"),
        },
        Effect::Consult { agent, about } => match about {
            About::Turn(turn) => format!("ask {} about {turn}", agent.name()),
            About::SessionEnd => format!("ask {} about the end", agent.name()),
        },
        Effect::Fold => "fold".to_owned(),
        Effect::Tell { line } => format!("tell {line}"),
        Effect::Stop { hint, .. } => format!("stop: {hint}"),
        Effect::Answer(Ok(tasks)) => format!("changed {}", tasks.len()),
        Effect::Answer(Err(refusal)) => format!("refused: {refusal}"),
    }
}

pub(crate) fn name(event: &Event) -> &'static str {
    match event {
        Event::RunStarted { .. } => "run started",
        Event::RunEnded { .. } => "run ended",
        Event::SessionOpened { .. } => "session opened",
        Event::TurnRecorded { .. } => "turn recorded",
        Event::TurnSummarised { .. } => "turn summarised",
        Event::SessionDigested { .. } => "session digested",
        Event::Changed { .. } => "changed",
        Event::Proposed { .. } => "proposed",
        Event::ProposalSettled { .. } => "proposal settled",
        Event::ContextSet { .. } => "context set",
        Event::ContextMoved { .. } => "context moved",
        Event::ContextArchived { .. } => "context archived",
        Event::ContextRestored { .. } => "context restored",
        Event::CheckpointReached { .. } => "checkpoint",
        Event::DriftMet { .. } => "drift met",
        Event::DriftChosen { .. } => "drift chosen",
        Event::Anchored { .. } => "anchored",
        Event::TurnReverted { .. } => "turn reverted",
        Event::MilestoneSet { .. } => "milestone set",
        Event::RewritesFound { .. } => "rewrites found",
        Event::HandEdited { .. } => "hand edited",
        Event::Undone { .. } => "undone",
        Event::ProjectMerged { .. } => "project merged",
    }
}

/// A fact of another process.
pub(crate) fn changed(log: &str, seq: u64, change: Change) -> Fact {
    Fact {
        id: FactId {
            log: LogId::new(log),
            seq,
        },
        at: at(seq as i64),
        by: Actor::Person,
        op: 0,
        head: None,
        event: Event::Changed {
            change,
            reason: "by command".to_owned(),
        },
    }
}
