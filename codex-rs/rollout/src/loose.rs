//! Serde types that accept what another version might write instead: a field of the wrong kind is empty, never an error.
//!
//! Nothing here knows a rollout's fields.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A text, borrowed from the line where it holds no escapes; empty when the field is null or no text.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Text<'a>(Cow<'a, str>);

impl Text<'_> {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn into_non_empty(self) -> Option<String> {
        (!self.0.is_empty()).then(|| self.0.into_owned())
    }
}

/// The words of a command: a list of texts, or one text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Argv {
    Words(Vec<String>),
    Line(String),
}

impl Default for Argv {
    fn default() -> Self {
        Argv::Line(String::new())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer
            .deserialize_any(Loose)
            .map(|found| match found {
                Found::Text(text) => Text(text),
                Found::Texts(_) | Found::Other => Text::default(),
            })
    }
}

impl<'de> Deserialize<'de> for Argv {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer
            .deserialize_any(Loose)
            .map(|found| match found {
                Found::Text(text) => Argv::Line(text.into_owned()),
                Found::Texts(words) => Argv::Words(words),
                Found::Other => Argv::default(),
            })
    }
}

enum Found<'a> {
    Text(Cow<'a, str>),
    Texts(Vec<String>),
    Other,
}

struct Loose;

impl<'de> Visitor<'de> for Loose {
    type Value = Found<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Found::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Found::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_string<E>(self, text: String) -> Result<Self::Value, E> {
        Ok(Found::Text(Cow::Owned(text)))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Found::Other)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Found::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Found::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(Found::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Found::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut words = Vec::new();
        while let Some(word) = seq.next_element::<Text<'de>>()? {
            words.push(word.0.into_owned());
        }
        Ok(Found::Texts(words))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Found::Other)
    }
}
