//! The fields of a task that both sides changed, each by its own rule. It doesn't know the graph: cycles are the
//! backlog's.

use orch_protocol::Timestamp;
use orch_protocol::ids::{CommitId, TaskId};
use orch_protocol::proposal::{Change, TaskEdit};
use orch_protocol::task::{Claim, Evidence, EvidenceKind, Origin, Task};
use orch_protocol::text::one_line;

use super::list::{self, Sides, stored, weight};
use super::{Lost, Merged};

/// Merges two versions of a task. Without a base, both sides added it.
pub(super) fn merge(base: Option<&Task>, ours: &Task, theirs: &Task) -> Merged<Task> {
    let blank;
    let base = match base {
        Some(base) => base,
        None => {
            blank = unsaid(&ours.id);
            &blank
        }
    };
    let sides = Sides { base, ours, theirs };
    let mut losers = Losers {
        task: ours,
        lost: Vec::new(),
    };
    let title = losers.text("title", sides.map(|task| &task.title), |title| TaskEdit {
        title: Some(title),
        ..TaskEdit::default()
    });
    let owner = losers.optional("owner", sides.map(|task| &task.owner), |owner| TaskEdit {
        owner: Some(owner),
        ..TaskEdit::default()
    });
    let priority = losers.priority(sides.map(|task| &task.priority));
    let parent = losers.parent(sides);
    let milestone = losers.optional("milestone", sides.map(|task| &task.milestone), |name| {
        TaskEdit {
            milestone: Some(name),
            ..TaskEdit::default()
        }
    });
    let acceptance = losers.optional("acceptance", sides.map(|task| &task.acceptance), |text| {
        TaskEdit {
            acceptance: Some(text),
            ..TaskEdit::default()
        }
    });
    let claims = list::keyed(
        sides.map(|task| task.claims.as_slice()),
        |claim| &claim.id,
        |claim| (claim.at, claim.id.clone(), stored(claim)),
        merge_claim,
    );
    let evidence = list::sorted(
        sides.map(|task| task.evidence.as_slice()),
        |seen| (seen.at, seen),
        Task::MAX_EVIDENCE,
        |seen| (seen.kind == EvidenceKind::Commit, seen.at),
    );
    let target_commit = losers.target(sides.map(|task| &task.target_commit), &evidence, &claims);
    let origin = sides.map(|task| &task.origin);
    let created_at = sides.map(|task| &task.created_at);
    let needs = sides.map(|task| task.needs.as_slice());
    let aliases = sides.map(|task| task.aliases.as_slice());
    let layout = sides.map(|task| &task.layout);
    let value = Task {
        id: ours.id.clone(),
        title,
        owner,
        priority,
        parent,
        needs: list::sorted(needs, |need| need, usize::MAX, |_| ()),
        milestone,
        acceptance,
        claims,
        evidence,
        target_commit,
        origin: origin.choose(stored).0.clone(),
        created_at: *created_at.choose(|at| std::cmp::Reverse(*at)).0,
        aliases: list::woven(aliases, Task::MAX_ALIASES),
        notes: list::woven(sides.map(|task| task.notes.as_slice()), usize::MAX),
        layout: layout.choose(|text| weight(text.as_deref())).0.clone(),
    };
    Merged {
        value,
        lost: losers.lost,
    }
}

/// What a task was before two sides added it: nothing was said of it, and what a task can't be without is what no task
/// has, so that it counts as changed by both.
fn unsaid(id: &TaskId) -> Task {
    let nowhere = Origin::Import {
        format: String::new(),
        id: String::new(),
    };
    Task::new(id.clone(), "", nowhere, Timestamp::MAX)
}

/// A claim that both sides changed: found in commits here and in others there, it names them all.
fn merge_claim(base: Option<&Claim>, ours: &Claim, theirs: &Claim) -> Claim {
    let said = |claim: &Claim| Claim {
        commits: Vec::new(),
        files: Vec::new(),
        ..claim.clone()
    };
    let (none, ours_said, theirs_said) = (Vec::new(), said(ours), said(theirs));
    let base_said = base.map(said);
    let words = Sides {
        base: &base_said,
        ours: &Some(ours_said),
        theirs: &Some(theirs_said),
    };
    let (words, _) = words.choose(|claim| claim.as_ref().map(|claim| (claim.at, stored(claim))));
    let commits = Sides {
        base: base.map_or(none.as_slice(), |base| &base.commits),
        ours: &ours.commits,
        theirs: &theirs.commits,
    };
    let no_files = Vec::new();
    let files = Sides {
        base: base.map_or(no_files.as_slice(), |base| &base.files),
        ours: &ours.files,
        theirs: &theirs.files,
    };
    Claim {
        commits: list::woven(commits, usize::MAX),
        files: list::woven(files, usize::MAX),
        ..words.clone().unwrap_or_else(|| ours.clone())
    }
}

/// The values that lost, as changes that bring them in after all.
struct Losers<'a> {
    task: &'a Task,
    lost: Vec<Lost>,
}

impl Losers<'_> {
    fn text(
        &mut self,
        field: &str,
        sides: Sides<'_, String>,
        edit: impl Fn(String) -> TaskEdit,
    ) -> String {
        let (kept, loser) = sides.choose(|text| weight(Some(text)));
        if let Some(loser) = loser {
            self.tell(field, kept, edit(loser.clone()));
        }
        kept.clone()
    }

    /// As [`Self::text`]; none is said by an empty text.
    fn optional(
        &mut self,
        field: &str,
        sides: Sides<'_, Option<String>>,
        edit: impl Fn(String) -> TaskEdit,
    ) -> Option<String> {
        let (kept, loser) = sides.choose(|text| weight(text.as_deref()));
        if let Some(loser) = loser {
            let kept = kept.as_deref().unwrap_or_default();
            self.tell(field, kept, edit(loser.clone().unwrap_or_default()));
        }
        kept.clone()
    }

    /// The more urgent one.
    fn priority(&mut self, sides: Sides<'_, u8>) -> u8 {
        let (kept, loser) = sides.choose(|priority| std::cmp::Reverse(*priority));
        if let Some(loser) = loser {
            let edit = TaskEdit {
                priority: Some(*loser),
                ..TaskEdit::default()
            };
            self.tell("priority", &kept.to_string(), edit);
        }
        *kept
    }

    fn parent(&mut self, sides: Sides<'_, Task>) -> Option<TaskId> {
        let sides = sides.map(|task| &task.parent);
        let (kept, loser) =
            sides.choose(|parent| weight(parent.as_ref().map(|parent| parent.as_str())));
        if let Some(loser) = loser {
            let of = |parent: &Option<TaskId>| {
                parent.as_ref().map(ToString::to_string).unwrap_or_default()
            };
            let edit = TaskEdit {
                parent: Some(of(loser)),
                ..TaskEdit::default()
            };
            self.tell("parent", &of(kept), edit);
        }
        kept.clone()
    }

    /// The one that was seen last. The other one is told only where neither evidence nor a claim holds it anyway.
    fn target(
        &mut self,
        sides: Sides<'_, Option<CommitId>>,
        evidence: &[Evidence],
        claims: &[Claim],
    ) -> Option<CommitId> {
        let seen_at = |commit: &CommitId| {
            let of_it = |seen: &&Evidence| {
                seen.kind == EvidenceKind::Commit && seen.reference == commit.as_str()
            };
            evidence.iter().filter(of_it).map(|seen| seen.at).max()
        };
        let (kept, loser) =
            sides.choose(|commit| commit.as_ref().map(|commit| (seen_at(commit), commit)));
        if let Some(loser) = loser.and_then(Option::as_ref) {
            let claimed = claims.iter().any(|claim| claim.commits.contains(loser));
            if seen_at(loser).is_none() && !claimed {
                let edit = TaskEdit {
                    target_commit: Some(loser.clone()),
                    ..TaskEdit::default()
                };
                let kept = kept.as_ref().map_or("", CommitId::as_str);
                self.tell("target commit", kept, edit);
            }
        }
        kept.clone()
    }

    fn tell(&mut self, field: &str, kept: &str, edit: TaskEdit) {
        let kept = match one_line(kept, Task::MAX_NAME) {
            kept if kept.is_empty() => "none".to_owned(),
            kept => format!("“{kept}”"),
        };
        self.lost.push(Lost {
            change: Change::EditTask {
                task: self.task.id.clone(),
                edit,
            },
            why: format!("both sides changed the {field}: {kept} was kept"),
        });
    }
}
