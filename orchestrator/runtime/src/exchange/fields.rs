//! The fields of one record of another tool, taken out one by one: what is left is what we don't know.

use orch_protocol::Timestamp;
use orch_protocol::text::one_line;
use serde_json::{Map, Value};

/// The fields that weren't taken yet.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Fields(Map<String, Value>);

impl Fields {
    pub(super) fn new(map: Map<String, Value>) -> Self {
        Self(map)
    }

    /// A value as it is.
    pub(super) fn value(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name).filter(|value| !is_empty(value))
    }

    /// A value as text, whatever it is; none where it is missing or empty.
    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        self.value(name)
            .map(as_text)
            .filter(|text| !text.trim().is_empty())
    }

    /// A list as texts; a single value is a list of one.
    pub(super) fn texts(&mut self, name: &str) -> Vec<String> {
        match self.value(name) {
            None => Vec::new(),
            Some(Value::Array(values)) => values
                .into_iter()
                .filter(|value| !is_empty(value))
                .map(as_text)
                .collect(),
            Some(value) => vec![as_text(value)],
        }
    }

    /// A time. A text that isn't one stays, to be kept as a note with the rest.
    pub(super) fn time(&mut self, name: &str) -> Option<Timestamp> {
        let time = self.0.get(name).and_then(Value::as_str).and_then(time)?;
        self.0.remove(name);
        Some(time)
    }

    /// What wasn't taken: name and value as text.
    pub(super) fn left(self) -> impl Iterator<Item = (String, String)> {
        self.0
            .into_iter()
            .filter(|(_, value)| !is_empty(value))
            .map(|(name, value)| (one_line(&name, 40), as_text(value)))
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(values) => values.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// A value in words: a text as it is, a list of plain values with commas, anything else as JSON.
pub(super) fn as_text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        Value::Array(values)
            if values
                .iter()
                .all(|value| !matches!(value, Value::Array(_) | Value::Object(_))) =>
        {
            let texts: Vec<String> = values.into_iter().map(as_text).collect();
            texts.join(", ")
        }
        value => value.to_string(),
    }
}

/// RFC 3339, or date and time or a date alone, which are taken as UTC.
pub(super) fn time(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time);
    }
    let civil = text
        .parse::<jiff::civil::DateTime>()
        .or_else(|_| jiff::civil::DateTime::strptime("%Y-%m-%d %H:%M", text))
        .ok()?;
    civil
        .to_zoned(jiff::tz::TimeZone::UTC)
        .ok()
        .map(|zoned| zoned.timestamp())
}
