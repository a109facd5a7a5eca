//! What people call a commit, with the real git as the oracle.

use orch_protocol::ids::CommitId;
use orch_runtime::git::{Called, FolderGit};

use crate::make::{commit, folder, git, repo};

#[tokio::test]
async fn a_commit_is_called_as_git_understands_it() {
    let dir = repo();
    let at = dir.path();
    for n in 1..4 {
        commit(at, &format!("file {n}"), "x", "more");
    }
    git(at, &["tag", "-a", "v1", "-m", "x", "HEAD~1"]);
    git(at, &["switch", "-qc", "side", "HEAD~2"]);
    commit(at, "elsewhere", "x", "elsewhere");
    git(at, &["branch", "far/away"]);
    git(at, &["switch", "-q", "main"]);
    let head = git(at, &["rev-parse", "HEAD"]);
    let names = [
        "HEAD",
        " HEAD~2 ",
        "main",
        "@{0}",
        "v1",
        "side",
        "far/away",
        "side~1",
        &head,
        &head[..8],
        &head.to_uppercase(),
        "HEAD~99",
        "HEAD^{tree}",
        "HEAD:README",
        "nosuch",
        "",
        "-rf",
        "--all",
        "main..side",
        "\u{0}",
    ];
    let asked = FolderGit::new(at);
    for name in names {
        let called = asked.called(name.to_owned()).await.unwrap();
        let parsed = std::process::Command::new("git")
            .current_dir(at)
            .args(["rev-parse", "--verify", "--quiet", "--end-of-options"])
            .arg(format!("{}^{{commit}}", name.trim().replace('\u{0}', "?")))
            .output()
            .unwrap();
        let expect = match String::from_utf8(parsed.stdout).unwrap().trim() {
            // A range is two revisions, and no commit.
            ids if ids.is_empty() || ids.contains('\n') => Called::Unknown,
            id => {
                let is_ancestor = ["merge-base", "--is-ancestor", id, "HEAD"];
                let ended = std::process::Command::new("git")
                    .current_dir(at)
                    .args(is_ancestor)
                    .status();
                match ended.unwrap().success() {
                    true => Called::Here(CommitId::new(id)),
                    false => Called::Elsewhere(CommitId::new(id)),
                }
            }
        };
        assert_eq!(called, expect, "{name:?}");
    }
}

#[tokio::test]
async fn outside_a_repository_nothing_is_called_a_commit() {
    let dir = tempfile::tempdir().unwrap();
    let called = FolderGit::new(dir.path()).called("HEAD".to_owned()).await;
    assert_eq!(called.unwrap(), Called::Unknown);
    let dir = folder();
    git(dir.path(), &["init", "-q"]);
    let called = FolderGit::new(dir.path()).called("HEAD".to_owned()).await;
    assert_eq!(called.unwrap(), Called::Unknown);
}
