//! Makes one graph of the records: ids that stand twice, needs and parents that aren't there, cycles and loops.

use std::collections::{HashMap, HashSet};

use orch_protocol::ids::TaskId;
use orch_protocol::text::one_line;

use super::draft::Draft;
use super::remarks::Remarks;
use super::{Format, Imported, ImportedTask, MAX_DEPTH};

/// The most ids named when a cycle is told.
const SHOWN: usize = 8;

/// Looks everything up, leaves out what can't stand, and tells it.
pub(super) fn resolve(
    format: Format,
    source: &str,
    drafts: Vec<Draft>,
    mut told: Remarks,
) -> Imported {
    let mut drafts = apart(format, drafts, &mut told);
    let index: HashMap<String, usize> = drafts
        .iter()
        .enumerate()
        .map(|(at, draft)| (folded(format, &draft.id), at))
        .collect();
    let mut parents = parents(format, &mut drafts, &index, &mut told);
    let mut needs = needs(format, &mut drafts, &index, &mut told);
    cut_cycles(&mut drafts, &mut needs, &mut told);
    cut_loops(&mut drafts, &mut parents, &mut told);
    flatten(&drafts, &mut parents, &mut told);

    let ids: Vec<String> = drafts.iter().map(|draft| draft.id.clone()).collect();
    let name = |at: &usize| ids.get(*at).cloned();
    let mut own = OwnIds::default();
    let tasks = drafts
        .into_iter()
        .zip(parents)
        .zip(needs)
        .map(|((draft, parent), needs)| ImportedTask {
            task: own.give(format, source, &draft),
            parent: parent.as_ref().and_then(name),
            needs: needs.iter().filter_map(name).collect(),
            format,
            id: draft.id,
            title: draft.title,
            state: draft.state,
            reason: draft.reason,
            stated_at: draft.stated_at,
            owner: draft.owner,
            priority: draft.priority,
            milestone: draft.milestone,
            acceptance: draft.acceptance,
            notes: draft.notes,
            created_at: draft.created_at,
        })
        .collect();
    Imported {
        tasks,
        remarks: told.into_lines(),
    }
}

/// Backlog.md writes `task-1` and `TASK-1` for the same task.
fn folded(format: Format, id: &str) -> String {
    match format {
        Format::BacklogMd => id.to_ascii_lowercase(),
        Format::Beads | Format::Taskmaster | Format::Markdown => id.to_owned(),
    }
}

/// The ids that were given out, and how often each key was met: many items of a list may say the same.
#[derive(Debug, Default)]
struct OwnIds {
    taken: HashSet<TaskId>,
    met: HashMap<String, usize>,
}

impl OwnIds {
    /// Our id: what the draft says it is, or one derived from where it comes from.
    fn give(&mut self, format: Format, source: &str, draft: &Draft) -> TaskId {
        if let Some(ours) = &draft.ours
            && self.taken.insert(ours.clone())
        {
            return ours.clone();
        }
        let key = match &draft.key {
            Some(key) => key.clone(),
            None => folded(format, &draft.id),
        };
        let met = self.met.entry(key.clone()).or_default();
        loop {
            *met += 1;
            let id = match *met {
                1 => TaskId::from_seed(&["import", format.name(), source, &key]),
                more => {
                    TaskId::from_seed(&["import", format.name(), source, &key, &more.to_string()])
                }
            };
            if self.taken.insert(id.clone()) {
                return id;
            }
        }
    }
}

/// Gives each of several records with one id an id of its own. One that says the same word for word is left out.
fn apart(format: Format, drafts: Vec<Draft>, told: &mut Remarks) -> Vec<Draft> {
    let known: HashSet<String> = drafts
        .iter()
        .map(|draft| folded(format, &draft.id))
        .collect();
    let mut first: HashMap<String, (usize, usize)> = HashMap::new();
    let mut kept: Vec<Draft> = Vec::with_capacity(drafts.len());
    for mut draft in drafts {
        let key = folded(format, &draft.id);
        let Some((at, count)) = first.get_mut(&key) else {
            first.insert(key, (kept.len(), 1));
            kept.push(draft);
            continue;
        };
        let Some(before) = kept.get(*at) else {
            continue;
        };
        let same = Draft {
            place: before.place.clone(),
            ..draft.clone()
        } == *before;
        if same {
            told.say(
                "repeated",
                format!(
                    "{} stands twice, word for word ({} and {}): taken once",
                    draft.id, before.place, draft.place
                ),
            );
            continue;
        }
        let id = loop {
            *count += 1;
            let id = format!("{}~{count}", draft.id);
            if !known.contains(&folded(format, &id)) {
                break id;
            }
        };
        told.say(
            "duplicate",
            format!(
                "two tasks have the id {}: {:?} ({}) and {:?} ({}); both were kept, the second as {id}",
                draft.id,
                one_line(&before.title, 60),
                before.place,
                one_line(&draft.title, 60),
                draft.place,
            ),
        );
        draft.id = id;
        draft.ours = None;
        draft.key = draft.key.map(|key| format!("{key}~{count}"));
        kept.push(draft);
    }
    kept
}

fn parents(
    format: Format,
    drafts: &mut [Draft],
    index: &HashMap<String, usize>,
    told: &mut Remarks,
) -> Vec<Option<usize>> {
    let mut parents = Vec::with_capacity(drafts.len());
    for draft in drafts.iter_mut() {
        let found = draft
            .parent
            .as_ref()
            .and_then(|id| index.get(&folded(format, id)).copied());
        if let (Some(missing), None) = (draft.parent.take(), found) {
            missed(draft, "parent", &missing, told);
        }
        parents.push(found);
    }
    for at in 0..drafts.len() {
        let Some(draft) = drafts.get_mut(at) else {
            break;
        };
        for part in std::mem::take(&mut draft.parts) {
            let part_at = index.get(&folded(format, &part)).copied();
            match part_at.and_then(|part_at| parents.get_mut(part_at)) {
                None => missed(draft, "part", &part, told),
                Some(parent @ None) => *parent = Some(at),
                Some(Some(parent)) if *parent == at => {}
                Some(Some(_)) => draft.note("part", &part),
            }
        }
    }
    parents
}

fn needs(
    format: Format,
    drafts: &mut [Draft],
    index: &HashMap<String, usize>,
    told: &mut Remarks,
) -> Vec<Vec<usize>> {
    let mut all = Vec::with_capacity(drafts.len());
    for draft in drafts.iter_mut() {
        let mut found = Vec::new();
        let mut seen = HashSet::new();
        for need in std::mem::take(&mut draft.needs) {
            match index.get(&folded(format, &need)) {
                Some(at) => {
                    if seen.insert(*at) {
                        found.push(*at);
                    }
                }
                None => missed(draft, "needs", &need, told),
            }
        }
        all.push(found);
    }
    all
}

fn missed(draft: &mut Draft, what: &str, id: &str, told: &mut Remarks) {
    let id = one_line(id, super::draft::MAX_ID);
    draft.note(what, &id);
    told.say(
        "missing",
        format!(
            "{} names {id:?} ({what}), which isn't in there: kept as a note",
            draft.id
        ),
    );
}

#[derive(Clone, Copy, PartialEq)]
enum Mark {
    New,
    OnTheWay,
    Done,
}

/// Walks along the needs, and leaves out each edge that leads back onto the way it came.
fn cut_cycles(drafts: &mut [Draft], needs: &mut [Vec<usize>], told: &mut Remarks) {
    let mut marks = vec![Mark::New; needs.len()];
    let mut cut: Vec<(usize, usize)> = Vec::new();
    for start in 0..needs.len() {
        if marks.get(start) != Some(&Mark::New) {
            continue;
        }
        let mut way: Vec<(usize, usize)> = vec![(start, 0)];
        set(&mut marks, start, Mark::OnTheWay);
        while let Some((at, next)) = way.last_mut() {
            let at = *at;
            let Some(need) = needs.get(at).and_then(|needs| needs.get(*next)).copied() else {
                set(&mut marks, at, Mark::Done);
                way.pop();
                continue;
            };
            *next += 1;
            match marks.get(need) {
                Some(Mark::New) => {
                    set(&mut marks, need, Mark::OnTheWay);
                    way.push((need, 0));
                }
                Some(Mark::OnTheWay) => {
                    let from = way.iter().position(|(on, _)| *on == need).unwrap_or(0);
                    let round = way
                        .get(from..)
                        .unwrap_or_default()
                        .iter()
                        .map(|(on, _)| *on);
                    told.say(
                        "cycle",
                        format!(
                            "the need of {} on {} was left out, for it closes a cycle: {}",
                            named(drafts, at),
                            named(drafts, need),
                            shown_way(drafts, round.chain([need])),
                        ),
                    );
                    cut.push((at, need));
                }
                Some(Mark::Done) | None => {}
            }
        }
    }
    for (at, need) in cut {
        let id = named(drafts, need);
        if let (Some(of), Some(draft)) = (needs.get_mut(at), drafts.get_mut(at)) {
            of.retain(|kept| *kept != need);
            draft.note("needs, left out for it closes a cycle", &id);
        }
    }
}

/// Follows each task's parents, and leaves out the one that leads back to it.
fn cut_loops(drafts: &mut [Draft], parents: &mut [Option<usize>], told: &mut Remarks) {
    let mut marks = vec![Mark::New; parents.len()];
    for start in 0..parents.len() {
        let mut way = Vec::new();
        let mut at = Some(start);
        while let Some(on) = at {
            match marks.get(on) {
                Some(Mark::New) => {
                    set(&mut marks, on, Mark::OnTheWay);
                    way.push(on);
                    at = parents.get(on).copied().flatten();
                }
                Some(Mark::OnTheWay) => {
                    let Some(last) = way.last().copied() else {
                        break;
                    };
                    let from = way.iter().position(|step| *step == on).unwrap_or(0);
                    let round = way.get(from..).unwrap_or_default().iter().copied();
                    let id = named(drafts, on);
                    told.say(
                        "loop",
                        format!(
                            "{} is no part of {id} here, for that closes a loop of parents: {}",
                            named(drafts, last),
                            shown_way(drafts, round.chain([on])),
                        ),
                    );
                    if let (Some(parent), Some(draft)) =
                        (parents.get_mut(last), drafts.get_mut(last))
                    {
                        *parent = None;
                        draft.note("parent, left out for it closes a loop", &id);
                    }
                    break;
                }
                Some(Mark::Done) | None => break,
            }
        }
        for step in way {
            set(&mut marks, step, Mark::Done);
        }
    }
}

/// Hangs up what lies deeper than [`MAX_DEPTH`] at that depth.
fn flatten(drafts: &[Draft], parents: &mut [Option<usize>], told: &mut Remarks) {
    let mut depths: Vec<Option<usize>> = vec![None; parents.len()];
    for start in 0..parents.len() {
        let mut way = Vec::new();
        let mut at = Some(start);
        while let Some(on) = at.filter(|on| depths.get(*on).copied().flatten().is_none()) {
            way.push(on);
            at = parents.get(on).copied().flatten();
        }
        while let Some(on) = way.pop() {
            let above = parents.get(on).copied().flatten();
            let mut depth = above.map_or(0, |above| {
                depths.get(above).copied().flatten().unwrap_or(0) + 1
            });
            if depth > MAX_DEPTH {
                // The parent is at the limit itself, as everything above was settled before: its sibling, then.
                let beside = above.and_then(|above| parents.get(above).copied().flatten());
                if let Some(parent) = parents.get_mut(on) {
                    *parent = beside;
                }
                depth = MAX_DEPTH;
                told.say(
                    "deep",
                    format!(
                        "{} lies deeper than {MAX_DEPTH} parents: it was hung up at that depth",
                        named(drafts, on)
                    ),
                );
            }
            if let Some(slot) = depths.get_mut(on) {
                *slot = Some(depth);
            }
        }
    }
}

fn set(marks: &mut [Mark], at: usize, mark: Mark) {
    if let Some(slot) = marks.get_mut(at) {
        *slot = mark;
    }
}

fn named(drafts: &[Draft], at: usize) -> String {
    drafts
        .get(at)
        .map(|draft| draft.id.clone())
        .unwrap_or_default()
}

fn shown_way(drafts: &[Draft], way: impl Iterator<Item = usize>) -> String {
    let ids: Vec<String> = way.map(|at| one_line(&named(drafts, at), 40)).collect();
    match ids.len() > SHOWN {
        false => ids.join(" → "),
        true => {
            let head = ids.get(..SHOWN - 1).unwrap_or(&ids).join(" → ");
            let last = ids.last().map(String::as_str).unwrap_or_default();
            format!("{head} → … → {last} ({} tasks)", ids.len() - 1)
        }
    }
}
