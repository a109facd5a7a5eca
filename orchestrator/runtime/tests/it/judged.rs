//! What git says of claimed commits, case by case: repositories made by the real git, one way of moving work a test.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use orch_protocol::ids::CommitId;
use orch_runtime::git::FolderGit;
use orch_runtime::ports::{Asked, Git, Judged};

use crate::make::{commit, folder, git, repo};

fn id(text: &str) -> CommitId {
    CommitId::new(text)
}

fn asked(claimed: &[&str]) -> Asked {
    Asked {
        claimed: claimed.iter().copied().map(id).collect(),
        ..Asked::default()
    }
}

async fn judged(at: &Path, claimed: &[&str]) -> Judged {
    FolderGit::new(at).judge(asked(claimed)).await.unwrap()
}

fn head(at: &Path) -> String {
    git(at, &["rev-parse", "HEAD"])
}

/// What became of each commit: `here`, `missing`, `unknown`, or the subject of the commit it was rewritten to.
#[track_caller]
fn check(at: &Path, judged: &Judged, expect: &[(&str, &str)]) {
    for (commit, expect) in expect {
        let (reachable, commit) = (&judged.reachable, id(commit));
        let said = match reachable.rewritten_to(&commit) {
            _ if reachable.is_ancestor(&commit) => "here".to_owned(),
            Some(found) => git(at, &["log", "-1", "--format=%s", found.as_str()]),
            None if reachable.is_unknown(&commit) => "unknown".to_owned(),
            None => "missing".to_owned(),
        };
        assert_eq!(
            said,
            *expect,
            "{}",
            git(at, &["log", "--all", "--oneline", "--graph"])
        );
    }
}

/// `main` with one commit more than `feature` was begun at, and `feature` with two of its own; `main` is checked out.
struct Two {
    dir: tempfile::TempDir,
    first: String,
    second: String,
}

impl Two {
    fn new() -> Self {
        let dir = repo();
        let at = dir.path();
        git(at, &["switch", "-q", "-c", "feature"]);
        let first = commit(at, "a", "one\n", "first of feature");
        let second = commit(at, "b", "two\n", "second of feature");
        git(at, &["switch", "-q", "main"]);
        commit(at, "other", "x\n", "meanwhile");
        Self { dir, first, second }
    }

    fn at(&self) -> &Path {
        self.dir.path()
    }

    async fn check(&self, first: &str, second: &str) {
        let judged = judged(self.at(), &[&self.first, &self.second]).await;
        check(
            self.at(),
            &judged,
            &[(&self.first, first), (&self.second, second)],
        );
    }
}

#[tokio::test]
async fn merged_fast_forwarded_reset_and_detached() {
    let two = Two::new();
    two.check("missing", "missing").await;
    git(two.at(), &["merge", "-q", "--no-edit", "feature"]);
    two.check("here", "here").await;
    git(two.at(), &["reset", "-q", "--hard", "HEAD~"]);
    two.check("missing", "missing").await;
    git(two.at(), &["checkout", "-q", "--detach", "feature~"]);
    two.check("here", "missing").await;
    git(two.at(), &["switch", "-q", "-c", "late", "feature~2"]);
    git(two.at(), &["merge", "-q", "--ff-only", "feature"]);
    two.check("here", "here").await;
    git(two.at(), &["switch", "-q", "--orphan", "nothing"]);
    two.check("missing", "missing").await;
}

#[tokio::test]
async fn squashed() {
    let two = Two::new();
    git(two.at(), &["merge", "-q", "--squash", "feature"]);
    git(two.at(), &["commit", "-qm", "all of feature"]);
    commit(two.at(), "later", "x\n", "later");
    two.check("all of feature", "all of feature").await;
    // The branch may be gone: the claimed commit was its tip.
    git(two.at(), &["branch", "-qD", "feature"]);
    two.check("all of feature", "all of feature").await;
    // Of the first alone nobody knows any more to which end it belonged.
    let alone = judged(two.at(), &[&two.first]).await;
    check(two.at(), &alone, &[(&two.first, "missing")]);
    // A branch context still does.
    let known = Asked {
        heads: BTreeSet::from([id(&two.second)]),
        ..asked(&[&two.first])
    };
    let judged = FolderGit::new(two.at()).judge(known).await.unwrap();
    check(two.at(), &judged, &[(&two.first, "all of feature")]);
}

#[tokio::test]
async fn squashed_after_main_was_merged_into_the_branch() {
    let two = Two::new();
    git(two.at(), &["switch", "-q", "feature"]);
    git(two.at(), &["merge", "-q", "--no-edit", "main"]);
    commit(two.at(), "c", "three\n", "third of feature");
    git(two.at(), &["switch", "-q", "main"]);
    git(two.at(), &["merge", "-q", "--squash", "feature"]);
    git(two.at(), &["commit", "-qm", "all of feature"]);
    two.check("all of feature", "all of feature").await;
}

#[tokio::test]
async fn rebased_and_cherry_picked() {
    let two = Two::new();
    git(two.at(), &["cherry-pick", "feature~"]);
    two.check("first of feature", "missing").await;
    git(two.at(), &["reset", "-q", "--hard", "HEAD~"]);
    git(two.at(), &["switch", "-q", "feature"]);
    git(two.at(), &["rebase", "-q", "main"]);
    std::fs::remove_dir_all(two.at().join(".git/logs")).unwrap();
    two.check("first of feature", "second of feature").await;
}

#[tokio::test]
async fn a_patch_that_is_there_twice_is_nobodys() {
    let two = Two::new();
    git(two.at(), &["cherry-pick", "feature"]);
    git(two.at(), &["revert", "--no-edit", "HEAD"]);
    git(two.at(), &["cherry-pick", "feature"]);
    two.check("missing", "missing").await;
}

#[tokio::test]
async fn amended_and_rebased_over_a_conflict() {
    let dir = repo();
    let at = dir.path();
    git(at, &["switch", "-q", "-c", "feature"]);
    let before = commit(at, "README", "first\nmine\n", "mine");
    git(at, &["switch", "-q", "main"]);
    commit(at, "README", "first\ntheirs\n", "theirs");
    git(at, &["switch", "-q", "feature"]);
    let stopped = std::process::Command::new("git")
        .current_dir(at)
        .args([
            "-c",
            "user.name=t",
            "-c",
            "user.email=t@localhost",
            "rebase",
            "-q",
            "main",
        ])
        .output()
        .unwrap();
    assert!(!stopped.status.success(), "the test wants a conflict");
    let during = judged(at, &[&before]).await;
    check(at, &during, &[(&before, "missing")]);
    std::fs::write(at.join("README"), "first\ntheirs\nand mine\n").unwrap();
    git(at, &["add", "README"]);
    git(at, &["-c", "core.editor=true", "rebase", "--continue"]);
    check(at, &judged(at, &[&before]).await, &[(&before, "mine")]);
    // Rebased, then amended: the reflog has both steps.
    std::fs::write(at.join("README"), "first\ntheirs\nand mine, too\n").unwrap();
    git(at, &["commit", "-qa", "--amend", "-m", "amended"]);
    check(at, &judged(at, &[&before]).await, &[(&before, "amended")]);
    // Without a reflog nobody can know, and nobody guesses.
    std::fs::remove_dir_all(at.join(".git/logs")).unwrap();
    check(at, &judged(at, &[&before]).await, &[(&before, "missing")]);
}

#[tokio::test]
async fn a_rebase_that_was_given_up_rewrites_nothing() {
    let two = Two::new();
    git(two.at(), &["switch", "-q", "feature"]);
    git(
        two.at(),
        &[
            "-c",
            "sequence.editor=echo break >>",
            "rebase",
            "-q",
            "-i",
            "main",
        ],
    );
    git(two.at(), &["rebase", "--abort"]);
    git(two.at(), &["switch", "-q", "main"]);
    two.check("missing", "missing").await;
}

#[tokio::test]
async fn what_is_recorded_comes_first() {
    let two = Two::new();
    let other = head(two.at());
    let known = Asked {
        rewrites: BTreeMap::from([(
            id(&two.first),
            BTreeSet::from([id(&two.second), id(&other)]),
        )]),
        ..asked(&[&two.first])
    };
    let judged = FolderGit::new(two.at()).judge(known).await.unwrap();
    check(two.at(), &judged, &[(&two.first, "meanwhile")]);
    assert!(judged.rewrites.is_empty(), "it is recorded already");
}

#[tokio::test]
async fn binary_files_are_told_apart_by_their_content() {
    for (picked, expect) in [("\0same\n", "again"), ("\0 same\n", "missing")] {
        let dir = repo();
        let at = dir.path();
        git(at, &["switch", "-q", "-c", "feature"]);
        let made = commit(at, "image", "\0same\n", "image");
        git(at, &["switch", "-q", "main"]);
        commit(at, "image", picked, "again");
        check(at, &judged(at, &[&made]).await, &[(&made, expect)]);
    }
}

#[tokio::test]
async fn an_empty_commit_is_like_no_other() {
    let dir = repo();
    let at = dir.path();
    git(at, &["switch", "-q", "-c", "feature"]);
    git(at, &["commit", "-q", "--allow-empty", "-m", "empty"]);
    let empty = head(at);
    git(at, &["switch", "-q", "main"]);
    git(at, &["commit", "-q", "--allow-empty", "-m", "empty too"]);
    check(at, &judged(at, &[&empty]).await, &[(&empty, "missing")]);
}

#[tokio::test]
async fn a_revert_is_told_until_it_is_reverted_itself() {
    for way in ["merge", "cherry-pick"] {
        let two = Two::new();
        let at = two.at();
        git(at, &["-c", "core.editor=true", way, "feature"]);
        // Picked, reverted and brought back, the patch is there twice: it has to be recorded by then.
        let known = Asked {
            rewrites: match way {
                "merge" => BTreeMap::new(),
                _ => BTreeMap::from([(id(&two.second), BTreeSet::from([id(&head(at))]))]),
            },
            ..asked(&[&two.second])
        };
        let told = async || -> Vec<(String, bool)> {
            let judged = FolderGit::new(at).judge(known.clone()).await.unwrap();
            let of = |reverted: orch_core::reverts::Reverted| {
                assert_eq!(reverted.commit, id(&two.second));
                let by = git(at, &["log", "-1", "--format=%s", reverted.by.as_str()]);
                (by, reverted.taken_back.is_some())
            };
            judged.reverts.into_iter().map(of).collect()
        };
        assert!(told().await.is_empty());
        let of = if way == "merge" { "feature" } else { "HEAD" };
        git(at, &["revert", "--no-edit", of]);
        let revert = "Revert \"second of feature\"".to_owned();
        assert_eq!(told().await, [(revert.clone(), false)]);
        git(at, &["revert", "--no-edit", "HEAD"]);
        assert_eq!(told().await, [(revert.clone(), true)]);
        git(at, &["revert", "--no-edit", "HEAD"]);
        assert_eq!(told().await, [(revert, false)]);
        // On the branch itself nothing was reverted.
        git(at, &["switch", "-q", "feature"]);
        assert!(told().await.is_empty());
    }
}

#[tokio::test]
async fn a_shallow_clone_says_what_it_cannot_know() {
    let dir = repo();
    let at = dir.path();
    let old = head(at);
    let kept = commit(at, "a", "1\n", "kept");
    let to = folder();
    let from = format!("file://{}", at.display());
    git(to.path(), &["clone", "-q", "--depth", "1", &from, "clone"]);
    let clone = to.path().join("clone");
    let never = "1234567890123456789012345678901234567890";
    let seen = judged(&clone, &[&old, &kept, never]).await;
    check(
        &clone,
        &seen,
        &[(&old, "unknown"), (&kept, "here"), (never, "unknown")],
    );
    // With the same cache, once history is whole: known.
    let cached = FolderGit::new(&clone).with_cache(clone.join(".git/cache"));
    let before = cached.judge(asked(&[&old, never])).await.unwrap();
    check(&clone, &before, &[(&old, "unknown"), (never, "unknown")]);
    git(&clone, &["fetch", "-q", "--unshallow"]);
    let after = cached.judge(asked(&[&old, never])).await.unwrap();
    check(&clone, &after, &[(&old, "here"), (never, "missing")]);
}

#[tokio::test]
async fn work_trees_are_judged_from_their_own_heads() {
    let two = Two::new();
    git(two.at(), &["worktree", "add", "-q", "../tree", "feature"]);
    let tree = two.at().parent().unwrap().join("tree");
    let cache = two.at().join(".git/cache");
    let ask = asked(&[&two.first, &two.second]);
    for _ in 0..2 {
        for (at, expect) in [(two.at(), "missing"), (tree.as_path(), "here")] {
            let from = FolderGit::new(at).with_cache(cache.clone());
            let judged = from.judge(ask.clone()).await.unwrap();
            check(at, &judged, &[(&two.first, expect), (&two.second, expect)]);
            let stand = from.stand().await.unwrap().unwrap();
            assert_eq!(stand.head.commit().unwrap().as_str(), head(at));
            assert_eq!(stand.worktree, at.canonicalize().unwrap().to_string_lossy());
        }
    }
    std::fs::remove_dir_all(tree).unwrap();
}

#[tokio::test]
async fn while_head_stands_still_nothing_is_walked() {
    let two = Two::new();
    let at = two.at();
    let base = git(at, &["rev-parse", "main~"]);
    let ask = asked(&[&two.first, &two.second, &base]);
    let cached = FolderGit::new(at).with_cache(at.join(".git/cache"));
    let before = cached.judge(ask.clone()).await.unwrap();
    // A walk would stumble over the commit that is gone.
    let object = at.join(".git/objects").join(&base[..2]).join(&base[2..]);
    std::fs::rename(&object, at.join("aside")).unwrap();
    assert!(FolderGit::new(at).judge(ask.clone()).await.is_err());
    assert_eq!(cached.judge(ask).await.unwrap(), before);
}

#[tokio::test]
async fn a_cache_may_be_lost_or_spoilt() {
    use std::os::unix::fs::PermissionsExt;
    let two = Two::new();
    let at = two.at();
    git(at, &["cherry-pick", "feature"]);
    let cache = at.join(".git/cache");
    let cached = FolderGit::new(at).with_cache(cache.clone());
    let ask = asked(&[&two.first, &two.second]);
    let expect = FolderGit::new(at).judge(ask.clone()).await.unwrap();
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    for spoil in [
        "nothing",
        "cut off",
        "one byte",
        "empty",
        "garbage",
        "of another",
        "a folder",
        "gone",
    ] {
        assert_eq!(cached.judge(ask.clone()).await.unwrap(), expect, "{spoil}");
        let files: Vec<_> = std::fs::read_dir(&cache)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        assert!(files.len() >= 2 && mode(&cache) == 0o700);
        for file in files.iter().filter(|file| file.is_file()) {
            assert_eq!(mode(file), 0o600);
            let text = std::fs::read(file).unwrap();
            match spoil {
                "cut off" => std::fs::write(file, &text[..text.len() / 2]).unwrap(),
                "one byte" => {
                    // Swaps what is reached and what is missing, and keeps it well-formed.
                    let text = String::from_utf8(text).unwrap();
                    let text = text
                        .replace("\"reached\"", "\"x\"")
                        .replace("\"missing\"", "\"reached\"")
                        .replace("\"x\"", "\"missing\"");
                    std::fs::write(file, text).unwrap();
                }
                "empty" => std::fs::write(file, "").unwrap(),
                "garbage" => std::fs::write(file, [0xff; 300]).unwrap(),
                "of another" => {
                    let other = files.iter().find(|other| *other != file).unwrap();
                    std::fs::copy(other, file).unwrap();
                }
                "a folder" => {
                    std::fs::remove_file(file).unwrap();
                    std::fs::create_dir(file).unwrap();
                }
                _ => {}
            }
        }
        if spoil == "a folder" || spoil == "gone" {
            assert_eq!(cached.judge(ask.clone()).await.unwrap(), expect, "{spoil}");
            std::fs::remove_dir_all(&cache).unwrap();
        }
    }
    // Without the folder above, a store would be begun: nothing is kept.
    let nowhere = at.join("no/cache");
    let git = FolderGit::new(at).with_cache(nowhere.clone());
    assert_eq!(git.judge(ask).await.unwrap(), expect);
    assert!(!nowhere.parent().unwrap().exists());
}

#[tokio::test]
async fn few_heads_are_kept() {
    let dir = repo();
    let at = dir.path();
    let cache = at.join(".git/cache");
    let first = head(at);
    for n in 0..12 {
        commit(at, "a", &format!("{n}\n"), "next");
        let cached = FolderGit::new(at).with_cache(cache.clone());
        let judged = cached.judge(asked(&[&first])).await.unwrap();
        check(at, &judged, &[(&first, "here")]);
    }
    let heads = std::fs::read_dir(&cache).unwrap().count();
    assert_eq!(heads, 8);
}

#[tokio::test]
async fn a_claim_on_an_old_commit_is_told_of_its_revert() {
    let dir = repo();
    let at = dir.path();
    let dated = |days: u32, args: &[&str]| {
        let date = format!("{} +0000", 1_600_000_000 + days * 86_400);
        let made = std::process::Command::new("git")
            .current_dir(at)
            .args(["-c", "user.name=t", "-c", "user.email=t@localhost"])
            .args(args)
            .env("GIT_COMMITTER_DATE", date)
            .output()
            .unwrap();
        assert!(made.status.success());
        head(at)
    };
    std::fs::write(at.join("README"), "changed\n").unwrap();
    let old = dated(0, &["commit", "-qam", "old"]);
    dated(1, &["revert", "--no-edit", "HEAD"]);
    let new = dated(100, &["commit", "-q", "--allow-empty", "-m", "new"]);
    let cached = FolderGit::new(at).with_cache(at.join(".git/cache"));
    // First only the new one is claimed, and of the old one only asked whether it is here.
    let only = Asked {
        heads: BTreeSet::from([id(&old)]),
        ..asked(&[&new])
    };
    assert!(cached.judge(only).await.unwrap().reverts.is_empty());
    let both = cached.judge(asked(&[&new, &old])).await.unwrap();
    assert_eq!(both.reverts.len(), 1);
    assert_eq!(both.reverts[0].commit, id(&old));
}

#[tokio::test]
async fn branches_that_hold_a_commit_are_those_git_names() {
    let two = Two::new();
    let at = two.at();
    git(at, &["merge", "-q", "--no-edit", "feature~"]);
    git(
        at,
        &[
            "branch",
            "-q",
            "feat/../x".replace("..", "y").as_str(),
            "feature",
        ],
    );
    let root = git(at, &["rev-parse", "feature~2"]);
    for asked in [&two.first, &two.second, &root, &head(at)] {
        let oracle = git(
            at,
            &["branch", "--format=%(refname:short)", "--contains", asked],
        );
        let found = FolderGit::new(at).holding(id(asked)).await.unwrap();
        assert_eq!(found.names, oracle.lines().collect::<Vec<_>>(), "{asked}");
        assert_eq!(found.total, found.names.len());
    }
    for n in 0..30 {
        git(at, &["branch", &format!("copy-{n}"), "feature"]);
    }
    let many = FolderGit::new(at).holding(id(&two.second)).await.unwrap();
    assert_eq!((many.names.len(), many.total), (20, 32));
    let none = FolderGit::new(at).holding(id("no commit")).await.unwrap();
    assert_eq!(none.total, 0);
}

#[tokio::test]
async fn odd_repositories_get_an_answer_or_an_error() {
    let two = Two::new();
    let ask = asked(&[&two.first, "no commit", "", "1234", "ÄÄ"]);
    // A commit whose parent is gone and that nothing holds.
    let dangling = git(
        two.at(),
        &["commit-tree", "-m", "x", "-p", &two.second, "HEAD^{tree}"],
    );
    git(two.at(), &["branch", "-qD", "feature"]);
    let object = two.at().join(".git/objects");
    let gone = object.join(&two.second[..2]).join(&two.second[2..]);
    std::fs::remove_file(gone).unwrap();
    let judged = judged(two.at(), &[&dangling, &two.first, &two.second]).await;
    for commit in [&dangling, &two.first, &two.second] {
        check(two.at(), &judged, &[(commit, "missing")]);
    }

    let odd = folder();
    git(
        odd.path(),
        &["init", "-q", "--ref-format=reftable", "tables"],
    );
    git(
        odd.path(),
        &["init", "-q", "--object-format=sha256", "long"],
    );
    git(two.at(), &["config", "uploadpack.allowFilter", "true"]);
    git(two.at(), &["update-ref", "-d", "ORIG_HEAD"]);
    let from = format!("file://{}", two.at().display());
    git(
        odd.path(),
        &[
            "clone",
            "-q",
            "--filter=blob:none",
            "--no-checkout",
            &from,
            "partial",
        ],
    );
    git(odd.path(), &["init", "-q", "broken"]);
    std::fs::write(odd.path().join("broken/.git/HEAD"), "ref: refs/../../x\n").unwrap();
    for name in ["tables", "long", "partial", "broken"] {
        let at = odd.path().join(name);
        let (git, plain) = (FolderGit::new(&at), FolderGit::new(&at));
        let git = git.with_cache(odd.path().join("cache"));
        for git in [git, plain] {
            let _ = git.judge(ask.clone()).await;
            let _ = git.stand().await;
            let _ = git.holding(id(&two.first)).await;
        }
    }
}
