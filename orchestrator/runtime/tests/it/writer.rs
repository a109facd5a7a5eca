//! Writers: processes that change one store at random, each saying what it is about to do and when that was acknowledged;
//! and the book of what they said, held against the store afterwards. The tests and the bench of reliability use it.
//!
//! Every operation leaves marks that nothing else leaves, and names a commit of its own as the one it was made at: so each
//! can be counted, in the state and in the history.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use orch_core::brief::BriefLimits;
use orch_core::command::{Asker, NewTask, TaskCommand};
use orch_core::graph::is_acyclic;
use orch_core::judge::Here;
use orch_core::state::State;
use orch_core::verify::{Known, Weight, findings};
use orch_protocol::ids::{CommitId, TaskId};
use orch_protocol::proposal::{Change, TaskEdit};
use orch_protocol::task::{Actor, ClaimState, EvidenceKind, Origin};
use orch_runtime::checkout::edits::{Against, Scope, taken};
use orch_runtime::checkout::{Checkout, Shown, TASKS, parse};
use orch_runtime::driver::Driver;
use orch_runtime::git::FolderGit;
use orch_runtime::ports::{Backlog, Clock, StateStore, SystemClock, Wanted};
use orch_runtime::store::{BareStore, log};
use orch_runtime::upstream::RolloutsOnly;

/// Where a writer's process finds its job.
const JOB: &str = "ORCH_WRITER_JOB";
/// A process that lives long folds after so many operations.
const BURST: usize = 8;

/// SplitMix64.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % limit.max(1) as u64).unwrap()
    }
}

/// What a writer is to do.
pub(crate) struct Job {
    /// The store is `store` in it, the checkout `work`.
    pub(crate) dir: PathBuf,
    /// No other writer has it.
    pub(crate) number: u64,
    pub(crate) seed: u64,
    pub(crate) count: usize,
    /// One log for all operations, as a session has it; else one each, as `tasks` commands have it.
    pub(crate) is_long: bool,
}

impl Job {
    /// Starts a process of this program, with `args`, that does the job.
    pub(crate) fn start(&self, args: &[&str]) -> Child {
        let (dir, number, seed) = (self.dir.display(), self.number, self.seed);
        let job = format!("{dir}\n{number}\n{seed}\n{}\n{}", self.count, self.is_long);
        Command::new(std::env::current_exe().unwrap())
            .args(args)
            .env(JOB, job)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// The job that this process was started for.
    pub(crate) fn given() -> Option<Self> {
        let given = std::env::var(JOB).ok()?;
        let [dir, number, seed, count, is_long] =
            given.lines().collect::<Vec<_>>().try_into().unwrap();
        Some(Self {
            dir: dir.into(),
            number: number.parse().unwrap(),
            seed: seed.parse().unwrap(),
            count: count.parse().unwrap(),
            is_long: is_long.parse().unwrap(),
        })
    }

    /// Does it.
    pub(crate) async fn work(self) {
        let mut writer = Writer {
            random: Random(self.seed),
            own: BTreeMap::new(),
            edges: Vec::new(),
            marks: Vec::new(),
            n: 0,
            job: self,
        };
        let mut store = writer.open();
        for n in 0..writer.job.count {
            writer.n = n;
            writer.step(&mut store).await;
            if !writer.job.is_long {
                writer.settle(&mut store).await;
                store.close().unwrap();
                store = writer.open();
            } else if n % BURST == BURST - 1 {
                writer.settle(&mut store).await;
            }
        }
        store.close().unwrap();
    }
}

/// What an operation leaves (or takes away): `+` or `-`, a kind, and what no other operation of that kind leaves.
type Mark = String;

struct Writer {
    job: Job,
    random: Random,
    n: usize,
    /// Tasks it added, with their titles: nobody else renames them or changes what they need.
    own: BTreeMap<TaskId, String>,
    edges: Vec<(TaskId, TaskId)>,
    /// What can be undone: the operation's commit, and what undoing it does.
    marks: Vec<(CommitId, Vec<Mark>)>,
}

impl Writer {
    fn open(&self) -> BareStore {
        BareStore::new(self.job.dir.join("store"), log::fresh_id(SystemClock.now()))
    }

    /// Folds, and brings the checkout up to date now and then.
    async fn settle(&mut self, store: &mut BareStore) {
        store.fold().await.unwrap();
        say("fold");
        if self.random.below(4) == 0 {
            let asker = self.asker();
            refresh(&self.job.dir, store, &asker).await;
        }
    }

    fn name(&self) -> String {
        format!("w{}.{}", self.job.number, self.n)
    }

    fn code(&self) -> CommitId {
        CommitId::new(format!("{:020x}{:020x}", self.job.number, self.n + 1))
    }

    fn asker(&self) -> Asker {
        asker(Some(self.code()))
    }

    async fn step(&mut self, store: &mut BareStore) {
        let outline = Wanted::backlog(Backlog::Outline);
        let state = store.load(&outline).await.unwrap();
        let ids: Vec<TaskId> = state.tasks.into_keys().collect();
        let any = ids.get(self.random.below(ids.len())).cloned();
        let nth = self.random.below(self.own.len());
        let own = self.own.keys().nth(nth).cloned();
        let name = self.name();
        match (self.random.below(16), any, own) {
            (5..=7, Some(task), _) => {
                use ClaimState::{Active, Blocked, Done, Dropped, Pending};
                let said = [Active, Blocked, Done, Dropped, Pending][self.random.below(5)];
                let command = TaskCommand::Claim {
                    task: task.to_string(),
                    state: said,
                    reason: Some(name.clone()),
                    commits: Vec::new(),
                };
                let marks = [format!("claim {name}"), format!("said {name}")];
                self.undoable(store, command, &marks).await;
            }
            (8..=9, Some(task), _) => {
                let command = edit(
                    &task,
                    TaskEdit {
                        note: Some(name.clone()),
                        ..TaskEdit::default()
                    },
                );
                self.undoable(store, command, &[format!("note {name}")])
                    .await;
            }
            (10, Some(task), _) => {
                let command = TaskCommand::Link {
                    task: task.to_string(),
                    commit: self.code(),
                };
                let mark = format!("evidence {}", self.code());
                self.undoable(store, command, &[mark]).await;
            }
            (11, _, Some(task)) => {
                let title = TaskEdit {
                    title: Some(name.clone()),
                    ..TaskEdit::default()
                };
                let marks = [
                    format!("-title {}", self.own[&task]),
                    format!("+title {name}"),
                ];
                if self.run(store, edit(&task, title), &marks).await.is_some() {
                    self.own.insert(task, name);
                }
            }
            (12..=13, Some(need), Some(task)) if need != task => {
                let mark = format!("+edge {task}>{need}");
                let command = TaskCommand::Need {
                    task: task.to_string(),
                    need: need.to_string(),
                };
                if self.run(store, command, &[mark]).await.is_some() {
                    self.edges.push((task, need));
                }
            }
            (14, _, _) if !self.edges.is_empty() => {
                let at = self.random.below(self.edges.len());
                let (task, need) = self.edges.swap_remove(at);
                let mark = format!("-edge {task}>{need}");
                let command = TaskCommand::Unneed {
                    task: task.to_string(),
                    need: need.to_string(),
                };
                self.run(store, command, &[mark]).await;
            }
            (15, _, _) if !self.marks.is_empty() => self.undo(store).await,
            _ => {
                let new = NewTask {
                    title: name.clone(),
                    ..NewTask::default()
                };
                let mark = format!("+title {name}");
                if let Some(id) = self.run(store, TaskCommand::Add(new), &[mark]).await {
                    self.own.insert(id, name);
                }
            }
        }
    }

    async fn undoable(&mut self, store: &mut BareStore, command: TaskCommand, marks: &[Mark]) {
        let made: Vec<Mark> = marks.iter().map(|mark| format!("+{mark}")).collect();
        if self.run(store, command, &made).await.is_some() {
            let undone = marks.iter().map(|mark| format!("-{mark}")).collect();
            self.marks.push((self.code(), undone));
        }
    }

    /// Carries a command out and says so; none when it was refused.
    async fn run(
        &mut self,
        store: &mut BareStore,
        command: TaskCommand,
        marks: &[Mark],
    ) -> Option<TaskId> {
        say(&format!("try\t{}\t{}", self.code(), marks.join("|")));
        let asker = self.asker();
        let done = {
            let (git, mut engine, mut tell) =
                (FolderGit::new(&self.job.dir), RolloutsOnly, |_: &str| {});
            driver(store, &git, &mut engine, &mut tell)
                .command(asker, command)
                .await
                .unwrap()
        };
        say(&format!(
            "{}\t{}",
            if done.is_ok() { "ack" } else { "void" },
            self.code()
        ));
        done.ok().map(|named| named[0].id.clone())
    }

    /// Takes back one of its own operations, or brings it again.
    async fn undo(&mut self, store: &mut BareStore) {
        store.fold().await.unwrap();
        let at = self.random.below(self.marks.len());
        let (code, marks) = self.marks[at].clone();
        let operations = store.operations(usize::MAX).unwrap();
        let found = operations
            .into_iter()
            .find(|done| done.code.as_ref() == Some(&code));
        let operation = found.unwrap_or_else(|| panic!("{code} is not in the history"));
        let versions = store.versions(&operation.id).unwrap();
        say(&format!("try\t{}\t{}", self.code(), marks.join("|")));
        let asker = self.asker();
        let done = {
            let (git, mut engine, mut tell) =
                (FolderGit::new(&self.job.dir), RolloutsOnly, |_: &str| {});
            driver(store, &git, &mut engine, &mut tell)
                .undo(asker, &operation, versions)
                .await
                .unwrap()
        };
        assert!(done, "there is something to undo of {code}");
        say(&format!("ack\t{}", self.code()));
        let turned = |mark: &Mark| match mark.strip_prefix('-') {
            Some(gone) => format!("+{gone}"),
            None => format!("-{}", mark.trim_start_matches('+')),
        };
        let again = marks.iter().map(turned).collect();
        self.marks[at] = (self.code(), again);
    }
}

fn asker(head: Option<CommitId>) -> Asker {
    Asker {
        by: Actor::Person,
        origin: Origin::Person { branch: None },
        branch: Some("main".to_owned()),
        worktree: None,
        head,
        now: SystemClock.now(),
        nonce: String::new(),
    }
}

fn driver<'a>(
    store: &'a mut BareStore,
    git: &'a FolderGit,
    engine: &'a mut RolloutsOnly,
    tell: &'a mut dyn FnMut(&str),
) -> Driver<'a> {
    Driver {
        store,
        git,
        engine,
        agents: &[],
        clock: &SystemClock,
        limits: BriefLimits::default(),
        tell,
    }
}

fn edit(task: &TaskId, edit: TaskEdit) -> TaskCommand {
    TaskCommand::Edit {
        task: task.to_string(),
        edit,
    }
}

/// One line, in one piece: what was said before a kill can be read after it.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("\n> {line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

/// Brings the checkout up to date, as a command does: one that a killed writer has left half done may be taken for an edit
/// by hand, and has to come to nothing.
async fn refresh(dir: &Path, store: &mut BareStore, asker: &Asker) -> Vec<String> {
    let checkout = Checkout::new(&dir.join("work"), store.dir());
    let (here, edited) = (Here::default(), checkout.edited().unwrap());
    let state = store.load(&Wanted::default()).await.unwrap();
    if let Some(edited) = &edited {
        let base = edited
            .bases
            .iter()
            .find_map(|base| store.state_at(base).unwrap());
        let base = base.unwrap();
        let shown = edited.shown(&base.tasks, &here);
        let against = Against {
            base: &base.tasks,
            comments: base.project.comments.as_ref(),
            shown: &|id| shown.get(id).cloned(),
            now: &state,
            asker,
            saved: edited.saved,
            scope: Scope::Whole,
        };
        let parsed = parse::read(&edited.text).unwrap();
        let taken = taken(&against, &parsed).unwrap();
        assert!(taken.is_empty(), "nobody edits anything: {taken:?}");
    }
    let content = edited.map(|edited| edited.content);
    checkout
        .refresh(store, Shown::of(&state, &here), &here, content.as_deref())
        .unwrap()
}

/// What the writers of one store have said.
#[derive(Default)]
pub(crate) struct Book {
    /// Operations by the commits they named: acknowledged or not.
    pub(crate) operations: BTreeMap<String, bool>,
    /// Marks by kind and name: whether it is there, and whether it will be if what was begun came through.
    marks: BTreeMap<Mark, (bool, Option<bool>)>,
    begun: BTreeMap<String, Vec<Mark>>,
    /// How often a writer folded.
    pub(crate) folds: usize,
    /// How many operations were refused.
    pub(crate) refused: usize,
}

impl Book {
    /// Reads what a writer says, until it has said `acks` acknowledgements or has ended.
    pub(crate) fn hear(&mut self, lines: &mut impl Iterator<Item = String>, acks: usize) {
        let mut heard = 0;
        while heard < acks {
            let Some(line) = lines.next() else { return };
            let said = line.strip_prefix("> ").unwrap_or_default();
            match said.split('\t').collect::<Vec<_>>().as_slice() {
                ["try", code, marks] => self.begin(code, marks),
                ["ack", code] => {
                    heard += 1;
                    self.operations.insert((*code).to_owned(), true);
                    self.end(code, |(_, to)| (to.unwrap_or_default(), None));
                }
                ["void", code] => {
                    self.refused += 1;
                    self.operations.remove(*code);
                    self.end(code, |(is, _)| (is, None));
                }
                ["fold"] => self.folds += 1,
                _ => {}
            }
        }
    }

    fn begin(&mut self, code: &str, marks: &str) {
        let marks: Vec<Mark> = marks.split('|').map(str::to_owned).collect();
        for mark in &marks {
            let (sign, name) = mark.split_at(1);
            self.marks.entry(name.to_owned()).or_default().1 = Some(sign == "+");
        }
        self.operations.insert(code.to_owned(), false);
        self.begun.insert(code.to_owned(), marks);
    }

    fn end(&mut self, code: &str, turn: impl Fn((bool, Option<bool>)) -> (bool, Option<bool>)) {
        for mark in self.begun.remove(code).unwrap() {
            let known = self.marks.get_mut(&mark[1..]).unwrap();
            *known = turn(*known);
        }
    }

    /// Takes in what another writer has said meanwhile. No mark is made by two of them.
    pub(crate) fn add(&mut self, other: Self) {
        self.operations.extend(other.operations);
        self.marks.extend(other.marks);
        self.begun.extend(other.begun);
        self.folds += other.folds;
        self.refused += other.refused;
    }

    pub(crate) fn acknowledged(&self) -> usize {
        self.operations.values().filter(|acked| **acked).count()
    }

    /// What of the state isn't as the writers were told; nothing, if all is well.
    pub(crate) fn wrong_in(&self, state: &State) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut found: BTreeMap<Mark, usize> = BTreeMap::new();
        let mut count = |mark: Mark| *found.entry(mark).or_default() += 1;
        for task in state.tasks.values() {
            count(format!("title {}", task.title));
            for claim in &task.claims {
                count(format!("claim {}", claim.reason.as_deref().unwrap_or("?")));
            }
            task.notes
                .iter()
                .for_each(|note| count(format!("note {note}")));
            for seen in &task.evidence {
                match seen.kind {
                    EvidenceKind::Note => count(format!("said {}", seen.reference)),
                    _ => count(format!("evidence {}", seen.reference)),
                }
            }
            let edges = task
                .needs
                .iter()
                .map(|need| format!("edge {}>{need}", task.id));
            edges.for_each(&mut count);
        }
        // Two writers may have closed a cycle: the edge that was left out waits for review.
        let waiting = |mark: &str| {
            let proposals = state.project.proposals.values();
            proposals.map(|proposal| &proposal.change).any(|change| {
                matches!(change, Change::AddNeed { task, need } if mark == format!("edge {task}>{need}"))
            })
        };
        for (mark, (is, to)) in &self.marks {
            let times = found.remove(mark).unwrap_or(0);
            let may_be = |there: bool| *is == there || *to == Some(there);
            let well = match times {
                0 => may_be(false) || waiting(mark),
                1 => may_be(true),
                _ => false,
            };
            if !well {
                wrong.push(format!(
                    "{mark}: {times} times, and it was said {is}, {to:?}"
                ));
            }
        }
        wrong.extend(found.keys().map(|mark| format!("{mark}: nobody made it")));
        if !is_acyclic(&state.tasks) {
            wrong.push("tasks need one another in a circle".to_owned());
        }
        wrong
    }

    /// Looks at everything once the writers are gone: state, history (by git), files, checkout.
    pub(crate) async fn audit(&self, dir: &Path) -> Audit {
        let mut store = BareStore::new(dir.join("store"), log::fresh_id(SystemClock.now()));
        store.fold().await.unwrap();
        let state = store.load(&Wanted::default()).await.unwrap();
        let mut wrong = self.wrong_in(&state);
        let bare = dir.join("store/store.git");
        let fsck = git(&bare, &["fsck", "--strict", "--no-dangling"]);
        wrong.extend(fsck.lines().map(|line| format!("git fsck: {line}")));
        let format = "--format=%(trailers:key=Code-Commit,valueonly)";
        let history = git(&bare, &["log", format, "refs/codex-orch/state"]);
        let mut made: BTreeMap<&str, usize> = BTreeMap::new();
        for code in history.lines().filter(|line| !line.is_empty()) {
            *made.entry(code).or_default() += 1;
        }
        for (code, acked) in &self.operations {
            let times = made.remove(code.as_str()).unwrap_or(0);
            if times > 1 || (*acked && times == 0) {
                wrong.push(format!("operation {code}: {times} times in the history"));
            }
        }
        wrong.extend(
            made.keys()
                .map(|code| format!("operation {code}: nobody's")),
        );
        let checked = store.check().unwrap();
        let broken = findings(&checked.state, &Known::default());
        let broken = broken.into_iter().chain(checked.findings);
        wrong.extend(
            broken
                .filter(|found| found.weight == Weight::Broken)
                .map(|found| format!("{}: {}", found.place, found.what)),
        );
        let left = std::fs::read_dir(dir.join("store/log")).unwrap().flatten();
        wrong.extend(left.map(|entry| format!("{} is left", entry.path().display())));
        wrong.extend(refresh(dir, &mut store, &asker(None)).await);
        let shown = std::fs::read_to_string(dir.join("work").join(TASKS)).unwrap();
        let shown = parse::read(&shown).map(|parsed| parsed.entries.len());
        if shown.as_ref().ok() != Some(&state.tasks.len()) {
            wrong.push(format!("the checkout shows {shown:?} tasks"));
        }
        Audit {
            wrong,
            tasks: state.tasks.len(),
            commits: git(&bare, &["rev-list", "--count", "refs/codex-orch/state"])
                .parse()
                .unwrap(),
        }
    }
}

/// What an audit found.
#[derive(Debug)]
pub(crate) struct Audit {
    /// What isn't as it should be.
    pub(crate) wrong: Vec<String>,
    /// Tasks in the backlog.
    pub(crate) tasks: usize,
    /// State commits in the history.
    pub(crate) commits: usize,
}

/// The lines of a writer, as they come.
pub(crate) fn lines(child: &mut Child) -> impl Iterator<Item = String> + use<> {
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    lines.map_while(Result::ok)
}

fn git(dir: &Path, args: &[&str]) -> String {
    let out = Command::new("git")
        .arg("--git-dir")
        .arg(dir)
        .args(args)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&out.stderr).into_owned();
    let found = String::from_utf8_lossy(&out.stdout).into_owned();
    match out.status.success() {
        true => found.trim_end().to_owned(),
        false => format!("{found}{told}"),
    }
}
