//! A task as it stands in another tool's file, before its needs and parents were looked up.

use orch_protocol::Timestamp;
use orch_protocol::ids::TaskId;
use orch_protocol::task::{ClaimState, Task};
use orch_protocol::text::{bounded, clean, one_line};

use super::fields::Fields;
use super::remarks::Remarks;

/// The longest id of another tool.
pub(super) const MAX_ID: usize = 120;

/// What one record says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Draft {
    /// Its id there, cleaned and bounded.
    pub(super) id: String,
    /// What makes our id of it; its id there where that is all.
    pub(super) key: Option<String>,
    /// It names one of our own ids.
    pub(super) ours: Option<TaskId>,
    /// Where it stands, for remarks: "line 7".
    pub(super) place: String,
    pub(super) title: String,
    pub(super) state: ClaimState,
    pub(super) reason: Option<String>,
    pub(super) stated_at: Option<Timestamp>,
    pub(super) owner: Option<String>,
    pub(super) priority: u8,
    pub(super) milestone: Option<String>,
    pub(super) parent: Option<String>,
    /// Tasks that it names as its parts.
    pub(super) parts: Vec<String>,
    pub(super) needs: Vec<String>,
    pub(super) acceptance: Option<String>,
    pub(super) notes: Vec<String>,
    pub(super) created_at: Option<Timestamp>,
}

impl Draft {
    /// A pending task. A title that is too long is kept whole in a note; a missing one is told.
    pub(super) fn new(id: &str, place: String, title: Option<&str>, told: &mut Remarks) -> Self {
        let id = foreign_id(id);
        let line = one_line(title.unwrap_or_default(), Task::MAX_TITLE);
        let mut draft = Self {
            title: if line.is_empty() { id.clone() } else { line },
            id,
            key: None,
            ours: None,
            place,
            state: ClaimState::Pending,
            reason: None,
            stated_at: None,
            owner: None,
            priority: Task::DEFAULT_PRIORITY,
            milestone: None,
            parent: None,
            parts: Vec::new(),
            needs: Vec::new(),
            acceptance: None,
            notes: Vec::new(),
            created_at: None,
        };
        match title {
            Some(title) if one_line(title, usize::MAX).chars().count() > Task::MAX_TITLE => {
                draft.note("title", title);
            }
            Some(title) if !one_line(title, 1).is_empty() => {}
            _ => told.say(
                "title",
                format!(
                    "{} has no title: its id stands for it ({})",
                    draft.id, draft.place
                ),
            ),
        }
        draft
    }

    /// Keeps a text as notes, as many as it needs, each with its label. An empty text is none.
    pub(super) fn note(&mut self, label: &str, text: &str) {
        let text = clean(text);
        let text = text.trim();
        if !text.is_empty() {
            self.notes.extend(pieces(label, text));
        }
    }

    /// Sets who is to do it; of several the first, the others are a note.
    pub(super) fn owners(&mut self, names: &[String]) {
        self.owner = names
            .first()
            .map(|name| one_line(name, Task::MAX_NAME))
            .filter(|name| !name.is_empty());
        let whole = names.len() < 2
            && names
                .first()
                .is_none_or(|name| one_line(name, usize::MAX).chars().count() <= Task::MAX_NAME);
        if !whole {
            self.note("assignees", &names.join(", "));
        }
    }

    /// Sets the milestone; a name that is too long is a note as well.
    pub(super) fn counts_towards(&mut self, name: &str) {
        let whole = one_line(name, usize::MAX);
        self.milestone = Some(bounded(&whole, Task::MAX_NAME)).filter(|name| !name.is_empty());
        if whole.chars().count() > Task::MAX_NAME {
            self.note("milestone", &whole);
        }
    }

    /// Sets how one tells that it is done; what is too long is kept whole in notes.
    pub(super) fn accepted_when(&mut self, text: &str) {
        let text = clean(text);
        let text = text.trim();
        if text.chars().count() > Task::MAX_TEXT {
            self.note("acceptance", text);
        }
        self.acceptance = Some(bounded(text, Task::MAX_TEXT)).filter(|text| !text.is_empty());
    }

    /// Sets why its state is what it is; what is too long is kept whole in notes.
    pub(super) fn because(&mut self, text: &str) {
        let text = clean(text);
        let text = text.trim();
        if text.chars().count() > Task::MAX_TEXT {
            self.note("reason", text);
        }
        self.reason = Some(bounded(text, Task::MAX_TEXT)).filter(|text| !text.is_empty());
    }

    /// Keeps the fields that weren't taken as notes; those not in `known` are told.
    pub(super) fn keep(&mut self, fields: Fields, known: &[&str], told: &mut Remarks) {
        for (name, text) in fields.left() {
            if !known.contains(&name.as_str()) {
                told.unknown_field(&name);
            }
            self.note(&name.replace('_', " "), &text);
        }
    }
}

/// An id of another tool as we keep it: one line, bounded. It is never a path of ours.
pub(super) fn foreign_id(text: &str) -> String {
    one_line(text, MAX_ID)
}

/// An id of ours, if `text` is one exactly as we write it.
pub(super) fn own_id(text: &str) -> Option<TaskId> {
    TaskId::parse(text).filter(|id| id.as_str() == text)
}

/// A text in pieces of at most [`Task::MAX_TEXT`] characters, numbered where there are several: `label (1 of 3): …`.
/// Joined, they are the text again.
fn pieces(label: &str, text: &str) -> Vec<String> {
    let prefix = match label {
        "" => String::new(),
        label => format!("{label}: "),
    };
    if text.chars().count() + prefix.chars().count() <= Task::MAX_TEXT {
        return vec![format!("{prefix}{text}")];
    }
    let label = if label.is_empty() { "note" } else { label };
    // Room for the label and two numbers.
    let room = Task::MAX_TEXT
        .saturating_sub(label.chars().count() + 32)
        .max(1);
    let mut cut = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest
            .char_indices()
            .nth(room)
            .map_or(rest.len(), |(at, _)| at);
        let piece = rest.get(..end).unwrap_or(rest);
        // At a line's end, where one is near.
        let end = match piece.rfind('\n') {
            Some(at) if end < rest.len() && at > piece.len() / 2 => at + 1,
            _ => end,
        };
        let (piece, after) = rest.split_at(end);
        cut.push(piece);
        rest = after;
    }
    let of = cut.len();
    cut.iter()
        .enumerate()
        .map(|(at, piece)| format!("{label} ({} of {of}): {piece}", at + 1))
        .collect()
}
