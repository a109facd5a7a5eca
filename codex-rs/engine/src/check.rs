//! Whether a binary fits: its version, and the app-server methods codex-orch calls, against the binary's own schema. The
//! policy is in this file. It does not look for binaries ([`crate::find`]) and judges no behaviour beyond the protocol.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::process::Command;

use crate::error::EngineError;
use crate::find::PROBE_ENV;
use crate::verdicts::{Facts, Verdicts};

/// The version codex-orch installs, and was verified with.
pub const PINNED: &str = "0.169.0";
/// The oldest version accepted. Nothing older was verified; newer ones are fine as long as they have [`REQUIRED`].
pub const MINIMUM: &str = "0.169.0";
/// The client requests that codex-orch makes, edits or holds ([`crate::interpose`]): under another name they would pass it by.
pub const REQUIRED: [&str; 18] = [
    "initialize",
    "config/read",
    "thread/list",
    "thread/resume",
    "thread/fork",
    "thread/inject_items",
    "thread/unsubscribe",
    "thread/read",
    "thread/start",
    "thread/goal/set",
    "thread/shellCommand",
    "thread/revert",
    "thread/compact/start",
    "thread/queue/add",
    "thread/queue/start",
    "turn/start",
    "turn/interrupt",
    "review/start",
];

/// How long a binary may take to say what it is. A cold 300 MB file on a slow disk takes seconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// A version as upstream numbers them; a pre-release comes before its release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Version {
    numbers: [u64; 3],
    pre: Option<String>,
}

/// A binary that fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// Its version.
    pub version: Version,
    /// Whether this was known from an earlier check of the same file.
    pub cached: bool,
}

/// Checks `binary`, remembering the answer in `cache_dir` by path, size and modification time. A known binary costs a stat
/// and a small read; a new one about half a second. A cache that cannot be read or written is done without.
///
/// # Errors
/// [`EngineError::NoVersion`], [`EngineError::NoSchema`], [`EngineError::TooOld`] or [`EngineError::MissingMethods`].
pub async fn check(binary: &Path, cache_dir: &Path) -> Result<Checked, EngineError> {
    let mut verdicts = Verdicts::open(cache_dir);
    if let Some(facts) = verdicts.get(binary) {
        return judge(binary, facts, true);
    }
    let facts = probe(binary, cache_dir).await?;
    verdicts.put(binary, &facts);
    judge(binary, facts, false)
}

/// The policy.
fn judge(binary: &Path, facts: Facts, cached: bool) -> Result<Checked, EngineError> {
    let Facts { version, missing } = facts;
    let path = binary.to_owned();
    if Version::parse(MINIMUM).is_some_and(|minimum| version < minimum) {
        return Err(EngineError::TooOld {
            path,
            found: version,
        });
    }
    if !missing.is_empty() {
        return Err(EngineError::MissingMethods {
            path,
            version,
            missing,
        });
    }
    Ok(Checked { version, cached })
}

async fn probe(binary: &Path, cache_dir: &Path) -> Result<Facts, EngineError> {
    // The binary must not meet the user's configuration, nor leave anything in their CODEX_HOME.
    let scratch = tempfile::Builder::new()
        .prefix("probe-")
        .tempdir_in(cache_dir)
        .or_else(|_| tempfile::tempdir())
        .map_err(|source| EngineError::Io {
            doing: "make a temporary folder in",
            path: cache_dir.to_owned(),
            source,
        })?;
    let version = version(binary, scratch.path()).await?;
    // An old binary may not even know how to print its schema; its age is the thing to tell.
    if Version::parse(MINIMUM).is_some_and(|minimum| version < minimum) {
        return Ok(Facts {
            version,
            missing: Vec::new(),
        });
    }
    let methods = methods(binary, scratch.path()).await?;
    let missing = REQUIRED
        .iter()
        .filter(|method| !methods.contains(**method))
        .map(|method| (*method).to_owned())
        .collect();
    Ok(Facts { version, missing })
}

async fn version(binary: &Path, home: &Path) -> Result<Version, EngineError> {
    let fail = |why| EngineError::NoVersion {
        path: binary.to_owned(),
        why,
    };
    let output = run(binary, home, &["--version"]).await.map_err(fail)?;
    let text = String::from_utf8_lossy(&output.stdout);
    let first = text.lines().next().unwrap_or_default().trim();
    first
        .strip_prefix("codex-cli ")
        .and_then(Version::parse)
        .ok_or_else(|| {
            fail(format!(
                "it said {:?}",
                first.chars().take(80).collect::<String>()
            ))
        })
}

async fn methods(binary: &Path, home: &Path) -> Result<BTreeSet<String>, EngineError> {
    let fail = |why: String| EngineError::NoSchema {
        path: binary.to_owned(),
        why,
    };
    let out = home.join("schema");
    let dir = out.to_string_lossy();
    let args = [
        "app-server",
        "generate-json-schema",
        "--experimental",
        "--out",
        &dir,
    ];
    run(binary, home, &args).await.map_err(fail)?;
    let file = out.join("ClientRequest.json");
    let bytes =
        std::fs::read(&file).map_err(|error| fail(format!("ClientRequest.json: {error}")))?;
    let schema: ClientRequest = serde_json::from_slice(&bytes)
        .map_err(|error| fail(format!("ClientRequest.json: {error}")))?;
    let variants = schema.one_of.into_iter();
    Ok(variants
        .flat_map(|variant| variant.properties.method.names)
        .collect())
}

async fn run(binary: &Path, home: &Path, args: &[&str]) -> Result<Output, String> {
    let running = Command::new(binary)
        .args(args)
        .env("CODEX_HOME", home)
        .env(PROBE_ENV, "1")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = match tokio::time::timeout(PATIENCE, running).await {
        Err(_) => return Err(format!("no answer within {PATIENCE:?}")),
        Ok(Err(error)) => return Err(error.to_string()),
        Ok(Ok(output)) => output,
    };
    if output.status.success() {
        return Ok(output);
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    let last = stderr.lines().rev().find(|line| !line.trim().is_empty());
    Err(format!(
        "{}: {}",
        output.status,
        last.unwrap_or("it said nothing")
    ))
}

#[derive(Deserialize)]
struct ClientRequest {
    #[serde(rename = "oneOf")]
    one_of: Vec<Variant>,
}

#[derive(Deserialize)]
struct Variant {
    properties: Properties,
}

#[derive(Deserialize)]
struct Properties {
    method: Method,
}

#[derive(Deserialize)]
struct Method {
    #[serde(rename = "enum")]
    names: Vec<String>,
}

impl Version {
    /// Parses `X.Y.Z` or `X.Y.Z-pre`.
    pub fn parse(text: &str) -> Option<Self> {
        let (numbers, pre) = match text.split_once('-') {
            Some((_, "")) => return None,
            Some((numbers, pre)) => (numbers, Some(pre.to_owned())),
            None => (text, None),
        };
        let mut parts = numbers.split('.').map(|part| {
            let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            digits.then(|| part.parse().ok()).flatten()
        });
        let numbers = [parts.next()??, parts.next()??, parts.next()??];
        parts.next().is_none().then_some(Self { numbers, pre })
    }

    /// Whether this is [`PINNED`].
    pub fn is_pinned(&self) -> bool {
        Self::parse(PINNED).as_ref() == Some(self)
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let key = |version: &Self| (version.numbers, version.pre.is_none(), version.pre.clone());
        key(self).cmp(&key(other))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.numbers;
        write!(f, "{major}.{minor}.{patch}")?;
        self.pre.iter().try_for_each(|pre| write!(f, "-{pre}"))
    }
}

impl TryFrom<String> for Version {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).ok_or_else(|| format!("not a version: {text}"))
    }
}

impl From<Version> for String {
    fn from(version: Version) -> Self {
        version.to_string()
    }
}
