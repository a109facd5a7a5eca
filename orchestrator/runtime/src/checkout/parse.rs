//! Reads `project_tasks.yaml` as somebody left it: bounded, with lines, and without an opinion on what it says.
//!
//! What is read is what was written, not what it means: [`super::edits`] compares it with what was shown.

use std::fmt;

use orch_protocol::ids::CommitId;
use orch_protocol::project::FileComments;
use orch_protocol::text::one_line;
use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_saphyr::Spanned;

use super::Refused;
use super::blocks::{self, Blocks};

/// The largest file that is read, in bytes.
pub const MAX_BYTES: u64 = 64 * 1024 * 1024;
/// The most tasks that are read.
pub const MAX_TASKS: usize = 200_000;
/// Nested no deeper than a task's evidence, with room.
const MAX_DEPTH: usize = 12;
/// Some 60 a task, for the most tasks there may be.
const MAX_NODES: usize = 60 * MAX_TASKS;

/// Something with the line it stands on, from 1.
#[derive(Debug, Clone, PartialEq)]
pub struct At<T> {
    /// The line.
    pub line: u64,
    /// The thing.
    pub value: T,
}

/// A file as it was read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Parsed {
    /// The state commit that its first line names.
    pub base: Option<CommitId>,
    /// Lines above and below the tasks, without ours; none where the tasks aren't written one below the other.
    pub comments: Option<FileComments>,
    /// The tasks, in the order of the file.
    pub entries: Vec<Entry>,
}

/// A task as it was read. A key that isn't there is none, and so is one without a value.
#[derive(Debug, Clone, Default, PartialEq)]
#[allow(missing_docs)]
pub struct Entry {
    /// The line it begins on.
    pub line: u64,
    pub id: Option<At<String>>,
    pub title: Option<At<String>>,
    pub status: Option<At<String>>,
    pub ready: Option<At<bool>>,
    pub done_on: Option<At<String>>,
    pub owner: Option<At<String>>,
    pub priority: Option<At<i64>>,
    pub parent: Option<At<String>>,
    pub needs: Vec<At<String>>,
    pub milestone: Option<At<String>>,
    pub acceptance: Option<At<String>>,
    pub target_commit: Option<At<String>>,
    pub evidence: Vec<At<Value>>,
    pub claims: Vec<Value>,
    pub origin: Option<Value>,
    pub created_at: Option<String>,
    pub notes: Vec<At<String>>,
    /// Keys that no task has.
    pub unknown: Vec<At<String>>,
    /// Its lines with the comments above them, moved to the left margin; none where it isn't written as a block.
    pub block: Option<String>,
}

/// Reads a whole file.
pub fn read(text: &str) -> Result<Parsed, Refused> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let text = &text.replace("\r\n", "\n");
    let file: FileText = from_yaml(text)?;
    let mut entries: Vec<Entry> = file
        .tasks
        .into_iter()
        .map(|entry| Entry {
            line: entry.referenced.line(),
            ..entry.value
        })
        .collect();
    let starts: Vec<u64> = entries.iter().map(|entry| entry.line).collect();
    let mut parsed = Parsed {
        base: base(text),
        ..Parsed::default()
    };
    if let Some(Blocks { top, blocks, end }) = blocks::cut(text, &starts) {
        for (entry, block) in entries.iter_mut().zip(blocks) {
            entry.block = Some(block);
        }
        parsed.comments = Some(FileComments { top, end });
    }
    parsed.entries = entries;
    Ok(parsed)
}

/// Reads one task from its block; none where that isn't one.
pub(super) fn read_block(block: &str) -> Option<Entry> {
    let mut entries: Vec<Entry> = from_yaml::<Few<Entry>>(block).ok()?.0;
    let only = entries.pop()?;
    entries.is_empty().then_some(only)
}

/// The state commit that the first line of a file names.
pub(super) fn base(text: &str) -> Option<CommitId> {
    let named = text
        .strip_prefix("# state ")?
        .split([',', '\n', ' '])
        .next()?;
    let is_hex = named.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_hex && matches!(named.len(), 40 | 64)).then(|| CommitId::new(named.to_ascii_lowercase()))
}

fn from_yaml<'de, T: Deserialize<'de>>(text: &'de str) -> Result<T, Refused> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_events: 3 * MAX_NODES,
            max_nodes: MAX_NODES,
            max_depth: MAX_DEPTH,
            flow_nesting_limit: MAX_DEPTH,
            max_aliases: 0,
            max_anchors: 0,
            max_documents: 1,
            max_merge_keys: 0,
            max_total_scalar_bytes: MAX_BYTES as usize,
        },
        emit_comments: false,
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let (line, column) = error
            .location()
            .map_or((1, 1), |at| (at.line().max(1), at.column().max(1)));
        let error = error.to_string();
        let said = error.strip_suffix(&format!(" at line {line}, column {column}"));
        let said = one_line(said.unwrap_or(&error), 300);
        let (what, hint) = match said.strip_prefix("budget breached: ") {
            Some(which) => (
                format!("this is more than is read ({which})"),
                "write plain lists and texts: anchors, aliases and deep nesting are not taken",
            ),
            None => (
                // What a reader of the file means by a number.
                said.replace("invalid i64", "a whole number stands here"),
                "mend that line; the file is left alone until it can be read",
            ),
        };
        Refused {
            line,
            column,
            what,
            hint: hint.to_owned(),
        }
    })
}

#[derive(Default)]
struct FileText {
    tasks: Vec<Spanned<Entry>>,
}

impl<'de> Deserialize<'de> for FileText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;
        impl<'de> Visitor<'de> for Keys {
            type Value = FileText;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`schema:` and `tasks:`")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<FileText, A::Error> {
                let mut tasks: Option<Vec<Spanned<Entry>>> = None;
                while let Some(key) = map.next_key::<String>()? {
                    match key.as_str() {
                        "schema" => match map.next_value::<u64>()? {
                            super::SCHEMA => {}
                            found => {
                                return Err(de::Error::custom(format!(
                                    "schema {found} isn't {}, which this codex-orch reads",
                                    super::SCHEMA
                                )));
                            }
                        },
                        "tasks" => {
                            let held: Option<Few<Spanned<Entry>>> = map.next_value()?;
                            tasks = Some(held.map(|few| few.0).unwrap_or_default());
                        }
                        other => {
                            return Err(de::Error::custom(format!(
                                "{:?} is no key of this file",
                                one_line(other, 40)
                            )));
                        }
                    }
                }
                // A file that was cut off must not read as one from which every task was removed.
                let tasks = tasks.ok_or_else(|| de::Error::custom("there is no list `tasks:`"))?;
                Ok(FileText { tasks })
            }
        }
        deserializer.deserialize_map(Keys)
    }
}

/// A list that is no longer than a backlog may be.
struct Few<T>(Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Few<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Items<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Items<T> {
            type Value = Few<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Few<T>, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    if items.len() == MAX_TASKS {
                        let told = format!("more than {MAX_TASKS} items in one list");
                        return Err(de::Error::custom(told));
                    }
                    items.push(item);
                }
                Ok(Few(items))
            }
        }
        deserializer.deserialize_seq(Items(std::marker::PhantomData))
    }
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;
        impl<'de> Visitor<'de> for Keys {
            type Value = Entry;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a task, as keys and values")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entry, A::Error> {
                let mut entry = Entry::default();
                while let Some(key) = map.next_key::<Spanned<String>>()? {
                    match key.value.as_str() {
                        "id" => entry.id = one(&mut map)?,
                        "title" => entry.title = one(&mut map)?,
                        "status" => entry.status = one(&mut map)?,
                        "ready" => entry.ready = one(&mut map)?,
                        "done_on" => entry.done_on = one(&mut map)?,
                        "owner" => entry.owner = one(&mut map)?,
                        "priority" => entry.priority = one(&mut map)?,
                        "parent" => entry.parent = one(&mut map)?,
                        "needs" => entry.needs = many(&mut map)?,
                        "milestone" => entry.milestone = one(&mut map)?,
                        "acceptance" => entry.acceptance = one(&mut map)?,
                        "target_commit" => entry.target_commit = one(&mut map)?,
                        "evidence" => entry.evidence = many(&mut map)?,
                        "claims" => {
                            let held: Option<Few<Value>> = map.next_value()?;
                            entry.claims = held.map(|few| few.0).unwrap_or_default();
                        }
                        "origin" => entry.origin = map.next_value()?,
                        "created_at" => entry.created_at = map.next_value()?,
                        "notes" => entry.notes = many(&mut map)?,
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                            entry.unknown.push(key.into());
                        }
                    }
                }
                Ok(entry)
            }
        }
        deserializer.deserialize_map(Keys)
    }
}

impl<T> From<Spanned<T>> for At<T> {
    fn from(spanned: Spanned<T>) -> Self {
        Self {
            line: spanned.referenced.line(),
            value: spanned.value,
        }
    }
}

fn one<'de, A: MapAccess<'de>, T: Deserialize<'de>>(
    map: &mut A,
) -> Result<Option<At<T>>, A::Error> {
    let held: Spanned<Option<T>> = map.next_value()?;
    let line = held.referenced.line();
    Ok(held.value.map(|value| At { line, value }))
}

fn many<'de, A: MapAccess<'de>, T: Deserialize<'de>>(map: &mut A) -> Result<Vec<At<T>>, A::Error> {
    let held: Option<Few<Spanned<T>>> = map.next_value()?;
    let items = held.map(|few| few.0).unwrap_or_default();
    Ok(items.into_iter().map(At::from).collect())
}
