//! What every command of ours begins with: the project a folder belongs to, its store, and where its tasks are judged.

use std::path::{Path, PathBuf};

use orch_agents::all;
use orch_core::agent::Agent;
use orch_core::judge::{Here, Stand};
use orch_core::state::State;
use orch_protocol::ids::TaskId;
use orch_runtime::checkout::{Checkout, Shown};
use orch_runtime::driver::Driver;
use orch_runtime::git::FolderGit;
use orch_runtime::place::{Aside, Place};
use orch_runtime::ports::{Backlog, Clock, Engine, Git as _, StateStore as _, SystemClock, Wanted};
use orch_runtime::store::{BareStore, log};
use orch_runtime::upstream::RolloutsOnly;

use crate::config::Config;
use crate::hand::TurnTimes;
use crate::out;
use crate::trouble::{Trouble, chain};

/// A project, opened.
pub(crate) struct Project {
    pub(crate) config: Config,
    pub(crate) place: Place,
    pub(crate) store: BareStore,
    pub(crate) git: FolderGit,
    /// When a turn ran in this process: what was edited then was edited by the agent.
    pub(crate) turn: TurnTimes,
    /// The edited file that was told to be no good.
    pub(crate) untaken: Option<String>,
    agents: Vec<Box<dyn Agent>>,
}

/// Whether what git says is asked for archived tasks as well.
enum Archive {
    Judged,
    Unjudged,
}

/// The state as seen from HEAD.
pub(crate) struct Seen {
    pub(crate) state: State,
    /// None outside a repository.
    pub(crate) stand: Option<Stand>,
    pub(crate) here: Here,
}

impl Seen {
    /// What the checkout shows of it.
    pub(crate) fn shown(&self) -> Shown {
        Shown::of(&self.state, &self.here)
    }

    /// The archived tasks that are there, taken out and seen as a backlog of their own.
    pub(crate) fn take_archive(&mut self) -> Self {
        Self {
            state: State {
                project: self.state.project.clone(),
                tasks: std::mem::take(&mut self.state.archive),
                ..State::default()
            },
            stand: self.stand.clone(),
            here: self.here.clone(),
        }
    }
}

impl Project {
    /// Opens the project that `folder` belongs to. `trusting` counts it as trusted whatever is configured.
    pub(crate) fn open(config: Config, folder: &Path, trusting: bool) -> Self {
        crate::logs::start(&config.home);
        let place = Place::of(folder, &config.home, |folder| {
            trusting || config.trusts(folder)
        });
        if let Some(second) = &place.second {
            out::note(&format!(
                "a second state of this project stands in {} and isn't merged into this one",
                second.display()
            ));
        }
        let store = BareStore::new(place.store.clone(), log::fresh_id(SystemClock.now()));
        let git = FolderGit::new(&place.folder).with_cache(place.store.join("cache"));
        Self {
            config,
            place,
            store,
            git,
            turn: TurnTimes::default(),
            untaken: None,
            agents: all(),
        }
    }

    /// Opens the project of the working directory.
    pub(crate) fn here() -> Result<Self, Trouble> {
        Ok(Self::open(Config::load()?, &working_directory()?, false))
    }

    /// The loop over this project's ports.
    pub(crate) fn driver<'a>(
        &'a mut self,
        engine: &'a mut dyn Engine,
        tell: &'a mut dyn FnMut(&str),
    ) -> Driver<'a> {
        Driver {
            store: &mut self.store,
            git: &self.git,
            engine,
            agents: &self.agents,
            clock: &SystemClock,
            limits: self.config.limits,
            tell,
        }
    }

    /// The state as seen from HEAD; what dead processes have left is finished, and what was edited by hand taken in first.
    pub(crate) async fn see(&mut self) -> Result<Seen, Trouble> {
        self.see_of(Backlog::Whole).await
    }

    /// [`Project::see`], with no more of the backlog than is wanted.
    pub(crate) async fn see_of(&mut self, backlog: Backlog) -> Result<Seen, Trouble> {
        self.take_in().await;
        self.look(backlog).await
    }

    /// Enough of the backlog to judge it, and the tasks whose ids begin as `given` whole, archived or not.
    pub(crate) async fn see_tasks(&mut self, given: &[String]) -> Result<Seen, Trouble> {
        self.take_in().await;
        let mut state = self.state(Backlog::Outline).await?;
        let names: Vec<String> = given.iter().filter_map(|id| TaskId::prefix(id)).collect();
        if !names.is_empty() {
            let wanted = Wanted::backlog(Backlog::Of(names.clone()));
            let whole = self.store.load(&wanted).await?;
            let is_named = |id: &TaskId| names.iter().any(|name| id.as_str().starts_with(name));
            for (id, task) in whole.tasks.into_iter().filter(|(id, _)| is_named(id)) {
                state.archive.remove(&id);
                state.tasks.insert(id, task);
            }
            for (id, task) in whole.archive.into_iter().filter(|(id, _)| is_named(id)) {
                state.tasks.remove(&id);
                state.archive.insert(id, task);
            }
        }
        self.seen(state, Archive::Judged).await
    }

    /// The whole backlog and the archive, which is judged as well.
    pub(crate) async fn see_archive(&mut self) -> Result<Seen, Trouble> {
        self.take_in().await;
        let state = self.state(Backlog::Whole).await?;
        self.seen(state, Archive::Judged).await
    }

    /// [`Project::see_of`], without looking at the checkout.
    pub(crate) async fn look(&mut self, backlog: Backlog) -> Result<Seen, Trouble> {
        let state = self.state(backlog).await?;
        self.seen(state, Archive::Unjudged).await
    }

    async fn state(&mut self, backlog: Backlog) -> Result<State, Trouble> {
        let (mut engine, mut tell) = (RolloutsOnly, out::note);
        let mut driver = self.driver(&mut engine, &mut tell);
        let supervisor = driver.open(&Wanted::backlog(backlog)).await?;
        Ok(supervisor.into_state())
    }

    async fn seen(&mut self, mut state: State, archive: Archive) -> Result<Seen, Trouble> {
        let stand = self.git.stand().await?;
        let archived = match archive {
            Archive::Judged => std::mem::take(&mut state.archive),
            Archive::Unjudged => Default::default(),
        };
        let ids: Vec<TaskId> = archived.keys().cloned().collect();
        state.tasks.extend(archived);
        let (mut engine, mut tell) = (RolloutsOnly, out::note);
        let driver = self.driver(&mut engine, &mut tell);
        let here = driver.here(&state, stand.as_ref(), &[]).await?;
        for id in ids {
            let task = state.tasks.remove(&id);
            state.archive.extend(task.map(|task| (id, task)));
        }
        Ok(Seen { state, stand, here })
    }

    /// Ends a command that only reads: all there is to do is to fold what dead processes have left. Where that can't be
    /// done, what was asked for has been shown all the same.
    pub(crate) async fn finish(self) {
        if self.store.is_unfolded() {
            self.settle().await;
        }
    }

    /// [`Project::close`] for when the command has done what it was asked for: a failure is told and fails nothing.
    pub(crate) async fn settle(self) {
        if let Err(trouble) = self.close().await {
            out::note(&format!(
                "what was recorded is safe, but not everything could be brought up to date: {}",
                trouble.line()
            ));
        }
    }

    /// Folds what is left, gives up the log, and brings the checkout up to date. What was recorded is durable already.
    pub(crate) async fn close(mut self) -> Result<(), Trouble> {
        self.take_in().await;
        self.store.fold().await?;
        // What is seen is what was folded, and what dead processes have left besides.
        let seen = self.look(Backlog::Outline).await?;
        let Self { place, store, .. } = self;
        for file in &store.unreadable {
            out::note(&format!(
                "{file} could not be read; it is kept in the store under aside/"
            ));
        }
        let (dir, id) = (place.store.clone(), log::fresh_id(SystemClock.now()));
        // The store that was read is the one that knows what it had read.
        if let Some(root) = &place.checkout {
            check_out(root, &store, seen);
        }
        store.close()?;
        let store = BareStore::new(dir, id);
        // Once in a thousand operations or so, as git does by itself.
        if store.wants_packing()
            && let Err(error) = store.pack()
        {
            tracing::warn!(error = chain(&error), "the store could not be packed");
        }
        Ok(())
    }

    /// Brings the checkout up to date while the project stays open.
    pub(crate) async fn refresh(&mut self) {
        let Some(root) = self.place.checkout.clone() else {
            return;
        };
        match self.see_of(Backlog::Outline).await {
            Ok(seen) => check_out(&root, &self.store, seen),
            Err(trouble) => {
                tracing::warn!(trouble = trouble.line(), "the checkout is not up to date")
            }
        }
    }

    /// Where things are kept, said once when the first fact is about to be stored.
    pub(crate) fn first_notice(&self) -> Option<String> {
        if self.place.store.exists() {
            return None;
        }
        let why = match self.place.aside {
            Some(Aside::Untrusted) => " (this folder isn't trusted, so nothing is written into it)",
            Some(Aside::ReadOnly) => " (the repository can't be written)",
            None => "",
        };
        Some(format!(
            "tasks, session records and a journal are kept in {}{why}; --no-orch runs without, `enabled = false` under \
             [record] in {} switches it off",
            self.place.store.display(),
            self.config.home.join("orch.toml").display(),
        ))
    }
}

fn check_out(root: &Path, store: &BareStore, seen: Seen) {
    let checkout = Checkout::new(root, store.dir());
    let shown = seen.shown();
    let Seen { here, state, .. } = seen;
    // The file is written from files: a large backlog isn't there besides.
    drop(state);
    match checkout.refresh(store, shown, &here, None) {
        Ok(told) => told.iter().for_each(|line| out::note(line)),
        Err(error) => out::note(&format!("{} (the state itself is safe)", chain(&error))),
    }
}

pub(crate) fn working_directory() -> Result<PathBuf, Trouble> {
    std::env::current_dir().map_err(|error| {
        Trouble::new(
            format!("Failed to read the working directory: {error}"),
            "cd to a folder that exists",
        )
    })
}
