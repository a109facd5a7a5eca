//! How a status looks: a word, a symbol, a shape and a colour, each telling it alone. Named once, for all formats.

use orch_protocol::task::TaskStatus;

/// A status as it is shown: pending ones that can be begun are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Look {
    Active,
    Ready,
    Pending,
    Blocked,
    Done,
    Dropped,
    /// Git can't tell: history is cut off before it says.
    Unknown,
}

/// A colour on light and on dark ground: the area, and its border.
pub(super) struct Colours {
    pub(super) light: (&'static str, &'static str),
    pub(super) dark: (&'static str, &'static str),
}

impl Look {
    pub(super) const ALL: [Look; 7] = [
        Look::Ready,
        Look::Active,
        Look::Pending,
        Look::Blocked,
        Look::Done,
        Look::Dropped,
        Look::Unknown,
    ];

    pub(super) fn new(status: TaskStatus, ready: bool, unknown: bool) -> Self {
        match status {
            _ if unknown => Look::Unknown,
            TaskStatus::Pending if ready => Look::Ready,
            TaskStatus::Pending => Look::Pending,
            TaskStatus::Active => Look::Active,
            TaskStatus::Blocked => Look::Blocked,
            TaskStatus::Done => Look::Done,
            TaskStatus::Dropped => Look::Dropped,
        }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Look::Active => "active",
            Look::Ready => "ready",
            Look::Pending => "pending",
            Look::Blocked => "blocked",
            Look::Done => "done",
            Look::Dropped => "dropped",
            Look::Unknown => "unknown",
        }
    }

    /// One column on a terminal.
    pub(super) fn symbol(self, ascii: bool) -> &'static str {
        match (self, ascii) {
            (Look::Active, false) => "◐",
            (Look::Ready, false) => "○",
            (Look::Pending, false) => "◌",
            (Look::Blocked, false) => "■",
            (Look::Done, false) => "●",
            (Look::Dropped, false) => "×",
            (Look::Unknown, _) => "?",
            (Look::Active, true) => "~",
            (Look::Ready, true) => "o",
            (Look::Pending, true) => ".",
            (Look::Blocked, true) => "!",
            (Look::Done, true) => "#",
            (Look::Dropped, true) => "x",
        }
    }

    /// The parameters of the terminal's colour sequence.
    pub(super) fn sgr(self) -> &'static str {
        match self {
            Look::Active => "1;36",
            Look::Ready => "1;33",
            Look::Pending => "39",
            Look::Blocked => "31",
            Look::Done => "32",
            Look::Dropped => "2",
            Look::Unknown => "35",
        }
    }

    pub(super) fn colours(self) -> Colours {
        let (light, dark) = match self {
            Look::Active => (("#cfeafc", "#0b6fa8"), ("#0d3550", "#58b8ee")),
            Look::Ready => (("#fff1c2", "#a06a00"), ("#453300", "#e8b43a")),
            Look::Pending => (("#f3f4f6", "#6b7280"), ("#262b33", "#8b95a5")),
            Look::Blocked => (("#fddcd8", "#b42318"), ("#4a1a16", "#f2786d")),
            Look::Done => (("#d6f2dd", "#1a7f37"), ("#12361d", "#4fbf6d")),
            Look::Dropped => (("#ffffff", "#9aa1ab"), ("#171a20", "#6c7480")),
            Look::Unknown => (("#f1e6fb", "#7b3fb3"), ("#2f1f45", "#b78ae4")),
        };
        Colours { light, dark }
    }
}
