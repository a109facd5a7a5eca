//! What was observed of a step, as evidence, and how sure that makes its end. Words of the model are no evidence.

use std::ops::Range;

use orch_protocol::Timestamp;
use orch_protocol::git::CommitSummary;
use orch_protocol::proposal::Confidence;
use orch_protocol::task::{Evidence, EvidenceKind};
use orch_protocol::turn::CommandKind;

use crate::commits::time_of;
use crate::draft::Draft;
use crate::interval;

/// The most commits, test commands and files that one step's end brings along, each.
const MAX_EACH: usize = 12;
/// The longest command kept as evidence, in characters.
const MAX_COMMAND: usize = 400;

impl Draft<'_> {
    /// One piece of evidence, bound to where HEAD stands.
    pub(crate) fn seen(
        &self,
        kind: EvidenceKind,
        reference: &str,
        ok: Option<bool>,
        at: Timestamp,
    ) -> Evidence {
        Evidence {
            kind,
            reference: orch_protocol::text::bounded(
                &orch_protocol::text::clean(reference),
                MAX_COMMAND,
            ),
            ok,
            tree: self.view.here.head.clone(),
            at,
            session: Some(self.session.clone()),
        }
    }

    /// The turn itself.
    pub(crate) fn turn_seen(&self) -> Evidence {
        let at = self.time(None);
        self.seen(EvidenceKind::Turn, self.record.turn.as_str(), None, at)
    }

    /// A commit.
    pub(crate) fn commit_seen(&self, commit: &CommitSummary) -> Evidence {
        let at = Timestamp::from_second(commit.time)
            .ok()
            .filter(|_| commit.time != 0);
        let at = self.time(at);
        self.seen(EvidenceKind::Commit, commit.id.as_str(), None, at)
    }

    /// What was seen of a step in its interval: commits, test commands (the last run of each), files, the turn; another
    /// command only where there was nothing else.
    pub(crate) fn work_seen(
        &self,
        span: &Range<usize>,
        commits: &[&CommitSummary],
        files: &[String],
    ) -> Vec<Evidence> {
        let mut seen: Vec<Evidence> = commits
            .iter()
            .take(MAX_EACH)
            .map(|commit| self.commit_seen(commit))
            .collect();
        let mut tests: Vec<(usize, &str, Option<bool>)> = Vec::new();
        for test in interval::commands(self.record, span, CommandKind::Test) {
            tests.retain(|known| known.1 != test.1);
            tests.push(test);
        }
        if tests.is_empty() && commits.is_empty() && files.is_empty() {
            tests.extend(interval::commands(self.record, span, CommandKind::Other).pop());
        }
        for (event, command, ok) in tests.iter().rev().take(MAX_EACH).rev() {
            let at = self.time(self.record.events.get(*event).and_then(time_of));
            seen.push(self.seen(EvidenceKind::Command, command, *ok, at));
        }
        for path in files.iter().take(MAX_EACH) {
            let at = self.time(None);
            seen.push(self.seen(EvidenceKind::File, path, None, at));
        }
        seen.push(self.turn_seen());
        seen
    }

    /// How sure it is that a step is done, given what was seen of it: the last test whose result is known decides, if
    /// there was one.
    pub(crate) fn confidence(&self, span: &Range<usize>, seen: &[Evidence]) -> Confidence {
        let last_result = interval::commands(self.record, span, CommandKind::Test)
            .into_iter()
            .rev()
            .find_map(|(_, _, ok)| ok);
        if last_result == Some(false) {
            return Confidence::Low;
        }
        let speaks = seen.iter().any(|seen| match seen.kind {
            EvidenceKind::Commit | EvidenceKind::File => true,
            EvidenceKind::Command => seen.ok == Some(true),
            EvidenceKind::Turn | EvidenceKind::Note => false,
        });
        if speaks {
            Confidence::High
        } else {
            Confidence::Medium
        }
    }
}
