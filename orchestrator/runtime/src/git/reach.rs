//! Which of the commits that claims name HEAD reaches: one walk, kept by head, and extended by the difference when HEAD
//! moves. Where HEAD didn't move and nothing new is asked, nothing is walked.

use std::collections::{BTreeSet, BinaryHeap, HashMap, HashSet};
use std::path::Path;

use data_encoding::HEXLOWER;
use git2::{BranchType, ErrorCode, Oid, Repository};
use orch_core::judge::Reachable;
use orch_protocol::ids::CommitId;
use sha2::{Digest, Sha256};

use super::history::{History, id, oid};
use super::kept::{Answers, Cache};
use super::patches::Patches;
use super::raw::{committed_at, parents};
use super::{reverts, rewrites};
use crate::ports::{Asked, Judged};

/// How far back along first parents a head is looked for whose answers are kept.
const MAX_BACK: usize = 32;
/// The most local branches looked at.
const MAX_BRANCHES: usize = 2_000;
/// Committers' clocks may be wrong by this much, in seconds.
const SKEW: i64 = 86_400;
/// So many commits in a row that are older than any claim, and no revert of a claimed one is looked for any more.
const MAX_OLD: usize = 1_000;
/// The most answers kept that weren't asked for again.
const MAX_IDLE: usize = 1_000;
/// The most reverts that are remembered.
const MAX_REVERTS: usize = 50_000;

/// Judges what is asked about from the HEAD of the work tree that `folder` is in.
pub(super) fn judge(folder: &Path, asked: &Asked, cache: &Cache) -> Result<Judged, git2::Error> {
    let repo = Repository::discover(folder)?;
    let head = match repo.head() {
        Ok(head) => head.peel_to_commit()?.id(),
        Err(error) if matches!(error.code(), ErrorCode::UnbornBranch | ErrorCode::NotFound) => {
            return Ok(Judged::default());
        }
        Err(error) => return Err(error),
    };
    let (cut, edges) = cut(&repo);
    let mut place = Place {
        history: History::new(&repo)?,
        head,
        cut,
        edges,
        cache,
    };
    let wanted = Wanted {
        asked,
        edges: place.edges.iter().map(|edge| id(*edge)).collect(),
    };
    let (mut answers, mut is_new) = place.answers(&wanted)?;

    let mut rewritten: Vec<(CommitId, CommitId)> = Vec::new();
    let mut open: BTreeSet<CommitId> = BTreeSet::new();
    for commit in asked.claimed.difference(&answers.reached) {
        let known = asked.rewrites.get(commit).into_iter().flatten();
        match known
            .into_iter()
            .find(|known| answers.reached.contains(*known))
        {
            Some(known) => rewritten.push((commit.clone(), known.clone())),
            None => {
                open.insert(commit.clone());
            }
        }
    }
    if !open.is_empty() {
        is_new |= place.search(&open, asked, &mut answers)?;
    }
    if is_new {
        cache.keep(&id(head), &place.cut, &answers);
    }

    let Answers {
        mut reached,
        reverts,
        mut found,
        ..
    } = answers;
    found.retain(|commit, _| open.contains(commit));
    let is_cut = wanted.edges.iter().any(|edge| reached.contains(edge));
    // What was asked at another time. Few, so they are told by going along two sorted lists.
    let others: Vec<CommitId> = reached
        .difference(&asked.claimed)
        .filter(|commit| !asked.heads.contains(*commit))
        .cloned()
        .collect();
    for other in others {
        reached.remove(&other);
    }
    let reachable = Reachable::new(reached)
        .with_rewritten(rewritten.into_iter().chain(found.clone()))
        .with_unknown(open.into_iter().filter(|_| is_cut));
    Ok(Judged {
        reverts: reverts::of_claimed(&asked.claimed, &reachable, &reverts),
        reachable,
        rewrites: found.into_iter().collect(),
    })
}

/// Every commit whose place has to be known.
struct Wanted<'a> {
    asked: &'a Asked,
    edges: BTreeSet<CommitId>,
}

impl Wanted<'_> {
    fn all(&self) -> BTreeSet<&CommitId> {
        let recorded = self.asked.rewrites.values().flatten();
        self.asked
            .claimed
            .iter()
            .chain(&self.asked.heads)
            .chain(recorded)
            .chain(&self.edges)
            .collect()
    }

    /// Those that nothing is known of yet. Where all is known, this is all that is done, so it goes along sorted lists.
    fn unanswered<'a>(&'a self, answers: &'a Answers) -> BTreeSet<&'a CommitId> {
        let reached = &answers.reached;
        let recorded = self.asked.rewrites.values();
        self.asked
            .claimed
            .difference(reached)
            .chain(self.asked.heads.difference(reached))
            .chain(recorded.flat_map(|found| found.difference(reached)))
            .chain(self.edges.difference(reached))
            .filter(|commit| !answers.missing.contains(*commit))
            .collect()
    }
}

/// Where a shallow history is cut off: the commits whose parents were left out, and a word that tells this cut from
/// another.
fn cut(repo: &Repository) -> (String, BTreeSet<Oid>) {
    let text = std::fs::read_to_string(repo.commondir().join("shallow")).unwrap_or_default();
    let edges = text
        .lines()
        .filter_map(|line| oid(&CommitId::new(line.trim())));
    (
        format!("{:08x}", crc32fast::hash(text.as_bytes())),
        edges.collect(),
    )
}

struct Place<'r> {
    history: History<'r>,
    head: Oid,
    cut: String,
    edges: BTreeSet<Oid>,
    cache: &'r Cache,
}

impl Place<'_> {
    /// Which of `wanted` HEAD reaches, and whether that wasn't known before.
    fn answers(&mut self, wanted: &Wanted<'_>) -> Result<(Answers, bool), git2::Error> {
        let claimed = &wanted.asked.claimed;
        let (mut answers, was_kept) = match self.cache.answers(&id(self.head), &self.cut) {
            Some(kept) => (kept, true),
            None => {
                let nearest = self.nearest();
                let moved = nearest.and_then(|(base, kept)| self.moved(base, kept, wanted).ok());
                match moved {
                    Some(moved) => (moved, false),
                    None => (self.first(wanted)?, false),
                }
            }
        };
        // What was reverted before the oldest claim so far was made, nobody has read yet.
        if !answers.older.is_disjoint(claimed) {
            return Ok((self.first(wanted)?, true));
        }
        let open = wanted.unanswered(&answers);
        if open.is_empty() {
            return Ok((answers, !was_kept));
        }
        let newly = open.iter().copied();
        let oldest = self.oldest(newly.filter(|commit| claimed.contains(*commit)));
        if oldest.is_some_and(|oldest| oldest < answers.since) {
            return Ok((self.first(wanted)?, true));
        }
        let open: Vec<CommitId> = open.into_iter().cloned().collect();
        self.settle(&open, &mut answers)?;
        Ok((answers, true))
    }

    /// The time of the oldest of these commits.
    fn oldest<'a>(&self, commits: impl Iterator<Item = &'a CommitId>) -> Option<i64> {
        let odb = self.history.repo.odb().ok()?;
        commits
            .filter_map(|commit| committed_at(odb.read(oid(commit)?).ok()?.data()))
            .min()
    }

    /// A head whose answers are kept: one that HEAD came from, else the newest.
    fn nearest(&self) -> Option<(Oid, Answers)> {
        let heads = self.cache.heads(&self.cut);
        if heads.is_empty() {
            return None;
        }
        let mut back = self.history.commit(self.head);
        for _ in 0..MAX_BACK {
            let Some(commit) = back else { break };
            if heads.contains(&id(commit.id())) {
                let kept = self.cache.answers(&id(commit.id()), &self.cut);
                if let Some(kept) = kept {
                    return Some((commit.id(), kept));
                }
            }
            back = commit.parent(0).ok();
        }
        heads.iter().find_map(|head| {
            let base = oid(head)?;
            self.history.commit(base)?;
            Some((base, self.cache.answers(head, &self.cut)?))
        })
    }

    /// The answers of `base`, brought to HEAD by what one has and the other hasn't.
    fn moved(
        &mut self,
        base: Oid,
        kept: Answers,
        wanted: &Wanted<'_>,
    ) -> Result<Answers, git2::Error> {
        let wanted = wanted.all();
        let (head, repo) = (self.head, self.history.repo);
        // What nobody asks about any more is let go now and then.
        let is_full = kept.reached.len() + kept.missing.len() > 2 * wanted.len() + MAX_IDLE;
        let gained = self.history.range([head], [base], usize::MAX)?;
        let lost: HashSet<Oid> = self
            .history
            .range([base], [head], usize::MAX)?
            .into_iter()
            .collect();
        let is_lost = |commit: &CommitId| oid(commit).is_some_and(|oid| lost.contains(&oid));
        let mut answers = Answers {
            since: kept.since,
            older: kept.older,
            ..Answers::default()
        };
        for (commit, was_reached) in kept
            .reached
            .into_iter()
            .map(|commit| (commit, true))
            .chain(kept.missing.into_iter().map(|commit| (commit, false)))
            .filter(|(commit, _)| !is_full || wanted.contains(commit))
        {
            match was_reached && !is_lost(&commit) {
                true => answers.reached.insert(commit),
                false => answers.missing.insert(commit),
            };
        }
        answers.reverts = kept.reverts;
        answers.reverts.retain(|(by, _)| !is_lost(by));
        let odb = repo.odb()?;
        for oid in gained {
            let commit = id(oid);
            if answers.missing.remove(&commit) {
                answers.reached.insert(commit);
            }
            let object = odb.read(oid)?;
            note_reverts(oid, object.data(), &mut answers);
        }
        Ok(answers)
    }

    /// One walk from HEAD, back to where no revert of a claimed commit can come any more. What it hasn't met by then is
    /// older than all claims, or not reached.
    fn first(&mut self, wanted: &Wanted<'_>) -> Result<Answers, git2::Error> {
        let oldest = self.oldest(wanted.asked.claimed.iter());
        let since = oldest.map_or(i64::MAX, |at| at - SKEW);
        let mut answers = Answers {
            since,
            ..Answers::default()
        };
        let mut open: HashMap<Oid, &CommitId> = HashMap::new();
        for commit in wanted.all() {
            match oid(commit) {
                Some(oid) => drop(open.insert(oid, commit)),
                None => drop(answers.missing.insert(commit.clone())),
            }
        }
        if oldest.is_some() {
            self.read_back(&mut open, &mut answers)?;
        }
        let open: Vec<CommitId> = open.into_values().cloned().collect();
        self.settle(&open, &mut answers)?;
        Ok(answers)
    }

    /// Reads commits from HEAD back, the newest first, each once: its text has all that is needed.
    fn read_back(
        &self,
        open: &mut HashMap<Oid, &CommitId>,
        answers: &mut Answers,
    ) -> Result<(), git2::Error> {
        let odb = self.history.repo.odb()?;
        let mut seen = HashSet::from([self.head]);
        let mut next = BinaryHeap::new();
        let object = odb.read(self.head)?;
        next.push((committed_at(object.data()), self.head));
        let mut older = 0;
        while let Some((at, oid)) = next.pop() {
            // Clocks differ: one commit that seems old says nothing yet.
            older = match at.is_none_or(|at| at < answers.since) {
                true => older + 1,
                false => 0,
            };
            if older > MAX_OLD {
                break;
            }
            if let Some(commit) = open.remove(&oid) {
                answers.reached.insert(commit.clone());
                if at.is_none_or(|at| at < answers.since) {
                    answers.older.insert(commit.clone());
                }
            }
            let object = odb.read(oid)?;
            note_reverts(oid, object.data(), answers);
            if self.edges.contains(&oid) {
                continue;
            }
            for parent in parents(object.data()) {
                if seen.insert(parent) {
                    next.push((committed_at(odb.read(parent)?.data()), parent));
                }
            }
        }
        Ok(())
    }

    /// Answers for commits that weren't asked about before: one walk of what they reach and HEAD doesn't.
    fn settle(&mut self, open: &[CommitId], answers: &mut Answers) -> Result<(), git2::Error> {
        let mut here: Vec<(Oid, &CommitId)> = Vec::new();
        for commit in open {
            match oid(commit).and_then(|oid| self.history.commit(oid)) {
                Some(found) => {
                    here.push((found.id(), commit));
                    if found.time().seconds() < answers.since {
                        answers.older.insert(commit.clone());
                    }
                }
                None => {
                    answers.missing.insert(commit.clone());
                }
            }
        }
        let from: Vec<Oid> = here.iter().map(|(oid, _)| *oid).collect();
        let outside: HashSet<Oid> = match self.history.range(from, [self.head], usize::MAX) {
            Ok(outside) => outside.into_iter().collect(),
            // A commit that nothing holds any more may have lost its parents; it spoils no other's answer.
            Err(_) => here
                .iter()
                .map(|(oid, _)| *oid)
                .filter(|oid| {
                    let above = self.history.repo.graph_descendant_of(self.head, *oid);
                    self.head != *oid && !above.unwrap_or(false)
                })
                .collect(),
        };
        for (oid, commit) in here {
            match outside.contains(&oid) {
                true => answers.missing.insert(commit.clone()),
                false => answers.reached.insert(commit.clone()),
            };
        }
        Ok(())
    }

    /// Looks for what `open` was rewritten to, unless nothing that could tell has changed since. Returns whether it looked.
    fn search(
        &mut self,
        open: &BTreeSet<CommitId>,
        asked: &Asked,
        answers: &mut Answers,
    ) -> Result<bool, git2::Error> {
        let repo = self.history.repo;
        let mut tips: BTreeSet<Oid> = asked
            .heads
            .union(&asked.claimed)
            .filter(|commit| !answers.reached.contains(*commit))
            .filter_map(oid)
            .collect();
        for branch in repo.branches(Some(BranchType::Local))?.take(MAX_BRANCHES) {
            // A branch that can't be read is a gap.
            tips.extend(branch.ok().and_then(|(branch, _)| branch.get().target()));
        }
        let ground = self.ground(open, &tips)?;
        if ground == answers.ground {
            return Ok(false);
        }
        let missing: BTreeSet<Oid> = open.iter().filter_map(oid).collect();
        let mut patches = Patches::new(repo, self.cache);
        let found = rewrites::search(
            &mut self.history,
            &mut patches,
            self.head,
            &missing,
            &tips,
            &self.edges,
        )
        .unwrap_or_else(|error| {
            tracing::debug!(%error, "rewritten commits could not be looked for");
            Default::default()
        });
        patches.keep(self.cache);
        answers.found = found
            .into_iter()
            .map(|(commit, found)| (id(commit), id(found)))
            .collect();
        answers.ground = ground;
        Ok(true)
    }

    /// What a search from HEAD rests on: what is looked for and is here, the ends of branches, the reflog.
    fn ground(
        &self,
        open: &BTreeSet<CommitId>,
        tips: &BTreeSet<Oid>,
    ) -> Result<String, git2::Error> {
        let repo = self.history.repo;
        let log = repo.path().join("logs").join("HEAD");
        let length = log.metadata().map_or(0, |meta| meta.len());
        let odb = repo.odb()?;
        let mut hash = Sha256::new();
        hash.update(repo.path().as_os_str().as_encoded_bytes());
        hash.update(length.to_le_bytes());
        for commit in open {
            let is_here = oid(commit).is_some_and(|oid| odb.exists(oid));
            hash.update(commit.as_str());
            hash.update([0, u8::from(is_here)]);
        }
        for tip in tips {
            hash.update(tip.as_bytes());
        }
        Ok(HEXLOWER.encode(&hash.finalize()))
    }
}

fn note_reverts(commit: Oid, raw: &[u8], answers: &mut Answers) {
    if answers.reverts.len() < MAX_REVERTS {
        let named = reverts::named(raw).into_iter();
        answers.reverts.extend(named.map(|of| (id(commit), of)));
    }
}
