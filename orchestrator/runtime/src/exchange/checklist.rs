//! Checklists in markdown: an item with a box is a task, nesting makes parts, headings make milestones and parents.
//!
//! A task's id is derived from the way to it (file, headings, the items above, its words), not from its line: a list that
//! was added to and is imported again adds what is new, and nothing twice.

use std::collections::HashMap;

use orch_protocol::ids::TaskId;
use orch_protocol::task::{ClaimState, Task};
use orch_protocol::text::one_line;

use super::checklist_out::{BETWEEN, HEADER};
use super::draft::{Draft, own_id};
use super::error::{ExchangeError, shown, text};
use super::outline::{Heading, Item, Outline, outline};
use super::remarks::Remarks;
use super::{Given, MAX_TASKS};

/// The largest file.
const MAX_FILE: usize = 8 * 1024 * 1024;
/// The longest line, in bytes: lists inside lists on one line cost the parser more than their length.
const MAX_LINE: usize = 64 * 1024;

/// Reads every file.
pub(super) fn read(files: &[Given<'_>], told: &mut Remarks) -> Result<Vec<Draft>, ExchangeError> {
    let mut drafts = Vec::new();
    for file in files {
        if file.bytes.len() > MAX_FILE {
            return Err(ExchangeError::TooLarge {
                file: shown(file.name),
                bytes: file.bytes.len() as u64,
                max: MAX_FILE as u64,
            });
        }
        let text = text(file.name, file.bytes)?;
        if let Some(at) = text.lines().position(|line| line.len() > MAX_LINE) {
            return Err(ExchangeError::Shape {
                at: format!("{}:{}", shown(file.name), at + 1),
                what: format!("the line is longer than {MAX_LINE} bytes"),
            });
        }
        let outline = outline(text);
        if outline.items.len() + drafts.len() > MAX_TASKS {
            return Err(ExchangeError::TooMany {
                file: shown(file.name),
            });
        }
        tasks(file.name, text.contains(HEADER), outline, &mut drafts, told);
    }
    Ok(drafts)
}

/// What a heading stands for.
#[derive(Debug, Clone, PartialEq)]
enum Role {
    /// The document's title.
    Title,
    Milestone(String),
    /// Below a milestone: a parent, which counts towards it.
    Parent(String),
}

fn roles(headings: &[Heading]) -> Vec<Role> {
    let top = headings.iter().map(|heading| heading.level).min();
    let alone = headings
        .iter()
        .filter(|heading| Some(heading.level) == top)
        .count()
        == 1;
    let titled = alone
        && headings.len() > 1
        && headings
            .first()
            .is_some_and(|heading| Some(heading.level) == top);
    let mut roles: Vec<Role> = Vec::with_capacity(headings.len());
    for (at, heading) in headings.iter().enumerate() {
        let above = heading.above.and_then(|above| roles.get(above)).cloned();
        roles.push(match above {
            None if titled && at == 0 => Role::Title,
            None | Some(Role::Title) => Role::Milestone(heading.text.clone()),
            Some(Role::Milestone(name) | Role::Parent(name)) => Role::Parent(name),
        });
    }
    roles
}

fn tasks(file: &str, ours: bool, outline: Outline, drafts: &mut Vec<Draft>, told: &mut Remarks) {
    let Outline {
        items,
        headings,
        other,
    } = outline;
    let boxes = items.iter().any(|item| item.checked.is_some());
    if !boxes && !items.is_empty() {
        told.say(
            "boxes",
            format!(
                "{} has no boxes: every item of its lists was taken as an open task",
                shown(file)
            ),
        );
    }
    // From below: an item without a box stands for a task when one with a box lies below it.
    let mut is_task: Vec<bool> = items
        .iter()
        .map(|item| item.checked.is_some() || !boxes)
        .collect();
    for (at, item) in items.iter().enumerate().rev() {
        if is_task.get(at) == Some(&true)
            && let Some(slot) = item.above.and_then(|above| is_task.get_mut(above))
        {
            *slot = true;
        }
    }
    let mut place = Placed {
        file,
        ours,
        roles: roles(&headings),
        headings: &headings,
        made: HashMap::new(),
    };
    // For each item the draft that it is, or is below, and the key of the way to it.
    let mut within: Vec<Option<usize>> = Vec::with_capacity(items.len());
    let mut keys: Vec<String> = Vec::with_capacity(items.len());
    for (at, item) in items.into_iter().enumerate() {
        let above = item
            .above
            .and_then(|above| within.get(above).copied().flatten());
        let key_above = match item.above.and_then(|above| keys.get(above)) {
            Some(key) => key.clone(),
            None => place.key(item.heading),
        };
        let mine = one_line(&item.title, Task::MAX_TITLE);
        keys.push(TaskId::from_seed(&[&key_above, &mine]).to_string());
        if is_task.get(at) == Some(&true) && !mine.is_empty() {
            let parent = above.or_else(|| place.parent(item.heading, drafts, told));
            let key = keys.last().cloned().unwrap_or_default();
            let mut draft = place.task(&item, key, told);
            draft.parent = parent
                .and_then(|parent| drafts.get(parent))
                .map(|parent| parent.id.clone());
            drafts.push(draft);
            within.push(Some(drafts.len() - 1));
            continue;
        }
        let words = format!("{}\n{}", item.title, item.words);
        match above.and_then(|above| drafts.get_mut(above)) {
            Some(draft) => draft.note("", &words),
            None if words.trim().is_empty() => {}
            None => told.say(
                "item",
                format!(
                    "{}:{} has no box, and so is no task: {:?} was left out",
                    shown(file),
                    item.line,
                    one_line(&words, 60)
                ),
            ),
        }
        within.push(above);
    }
    for _ in 0..other {
        told.tally("paragraphs outside of lists were left out");
    }
}

/// Where in a file its tasks stand.
struct Placed<'a> {
    file: &'a str,
    /// It is an export of ours.
    ours: bool,
    roles: Vec<Role>,
    headings: &'a [Heading],
    /// The drafts that headings became.
    made: HashMap<usize, usize>,
}

impl Placed<'_> {
    /// The key of the way to what stands below a heading.
    fn key(&self, heading: Option<usize>) -> String {
        let mut way: Vec<&str> = Vec::new();
        let mut at = heading;
        while let Some(heading) = at.and_then(|at| self.headings.get(at)) {
            way.push(&heading.text);
            at = heading.above;
        }
        way.push(self.file);
        TaskId::from_seed(&way).to_string()
    }

    /// The draft of the heading that is a task's parent; made when it is first needed, those above it first.
    fn parent(
        &mut self,
        heading: Option<usize>,
        drafts: &mut Vec<Draft>,
        told: &mut Remarks,
    ) -> Option<usize> {
        let mut way = Vec::new();
        let mut at = heading;
        while let Some(on) = at {
            if !matches!(self.roles.get(on), Some(Role::Parent(_))) {
                break;
            }
            way.push(on);
            at = self.headings.get(on).and_then(|heading| heading.above);
        }
        let mut above = None;
        for on in way.into_iter().rev() {
            if let Some(made) = self.made.get(&on) {
                above = Some(*made);
                continue;
            }
            let heading = self.headings.get(on)?;
            let id = format!("{}:{}", shown(self.file), heading.line);
            let mut draft = Draft::new(&id, id.clone(), Some(&heading.text), told);
            draft.key = Some(format!("heading {}", self.key(Some(on))));
            if let Some(Role::Parent(milestone)) = self.roles.get(on) {
                draft.counts_towards(milestone);
            }
            draft.parent = above
                .and_then(|above: usize| drafts.get(above))
                .map(|above| above.id.clone());
            drafts.push(draft);
            self.made.insert(on, drafts.len() - 1);
            above = Some(drafts.len() - 1);
        }
        above
    }

    fn task(&self, item: &Item, key: String, told: &mut Remarks) -> Draft {
        let (title, ours, tail) = parts(&item.title, self.ours);
        let id = match &ours {
            Some(ours) => ours.to_string(),
            None => format!("{}:{}", shown(self.file), item.line),
        };
        let mut draft = Draft::new(
            &id,
            format!("{}:{}", shown(self.file), item.line),
            Some(title),
            told,
        );
        draft.key = Some(key);
        draft.ours = ours;
        if let Some(Role::Milestone(name) | Role::Parent(name)) =
            item.heading.and_then(|at| self.roles.get(at))
        {
            draft.counts_towards(name);
        }
        if item.checked == Some(true) {
            draft.state = ClaimState::Done;
        }
        for word in tail
            .split(BETWEEN.trim())
            .map(str::trim)
            .filter(|word| !word.is_empty())
        {
            said(&mut draft, word);
        }
        draft.note("", &item.words);
        draft
    }
}

/// A title, the id of ours that stands in brackets before or behind it, and what stands behind that. Ten letters can be a
/// word, so outside of our own exports an id must have a digit.
fn parts(text: &str, ours: bool) -> (&str, Option<TaskId>, &str) {
    let own = |text: &str| {
        own_id(text).filter(|id| ours || id.as_str().bytes().any(|byte| byte.is_ascii_digit()))
    };
    let text = text.trim();
    if let Some((id, title)) = text.strip_prefix('[').and_then(|text| text.split_once(']'))
        && let Some(id) = own(id)
        && !title.trim().is_empty()
    {
        return (title.trim(), Some(id), "");
    }
    for (at, _) in text.rmatch_indices('[') {
        let (title, rest) = text.split_at(at);
        let Some((id, tail)) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) else {
            continue;
        };
        let tail = tail.trim();
        if let Some(id) = own(id)
            && (tail.is_empty() || tail.starts_with(BETWEEN.trim()))
            && !title.trim().is_empty()
        {
            return (title.trim(), Some(id), tail);
        }
    }
    (text, None, "")
}

/// One thing said behind an id.
fn said(draft: &mut Draft, word: &str) {
    match word.split_once(' ') {
        None if word == "active" => draft.state = ClaimState::Active,
        None if word == "blocked" => draft.state = ClaimState::Blocked,
        None if word == "dropped" => draft.state = ClaimState::Dropped,
        Some(("needs", ids)) => draft
            .needs
            .extend(ids.split(',').map(|id| id.trim().to_owned())),
        Some(("owner", name)) => draft.owners(&[name.to_owned()]),
        Some(("milestone", name)) => draft.counts_towards(name),
        _ => match word
            .strip_prefix('P')
            .and_then(|digit| digit.parse::<u8>().ok())
        {
            Some(priority) if priority <= Task::MAX_PRIORITY => draft.priority = priority,
            _ => draft.note("", word),
        },
    }
}
