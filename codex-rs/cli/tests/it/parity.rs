//! `docs/parity.md` lists what the binary at hand lists: every flag and subcommand, and none that is gone.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use regex::Regex;

use crate::engine::engine;

/// What has a table: the root and the subcommands whose flags codex-orch has to know.
const OF: [&str; 6] = ["codex", "resume", "fork", "agents", "exec", "app-server"];
/// How a row may say that something is carried.
const HOW: [&str; 5] = ["passed", "translated", "stripped", "plain upstream", "ours"];

/// (of, name) of everything that the engine's help shows.
fn shown() -> BTreeSet<(String, String)> {
    let flag = Regex::new(r"(?m)^ {2,6}(?:-\w, )?(--[a-z][a-z0-9-]*)").unwrap();
    let commands = Regex::new(r"(?ms)^Commands:\n(.*?)\n\n").unwrap();
    let command = Regex::new(r"(?m)^  ([a-z][a-z0-9-]*)").unwrap();
    let mut shown = BTreeSet::new();
    for of in OF {
        let output = Command::new(engine())
            .args((of != "codex").then_some(of))
            .arg("--help")
            .output()
            .unwrap();
        let help = String::from_utf8(output.stdout).unwrap();
        let mut add = |name: &str| shown.insert((of.to_owned(), name.to_owned()));
        for found in flag.captures_iter(&help) {
            add(&found[1]);
        }
        if let Some(list) = commands.captures(&help) {
            for found in command.captures_iter(&list[1]) {
                add(&found[1]);
            }
        }
        assert!(
            shown.contains(&(of.to_owned(), "--help".to_owned())),
            "{help}"
        );
    }
    shown
}

/// The same of the document, and the rows as they are.
fn listed() -> (BTreeSet<(String, String)>, Vec<Vec<String>>) {
    let text = include_str!("../../../../docs/parity.md");
    let mut listed = BTreeSet::new();
    let mut rows = Vec::new();
    for line in text.lines().filter(|line| line.starts_with("| `")) {
        let line = line.replace("\\|", "/");
        let cells: Vec<String> = line
            .trim_matches('|')
            .split('|')
            .map(|cell| cell.trim().to_owned())
            .collect();
        for of in cells[1].split(' ') {
            let name = cells[0].trim_matches('`').to_owned();
            assert!(listed.insert((of.to_owned(), name)), "twice: {line}");
        }
        rows.push(cells);
    }
    (listed, rows)
}

#[test]
fn every_flag_and_subcommand_is_listed_and_none_that_is_gone() {
    let (shown, (listed, _)) = (shown(), listed());
    let missing: Vec<_> = shown.difference(&listed).collect();
    let gone: Vec<_> = listed.difference(&shown).collect();
    assert!(
        missing.is_empty() && gone.is_empty(),
        "not in docs/parity.md: {missing:?}; gone: {gone:?}"
    );
}

/// The names of all functions below the folder of these tests.
fn functions() -> BTreeSet<String> {
    let function = Regex::new(r"(?m)^\s*fn (\w+)\(\) \{").unwrap();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it")];
    let mut names = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let text = std::fs::read_to_string(path).unwrap();
                let found = text.split("#[test]").skip(1);
                let found = found.filter_map(|text| function.captures(text));
                names.extend(found.map(|found| found[1].to_owned()));
            }
        }
    }
    names
}

#[test]
fn every_row_names_a_test_that_there_is() {
    let functions = functions();
    for row in listed().1 {
        let named = row[4].trim_matches('`');
        assert!(functions.contains(named), "no test {named}: {row:?}");
    }
}

#[test]
fn every_row_says_how() {
    for row in listed().1 {
        assert_eq!(row.len(), 5, "{row:?}");
        assert!(row.iter().all(|cell| !cell.is_empty()), "{row:?}");
        assert!(HOW.iter().any(|how| row[2].starts_with(how)), "{row:?}");
    }
}
