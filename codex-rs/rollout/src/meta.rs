//! What the first line of a rollout says of its thread. It doesn't know the lines after it.

use orch_protocol::ids::{CommitId, ThreadId};
use serde_json::Value;

use crate::line::Meta;
use crate::thread::ThreadMeta;

pub(crate) fn thread_meta(meta: &Meta<'_>) -> ThreadMeta {
    let owned = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let subagent = meta.source.get("subagent");
    let spawned_by = subagent
        .and_then(|subagent| subagent.get("thread_spawn"))
        .and_then(|spawn| spawn.get("parent_thread_id"))
        .and_then(Value::as_str);
    let parent = [meta.forked_from_id.as_str(), meta.parent_thread_id.as_str()]
        .into_iter()
        .find(|id| !id.is_empty())
        .or(spawned_by);
    let git = meta.git.as_ref();
    ThreadMeta {
        thread: ThreadId::new(meta.id.as_str()),
        cwd: owned(meta.cwd.as_str()),
        cli_version: owned(meta.cli_version.as_str()),
        commit: git
            .and_then(|git| owned(git.commit_hash.as_str()))
            .map(CommitId::new),
        branch: git.and_then(|git| owned(git.branch.as_str())),
        parent: parent.map(ThreadId::new),
        source: match &meta.source {
            Value::String(source) => owned(source),
            Value::Object(source) => source.keys().next().cloned(),
            _ => None,
        },
        originator: owned(meta.originator.as_str()),
        is_subagent: subagent.is_some() || meta.thread_source.as_str() == "subagent",
        is_approval_review: false,
    }
}

/// The milliseconds since 1970 that a version 7 UUID begins with.
pub(crate) fn uuid_millis(id: &str) -> Option<u64> {
    let is_v7 = id.len() == 36 && id.as_bytes().get(14) == Some(&b'7');
    let (high, low) = (id.get(..8)?, id.get(9..13)?);
    let millis = u64::from_str_radix(high, 16).ok()? << 16 | u64::from_str_radix(low, 16).ok()?;
    is_v7.then_some(millis)
}
