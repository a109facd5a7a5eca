//! Drift: may this conversation go on here? Compares what a thread expects of git with what is seen.

use orch_protocol::git::{GitSnapshot, Head, HeadRelation};
use orch_protocol::text::one_line;

/// How git moved under a thread (docs/drift.md has a page on each).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DriftKind {
    /// Nothing moved.
    None,
    /// Same branch; the expected head is an ancestor of the one seen.
    Advanced,
    /// HEAD stands still; files changed outside the turns.
    Files,
    /// Another branch, without a context of its own, at or after the expected head.
    Branched,
    /// Another branch that has a context of its own, or doesn't hold the expected head.
    Switched,
    /// Same branch; the expected head is no ancestor of the one seen.
    Rewritten,
    /// The branch that was left is merged in here.
    Merged,
    /// HEAD is a commit without a branch.
    Detached,
    /// HEAD is a branch without a commit.
    Unborn,
    /// A merge, rebase, bisect or cherry-pick is under way.
    InProgress,
    /// Another work tree or another repository.
    Moved,
}

impl DriftKind {
    /// The word used in files, listings and documents.
    pub fn name(self) -> &'static str {
        match self {
            DriftKind::None => "none",
            DriftKind::Advanced => "advanced",
            DriftKind::Files => "files",
            DriftKind::Branched => "branched",
            DriftKind::Switched => "switched",
            DriftKind::Rewritten => "rewritten",
            DriftKind::Merged => "merged",
            DriftKind::Detached => "detached",
            DriftKind::Unborn => "unborn",
            DriftKind::InProgress => "in-progress",
            DriftKind::Moved => "moved",
        }
    }

    /// What may be chosen when nobody is there to ask.
    pub fn choices(self) -> &'static [OnDrift] {
        use OnDrift::{FastForward, Fork, Rebuild};
        match self {
            DriftKind::None | DriftKind::Files => &[],
            DriftKind::Advanced | DriftKind::Branched | DriftKind::Switched | DriftKind::Merged => {
                &[Fork, FastForward, Rebuild]
            }
            DriftKind::Rewritten
            | DriftKind::Detached
            | DriftKind::Unborn
            | DriftKind::InProgress => &[Fork, Rebuild],
            DriftKind::Moved => &[Rebuild],
        }
    }
}

/// What to do about a drift.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDrift {
    /// Send nothing, explain, exit 3.
    Stop,
    /// Park a copy of the conversation for the branch it comes from, and go on here.
    Fork,
    /// Go on here with the same thread.
    FastForward,
    /// Start a new thread from the brief.
    Rebuild,
}

impl OnDrift {
    /// The word used on the command line.
    pub fn name(self) -> &'static str {
        match self {
            OnDrift::Stop => "stop",
            OnDrift::Fork => "fork",
            OnDrift::FastForward => "fast-forward",
            OnDrift::Rebuild => "rebuild",
        }
    }

    /// Parses the command line's word.
    pub fn parse(word: &str) -> Option<Self> {
        [
            OnDrift::Stop,
            OnDrift::Fork,
            OnDrift::FastForward,
            OnDrift::Rebuild,
        ]
        .into_iter()
        .find(|on| on.name() == word)
    }
}

/// A drift, with what a person or the model has to know of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Drift {
    /// How git moved.
    pub kind: DriftKind,
    /// HEAD as expected.
    pub from: Head,
    /// HEAD as seen.
    pub to: Head,
    /// What came in, if it could be compared.
    pub relation: HeadRelation,
    /// Files this thread has edited that the incoming commits or the work tree changed.
    pub touched: Vec<String>,
}

/// What is compared.
#[derive(Debug, Clone, Copy)]
pub struct Compared<'a> {
    /// Git at the end of the thread's last turn.
    pub expected: &'a GitSnapshot,
    /// Git now.
    pub seen: &'a GitSnapshot,
    /// How the two heads stand to one another.
    pub relation: &'a HeadRelation,
    /// The branch seen has a context of its own.
    pub has_context: bool,
    /// Files this thread has edited.
    pub thread_files: &'a [String],
}

/// Tells the kind of drift. The first that fits, from the one that makes most of the others meaningless.
pub fn classify(given: Compared<'_>) -> Drift {
    let Compared {
        expected,
        seen,
        relation,
        has_context,
        thread_files,
    } = given;
    let same_head = expected.head == seen.head;
    let kind = if expected.common_dir != seen.common_dir || expected.worktree != seen.worktree {
        DriftKind::Moved
    } else if seen.operation.is_some() && seen.operation != expected.operation {
        DriftKind::InProgress
    } else if same_head {
        if expected.dirty == seen.dirty {
            DriftKind::None
        } else {
            DriftKind::Files
        }
    } else {
        match (&expected.head, &seen.head) {
            (_, Head::Detached { .. }) => DriftKind::Detached,
            (_, Head::Unborn { .. }) => DriftKind::Unborn,
            (from, to) if from.branch() == to.branch() => match from.commit() {
                Some(_) if !relation.expected_in_seen => DriftKind::Rewritten,
                Some(_) | None => DriftKind::Advanced,
            },
            _ if has_context
                && relation.expected_branch_merged
                && !relation.expected_known_there =>
            {
                DriftKind::Merged
            }
            _ if !has_context && relation.expected_in_seen => DriftKind::Branched,
            _ => DriftKind::Switched,
        }
    };
    Drift {
        kind,
        from: expected.head.clone(),
        to: seen.head.clone(),
        relation: relation.clone(),
        touched: touched(expected, seen, relation, thread_files),
    }
}

fn touched(
    expected: &GitSnapshot,
    seen: &GitSnapshot,
    relation: &HeadRelation,
    thread_files: &[String],
) -> Vec<String> {
    let moved = |path: &String| {
        let blob = |at: &GitSnapshot| {
            at.dirty
                .iter()
                .find(|file| file.path == *path)
                .map(|file| file.blob.clone())
        };
        relation
            .incoming
            .iter()
            .any(|commit| commit.files.contains(path))
            || blob(expected) != blob(seen)
    };
    let mut files: Vec<String> = thread_files
        .iter()
        .filter(|path| moved(path))
        .cloned()
        .collect();
    files.sort();
    files.dedup();
    files.truncate(20);
    files
}

/// What the policy says to a drift.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The thread goes on; a note tells the model, if there is something to tell.
    GoOn,
    /// It goes on after this was done.
    Do(OnDrift),
    /// Nothing is sent.
    Stop,
}

/// Decides without a person: what is harmless goes on, all else follows `policy` if the kind offers that choice.
pub fn decide(kind: DriftKind, policy: OnDrift) -> Decision {
    match kind {
        DriftKind::None | DriftKind::Files => Decision::GoOn,
        _ if policy != OnDrift::Stop && kind.choices().contains(&policy) => Decision::Do(policy),
        DriftKind::Advanced if policy == OnDrift::Stop => Decision::Do(OnDrift::FastForward),
        DriftKind::Merged if policy == OnDrift::Stop => Decision::GoOn,
        _ => Decision::Stop,
    }
}

/// A head in words: `main at 1a2b3c4d5e`.
pub fn head_text(head: &Head) -> String {
    match head {
        Head::Branch { name, commit } => format!("{} at {}", one_line(name, 80), commit.short()),
        Head::Unborn { name } => format!("{} (no commit yet)", one_line(name, 80)),
        Head::Detached { commit } => format!("{} (no branch)", commit.short()),
    }
}

impl Drift {
    /// From → to, what came in, and what it touches: one line for people.
    pub fn line(&self) -> String {
        let mut line = match self.kind {
            DriftKind::None => "nothing moved".to_owned(),
            DriftKind::Files => "files changed outside this conversation".to_owned(),
            kind => format!(
                "{}: {} → {}",
                kind.name(),
                head_text(&self.from),
                head_text(&self.to)
            ),
        };
        let (incoming, outgoing) = (self.relation.incoming_total, self.relation.outgoing_total);
        if incoming > 0 {
            line.push_str(&format!(", {incoming} incoming commit{}", plural(incoming)));
        }
        if outgoing > 0 {
            line.push_str(&format!(", {outgoing} not in here"));
        }
        if !self.touched.is_empty() {
            let touched: Vec<String> = self
                .touched
                .iter()
                .map(|path| one_line(path, 200))
                .collect();
            line.push_str(&format!(", touching {}", touched.join(", ")));
        }
        line
    }

    /// What the model is told when the thread goes on.
    pub fn note(&self) -> String {
        let mut note = format!(
            "The repository moved since your last turn. {}.",
            self.line()
        );
        for commit in self.relation.incoming.iter().take(10) {
            note.push_str(&format!("\n- {} {}", commit.id.short(), commit.subject));
        }
        if self.relation.incoming_total > 10 {
            note.push_str(&format!(
                "\n- and {} more",
                self.relation.incoming_total - 10
            ));
        }
        note.push_str("\nWhat you remember of these files may be out of date: read them again before you rely on them.");
        note
    }
}

pub(crate) fn plural(n: usize) -> &'static str {
    if n == 1 { "" } else { "s" }
}
