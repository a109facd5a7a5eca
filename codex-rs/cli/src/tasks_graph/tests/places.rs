//! What is chosen of a backlog, and where it is put: nothing upon another, arrows from left to right, and an end to the
//! work whatever the graph.

use proptest::collection::vec;
use proptest::prelude::*;

use super::given::*;
use crate::tasks_graph::drawing::{Choice, Drawing, Kind};
use crate::tasks_graph::layout::{HIGH, WIDE, layout};

fn shown(choice: &Choice) -> Vec<String> {
    let drawing = drawing(&backlog(), choice);
    let mut ids: Vec<String> = drawing.nodes.iter().map(|node| node.id.clone()).collect();
    ids.sort();
    ids
}

#[test]
fn what_is_chosen_is_drawn() {
    assert_eq!(shown(&ALL).len(), 12);
    // Done ones aren't, the dropped one is: it holds t11 up.
    assert_eq!(
        shown(&Choice::default()),
        [
            "t02", "t03", "t04", "t05", "t07", "t08", "t09", "t10", "t11", "t12"
        ]
    );
    let focus = |n: usize, all: bool| {
        shown(&Choice {
            all,
            focus: Some(id(n)),
            ..Choice::default()
        })
    };
    assert_eq!(focus(11, false), ["t10", "t11"]);
    assert_eq!(focus(4, false), ["t02", "t03", "t04", "t05", "t07", "t09"]);
    assert_eq!(
        focus(4, true),
        ["t01", "t02", "t03", "t04", "t05", "t07", "t09"]
    );
    assert_eq!(focus(1, false)[0], "t01", "the one asked for, done or not");
    assert!(focus(99, true).is_empty());
}

#[test]
fn the_longest_chain_is_drawn_through_the_parent() {
    let drawing = drawing(&backlog(), &ALL);
    let id = |at: usize| drawing.nodes[at].id.as_str();
    let mut chain: Vec<(&str, &str)> = drawing
        .arrows
        .iter()
        .filter(|arrow| arrow.is_critical)
        .map(|arrow| (id(arrow.first), id(arrow.then)))
        .collect();
    chain.sort_unstable();
    assert_eq!(
        chain,
        [
            ("t02", "t07"),
            ("t03", "t04"),
            ("t04", "t05"),
            ("t05", "t02"),
            ("t07", "t09")
        ]
    );
}

fn check(drawing: &Drawing) -> Result<(), TestCaseError> {
    let laid = layout(drawing);
    prop_assert_eq!(laid.boxes.len(), drawing.nodes.len());
    for (n, (x, y)) in laid.boxes.iter().enumerate() {
        prop_assert!(*x >= 0.0 && *y >= 0.0 && x + WIDE <= laid.width && y + HIGH <= laid.height);
        for (other_x, other_y) in &laid.boxes[n + 1..] {
            let apart = (x - other_x).abs() >= WIDE || (y - other_y).abs() >= HIGH - 0.01;
            prop_assert!(apart, "{x},{y} upon {other_x},{other_y}");
        }
    }
    for (arrow, way) in drawing.drawn().zip(&laid.ways) {
        let (from, to) = (laid.boxes[arrow.first], laid.boxes[arrow.then]);
        let (start, end) = (way[0], way[way.len() - 1]);
        prop_assert!((start.1 - from.1 - HIGH / 2.0).abs() < 0.01);
        prop_assert!((end.1 - to.1 - HIGH / 2.0).abs() < 0.01);
        prop_assert!(way.iter().all(|(x, y)| x.is_finite() && y.is_finite()));
    }
    Ok(())
}

fn tasks(needs: &[Vec<usize>], parents: &[Option<usize>]) -> Vec<orch_protocol::task::Task> {
    let tasks = needs.iter().enumerate().map(|(n, needs)| {
        let task = task(n, "title", needs);
        match parents.get(n).copied().flatten() {
            Some(parent) => part(parent, task),
            None => task,
        }
    });
    tasks.collect()
}

proptest! {
    #[test]
    fn boxes_stand_apart_whatever_needs_what(
        needs in vec(vec(0..40usize, 0..3), 0..40),
        parents in vec(proptest::option::weighted(0.3, 0..40usize), 0..40),
    ) {
        check(&drawing(&tasks(&needs, &parents), &ALL))?;
    }

    #[test]
    fn arrows_lead_to_the_right_where_there_is_no_cycle(
        needs in vec(vec(0..40usize, 0..3), 0..40),
    ) {
        let needs: Vec<Vec<usize>> = needs
            .into_iter()
            .enumerate()
            .map(|(n, needs)| needs.into_iter().filter(|need| *need < n).collect())
            .collect();
        let drawing = drawing(&tasks(&needs, &[]), &ALL);
        check(&drawing)?;
        let laid = layout(&drawing);
        for arrow in drawing.drawn() {
            prop_assert_eq!(arrow.kind, Kind::Need);
            let (from, to) = (laid.boxes[arrow.first], laid.boxes[arrow.then]);
            prop_assert!(from.0 + WIDE < to.0);
        }
    }
}

#[test]
fn dense_and_deep_graphs_come_to_an_end() {
    let dense: Vec<Vec<usize>> = (0..300).map(|n| (0..n).collect()).collect();
    check(&drawing(&tasks(&dense, &[]), &ALL)).unwrap();
    let chain: Vec<Vec<usize>> = (0..1_000)
        .map(|n: usize| n.checked_sub(1).into_iter().collect())
        .collect();
    check(&drawing(&tasks(&chain, &[]), &ALL)).unwrap();
}
