//! Finds the engine, or gets it: for whoever can't go on without one (the demo, the tests). It decides nothing else.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::check::{PINNED, check};
use crate::error::EngineError;
use crate::find::{Search, find};
use crate::install::{Install, Progress, engines_dir, install};
use crate::platform::Platform;

/// The engine that `search` finds, if it fits; else the pinned one, installed as `plan` says. An engine that was named
/// explicitly and can't be used is an error, never replaced in silence.
///
/// # Errors
/// Those of [`find`] for an explicit source, of [`check`], and of [`install`].
pub async fn obtain(
    search: &Search,
    plan: &Install,
    report: impl FnMut(Progress),
) -> Result<PathBuf, EngineError> {
    let explicit = search.flag.is_some()
        || search.config.is_some()
        || search.env.as_ref().is_some_and(|value| !value.is_empty());
    match find(search) {
        Ok(found) => match check(&found.program, &plan.cache_dir).await {
            Ok(_) => return Ok(found.program),
            Err(error) if explicit => return Err(error),
            Err(error) => {
                tracing::info!(%error, program = %found.program.display(), "passed over");
            }
        },
        Err(error) if explicit => return Err(error),
        Err(error) => tracing::info!(%error, "no engine yet"),
    }
    Ok(install(plan, report).await?.program)
}

/// The engine that `named` names, else the pinned one, installed below `data_dir` if it isn't there: for whoever needs just
/// that version, whatever else is on `path`. `path` is where npm is looked for.
///
/// # Errors
/// Those of [`obtain`].
pub async fn obtain_pinned(
    named: Option<OsString>,
    data_dir: &Path,
    path: OsString,
) -> Result<PathBuf, EngineError> {
    let platform = Platform::here()?;
    let search = Search {
        flag: None,
        env: named,
        config: None,
        managed: Some(engines_dir(data_dir)),
        path: None,
        // Nothing that could be ourselves is looked at.
        own_exe: PathBuf::new(),
        probing: false,
        platform,
    };
    let plan = Install {
        data_dir: data_dir.to_owned(),
        cache_dir: data_dir.join("cache"),
        version: PINNED.to_owned(),
        path,
        trampoline: None,
        platform,
    };
    obtain(&search, &plan, |_| {}).await
}
