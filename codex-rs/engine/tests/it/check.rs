//! The check: policy and memory on fake engines, then the real one.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use orch_engine::check::{PINNED, REQUIRED, Version, check};
use orch_engine::error::EngineError;

use crate::support::{engine, fake_engine, folder, script};

fn runs(engine: &Path) -> usize {
    let log = PathBuf::from(format!("{}.log", engine.display()));
    fs::read_to_string(log).unwrap_or_default().lines().count()
}

#[tokio::test]
async fn a_known_binary_is_not_run_again_until_it_changes() {
    let folder = folder();
    let engine = folder.path().join("codex");
    let cache = folder.path().join("cache");
    fake_engine(&engine, "0.169.0", &REQUIRED);
    assert!(!check(&engine, &cache).await.unwrap().cached);
    assert!(check(&engine, &cache).await.unwrap().cached);
    assert_eq!(runs(&engine), 2, "--version and the schema, once");
    let file = cache.join("engine-check.json");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&cache), mode(&file)), (0o700, 0o600));
    assert_eq!(
        fs::read_dir(&cache).unwrap().count(),
        1,
        "nothing else is left there"
    );

    fs::write(&file, "{ broken").unwrap();
    assert!(!check(&engine, &cache).await.unwrap().cached);
    assert!(check(&engine, &cache).await.unwrap().cached);

    fake_engine(&engine, "0.170.0-alpha.1", &REQUIRED);
    let checked = check(&engine, &cache).await.unwrap();
    assert_eq!(
        (checked.version.to_string().as_str(), checked.cached),
        ("0.170.0-alpha.1", false)
    );
}

#[tokio::test]
async fn a_cache_that_cannot_be_written_is_done_without() {
    let folder = folder();
    let engine = folder.path().join("codex");
    fake_engine(&engine, "0.169.0", &REQUIRED);
    fs::write(folder.path().join("file"), "").unwrap();
    assert!(
        !check(&engine, &folder.path().join("file"))
            .await
            .unwrap()
            .cached
    );
}

#[tokio::test]
async fn what_does_not_fit_is_named_also_from_memory() {
    let folder = folder();
    let cache = folder.path().join("cache");
    let old = folder.path().join("old");
    fake_engine(&old, "0.150.2", &REQUIRED);
    let lacking = folder.path().join("lacking");
    fake_engine(&lacking, "0.180.0", &REQUIRED[..6]);
    for _ in 0..2 {
        let error = check(&old, &cache).await.unwrap_err();
        assert!(matches!(error, EngineError::TooOld { .. }));
        assert!(error.to_string().contains("0.150.2") && error.hint().contains(PINNED));
        let error = check(&lacking, &cache).await.unwrap_err();
        assert!(
            error
                .to_string()
                .contains("thread/unsubscribe, thread/read"),
            "{error}"
        );
    }
    assert_eq!((runs(&old), runs(&lacking)), (1, 2));
}

#[tokio::test]
async fn a_program_that_is_no_codex_is_told_apart() {
    let folder = folder();
    let program = folder.path().join("codex");
    script(&program, "echo hello 1.2.3");
    let error = check(&program, folder.path()).await.unwrap_err();
    assert!(
        matches!(&error, EngineError::NoVersion { why, .. } if why.contains("hello 1.2.3")),
        "{error}"
    );
    script(&program, "echo broken >&2; exit 3");
    let error = check(&program, folder.path()).await.unwrap_err();
    assert!(
        matches!(&error, EngineError::NoVersion { why, .. } if why.contains("broken")),
        "{error}"
    );
    script(&program, "[ \"$1\" = --version ] && echo codex-cli 0.169.0");
    let error = check(&program, folder.path()).await.unwrap_err();
    assert!(matches!(&error, EngineError::NoSchema { .. }), "{error}");
}

#[test]
fn versions_are_ordered() {
    let version = |text| Version::parse(text).unwrap();
    assert!(version("0.169.0-alpha.2") < version("0.169.0"));
    assert!(version("0.99.9") < version("0.169.0"));
    assert!(version(PINNED).is_pinned());
    for text in [
        "", "1", "1.2", "1.2.3.4", "1.2.x", "1.2.-3", "1.2.3-", " 1.2.3",
    ] {
        assert_eq!(Version::parse(text), None, "{text}");
    }
}

#[tokio::test]
async fn the_real_engine_fits() {
    let folder = folder();
    let started = std::time::Instant::now();
    let checked = check(&engine(), folder.path()).await.unwrap();
    println!("first check: {:?}", started.elapsed());
    assert!(checked.version >= Version::parse(PINNED).unwrap());
    let started = std::time::Instant::now();
    assert!(check(&engine(), folder.path()).await.unwrap().cached);
    println!("cached check: {:?}", started.elapsed());
}
