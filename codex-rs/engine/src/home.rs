//! The private home: a `CODEX_HOME` whose entries are links to the user's own, but whose control socket is ours. The stock
//! TUI started with it connects to us. What it newly creates there is brought home when it has ended ([`crate::homecoming`]),
//! after a crash by the next start.
//!
//! Homes are numbered places, `<home>/orch/run/<n>/home`, and `<n>.lock` is held by the process that uses one. A place is
//! used again by later processes; its name stays good for ever, because upstream writes it into what outlives the session
//! (the working directory of a thread in a managed worktree).
//!
//! What it is not: no copy of anything, and no layer over the user's configuration. It never deletes in the user's home, but
//! empty folders that it made itself.

use std::ffi::OsStr;
use std::fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use crate::error::EngineError;
use crate::homecoming::{self, Homecoming};
use crate::overlay;

/// Our own folder in the user's home; not linked.
const ORCH: &str = "orch";
/// Where upstream's TUI looks for a server.
pub(crate) const CONTROL: &str = "app-server-control";
pub(crate) const SOCKET: &str = "app-server-control.sock";
/// Folders that are private: what is in them belongs to the server of this home. With the user's own, the TUI would take
/// the daemon recorded there for the one that listens here.
pub(crate) const PRIVATE: [&str; 2] = [CONTROL, "app-server-daemon"];
/// Folders that the TUI makes itself. They are made in the user's home, for a link to a missing folder can't be made one.
const FOLDERS: [&str; 4] = [
    "log",
    "tmp",
    "tui-thread-reference-capabilities",
    "worktrees",
];
/// Files that the TUI opens or creates itself, or reads after somebody else has made them: linked before they are there.
const FILES: [&str; 14] = [
    ".credentials.json",
    ".env",
    ".personality_migration",
    "AGENTS.md",
    "AGENTS.override.md",
    "auth.json",
    "config.toml",
    "history.jsonl",
    "hooks.json",
    "installation_id",
    "internal_storage.json",
    "models_cache.json",
    "session_index.jsonl",
    "version.json",
];
/// The longest path a unix socket can have.
const SOCKET_LIMIT: usize = 107;
/// Folders of sockets whose proper place has too long a path: prefix of the folder, and the name in it.
pub(crate) const SHORT: (&str, &str) = ("codex-orch-", "s");
/// More places than anybody has terminals.
const PLACES: usize = 4096;

/// A private home in use. Dropped without [`PrivateHome::finish`] it is left to [`PrivateHome::rescue`].
#[derive(Debug)]
pub struct PrivateHome {
    real: PathBuf,
    place: Place,
    socket: PathBuf,
    listen: PathBuf,
    made: Vec<PathBuf>,
}

impl PrivateHome {
    /// Makes a home over `real_home`, which is created when it isn't there. Costs one link an entry.
    ///
    /// # Errors
    /// [`EngineError::Io`].
    pub fn make(real_home: &Path) -> Result<Self, EngineError> {
        std::fs::create_dir_all(real_home).map_err(io("create", real_home))?;
        let real = behind(real_home)?;
        let run = run(&real);
        private_folder(&run).map_err(io("create", &run))?;
        same_device(&real, &run)?;
        let _turn = Turn::take(&run)?;
        let place = Place::free(&run)?;
        homecoming::bring(&real, &place.folder);
        let home = place.home();
        for folder in [&place.folder, &home] {
            private_folder(folder).map_err(io("create", folder))?;
        }
        homecoming::remember(&real, &place.folder).map_err(io("write in", &place.folder))?;
        for name in PRIVATE {
            private_folder(&home.join(name)).map_err(io("create", &home))?;
        }
        let socket = home.join(CONTROL).join(SOCKET);
        let listen = listen_at(&socket)?;
        let mut made = Vec::new();
        for name in FOLDERS {
            let folder = real.join(name);
            match std::fs::create_dir(&folder) {
                Ok(()) => made.push(folder),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(io("create", &folder)(error)),
            }
        }
        let home = Self {
            real,
            place,
            socket,
            listen,
            made,
        };
        home.refresh()?;
        Ok(home)
    }

    /// The value of `CODEX_HOME` for the TUI.
    pub fn path(&self) -> PathBuf {
        self.place.home()
    }

    /// The user's home: the value of `CODEX_HOME` for the app-server.
    pub fn real(&self) -> &Path {
        &self.real
    }

    /// Where the TUI connects to.
    pub fn control_socket(&self) -> &Path {
        &self.socket
    }

    /// Where to bind: [`PrivateHome::control_socket`], or, when that path is too long for a socket, a short one to which it
    /// is a link. The folder is there, is ours, and is readable by nobody else.
    pub fn listen_at(&self) -> &Path {
        &self.listen
    }

    /// Where the app-server behind us may listen ([`crate::serve::Serve::socket`]): beside the home, ours alone.
    pub fn engine_socket(&self) -> PathBuf {
        self.place.folder.join("engine.sock")
    }

    /// Lays `settings` (TOML) over the user's `config.toml`, for the TUI alone and for this session alone. What the TUI
    /// changes in that file reaches the user's when it has ended; the settings don't.
    ///
    /// # Errors
    /// [`EngineError::BadConfig`] when the user's file or the settings are no TOML; [`EngineError::Io`].
    pub fn overlay(&self, settings: &str) -> Result<(), EngineError> {
        let home = self.path();
        overlay::lay_over(&self.real, &self.place.folder, &home, settings).map_err(|source| {
            match source.kind() {
                ErrorKind::Other => EngineError::BadConfig {
                    message: source.to_string(),
                },
                _ => io("write in", &home)(source),
            }
        })
    }

    /// Links what has appeared in the user's home since. Nothing watches for it: call it when a client connects.
    ///
    /// # Errors
    /// [`EngineError::Io`].
    pub fn refresh(&self) -> Result<(), EngineError> {
        let home = self.path();
        let link = |name: &OsStr| match symlink(self.real.join(name), home.join(name)) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                Err(io("link in", &home)(error))
            }
            _ => Ok(()),
        };
        for entry in std::fs::read_dir(&self.real).map_err(io("read", &self.real))? {
            let name = entry.map_err(io("read", &self.real))?.file_name();
            if name != ORCH && !PRIVATE.iter().any(|private| name == *private) {
                link(&name)?;
            }
        }
        FILES.iter().try_for_each(|name| link(name.as_ref()))
    }

    /// Brings home what was created here, and frees the place. Call it when the TUI has ended.
    ///
    /// # Errors
    /// [`EngineError::Io`] when nothing could be looked at; what failed singly is in the answer, stays where it is, and is
    /// tried again by the next start.
    pub fn finish(self) -> Result<Homecoming, EngineError> {
        let run = run(&self.real);
        let _turn = Turn::take(&run)?;
        let came = homecoming::bring(&self.real, &self.place.folder);
        if !others_live(&run, &self.place)? {
            for folder in &self.made {
                // Not empty: somebody uses it.
                let _ = std::fs::remove_dir(folder);
            }
        }
        Ok(came)
    }

    /// Brings home what processes that died without [`PrivateHome::finish`] have left in their private homes.
    ///
    /// # Errors
    /// [`EngineError::Io`] when nothing could be looked at.
    pub fn rescue(real_home: &Path) -> Result<Homecoming, EngineError> {
        let mut came = Homecoming::default();
        let real = match behind(real_home) {
            Ok(real) => real,
            Err(EngineError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {
                return Ok(came);
            }
            Err(error) => return Err(error),
        };
        let run = run(&real);
        for number in numbers(&run)? {
            if let Some(place) = Place::take(&run, number)? {
                came.extend(homecoming::bring(&real, &place.folder));
            }
        }
        Ok(came)
    }
}

/// A numbered place, locked by us for as long as this lives; the lock ends with the process, however it ends.
#[derive(Debug)]
struct Place {
    folder: PathBuf,
    number: usize,
    _lock: Lock,
}

impl Place {
    fn free(run: &Path) -> Result<Self, EngineError> {
        for number in 0..PLACES {
            if let Some(place) = Self::take(run, number)? {
                return Ok(place);
            }
        }
        Err(io("find a free place in", run)(
            ErrorKind::ResourceBusy.into(),
        ))
    }

    /// `None` when a living process has it.
    fn take(run: &Path, number: usize) -> Result<Option<Self>, EngineError> {
        // The file is never removed, so that two processes can't hold locks on two files of one name.
        let path = run.join(format!("{number}.lock"));
        let lock = open_lock(&path)?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(Self {
                folder: run.join(number.to_string()),
                number,
                _lock: Lock(lock),
            })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(io("lock", &path)(error)),
        }
    }

    fn home(&self) -> PathBuf {
        self.folder.join(homecoming::HOME)
    }
}

/// A locked file. Closing it would not do: a child just being started has it open as well, for a moment.
#[derive(Debug)]
struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        if let Err(error) = self.0.unlock() {
            tracing::debug!(%error, "a lock ends with its process");
        }
    }
}

/// One process at a time makes or ends a home.
struct Turn(#[expect(dead_code, reason = "held for its lock")] Lock);

impl Turn {
    fn take(run: &Path) -> Result<Self, EngineError> {
        let path = run.join("turn.lock");
        let lock = open_lock(&path)?;
        lock.lock().map_err(io("lock", &path))?;
        Ok(Self(Lock(lock)))
    }
}

fn open_lock(path: &Path) -> Result<File, EngineError> {
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(io("open", path))
}

/// The numbers of all places that were ever used.
fn numbers(run: &Path) -> Result<Vec<usize>, EngineError> {
    let entries = match std::fs::read_dir(run) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(io("read", run))?,
    };
    let names = entries.flatten().map(|entry| entry.file_name());
    let mut numbers: Vec<usize> = names
        .filter_map(|name| name.to_str()?.strip_suffix(".lock")?.parse().ok())
        .collect();
    numbers.sort_unstable();
    Ok(numbers)
}

fn others_live(run: &Path, own: &Place) -> Result<bool, EngineError> {
    for number in numbers(run)? {
        if number != own.number && Place::take(run, number)?.is_none() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn run(real: &Path) -> PathBuf {
    real.join(ORCH).join("run")
}

/// The user's home, real and absolute, also when `home` is itself a private one (codex-orch started by a child of the TUI).
fn behind(home: &Path) -> Result<PathBuf, EngineError> {
    let home = home.canonicalize().map_err(io("resolve", home))?;
    let place = home.parent().filter(|_| home.ends_with(homecoming::HOME));
    let outer = place
        .and_then(Path::parent)
        .filter(|run| run.ends_with("orch/run"))
        .and_then(|run| run.parent()?.parent());
    Ok(outer.map_or_else(|| home.clone(), Path::to_owned))
}

/// Bringing home is renaming, which doesn't cross file systems.
fn same_device(real: &Path, run: &Path) -> Result<(), EngineError> {
    let device = |path: &Path| Ok(std::fs::metadata(path).map_err(io("read", path))?.dev());
    if device(real)? == device(run)? {
        return Ok(());
    }
    Err(io("use", run)(io::Error::new(
        ErrorKind::CrossesDevices,
        "it must be on the same file system as the folder it is in",
    )))
}

fn listen_at(socket: &Path) -> Result<PathBuf, EngineError> {
    if socket.as_os_str().as_bytes().len() <= SOCKET_LIMIT {
        return Ok(socket.to_owned());
    }
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let bases = runtime
        .filter(|base| base.is_absolute())
        .into_iter()
        .chain([std::env::temp_dir(), PathBuf::from("/tmp")]);
    let mut last = io::Error::from(ErrorKind::InvalidFilename);
    for base in bases {
        // A name that nobody could have taken before.
        let folder = tempfile::Builder::new()
            .prefix(SHORT.0)
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(&base);
        match folder {
            Ok(folder) if folder.path().as_os_str().as_bytes().len() < SOCKET_LIMIT - 1 => {
                let listen = folder.path().join(SHORT.1);
                symlink(&listen, socket).map_err(io("link", socket))?;
                // From here on bringing home removes it.
                let _ = folder.keep();
                return Ok(listen);
            }
            Ok(_) => {}
            Err(error) => last = error,
        }
    }
    Err(io("find a place for a socket short of", socket)(last))
}

fn private_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> EngineError {
    let path = path.to_owned();
    move |source| EngineError::Io {
        doing,
        path,
        source,
    }
}
