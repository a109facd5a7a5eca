//! What is known of words beforehand: which carry nothing, which mean the same, which mean the opposite. Tables only;
//! how they are used stands in `words.rs` and `matching.rs`. English, because plans mostly are; other languages are
//! compared by their bare words.

use std::collections::HashMap;
use std::sync::LazyLock;

/// Kinds of work that a step's leading verb may name, one bit each.
pub(crate) mod act {
    pub(crate) const INSPECT: u8 = 1;
    pub(crate) const DESIGN: u8 = 2;
    pub(crate) const BUILD: u8 = 4;
    pub(crate) const FIX: u8 = 8;
    pub(crate) const REMOVE: u8 = 16;
    pub(crate) const VERIFY: u8 = 32;
    pub(crate) const TELL: u8 = 64;
    pub(crate) const SHIP: u8 = 128;
}

const VERBS: &[(u8, &str)] = &[
    (
        act::INSPECT,
        "review read inspect analyze analyse examine investigate explore study understand look locate find survey map \
         identify trace research discover scan browse learn gather collect diagnose reproduce profile familiarize",
    ),
    (act::INSPECT | act::VERIFY, "check audit confirm measure"),
    (
        act::DESIGN,
        "plan design outline decide propose sketch choose define specify formulate",
    ),
    (act::DESIGN | act::BUILD | act::TELL, "draft prepare"),
    (
        act::BUILD,
        "add create implement build introduce develop make extend wire connect integrate hook update change modify \
         refactor rename move adjust edit convert replace migrate rework restructure extract split configure expose \
         generate apply upgrade bump install improve optimize support enable port setup scaffold bootstrap init \
         initialize complete finish patch rewrite tweak switch register plug code append insert reorganize simplify \
         polish harden speed",
    ),
    (act::BUILD | act::TELL, "write"),
    (act::BUILD | act::SHIP, "open"),
    (act::BUILD | act::VERIFY, "test cover validate"),
    (
        act::BUILD | act::FIX,
        "handle address guard prevent stabilize",
    ),
    (act::FIX, "fix repair resolve correct debug solve"),
    (
        act::REMOVE,
        "remove delete drop eliminate strip uninstall purge clean cleanup disable",
    ),
    (
        act::VERIFY,
        "verify run rerun ensure execute prove assert exercise",
    ),
    (
        act::TELL,
        "document summarize summarise report describe explain note record present recap",
    ),
    (
        act::SHIP,
        "commit push deploy release publish merge tag ship",
    ),
];

const STOP: &str = "a an the and or of to in on at for from with without into onto by as is are be been being it its this that these \
    those then than so such any all each every both also only just now still not no up out off over under per via when \
    where which who what how why if while once based using use used during through between against within about around \
    our my your their we i you they them let lets should will would can could may might must need needs do does did \
    after before etc e g s";

/// Words that say little about which step it is.
const WEAK: &str = "code logic module file implementation support change new existing relevant current necessary requested feature \
    functionality appropriate proper properly correct correctly work working remaining required additional full whole \
    entire project codebase repo thing stuff part piece area issue problem task step item basic simple main actual \
    various needed final initial small minimal related everything result behavior behaviour detail approach way cause \
    root key clear clean edge case class function method suite path pass green again end";

const SAME: &[&str] = &[
    "config configuration configure setting settings",
    "doc docs documentation document documents",
    "db database",
    "auth authentication authenticate login signin",
    "dep deps dependency dependencies",
    "repo repository codebase project",
    "func function functions fn",
    "param parameter parameters arg args argument arguments option",
    "msg message messages",
    "err error errors",
    "impl implementation",
    "spec specification specs",
    "test tests coverage testcase testcases",
    "failing broken failed failure failures",
    "bug defect issue problem",
    "req requirement requirements",
    "lint linter clippy",
    "ui interface",
    "cmd command commands",
    "dir directory folder directories folders",
    "env environment",
    "perf performance",
    "validation validate validating validator",
    "e2e end2end",
    "ci pipeline",
    "endpoint endpoints route routes",
    "change edit modification",
    "crash panic",
    "rerun run execute",
    "add create implement introduce",
    "inspect examine review read analyze analyse",
    "remove delete drop",
    "fix repair resolve correct",
    "wire connect hook integrate",
    "verify validate confirm ensure check",
    "update modify adjust",
    "refactor restructure reorganize",
    "summarize summarise recap report",
    "write draft",
    "dashboard overview",
    "helper utility util utilities helpers",
    "typecheck typechecking",
];

/// One side without the other against the other without the one: not the same work.
const OPPOSITE: &[(&str, &str)] = &[
    (
        "add create implement introduce enable install insert append",
        "remove delete drop disable uninstall purge eliminate strip",
    ),
    ("start open", "stop close"),
    ("upgrade", "downgrade"),
    ("increase raise", "decrease lower reduce"),
    ("show display", "hide"),
    ("encode", "decode"),
    ("read", "write"),
    ("parse deserialize", "serialize format"),
    ("import", "export"),
    ("push upload", "pull download"),
    ("lock", "unlock"),
    ("encrypt", "decrypt"),
    ("allow", "deny forbid block"),
    ("client", "server"),
    ("frontend", "backend"),
    ("input", "output"),
    ("request", "response"),
    ("unit", "integration"),
    ("get", "set"),
    ("min minimum", "max maximum"),
    ("success", "failure"),
    ("source", "target"),
    ("up", "down"),
    ("staging", "production"),
    ("dev", "prod"),
    ("lexer", "parser"),
    ("mobile", "desktop"),
    ("linux", "windows"),
    ("compress", "decompress"),
    ("public", "private"),
    ("compile build", "run execute"),
    ("login signin", "logout signout"),
];

const NUMBERS: &[&str] = &[
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
];
const ORDINALS: &[&str] = &[
    "zeroth", "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth",
    "tenth",
];

fn listed(list: &str, word: &str) -> bool {
    list.split_ascii_whitespace().any(|known| known == word)
}

/// What the tables say of one word.
#[derive(Debug, Clone, Copy, Default)]
struct Entry {
    acts: u8,
    is_stop: bool,
    is_weak: bool,
    same_as: Option<&'static str>,
}

/// The tables by word: every task of a large backlog is looked up in them.
static ENTRIES: LazyLock<HashMap<&'static str, Entry>> = LazyLock::new(|| {
    let mut entries: HashMap<&'static str, Entry> = HashMap::new();
    for (acts, list) in VERBS {
        for word in list.split_ascii_whitespace() {
            entries.entry(word).or_default().acts |= acts;
        }
    }
    for word in STOP.split_ascii_whitespace() {
        entries.entry(word).or_default().is_stop = true;
    }
    for word in WEAK.split_ascii_whitespace() {
        entries.entry(word).or_default().is_weak = true;
    }
    for group in SAME {
        let first = group.split_ascii_whitespace().next();
        for word in group.split_ascii_whitespace() {
            let entry = entries.entry(word).or_default();
            entry.same_as = entry.same_as.or(first);
        }
    }
    entries
});

fn entry(word: &str) -> Entry {
    ENTRIES.get(word).copied().unwrap_or_default()
}

/// What kinds of work a verb names; 0 for a word that isn't known as one.
pub(crate) fn acts(word: &str) -> u8 {
    entry(word).acts
}

/// The word carries nothing.
pub(crate) fn is_stop(word: &str) -> bool {
    entry(word).is_stop
}

/// The word carries little; asked of the word and of its stem.
pub(crate) fn is_weak(word: &str) -> bool {
    entry(word).is_weak
}

/// The first word of the group of words that mean the same as `word`, if there is one.
pub(crate) fn same_as(word: &str) -> Option<&'static str> {
    entry(word).same_as
}

/// Two words that turn a step into its opposite.
pub(crate) fn opposed(a: &str, b: &str) -> bool {
    OPPOSITE
        .iter()
        .any(|(x, y)| (listed(x, a) && listed(y, b)) || (listed(y, a) && listed(x, b)))
}

/// The number a word spells.
pub(crate) fn number(word: &str) -> Option<usize> {
    NUMBERS
        .iter()
        .chain(ORDINALS)
        .position(|known| *known == word)
        .map(|at| at % NUMBERS.len())
}
