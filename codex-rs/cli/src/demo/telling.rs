//! How a chapter of the story is told: commands are run and shown, claims are checked, and what codex-orch knows is laid
//! out. What happens, and in which order, is `story.rs`'s business.

use std::sync::Arc;

use orch_fake_model::record::{Answered, Recorded};
use orch_protocol::text::one_line;
use serde_json::Value;

use super::backlog::{Backlog, commits, status, text};
use super::screen::Screen;
use super::stand::{Said, Stand};
use crate::trouble::Trouble;

/// The story as it is being told.
pub(crate) struct Story<'a> {
    pub(crate) stand: &'a Stand,
    pub(crate) screen: &'a mut Screen,
    /// The backlog as it was shown last.
    pub(crate) shown: Vec<String>,
}

impl Story<'_> {
    /// Counts a claim that holds; one that doesn't is the end of the demo.
    pub(crate) fn holds(&mut self, claim: &str, holds: bool, seen: &str) -> Result<(), Trouble> {
        if holds {
            self.screen.checked += 1;
            return Ok(());
        }
        Err(Trouble::new(
            format!(
                "step {} of the demo did not do what it says: {claim} (seen: {})",
                self.screen.steps,
                one_line(seen, 300)
            ),
            format!(
                "--verbose shows what the engine prints; everything is kept in {}",
                self.stand.folder.display()
            ),
        ))
    }

    /// Runs a turn that has to succeed. The prompt comes last; `more` stands behind what is quoted of `line`.
    pub(crate) async fn exec(&mut self, line: &[&str], more: &[&str]) -> Result<(), Trouble> {
        let whole: Vec<&str> = line.iter().chain(more).copied().collect();
        let said = self.run(&whole).await?;
        self.holds("the turn succeeds", said.code == Some(0), &said.ended())?;
        let asked = self.stand.model.requests();
        let scripted = asked
            .iter()
            .all(|asked| matches!(asked.answered, Answered::Reply(_)));
        self.holds(
            "the script had an answer to everything",
            scripted,
            "it had none",
        )
    }

    pub(crate) async fn run(&mut self, args: &[&str]) -> Result<Said, Trouble> {
        self.screen
            .command(&format!("codex-orch {}", typed(args)))?;
        let said = self.stand.orch(args).await?;
        self.screen.printed(&said.out)?;
        self.screen.printed(&said.err)?;
        Ok(said)
    }

    pub(crate) async fn git(&mut self, args: &[&str]) -> Result<(), Trouble> {
        self.screen.command(&format!("git {}", args.join(" ")))?;
        self.stand.git(args).await.map(drop)
    }

    /// Shows `tasks list`, which has to be exactly these titles.
    pub(crate) async fn list(&mut self, titles: &[&str]) -> Result<(), Trouble> {
        self.screen.command("codex-orch tasks list")?;
        let said = self.stand.orch(&["tasks", "list"]).await?;
        self.screen.list("", said.out.lines())?;
        let shown = titles.iter().all(|title| said.out.contains(title));
        self.holds("the list shows it", shown, &said.out)
    }

    /// What codex-orch told the model.
    pub(crate) fn hears(&self, lines: &[String]) -> Result<(), Trouble> {
        self.screen.row("model", "is told:")?;
        self.screen.list("", lines.iter().map(String::as_str))
    }

    /// What the agent did, as the script has it and the checks before or after confirm it.
    pub(crate) fn agent(&self, did: &str) -> Result<(), Trouble> {
        self.screen.row("agent", did)
    }

    /// The backlog's steps with the commits that hold them: those that aren't as they were when last shown.
    pub(crate) fn tasks(&mut self, backlog: &Backlog) -> Result<(), Trouble> {
        let line = |task: &Value| {
            let held = match commits(task).last() {
                Some(commit) => format!("  in {}", short(commit)),
                None if status(task) == "done" => "  not committed".to_owned(),
                None => String::new(),
            };
            let line = format!("{:<7} {:<37}{held}", status(task), text(&task["title"]));
            line.trim_end().to_owned()
        };
        let lines: Vec<String> = backlog.steps().map(line).collect();
        let news = lines.iter().filter(|line| !self.shown.contains(line));
        self.screen.list("tasks", news.map(String::as_str))?;
        self.shown = lines;
        Ok(())
    }

    pub(crate) async fn statuses(&mut self, expected: &str) -> Result<Backlog, Trouble> {
        let backlog = Backlog::of(self.stand).await?;
        let seen = backlog.statuses();
        self.holds(
            &format!("the four steps are {expected}"),
            seen == expected,
            &seen,
        )?;
        Ok(backlog)
    }

    pub(crate) async fn head(&self) -> Result<String, Trouble> {
        self.stand.git(&["rev-parse", "HEAD"]).await
    }

    /// Upstream's own records: a conversation each, and a parked copy.
    pub(crate) fn rollouts(&mut self, expected: usize) -> Result<(), Trouble> {
        let found = self.stand.rollouts();
        self.holds(
            &format!("codex itself has recorded {expected} conversations"),
            found == expected,
            &found.to_string(),
        )
    }
}

/// Lines of what codex-orch told the model with a request, from the first that begins with `from`.
pub(crate) fn told(request: Option<&Arc<Recorded>>, from: &str) -> Vec<String> {
    let messages = request.map(|asked| asked.messages("developer"));
    let ours = messages.unwrap_or_default();
    let ours = ours
        .iter()
        .rev()
        .find_map(|message| message.split_once("<codex_orch_brief_1>"));
    let lines = ours.map(|(_, text)| text.lines()).into_iter().flatten();
    lines
        .skip_while(|line| !line.starts_with(from))
        .take_while(|line| !line.starts_with("To continue") && !line.starts_with("</codex_orch"))
        .map(str::to_owned)
        .collect()
}

/// As one would type it: what has spaces in quotes.
fn typed(args: &[&str]) -> String {
    let quoted = args.iter().map(|arg| match arg.contains(' ') {
        true => format!("\"{arg}\""),
        false => (*arg).to_owned(),
    });
    quoted.collect::<Vec<_>>().join(" ")
}

/// As codex-orch itself shortens commits.
pub(crate) fn short(commit: &str) -> &str {
    commit.get(..10).unwrap_or(commit)
}
