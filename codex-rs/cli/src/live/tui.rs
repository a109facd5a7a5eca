//! The stock TUI, interposed: `codex-orch`, `codex-orch resume|fork|agents`. The TUI is started with a private home whose
//! control socket is ours, and with the arguments the user gave but for those that only the engine may see.

use std::convert::Infallible;
use std::ffi::OsString;
use std::fs::Permissions;
use std::io::IsTerminal as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use orch_engine::check::check;
use orch_engine::exec::{ExecChild, ExecPlan, Stderr};
use orch_engine::home::PrivateHome;
use orch_engine::link::listen::Listener;
use tokio::sync::mpsc;

use super::desk::News;
use super::{DeskThread, Start, Upstream, take_clients};
use crate::args::{command_at, take_no_orch};
use crate::config::Config;
use crate::trouble::Trouble;
use crate::tui_line::{Carried, Surface, TuiLine, surface};
use crate::{out, pass};

/// How often an engine is started in one session.
const STARTS: usize = 4;
/// How long a turn that still runs may go on when its TUI has ended: as with plain codex, not at all.
const PATIENCE: Duration = Duration::ZERO;

/// The command line, divided between the TUI and the engine; none when upstream is to have it as it is.
fn divided(config: &Config, args: &[OsString]) -> Option<Carried> {
    // Upstream says what it needs a terminal for.
    if !config.enabled || !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
        return None;
    }
    let line = TuiLine::read(args.to_vec());
    let profile = line
        .profile()
        .map(|name| config.home.join(format!("{name}.config.toml")));
    let profile = profile.and_then(|path| std::fs::read_to_string(path).ok());
    match line.carry(profile.as_deref()) {
        Ok(carried) => Some(carried),
        Err(why) => {
            tracing::info!(?why, "upstream has this command line as it is");
            None
        }
    }
}

/// How the TUI finds our socket.
enum Route {
    /// By its home: a local session with all that belongs to one.
    Home(PrivateHome),
    /// By `--remote`, where no such home can be made: where we listen then.
    Remote(PathBuf),
}

pub(crate) async fn run(engine: Option<OsString>, mut args: Vec<OsString>) -> Result<u8, Trouble> {
    let config = Config::load()?;
    let is_plain = take_no_orch(&mut args);
    let Some(line) = divided(&config, &args).filter(|_| !is_plain) else {
        return pass::run(engine.as_deref(), &args);
    };
    let found = config.find_engine(engine.as_deref())?;
    check(&found.program, &config.cache_dir()).await?;
    crate::logs::start(&config.home);
    let launch = config.leashed(found.program)?;
    let folder = socket_folder()?;
    let (mut upstream, engine_at) = Upstream::new();
    let start = Start {
        config: &config,
        launch: &launch,
        args: &line.engine,
        socket: folder.path().join("e"),
        no_daemon: line.no_daemon,
    };
    // It takes longest to come up, so it goes first; what the user has set is judged before there is a screen.
    upstream.spawn(&start).await?;
    if !line.engine.is_empty() {
        upstream.listening().await?;
    }
    let route = Route::make(&config, &line, folder.path())?;
    let listener = Listener::bind(&route.listen_at())?;
    let mut desk_thread = DeskThread::open(&config, engine_at.clone(), line.to_open_with())?;
    let held = out::hold();
    let child = ExecChild::spawn(&ExecPlan {
        launch: launch.clone(),
        args: route.tui_args(&line),
        envs: route.envs(),
        cwd: None,
        stderr: Stderr::Inherit,
        is_bare: true,
    })?;
    let news = desk_thread.news();
    let tui = async {
        tokio::select! {
            ended = child.wait() => ended,
            never = keep_up(&mut upstream, &start, news) => match never {},
        }
    };
    let welcome = || {
        if let Route::Home(home) = &route
            && let Err(error) = home.refresh()
        {
            tracing::warn!(%error, "the private home is not up to date");
        }
    };
    let ended = take_clients(&mut desk_thread, &listener, engine_at, welcome, tui).await;
    drop(listener);
    upstream.stop(PATIENCE).await;
    let running = desk_thread.close().await;
    route.finish();
    if running > 0 {
        // Upstream's own last words are those of a server that goes on.
        out::note(
            "a turn was still running: it ended with the TUI, and is recorded as interrupted",
        );
    }
    drop(held);
    let code = ended?.shell_code();
    Ok(u8::try_from(code).unwrap_or(1))
}

/// Starts the engine again when it has died, a few times: the TUI connects anew by itself, and goes on.
async fn keep_up(
    upstream: &mut Upstream,
    start: &Start<'_>,
    news: mpsc::Sender<News>,
) -> Infallible {
    for start_number in 1..=STARTS {
        let ended = match upstream.listening().await {
            Ok(()) => Trouble::from(upstream.died().await),
            Err(trouble) => trouble,
        };
        upstream.gone();
        // What ran is recorded as interrupted before anything new begins.
        let _ = news.send(News::EngineGone).await;
        if start_number == STARTS {
            out::note(&format!(
                "the engine ended too often ({}); what was done is kept: codex-orch resume --last goes on",
                ended.line()
            ));
            break;
        }
        out::note(&format!(
            "the engine ended ({}) and was started again",
            ended.line()
        ));
        if let Err(trouble) = upstream.spawn(start).await {
            out::note(&trouble.line());
        }
    }
    std::future::pending().await
}

/// A folder for sockets, ours alone, whose path is short enough.
pub(super) fn socket_folder() -> Result<tempfile::TempDir, Trouble> {
    tempfile::Builder::new()
        .prefix("codex-orch-")
        .permissions(Permissions::from_mode(0o700))
        .tempdir()
        .map_err(|error| {
            Trouble::new(
                format!("Failed to make a temporary folder: {error}"),
                "free some space in the system's temporary folder",
            )
        })
}

impl Route {
    fn make(config: &Config, line: &Carried, sockets: &Path) -> Result<Self, Trouble> {
        match PrivateHome::rescue(&config.home) {
            Ok(came) => tell_kept(&came),
            Err(error) => {
                tracing::warn!(%error, "what dead sessions have left could not be looked at")
            }
        }
        match PrivateHome::make(&config.home) {
            Ok(home) => {
                if !line.settings.is_empty() {
                    home.overlay(&line.settings.to_string())?;
                }
                Ok(Self::Home(home))
            }
            Err(error) => {
                out::note(&format!(
                    "{error}: the TUI connects by --remote, which has no trust prompt and refuses --add-dir and --worktree"
                ));
                Ok(Self::Remote(sockets.join("s")))
            }
        }
    }

    fn listen_at(&self) -> PathBuf {
        match self {
            Self::Home(home) => home.listen_at().to_owned(),
            Self::Remote(socket) => socket.clone(),
        }
    }

    fn envs(&self) -> Vec<(OsString, OsString)> {
        match self {
            Self::Home(home) => vec![("CODEX_HOME".into(), home.path().into())],
            Self::Remote(_) => Vec::new(),
        }
    }

    fn tui_args(&self, line: &Carried) -> Vec<OsString> {
        match self {
            Self::Home(_) => line.tui.clone(),
            Self::Remote(socket) => {
                let mut address = OsString::from("unix://");
                address.push(socket);
                with_remote(&line.tui, address)
            }
        }
    }

    fn finish(self) {
        match self {
            Self::Home(home) => match home.finish() {
                Ok(came) => tell_kept(&came),
                Err(error) => out::note(&format!(
                    "what the TUI has left is brought home by the next start: {error}"
                )),
            },
            Self::Remote(_) => {}
        }
    }
}

/// `--remote` behind the subcommand, where there is one.
fn with_remote(args: &[OsString], address: OsString) -> Vec<OsString> {
    let is_command = surface(args).is_some_and(|surface| surface != Surface::New);
    let at = match command_at(args) {
        Some(at) if is_command => at + 1,
        Some(_) | None => 0,
    };
    let mut args = args.to_vec();
    args.splice(at..at, ["--remote".into(), address]);
    args
}

/// Says what could not simply be brought home.
fn tell_kept(came: &orch_engine::homecoming::Homecoming) {
    for kept in &came.kept {
        out::note(&format!(
            "a file was changed by the TUI and by somebody else; the older one is kept as {}",
            kept.display()
        ));
    }
    for (left, error) in &came.left {
        out::note(&format!(
            "{} could not be brought home and stays there until the next start: {error}",
            left.display()
        ));
    }
}
