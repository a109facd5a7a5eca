//! Configuration: upstream's home, our `orch.toml` in it, and what upstream's own `config.toml` says of trust and provider.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use etcetera::{BaseStrategy, choose_base_strategy};
use orch_core::brief::BriefLimits;
use orch_engine::check::PINNED;
use orch_engine::find::{ENGINE_ENV, Found, PROBE_ENV, Search, find};
use orch_engine::install::engines_dir;
use orch_engine::leash::Launch;
use orch_engine::platform::Platform;
use serde::Deserialize;
use toml::Table;

use crate::trouble::Trouble;

/// `$CODEX_HOME/orch.toml`. An unknown field is an error: a misspelt one must not be silently without effect.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct OrchToml {
    engine: EngineToml,
    brief: BriefToml,
    record: RecordToml,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct EngineToml {
    path: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct BriefToml {
    max_chars: usize,
    max_tasks: usize,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RecordToml {
    enabled: bool,
}

impl Default for BriefToml {
    fn default() -> Self {
        let limits = BriefLimits::default();
        Self {
            max_chars: limits.chars,
            max_tasks: limits.tasks,
        }
    }
}

impl Default for RecordToml {
    fn default() -> Self {
        Self { enabled: true }
    }
}

/// What this process was configured with.
#[derive(Debug)]
pub(crate) struct Config {
    /// Upstream's home.
    pub(crate) home: PathBuf,
    /// Where an engine of ours and demos live.
    pub(crate) data_dir: PathBuf,
    /// How large a brief may become.
    pub(crate) limits: BriefLimits,
    /// Whether runs are recorded at all.
    pub(crate) enabled: bool,
    engine: Option<PathBuf>,
    user: Table,
}

impl Config {
    /// Reads what there is; a file that isn't there is an empty one.
    pub(crate) fn load() -> Result<Self, Trouble> {
        let (home, data_dir) = (codex_home()?, data_dir()?);
        let path = home.join("orch.toml");
        let orch: OrchToml = match std::fs::read_to_string(&path) {
            Ok(text) => toml::from_str(&text).map_err(|error| {
                let before = error.span().and_then(|span| text.get(..span.start));
                let at = before.unwrap_or_default().matches('\n').count() + 1;
                Trouble::new(
                    format!("{} line {at}: {}", path.display(), error.message()),
                    "docs/data-formats.md lists every field; nothing was started",
                )
            })?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => OrchToml::default(),
            Err(error) => {
                return Err(Trouble::new(
                    format!("Failed to read {}: {error}", path.display()),
                    "mend or remove it; nothing was started",
                ));
            }
        };
        // A configuration that upstream can't read is upstream's to complain about.
        let user = std::fs::read_to_string(home.join("config.toml"))
            .ok()
            .and_then(|text| text.parse().ok());
        Ok(Self {
            home,
            data_dir,
            limits: BriefLimits {
                chars: orch.brief.max_chars,
                tasks: orch.brief.max_tasks,
            },
            enabled: orch.record.enabled,
            engine: orch.engine.path,
            user: user.unwrap_or_default(),
        })
    }

    /// Whether upstream's configuration trusts a folder by name.
    pub(crate) fn trusts(&self, folder: &Path) -> bool {
        let projects = self
            .user
            .get("projects")
            .and_then(|projects| projects.as_table());
        let project = projects.and_then(|projects| projects.get(folder.to_str()?)?.as_table());
        project.and_then(|project| project.get("trust_level")?.as_str()) == Some("trusted")
    }

    /// The value of a string at the top of upstream's configuration.
    pub(crate) fn user_text(&self, key: &str) -> Option<&str> {
        self.user.get(key).and_then(|value| value.as_str())
    }

    /// Where verdicts on engines are remembered.
    pub(crate) fn cache_dir(&self) -> PathBuf {
        self.home.join("orch").join("cache")
    }

    /// Finds the engine, without running it.
    pub(crate) fn find_engine(&self, flag: Option<&std::ffi::OsStr>) -> Result<Found, Trouble> {
        Ok(find(&self.search(flag)?)?)
    }

    /// Where the engine is looked for.
    pub(crate) fn search(&self, flag: Option<&std::ffi::OsStr>) -> Result<Search, Trouble> {
        Ok(Search {
            flag: flag.map(PathBuf::from),
            env: std::env::var_os(ENGINE_ENV),
            config: self.engine.clone(),
            managed: Some(engines_dir(&self.data_dir)),
            path: std::env::var_os("PATH"),
            own_exe: own_exe()?,
            probing: std::env::var_os(PROBE_ENV).is_some(),
            platform: Platform::here()?,
        })
    }

    /// A program on a leash of ours.
    pub(crate) fn leashed(&self, program: PathBuf) -> Result<Launch, Trouble> {
        Ok(Launch {
            program,
            trampoline: Some(own_exe()?),
        })
    }

    /// What an install of the pinned engine needs.
    pub(crate) fn install(&self) -> Result<orch_engine::install::Install, Trouble> {
        Ok(orch_engine::install::Install {
            data_dir: self.data_dir.clone(),
            cache_dir: self.cache_dir(),
            version: PINNED.to_owned(),
            path: std::env::var_os("PATH").unwrap_or_default(),
            trampoline: Some(own_exe()?),
            platform: Platform::here()?,
        })
    }
}

/// This program.
pub(crate) fn own_exe() -> Result<PathBuf, Trouble> {
    std::env::current_exe().map_err(|error| {
        Trouble::new(
            format!("Failed to find this program: {error}"),
            "install codex-orch again",
        )
    })
}

/// `$CODEX_HOME`, or `~/.codex`.
fn codex_home() -> Result<PathBuf, Trouble> {
    match std::env::var_os("CODEX_HOME").filter(|value| !value.is_empty()) {
        Some(home) => std::path::absolute(PathBuf::from(home)).map_err(|error| {
            Trouble::new(
                format!("Failed to read CODEX_HOME: {error}"),
                "set it to a folder",
            )
        }),
        None => Ok(base()?.home_dir().join(".codex")),
    }
}

fn data_dir() -> Result<PathBuf, Trouble> {
    let given: Option<OsString> =
        std::env::var_os("CODEX_ORCH_DATA").filter(|value| !value.is_empty());
    match given {
        Some(dir) => std::path::absolute(PathBuf::from(dir)).map_err(|error| {
            Trouble::new(
                format!("Failed to read CODEX_ORCH_DATA: {error}"),
                "set it to a folder",
            )
        }),
        None => Ok(base()?.data_dir().join("codex-orch")),
    }
}

fn base() -> Result<impl BaseStrategy, Trouble> {
    choose_base_strategy().map_err(|_| {
        Trouble::new(
            "there is no home folder",
            "set HOME, or CODEX_HOME and CODEX_ORCH_DATA",
        )
    })
}
