//! The command line of the TUI (`codex [PROMPT]`, `resume`, `fork`, `agents`), divided between the stock TUI and the
//! app-server behind us. Nothing is read and nothing started here.
//!
//! With `-c` (but for `features.…`), `-p`, `--search`, `--approve-for-me`, `--strict-config`, `--oss`, `--no-daemon` or
//! `--dangerously-bypass-hook-trust` on its own command line the TUI ignores the control socket and embeds a server, so none
//! of them may reach it. What they say goes to the app-server as `-c`, and to the TUI as [`Carried::settings`]: it takes
//! `tui.*`, `sandbox_mode` and others from the `config.toml` of its own home, whatever the server says.

use std::ffi::{OsStr, OsString};

use toml::{Table, Value};

use crate::args::{Shape, command_at};

/// A part of upstream that is the TUI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Surface {
    New,
    Resume,
    Fork,
    Agents,
}

/// Upstream's other subcommands, with their aliases and those its help hides.
pub(crate) const OTHERS: [&str; 30] = [
    "exec",
    "e",
    "review",
    "login",
    "logout",
    "mcp",
    "plugin",
    "app-server",
    "remote-control",
    "completion",
    "update",
    "doctor",
    "sandbox",
    "debug",
    "apply",
    "a",
    "queue",
    "archive",
    "delete",
    "migrate-rollouts",
    "migrate-nfs-db",
    "unarchive",
    "cloud",
    "cloud-tasks",
    "exec-server",
    "features",
    "help",
    "execpolicy",
    "responses-api-proxy",
    "stdio-to-uds",
];

/// Why a command line goes to upstream as it is, without us between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plain {
    /// `--help`, `--version`.
    Info,
    /// `--remote`: the user names another server.
    Remote,
    /// `--oss`: the TUI chooses a local provider, sees that it runs and fetches its model, and does so embedded only.
    Oss,
    /// `--dangerously-bypass-hook-trust`: no setting has this effect on the TUI.
    HookTrust,
    /// Upstream refuses it, in its own words.
    Refused,
    /// The profile isn't TOML, or can't be said in `-c`.
    Profile,
}

/// A command line, divided.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Carried {
    /// For the TUI, subcommand included.
    pub(crate) tui: Vec<OsString>,
    /// For the app-server, behind `app-server`.
    pub(crate) engine: Vec<OsString>,
    /// To be laid over what the TUI reads as `config.toml`; empty when nothing is.
    pub(crate) settings: Table,
    /// `--no-daemon`: the user's daemon is not to be the engine.
    pub(crate) no_daemon: bool,
}

impl Carried {
    /// Settings that a thread remembers from its last turn: without being said when it is opened they would give way to what
    /// it remembers. Values are JSON.
    pub(crate) fn to_open_with(&self) -> Vec<(String, String)> {
        let said = |key: &&str| {
            let value = self.settings.get(*key)?.as_str()?;
            Some((
                (*key).to_owned(),
                serde_json::Value::from(value).to_string(),
            ))
        };
        REMEMBERED.iter().filter_map(said).collect()
    }
}

/// See [`Carried::to_open_with`].
const REMEMBERED: [&str; 6] = [
    "model",
    "model_provider",
    "model_reasoning_effort",
    "approval_policy",
    "approvals_reviewer",
    "sandbox_mode",
];

/// A command line as read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TuiLine {
    tui: Vec<OsString>,
    pairs: Vec<OsString>,
    engine: Vec<OsString>,
    profiles: Vec<String>,
    approve_for_me: bool,
    no_daemon: bool,
    plain: Option<Plain>,
}

/// Which surface `args` are for; `None` for another subcommand.
pub(crate) fn surface(args: &[OsString]) -> Option<Surface> {
    let word = command_at(args).and_then(|at| args.get(at)?.to_str());
    match word {
        Some("resume") => Some(Surface::Resume),
        Some("fork") => Some(Surface::Fork),
        Some("agents") => Some(Surface::Agents),
        Some(word) if OTHERS.contains(&word) => None,
        // A prompt.
        Some(_) | None => Some(Surface::New),
    }
}

impl TuiLine {
    pub(crate) fn read(args: Vec<OsString>) -> Self {
        let mut line = Self {
            tui: Vec::with_capacity(args.len()),
            pairs: Vec::new(),
            engine: Vec::new(),
            profiles: Vec::new(),
            approve_for_me: false,
            no_daemon: false,
            plain: None,
        };
        let is_agents = surface(&args) == Some(Surface::Agents);
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            match Shape::of(&arg) {
                // It takes few flags; those that would be translated are upstream's to judge.
                Shape::Flag { .. } if is_agents && !is_of_agents(&split(&arg).0) => {
                    line.give_up(Plain::Refused);
                }
                Shape::End => {
                    line.tui.push(arg);
                    line.tui.extend(args.by_ref());
                }
                Shape::Positional | Shape::Images => line.tui.push(arg),
                Shape::Flag { takes_next } => {
                    let (name, joined) = split(&arg);
                    let value = match joined {
                        Some(joined) => Some(joined),
                        None if takes_next => args.next(),
                        None => None,
                    };
                    line.option(&name, value, arg);
                }
            }
        }
        line
    }

    fn option(&mut self, name: &str, value: Option<OsString>, arg: OsString) {
        let text = || value.as_deref().and_then(OsStr::to_str).map(str::to_owned);
        match name {
            "-c" | "--config" => match value {
                Some(pair) => self.pairs.push(pair),
                None => self.give_up(Plain::Refused),
            },
            "-p" | "--profile" => match text() {
                Some(profile) => self.profiles.push(profile),
                None => self.give_up(Plain::Refused),
            },
            // Both look at them: the TUI refuses a server whose features differ from what it was told.
            "--enable" | "--disable" => {
                let value = value.unwrap_or_default();
                for side in [&mut self.tui, &mut self.engine] {
                    side.extend([name.into(), value.clone()]);
                }
            }
            "--search" => self.pairs.push("web_search=\"live\"".into()),
            "--approve-for-me" => {
                self.approve_for_me = true;
                self.pairs.extend(APPROVE_FOR_ME.map(OsString::from));
            }
            "--strict-config" => self.engine.push(arg),
            // The TUI with it embeds a server.
            "--no-daemon" => self.no_daemon = true,
            "--remote" | "--remote-auth-token-env" => self.give_up(Plain::Remote),
            "--oss" => self.give_up(Plain::Oss),
            "--dangerously-bypass-hook-trust" => self.give_up(Plain::HookTrust),
            "-h" | "--help" | "-V" | "--version" => self.give_up(Plain::Info),
            _ => {
                let joined = arg.to_str() != Some(name);
                self.tui.push(arg);
                self.tui.extend(value.filter(|_| !joined));
            }
        }
    }

    fn give_up(&mut self, why: Plain) {
        self.plain.get_or_insert(why);
    }

    /// The profile whose file, `$CODEX_HOME/<name>.config.toml`, [`TuiLine::carry`] wants to know.
    pub(crate) fn profile(&self) -> Option<&str> {
        self.profiles.first().map(String::as_str)
    }

    /// Divides it. `profile` is the text of the profile's file; upstream takes one that isn't there for an empty one.
    pub(crate) fn carry(self, profile: Option<&str>) -> Result<Carried, Plain> {
        if let Some(why) = self.plain {
            return Err(why);
        }
        let refused = [
            "-s",
            "--sandbox",
            "-a",
            "--ask-for-approval",
            "--dangerously-bypass-approvals-and-sandbox",
        ];
        let excluded = self
            .tui
            .iter()
            .any(|arg| refused.contains(&split(arg).0.as_str()));
        if self.profiles.len() > 1 || (self.approve_for_me && excluded) {
            return Err(Plain::Refused);
        }
        let mut said = Table::new();
        for pair in &self.pairs {
            let pair = pair.to_str().ok_or(Plain::Refused)?;
            let (key, value) = pair.split_once('=').ok_or(Plain::Refused)?;
            set(&mut said, key.trim(), value_of(value.trim()));
        }
        let mut engine = self.engine;
        let mut settings = Table::new();
        if self.profiles.is_empty() {
            for pair in self.pairs {
                engine.extend(["-c".into(), pair]);
            }
        } else {
            settings = profile
                .unwrap_or_default()
                .parse()
                .map_err(|_| Plain::Profile)?;
        }
        lay(&mut settings, said);
        if !self.profiles.is_empty() {
            for (key, value) in &settings {
                // A dot in a key of `-c` is always a path.
                if !key
                    .chars()
                    .all(|char| char.is_ascii_alphanumeric() || "_-".contains(char))
                {
                    return Err(Plain::Profile);
                }
                engine.extend(["-c".into(), format!("{key}={value}").into()]);
            }
        }
        Ok(Carried {
            tui: self.tui,
            engine,
            settings,
            no_daemon: self.no_daemon,
        })
    }
}

/// Flags of `agents` (codex-cli 0.169).
fn is_of_agents(name: &str) -> bool {
    let of_agents = [
        "-c",
        "--config",
        "--enable",
        "--disable",
        "--remote",
        "--remote-auth-token-env",
        "-C",
        "--cd",
        "--no-alt-screen",
        "--no-daemon",
        "-h",
        "--help",
    ];
    of_agents.contains(&name)
}

/// What `--approve-for-me` stands for, as upstream's turn contexts show it.
const APPROVE_FOR_ME: [&str; 3] = [
    "approval_policy=\"on-request\"",
    "approvals_reviewer=\"auto_review\"",
    "sandbox_mode=\"workspace-write\"",
];

/// An option's name, and the value that is joined to it (`--name=value`, `-nvalue`, `-n=value`).
fn split(arg: &OsStr) -> (String, Option<OsString>) {
    let text = arg.to_string_lossy();
    if text.starts_with("--") {
        return match text.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.into())),
            None => (text.into_owned(), None),
        };
    }
    let mut chars = text.char_indices().skip(2);
    match chars.next() {
        Some((at, _)) if text.starts_with('-') => {
            let (name, value) = text.split_at(at);
            let value = value.strip_prefix('=').unwrap_or(value);
            (name.to_owned(), Some(value.into()))
        }
        _ => (text.into_owned(), None),
    }
}

/// As upstream reads the value of `-c`: TOML if it parses, else the text itself without its quotes.
fn value_of(given: &str) -> Value {
    let parsed = format!("x = {given}").parse::<Table>().ok();
    parsed
        .and_then(|mut table| table.remove("x"))
        .unwrap_or_else(|| Value::from(given.trim_matches(['"', '\''])))
}

/// Sets a dotted key; what is in the way of a table is replaced.
fn set(table: &mut Table, key: &str, value: Value) {
    let Some((first, rest)) = key.split_once('.') else {
        table.insert(key.to_owned(), value);
        return;
    };
    let inner = table.entry(first).or_insert_with(|| Table::new().into());
    if !inner.is_table() {
        *inner = Table::new().into();
    }
    if let Value::Table(inner) = inner {
        set(inner, rest, value);
    }
}

/// Lays one layer of configuration over another, table by table, as upstream does.
fn lay(below: &mut Table, above: Table) {
    for (key, value) in above {
        match (below.get_mut(&key), value) {
            (Some(Value::Table(below)), Value::Table(above)) => lay(below, above),
            (_, value) => drop(below.insert(key, value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split_whitespace().map(OsString::from).collect()
    }

    fn check(line: &str, tui: &str, engine: &str, settings: &str) {
        let carried = TuiLine::read(words(line)).carry(None).unwrap();
        assert_eq!(carried.tui, words(tui), "{line}");
        assert_eq!(carried.engine, words(engine), "{line}");
        assert_eq!(carried.settings, settings.parse().unwrap(), "{line}");
    }

    fn plain(line: &str, why: Plain) {
        assert_eq!(TuiLine::read(words(line)).carry(None), Err(why), "{line}");
    }

    #[test]
    fn what_the_tui_may_see_reaches_it_unchanged_and_in_order() {
        for line in [
            "",
            "fix it",
            "resume --last --all -m x -s read-only -a never go",
            "fork id --worktree -C dir --add-dir a --add-dir=b",
            "agents --no-alt-screen",
            "-i a.png b.png --model=x --local-provider ollama",
            "--dangerously-bypass-approvals-and-sandbox -mx -- -c not=ours --remote",
        ] {
            check(line, line, "", "");
        }
        check("--no-daemon resume", "resume", "", "");
        let carried = TuiLine::read(words("--no-daemon resume")).carry(None);
        assert!(carried.unwrap().no_daemon);
    }

    #[test]
    fn settings_go_to_the_app_server_and_into_the_home_of_the_tui() {
        check(
            "-c model=o3 resume --config=tui.vim_mode_default=true -ctui.theme=x --last",
            "resume --last",
            "-c model=o3 -c tui.vim_mode_default=true -c tui.theme=x",
            "model = 'o3'\ntui = { vim_mode_default = true, theme = 'x' }",
        );
        check("-p none -c a=1", "", "-c a=1", "a = 1");
        check(
            "--search --strict-config",
            "",
            "--strict-config -c web_search=\"live\"",
            "web_search = 'live'",
        );
        check(
            "--enable goals --disable=apps",
            "--enable goals --disable apps",
            "--enable goals --disable apps",
            "",
        );
        check(
            "--approve-for-me",
            "",
            "-c approval_policy=\"on-request\" -c approvals_reviewer=\"auto_review\" -c sandbox_mode=\"workspace-write\"",
            "approval_policy = 'on-request'\napprovals_reviewer = 'auto_review'\nsandbox_mode = 'workspace-write'",
        );
    }

    #[test]
    fn what_a_thread_remembers_is_said_when_it_is_opened() {
        let line = "resume x -c model=o3 -c model_reasoning_effort=high -c tui.theme=x";
        let carried = TuiLine::read(words(line)).carry(None).unwrap();
        let expect = [("model", "\"o3\""), ("model_reasoning_effort", "\"high\"")];
        let expect = expect.map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(carried.to_open_with(), expect);
    }

    #[test]
    fn what_cannot_be_carried_is_upstreams() {
        plain("--remote unix://x", Plain::Remote);
        plain("resume --remote=unix://x", Plain::Remote);
        plain("--oss -m x", Plain::Oss);
        plain("--dangerously-bypass-hook-trust", Plain::HookTrust);
        plain("resume --help", Plain::Info);
        plain("agents --search", Plain::Refused);
        plain("-V", Plain::Info);
        plain("-c novalue", Plain::Refused);
        plain("--approve-for-me -s read-only", Plain::Refused);
        plain("--approve-for-me --sandbox=read-only", Plain::Refused);
        plain("-p a -p b", Plain::Refused);
    }

    #[test]
    fn a_profile_is_laid_below_what_was_said() {
        let text = "model = 'p'\n[tui]\ntheme = 'p'\nnotifications = ['a', \"b'\\n\"]\n[[hooks.x]]\nat = 1979-05-27T07:32:00Z\nn = 1.5\n\
            [projects.\"/a.b = c\"]\ntrust_level = 'trusted'";
        let line = TuiLine::read(words("-p work -c tui.theme=c -c model=c go"));
        assert_eq!(line.profile(), Some("work"));
        let carried = line.carry(Some(text)).unwrap();
        assert_eq!(carried.tui, words("go"));
        let mut expect: Table = text.parse().unwrap();
        set(&mut expect, "model", "c".into());
        set(&mut expect, "tui.theme", "c".into());
        assert_eq!(carried.settings, expect);
        // Read as upstream reads them, the pairs are the same again, whatever the shape.
        let mut read = Table::new();
        for pair in carried.engine.chunks(2) {
            let (key, value) = pair[1].to_str().unwrap().split_once('=').unwrap();
            set(&mut read, key, value_of(value));
        }
        assert_eq!(read, expect);
        for odd in ["\"a.b\" = 1", "no toml"] {
            let carried = TuiLine::read(words("-p work")).carry(Some(odd));
            assert_eq!(carried, Err(Plain::Profile), "{odd}");
        }
    }

    #[test]
    fn the_tui_is_told_from_the_other_subcommands() {
        for (line, expect) in [
            ("", Some(Surface::New)),
            ("fix exec", Some(Surface::New)),
            ("-m exec resume", Some(Surface::Resume)),
            ("fork x", Some(Surface::Fork)),
            ("agents", Some(Surface::Agents)),
            ("login status", None),
            ("-c a=b mcp list", None),
            ("-- login", Some(Surface::New)),
        ] {
            assert_eq!(surface(&words(line)), expect, "{line}");
        }
    }
}
