//! What must not be kept, and who may read what is.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::world::World;

/// Made up at run time: no scanner shall find one in this file.
fn secrets() -> [String; 4] {
    [
        format!("sk-{}", "proj9Xy".repeat(6)),
        format!("ghp_{}", "a1B2c3".repeat(6)),
        format!("hunter2-{}", "very-secret"),
        format!("AKIA{}", "ABCDEFGH12345678"),
    ]
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            match entry.file_type().unwrap().is_dir() {
                true => folders.push(entry.path()),
                false => found.push(entry.path()),
            }
        }
    }
    found
}

#[test]
fn secrets_are_not_kept() {
    let [key, token, password, access] = secrets();
    let world = World::new(json!([
        {"steps": [{"plan": [[format!("Use {token} for the upload"), "in_progress"]]}]},
        {"steps": [{"run": format!("echo API_KEY={key} > .env && echo {access} && git add . && git commit -qm 'Add {token}'")}]},
        {"steps": [{"run": format!("curl -s --max-time 1 -H 'Authorization: Bearer {password}' http://127.0.0.1:1; true")}]},
        {"steps": [{"say": format!("I used {key} and PASSWORD={password}.")}]},
    ]));
    world.exec(&format!("Deploy with {key}, password: {password}"));
    world
        .run(&[
            "tasks",
            "add",
            &format!("Rotate {key}"),
            "--acceptance",
            &format!("token={token} is gone"),
        ])
        .ok();
    world.exec("Go on");
    assert!(
        world.requests()[0].input_text().contains(&key),
        "the model gets what the user wrote"
    );

    let store = world.store().join("store.git");
    let objects = world.git_in(
        &store,
        &[
            "cat-file",
            "--batch-all-objects",
            "--batch-check=%(objectname)",
        ],
    );
    let mut seen = String::new();
    for object in objects.lines() {
        seen += &world.git_in(&store, &["cat-file", "-p", object]);
    }
    let kept = [
        world.store(),
        world.repo.join(".codex-orch"),
        world.home.join("orch"),
    ];
    let logs = files(&world.home.join("log"))
        .into_iter()
        .filter(|path| path.to_string_lossy().contains("orch"));
    for path in kept.iter().flat_map(|folder| files(folder)).chain(logs) {
        seen += &String::from_utf8_lossy(&std::fs::read(&path).unwrap());
    }
    assert!(
        seen.contains("Deploy with [redacted]"),
        "it was looked at the right place"
    );
    for secret in secrets() {
        if let Some(at) = seen.find(&secret) {
            let from = seen.floor_char_boundary(at.saturating_sub(200));
            panic!("{secret} is kept: {}", &seen[from..at]);
        }
    }
}

#[test]
fn what_is_kept_is_the_owners_alone() {
    let world = World::new(json!([]));
    world.run(&["tasks", "add", "Private matters"]).ok();
    world.exec("Hello");
    // Folders bar the way to what is below them.
    for folder in [
        world.store(),
        world.store().join("store.git"),
        world.store().join("log"),
        world.repo.join(".codex-orch"),
    ] {
        let mode = folder.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{} {mode:o}", folder.display());
    }
    let ours = |path: &PathBuf| {
        path.file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with("codex-orch"))
    };
    let logs: Vec<PathBuf> = files(&world.home.join("log"))
        .into_iter()
        .filter(ours)
        .collect();
    assert!(!logs.is_empty());
    let loose = files(&world.repo.join(".codex-orch"));
    for path in logs.iter().chain(&loose) {
        let mode = path.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{} {mode:o}", path.display());
    }
}

#[test]
fn state_kept_in_upstreams_home_is_the_owners_alone() {
    let mut setting = crate::world::Setting::new(json!([]));
    setting.trusted = false;
    let world = World::of(setting);
    world.run(&["tasks", "add", "Private matters"]).ok();
    let store = PathBuf::from(world.state()["store"].as_str().unwrap());
    for folder in [&store, &store.join("store.git"), &store.join("log")] {
        let mode = folder.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{} {mode:o}", folder.display());
    }
}

#[test]
fn the_log_stays_small() {
    let world = World::new(json!([]));
    let (log, older) = (
        world.home.join("log/codex-orch.log"),
        world.home.join("log/codex-orch.log.1"),
    );
    std::fs::create_dir_all(world.home.join("log")).unwrap();
    std::fs::write(&log, vec![b'x'; 3 * 1024 * 1024]).unwrap();
    world.run(&["tasks", "list"]).ok();
    assert_eq!(older.metadata().unwrap().len(), 3 * 1024 * 1024);
    assert!(log.metadata().unwrap().len() < 64 * 1024);
    assert_eq!(log.metadata().unwrap().permissions().mode() & 0o077, 0);
}
