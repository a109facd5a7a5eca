//! The tools: their names, what a model is told of them, and the arguments they take. What they do is the desk's.

use orch_engine::interpose::NAMESPACE;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Deserialize;
use serde_json::{Map, Value, from_value, json};

/// A tool as a client sees it.
pub(super) struct Tool {
    pub(super) name: &'static str,
    /// It changes nothing.
    pub(super) reads: bool,
    pub(super) about: &'static str,
    pub(super) schema: fn() -> Map<String, Value>,
    pub(super) parse: fn(Value) -> serde_json::Result<Ask>,
}

/// A call with its arguments.
#[derive(Debug)]
pub(super) enum Ask {
    List(List),
    Ready(Ready),
    Show(Show),
    Add(Add),
    Update(Update),
    Link(Link),
    Search(Search),
}

pub(super) const TOOLS: [Tool; 7] = [
    Tool {
        name: "tasks_list",
        reads: true,
        about: "Lists tasks of the project's backlog as seen from HEAD: open ones unless a status is given. A task that \
                was done on another branch which isn't merged here is open here, and says so in done_on.",
        schema: schema::<List>,
        parse: |given| from_value(given).map(Ask::List),
    },
    Tool {
        name: "tasks_ready",
        reads: true,
        about: "Lists tasks that can be begun now, the most urgent first: pending, and all they wait for is done here.",
        schema: schema::<Ready>,
        parse: |given| from_value(given).map(Ask::Ready),
    },
    Tool {
        name: "tasks_show",
        reads: true,
        about: "Shows a task whole: acceptance, what it waits for, its parts, what was said and seen of it, notes.",
        schema: schema::<Show>,
        parse: |given| from_value(given).map(Ask::Show),
    },
    Tool {
        name: "tasks_add",
        reads: false,
        about: "Adds a task to the backlog, where every later session sees it. Look with tasks_list first: it may be there \
                already. The steps of your own plan become tasks by themselves.",
        schema: schema::<Add>,
        parse: |given| from_value(given).map(Ask::Add),
    },
    Tool {
        name: "tasks_update",
        reads: false,
        about: "Changes fields of a task, adds a note, or says how it stands. \"done\" is taken as your word; it is \
                verified by the commit that brings the work, not by this call.",
        schema: schema::<Update>,
        parse: |given| from_value(given).map(Ask::Update),
    },
    Tool {
        name: "tasks_link",
        reads: false,
        about: "Links a task to another task it waits for (need), or to a commit that belongs to it (commit). Give exactly \
                one of the two. A need that closes a cycle is refused.",
        schema: schema::<Link>,
        parse: |given| from_value(given).map(Ask::Link),
    },
    Tool {
        name: "journal_search",
        reads: true,
        about: "Searches the journal of earlier sessions (goals, decisions, changes, open ends): entries that hold all the \
                words, the newest first, with the lines that match.",
        schema: schema::<Search>,
        parse: |given| from_value(given).map(Ask::Search),
    },
];

/// The tools as one dynamic tool of the app-server's protocol: a namespace of functions, as JSON.
pub(crate) fn dynamic_tools() -> String {
    let function = |tool: &Tool| {
        json!({
            "type": "function",
            "name": tool.name,
            "description": tool.about,
            "inputSchema": (tool.schema)(),
        })
    };
    json!({
        "type": "namespace",
        "name": NAMESPACE,
        "description": "The backlog of this project, which lives with its repository, and the journal of earlier sessions.",
        "tools": TOOLS.iter().map(function).collect::<Vec<_>>(),
    })
    .to_string()
}

/// Which tasks are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Which {
    #[default]
    Open,
    Pending,
    Active,
    Blocked,
    Done,
    Dropped,
    All,
}

/// How a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Standing {
    Pending,
    Active,
    Blocked,
    Done,
    Dropped,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct List {
    /// Only tasks of this status here; "open" (the default) is pending, active and blocked.
    #[serde(default)]
    pub(super) status: Which,
    /// Only tasks whose title, owner, acceptance or notes hold all these words.
    pub(super) text: Option<String>,
    /// How many at most.
    #[serde(default = "fifty")]
    #[schemars(range(min = 1, max = 200))]
    pub(super) limit: usize,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Ready {
    /// How many at most.
    #[serde(default = "fifty")]
    #[schemars(range(min = 1, max = 200))]
    pub(super) limit: usize,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Show {
    /// The task's id.
    #[serde(alias = "id")]
    pub(super) task: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Add {
    /// What is to be done, in one line.
    pub(super) title: String,
    /// Who is to do it.
    pub(super) owner: Option<String>,
    /// From 0, the most urgent, to 4; 2 unless given.
    #[schemars(range(max = 4))]
    pub(super) priority: Option<u8>,
    /// The id of the task it is a part of.
    pub(super) parent: Option<String>,
    /// Ids of tasks that must be done before it.
    #[serde(default)]
    pub(super) needs: Vec<String>,
    /// How one tells that it is done.
    pub(super) acceptance: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Update {
    /// The task's id.
    #[serde(alias = "id")]
    pub(super) task: String,
    /// How it stands now; "pending" opens it again.
    pub(super) status: Option<Standing>,
    /// Why it stands so; only together with a status.
    pub(super) reason: Option<String>,
    /// A new title, in one line.
    pub(super) title: Option<String>,
    /// A new owner; an empty text clears it.
    pub(super) owner: Option<String>,
    /// A new priority, from 0, the most urgent, to 4.
    #[schemars(range(max = 4))]
    pub(super) priority: Option<u8>,
    /// A new acceptance; an empty text clears it.
    pub(super) acceptance: Option<String>,
    /// A remark to append.
    pub(super) note: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Link {
    /// The task's id.
    #[serde(alias = "id")]
    pub(super) task: String,
    /// The id of a task that must be done before it.
    pub(super) need: Option<String>,
    /// The whole id of a commit that HEAD reaches.
    pub(super) commit: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Search {
    /// Words that an entry must hold, in any order; capital or small makes no difference.
    pub(super) words: String,
    /// How many entries at most.
    #[serde(default = "ten")]
    #[schemars(range(min = 1, max = 50))]
    pub(super) limit: usize,
}

fn fifty() -> usize {
    50
}

fn ten() -> usize {
    10
}

/// The arguments as a JSON schema. Self-contained: not every client follows references.
fn schema<T: JsonSchema>() -> Map<String, Value> {
    let mut settings = SchemaSettings::draft2020_12();
    settings.inline_subschemas = true;
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    for noise in ["$schema", "title"] {
        schema.remove(noise);
    }
    match Value::from(schema) {
        Value::Object(schema) => schema,
        // No struct has such a schema.
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemas_are_strict_described_and_self_contained() {
        for tool in TOOLS {
            let schema = (tool.schema)();
            assert_eq!(schema["type"], "object", "{}", tool.name);
            assert_eq!(schema["additionalProperties"], false, "{}", tool.name);
            let text = Value::Object(schema.clone()).to_string();
            assert!(!text.contains("$ref"), "{text}");
            for (name, property) in schema["properties"].as_object().into_iter().flatten() {
                let described = property["description"].as_str();
                assert!(described.is_some(), "{}: {name}", tool.name);
            }
        }
    }
}
