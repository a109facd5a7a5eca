//! The transitive reduction: the needs that a picture has to show. Of "a needs b, b needs c, a needs c" the last one
//! says nothing new. The backlog itself keeps every need.

use std::collections::BTreeMap;

use orch_protocol::ids::TaskId;
use orch_protocol::task::Task;

use super::edges::Edges;

/// The needs between the tasks that `kept` wants, without those that follow from others; every such task is named, each
/// need once, both in the order of ids. In a cycle nothing is left out.
///
/// Time grows with edges × tasks / 64, memory with tasks.
pub fn reduced(
    tasks: &BTreeMap<TaskId, Task>,
    kept: impl Fn(&Task) -> bool,
) -> BTreeMap<&TaskId, Vec<&TaskId>> {
    let edges = Edges::of_needs(tasks, kept);
    let (order, before) = without_cycles(&edges);
    // Only a need beside another one can follow from it.
    let mut asked: Vec<usize> = before
        .iter()
        .filter(|before| before.len() > 1)
        .flatten()
        .copied()
        .collect();
    asked.sort_unstable();
    asked.dedup();
    let mut implied: Vec<(usize, usize)> = Vec::new();
    let mut reaches = vec![0u64; before.len()];
    let mut bit = vec![0u64; before.len()];
    // Sixty-four tasks at a time: a bit says whether one of them is reached.
    for asked in asked.chunks(64) {
        for (n, at) in asked.iter().enumerate() {
            bit[*at] = 1 << n;
        }
        for at in &order {
            let over = before[*at].iter().fold(0, |all, to| all | reaches[*to]);
            let direct = before[*at].iter().fold(0, |all, to| all | bit[*to]);
            reaches[*at] = over | direct;
            if over & direct != 0 {
                let needs = before[*at].iter().filter(|to| bit[**to] & over != 0);
                implied.extend(needs.map(|to| (*at, *to)));
            }
        }
        for at in asked {
            bit[*at] = 0;
        }
    }
    implied.sort_unstable();
    let needs = |at: usize| {
        let mut needs: Vec<usize> = edges.before(at).collect();
        needs.retain(|need| implied.binary_search(&(at, *need)).is_err());
        needs.sort_unstable();
        needs.iter().map(|need| &edges.tasks[*need].id).collect()
    };
    (0..edges.tasks.len())
        .map(|at| (&edges.tasks[at].id, needs(at)))
        .collect()
}

/// The tasks, each after what it needs, and their needs but for those inside a cycle.
fn without_cycles(edges: &Edges<'_>) -> (Vec<usize>, Vec<Vec<usize>>) {
    let mut knot_of = vec![0usize; edges.tasks.len()];
    let mut order = Vec::with_capacity(edges.tasks.len());
    for (n, knot) in edges.settled_first().into_iter().enumerate() {
        for at in knot.tasks {
            knot_of[at] = n;
            order.push(at);
        }
    }
    let before = (0..edges.tasks.len())
        .map(|at| {
            let before = edges.before(at);
            before.filter(|to| knot_of[*to] != knot_of[at]).collect()
        })
        .collect();
    (order, before)
}
