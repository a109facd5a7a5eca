//! A world for tests: a state, a place in git, and turns that are recorded, considered and applied as the supervisor does.

use orch_agents::backlog_keeper::BacklogKeeper;
use orch_agents::summariser::Summariser;
use orch_core::agent::{Agent, Opinion, Question, View};
use orch_core::judge::{Here, Reachable, status_at};
use orch_core::state::State;
use orch_protocol::Timestamp;
use orch_protocol::fact::{Event, Fact};
use orch_protocol::git::{CommitSummary, DirtyFile, GitSnapshot, Head};
use orch_protocol::ids::{CommitId, FactId, LogId, RunId, SessionId, TaskId, ThreadId, TurnId};
use orch_protocol::proposal::{Change, Confidence, Proposal};
use orch_protocol::task::{Actor, Task, TaskStatus};
use orch_protocol::turn::*;

pub(crate) const START: i64 = 1_800_000_000;

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(START + second).unwrap()
}

pub(crate) fn commit(n: u64, second: i64, files: &[&str]) -> CommitSummary {
    CommitSummary {
        id: CommitId::new(format!("{n:040x}")),
        subject: format!("Commit {n}"),
        time: START + second,
        files: files.iter().map(|file| (*file).to_owned()).collect(),
    }
}

/// `"> step"` is in progress, `"x step"` completed, anything else pending.
pub(crate) fn plan(steps: &[&str]) -> TurnEvent {
    let steps = steps.iter().map(|step| match step.split_at_checked(2) {
        Some(("> ", step)) => (step, StepStatus::InProgress),
        Some(("x ", step)) => (step, StepStatus::Completed),
        _ => (*step, StepStatus::Pending),
    });
    TurnEvent::Plan {
        at: None,
        explanation: None,
        steps: steps
            .map(|(step, status)| PlanStep {
                step: step.to_owned(),
                status,
            })
            .collect(),
    }
}

pub(crate) fn ran(command: &str, kind: CommandKind, code: i32) -> TurnEvent {
    TurnEvent::Command {
        at: None,
        call_id: format!("call-{command}"),
        command: command.to_owned(),
        kind,
        exit_code: Some(code),
        vouches: true,
    }
}

/// Tests run in a pipe: exit code 0 is not theirs.
pub(crate) fn tested_unheard(code: i32) -> TurnEvent {
    let mut event = ran("cargo test | tail", CommandKind::Test, code);
    if let TurnEvent::Command { vouches, .. } = &mut event {
        *vouches = false;
    }
    event
}

pub(crate) fn tested(code: i32) -> TurnEvent {
    ran("cargo test", CommandKind::Test, code)
}

pub(crate) fn committed() -> TurnEvent {
    ran("git commit -m x", CommandKind::Commit, 0)
}

pub(crate) fn patched(path: &str) -> TurnEvent {
    TurnEvent::File {
        at: None,
        path: path.to_owned(),
        change: ChangeKind::Modified,
        ok: true,
    }
}

pub(crate) struct World {
    pub(crate) state: State,
    pub(crate) here: Here,
    pub(crate) thread: String,
    pub(crate) dirty: Vec<String>,
    pub(crate) apply_all: bool,
    seq: u64,
    turns: i64,
}

impl World {
    pub(crate) fn new() -> Self {
        let mut this = Self {
            state: State::default(),
            here: Here {
                branch: Some("main".into()),
                worktree: Some("/repo".into()),
                head: Some(CommitId::new("0".repeat(40))),
                reachable: Reachable::default(),
            },
            thread: String::new(),
            dirty: Vec::new(),
            apply_all: false,
            seq: 0,
            turns: 0,
        };
        this.open("t1");
        this
    }

    /// Goes on in another thread.
    pub(crate) fn open(&mut self, thread: &str) {
        self.thread = thread.to_owned();
        self.fact(Event::SessionOpened {
            session: self.session(),
            thread: ThreadId::new(thread),
            branch: self.here.branch.clone(),
            run: RunId::new("run"),
        });
    }

    pub(crate) fn session(&self) -> SessionId {
        SessionId::new(format!("session-{}", self.thread))
    }

    pub(crate) fn fact(&mut self, event: Event) {
        self.seq += 1;
        self.state.apply(&Fact {
            id: FactId {
                log: LogId::new("log"),
                seq: self.seq,
            },
            at: at(self.turns * 100),
            by: Actor::Supervisor,
            op: 0,
            head: None,
            event,
        });
    }

    pub(crate) fn change(&mut self, change: Change) {
        self.fact(Event::Changed {
            change,
            reason: String::new(),
        });
    }

    pub(crate) fn record(
        &mut self,
        events: Vec<TurnEvent>,
        commits: Vec<CommitSummary>,
    ) -> TurnRecord {
        self.turns += 1;
        TurnRecord {
            thread: ThreadId::new(self.thread.clone()),
            turn: TurnId::new(format!("turn-{}", self.turns)),
            kind: TurnKind::User,
            status: TurnStatus::Completed,
            started_at: Some(at(self.turns * 100)),
            ended_at: Some(at(self.turns * 100 + 90)),
            request: "Make the importer faster\nand test it".into(),
            cwd: Some("/repo".into()),
            model: None,
            events,
            events_dropped: 0,
            usage: TokenUsage::default(),
            commits,
        }
    }

    pub(crate) fn snapshot(&self, dirty: &[String]) -> GitSnapshot {
        GitSnapshot {
            common_dir: "/repo/.git".into(),
            worktree: "/repo".into(),
            head: Head::Branch {
                name: self.here.branch.clone().unwrap_or_default(),
                commit: self.here.head.clone().unwrap(),
            },
            operation: None,
            dirty: dirty
                .iter()
                .map(|path| DirtyFile {
                    path: path.clone(),
                    blob: "b".into(),
                })
                .collect(),
            dirty_truncated: false,
        }
    }

    /// A whole turn: recorded, considered, applied. `dirty` is what it leaves uncommitted.
    pub(crate) fn turn(
        &mut self,
        events: Vec<TurnEvent>,
        commits: Vec<CommitSummary>,
        dirty: &[&str],
    ) -> Vec<Proposal> {
        let record = self.record(events, commits);
        self.take(&record, dirty)
    }

    pub(crate) fn take(&mut self, record: &TurnRecord, dirty: &[&str]) -> Vec<Proposal> {
        let before = self.snapshot(&self.dirty.clone());
        self.dirty = dirty.iter().map(|path| (*path).to_owned()).collect();
        if let Some(last) = record.commits.last() {
            self.here.head = Some(last.id.clone());
        }
        let known = self
            .state
            .sessions
            .values()
            .flat_map(|session| &session.turns);
        let commits = known
            .flat_map(|turn| &turn.record.commits)
            .chain(&record.commits);
        self.here.reachable = Reachable::new(commits.map(|commit| commit.id.clone()));
        let after = self.snapshot(&self.dirty.clone());
        self.fact(Event::TurnRecorded {
            session: self.session(),
            record: Box::new(record.clone()),
            snapshot: Some(after.clone()),
        });
        let proposals = self.consider(record, &before, &after);
        for proposal in &proposals {
            if proposal.confidence == Confidence::High || self.apply_all {
                self.change(proposal.change.clone());
            } else {
                self.fact(Event::Proposed {
                    proposal: Box::new(proposal.clone()),
                });
            }
        }
        let again = self.consider(record, &before, &after);
        assert_eq!(
            again,
            [],
            "considered again, a turn proposes nothing; its plans:\n{}",
            plans(record)
        );
        for opinion in self.ask(&Summariser, record, &before, &after) {
            match opinion {
                Opinion::Turn { turn, summary } => self.fact(Event::TurnSummarised {
                    session: self.session(),
                    turn,
                    summary,
                }),
                Opinion::Change(_) | Opinion::Session { .. } => panic!("not asked for"),
            }
        }
        assert_eq!(self.ask(&Summariser, record, &before, &after), []);
        proposals
    }

    fn consider(
        &self,
        record: &TurnRecord,
        before: &GitSnapshot,
        after: &GitSnapshot,
    ) -> Vec<Proposal> {
        self.ask(&BacklogKeeper, record, before, after)
            .into_iter()
            .map(|opinion| match opinion {
                Opinion::Change(proposal) => *proposal,
                Opinion::Turn { .. } | Opinion::Session { .. } => panic!("not asked for"),
            })
            .collect()
    }

    fn ask(
        &self,
        agent: &dyn Agent,
        record: &TurnRecord,
        before: &GitSnapshot,
        after: &GitSnapshot,
    ) -> Vec<Opinion> {
        let session = self.session();
        let question = Question::Turn {
            session: &session,
            record,
            before: Some(before),
            after: Some(after),
        };
        agent.consider(self.view(), question)
    }

    pub(crate) fn view(&self) -> View<'_> {
        View {
            state: &self.state,
            here: &self.here,
            now: at(1_000_000),
        }
    }

    pub(crate) fn end(&self) -> Option<(orch_protocol::session::Digest, String)> {
        let session = self.session();
        let question = Question::SessionEnd { session: &session };
        Summariser
            .consider(self.view(), question)
            .into_iter()
            .next()
            .map(|opinion| match opinion {
                Opinion::Session { digest, journal } => (digest, journal),
                Opinion::Change(_) | Opinion::Turn { .. } => panic!("not asked for"),
            })
    }

    pub(crate) fn task(&self, title: &str) -> &Task {
        let mut tasks = self.state.tasks.values();
        tasks
            .find(|task| task.title == title)
            .unwrap_or_else(|| panic!("no task {title}"))
    }

    pub(crate) fn status(&self, task: &Task) -> TaskStatus {
        status_at(task, &self.here)
    }

    /// Every task that isn't a goal, by title, as `title: status commits|files`.
    pub(crate) fn backlog(&self) -> Vec<String> {
        let mut lines: Vec<String> = self
            .state
            .tasks
            .values()
            .filter(|task| task.id != TaskId::from_seed(&["goal", &self.thread]))
            .filter(|task| {
                task.title != "Make the importer faster and test it"
                    || task.parent.is_some()
                    || !task.claims.is_empty()
            })
            .map(|task| {
                let claim = orch_core::judge::deciding(task, &self.here);
                let mut line = format!("{}: {}", task.title, self.status(task).name());
                for commit in claim.into_iter().flat_map(|claim| &claim.commits) {
                    line.push_str(&format!(" #{}", commit.as_str().trim_start_matches('0')));
                }
                for file in claim.into_iter().flat_map(|claim| &claim.files) {
                    line.push_str(&format!(" +{file}"));
                }
                line
            })
            .collect();
        lines.sort();
        lines
    }
}

fn plans(record: &TurnRecord) -> String {
    let mut out = String::new();
    for event in &record.events {
        if let TurnEvent::Plan { steps, .. } = event {
            for step in steps {
                out.push_str(&format!("{:?} {}\n", step.status, step.step));
            }
            out.push_str("--\n");
        }
    }
    out
}
