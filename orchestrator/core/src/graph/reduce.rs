//! The transitive reduction: the needs that a picture has to show. Of "a needs b, b needs c, a needs c" the last one
//! says nothing new. The backlog itself keeps every need.

use std::collections::BTreeMap;

use orch_protocol::ids::TaskId;
use orch_protocol::task::Task;
use orch_protocol::tasks::Tasks;

use super::edges::Edges;

/// The needs between the tasks that `kept` wants, without those that follow from others; every such task is named, each
/// need once, both in the order of ids. In a cycle nothing is left out.
///
/// Time grows with edges × tasks / 64, memory with tasks.
pub fn reduced(tasks: &Tasks, kept: impl Fn(&Task) -> bool) -> BTreeMap<&TaskId, Vec<&TaskId>> {
    let edges = Edges::of_needs(tasks, kept);
    let order = settled_first(&edges);
    let implied = implied(&order);
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

/// The tasks, each after what it needs, and where in this order its needs stand; needs inside a cycle are left out.
struct Order {
    tasks: Vec<usize>,
    needs: Vec<Vec<usize>>,
}

fn settled_first(edges: &Edges<'_>) -> Order {
    let mut knot_of = vec![0usize; edges.tasks.len()];
    let mut place_of = vec![0usize; edges.tasks.len()];
    let mut tasks = Vec::with_capacity(edges.tasks.len());
    for (n, knot) in edges.settled_first().into_iter().enumerate() {
        for at in knot.tasks {
            knot_of[at] = n;
            place_of[at] = tasks.len();
            tasks.push(at);
        }
    }
    let needs = |at: &usize| {
        let needs = edges.before(*at).filter(|to| knot_of[*to] != knot_of[*at]);
        needs.map(|to| place_of[to]).collect()
    };
    let needs = tasks.iter().map(needs).collect();
    Order { tasks, needs }
}

/// Tasks and those of their needs that follow from others, sorted.
fn implied(order: &Order) -> Vec<(usize, usize)> {
    // Only a need beside another one can follow from it. With each, the last task that asks.
    let mut asked: Vec<usize> = vec![0; order.needs.len()];
    for (place, needs) in order.needs.iter().enumerate() {
        if needs.len() > 1 {
            needs.iter().for_each(|need| asked[*need] = place);
        }
    }
    let targets: Vec<usize> = (0..asked.len()).filter(|place| asked[*place] > 0).collect();
    let mut implied = Vec::new();
    let mut reaches = vec![0u64; order.needs.len()];
    let mut bit = vec![0u64; order.needs.len()];
    // Sixty-four at a time: a bit says whether one of them is reached.
    for targets in targets.chunks(64) {
        let first = targets.first().copied().unwrap_or(0);
        let last = targets.iter().map(|place| asked[*place]).max().unwrap_or(0);
        for (n, place) in targets.iter().enumerate() {
            bit[*place] = 1 << n;
        }
        for place in first..=last {
            let needs = &order.needs[place];
            let over = needs.iter().fold(0, |all, to| all | reaches[*to]);
            let direct = needs.iter().fold(0, |all, to| all | bit[*to]);
            reaches[place] = over | direct;
            if over & direct != 0 {
                let found = needs.iter().filter(|to| bit[**to] & over != 0);
                implied.extend(found.map(|to| (order.tasks[place], order.tasks[*to])));
            }
        }
        reaches[first..=last].fill(0);
        targets.iter().for_each(|place| bit[*place] = 0);
    }
    implied.sort_unstable();
    implied
}
