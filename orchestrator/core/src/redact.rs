//! Keeps secrets out of the store: every fact passes here before it is recorded.
//!
//! The patterns are those of well-known token formats (as gitleaks and GitHub's secret scanning list them) and of
//! assignments to names that say they are secret. What is structural (ids, paths, branch names) is left alone, because
//! it is compared with what git says later.

use std::sync::LazyLock;

use orch_protocol::fact::Event;
use regex::Regex;
use serde_json::Value;

/// What stands in place of a secret.
pub const MARK: &str = "[redacted]";

/// Pattern, and what replaces it.
const PATTERNS: [(&str, &str); 14] = [
    (
        r"(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\z)",
        "[redacted]",
    ),
    (r"\bsk-[A-Za-z0-9_-]{20,}", "[redacted]"),
    (r"\b[srp]k_(?:live|test)_[A-Za-z0-9]{16,}", "[redacted]"),
    (
        r"\b(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{22,}|glpat-[A-Za-z0-9_-]{20,})",
        "[redacted]",
    ),
    (r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b", "[redacted]"),
    (r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}", "[redacted]"),
    (r"\bAIza[0-9A-Za-z_-]{35}", "[redacted]"),
    (
        r"\b(?:npm_[A-Za-z0-9]{36}|pypi-[A-Za-z0-9_-]{50,}|hf_[A-Za-z0-9]{30,})",
        "[redacted]",
    ),
    (
        r"\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{5,}",
        "[redacted]",
    ),
    (
        r"(?i)\b(authorization\s*:\s*(?:(?:bearer|basic|token)\s+)?)[^\s'\x22]+",
        "${1}[redacted]",
    ),
    (
        r"(?i)\b([a-z][a-z0-9+.-]*://[^\s/:@]*):[^\s/@]+@",
        "${1}:[redacted]@",
    ),
    (
        r#"(?i)(--(?:password|passwd|pass|passphrase|token|secret|(?:api|access|secret|private)-key)(?:=|\s+))(?:"[^"]*"|'[^']*'|[^\s'"]+)"#,
        "${1}[redacted]",
    ),
    (
        r#"(\bcurl\b[^\n]*?\s(?:-u|--user)[ =]['"]?[^\s:'"]+):[^\s'"]+"#,
        "${1}:[redacted]",
    ),
    (
        r#"(?i)\b([a-z0-9_.-]*(?:secret|token|password|passwd|passphrase|_pass|_pwd|credentials|(?:api|access|secret|private)[_-]?key)['"]?\s*[=:]\s*)(?:"[^"]+"|'[^']+'|[^\s'",;]{6,})"#,
        "${1}[redacted]",
    ),
];

static COMPILED: LazyLock<Vec<(Regex, &'static str)>> = LazyLock::new(|| {
    PATTERNS
        .iter()
        .filter_map(|(pattern, with)| Some((Regex::new(pattern).ok()?, *with)))
        .collect()
});

/// Fields whose text git, the engine or we ourselves compare later, and whose values are ids, paths or names.
const STRUCTURAL: [&str; 24] = [
    "id",
    "branch",
    "blob",
    "call_id",
    "claim",
    "codex_home",
    "commit",
    "common_dir",
    "cwd",
    "files",
    "forked_from",
    "from",
    "journal",
    "log",
    "name",
    "need",
    "path",
    "run",
    "session",
    "task",
    "thread",
    "to",
    "turn",
    "worktree",
];

/// Replaces what looks like a secret in `text`.
pub fn text(text: &str) -> String {
    COMPILED
        .iter()
        .fold(text.to_owned(), |text, (pattern, with)| {
            if pattern.is_match(&text) {
                pattern.replace_all(&text, *with).into_owned()
            } else {
                text
            }
        })
}

/// Replaces what looks like a secret in every text of an event that is not structural.
pub fn event(event: Event) -> Event {
    let Ok(mut value) = serde_json::to_value(&event) else {
        return event;
    };
    if walk(&mut value) {
        serde_json::from_value(value).unwrap_or(event)
    } else {
        event
    }
}

/// Returns whether something was replaced.
fn walk(value: &mut Value) -> bool {
    match value {
        Value::String(held) => {
            let clean = text(held);
            let changed = clean != *held;
            *held = clean;
            changed
        }
        Value::Array(items) => items
            .iter_mut()
            .fold(false, |changed, item| walk(item) | changed),
        Value::Object(fields) => fields.iter_mut().fold(false, |changed, (key, item)| {
            ((item.is_object() || !STRUCTURAL.contains(&key.as_str())) && walk(item)) | changed
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_compiles() {
        assert_eq!(COMPILED.len(), PATTERNS.len());
    }

    #[test]
    fn secrets_go_and_prose_stays() {
        let fake = |prefix: &str, n: usize| format!("{prefix}{}", "aB3".repeat(n));
        for secret in [
            fake("sk-", 10),
            fake("ghp_", 12),
            fake("xoxb-", 6),
            fake("sk_live_", 8),
            "AKIAIOSFODNN7EXAMPLE".to_owned(),
            "-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----".to_owned(),
        ] {
            assert_eq!(text(&format!("use {secret} now")), "use [redacted] now");
        }
        for (given, expect) in [
            (
                "curl -H 'Authorization: Bearer abc.def' x",
                "curl -H 'Authorization: Bearer [redacted]' x",
            ),
            (
                "git clone https://me:hunter2@host/x",
                "git clone https://me:[redacted]@host/x",
            ),
            (
                "DB_PASSWORD=hunter2hunter2 ./run",
                "DB_PASSWORD=[redacted] ./run",
            ),
            ("login --token abcdef", "login --token [redacted]"),
            (
                "DJANGO_SECRET_KEY='abc def' ./run",
                "DJANGO_SECRET_KEY=[redacted] ./run",
            ),
            ("tool --secret-key abcdef", "tool --secret-key [redacted]"),
            ("curl -s -u me:hunter2 x", "curl -s -u me:[redacted] x"),
            ("MYSQL_PWD=hunter2 mysql", "MYSQL_PWD=[redacted] mysql"),
            ("DB_PASS=hunter2 ./run", "DB_PASS=[redacted] ./run"),
            ("Authorization: abcdef123", "Authorization: [redacted]"),
            (r#"{"api_key": "abcdefgh"}"#, r#"{"api_key": [redacted]}"#),
        ] {
            assert_eq!(text(given), expect);
        }
        for prose in [
            "max_tokens = 4096000",
            "the tokenizer: rewrite it",
            "cargo test --workspace",
            "a password prompt",
        ] {
            assert_eq!(text(prose), prose);
        }
    }
}
