//! The walls of docs/architecture.md: which crate may use which, and where the heavy libraries are fenced.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use cargo_metadata::{DependencyKind, MetadataCommand};

/// Crate, the siblings it may use, and outside libraries it never knows.
const WALLS: [(&str, &[&str], &[&str]); 8] = [
    (
        "orch-protocol",
        &[],
        &["tokio", "git2", "petgraph", "ratatui"],
    ),
    (
        "orch-engine",
        &["orch-protocol"],
        &["git2", "petgraph", "ratatui"],
    ),
    (
        "orch-rollout",
        &["orch-protocol"],
        &["git2", "petgraph", "ratatui"],
    ),
    ("orch-fake-model", &[], &["git2", "petgraph", "ratatui"]),
    (
        "orch-core",
        &["orch-protocol"],
        &["tokio", "git2", "ratatui", "tempfile", "tracing"],
    ),
    (
        "orch-agents",
        &["orch-protocol", "orch-core"],
        &["tokio", "git2", "petgraph", "ratatui", "tracing"],
    ),
    (
        "orch-runtime",
        &["orch-protocol", "orch-core", "orch-engine", "orch-rollout"],
        &["petgraph", "ratatui"],
    ),
    (
        "orch-cli",
        &[
            "orch-protocol",
            "orch-core",
            "orch-engine",
            "orch-rollout",
            "orch-fake-model",
            "orch-agents",
            "orch-runtime",
        ],
        &["git2", "petgraph"],
    ),
];

/// Library, and the only source files that may name it.
const FENCES: [(&str, &[&str]); 9] = [
    (
        "postcard",
        &[
            "orchestrator/runtime/src/checkout/record.rs",
            "orchestrator/runtime/src/store/outline/cache.rs",
            "orchestrator/runtime/src/store/outline/rows.rs",
        ],
    ),
    (
        "git2",
        &[
            "orchestrator/runtime/src/git/branches.rs",
            "orchestrator/runtime/src/git/history.rs",
            "orchestrator/runtime/src/git/look.rs",
            "orchestrator/runtime/src/git/mod.rs",
            "orchestrator/runtime/src/git/patches.rs",
            "orchestrator/runtime/src/git/raw.rs",
            "orchestrator/runtime/src/git/reach.rs",
            "orchestrator/runtime/src/git/reflog.rs",
            "orchestrator/runtime/src/git/rewrites.rs",
            "orchestrator/runtime/src/git/name.rs",
            "orchestrator/runtime/src/git/walk.rs",
            "orchestrator/runtime/src/store/commits.rs",
            "orchestrator/runtime/src/store/mod.rs",
            "orchestrator/runtime/src/store/objects.rs",
        ],
    ),
    ("petgraph", &["orchestrator/core/src/graph/edges.rs"]),
    (
        "serde_saphyr",
        &[
            "orchestrator/runtime/src/checkout/parse.rs",
            "orchestrator/runtime/src/checkout/text.rs",
            "orchestrator/runtime/src/exchange/front_matter.rs",
        ],
    ),
    (
        "pulldown_cmark",
        &["orchestrator/runtime/src/exchange/outline.rs"],
    ),
    ("hyper", &["codex-rs/fake-model/src/http.rs"]),
    ("rmcp", &["codex-rs/cli/src/mcp/wire.rs"]),
    (
        "tungstenite",
        &[
            "codex-rs/engine/src/link/frame.rs",
            "codex-rs/engine/src/link/ws.rs",
        ],
    ),
    ("toml_edit", &["codex-rs/engine/src/overlay.rs"]),
];

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

#[test]
fn every_crate_stays_inside_its_walls() {
    let metadata = MetadataCommand::new()
        .current_dir(top())
        .no_deps()
        .exec()
        .unwrap();
    let packages: BTreeMap<&str, _> = metadata
        .packages
        .iter()
        .map(|package| (package.name.as_str(), package))
        .collect();
    let listed: BTreeSet<&str> = WALLS.iter().map(|(name, _, _)| *name).collect();
    assert_eq!(
        packages.keys().copied().collect::<BTreeSet<_>>(),
        listed,
        "every crate stands in the table"
    );
    for (name, siblings, never) in WALLS {
        let used: BTreeSet<&str> = packages[name]
            .dependencies
            .iter()
            .filter(|dependency| dependency.kind == DependencyKind::Normal)
            .map(|dependency| dependency.name.as_str())
            .collect();
        let ours: BTreeSet<&str> = used
            .iter()
            .copied()
            .filter(|used| used.starts_with("orch-"))
            .collect();
        assert!(
            ours.is_subset(&siblings.iter().copied().collect()),
            "{name} uses {ours:?}"
        );
        let crossed: Vec<&&str> = never
            .iter()
            .filter(|library| used.contains(*library))
            .collect();
        assert!(crossed.is_empty(), "{name} knows {crossed:?}");
    }
}

#[test]
fn heavy_libraries_stand_behind_their_fences() {
    let mut sources = Vec::new();
    collect(&top(), &mut sources);
    for (library, allowed) in FENCES {
        let naming: Vec<&String> = sources
            .iter()
            .filter(|(path, text)| {
                !allowed.contains(&path.as_str()) && text.contains(&format!("{library}::"))
            })
            .map(|(path, _)| path)
            .collect();
        assert!(naming.is_empty(), "{library} is named in {naming:?}");
    }
}

#[test]
fn the_core_has_no_clock_no_files_and_no_chance() {
    let mut sources = Vec::new();
    collect(&top().join("orchestrator/core"), &mut sources);
    collect(&top().join("agents"), &mut sources);
    for (path, text) in sources {
        for absent in [
            "std::fs",
            "std::env",
            "std::process",
            "SystemTime",
            "Instant::",
            "::now()",
            "thread::",
            "rand",
        ] {
            let used = text
                .lines()
                .any(|line| !line.trim_start().starts_with("//") && line.contains(absent));
            assert!(!used, "{path} names {absent}");
        }
    }
}

#[test]
fn every_module_says_what_it_is_and_is_one_room() {
    let mut sources = Vec::new();
    collect(&top(), &mut sources);
    assert!(sources.len() > 50);
    for (path, text) in sources {
        assert!(text.starts_with("//!"), "{path} does not open with //!");
        assert!(
            text.lines().count() <= 500,
            "{path} has more than 500 lines"
        );
    }
}

/// Sources below `src/` folders, by their path from the top.
fn collect(dir: &Path, sources: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let relative = path
            .strip_prefix(top())
            .unwrap()
            .to_string_lossy()
            .into_owned();
        if path.is_dir()
            && !["target", ".git", "tests", "benches", "examples", "fuzz"].contains(&name.as_str())
        {
            collect(&path, sources);
        } else if name.ends_with(".rs") && relative.contains("src/") {
            sources.push((relative, std::fs::read_to_string(&path).unwrap()));
        }
    }
}
