//! The install with a fake npm.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use orch_engine::check::REQUIRED;
use orch_engine::error::EngineError;
use orch_engine::install::{Install, Installed, Phase, engines_dir, install};
use orch_engine::platform::Platform;
use tempfile::TempDir;

use crate::support::{Mourner, PidPipe, fake_engine, folder, script, trampoline};

const PLATFORM: Platform = Platform::LinuxX64;

struct World {
    root: TempDir,
    plan: Install,
}

impl World {
    /// `npm` is the fake's body; `$prefix` is set for it, and `$engine` is a fake engine to copy.
    fn new(npm: &str) -> Self {
        let root = folder();
        let engine = root.path().join("fake-engine");
        fake_engine(&engine, "0.169.0", &REQUIRED);
        let preamble = format!(
            "prefix=$3; engine='{}'; log='{}'\nplace() {{ d=\"$prefix/node_modules/{}\"; mkdir -p \"$d/{}\"; cp \"$engine\" \"$d/{}\"; }}\necho \"$*\" >> \"$log\"",
            engine.display(),
            root.path().join("npm.log").display(),
            PLATFORM.package(),
            PLATFORM.binary().parent().unwrap().display(),
            PLATFORM.binary().display(),
        );
        script(&root.path().join("bin/npm"), &format!("{preamble}\n{npm}"));
        let mut path = OsString::from(root.path().join("bin"));
        path.push(":/usr/bin:/bin");
        let plan = Install {
            data_dir: root.path().join("data"),
            cache_dir: root.path().join("cache"),
            version: "0.169.0".into(),
            path,
            trampoline: Some(trampoline()),
            platform: PLATFORM,
        };
        Self { root, plan }
    }

    async fn install(&self) -> Result<Installed, EngineError> {
        install(&self.plan, |_| ()).await
    }

    fn engines(&self) -> PathBuf {
        engines_dir(&self.plan.data_dir)
    }

    /// What is in the engines' folder beside the lock.
    fn entries(&self) -> Vec<String> {
        let entries = fs::read_dir(self.engines()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name != ".lock").collect()
    }

    fn npm_runs(&self) -> Vec<String> {
        let log = fs::read_to_string(self.root.path().join("npm.log")).unwrap_or_default();
        log.lines().map(str::to_owned).collect()
    }
}

#[tokio::test]
async fn an_install_appears_whole_and_is_found_by_the_next() {
    let world = World::new("place");
    let leftover = world.engines().join(".tmp-of-a-dead-one/node_modules");
    fs::create_dir_all(leftover).unwrap();
    let mut phases = Vec::new();
    let installed = install(&world.plan, |progress| phases.push(progress.phase))
        .await
        .unwrap();
    assert!(
        !installed.already
            && installed
                .program
                .starts_with(world.engines().join("0.169.0"))
    );
    assert!(
        phases.contains(&Phase::Downloading) && phases.last() == Some(&Phase::Verifying),
        "{phases:?}"
    );
    assert_eq!(world.entries(), ["0.169.0"]);
    let args = world.npm_runs().remove(0);
    assert!(
        args.ends_with("@openai/codex@0.169.0") && args.contains("--include=optional"),
        "{args}"
    );

    let again = world.install().await.unwrap();
    assert!(again.already && again.checked.cached);
    assert_eq!(world.npm_runs().len(), 1);

    // A broken one is replaced.
    fs::write(&installed.program, "#!/bin/sh\nexit 1\n").unwrap();
    assert!(!world.install().await.unwrap().already);
    assert_eq!(world.entries(), ["0.169.0"]);
}

#[tokio::test]
async fn of_two_at_once_the_second_waits_and_finds_it_done() {
    let world = World::new("place");
    let (one, two) = tokio::join!(world.install(), world.install());
    assert_ne!(one.unwrap().already, two.unwrap().already);
    assert_eq!(world.npm_runs().len(), 1);
}

#[tokio::test]
async fn failures_are_told_apart_and_leave_nothing() {
    type Expect = fn(&EngineError) -> bool;
    let cases: [(&str, Expect); 7] = [
        ("echo 'npm error code ENOSPC' >&2; exit 228", |error| {
            matches!(error, EngineError::DiskFull { .. })
        }),
        (
            "place; echo 'npm error code ECONNRESET' >&2; exit 1",
            |error| matches!(error, EngineError::Network { .. }),
        ),
        ("echo 'npm error code EINTEGRITY' >&2; exit 1", |error| {
            matches!(error, EngineError::Checksum { .. })
        }),
        ("echo 'npm error code ETARGET' >&2; exit 1", |error| {
            matches!(error, EngineError::NoSuchVersion { .. })
        }),
        (
            "echo 'npm error odd' >&2; exit 7",
            |error| matches!(error, EngineError::Npm { status, .. } if status.contains('7')),
        ),
        ("mkdir -p \"$prefix/node_modules\"", |error| {
            matches!(error, EngineError::Incomplete { .. })
        }),
        ("sed -i s/0.169.0/0.170.0/ \"$engine\"; place", |error| {
            matches!(error, EngineError::WrongVersion { .. })
        }),
    ];
    for (npm, expect) in cases {
        let world = World::new(npm);
        let error = world.install().await.unwrap_err();
        assert!(expect(&error), "{npm}: {error}");
        assert!(
            !npm.contains("npm error") || error.to_string().contains("npm error"),
            "{error}"
        );
        assert!(!error.hint().is_empty());
        assert_eq!(world.entries(), [""; 0], "{npm}");
    }
}

#[tokio::test]
async fn without_npm_that_is_what_is_said() {
    let mut world = World::new("place");
    fs::remove_file(world.root.path().join("bin/npm")).unwrap();
    world.plan.path = world.root.path().join("bin").into();
    assert!(matches!(
        world.install().await.unwrap_err(),
        EngineError::NpmMissing
    ));
    assert_eq!(world.entries(), [""; 0]);
}

#[tokio::test]
async fn a_dropped_install_takes_npm_and_its_children_along() {
    let root = folder();
    let pipe = PidPipe::new(root.path());
    let world = World::new(&format!(
        "place\nsleep 300 &\necho $! > '{}'\nwait",
        pipe.path().display()
    ));
    let told = tokio::task::spawn_blocking(move || Mourner::of(pipe.read()));
    let mourner = tokio::select! {
        done = world.install() => panic!("npm sleeps, yet it is done: {done:?}"),
        mourner = told => mourner.unwrap(),
    };
    mourner.wait();
    assert_eq!(world.entries(), [""; 0]);
}

#[tokio::test]
async fn an_npm_that_is_killed_is_a_failure() {
    let world = World::new("place; kill -9 $$");
    let error = world.install().await.unwrap_err();
    assert!(
        matches!(&error, EngineError::Npm { status, .. } if status.contains('9')),
        "{error}"
    );
    assert!(!Path::new(&world.engines().join("0.169.0")).exists());
}
