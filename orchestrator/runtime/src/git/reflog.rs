//! Reading reflogs, and what HEAD's says of rewritten commits: a commit that was amended, and the picks of a rebase that
//! was finished.

use std::collections::{BTreeMap, BTreeSet};

use git2::{Commit, Oid, Reflog, Repository};

use super::history::History;

/// The most entries looked at, the newest.
const MAX_ENTRIES: usize = 2_000;
/// The most commits of one rebase.
const MAX_REBASED: usize = 500;

/// For each commit, what it became.
pub(super) type Became = BTreeMap<Oid, BTreeSet<Oid>>;

struct Entry {
    old: Oid,
    new: Oid,
    message: String,
}

/// The reflog of a reference; none where none is kept.
pub(super) fn of(repo: &Repository, reference: &str) -> Option<Reflog> {
    // Asked for one that isn't there, libgit2 makes an empty one; and git goes on writing it.
    let is_kept = repo.reference_has_log(reference).unwrap_or(false);
    is_kept.then(|| repo.reflog(reference).ok()).flatten()
}

/// Pairs from the reflog of this work tree's HEAD; none where none is kept.
pub(super) fn pairs(history: &mut History<'_>) -> Result<Became, git2::Error> {
    let Some(log) = of(history.repo, "HEAD") else {
        return Ok(Became::new());
    };
    // The newest comes first; a rebase is read from its start.
    let mut entries: Vec<Entry> = log
        .iter()
        .take(MAX_ENTRIES)
        .map(|entry| Entry {
            old: entry.id_old(),
            new: entry.id_new(),
            message: String::from_utf8_lossy(entry.message_bytes().unwrap_or_default())
                .into_owned(),
        })
        .collect();
    entries.reverse();
    let mut became = Became::new();
    let mut rebase: Option<(Oid, Oid, Vec<Oid>)> = None;
    for Entry { old, new, message } in entries {
        let action = message.split(':').next().unwrap_or_default();
        // `git -c rebase…` and `pull --rebase` put their own words before the action.
        let step = action
            .rsplit_once('(')
            .filter(|_| action.contains("rebase"))
            .map(|(_, step)| step.trim_end_matches(')'));
        match (step, &mut rebase) {
            (Some("start"), _) => rebase = Some((old, new, Vec::new())),
            (Some("finish"), Some((from, onto, picks))) => {
                let (from, onto, picks) = (*from, *onto, std::mem::take(picks));
                rebased(history, from, onto, &picks, &mut became)?;
                rebase = None;
            }
            (Some("abort"), _) => rebase = None,
            (Some(_), Some((_, _, picks))) => picks.push(new),
            (Some(_), None) => {}
            (None, _) if action == "commit (amend)" => {
                became.entry(old).or_default().insert(new);
            }
            (None, _) => {}
        }
    }
    Ok(became)
}

/// Matches the commits that a rebase took from its branch with its picks: by author, author's time and subject, where
/// there is one of each.
fn rebased(
    history: &mut History<'_>,
    from: Oid,
    onto: Oid,
    picks: &[Oid],
    became: &mut Became,
) -> Result<(), git2::Error> {
    let known = |oid: &Oid| history.repo.find_commit(*oid).is_ok();
    if picks.len() > MAX_REBASED || !known(&from) || !known(&onto) {
        return Ok(());
    }
    let taken = history.range([from], [onto], MAX_REBASED + 1)?;
    if taken.len() > MAX_REBASED {
        return Ok(());
    }
    let (old, new) = (by_mark(history.repo, &taken), by_mark(history.repo, picks));
    for (mark, old) in old {
        if let ([old], Some([new])) = (old.as_slice(), new.get(&mark).map(Vec::as_slice)) {
            became.entry(*old).or_default().insert(*new);
        }
    }
    Ok(())
}

type Mark = (Vec<u8>, Vec<u8>, i64, Vec<u8>);

fn by_mark(repo: &Repository, commits: &[Oid]) -> BTreeMap<Mark, Vec<Oid>> {
    let mut marked: BTreeMap<Mark, Vec<Oid>> = BTreeMap::new();
    for oid in commits {
        let Ok(commit) = repo.find_commit(*oid) else {
            continue;
        };
        let of = marked.entry(mark(&commit)).or_default();
        if !of.contains(oid) {
            of.push(*oid);
        }
    }
    marked
}

fn mark(commit: &Commit<'_>) -> Mark {
    let author = commit.author();
    (
        author.name_bytes().to_vec(),
        author.email_bytes().to_vec(),
        author.when().seconds(),
        commit.summary_bytes().unwrap_or_default().to_vec(),
    )
}
