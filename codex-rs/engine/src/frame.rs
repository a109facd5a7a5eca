//! The envelope of a JSON-RPC frame, read without building a tree: what it is about, and where its parts are in the text.
//! No IO, and no method is known here. Edits are [`crate::splice`]'s.

use std::borrow::Cow;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The parts of a frame, each as it stands in the text. Of a member that is there twice the last one counts, as it does
/// for most readers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Peek<'a> {
    /// The id as written: a number of any size, a string with its quotes, or `null`.
    pub id: Option<&'a str>,
    /// The method, its escapes resolved (half a surrogate pair becomes U+FFFD). `None` also when it is no string.
    pub method: Option<Cow<'a, str>>,
    /// The parameters as written.
    pub params: Option<&'a str>,
    /// The result of an answer as written.
    pub result: Option<&'a str>,
    /// The error of an answer as written.
    pub error: Option<&'a str>,
}

/// Reads the envelope of `text`; `None` when it isn't one JSON object.
pub fn peek(text: &str) -> Option<Peek<'_>> {
    let mut peek = Peek::default();
    let mut method = None;
    members(text, |name, value| match name {
        b"id" => peek.id = Some(value),
        b"method" => method = Some(value),
        b"params" => peek.params = Some(value),
        b"result" => peek.result = Some(value),
        b"error" => peek.error = Some(value),
        _ => {}
    })?;
    peek.method = method.and_then(string);
    Some(peek)
}

/// The text of a JSON string as written; `None` when `raw` is something else.
pub fn string(raw: &str) -> Option<Cow<'_, str>> {
    let mut reader = serde_json::Deserializer::from_str(raw);
    let name = Name.deserialize(&mut reader).ok()?;
    reader.end().ok()?;
    Some(match name {
        Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
        Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
    })
}

/// Tells `each` the name and the value of every member of the object that `object` is, in order; `None` when it isn't one
/// object.
pub(crate) fn members<'a>(object: &'a str, each: impl FnMut(&[u8], &'a str)) -> Option<()> {
    let mut reader = serde_json::Deserializer::from_str(object);
    reader.deserialize_map(Members(each)).ok()?;
    reader.end().ok()
}

struct Members<F>(F);

impl<'a, F: FnMut(&[u8], &'a str)> Visitor<'a> for Members<F> {
    type Value = ();

    fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key_seed(Name)? {
            let value: &'a RawValue = map.next_value()?;
            (self.0)(&name, value.get());
        }
        Ok(())
    }
}

/// A string as bytes: half a surrogate pair, which is JSON and no UTF-8, must not make a frame unreadable.
struct Name;

impl<'a> DeserializeSeed<'a> for Name {
    type Value = Cow<'a, [u8]>;

    fn deserialize<D: Deserializer<'a>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_bytes(self)
    }
}

impl<'a> Visitor<'a> for Name {
    type Value = Cow<'a, [u8]>;

    fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("a string")
    }

    fn visit_borrowed_bytes<E>(self, bytes: &'a [u8]) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(bytes))
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Self::Value, E> {
        Ok(Cow::Owned(bytes.to_vec()))
    }
}
