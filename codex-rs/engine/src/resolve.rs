//! Which thread `codex exec resume` will take, by upstream's rules as of 0.169, so that it can be looked at before upstream
//! opens it. It opens nothing itself.
//!
//! The rules, as found by experiment:
//! - An id (a UUID in any spelling) is taken as it is: any folder, any provider. Unknown or archived ones end upstream
//!   with exit code 1.
//! - `--last`: the most recently updated thread of any source that is not archived, of the configured model provider, and
//!   whose *latest turn* ran in this folder (links resolved, children not counted). `--all` drops the folder, not the provider.
//! - A name: exact, case counts; of any provider; most recently updated first; its recorded, first or latest folder is this
//!   one, unless `--all`. A fork bears its source's name.
//! - **When `--last` or a name finds nothing, upstream starts a new thread** and says nothing of it.

use std::path::{Path, PathBuf};

use orch_protocol::ids::ThreadId;

use crate::app_server::AppServer;
use crate::error::EngineError;
use crate::rollout_cwd;
use crate::threads::{ALL_SOURCES, ThreadPage, ThreadQuery, ThreadSummary};

/// Upstream's page size; the same, so that the same pages are asked for.
const PAGE: u32 = 100;
/// Upstream's provider when none is configured.
const DEFAULT_PROVIDER: &str = "openai";

/// What a person asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// `--last`.
    Last {
        /// `--all`: in any folder.
        all: bool,
        /// The provider of the command line (`-c model_provider=…`, `--oss`); `None` is the configured one.
        provider: Option<String>,
    },
    /// A thread id.
    Id(ThreadId),
    /// A thread's name.
    Name {
        /// The name.
        name: String,
        /// `--all`: in any folder.
        all: bool,
    },
}

impl Selector {
    /// Reads the argument of `resume`: an id if it is one, else a name.
    pub fn parse(text: &str, all: bool) -> Self {
        match parse_uuid(text) {
            Some(id) => Self::Id(id),
            None => Self::Name {
                name: text.to_owned(),
                all,
            },
        }
    }
}

/// Finds the thread upstream would take when run in `cwd`. `None`: upstream would start a new one, or, for an id, fail.
///
/// # Errors
/// Those of any call.
pub async fn find_thread(
    server: &AppServer,
    selector: &Selector,
    cwd: &Path,
) -> Result<Option<ThreadSummary>, EngineError> {
    match selector {
        Selector::Id(id) => match server.thread_read(id).await {
            Ok(thread) => Ok(Some(thread)),
            Err(EngineError::ThreadUnknown { .. }) => Ok(None),
            Err(error) => Err(error),
        },
        Selector::Last { all, provider } => last(server, *all, provider.clone(), cwd).await,
        Selector::Name { name, all } => named(server, name, *all, cwd).await,
    }
}

async fn last(
    server: &AppServer,
    all: bool,
    provider: Option<String>,
    cwd: &Path,
) -> Result<Option<ThreadSummary>, EngineError> {
    let provider = match provider {
        Some(provider) => provider,
        None => {
            let configured = server.config_read(cwd).await?.model_provider;
            configured.unwrap_or_else(|| DEFAULT_PROVIDER.to_owned())
        }
    };
    let mut pages = Pages::of(ThreadQuery {
        providers: Some(vec![provider]),
        ..everything()
    });
    while let Some(page) = pages.next(server).await? {
        for thread in page.threads {
            if all || same(&latest_cwd(&thread).await, cwd) {
                return Ok(Some(thread));
            }
        }
    }
    Ok(None)
}

async fn named(
    server: &AppServer,
    name: &str,
    all: bool,
    cwd: &Path,
) -> Result<Option<ThreadSummary>, EngineError> {
    let mut pages = Pages::of(ThreadQuery {
        providers: Some(Vec::new()),
        search: Some(name.to_owned()),
        ..everything()
    });
    // A thread recorded for this folder goes before one that only began or went on here.
    let mut second = None;
    while let Some(page) = pages.next(server).await? {
        for thread in page.threads {
            if thread.name.as_deref() != Some(name) {
                continue;
            }
            if all || same(&thread.cwd, cwd) {
                return Ok(Some(thread));
            }
            if second.is_none()
                && (same(&first_cwd(&thread).await, cwd) || same(&latest_cwd(&thread).await, cwd))
            {
                second = Some(thread);
            }
        }
    }
    Ok(second)
}

fn everything() -> ThreadQuery {
    ThreadQuery {
        limit: Some(PAGE),
        sources: ALL_SOURCES.to_vec(),
        ..ThreadQuery::default()
    }
}

struct Pages {
    query: ThreadQuery,
    done: bool,
}

impl Pages {
    fn of(query: ThreadQuery) -> Self {
        Self { query, done: false }
    }

    async fn next(&mut self, server: &AppServer) -> Result<Option<ThreadPage>, EngineError> {
        if self.done {
            return Ok(None);
        }
        let page = server.thread_list(&self.query).await?;
        // A cursor that stands still would have us ask for ever.
        self.done = page.next_cursor.is_none() || page.next_cursor == self.query.cursor;
        self.query.cursor.clone_from(&page.next_cursor);
        Ok(Some(page))
    }
}

async fn latest_cwd(thread: &ThreadSummary) -> PathBuf {
    from_rollout(thread, rollout_cwd::latest).await
}

async fn first_cwd(thread: &ThreadSummary) -> PathBuf {
    from_rollout(thread, rollout_cwd::first).await
}

/// What the rollout says, or else what the engine recorded.
async fn from_rollout(
    thread: &ThreadSummary,
    read: fn(&Path) -> std::io::Result<Option<PathBuf>>,
) -> PathBuf {
    let told = match thread.path.clone() {
        Some(path) => tokio::task::spawn_blocking(move || read(&path)).await.ok(),
        None => None,
    };
    told.and_then(Result::ok)
        .flatten()
        .unwrap_or_else(|| thread.cwd.clone())
}

fn same(a: &Path, b: &Path) -> bool {
    let real = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    a == b || real(a) == real(b)
}

/// The spellings upstream accepts: hyphenated, plain, in braces, or as a URN; upper or lower case.
fn parse_uuid(text: &str) -> Option<ThreadId> {
    let bare = text.strip_prefix("urn:uuid:").unwrap_or(text);
    let bare = match bare.strip_prefix('{') {
        Some(inner) => inner.strip_suffix('}')?,
        None => bare,
    };
    let hyphens: Vec<usize> = bare.match_indices('-').map(|(at, _)| at).collect();
    let digits: String = bare.chars().filter(|c| *c != '-').collect();
    let placed = hyphens.is_empty() || hyphens == [8, 13, 18, 23];
    if !placed || digits.len() != 32 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let digits = digits.to_ascii_lowercase();
    let groups = [0..8, 8..12, 12..16, 16..20, 20..32];
    let groups: Option<Vec<&str>> = groups.into_iter().map(|group| digits.get(group)).collect();
    groups.map(|groups| ThreadId::new(groups.join("-")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_in_any_spelling_are_ids_and_all_else_is_a_name() {
        let id = Selector::Id(ThreadId::new("01a202a1-3541-7ec0-a911-e0b235a9b844"));
        for text in [
            "01a202a1-3541-7ec0-a911-e0b235a9b844",
            "01A202A1-3541-7EC0-A911-E0B235A9B844",
            "01a202a135417ec0a911e0b235a9b844",
            "{01a202a1-3541-7ec0-a911-e0b235a9b844}",
            "urn:uuid:01a202a1-3541-7ec0-a911-e0b235a9b844",
        ] {
            assert_eq!(Selector::parse(text, false), id, "{text}");
        }
        for text in [
            "",
            "my name",
            "01a202a1",
            "01a202a1-35417ec0-a911-e0b235a9b8-44",
            "{01a202a135417ec0a911e0b235a9b844",
        ] {
            assert!(
                matches!(Selector::parse(text, false), Selector::Name { .. }),
                "{text}"
            );
        }
    }
}
