//! YAML in and out of an exchange: the front matter of a markdown file, and an export. serde-saphyr is fenced here.

use serde::Serialize;
use serde_json::{Map, Value};

use orch_protocol::text::one_line;

use super::error::{ExchangeError, shown};
use super::export::unwritable;
use super::fields::Fields;

/// The longest front matter, in bytes.
const MAX_BYTES: usize = 64 * 1024;
/// Far more than a task file has; no anchor and no alias is allowed, so nothing grows beyond what is written.
const MAX_NODES: usize = 4_000;
const MAX_DEPTH: usize = 12;

/// A markdown file in its two parts.
#[derive(Debug)]
pub(super) struct Document<'a> {
    /// The fields above.
    pub(super) fields: Fields,
    /// The text below.
    pub(super) body: &'a str,
}

/// It begins with front matter that names an id.
pub(super) fn has_task(text: &str) -> bool {
    split(text).is_some_and(|(head, _)| head.lines().any(|line| line.starts_with("id:")))
}

/// Reads front matter and body; none where there is no front matter.
pub(super) fn read<'a>(file: &str, text: &'a str) -> Result<Option<Document<'a>>, ExchangeError> {
    let Some((head, body)) = split(text) else {
        return Ok(None);
    };
    if head.len() > MAX_BYTES {
        return Err(ExchangeError::TooLarge {
            file: format!("the front matter of {}", shown(file)),
            bytes: head.len() as u64,
            max: MAX_BYTES as u64,
        });
    }
    let quoted = quoted(head);
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_nodes: MAX_NODES,
            max_depth: MAX_DEPTH,
            max_events: MAX_NODES * 3,
            max_anchors: 0,
            max_aliases: 0,
            max_documents: 1,
            max_merge_keys: 0,
            max_total_scalar_bytes: MAX_BYTES * 2,
        },
        with_snippet: false,
    };
    let map: Option<Map<String, Value>> = serde_saphyr::from_str_with_options(&quoted, options)
        .map_err(|error| {
            let at = error.location();
            ExchangeError::Syntax {
                file: shown(file),
                // The line with `---` stands above.
                line: 1 + at.map_or(1, |at| usize::try_from(at.line()).unwrap_or(1).max(1)),
                column: at.map_or(1, |at| usize::try_from(at.column()).unwrap_or(1).max(1)),
                what: format!(
                    "this YAML can't be read: {}",
                    one_line(&error.to_string(), 200)
                ),
            }
        })?;
    Ok(Some(Document {
        fields: Fields::new(map.unwrap_or_default()),
        body,
    }))
}

/// Any value as YAML.
pub(super) fn write(value: &impl Serialize) -> Result<String, ExchangeError> {
    serde_saphyr::to_string(value).map_err(unwritable)
}

fn split(text: &str) -> Option<(&str, &str)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let rest = text.strip_prefix("---")?;
    let rest = rest
        .strip_prefix("\r\n")
        .or_else(|| rest.strip_prefix('\n'))?;
    let mut at = 0;
    for line in rest.split_inclusive('\n') {
        if line.trim_end() == "---" {
            let body = rest.get(at + line.len()..).unwrap_or_default();
            return Some((rest.get(..at)?, body));
        }
        at += line.len();
    }
    None
}

/// Backlog.md once wrote names as `@name` without quotes, which YAML doesn't allow: they get their quotes.
fn quoted(head: &str) -> String {
    let mut out = String::with_capacity(head.len() + 64);
    for line in head.lines() {
        let value_at = line.find(": ").map(|at| at + 2).or_else(|| {
            line.trim_start()
                .strip_prefix("- ")
                .map(|value| line.len() - value.len())
        });
        match value_at.map(|at| line.split_at(at)) {
            Some((key, value)) if value.trim_start().starts_with('@') => {
                out.push_str(key);
                out.push_str(&Value::String(value.trim().to_owned()).to_string());
            }
            Some((key, value))
                if value.trim().starts_with('[')
                    && value.trim().ends_with(']')
                    && value.contains('@') =>
            {
                let inside = value.trim().trim_start_matches('[').trim_end_matches(']');
                let names: Vec<String> = inside
                    .split(',')
                    .map(|name| match name.trim() {
                        name if name.starts_with('@') => Value::String(name.to_owned()).to_string(),
                        name => name.to_owned(),
                    })
                    .collect();
                out.push_str(key);
                out.push_str(&format!("[{}]", names.join(", ")));
            }
            _ => out.push_str(line),
        }
        out.push('\n');
    }
    out
}
