//! The story, step by step: what the user does, what came of it, what codex-orch knows then. Each step checks what it
//! claims against git, exit codes, the engine's rollouts and what the model was asked, and ends the demo if it isn't so.

use serde_json::Value;

use super::backlog::{Backlog, Known, commits, journal, ran, text};
use super::screen::Screen;
use super::stand::Stand;
use super::telling::{Story, short, told};
use crate::trouble::{Trouble, code};

const CASES: &str = "Write cases with minutes and hours";
const SPLIT: &str = "Split seconds into hours and minutes";
const README: &str = "Explain the format in the README";
const REFUSE: &str = "Refuse input that is not a number";
const TEST: &str = "sh test.sh";
const COLLEAGUE: &str = "Add a case of one hour";

/// How the story ended.
pub(crate) struct End {
    pub(crate) backlog: Backlog,
    pub(crate) journal: Vec<Value>,
    pub(crate) known: Known,
    pub(crate) head: String,
}

/// Tells the whole story.
pub(crate) async fn tell(stand: &Stand, screen: &mut Screen) -> Result<End, Trouble> {
    let mut story = Story {
        stand,
        screen,
        shown: Vec::new(),
    };
    story.opening().await?;
    story.a_plan_and_a_failing_test().await?;
    story.a_fix_and_a_commit().await?;
    story.git_moves().await?;
    story.nothing_is_sent().await?;
    story.the_conversation_goes_on().await?;
    story.done_elsewhere().await?;
    story.merged().await?;
    story.a_second_session().await?;
    story.the_end().await
}

impl Story<'_> {
    async fn opening(&mut self) -> Result<(), Trouble> {
        let stand = self.stand;
        let first = [
            &["init", "-q", "-b", "main"][..],
            &["config", "user.name", "You"],
            &["config", "user.email", "you@example.com"],
            &["add", "-A"],
            &["commit", "-qm", "Print seconds"],
        ];
        for args in first {
            stand.git(args).await?;
        }
        let version = stand.version().await?;
        self.screen.opening(&format!(
            "codex-orch demo: a developer, a colleague, and {version} with a model that answers by script.\n\
             Each line with a $ is run for real, in {}",
            stand.project.display()
        ))
    }

    async fn a_plan_and_a_failing_test(&mut self) -> Result<(), Trouble> {
        self.screen
            .step("Session 1: a plan, two edits, a test that fails")?;
        self.exec(&["exec", "Let duration.sh print minutes and hours"], &[])
            .await?;
        self.agent("plans 4 steps, edits test.sh and duration.sh, runs `sh test.sh`: exit 1")?;
        let head = self.head().await?;
        let main = self.stand.git(&["rev-list", "--count", "main"]).await?;
        self.holds("nothing is committed yet", main == "1", &head)?;
        let edited = self.stand.git(&["diff", "--name-only"]).await?;
        self.holds(
            "two files are edited",
            edited == "duration.sh\ntest.sh",
            &edited,
        )?;
        let failing = self.stand.project_test().await?;
        self.holds(
            "the test fails",
            failing == Some(1),
            &format!("{failing:?}"),
        )?;
        self.rollouts(1)?;
        let backlog = self.statuses("done active ready ready").await?;
        self.holds(
            "the new task that is done waits for a commit",
            commits(backlog.task(CASES)).is_empty(),
            "one is there",
        )?;
        self.tasks(&backlog)?;
        let known = Known::of(self.stand).await?;
        let open = known.open_ends("main");
        let failed = open.iter().find(|end| end.contains(TEST));
        self.holds(
            "the failing test is on record",
            failed.is_some(),
            &format!("{open:?}"),
        )?;
        self.screen
            .row("", &format!("still open: {}", failed.unwrap_or(&"")))
    }

    async fn a_fix_and_a_commit(&mut self) -> Result<(), Trouble> {
        self.screen
            .step("It goes on: the fix, a passing test, a commit")?;
        self.exec(
            &[
                "exec",
                "resume",
                "--last",
                "Fix the failing case and commit",
            ],
            &[],
        )
        .await?;
        let head = self.head().await?;
        self.agent(&format!(
            "edits duration.sh, runs `sh test.sh`: exit 0, commits {}",
            short(&head)
        ))?;
        let passing = self.stand.project_test().await?;
        self.holds(
            "the test passes",
            passing == Some(0),
            &format!("{passing:?}"),
        )?;
        self.rollouts(1)?;
        let backlog = self.statuses("done done ready ready").await?;
        for title in [CASES, SPLIT] {
            let found = commits(backlog.task(title));
            self.holds(
                &format!("\"{title}\" is done by the commit"),
                found == [head.as_str()],
                &format!("{found:?}"),
            )?;
        }
        self.holds(
            "the passing test is evidence",
            ran(backlog.task(SPLIT), TEST, true),
            "it isn't there",
        )?;
        self.tasks(&backlog)
    }

    async fn git_moves(&mut self) -> Result<(), Trouble> {
        self.screen
            .step("Meanwhile, without codex: a branch, and a commit by a colleague")?;
        self.screen.command("git switch -c docs")?;
        self.stand.git(&["switch", "-qc", "docs"]).await?;
        let last = "check 3725 \"1h 2m 5s\"\n";
        let more = format!("check 3600 \"1h 0s\"\n{last}");
        self.stand.edit("test.sh", last, &more)?;
        let shown = format!("git commit -am \"{COLLEAGUE}\"   # by Robin, to test.sh");
        self.screen.command(&shown)?;
        let robin = [
            "-c",
            "user.name=Robin",
            "-c",
            "user.email=robin@example.com",
            "commit",
            "-qam",
            COLLEAGUE,
        ];
        self.stand.git(&robin).await?;
        let ahead = self
            .stand
            .git(&["rev-list", "--count", "main..docs"])
            .await?;
        self.holds("docs is one commit ahead", ahead == "1", &ahead)
    }

    async fn nothing_is_sent(&mut self) -> Result<(), Trouble> {
        self.screen
            .step("The conversation no longer fits the repository: nothing is sent")?;
        let asked = self.stand.model.requests().len();
        let line = ["exec", "resume", "--last", "Do the README step and commit"];
        let said = self.run(&line).await?;
        self.holds(
            "it stops with exit code 3",
            said.code == Some(i32::from(code::DRIFT)),
            &said.ended(),
        )?;
        let sent = self.stand.model.requests().len() - asked;
        self.holds(
            "the model wasn't asked",
            sent == 0,
            &format!("{sent} times"),
        )?;
        self.screen
            .row("exit 3", "the model was not asked. codex-orch says:")?;
        self.screen.list("", said.ours().into_iter())
    }

    async fn the_conversation_goes_on(&mut self) -> Result<(), Trouble> {
        self.screen
            .step("Said how to go on: a copy is parked for main, this one learns what moved")?;
        let asked = self.stand.model.requests().len();
        let line = ["exec", "resume", "--last", "--on-drift", "fork"];
        self.exec(&line, &["Do the README step and commit"]).await?;
        let requests = self.stand.model.requests();
        let note = told(requests.get(asked), "The repository moved");
        self.holds(
            "the model was told of Robin's commit",
            note.iter().any(|line| line.contains(COLLEAGUE)),
            &format!("{note:?}"),
        )?;
        self.hears(note.get(..2).unwrap_or(&note))?;
        let head = self.head().await?;
        self.agent(&format!("edits README.md, commits {}", short(&head)))?;
        let known = Known::of(self.stand).await?;
        let parked = text(&known.branch("main")["parked_thread"]).to_owned();
        self.holds("a copy is parked for main", !parked.is_empty(), "none is")?;
        let choices: Vec<&str> = known
            .drift()
            .iter()
            .map(|met| text(&met["choice"]))
            .collect();
        self.holds(
            "both answers are on record",
            choices == ["stop", "fork"],
            &format!("{choices:?}"),
        )?;
        let backlog = self.statuses("done done done ready").await?;
        let found = commits(backlog.task(README));
        self.holds(
            "the README step is done by the commit on docs",
            found == [head.as_str()],
            &format!("{found:?}"),
        )?;
        self.tasks(&backlog)
    }

    async fn done_elsewhere(&mut self) -> Result<(), Trouble> {
        self.screen
            .step("Back on main that work isn't here, and the backlog says so")?;
        self.git(&["switch", "main"]).await?;
        let backlog = self.statuses("done done ready ready").await?;
        let on = text(&backlog.task(README)["done_on"]).to_owned();
        self.holds("it is done on docs", on == "docs", &format!("{on:?}"))?;
        self.list(&[README, "(done on docs)", REFUSE]).await?;
        self.shown.retain(|line| !line.contains(README));
        Ok(())
    }

    async fn merged(&mut self) -> Result<(), Trouble> {
        self.screen
            .step("Merged, it is done here too: git decides")?;
        self.git(&["merge", "docs"]).await?;
        let backlog = self.statuses("done done done ready").await?;
        self.holds(
            "it is done on main",
            backlog.task(README)["done_on"].is_null(),
            "not here",
        )?;
        self.tasks(&backlog)
    }

    async fn a_second_session(&mut self) -> Result<(), Trouble> {
        self.screen
            .step("Session 2: a new conversation starts from what is known")?;
        let asked = self.stand.model.requests().len();
        let before = Backlog::of(self.stand).await?;
        self.exec(&["exec", "What is left to do here? Do it and commit"], &[])
            .await?;
        self.rollouts(3)?;
        let requests = self.stand.model.requests();
        let brief = told(requests.get(asked), "Branch:");
        let id = text(&before.task(REFUSE)["id"]).to_owned();
        let named = format!("- [{id}] {REFUSE}");
        self.holds(
            "the model was told of the open task",
            brief.contains(&named),
            &format!("{brief:?}"),
        )?;
        let digest = brief.iter().any(|line| line.starts_with("Last session ("));
        self.holds("and of the last session", digest, &format!("{brief:?}"))?;
        let others = [CASES, SPLIT, README].map(|title| text(&before.task(title)["id"]));
        let named_too = brief
            .iter()
            .any(|line| others.iter().any(|id| line.contains(&format!("[{id}]"))));
        self.holds(
            "done tasks aren't open in it",
            !named_too,
            &format!("{brief:?}"),
        )?;
        self.hears(&brief)?;
        let head = self.head().await?;
        self.agent(&format!(
            "plans \"[{id}] Accept nothing but digits\", runs `sh test.sh`: exit 0, commits {}",
            short(&head)
        ))?;
        let backlog = self.statuses("done done done done").await?;
        self.holds(
            "the reworded step is the same task",
            backlog.0.len() == before.0.len() && text(&backlog.task(REFUSE)["id"]) == id,
            &format!("{} tasks", backlog.0.len()),
        )?;
        let found = commits(backlog.task(REFUSE));
        self.holds(
            "it is done by the commit",
            found == [head.as_str()],
            &format!("{found:?}"),
        )?;
        self.holds(
            "with a passing test",
            ran(backlog.task(REFUSE), TEST, true),
            "it isn't there",
        )?;
        self.tasks(&backlog)
    }

    async fn the_end(&mut self) -> Result<End, Trouble> {
        let (backlog, known) = (Backlog::of(self.stand).await?, Known::of(self.stand).await?);
        let journal = journal(self.stand).await?;
        self.holds(
            "there is an entry for each stretch of work: main, docs, main",
            journal.len() == 3,
            &format!("{}", journal.len()),
        )?;
        let commits = self.stand.git(&["rev-list", "--no-merges", "HEAD"]).await?;
        let told: String = journal.iter().map(|entry| text(&entry["text"])).collect();
        let by_agent = commits
            .lines()
            .filter(|commit| told.contains(*commit))
            .count();
        self.holds(
            "the journal has the agent's 3 commits",
            by_agent == 3,
            &commits,
        )?;
        let is_clean = self.stand.git(&["status", "--porcelain"]).await?;
        self.holds("the work tree is clean", is_clean.is_empty(), &is_clean)?;
        let head = self.head().await?;
        Ok(End {
            backlog,
            journal,
            known,
            head,
        })
    }
}
