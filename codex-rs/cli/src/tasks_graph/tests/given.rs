//! A backlog for drawings, and titles nobody should be hurt by.

use orch_core::graph::Statuses;
use orch_core::judge::Here;
use orch_protocol::Timestamp;
use orch_protocol::ids::{ClaimId, TaskId};
use orch_protocol::task::{Actor, Claim, ClaimState, Origin, Task};
use orch_protocol::tasks::Tasks;

use crate::tasks_graph::drawing::{Choice, Drawing};

pub(super) const ALL: Choice = Choice {
    all: true,
    reduce: false,
    focus: None,
};

/// Ids are hashes; here they are numbers, in the order of the list, so that a picture can be read.
pub(super) fn id(n: usize) -> TaskId {
    TaskId::new(format!("t{n:02}"))
}

pub(super) fn task(n: usize, title: &str, needs: &[usize]) -> Task {
    let at = Timestamp::from_second(1_800_000_000 + n as i64).unwrap();
    Task {
        needs: needs.iter().map(|need| id(*need)).collect(),
        ..Task::new(id(n), title, Origin::Person { branch: None }, at)
    }
}

pub(super) fn part(parent: usize, task: Task) -> Task {
    Task {
        parent: Some(id(parent)),
        ..task
    }
}

pub(super) fn said(state: ClaimState, task: Task) -> Task {
    let claim = Claim {
        id: ClaimId::new("c"),
        state,
        by: Actor::Person,
        at: task.created_at,
        branch: None,
        worktree: None,
        commits: Vec::new(),
        files: Vec::new(),
        reason: None,
    };
    Task {
        claims: vec![claim],
        ..task
    }
}

pub(super) fn drawing(tasks: &[Task], choice: &Choice) -> Drawing {
    drawn_from(&Here::default(), tasks, choice)
}

pub(super) fn drawn_from(here: &Here, tasks: &[Task], choice: &Choice) -> Drawing {
    let tasks: Tasks = tasks
        .iter()
        .map(|task| (task.id.clone(), task.clone()))
        .collect();
    Drawing::new(&tasks, &Statuses::judge(&tasks, here), here, choice)
}

/// Every status, a parent, a need that follows from others, something stuck.
pub(super) fn backlog() -> Vec<Task> {
    use ClaimState::{Active, Blocked, Done, Dropped};
    vec![
        said(Done, task(1, "Read the old importer", &[])),
        Task {
            owner: Some("anna".to_owned()),
            priority: 1,
            milestone: Some("1.0".to_owned()),
            ..task(2, "Release 1.0", &[])
        },
        said(Active, part(2, task(3, "Write the parser", &[1]))),
        part(2, task(4, "Stream rows instead of loading them", &[1, 3])),
        part(2, task(5, "Measure against the old one", &[4, 6])),
        said(Done, part(2, task(6, "Generate a big file", &[]))),
        task(7, "Announce it", &[2]),
        said(Blocked, task(8, "Get the licence checked", &[])),
        task(9, "Sell it", &[7, 8]),
        said(Dropped, task(10, "Write a GUI", &[])),
        task(11, "Draw icons", &[10]),
        Task {
            priority: 0,
            ..task(12, "Upgrade the compiler", &[])
        },
    ]
}

/// The same backlog, its texts replaced.
pub(super) fn titled(titles: &[&str]) -> Vec<Task> {
    let mut tasks = backlog();
    for (n, task) in tasks.iter_mut().enumerate() {
        let title = titles[n % titles.len()];
        task.title = title.to_owned();
        task.owner = Some(title.to_owned());
        task.milestone = Some(title.to_owned());
        task.acceptance = Some(title.to_owned());
    }
    tasks
}

pub(super) const HOSTILE: [&str; 12] = [
    "</title></svg></script><script>alert(1)</script>",
    "\"];\nt0 -> t1 [label=\"\\",
    "]] --> x[(\"`**bold**`\")]:::done %% click t0 href \"javascript:alert(1)\"",
    "]]><!-- --> <![CDATA[ <?xml ?> &lt;b&gt; &amp; &#60;",
    "' onload='alert(1)' x=\"",
    "```\n</pre>\n# heading\n---\nend",
    "\u{1b}[31m\u{202e}reversed\u{0}\u{fffe}\u{7}\u{2028}line",
    "{{template}} ${script} <%= 1 %> \\u003cimg src=x onerror=alert(1)>",
    "😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀",
    "説明書を書く説明書を書く説明書を書く説明書を書く説明書を書く説明書を書く説明書を書く",
    "e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}",
    "#quot; #35; #lt;script#gt; <br> <img/src/onerror=alert(1)> javascript:alert(1)",
];
