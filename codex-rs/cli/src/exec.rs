//! `codex-orch exec`: upstream's real exec with its own stdin, stdout and stderr, and the supervisor around it.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use orch_core::brief::Brief;
use orch_engine::check::check;
use orch_engine::leash::Launch;
use orch_engine::resolve::{Selector, find_thread};
use orch_protocol::ids::{RunId, ThreadId};
use orch_protocol::project::RunKind;
use orch_runtime::driver::{Outcome, Request};
use orch_runtime::ports::StateStore;
use orch_runtime::upstream::UpstreamExec;

use crate::config::{Config, own_exe};
use crate::exec_line::{ExecLine, Verb};
use crate::session::{Project, working_directory};
use crate::trouble::Trouble;
use crate::{instructions, login, mcp, out, pass};

pub(crate) async fn run(
    engine: Option<OsString>,
    root: Vec<OsString>,
    args: Vec<OsString>,
) -> Result<u8, Trouble> {
    let line = ExecLine::parse(root, args)?;
    let config = Config::load()?;
    if line.verb == Verb::Info || line.no_orch || !config.enabled {
        return pass::run(engine.as_deref(), &line.as_given());
    }
    let program = checked(&config, engine.as_deref()).await?;
    login::require(&config, &line, &program).await?;
    let folder = match line.cd() {
        Some(folder) => working_directory()?.join(folder),
        None => working_directory()?,
    };
    if !folder.is_dir() {
        // Upstream has its own words for this.
        return pass::run(engine.as_deref(), &line.as_given());
    }
    let launch = config.leashed(program)?;
    let own = instructions::own(&config, &line, &folder, &launch).await?;
    let project = Project::open(config, &folder, line.trusts());
    orchestrated(project, line, launch, own).await
}

async fn checked(config: &Config, engine: Option<&OsStr>) -> Result<PathBuf, Trouble> {
    let found = config.find_engine(engine)?;
    check(&found.program, &config.cache_dir()).await?;
    Ok(found.program)
}

async fn orchestrated(
    mut project: Project,
    line: ExecLine,
    program: Launch,
    own: Option<String>,
) -> Result<u8, Trouble> {
    let home = project.config.home.clone();
    let mut engine = UpstreamExec {
        program,
        codex_home: home.clone(),
        cwd: project.place.folder.clone(),
        line: Box::new(|_, _, _| Vec::new()),
        ephemeral: line.ephemeral(),
        copies: line.can_be_copied(),
    };
    let kind = match kind(&line, &engine).await? {
        Some(kind) => kind,
        // Upstream starts a new thread then, and says nothing of it.
        None => RunKind::Fresh,
    };
    let on_drift = line.on_drift;
    let is_unfound_resume = line.verb == Verb::Resume && kind == RunKind::Fresh;
    let server = mcp::configured(&own_exe()?, &home, line.trusts());
    engine.line = Box::new(move |run, kind, brief| {
        let configured = configured(&server, own.as_deref(), run, kind, brief);
        if is_unfound_resume {
            line.as_given_with(&configured)
        } else {
            line.for_run(kind, &configured)
        }
    });
    if let Some(notice) = project.first_notice() {
        out::note(&notice);
    }
    let run = RunId::from_seed(&[project.store.log_id().as_str(), "exec"]);
    let cwd = project.place.folder.to_string_lossy().into_owned();
    let codex_home = project.config.home.to_string_lossy().into_owned();
    let request = Request {
        run,
        kind,
        cwd,
        codex_home,
        on_drift,
        outlives: false,
    };
    project.take_in().await;
    project.turn.begin();
    let mut tell = out::note;
    let outcome = project.driver(&mut engine, &mut tell).run(request).await;
    project.turn.end();
    let closed = project.close().await;
    match outcome? {
        Outcome::Stopped { what, hint } => Err(Trouble::drift(what, hint)),
        Outcome::Ran {
            exit_code,
            signal,
            unrecorded,
        } => {
            if let Some(error) = unrecorded {
                out::note(&format!(
                    "this run is not recorded yet: {}",
                    Trouble::from(error).line()
                ));
            } else if let Err(trouble) = closed {
                out::note(&format!("recorded, but not yet folded: {}", trouble.line()));
            }
            let code = exit_code.unwrap_or_else(|| 128 + signal.unwrap_or_default());
            Ok(u8::try_from(code).unwrap_or(1))
        }
    }
}

/// What kind of run the command line asks for; none when it names a thread that isn't there.
async fn kind(line: &ExecLine, engine: &UpstreamExec) -> Result<Option<RunKind>, Trouble> {
    let selector = match (line.verb, line.session()) {
        (Verb::New | Verb::Info, _) => return Ok(Some(RunKind::Fresh)),
        (Verb::Review, _) => return Ok(Some(RunKind::Review)),
        (Verb::Resume | Verb::Fork, Some(session)) => Selector::parse(session, line.all),
        (Verb::Resume | Verb::Fork, None) => {
            let provider = line
                .override_of("model_provider")
                .map(|name| name.trim_matches('"').to_owned());
            Selector::Last {
                all: line.all,
                provider,
            }
        }
    };
    let found = match selector {
        // A UUID is taken as it is; whether it exists is said when it is opened.
        Selector::Id(thread) => Some(thread),
        selector => {
            let server = engine.app_server().await?;
            let found = find_thread(&server, &selector, &engine.cwd).await;
            server.shutdown(std::time::Duration::from_secs(5)).await?;
            found?.map(|thread| thread.id)
        }
    };
    let kind = |thread: ThreadId| match line.verb {
        Verb::Fork => RunKind::Fork { thread },
        Verb::Resume | Verb::New | Verb::Review | Verb::Info => RunKind::Resume { thread },
    };
    Ok(found.map(kind))
}

/// What we add to upstream's configuration for one run: the plan tool, `server` for our own tools, the brief.
fn configured(
    server: &[String],
    own: Option<&str>,
    run: &RunId,
    kind: &RunKind,
    brief: &Brief,
) -> Vec<String> {
    if *kind == RunKind::Review {
        return Vec::new();
    }
    let mut pairs = vec!["tools.update_plan.enabled=true".to_owned()];
    pairs.extend_from_slice(server);
    // An old thread has been told already; a new one and a copy are told here, and their rollout is found by it.
    if !matches!(kind, RunKind::Resume { .. }) {
        let said: Vec<String> = own
            .map(str::to_owned)
            .into_iter()
            .chain(brief.pieces())
            .collect();
        debug_assert!(brief.text.contains(run.as_str()), "the brief names its run");
        pairs.push(format!(
            "developer_instructions={}",
            toml::Value::from(said.join("\n\n"))
        ));
    }
    pairs
}
