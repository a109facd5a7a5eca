//! Real rollouts of many versions, against the counts that were made of them by other means.

use std::path::Path;

use orch_rollout::reader::read_file;
use orch_rollout::thread::Counts;

/// Where we count differently from the README of the corpus, by how much, and why: it looked for words in the commands
/// (`cargo test`, `vitest`, `git commit`, ...), we for programs that run. Each was checked by hand against the file.
const EXPLAINED: &[(&str, &str, i64, &str)] = &[
    (
        "2026-03-11T13-37-30",
        "test commands",
        6,
        "5 runs of `playwright test` and 2 of `pnpm --filter X test` have none of its words; `sed ... vitest.config.ts` has",
    ),
    (
        "2026-03-12T12-46-14",
        "test commands",
        8,
        "8 runs of `pnpm exec playwright test` have none of its words",
    ),
    (
        "2026-03-12T16-36-47",
        "test commands",
        19,
        "8 runs of `pnpm --filter X test:coverage` and 15 of `playwright test` have none of its words; an `rg` over and 3 \
         `sed` of `vitest.config.ts` have",
    ),
    (
        "2026-03-12T17-09-38",
        "test commands",
        3,
        "6 runs of `pnpm --filter X test:coverage` have none of its words; an `rg` over and 2 `sed` of `vitest.config.ts` have",
    ),
    (
        "2025-09-17T13-32-43",
        "test commands",
        -2,
        "2 here-documents write a guide that mentions `cargo test`; nothing runs",
    ),
    (
        "2026-02-02T10-44-15",
        "commit commands",
        2,
        "2 commits are made with `git -c user.name=... commit`",
    ),
];

const COLUMNS: [&str; 6] = [
    "user turns",
    "update_plan",
    "shell calls",
    "commit commands",
    "test commands",
    "patches",
];

fn row(counts: Counts) -> [u64; 6] {
    [
        counts.user_messages,
        counts.plans,
        counts.shell_calls,
        counts.commit_commands,
        counts.test_commands,
        counts.patches,
    ]
}

#[test]
fn the_counts_of_a_corpus_are_met() {
    let Some(corpus) = std::env::var_os("ORCH_CORPUS") else {
        eprintln!("ORCH_CORPUS names no folder of rollouts: nothing was compared");
        return;
    };
    let corpus = Path::new(&corpus);
    let readme = std::fs::read_to_string(corpus.join("README.md")).unwrap();
    let mut differences = Vec::new();
    let mut files = 0;
    for line in readme.lines().filter(|line| line.contains(".jsonl |")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let (repository, file, expected) = (cells[0], cells[1], &cells[4..]);
        let folder = repository.rsplit('/').next().unwrap();
        let rollout = read_file(&corpus.join(folder).join(file)).unwrap();
        assert_eq!(
            (rollout.tally.bad_lines, rollout.tally.torn_tail),
            (0, false),
            "{file}"
        );
        // The README counts what stands in a file, so also what a fork copied from its parent.
        let counted = row(rollout.tally.own + rollout.tally.inherited);
        let key = &file["rollout-".len().."rollout-2025-12-17T10-08-08".len()];
        for ((column, expected), counted) in COLUMNS.iter().zip(expected).zip(counted) {
            let expected: i64 = expected.parse().unwrap();
            let difference = i64::try_from(counted).unwrap() - expected;
            let explained = EXPLAINED
                .iter()
                .find(|(file, of, _, _)| *file == key && of == column)
                .map_or(0, |(_, _, difference, _)| *difference);
            if difference != explained {
                differences.push(format!(
                    "{key} {column}: {counted} instead of {expected}, explained {explained}"
                ));
            }
        }
        files += 1;
    }
    assert!(files > 0, "the README of the corpus holds no table");
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
