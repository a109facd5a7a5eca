//! Many processes on one store, and processes killed at random moments: whether anything acknowledged is lost or doubled,
//! and how fast it goes. `cargo bench -p orch-runtime --bench reliability -- [--processes 8] [--operations 500]
//! [--kills 1000] [--seed N]` prints the table of docs/reliability.md, and fails when something is wrong.
//!
//! It measures and tortures; the tests (`tests/it/race.rs`) hold a small part of it on every run.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, missing_docs)]

#[path = "../tests/it/writer.rs"]
mod writer;

use std::path::Path;
use std::process::{Child, ExitCode};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use orch_protocol::ids::LogId;
use orch_runtime::ports::{Clock, StateStore, SystemClock, Wanted};
use orch_runtime::store::BareStore;
use writer::{Audit, Book, Job, Random, lines};

/// The longest time between what a writer said last and its kill.
const MOST: usize = 20_000;
/// So many acknowledgements of a writer are waited for at most before it is killed.
const ACKS: usize = 7;

struct Options {
    processes: usize,
    operations: usize,
    kills: usize,
    seed: u64,
}

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    if let Some(job) = Job::given() {
        runtime.block_on(job.work());
        return ExitCode::SUCCESS;
    }
    let options = options();
    println!("seed {}\n", options.seed);
    println!("| what | figures |\n|---|---|");
    let wrong = runtime.block_on(async {
        let at_once = at_once(&options).await;
        [at_once, killed(&options).await].concat()
    });
    if wrong.is_empty() {
        return ExitCode::SUCCESS;
    }
    println!("\n{} things are wrong:", wrong.len());
    wrong.iter().take(50).for_each(|line| println!("- {line}"));
    ExitCode::FAILURE
}

fn options() -> Options {
    let mut options = Options {
        processes: 8,
        operations: 500,
        kills: 1_000,
        seed: SystemClock.now().as_microsecond().unsigned_abs(),
    };
    let mut given = std::env::args().skip(1).filter(|arg| arg != "--bench");
    while let Some(name) = given.next() {
        let value: u64 = given.next().and_then(|value| value.parse().ok()).unwrap();
        let count = usize::try_from(value).unwrap();
        match name.as_str() {
            "--processes" => options.processes = count,
            "--operations" => options.operations = count,
            "--kills" => options.kills = count,
            "--seed" => options.seed = value,
            _ => panic!("unknown option {name}"),
        }
    }
    options
}

/// Processes at once, every second one with a log for each operation.
async fn at_once(options: &Options) -> Vec<String> {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let begun = Instant::now();
    let (told, hear) = mpsc::channel();
    for n in 0..options.processes {
        let job = Job {
            dir: dir.path().to_owned(),
            number: n as u64,
            seed: options.seed.wrapping_add(n as u64),
            count: options.operations,
            is_long: n % 2 == 1,
        };
        let (told, is_long) = (told.clone(), job.is_long);
        thread::spawn(move || {
            let (mut child, begun) = (job.start(&[]), Instant::now());
            let mut book = Book::default();
            book.hear(&mut lines(&mut child), usize::MAX);
            let ended = child.wait().unwrap().success();
            told.send((is_long, book, begun.elapsed(), ended)).unwrap();
        });
    }
    drop(told);
    let (mut book, mut wrong, mut took) = (Book::default(), Vec::new(), [Duration::ZERO; 2]);
    for (is_long, one, time, ended) in hear {
        book.add(one);
        took[usize::from(is_long)] = took[usize::from(is_long)].max(time);
        if !ended {
            wrong.push("a writer has failed".to_owned());
        }
    }
    let time = begun.elapsed();
    row(
        "processes × operations",
        &format!("{} × {}", options.processes, options.operations),
    );
    row(
        "acknowledged; refused (an edge that would close a cycle)",
        &format!("{}; {}", book.acknowledged(), book.refused),
    );
    let per_second = |count: usize| format!("{:.0}", count as f64 / time.as_secs_f64());
    row(
        "time; operations and folds a second",
        &format!(
            "{:.1} s; {} and {}",
            time.as_secs_f64(),
            per_second(book.acknowledged()),
            per_second(book.folds)
        ),
    );
    row(
        "until the last was done: a log each operation; one log for all",
        &format!(
            "{:.1} s; {:.1} s",
            took[0].as_secs_f64(),
            took[1].as_secs_f64()
        ),
    );
    wrong.extend(audited(&book, dir.path()).await);
    wrong
}

/// Processes killed, one or two at a time, each at a moment of its own.
async fn killed(options: &Options) -> Vec<String> {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let mut random = Random(options.seed);
    let (mut book, mut wrong) = (Book::default(), Vec::new());
    let (mut kills, mut number, mut idle) = (0, 0, 0);
    let mut opened = Vec::new();
    let begun = Instant::now();
    while kills < options.kills {
        let mut round: Vec<(Child, usize)> = Vec::new();
        for _ in 0..=random.below(2) {
            let job = Job {
                dir: dir.path().to_owned(),
                number,
                seed: options.seed.wrapping_add(number),
                count: usize::MAX,
                is_long: random.below(2) == 0,
            };
            number += 1;
            round.push((job.start(&[]), random.below(ACKS)));
        }
        // Heard one after the other, and all to the end once they are dead: what they say isn't lost with them.
        let mut heard = Vec::new();
        for (mut child, acks) in round {
            let (mut lines, mut one) = (lines(&mut child), Book::default());
            one.hear(&mut lines, acks);
            heard.push((child, lines, one));
        }
        for (child, lines, one) in &mut heard {
            thread::sleep(Duration::from_micros(random.below(MOST) as u64));
            child.kill().unwrap();
            child.wait().unwrap();
            kills += 1;
            one.hear(lines, usize::MAX);
        }
        for (_, _, one) in heard {
            idle += usize::from(one.operations.is_empty());
            book.add(one);
        }
        let look = Instant::now();
        let mut store = BareStore::new(dir.path().join("store"), LogId::new("reader"));
        match store.load(&Wanted::default()).await {
            Ok(state) => {
                opened.push(look.elapsed());
                let found = book.wrong_in(&state);
                wrong.extend(
                    found
                        .iter()
                        .map(|line| format!("after {kills} kills: {line}")),
                );
            }
            Err(error) => wrong.push(format!("after {kills} kills: {error}")),
        }
        if !wrong.is_empty() {
            break;
        }
    }
    opened.sort();
    let begun_only = book.operations.len() - book.acknowledged();
    row(
        "kills; before it had begun anything",
        &format!("{kills} in {:.0} s; {idle}", begun.elapsed().as_secs_f64()),
    );
    row(
        "acknowledged; begun and cut off",
        &format!("{}; {begun_only}", book.acknowledged()),
    );
    let ms = |time: Option<&Duration>| time.map_or(0.0, |time| time.as_secs_f64() * 1e3);
    row(
        "opened and read whole after a kill: median; most",
        &format!(
            "{:.1} ms; {:.1} ms",
            ms(opened.get(opened.len() / 2)),
            ms(opened.last())
        ),
    );
    wrong.extend(audited(&book, dir.path()).await);
    wrong
}

async fn audited(book: &Book, dir: &Path) -> Vec<String> {
    let Audit {
        wrong,
        tasks,
        commits,
    } = book.audit(dir).await;
    let store = BareStore::new(dir.join("store"), LogId::new("reader"));
    row(
        "tasks; state commits; size of the store",
        &format!("{tasks}; {commits}; {:.1} MB", store.size() as f64 / 1e6),
    );
    let begun = Instant::now();
    store.pack().unwrap();
    row(
        "packed: size; time",
        &format!(
            "{:.1} MB; {:.1} s",
            store.size() as f64 / 1e6,
            begun.elapsed().as_secs_f64()
        ),
    );
    row(
        "**lost, doubled, made up; broken in files, history or graph**",
        &format!("**{}**", wrong.len()),
    );
    wrong
}

fn row(what: &str, figures: &str) {
    println!("| {what} | {figures} |");
}
