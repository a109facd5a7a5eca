//! Which step of a plan is which task, though the model words it anew each time. No step goes to two tasks and no task to
//! two steps. It works on words alone: what has become of a task is `plan_walk.rs`'s business.
//!
//! Order of trust: an id that the step names, equal text, likeness of words (this thread's tasks before others'), and
//! last the place in the plan: one step and one task left over between the same neighbours.

use std::collections::{BTreeSet, HashMap};

use orch_protocol::ids::{TaskId, ThreadId};
use orch_protocol::turn::StepStatus;

use crate::likeness::{Likeness, likeness};
use crate::words::Words;

/// From here on, two wordings within one thread's work are taken for one step.
pub const SAME_THREAD: f64 = 0.62;
/// From here on, a step is taken for a task of another thread.
pub const OTHER_THREAD: f64 = 0.88;
/// From here on, a step that isn't completed is taken for a task that the plan had completed: it was reopened.
const REOPENED: f64 = 0.88;
/// From here on, two that stand between the same neighbours are taken for one.
const SAME_PLACE: f64 = 0.45;

/// A step of a new plan.
#[derive(Debug, Clone)]
pub struct Step {
    /// Its text.
    pub words: Words,
    /// Its status.
    pub status: StepStatus,
    /// The task it names by id.
    pub named: Option<TaskId>,
    /// Ids it would get as a new task, the next where one is taken: a turn looked at again finds its tasks by them.
    pub born: Vec<TaskId>,
}

/// Where a task stands to the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In the thread's plan before this one.
    Previous {
        /// Its position there.
        at: usize,
        /// Its status there.
        status: StepStatus,
    },
    /// Of this thread, but not in its last plan.
    Thread {
        /// It is open.
        open: bool,
    },
    /// Open, and somebody else's.
    Elsewhere {
        /// This thread has been shown it.
        briefed: bool,
        /// It may be recognised by likeness; otherwise by equal text only.
        scored: bool,
    },
}

/// A task that a step may be.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The task.
    pub id: TaskId,
    /// Its title and other wordings.
    pub wordings: Vec<Words>,
    /// The other thread it comes from; none for this thread's own and for those that come from none.
    pub thread: Option<ThreadId>,
    /// Where it stands.
    pub place: Place,
}

/// Finds for each step the candidate that it is, as an index; none for a step that is new.
pub fn assign(steps: &[Step], candidates: &[Candidate]) -> Vec<Option<usize>> {
    let mut pairs = Pairs {
        steps,
        candidates,
        of_step: vec![None; steps.len()],
        taken: vec![false; candidates.len()],
        elsewhere: by_stem(candidates),
    };
    pairs.by_name();
    pairs.by_text(|place| matches!(place, Place::Previous { .. }));
    pairs.by_birth();
    pairs.by_text(|place| matches!(place, Place::Thread { .. }));
    pairs.by_foreign_text();
    pairs.by_likeness(true);
    pairs.by_likeness(false);
    pairs.by_place();
    pairs.settle_twins();
    pairs.of_step
}

struct Pairs<'a> {
    steps: &'a [Step],
    candidates: &'a [Candidate],
    of_step: Vec<Option<usize>>,
    taken: Vec<bool>,
    /// Which candidates of other threads have a strong word of this stem.
    elsewhere: HashMap<&'a str, Vec<usize>>,
}

impl Pairs<'_> {
    fn join(&mut self, step: usize, candidate: usize) {
        if self.of_step[step].is_none() && !self.taken[candidate] {
            self.of_step[step] = Some(candidate);
            self.taken[candidate] = true;
        }
    }

    fn free_steps(&self) -> Vec<usize> {
        (0..self.steps.len())
            .filter(|step| self.of_step[*step].is_none())
            .collect()
    }

    fn find(&self, fits: impl Fn(&Candidate) -> bool) -> Option<usize> {
        (0..self.candidates.len()).find(|at| !self.taken[*at] && fits(&self.candidates[*at]))
    }

    fn by_name(&mut self) {
        for step in self.free_steps() {
            if let Some(id) = &self.steps[step].named
                && let Some(at) = self.find(|candidate| candidate.id == *id)
            {
                self.join(step, at);
            }
        }
    }

    fn by_birth(&mut self) {
        for step in self.free_steps() {
            for id in &self.steps[step].born {
                match self
                    .candidates
                    .iter()
                    .position(|candidate| candidate.id == *id)
                {
                    None => break,
                    Some(at) if self.taken[at] => {}
                    Some(at) => {
                        self.join(step, at);
                        break;
                    }
                }
            }
        }
    }

    fn by_text(&mut self, fits: impl Fn(&Place) -> bool) {
        for step in self.free_steps() {
            let text = &self.steps[step].words.normal;
            let found = self.find(|candidate| {
                fits(&candidate.place)
                    && candidate.wordings.iter().any(|words| words.normal == *text)
            });
            if let Some(at) = found {
                self.join(step, at);
            }
        }
    }

    /// Equal text makes a step somebody else's task only if the text says enough ("run tests" doesn't), if this thread
    /// was shown the task, or if the plan takes up other tasks of the same thread.
    fn by_foreign_text(&mut self) {
        for step in self.free_steps() {
            let specific = self.steps[step].words.is_specific();
            self.by_text_elsewhere(step, |_, briefed| specific || briefed);
        }
        let taken_up: BTreeSet<ThreadId> = self
            .of_step
            .iter()
            .flatten()
            .filter_map(|at| self.candidates[*at].thread.clone())
            .collect();
        for step in self.free_steps() {
            self.by_text_elsewhere(step, |candidate, _| {
                candidate
                    .thread
                    .as_ref()
                    .is_some_and(|thread| taken_up.contains(thread))
            });
        }
    }

    fn by_text_elsewhere(&mut self, step: usize, trusted: impl Fn(&Candidate, bool) -> bool) {
        let text = &self.steps[step].words.normal;
        let found = self.find(|candidate| match candidate.place {
            Place::Elsewhere { briefed, .. } => {
                trusted(candidate, briefed)
                    && candidate.wordings.iter().any(|known| known.normal == *text)
            }
            Place::Previous { .. } | Place::Thread { .. } => false,
        });
        if let Some(at) = found {
            self.join(step, at);
        }
    }

    fn by_likeness(&mut self, own: bool) {
        let mut found = Vec::new();
        for step in self.free_steps() {
            let related: BTreeSet<usize> = if own {
                (0..self.candidates.len()).collect()
            } else {
                self.related(&self.steps[step].words)
            };
            for at in related {
                let candidate = &self.candidates[at];
                let is_own = !matches!(candidate.place, Place::Elsewhere { .. });
                if self.taken[at] || is_own != own {
                    continue;
                }
                let seen = best(&self.steps[step].words, candidate);
                let enough = match &candidate.place {
                    Place::Previous { status, .. } if own => {
                        if self.reopens(step, *status) {
                            seen.score >= REOPENED && !seen.swapped
                        } else {
                            seen.score >= SAME_THREAD
                        }
                    }
                    Place::Thread { open: true } if own => seen.score >= SAME_THREAD + 0.1,
                    Place::Elsewhere {
                        briefed, scored, ..
                    } if !own => {
                        *scored
                            && !seen.swapped
                            && !seen.loose
                            && seen.score >= OTHER_THREAD
                            && (*briefed || self.steps[step].words.is_specific())
                    }
                    Place::Previous { .. } | Place::Thread { .. } | Place::Elsewhere { .. } => {
                        false
                    }
                };
                if enough {
                    found.push((seen.score, self.distance(step, at), step, at));
                }
            }
        }
        self.join_best(found);
    }

    /// Candidates of other threads that share a word with the step that tells steps apart.
    fn related(&self, words: &Words) -> BTreeSet<usize> {
        let stems = words.words.iter().map(|word| word.stem.as_str());
        stems
            .filter_map(|stem| self.elsewhere.get(stem))
            .flatten()
            .copied()
            .collect()
    }

    /// What stands between the same neighbours as before is mostly the same, however it is worded now.
    fn by_place(&mut self) {
        let gaps: Vec<(usize, Vec<usize>)> = self
            .free_steps()
            .into_iter()
            .map(|step| (step, self.gap(step)))
            .collect();
        let mut found = Vec::new();
        for (step, gap) in &gaps {
            for at in gap {
                let seen = best(&self.steps[*step].words, &self.candidates[*at]);
                let Place::Previous { status, .. } = self.candidates[*at].place else {
                    continue;
                };
                if seen.score >= SAME_PLACE && !self.reopens(*step, status) {
                    found.push((seen.score, self.distance(*step, *at), *step, *at));
                }
            }
        }
        self.join_best(found);
        let anchors = self
            .of_step
            .iter()
            .flatten()
            .filter(|at| matches!(self.candidates[**at].place, Place::Previous { .. }))
            .count();
        for step in self.free_steps() {
            let gap = self.gap(step);
            let alone = self
                .free_steps()
                .into_iter()
                .filter(|other| self.gap(*other) == gap)
                .count()
                == 1;
            let [at] = gap[..] else { continue };
            let Place::Previous { status, .. } = self.candidates[at].place else {
                continue;
            };
            let seen = best(&self.steps[step].words, &self.candidates[at]);
            let now = self.steps[step].status;
            // Without a word in common, only work that was under way and goes on under another name.
            let carried_on =
                anchors >= 2 && status == StepStatus::InProgress && now != StepStatus::Pending;
            if alone
                && anchors >= 1
                && !seen.conflict
                && !self.reopens(step, status)
                && (seen.shared || carried_on)
            {
                self.join(step, at);
            }
        }
    }

    /// Free candidates of the previous plan that stand between the tasks of the step's nearest matched neighbours.
    fn gap(&self, step: usize) -> Vec<usize> {
        let place = |at: usize| match self.candidates[at].place {
            Place::Previous { at, .. } => Some(at),
            Place::Thread { .. } | Place::Elsewhere { .. } => None,
        };
        let left = self.of_step[..step]
            .iter()
            .flatten()
            .filter_map(|at| place(*at))
            .next_back();
        let right = self.of_step[step + 1..]
            .iter()
            .flatten()
            .find_map(|at| place(*at));
        (0..self.candidates.len())
            .filter(|at| !self.taken[*at])
            .filter(|at| {
                place(*at).is_some_and(|at| {
                    left.is_none_or(|left| left < at) && right.is_none_or(|right| at < right)
                })
            })
            .collect()
    }

    /// Steps of equal text are told apart by their order alone: the first gets the task that stood first, the last is the
    /// one that is new. However they were found, looking again then finds the same.
    fn settle_twins(&mut self) {
        for step in 0..self.steps.len() {
            let text = &self.steps[step].words.normal;
            let twins: Vec<usize> = (0..self.steps.len())
                .filter(|at| {
                    self.steps[*at].named.is_none() && self.steps[*at].words.normal == *text
                })
                .collect();
            if twins.first() != Some(&step) || twins.len() == 1 {
                continue;
            }
            let mut found: Vec<usize> = twins
                .iter()
                .filter_map(|twin| self.of_step[*twin])
                .collect();
            let born = &self.steps[step].born;
            found.sort_by_key(|at| match self.candidates[*at].place {
                Place::Previous { at, .. } => (0, at),
                Place::Thread { .. } | Place::Elsewhere { .. } => {
                    match born.iter().position(|id| *id == self.candidates[*at].id) {
                        None => (1, *at),
                        Some(nth) => (2, nth),
                    }
                }
            });
            let mut found = found.into_iter();
            for twin in twins {
                self.of_step[twin] = found.next();
            }
        }
    }

    fn reopens(&self, step: usize, before: StepStatus) -> bool {
        before == StepStatus::Completed && self.steps[step].status != StepStatus::Completed
    }

    fn distance(&self, step: usize, candidate: usize) -> usize {
        match self.candidates[candidate].place {
            Place::Previous { at, .. } => at.abs_diff(step),
            Place::Thread { .. } | Place::Elsewhere { .. } => usize::MAX,
        }
    }

    fn join_best(&mut self, mut found: Vec<(f64, usize, usize, usize)>) {
        found.sort_by(|a, b| {
            b.0.total_cmp(&a.0)
                .then((a.1, a.2, a.3).cmp(&(b.1, b.2, b.3)))
        });
        for (_, _, step, at) in found {
            self.join(step, at);
        }
    }
}

/// Tasks of other threads by the words that tell steps apart: a large backlog is looked up, not compared.
fn by_stem(candidates: &[Candidate]) -> HashMap<&str, Vec<usize>> {
    let mut found: HashMap<&str, Vec<usize>> = HashMap::new();
    for (at, candidate) in candidates.iter().enumerate() {
        if !matches!(candidate.place, Place::Elsewhere { .. }) {
            continue;
        }
        let words = candidate.wordings.iter().flat_map(|known| &known.words);
        for word in words.filter(|word| word.is_strong()) {
            let of_stem = found.entry(word.stem.as_str()).or_default();
            if of_stem.last() != Some(&at) {
                of_stem.push(at);
            }
        }
    }
    found
}

fn best(words: &Words, candidate: &Candidate) -> Likeness {
    let mut best = Likeness {
        score: 0.0,
        shared: false,
        swapped: false,
        loose: false,
        conflict: false,
    };
    let mut conflicts = 0;
    for wording in &candidate.wordings {
        let seen = likeness(words, wording);
        conflicts += usize::from(seen.conflict);
        if !seen.conflict && (seen.score > best.score || (seen.score == best.score && seen.shared))
        {
            best = seen;
        }
    }
    // The newest wording is what the model has before its eyes: what speaks against that one, speaks against all.
    let newest = candidate.wordings.last().map(|last| likeness(words, last));
    if newest.is_some_and(|seen| seen.conflict) || conflicts == candidate.wordings.len() {
        best.conflict = true;
        best.score = 0.0;
    }
    best
}
