//! What stands on a terminal, to the column.

use proptest::prelude::*;
use unicode_width::UnicodeWidthStr;

use super::given::*;
use crate::tasks_graph::drawing::{Choice, Drawing};
use crate::tasks_graph::{Format, Pen, draw};

const PLAIN: Pen = Pen {
    width: 80,
    colour: false,
    ascii: false,
};

#[track_caller]
fn check(format: Format, choice: &Choice, pen: &Pen, expect: &str) {
    let drawn = draw(&drawing(&backlog(), choice), format, pen);
    let expect: Vec<&str> = expect
        .lines()
        .skip(1)
        .map(|line| line.get(8..).unwrap_or(""))
        .collect();
    assert_eq!(drawn.lines().collect::<Vec<_>>(), expect, "\n{drawn}");
}

#[test]
fn the_tree_tells_status_progress_and_owner() {
    check(
        Format::Tree,
        &ALL,
        &PLAIN,
        "
        t02  ◐ active   Release 1.0  1/4  p1  @anna
        t03  ◐ active   ├─ Write the parser
        t04  ◌ pending  ├─ Stream rows instead of loading them
        t05  ◌ pending  ├─ Measure against the old one
        t06  ● done     └─ Generate a big file
        t12  ○ ready    Upgrade the compiler  p0
        t07  ◌ pending  Announce it
        t09  ◌ pending  Sell it
        t11  ◌ pending  Draw icons
        t08  ■ blocked  Get the licence checked
        t01  ● done     Read the old importer
        t10  × dropped  Write a GUI",
    );
    let narrow = Pen {
        width: 40,
        ascii: true,
        ..PLAIN
    };
    check(
        Format::Tree,
        &Choice::default(),
        &narrow,
        "
        t02  ~ active   Release~  1/4  p1  @anna
        t03  ~ active   |- Write the parser
        t04  . pending  |- Stream rows instead~
        t05  . pending  `- Measure against the~
        t12  o ready    Upgrade the compiler  p0
        t07  . pending  Announce it
        t09  . pending  Sell it
        t11  . pending  Draw icons
        t08  ! blocked  Get the licence checked
        t10  x dropped  Write a GUI",
    );
}

#[test]
fn the_graph_leads_the_eye_from_needs_to_what_waits() {
    let reduced = Choice {
        reduce: true,
        ..ALL
    };
    check(
        Format::Graph,
        &reduced,
        &PLAIN,
        "
                   done
              ╭──●  1 t06 Generate a big file
            ╭─│──●  2 t01 Read the old importer
            │ │
            │ │    dropped
          ╭─│─│──×  3 t10 Write a GUI
          │ │ │
          │ │ │    wave 1: can be done now
        ╭─│─┴─│─▶◐  4 t03 Write the parser  ← 2
        │ │   │  ○  5 t12 Upgrade the compiler
        │ │   │
        │ │   │    wave 2: once all above are done
        ╰─│─┬─│─▶◌  6 t04 Stream rows instead of loading them  ← 4
          │ │ │
          │ │ │    wave 3: once all above are done
          │ ╰─┴─▶◌  7 t05 Measure against the old one  ← 1 6
          │   ╭──◐  8 t02 Release 1.0  1/4
          │   │
          │   │    wave 4: once all above are done
          │ ╭─┴─▶◌  9 t07 Announce it  ← 8
          │ │
          │ │      stuck: blocked, behind something blocked or dropped, or in a cycle
          ╰─│───▶◌ 10 t11 Draw icons  ← 3
            │ ╭──■ 11 t08 Get the licence checked
            ╰─┴─▶◌ 12 t09 Sell it  ← 9 11",
    );
}

#[test]
fn nothing_at_all_is_drawn_as_nothing() {
    for format in [Format::Tree, Format::Graph] {
        assert_eq!(draw(&Drawing::default(), format, &PLAIN), "");
    }
}

#[test]
fn colour_adds_nothing_but_colour() {
    let escapes = regex::Regex::new("\u{1b}\\[[0-9;]*m").unwrap();
    for format in [Format::Tree, Format::Graph] {
        let drawing = drawing(&backlog(), &ALL);
        let coloured = draw(
            &drawing,
            format,
            &Pen {
                colour: true,
                ..PLAIN
            },
        );
        assert!(coloured.contains('\u{1b}'));
        let plain = escapes.replace_all(&coloured, "");
        let plain: Vec<&str> = plain.lines().map(str::trim_end).collect();
        let expect = draw(&drawing, format, &PLAIN);
        assert_eq!(plain, expect.lines().map(str::trim_end).collect::<Vec<_>>());
    }
}

#[test]
fn a_very_deep_forest_stays_on_the_screen_and_says_what_it_leaves_out() {
    let tasks: Vec<_> = (0..60)
        .map(|n| match n {
            0 => task(0, "top", &[]),
            n => part(n - 1, task(n, "deep", &[])),
        })
        .collect();
    let drawn = draw(&drawing(&tasks, &ALL), Format::Tree, &PLAIN);
    assert_eq!(drawn.lines().count(), 13);
    assert!(drawn.ends_with("+47 below\n"), "{drawn}");
}

proptest! {
    #[test]
    fn no_line_is_wider_than_the_terminal(
        picks in proptest::collection::vec(0..HOSTILE.len(), 1..6),
        width in 60usize..140,
        ascii: bool,
    ) {
        let titles: Vec<&str> = picks.iter().map(|at| HOSTILE[*at]).collect();
        let pen = Pen { width, colour: false, ascii };
        for format in [Format::Tree, Format::Graph] {
            let drawn = draw(&drawing(&titled(&titles), &ALL), format, &pen);
            for line in drawn.lines() {
                prop_assert!(line.width() <= width, "{} of {width}: {line}", line.width());
                prop_assert!(!line.chars().any(char::is_control));
            }
        }
    }

    /// Whatever needs what: the numbers told are those needed, lanes or not.
    #[test]
    fn the_graph_tells_every_need_by_number(
        needs in proptest::collection::vec(proptest::collection::vec(0..20usize, 0..3), 1..20),
    ) {
        let tasks: Vec<_> = needs.iter().enumerate().map(|(n, needs)| {
            let mut needs = needs.clone();
            needs.sort_unstable();
            needs.dedup();
            task(n, &format!("title of {n}"), &needs)
        }).collect();
        let drawn = draw(&drawing(&tasks, &ALL), Format::Graph, &PLAIN);
        let line = regex::Regex::new("(\\d+) t(\\d+) title of \\d+(?:  ← ([0-9 ]+))?$").unwrap();
        let lines: Vec<_> = drawn.lines().filter_map(|text| line.captures(text)).collect();
        prop_assert_eq!(lines.len(), tasks.len());
        let of_number = |number: &str| -> usize {
            let found = lines.iter().find(|line| &line[1] == number).unwrap();
            found[2].parse().unwrap()
        };
        for line in &lines {
            let told = line.get(3).map(|told| told.as_str()).unwrap_or_default();
            let mut told: Vec<usize> = told.split_whitespace().map(of_number).collect();
            told.sort_unstable();
            let task = &tasks[line[2].parse::<usize>().unwrap()];
            let mut wanted: Vec<usize> = (0..tasks.len()).filter(|n| task.needs.contains(&id(*n))).collect();
            wanted.sort_unstable();
            prop_assert_eq!(told, wanted);
        }
    }
}
