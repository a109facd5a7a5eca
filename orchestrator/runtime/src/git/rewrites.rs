//! Looks for commits that were rewritten: where HEAD doesn't reach a claimed commit, it may reach its work under another
//! id. A gap is acceptable, a wrong match is not: whatever has two answers has none.
//!
//! In this order: one commit with the same patch (rebased, cherry-picked); one commit with the combined patch of a
//! branch that holds the claimed one (squashed); what HEAD's reflog says (amended, rebased with conflicts).

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use git2::Oid;

use super::history::History;
use super::patches::Patches;
use super::reflog;

/// A claimed commit isn't looked for among more commits.
const MAX_CANDIDATES: usize = 5_000;
/// The most points at which the searched branches left HEAD's history.
const MAX_FORKS: usize = 64;
/// The most commits that HEAD doesn't reach.
const MAX_OUTSIDE: usize = 50_000;
/// The most rewrites of rewrites that the reflog is followed through.
const MAX_STEPS: usize = 100;

/// What HEAD doesn't reach, as far as claimed commits and branches do, newest first, and where it left HEAD's history.
struct Outside {
    commits: Vec<Oid>,
    parents: HashMap<Oid, Vec<Oid>>,
    /// For each commit, the commits of HEAD's history that its own history goes on with.
    forks: HashMap<Oid, usize>,
    sets: Vec<BTreeSet<Oid>>,
}

/// The commits of HEAD's history that a branch doesn't have, by the paths they change.
#[derive(Default)]
struct Candidates {
    by_paths: HashMap<u64, Vec<Oid>>,
    /// The most paths that one of them changes.
    most: usize,
}

/// Searches for `missing` (commits that HEAD doesn't reach) from `head`; `tips` are ends of branches that may have been
/// squashed. `edges` are where a shallow history is cut off: their patches can't be told.
pub(super) fn search<'r>(
    history: &mut History<'r>,
    patches: &mut Patches<'r>,
    head: Oid,
    missing: &BTreeSet<Oid>,
    tips: &BTreeSet<Oid>,
    edges: &BTreeSet<Oid>,
) -> Result<BTreeMap<Oid, Oid>, git2::Error> {
    let mut found = BTreeMap::new();
    if let Some(outside) = outside(history, head, missing, tips)? {
        let mut search = Search {
            history,
            patches,
            head,
            outside: &outside,
            edges,
            candidates: HashMap::new(),
        };
        search.by_patch(missing, &mut found)?;
        search.by_squash(missing, tips, &mut found)?;
    }
    by_reflog(history, head, missing, &mut found)?;
    Ok(found)
}

/// Walks what HEAD doesn't reach; none where that is too much.
fn outside(
    history: &mut History<'_>,
    head: Oid,
    missing: &BTreeSet<Oid>,
    tips: &BTreeSet<Oid>,
) -> Result<Option<Outside>, git2::Error> {
    let missing: Vec<Oid> = here(history, missing).map(|(oid, _)| oid).collect();
    let oldest = here(history, &missing).map(|(_, time)| time).min();
    let Some(oldest) = oldest else {
        return Ok(None);
    };
    // A branch that holds a claimed commit ends after it.
    let tips: Vec<Oid> = here(history, tips)
        .filter(|(_, time)| *time >= oldest)
        .map(|(oid, _)| oid)
        .collect();
    let from = missing.into_iter().chain(tips);
    let commits = history.range(from, [head], MAX_OUTSIDE + 1)?;
    if commits.len() > MAX_OUTSIDE {
        return Ok(None);
    }
    let mut parents: HashMap<Oid, Vec<Oid>> = HashMap::with_capacity(commits.len());
    for oid in &commits {
        parents.insert(*oid, history.repo.find_commit(*oid)?.parent_ids().collect());
    }
    let mut sets: Vec<BTreeSet<Oid>> = Vec::new();
    let mut numbers: HashMap<BTreeSet<Oid>, usize> = HashMap::new();
    let mut forks: HashMap<Oid, usize> = HashMap::with_capacity(commits.len());
    for oid in commits.iter().rev() {
        let parents = parents.get(oid).map(Vec::as_slice).unwrap_or_default();
        if let [parent] = parents
            && let Some(same) = forks.get(parent).copied()
        {
            forks.insert(*oid, same);
            continue;
        }
        let mut set = BTreeSet::new();
        for parent in parents {
            match forks.get(parent).and_then(|number| sets.get(*number)) {
                Some(of) => set.extend(of.iter().copied()),
                None => {
                    set.insert(*parent);
                }
            }
        }
        let number = *numbers.entry(set).or_insert_with_key(|set| {
            sets.push(set.clone());
            sets.len() - 1
        });
        forks.insert(*oid, number);
    }
    Ok(Some(Outside {
        commits,
        parents,
        forks,
        sets,
    }))
}

/// Those commits whose objects are here, with their committer's time.
fn here<'a>(
    history: &'a History<'_>,
    commits: impl IntoIterator<Item = &'a Oid>,
) -> impl Iterator<Item = (Oid, i64)> {
    commits.into_iter().filter_map(|oid| {
        let commit = history.commit(*oid)?;
        Some((*oid, commit.time().seconds()))
    })
}

struct Search<'s, 'r> {
    history: &'s mut History<'r>,
    patches: &'s mut Patches<'r>,
    head: Oid,
    outside: &'s Outside,
    edges: &'s BTreeSet<Oid>,
    /// By number of the set of forks; none where there are too many.
    candidates: HashMap<usize, Option<Candidates>>,
}

impl Search<'_, '_> {
    /// Makes sure that the candidates of `commit` are known: what HEAD reaches and `commit` doesn't.
    fn prepare(&mut self, commit: Oid) -> Result<Option<usize>, git2::Error> {
        let Some(number) = self.outside.forks.get(&commit).copied() else {
            return Ok(None);
        };
        if self.candidates.contains_key(&number) {
            return Ok(Some(number));
        }
        let Some(forks) = self.outside.sets.get(number) else {
            return Ok(None);
        };
        let range = match self.candidates.len() < MAX_FORKS {
            true => self
                .history
                .range([self.head], forks.iter().copied(), MAX_CANDIDATES + 1)?,
            false => Vec::new(),
        };
        let candidates = (!range.is_empty() && range.len() <= MAX_CANDIDATES).then(|| {
            let mut candidates = Candidates::default();
            for oid in range.iter().filter(|oid| !self.edges.contains(oid)) {
                if let Some((paths, count)) = self.patches.paths(*oid) {
                    candidates.by_paths.entry(paths).or_default().push(*oid);
                    candidates.most = candidates.most.max(count);
                }
            }
            candidates
        });
        self.candidates.insert(number, candidates);
        Ok(Some(number))
    }

    fn known(&self, number: usize) -> Option<&Candidates> {
        self.candidates.get(&number)?.as_ref()
    }

    /// The one candidate with these paths and this patch.
    fn the_one(
        &mut self,
        number: usize,
        paths: u64,
        patch_id: impl FnOnce(&mut Patches<'_>) -> Option<String>,
    ) -> Option<Oid> {
        let alike = self.known(number)?.by_paths.get(&paths)?.clone();
        let wanted = patch_id(self.patches)?;
        let mut same = alike
            .into_iter()
            .filter(|oid| self.patches.patch_id(*oid).as_ref() == Some(&wanted));
        let first = same.next();
        first.filter(|_| same.next().is_none())
    }

    fn by_patch(
        &mut self,
        missing: &BTreeSet<Oid>,
        found: &mut BTreeMap<Oid, Oid>,
    ) -> Result<(), git2::Error> {
        for commit in missing.iter().filter(|oid| !self.edges.contains(oid)) {
            let Some(number) = self.prepare(*commit)? else {
                continue;
            };
            if self.known(number).is_none() {
                continue;
            }
            let Some((paths, _)) = self.patches.paths(*commit) else {
                continue;
            };
            if let Some(one) = self.the_one(number, paths, |patches| patches.patch_id(*commit)) {
                found.insert(*commit, one);
            }
        }
        Ok(())
    }

    /// A commit is found if all ends above it that were squashed into a commit were squashed into the same one.
    fn by_squash(
        &mut self,
        missing: &BTreeSet<Oid>,
        tips: &BTreeSet<Oid>,
        found: &mut BTreeMap<Oid, Oid>,
    ) -> Result<(), git2::Error> {
        if missing.iter().all(|commit| found.contains_key(commit)) {
            return Ok(());
        }
        let mut into: HashMap<Oid, HashSet<Oid>> = HashMap::new();
        let outside = self.outside;
        for oid in &outside.commits {
            if (missing.contains(oid) || tips.contains(oid))
                && let Some(one) = self.combined(*oid)?
            {
                into.entry(*oid).or_default().insert(one);
            }
            // Children come before their parents, so this set is whole by now.
            let Some(ones) = into.get(oid).cloned() else {
                continue;
            };
            if let (true, 1) = (missing.contains(oid), ones.len())
                && let Some(one) = ones.iter().next()
            {
                found.entry(*oid).or_insert(*one);
            }
            for parent in outside.parents.get(oid).into_iter().flatten() {
                let above = into.entry(*parent).or_default();
                // Two are as good as a hundred: the commit has no answer.
                if above.len() < 2 {
                    above.extend(ones.iter().take(2));
                }
            }
        }
        Ok(())
    }

    /// The one commit whose patch is the combined patch of all that `tip` has and HEAD hasn't.
    fn combined(&mut self, tip: Oid) -> Result<Option<Oid>, git2::Error> {
        let Some(number) = self.prepare(tip)? else {
            return Ok(None);
        };
        let Some(most) = self.known(number).map(|known| known.most) else {
            return Ok(None);
        };
        let Some(base) = self.base(number, tip)? else {
            return Ok(None);
        };
        let repo = self.history.repo;
        let (old, new) = (
            repo.find_commit(base)?.tree_id(),
            repo.find_commit(tip)?.tree_id(),
        );
        let Some((paths, _)) = self.patches.paths_between(Some(old), new, most) else {
            return Ok(None);
        };
        Ok(self.the_one(number, paths, |patches| {
            patches.patch_id_between(Some(old), new)
        }))
    }

    /// The one merge base of `tip` and HEAD.
    fn base(&self, number: usize, tip: Oid) -> Result<Option<Oid>, git2::Error> {
        let Some(forks) = self.outside.sets.get(number) else {
            return Ok(None);
        };
        match (forks.len(), forks.first()) {
            (0, _) | (_, None) => Ok(None),
            (1, Some(only)) => Ok(Some(*only)),
            (_, Some(_)) => {
                let bases = self.history.repo.merge_bases(tip, self.head)?;
                Ok(bases.first().copied().filter(|_| bases.len() == 1))
            }
        }
    }
}

/// Follows the reflog from each commit that isn't found yet to what HEAD reaches.
fn by_reflog(
    history: &mut History<'_>,
    head: Oid,
    missing: &BTreeSet<Oid>,
    found: &mut BTreeMap<Oid, Oid>,
) -> Result<(), git2::Error> {
    let open: Vec<Oid> = missing
        .iter()
        .filter(|commit| !found.contains_key(commit))
        .copied()
        .collect();
    if open.is_empty() {
        return Ok(());
    }
    let became = reflog::pairs(history)?;
    let chains: Vec<(Oid, BTreeSet<Oid>)> = open
        .into_iter()
        .map(|commit| (commit, after(commit, &became)))
        .filter(|(_, after)| !after.is_empty())
        .collect();
    let all: BTreeSet<Oid> = chains
        .iter()
        .flat_map(|(_, after)| after)
        .copied()
        .collect();
    let all: Vec<Oid> = here(history, &all).map(|(oid, _)| oid).collect();
    let beyond: HashSet<Oid> = history
        .range(all.iter().copied(), [head], MAX_OUTSIDE)?
        .into_iter()
        .collect();
    let reached: HashSet<Oid> = all
        .into_iter()
        .filter(|oid| !beyond.contains(oid))
        .collect();
    for (commit, after) in chains {
        let mut ends = after.iter().filter(|oid| reached.contains(oid));
        if let (Some(one), None) = (ends.next(), ends.next()) {
            found.insert(commit, *one);
        }
    }
    Ok(())
}

/// What a commit became, and what that became.
fn after(commit: Oid, became: &reflog::Became) -> BTreeSet<Oid> {
    let mut seen = BTreeSet::new();
    let mut next = vec![commit];
    while let Some(oid) = next.pop() {
        for new in became.get(&oid).into_iter().flatten() {
            if seen.len() < MAX_STEPS && *new != commit && seen.insert(*new) {
                next.push(*new);
            }
        }
    }
    seen
}
