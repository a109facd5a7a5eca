//! Task Master: `tasks.json`, a list of tasks or, since tags came, one list a tag. Subtasks become parts.

use orch_protocol::task::{ClaimState, Task};
use orch_protocol::text::one_line;
use serde_json::{Map, Value};

use super::draft::{Draft, foreign_id};
use super::error::{ExchangeError, json, shown, text};
use super::fields::{Fields, as_text};
use super::remarks::Remarks;
use super::{Given, MAX_DEPTH, MAX_TASKS};

/// The largest file: it is held as a tree, which takes several times its size.
const MAX_FILE: usize = 16 * 1024 * 1024;
/// The tag that a file without tags became: its ids stay as they were.
const FIRST_TAG: &str = "master";

/// Fields that Task Master has and a task of ours doesn't: kept as notes without a word.
const KNOWN: [&str; 22] = [
    "effort",
    "actualEffort",
    "tags",
    "databaseId",
    "complexity",
    "recommendedSubtasks",
    "expansionPrompt",
    "complexityReasoning",
    "metadata",
    "relevantFiles",
    "codebasePatterns",
    "existingInfrastructure",
    "scopeBoundaries",
    "implementationApproach",
    "technicalConstraints",
    "skills",
    "category",
    "previousStatus",
    "createdAt",
    "updatedAt",
    "completedAt",
    "dependencies",
];

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
        let value: Value =
            serde_json::from_str(text).map_err(|error| json(file.name, 1, &error))?;
        for (tag, tasks) in lists(file.name, value, told)? {
            let list = List {
                tag: &tag,
                file: file.name,
            };
            for task in tasks {
                list.task(task, None, 0, &mut drafts, told)?;
            }
        }
    }
    Ok(drafts)
}

/// The lists of tasks with their tags.
fn lists(
    file: &str,
    value: Value,
    told: &mut Remarks,
) -> Result<Vec<(String, Vec<Value>)>, ExchangeError> {
    let shape = |what: &str| ExchangeError::Shape {
        at: shown(file),
        what: what.to_owned(),
    };
    let mut map = match value {
        Value::Array(tasks) => return Ok(vec![(FIRST_TAG.to_owned(), tasks)]),
        Value::Object(map) => map,
        _ => return Err(shape("this is no list of tasks")),
    };
    let mut lists = Vec::new();
    if matches!(map.get("tasks"), Some(Value::Array(_)))
        && let Some(Value::Array(tasks)) = map.remove("tasks")
    {
        lists.push((FIRST_TAG.to_owned(), tasks));
        about(
            FIRST_TAG,
            map.remove("metadata").or_else(|| map.remove("meta")),
            told,
        );
    }
    let mut others = Vec::new();
    for (tag, value) in map {
        match value {
            Value::Object(mut of_tag) if matches!(of_tag.get("tasks"), Some(Value::Array(_))) => {
                if let Some(Value::Array(tasks)) = of_tag.remove("tasks") {
                    lists.push((one_line(&tag, 60), tasks));
                }
                about(&tag, of_tag.remove("metadata"), told);
                others.extend(of_tag.into_iter().map(|(name, _)| format!("{tag}.{name}")));
            }
            _ => others.push(tag),
        }
    }
    if lists.is_empty() {
        return Err(shape(
            "it has no tasks: neither a list \"tasks\" nor one for a tag",
        ));
    }
    for name in others {
        told.say(
            "top",
            format!(
                "{:?} at the top of {} was left out",
                one_line(&name, 60),
                shown(file)
            ),
        );
    }
    Ok(lists)
}

fn about(tag: &str, metadata: Option<Value>, told: &mut Remarks) {
    if let Some(metadata) = metadata {
        told.say(
            "about",
            format!(
                "what is said of the list {:?} itself was left out: {metadata}",
                one_line(tag, 60)
            ),
        );
    }
}

/// One list of tasks.
struct List<'a> {
    tag: &'a str,
    file: &'a str,
}

impl List<'_> {
    /// An id as it is unique in the whole file.
    fn id(&self, id: &str) -> String {
        match self.tag {
            FIRST_TAG => foreign_id(id),
            tag => foreign_id(&format!("{tag}/{id}")),
        }
    }

    /// A task with its subtasks. `above` is the id of the one it is a part of, without the tag.
    fn task(
        &self,
        value: Value,
        above: Option<&str>,
        depth: usize,
        drafts: &mut Vec<Draft>,
        told: &mut Remarks,
    ) -> Result<(), ExchangeError> {
        if drafts.len() >= MAX_TASKS {
            return Err(ExchangeError::TooMany {
                file: shown(self.file),
            });
        }
        let under = match above {
            Some(above) => format!("below task {}", self.id(above)),
            None => format!("in the list {:?}", self.tag),
        };
        let Value::Object(map) = value else {
            return Err(ExchangeError::Shape {
                at: format!("{}: {under}", shown(self.file)),
                what: "one of the tasks is no object".to_owned(),
            });
        };
        let mut fields = Fields::new(map);
        let Some(own) = fields.text("id").filter(|id| !foreign_id(id).is_empty()) else {
            return Err(ExchangeError::Shape {
                at: format!("{}: {under}", shown(self.file)),
                what: format!("task number {} has no id", drafts.len() + 1),
            });
        };
        // A subtask's id counts within its task; newer files write it in full.
        let local = match above {
            Some(above) if !own.starts_with(&format!("{above}.")) => format!("{above}.{own}"),
            _ => own,
        };
        let id = self.id(&local);
        let title = fields.text("title");
        let mut draft = Draft::new(&id, format!("task {id}"), title.as_deref(), told);
        draft.parent = above.map(|above| self.id(above));
        if self.tag != FIRST_TAG {
            draft.note("tag", self.tag);
        }
        for (field, label) in [
            ("description", "description"),
            ("details", "details"),
            ("testStrategy", "test strategy"),
        ] {
            if let Some(text) = fields.text(field) {
                draft.note(label, &text);
            }
        }
        match fields.value("acceptanceCriteria") {
            None => {}
            Some(Value::Array(lines)) => {
                let lines: Vec<String> = lines
                    .into_iter()
                    .map(|line| format!("- {}", as_text(line)))
                    .collect();
                draft.accepted_when(&lines.join("\n"));
            }
            Some(value) => draft.accepted_when(&as_text(value)),
        }
        if let Some(owner) = fields.text("assignee") {
            draft.owners(&[owner]);
        }
        draft.created_at = fields.time("createdAt");
        state(&mut draft, &mut fields, told);
        priority(&mut draft, &mut fields, told);
        self.needs(&mut draft, &mut fields, above);
        match (
            above,
            fields.text("parentTaskId").or(fields.text("parentId")),
        ) {
            (Some(above), Some(parent)) if parent != *above && parent != "undefined" => {
                draft.note("parent", &parent)
            }
            _ => {}
        }
        let subtasks = fields.value("subtasks");
        draft.keep(fields, &KNOWN, told);
        drafts.push(draft);
        self.subtasks(subtasks, &local, depth, drafts, told)
    }

    fn subtasks(
        &self,
        value: Option<Value>,
        above: &str,
        depth: usize,
        drafts: &mut Vec<Draft>,
        told: &mut Remarks,
    ) -> Result<(), ExchangeError> {
        match value {
            None => Ok(()),
            Some(Value::Array(subtasks)) if depth < MAX_DEPTH => {
                for subtask in subtasks {
                    self.task(subtask, Some(above), depth + 1, drafts, told)?;
                }
                Ok(())
            }
            Some(_) => Err(ExchangeError::Shape {
                at: format!("{}: task {}", shown(self.file), self.id(above)),
                what: format!("its subtasks are no list, or lie deeper than {MAX_DEPTH}"),
            }),
        }
    }

    /// A number inside a subtask means its sibling; with a dot, or on a task, the whole id.
    fn needs(&self, draft: &mut Draft, fields: &mut Fields, above: Option<&str>) {
        let values = match fields.value("dependencies") {
            None => return,
            Some(Value::Array(values)) => values,
            Some(value) => vec![value],
        };
        for value in values {
            let need = match value {
                Value::Object(map) => {
                    let mut fields = Fields::new(map);
                    let id = fields.text("id").or_else(|| fields.text("taskId"));
                    match id {
                        Some(id) => id,
                        None => {
                            let rest: Map<String, Value> = fields
                                .left()
                                .map(|(name, text)| (name, Value::String(text)))
                                .collect();
                            draft.note("dependency", &Value::Object(rest).to_string());
                            continue;
                        }
                    }
                }
                value => as_text(value),
            };
            draft.needs.push(match above {
                Some(above) if !need.contains('.') => self.id(&format!("{above}.{need}")),
                _ => self.id(&need),
            });
        }
    }
}

fn state(draft: &mut Draft, fields: &mut Fields, told: &mut Remarks) {
    let status = fields
        .text("status")
        .unwrap_or_else(|| "pending".to_owned());
    draft.state = match status.to_ascii_lowercase().as_str() {
        "pending" | "todo" => ClaimState::Pending,
        "in-progress" => ClaimState::Active,
        "review" => {
            draft.because("in review");
            ClaimState::Active
        }
        "done" | "completed" => ClaimState::Done,
        "blocked" => ClaimState::Blocked,
        "deferred" => {
            draft.because("deferred");
            ClaimState::Blocked
        }
        "cancelled" | "canceled" => ClaimState::Dropped,
        _ => {
            told.say(
                "status",
                format!(
                    "{} has the status {:?}, which isn't known here: taken as pending",
                    draft.id,
                    one_line(&status, 40)
                ),
            );
            draft.note("status", &status);
            ClaimState::Pending
        }
    };
    draft.stated_at = fields
        .time("completedAt")
        .or_else(|| fields.time("updatedAt"));
}

fn priority(draft: &mut Draft, fields: &mut Fields, told: &mut Remarks) {
    let Some(text) = fields.text("priority") else {
        return;
    };
    draft.priority = match text.to_ascii_lowercase().as_str() {
        "critical" => 0,
        "high" => 1,
        "medium" => Task::DEFAULT_PRIORITY,
        "low" => 3,
        _ => {
            told.say(
                "priority",
                format!(
                    "{} has the priority {:?}, which isn't known here: taken as {}",
                    draft.id,
                    one_line(&text, 20),
                    draft.priority
                ),
            );
            draft.note("priority", &text);
            draft.priority
        }
    };
}
