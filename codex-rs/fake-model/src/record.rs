//! What the server was asked: requests as they came in, and the log they are kept in. Nothing here answers.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::ops::Deref;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::Value;
use tokio::sync::watch;

/// A request for an answer, as the engine sent it.
#[derive(Debug, Clone, Serialize)]
pub struct Asked {
    /// The path, such as `/v1/responses`.
    pub path: String,
    /// The headers, names in lower case; of repeated ones the last.
    pub headers: BTreeMap<String, String>,
    /// The body; `null` if it was refused unread.
    pub body: Value,
}

/// One request and what became of it.
#[derive(Debug, Clone, Serialize)]
pub struct Recorded {
    /// When it had arrived, counted from the server's start.
    pub received: Duration,
    /// What answers it.
    pub answered: Answered,
    /// The request.
    #[serde(flatten)]
    pub asked: Asked,
}

/// What answers a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answered {
    /// The reply at this place of the scenario, counted from 0.
    Reply(usize),
    /// The fallback: no reply was left that fits.
    Fallback,
    /// Nothing in the scenario; the client got an HTTP error with this text.
    Refused(String),
}

/// It reads like the request it holds.
impl Deref for Recorded {
    type Target = Asked;

    fn deref(&self) -> &Asked {
        &self.asked
    }
}

impl Asked {
    /// All text of the input, joined by newlines: messages of every role, reasoning summaries and tool outputs.
    /// Arguments of tool calls are no part of it.
    pub fn input_text(&self) -> String {
        let instructions = self.body["instructions"].as_str().map(str::to_owned);
        let items = self
            .items()
            .flat_map(|item| ["content", "summary", "output"].map(|key| text_of(&item[key])));
        instructions
            .into_iter()
            .chain(items.flatten())
            .collect::<Vec<_>>()
            .join("\n")
    }

    /// The texts of the messages of one role (`user`, `developer`, `assistant`), oldest first.
    pub fn messages(&self, role: &str) -> Vec<String> {
        let ours = self.items().filter(|item| item["role"] == role);
        ours.filter_map(|item| text_of(&item["content"])).collect()
    }

    /// The tools on offer: `exec_command`, `mcp__orch.tasks_add`; one without a name by its type.
    pub fn tool_names(&self) -> Vec<String> {
        let tools = self.body["tools"].as_array().into_iter().flatten();
        tools
            .flat_map(|tool| {
                let name = tool["name"]
                    .as_str()
                    .or(tool["type"].as_str())
                    .unwrap_or_default();
                match tool["tools"].as_array() {
                    Some(inner) => inner
                        .iter()
                        .filter_map(|tool| tool["name"].as_str())
                        .map(|own| format!("{name}.{own}"))
                        .collect(),
                    None => vec![name.to_owned()],
                }
            })
            .collect()
    }

    /// The tool outputs in the input, by call id.
    pub fn outputs(&self) -> BTreeMap<String, String> {
        let outputs = self.items().filter(|item| {
            item["type"]
                .as_str()
                .is_some_and(|kind| kind.ends_with("_output"))
        });
        outputs
            .filter_map(|item| {
                Some((
                    item["call_id"].as_str()?.to_owned(),
                    text_of(&item["output"])?,
                ))
            })
            .collect()
    }

    fn items(&self) -> impl Iterator<Item = &Value> {
        self.body["input"].as_array().into_iter().flatten()
    }
}

/// The text of a `content`, `summary` or `output`: a string, or a list of parts.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(parts) => {
            let texts: Vec<&str> = parts
                .iter()
                .filter_map(|part| part["text"].as_str())
                .collect();
            (!texts.is_empty()).then(|| texts.join("\n"))
        }
        _ => None,
    }
}

/// Fewer requests than waited for.
#[derive(Debug, thiserror::Error)]
#[error("Failed to see {wanted} requests within {within:?}: {got} came")]
pub struct TooFew {
    /// How many were waited for.
    pub wanted: usize,
    /// How many came.
    pub got: usize,
    /// How long was waited.
    pub within: Duration,
}

/// All requests so far, and a way to wait for more.
pub(crate) struct Log {
    started: Instant,
    entries: Mutex<Entries>,
    /// Told after each request, for threads that wait.
    arrived: Condvar,
    /// How many there are, for tasks that wait.
    count: watch::Sender<usize>,
}

struct Entries {
    all: Vec<Arc<Recorded>>,
    file: Option<File>,
}

impl Log {
    /// An empty log; every request is also appended to the file at `path`, one JSON a line.
    pub(crate) fn new(path: Option<&Path>) -> io::Result<Self> {
        let file = path
            .map(|path| File::options().create(true).append(true).open(path))
            .transpose()?;
        Ok(Self {
            started: Instant::now(),
            entries: Mutex::new(Entries {
                all: Vec::new(),
                file,
            }),
            arrived: Condvar::new(),
            count: watch::Sender::new(0),
        })
    }

    /// Keeps a request. Fails if the record file could not be written; the request is kept all the same.
    pub(crate) fn add(&self, asked: Asked, answered: Answered) -> io::Result<()> {
        let recorded = Recorded {
            received: self.started.elapsed(),
            answered,
            asked,
        };
        let mut entries = self.entries();
        let written = entries.file.as_mut().map_or(Ok(()), |file| {
            let mut line = serde_json::to_vec(&recorded)?;
            line.push(b'\n');
            file.write_all(&line)
        });
        entries.all.push(Arc::new(recorded));
        self.count.send_replace(entries.all.len());
        self.arrived.notify_all();
        written
    }

    pub(crate) fn all(&self) -> Vec<Arc<Recorded>> {
        self.entries().all.clone()
    }

    /// Blocks the thread until there are `wanted` requests.
    pub(crate) fn wait(
        &self,
        wanted: usize,
        within: Duration,
    ) -> Result<Vec<Arc<Recorded>>, TooFew> {
        let waited = self
            .arrived
            .wait_timeout_while(self.entries(), within, |entries| entries.all.len() < wanted);
        let (entries, _) = waited.unwrap_or_else(PoisonError::into_inner);
        enough(entries.all.clone(), wanted, within)
    }

    /// The same for a task.
    pub(crate) async fn wait_async(
        &self,
        wanted: usize,
        within: Duration,
    ) -> Result<Vec<Arc<Recorded>>, TooFew> {
        let mut count = self.count.subscribe();
        // Neither outcome matters: what is in the log decides.
        let _ = tokio::time::timeout(within, count.wait_for(|count| *count >= wanted)).await;
        enough(self.all(), wanted, within)
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn enough(
    all: Vec<Arc<Recorded>>,
    wanted: usize,
    within: Duration,
) -> Result<Vec<Arc<Recorded>>, TooFew> {
    match all.len() {
        got if got < wanted => Err(TooFew {
            wanted,
            got,
            within,
        }),
        _ => Ok(all),
    }
}
