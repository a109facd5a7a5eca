//! The write-ahead log against torn, damaged and hostile bytes.

use orch_protocol::fact::Fact;
use orch_protocol::ids::LogId;
use orch_runtime::ports::{StateStore, Wanted};
use orch_runtime::store::BareStore;
use orch_runtime::store::log::{Log, parse, remove_unborn};
use proptest::prelude::*;

use crate::make::{added, folder};

fn written(count: u64) -> (Vec<Fact>, Vec<u8>) {
    let (dir, id) = (folder(), LogId::new("a"));
    let facts: Vec<Fact> = (1..=count)
        .map(|seq| added(&id, seq, &format!("task {seq}")))
        .collect();
    Log::create(dir.path(), &id)
        .unwrap()
        .append(&facts)
        .unwrap();
    let bytes = std::fs::read(dir.path().join("a.log")).unwrap();
    (facts, bytes)
}

#[test]
fn a_log_cut_off_anywhere_gives_the_facts_before_the_cut() {
    let (facts, bytes) = written(5);
    let ends: Vec<usize> = bytes
        .iter()
        .enumerate()
        .filter(|(_, b)| **b == b'\n')
        .map(|(at, _)| at + 1)
        .collect();
    for cut in 0..=bytes.len() {
        let read = parse(LogId::new("a"), &bytes[..cut]);
        let whole = ends.iter().filter(|end| **end <= cut).count();
        assert_eq!(read.facts, facts[..whole], "cut at {cut}");
        assert!(
            !read.damaged,
            "a cut-off end is no damage: it was never acknowledged"
        );
    }
}

#[test]
fn a_changed_byte_costs_its_own_line_only_and_is_noticed() {
    let (facts, bytes) = written(3);
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 0x10;
        let read = parse(LogId::new("a"), &changed);
        assert!(
            read.facts.iter().all(|fact| facts.contains(fact)),
            "nothing is made up (byte {at})"
        );
        assert!(!read.facts.is_empty(), "byte {at}");
        let lost = facts.len() - read.facts.len();
        assert!(
            lost == 0 || read.damaged || at == bytes.len() - 1,
            "byte {at} went unnoticed"
        );
    }
}

#[tokio::test]
async fn a_damaged_log_is_kept_aside() {
    let dir = folder();
    let log = LogId::new("dead");
    let mut dead = BareStore::new(dir.path().to_owned(), log.clone());
    dead.append(&[added(&log, 1, "one"), added(&log, 2, "two")])
        .await
        .unwrap();
    drop(dead);
    let path = dir.path().join("log/dead.log");
    let text = std::fs::read_to_string(&path)
        .unwrap()
        .replacen("one", "eno", 1);
    std::fs::write(&path, text).unwrap();
    let mut next = BareStore::new(dir.path().to_owned(), LogId::new("next"));
    next.fold().await.unwrap();
    assert_eq!(next.load(&Wanted::default()).await.unwrap().tasks.len(), 1);
    assert!(
        dir.path().join("log/dead.damaged").exists(),
        "what could not be read is never deleted"
    );
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_read_without_a_fact_made_up(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        prop_assert!(parse(LogId::new("a"), &bytes).facts.is_empty());
    }
}

#[test]
fn what_a_killed_process_left_before_its_log_had_a_name_is_cleared_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("dead.new"), "").unwrap();
    std::thread::scope(|scope| {
        let making: Vec<_> = (0..4)
            .map(|thread| {
                let dir = dir.path();
                scope.spawn(move || {
                    let make = |n| Log::create(dir, &LogId::new(format!("{thread}-{n}"))).unwrap();
                    (0..100).map(make).collect::<Vec<Log>>()
                })
            })
            .collect();
        while making.iter().any(|thread| !thread.is_finished()) {
            remove_unborn(dir.path());
        }
        let logs: Vec<Log> = making
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect();
        remove_unborn(dir.path());
        let names = std::fs::read_dir(dir.path()).unwrap().flatten();
        let names: Vec<String> = names
            .map(|entry| entry.file_name().into_string().unwrap())
            .collect();
        assert_eq!(names.len(), 400);
        assert!(names.iter().all(|name| name.ends_with(".log")));
        drop(logs);
    });
}
