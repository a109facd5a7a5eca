//! What went wrong, in one line, and what to do about it, in another. Kinds and hints are made here and nowhere else.

use std::error::Error;
use std::process::ExitCode;

use orch_core::command::Refusal;
use orch_engine::error::EngineError;
use orch_protocol::text::one_line;
use orch_runtime::driver::DriverError;
use orch_runtime::git::GitError;
use orch_runtime::ports::EngineTrouble;
use orch_runtime::store::StoreError;

use crate::out;

/// Exit codes, the same for every command of ours.
pub(crate) mod code {
    /// Failed.
    pub(crate) const FAILED: u8 = 1;
    /// The command line was wrong.
    pub(crate) const USAGE: u8 = 2;
    /// Git moved under the conversation, and a person has to decide.
    pub(crate) const DRIFT: u8 = 3;
}

/// An error as the user meets it.
#[derive(Debug)]
pub(crate) struct Trouble {
    what: String,
    hint: String,
    code: u8,
}

impl Trouble {
    pub(crate) fn new(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            hint: hint.into(),
            code: code::FAILED,
        }
    }

    pub(crate) fn usage(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            code: code::USAGE,
            ..Self::new(what, hint)
        }
    }

    pub(crate) fn drift(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            code: code::DRIFT,
            ..Self::new(what, hint)
        }
    }

    /// A signal ended it: the exit code is the one a shell would show.
    pub(crate) fn interrupted(
        signal: i32,
        what: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self {
            code: u8::try_from(128 + signal).unwrap_or(code::FAILED),
            ..Self::new(what, hint)
        }
    }

    /// Prints two lines to stderr.
    pub(crate) fn report(&self) -> ExitCode {
        out::error(&one_line(&self.what, 2_000));
        out::hint(&one_line(&self.hint, 2_000));
        ExitCode::from(self.code)
    }

    /// What, and what to do: for those who don't read stderr.
    pub(crate) fn lines(&self) -> [&str; 2] {
        [&self.what, &self.hint]
    }

    /// Both lines as one, for a note that doesn't end the run.
    pub(crate) fn line(&self) -> String {
        format!("{} ({})", self.what, self.hint)
    }
}

/// An error with its causes, `Failed to open x: permission denied`.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

impl From<EngineError> for Trouble {
    fn from(error: EngineError) -> Self {
        Self::new(chain(&error), error.hint())
    }
}

impl From<EngineTrouble> for Trouble {
    fn from(error: EngineTrouble) -> Self {
        Self::new(error.what, error.hint)
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::new(chain(&error), error.hint())
    }
}

impl From<GitError> for Trouble {
    fn from(error: GitError) -> Self {
        Self::new(
            chain(&error),
            "git fsck tells whether the repository is sound; --no-orch runs without looking at it",
        )
    }
}

impl From<DriverError> for Trouble {
    fn from(error: DriverError) -> Self {
        match error {
            DriverError::Store(error) => error.into(),
            DriverError::Git(error) => error.into(),
            DriverError::Engine(error) => error.into(),
        }
    }
}

impl From<Refusal> for Trouble {
    fn from(refusal: Refusal) -> Self {
        Self::usage(refusal.to_string(), refusal.hint())
    }
}
