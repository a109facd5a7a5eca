//! Plays a scenario: which reply answers which request, and what its placeholders stand for. Pure, no IO.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::loading::PLACEHOLDER;
use crate::record::{Answered, Asked};
use crate::scenario::{Reply, Scenario, When};

/// A scenario being played.
pub(crate) struct Script {
    replies: Vec<Entry>,
    fallback: Entry,
}

struct Entry {
    reply: Arc<Reply>,
    /// How often it has answered.
    uses: usize,
}

/// A reply taken from the script for one request.
pub(crate) struct Taken {
    pub(crate) reply: Arc<Reply>,
    pub(crate) answered: Answered,
    pub(crate) captured: Captured,
    /// Unlike that of every other request; ids in the answer begin with it.
    pub(crate) id: String,
}

/// Texts taken from a request, by name.
#[derive(Default)]
pub(crate) struct Captured(BTreeMap<String, String>);

impl Script {
    pub(crate) fn new(scenario: Scenario) -> Self {
        Self {
            replies: scenario.replies.into_iter().map(Entry::new).collect(),
            fallback: Entry::new(scenario.fallback),
        }
    }

    /// Takes the first reply that is left and fits, or the fallback. Fails, with a reason for people, if one of the
    /// reply's captures finds nothing; the reply counts as used then.
    pub(crate) fn take(&mut self, asked: &Asked) -> Result<Taken, String> {
        let text = asked.input_text();
        let user = asked.messages("user").pop().unwrap_or_default();
        let found = self
            .replies
            .iter()
            .position(|entry| entry.is_left() && entry.fits(&text, &user));
        let (entry, answered, name) = match found {
            Some(index) => (
                &mut self.replies[index],
                Answered::Reply(index),
                index.to_string(),
            ),
            None => (
                &mut self.fallback,
                Answered::Fallback,
                "fallback".to_owned(),
            ),
        };
        entry.uses += 1;
        Ok(Taken {
            reply: Arc::clone(&entry.reply),
            answered,
            captured: Captured::of(&entry.reply, &text)?,
            id: match entry.uses {
                1 => name,
                again => format!("{name}-{again}"),
            },
        })
    }
}

impl Entry {
    fn new(reply: Reply) -> Self {
        Self {
            reply: Arc::new(reply),
            uses: 0,
        }
    }

    fn is_left(&self) -> bool {
        self.reply.repeat || self.uses == 0
    }

    fn fits(&self, text: &str, user: &str) -> bool {
        let Some(When { input, user: said }) = &self.reply.when else {
            return true;
        };
        input.as_ref().is_none_or(|wanted| text.contains(wanted))
            && said.as_ref().is_none_or(|wanted| user.contains(wanted))
    }
}

impl Captured {
    fn of(reply: &Reply, text: &str) -> Result<Self, String> {
        let found = reply
            .capture
            .iter()
            .map(|(name, pattern)| match pattern.last_in(text) {
                Some(found) => Ok((name.clone(), found.to_owned())),
                None => Err(format!(
                    "capture `{name}`: nothing in the request matches `{}`",
                    pattern.as_str()
                )),
            });
        found.collect::<Result<_, _>>().map(Self)
    }

    /// `text` with its placeholders replaced.
    pub(crate) fn fill(&self, text: &str) -> String {
        if !text.contains(PLACEHOLDER) {
            return text.to_owned();
        }
        self.0
            .iter()
            .fold(text.to_owned(), |filled, (name, found)| {
                filled.replace(&format!("{PLACEHOLDER}{name}}}}}"), found)
            })
    }
}
