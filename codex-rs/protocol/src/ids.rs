//! One newtype an id. Ids are handed in or derived from a seed, never drawn from a clock or a random source here.
//!
//! A backlog holds a dozen of them a task: what is short stands in place, what is long is shared between its copies.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use smol_str::SmolStr;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident($held:ty)),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name($held);

        impl $name {
            /// Wraps a text that is already an id of this kind.
            pub fn new(text: impl AsRef<str>) -> Self {
                Self(text.as_ref().into())
            }

            /// The id as written.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Its first eight bytes as a number: two ids whose heads differ sort as their heads do.
            pub fn head(&self) -> u64 {
                head(&self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    )+};
}

ids! {
    /// A task of the backlog: [`TaskId::LEN`] characters of Crockford's base 32, lower case.
    TaskId(SmolStr),
    /// A Codex conversation, a UUID given by upstream.
    ThreadId(Arc<str>),
    /// A turn of a thread, a UUID given by upstream (or derived, for rollouts older than turn ids).
    TurnId(Arc<str>),
    /// One stretch of one root thread on one branch; also the stem of its file in `sessions/`.
    SessionId(Arc<str>),
    /// One start of codex-orch around one upstream process.
    RunId(Arc<str>),
    /// A git commit, 40 or 64 lower-case hexadecimal digits.
    CommitId(Arc<str>),
    /// A claim on a task.
    ClaimId(SmolStr),
    /// A proposal of an agent.
    ProposalId(SmolStr),
    /// The write-ahead log of one process.
    LogId(Arc<str>),
}

fn head(text: &str) -> u64 {
    let mut head = [0; 8];
    for (to, from) in head.iter_mut().zip(text.as_bytes()) {
        *to = *from;
    }
    u64::from_be_bytes(head)
}

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Derives `len` characters of base 32 from `parts`; a part's length is hashed with it, so `["ab"]` and `["a", "b"]` differ.
fn derived(parts: &[&str], len: usize) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    let digest = hash.finalize();
    let mut bits: u64 = 0;
    let mut held = 0;
    let mut bytes = digest.iter();
    let mut out = String::with_capacity(len);
    while out.len() < len {
        if held < 5 {
            let Some(byte) = bytes.next() else { break };
            bits = (bits << 8) | u64::from(*byte);
            held += 8;
        }
        held -= 5;
        out.push(char::from(ALPHABET[((bits >> held) & 31) as usize]));
    }
    out
}

impl TaskId {
    /// Characters in a task id: 50 bits, so among 100,000 tasks made in separate clones a collision has odds of 1 in 200,000.
    pub const LEN: usize = 10;

    /// Derives the id from what makes the task itself; equal seeds give equal ids, so a replay adds nothing twice.
    pub fn from_seed(parts: &[&str]) -> Self {
        Self::new(derived(parts, Self::LEN))
    }

    /// Parses a whole id as a person or model wrote it: upper case and the look-alikes `o`, `i`, `l` are accepted.
    pub fn parse(text: &str) -> Option<Self> {
        let id = Self::new(normalised(text)?);
        (id.0.len() == Self::LEN).then_some(id)
    }

    /// Normalises the beginning of an id as a person wrote it; `None` when it holds a character no id has.
    pub fn prefix(text: &str) -> Option<String> {
        normalised(text).filter(|prefix| !prefix.is_empty() && prefix.len() <= Self::LEN)
    }
}

fn normalised(text: &str) -> Option<String> {
    text.trim()
        .chars()
        .map(|c| match c.to_ascii_lowercase() {
            'o' => Some('0'),
            'i' | 'l' => Some('1'),
            c if c.is_ascii() && ALPHABET.contains(&(c as u8)) => Some(c),
            _ => None,
        })
        .collect()
}

impl ClaimId {
    /// Derives the id of a claim from its seed.
    pub fn from_seed(parts: &[&str]) -> Self {
        Self::new(derived(parts, 12))
    }
}

impl ProposalId {
    /// Derives the id of a proposal from its seed; the same proposal made twice has one id.
    pub fn from_seed(parts: &[&str]) -> Self {
        Self::new(derived(parts, 12))
    }
}

impl RunId {
    /// Derives the id of a run from what the process knows of itself (time, pid, random bytes).
    pub fn from_seed(parts: &[&str]) -> Self {
        Self::new(format!("run-{}", derived(parts, 16)))
    }
}

impl CommitId {
    /// The first ten digits, for people.
    pub fn short(&self) -> &str {
        self.0.get(..10).unwrap_or(&self.0)
    }
}

/// Where a fact stands: which process's log, and the how-manyeth in it. Unique for ever, so folding twice is noticed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FactId {
    /// The log the fact was appended to.
    pub log: LogId,
    /// Its number in that log, from 1, without gaps.
    pub seq: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_not_concatenated() {
        assert_ne!(
            TaskId::from_seed(&["ab", "c"]),
            TaskId::from_seed(&["a", "bc"])
        );
        assert_eq!(
            TaskId::from_seed(&["ab", "c"]),
            TaskId::from_seed(&["ab", "c"])
        );
    }

    #[test]
    fn ids_are_parsed_as_people_write_them() {
        let id = TaskId::from_seed(&["x"]);
        assert_eq!(id.as_str().len(), TaskId::LEN);
        assert_eq!(TaskId::parse(&id.as_str().to_uppercase()), Some(id));
        assert_eq!(TaskId::parse("../../etc"), None);
        assert_eq!(TaskId::prefix("OIL").as_deref(), Some("011"));
        assert_eq!(TaskId::prefix(""), None);
    }
}
