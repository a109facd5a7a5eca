//! The command line of `exec`: read as upstream reads it, and written again for the run that is to be started.
//!
//! Arguments keep their order. Ours (`--on-drift`, `--no-orch`) are taken out; what a resolved resume or a
//! rebuild changes is the subcommand and the session, nothing else.

use std::ffi::OsString;

use orch_core::drift::OnDrift;
use orch_protocol::project::RunKind;

use crate::args::Shape;
use crate::trouble::Trouble;

/// A subcommand of exec.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    /// None: a new thread.
    New,
    Resume,
    Fork,
    Review,
    /// `exec help`, `exec --help`, `--version`: nothing runs.
    Info,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Option,
    Verb,
    Word,
    /// `--last` and `--all` select a session.
    Selector,
    End,
}

#[derive(Debug, Clone)]
struct Token {
    role: Role,
    text: OsString,
}

/// A parsed command line of exec.
#[derive(Debug, Clone)]
pub(crate) struct ExecLine {
    root: Vec<OsString>,
    tokens: Vec<Token>,
    pub(crate) verb: Verb,
    pub(crate) last: bool,
    pub(crate) all: bool,
    pub(crate) on_drift: OnDrift,
    pub(crate) no_orch: bool,
    options: Vec<(String, Option<OsString>)>,
}

/// Options of `exec`, long and short, that this program looks at.
const CD: [&str; 2] = ["-C", "--cd"];
const CONFIG: [&str; 2] = ["-c", "--config"];
const PROFILE: [&str; 2] = ["-p", "--profile"];
const INSTRUCTIONS: &str = "developer_instructions";

impl ExecLine {
    /// Reads what stands before `exec` and behind it.
    pub(crate) fn parse(root: Vec<OsString>, args: Vec<OsString>) -> Result<Self, Trouble> {
        let mut line = Self {
            tokens: Vec::with_capacity(args.len()),
            verb: Verb::New,
            last: false,
            all: false,
            on_drift: OnDrift::Stop,
            no_orch: false,
            options: Vec::new(),
            root: Vec::new(),
        };
        line.note_options(&root);
        line.root = root;
        let mut args = args.into_iter().peekable();
        while let Some(arg) = args.next() {
            match arg.to_str() {
                Some("--no-orch") => line.no_orch = true,
                Some("--on-drift") => {
                    line.on_drift = policy(args.next().and_then(|word| word.into_string().ok()))?
                }
                Some(text) if text.starts_with("--on-drift=") => {
                    line.on_drift = policy(text.strip_prefix("--on-drift=").map(str::to_owned))?;
                }
                _ => line.take(arg, &mut args),
            }
        }
        Ok(line)
    }

    fn take(
        &mut self,
        arg: OsString,
        rest: &mut std::iter::Peekable<impl Iterator<Item = OsString>>,
    ) {
        let text = arg.to_str().unwrap_or_default().to_owned();
        match Shape::of(&arg) {
            Shape::End => {
                self.push(Role::End, arg);
                for word in rest {
                    self.push(Role::Word, word);
                }
            }
            Shape::Positional => self.word(arg, &text),
            Shape::Images => {
                self.push(Role::Option, arg);
                // Behind `exec` it takes every word up to the next option; behind `exec resume` exactly one.
                let most = if self.verb == Verb::New {
                    usize::MAX
                } else {
                    1
                };
                for _ in 0..most {
                    let Some(image) = rest.next_if(|next| Shape::of(next) == Shape::Positional)
                    else {
                        break;
                    };
                    self.push(Role::Option, image);
                }
            }
            Shape::Flag { takes_next } => {
                let role = match text.as_str() {
                    "--last" => {
                        self.last = true;
                        Role::Selector
                    }
                    "--all" => {
                        self.all = true;
                        Role::Selector
                    }
                    "-h" | "--help" | "-V" | "--version" => {
                        self.verb = Verb::Info;
                        Role::Option
                    }
                    _ => Role::Option,
                };
                self.push(role, arg.clone());
                let value = if takes_next { rest.next() } else { None };
                self.note_option(&text, value.clone());
                if let Some(value) = value {
                    self.push(Role::Option, value);
                }
            }
        }
    }

    fn word(&mut self, arg: OsString, text: &str) {
        let first = !self
            .tokens
            .iter()
            .any(|token| matches!(token.role, Role::Word | Role::Verb));
        let verb = match text {
            "resume" => Verb::Resume,
            "fork" => Verb::Fork,
            "review" => Verb::Review,
            "help" => Verb::Info,
            _ => Verb::New,
        };
        if first && verb != Verb::New && self.verb == Verb::New {
            self.verb = verb;
            self.push(Role::Verb, arg);
        } else {
            self.push(Role::Word, arg);
        }
    }

    fn push(&mut self, role: Role, text: OsString) {
        self.tokens.push(Token { role, text });
    }

    fn note_options(&mut self, args: &[OsString]) {
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let value = matches!(Shape::of(arg), Shape::Flag { takes_next: true })
                .then(|| args.next().cloned())
                .flatten();
            self.note_option(arg.to_str().unwrap_or_default(), value);
        }
    }

    fn note_option(&mut self, text: &str, value: Option<OsString>) {
        let (name, value) = match (text.split_once('='), value) {
            (Some((name, value)), None) if name.starts_with("--") => {
                (name.to_owned(), Some(OsString::from(value)))
            }
            // `-cmodel=x`, `-C/dir`: the value is attached.
            (_, None) if !text.starts_with("--") && text.chars().count() > 2 => {
                let (name, value) = text.split_at(2);
                (
                    name.to_owned(),
                    Some(OsString::from(value.strip_prefix('=').unwrap_or(value))),
                )
            }
            (_, value) => (text.to_owned(), value),
        };
        self.options.push((name, value));
    }

    fn has(&self, name: &str) -> bool {
        self.options.iter().any(|(known, _)| known == name)
    }

    fn last_value(&self, names: [&str; 2]) -> Option<&OsString> {
        let named = self
            .options
            .iter()
            .rev()
            .find(|(known, _)| names.contains(&known.as_str()));
        named.and_then(|(_, value)| value.as_ref())
    }

    /// `--ephemeral`: no rollout is left.
    pub(crate) fn ephemeral(&self) -> bool {
        self.has("--ephemeral")
    }

    /// A fork that leads to a turn and leaves a rollout: made by an app-server and then resumed it is the same as
    /// upstream's own, but for the source that `--thread-source` names.
    pub(crate) fn can_be_copied(&self) -> bool {
        self.words().count() > 1 && !self.ephemeral() && !self.has("--thread-source")
    }

    /// `--ignore-user-config`: upstream reads its home's configuration for nobody but the login.
    pub(crate) fn ignores_user_config(&self) -> bool {
        self.has("--ignore-user-config")
    }

    /// `--trust`: upstream will trust the folder.
    pub(crate) fn trusts(&self) -> bool {
        self.has("--trust")
    }

    /// The folder of `-C`.
    pub(crate) fn cd(&self) -> Option<&OsString> {
        self.last_value(CD)
    }

    /// The profile of `-p`.
    pub(crate) fn profile(&self) -> Option<&str> {
        self.last_value(PROFILE).and_then(|name| name.to_str())
    }

    /// The last value that `-c key=…` gives.
    pub(crate) fn override_of(&self, key: &str) -> Option<&str> {
        let values = self
            .options
            .iter()
            .filter(|(name, _)| CONFIG.contains(&name.as_str()));
        let mut pairs = values.filter_map(|(_, value)| value.as_ref()?.to_str()?.split_once('='));
        pairs
            .rfind(|(name, _)| name.trim() == key)
            .map(|(_, value)| value.trim())
    }

    /// A provider other than the configured one was chosen on the command line.
    pub(crate) fn names_provider(&self) -> bool {
        self.has("--oss") || self.override_of("model_provider").is_some()
    }

    /// The session that `resume` or `fork` names; with `--last` the only word is the prompt.
    pub(crate) fn session(&self) -> Option<&str> {
        match self.verb {
            Verb::Resume if self.last => None,
            Verb::Resume | Verb::Fork => self.words().next().and_then(|word| word.to_str()),
            Verb::New | Verb::Review | Verb::Info => None,
        }
    }

    fn words(&self) -> impl Iterator<Item = &OsString> {
        self.tokens
            .iter()
            .filter(|token| token.role == Role::Word)
            .map(|token| &token.text)
    }

    /// Upstream's arguments exactly as given, ours taken out.
    pub(crate) fn as_given(&self) -> Vec<OsString> {
        let mut args = self.root.clone();
        args.push("exec".into());
        args.extend(self.tokens.iter().map(|token| token.text.clone()));
        args
    }

    /// Upstream's arguments for a run of `kind`, with `configured` (`key=value`) given first, so that the user's own win.
    /// Developer instructions are the exception: ours hold the user's, so theirs are taken out.
    pub(crate) fn for_run(&self, kind: &RunKind, configured: &[String]) -> Vec<OsString> {
        let mut rest = Vec::with_capacity(self.tokens.len());
        match (kind, self.verb) {
            (RunKind::Resume { thread }, Verb::Resume | Verb::Fork) => {
                self.rewritten(&mut rest, Some(thread.as_str()))
            }
            // A rebuild: the same prompt and options, in a new thread.
            (RunKind::Fresh, Verb::Resume) => self.rewritten(&mut rest, None),
            _ => rest.extend(self.tokens.iter().map(|token| token.text.clone())),
        }
        self.with(configured, rest)
    }

    /// Upstream's arguments as they are given, with `configured`: for a resume that finds no thread and begins one.
    pub(crate) fn as_given_with(&self, configured: &[String]) -> Vec<OsString> {
        let rest = self.tokens.iter().map(|token| token.text.clone());
        self.with(configured, rest.collect())
    }

    fn with(&self, configured: &[String], rest: Vec<OsString>) -> Vec<OsString> {
        let held = configured.iter().any(|pair| sets(pair, INSTRUCTIONS));
        let own = |args: Vec<OsString>| {
            if held {
                without_pair(args, INSTRUCTIONS)
            } else {
                args
            }
        };
        let mut args = own(self.root.clone());
        args.push("exec".into());
        for pair in configured {
            args.extend(["-c".into(), OsString::from(pair)]);
        }
        args.extend(own(rest));
        args
    }

    /// Replaces what selects the session by its id, or takes the whole subcommand out.
    fn rewritten(&self, args: &mut Vec<OsString>, id: Option<&str>) {
        let mut skip_session = self.session().is_some();
        let mut given = id.is_none();
        for token in &self.tokens {
            match token.role {
                Role::Selector => {}
                Role::Verb => args.extend(id.map(|_| OsString::from("resume"))),
                Role::Word | Role::End => {
                    if !given && token.role == Role::Word {
                        args.extend(id.map(OsString::from));
                        given = true;
                    }
                    let is_session = token.role == Role::Word && std::mem::take(&mut skip_session);
                    if !is_session {
                        args.push(token.text.clone());
                    }
                }
                Role::Option => args.push(token.text.clone()),
            }
        }
        if !given {
            args.extend(id.map(OsString::from));
        }
    }
}

/// Whether `pair` is `key=…`.
fn sets(pair: &str, key: &str) -> bool {
    pair.split_once('=')
        .is_some_and(|(name, _)| name.trim() == key)
}

/// The arguments without `-c key=…`, however it is spelt.
fn without_pair(args: Vec<OsString>, key: &str) -> Vec<OsString> {
    let mut kept = Vec::with_capacity(args.len());
    let mut args = args.into_iter().peekable();
    while let Some(arg) = args.next() {
        let text = arg.to_str().unwrap_or_default();
        if text == "--" {
            kept.push(arg);
            kept.extend(args);
            break;
        }
        let attached = text
            .strip_prefix("--config=")
            .or_else(|| text.strip_prefix("-c"))
            .map(|pair| pair.strip_prefix('=').unwrap_or(pair));
        if attached.is_some_and(|pair| sets(pair, key)) {
            continue;
        }
        let next_sets = |next: &OsString| next.to_str().is_some_and(|pair| sets(pair, key));
        if CONFIG.contains(&text) && args.peek().is_some_and(next_sets) {
            args.next();
            continue;
        }
        kept.push(arg);
    }
    kept
}

fn policy(word: Option<String>) -> Result<OnDrift, Trouble> {
    let word = word.unwrap_or_default();
    OnDrift::parse(&word).ok_or_else(|| {
        Trouble::usage(
            format!("--on-drift takes stop, fork, fast-forward or rebuild, not {word:?}"),
            "leave it out to stop (exit code 3) when the conversation no longer fits the repository",
        )
    })
}

#[cfg(test)]
mod tests;
