//! Edits of a frame's text that leave every other byte as it was: a member set, elements appended. No IO. Which frames are
//! edited, and how, is decided elsewhere.

use std::ops::Range;

use serde_json::value::RawValue;

use crate::frame::members;

/// What becomes of a member that is there already, `null` included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// It stays, and the text is unchanged.
    Keep,
    /// Its value is replaced.
    Replace,
}

/// The text with the member `key` of the object at `path` set to `value` (JSON). Objects on the way that are missing or
/// `null` are created. `None` when something on the way is no object, or when `text` or `value` isn't JSON.
pub fn set_member(
    text: &str,
    path: &[&str],
    key: &str,
    value: &str,
    existing: Existing,
) -> Option<String> {
    is_json(value)?;
    match locate(text, path)? {
        Place::There(object) => match (member(text, &object, key)?, existing) {
            (Some(_), Existing::Keep) => Some(text.to_owned()),
            (Some(found), Existing::Replace) => Some(replaced(text, &found, value)),
            (None, Existing::Keep | Existing::Replace) => {
                Some(appended(text, &object, &pair(key, value)))
            }
        },
        place @ (Place::Null { .. } | Place::Missing { .. }) => {
            Some(created(text, &place, format!("{{{}}}", pair(key, value))))
        }
    }
}

/// The text with `elements` (JSON each) appended to the array at `path`. The array, and objects on the way, are created when
/// they are missing or `null`. `None` when it is no array, when something on the way is no object, or when `text` or an
/// element isn't JSON. Without elements nothing is created.
pub fn push_elements(text: &str, path: &[&str], elements: &[&str]) -> Option<String> {
    elements.iter().try_for_each(|element| is_json(element))?;
    let place = locate(text, path)?;
    if let Place::There(array) = &place
        && !text.get(array.clone())?.starts_with('[')
    {
        return None;
    }
    if elements.is_empty() {
        return Some(text.to_owned());
    }
    let elements = elements.join(",");
    Some(match place {
        Place::There(array) => appended(text, &array, &elements),
        place @ (Place::Null { .. } | Place::Missing { .. }) => {
            created(text, &place, format!("[{elements}]"))
        }
    })
}

/// Where a path leads.
enum Place<'p> {
    /// To this value, which isn't `null` unless the path is empty.
    There(Range<usize>),
    /// To a `null`, with `rest` of the path left.
    Null {
        null: Range<usize>,
        rest: &'p [&'p str],
    },
    /// To an object that has no member `name`, with `rest` of the path left after it.
    Missing {
        object: Range<usize>,
        name: &'p str,
        rest: &'p [&'p str],
    },
}

fn locate<'p>(text: &str, path: &'p [&'p str]) -> Option<Place<'p>> {
    let whole: &RawValue = serde_json::from_str(text).ok()?;
    let mut at = range_in(text, whole.get());
    let mut rest = path;
    while let [name, after @ ..] = rest {
        rest = after;
        at = match member(text, &at, name)? {
            None => {
                return Some(Place::Missing {
                    object: at,
                    name,
                    rest,
                });
            }
            Some(null) if text.get(null.clone()) == Some("null") => {
                return Some(Place::Null { null, rest });
            }
            Some(value) => value,
        };
    }
    Some(Place::There(at))
}

/// Where the value of the last member `name` of the object at `object` is; `None` when that is no object.
fn member(text: &str, object: &Range<usize>, name: &str) -> Option<Option<Range<usize>>> {
    let mut found = None;
    members(text.get(object.clone())?, |seen, value| {
        if seen == name.as_bytes() {
            found = Some(range_in(text, value));
        }
    })?;
    Some(found)
}

/// Where `part`, a slice of `text`, is in it.
fn range_in(text: &str, part: &str) -> Range<usize> {
    let start = part.as_ptr().addr().saturating_sub(text.as_ptr().addr());
    start..start + part.len()
}

fn is_json(raw: &str) -> Option<()> {
    serde_json::from_str::<&RawValue>(raw).ok().map(drop)
}

fn pair(key: &str, value: &str) -> String {
    format!("{}:{value}", serde_json::Value::from(key))
}

/// `inner` inside one object for each of `names`, the first outermost.
fn wrapped(names: &[&str], inner: String) -> String {
    let wrap = |inner: String, name: &&str| format!("{{{}}}", pair(name, &inner));
    names.iter().rev().fold(inner, wrap)
}

fn created(text: &str, place: &Place<'_>, inner: String) -> String {
    match place {
        Place::There(at) => replaced(text, at, &inner),
        Place::Null { null, rest } => replaced(text, null, &wrapped(rest, inner)),
        Place::Missing { object, name, rest } => {
            appended(text, object, &pair(name, &wrapped(rest, inner)))
        }
    }
}

/// `insert` put before the closing bracket of the object or array at `within`.
fn appended(text: &str, within: &Range<usize>, insert: &str) -> String {
    let close = within.end.saturating_sub(1);
    let inside = text.get(within.start + 1..close).unwrap_or_default();
    let comma = if inside.trim_ascii().is_empty() {
        ""
    } else {
        ","
    };
    replaced(text, &(close..close), &format!("{comma}{insert}"))
}

fn replaced(text: &str, at: &Range<usize>, with: &str) -> String {
    let (before, after) = (text.get(..at.start), text.get(at.end..));
    [before.unwrap_or_default(), with, after.unwrap_or_default()].concat()
}
