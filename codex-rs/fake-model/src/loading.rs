//! Reads scenarios and refuses, with the place, what could not be played. Playing is not its business.

use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde_json::Value;

use crate::scenario::{Fault, HttpError, Reply, Scenario, When};

/// Why a scenario was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// The file could not be read.
    #[error("Failed to read the scenario {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file holds no scenario.
    #[error("Failed to understand the scenario {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with its text.
        source: Box<ScenarioError>,
    },
    /// Not JSON, or not of the shape of a scenario; the message ends with line and column.
    #[error("Failed to parse the scenario: {0}")]
    Shape(#[from] serde_json::Error),
    /// Well-formed, but it cannot be played.
    #[error("Failed to accept {place} of the scenario: {reason}")]
    Meaning {
        /// Which reply, such as `replies[2]`.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl Scenario {
    /// Reads and checks a scenario file.
    pub fn load(path: &Path) -> Result<Self, ScenarioError> {
        let text = std::fs::read_to_string(path).map_err(|source| ScenarioError::Read {
            path: path.to_owned(),
            source,
        })?;
        text.parse().map_err(|source| ScenarioError::File {
            path: path.to_owned(),
            source: Box::new(source),
        })
    }

    /// Checks a scenario that is JSON already, as `serde_json::json!` makes it.
    pub fn from_value(value: Value) -> Result<Self, ScenarioError> {
        serde_json::from_value::<Self>(value)?.checked()
    }

    fn checked(self) -> Result<Self, ScenarioError> {
        let places = (0..self.replies.len()).map(|index| format!("replies[{index}]"));
        for (reply, place) in self.replies.iter().zip(places) {
            reply.check(place)?;
        }
        self.fallback.check("fallback".to_owned())?;
        Ok(self)
    }
}

impl FromStr for Scenario {
    type Err = ScenarioError;

    fn from_str(text: &str) -> Result<Self, ScenarioError> {
        serde_json::from_str::<Self>(text)?.checked()
    }
}

impl Reply {
    fn check(&self, place: String) -> Result<(), ScenarioError> {
        match self.flaw()? {
            Some(reason) => Err(ScenarioError::Meaning { place, reason }),
            None => Ok(()),
        }
    }

    fn flaw(&self) -> Result<Option<String>, serde_json::Error> {
        if let Some(When {
            input: None,
            user: None,
        }) = self.when
        {
            return Ok(Some("`when` needs `input` or `user`".to_owned()));
        }
        if let Some(Fault::Status(HttpError { code, .. })) = self.fault
            && !(400..600).contains(&code)
        {
            return Ok(Some(format!("status {code} is not between 400 and 599")));
        }
        if let Some(name) = crate::http::impossible_header(&self.headers) {
            return Ok(Some(format!("`{name}` is no possible header")));
        }
        // JSON escapes nothing that a placeholder is made of, so the steps can be searched as one text.
        let steps = serde_json::to_string(&self.steps)?;
        let unknown = placeholders(&steps).find(|name| !self.capture.contains_key(*name));
        Ok(unknown
            .map(|name| format!("`{{{{capture {name}}}}}` is used, but `capture` has no `{name}`")))
    }
}

/// What a placeholder begins with; its name follows.
pub(crate) const PLACEHOLDER: &str = "{{capture ";

/// The names in the placeholders of `text`.
fn placeholders(text: &str) -> impl Iterator<Item = &str> {
    text.split(PLACEHOLDER)
        .skip(1)
        .map(|rest| rest.split_once("}}").map_or(rest, |(name, _)| name))
}
