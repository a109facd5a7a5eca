//! Dot, mermaid, svg and html: well formed, complete, and the same whatever the titles say.

use std::cell::RefCell;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use html5ever::tokenizer::states::RawKind;
use html5ever::tokenizer::{
    BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer,
};
use orch_core::judge::{Here, Reachable};
use orch_protocol::ids::CommitId;
use orch_protocol::task::ClaimState;
use orch_protocol::text::one_line;
use sha2::{Digest, Sha256};

use super::given::*;
use crate::tasks_graph::drawing::{Choice, Drawing};
use crate::tasks_graph::{Format, Pen, draw};

const PEN: Pen = Pen {
    width: 80,
    colour: false,
    ascii: false,
};

fn drawn(drawing: &Drawing, format: Format) -> String {
    draw(drawing, format, &PEN)
}

fn hostile() -> Drawing {
    drawing(&titled(&HOSTILE), &ALL)
}

/// As many characters and columns as the hostile ones, and harmless.
fn harmless() -> Drawing {
    drawing(&titled(&["A harmless title of a task"]), &ALL)
}

/// A text without what stands in quotes; `\` keeps a quote from ending them where that is so.
fn unquoted(text: &str, escapes: bool) -> String {
    let mut out = String::new();
    let mut inside = false;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' if inside && escapes => {
                chars.next();
            }
            '"' => inside = !inside,
            c if !inside => out.push(c),
            _ => {}
        }
    }
    assert!(!inside, "a quote is left open");
    out
}

#[test]
fn dot_and_mermaid_stay_the_same_outside_of_quotes() {
    for (format, escapes) in [(Format::Dot, true), (Format::Mermaid, false)] {
        let (bad, good) = (drawn(&hostile(), format), drawn(&harmless(), format));
        assert_eq!(unquoted(&bad, escapes), unquoted(&good, escapes));
    }
    let mermaid = drawn(&hostile(), Format::Mermaid);
    let labels = regex::Regex::new("\"([^\"]*)\"").unwrap();
    for label in labels.captures_iter(&mermaid) {
        let inside = label[1].replacen("<br>", "", 1);
        let odd = |c: char| c.is_ascii() && !c.is_ascii_alphanumeric() && !" .,/#;".contains(c);
        assert!(!inside.contains(odd), "{inside}");
    }
    assert!(!mermaid.contains('`'), "a fence in markdown isn't ended");
}

#[test]
fn dot_and_mermaid_tell_status_by_shape_and_draw_every_arrow() {
    let picture = drawing(&backlog(), &ALL);
    let dot = drawn(&picture, Format::Dot);
    assert!(dot.starts_with("digraph tasks {\n"));
    let line = |text: &str, title: &str| -> String {
        let found = text.lines().find(|line| line.contains(title));
        found.unwrap().to_owned()
    };
    assert!(line(&dot, "Get the licence").contains("shape=octagon"));
    assert!(line(&dot, "Generate a big file").contains("peripheries=2"));
    assert!(line(&dot, "Write the parser").contains("shape=ellipse"));
    let mermaid = drawn(&picture, Format::Mermaid);
    assert!(mermaid.starts_with("flowchart LR\n"));
    assert!(line(&mermaid, "Get the licence").contains("{{\""));
    assert!(line(&mermaid, "Write the parser").ends_with("\"]):::active"));
    for (text, arrow) in [(&dot, " -> "), (&mermaid, "> t")] {
        let arrows = text.lines().filter(|line| line.contains(arrow)).count();
        assert_eq!(arrows, 8 + 1 + 4, "needs, the need that follows, parts");
    }
}

#[test]
fn what_git_cannot_tell_is_drawn_as_unknown() {
    let lost = CommitId::new("a".repeat(40));
    let mut told = said(ClaimState::Done, task(1, "Done, perhaps", &[]));
    told.claims[0].commits = vec![lost.clone()];
    let here = Here {
        reachable: Reachable::default().with_unknown([lost]),
        ..Here::default()
    };
    let drawing = drawn_from(&here, &[told], &Choice::default());
    for (format, as_what) in [
        (Format::Graph, "? "),
        (Format::Tree, "? "),
        (Format::Dot, "shape=hexagon"),
        (Format::Mermaid, ":::unknown"),
        (Format::Svg, "class=\"task unknown"),
        (Format::Html, "1 unknown"),
    ] {
        let text = drawn(&drawing, format);
        assert!(text.contains(as_what), "{text}");
    }
}

#[test]
fn an_svg_is_well_formed_and_says_every_title_whole() {
    for picture in [drawing(&backlog(), &ALL), hostile(), Drawing::default()] {
        let text = drawn(&picture, Format::Svg);
        let svg = roxmltree::Document::parse(&text).unwrap();
        let tasks: Vec<_> = svg
            .descendants()
            .filter(|node| node.attribute("data-at").is_some())
            .collect();
        assert_eq!(tasks.len(), picture.nodes.len());
        for (node, task) in picture.nodes.iter().zip(tasks) {
            let title = task
                .descendants()
                .find(|node| node.has_tag_name(("http://www.w3.org/2000/svg", "title")));
            let title = title.unwrap().text().unwrap().to_owned();
            assert_eq!(
                title,
                format!("{}\n{}", node.title, node.subtitle()).replace('\u{fffe}', "")
            );
        }
        let arrows = svg
            .descendants()
            .filter(|node| node.attribute("data-first").is_some());
        assert_eq!(arrows.count(), picture.drawn().count());
    }
    let names = |picture: &Drawing| -> Vec<String> {
        let text = drawn(picture, Format::Svg);
        let svg = roxmltree::Document::parse(&text).unwrap();
        let elements = svg.descendants().filter(roxmltree::Node::is_element);
        elements
            .map(|node| node.tag_name().name().to_owned())
            .collect()
    };
    assert_eq!(names(&hostile()), names(&harmless()));
}

/// What a browser would see: tags with the names of their attributes, and the text in each script.
#[derive(Default)]
struct Seen {
    tags: RefCell<Vec<String>>,
    attributes: RefCell<Vec<(String, String)>>,
    raw: RefCell<Vec<String>>,
    in_raw: RefCell<bool>,
}

impl TokenSink for Seen {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        match token {
            Token::TagToken(Tag {
                kind, name, attrs, ..
            }) => {
                let names: Vec<String> = attrs.iter().map(|a| a.name.local.to_string()).collect();
                let values = attrs
                    .iter()
                    .map(|a| (a.name.local.to_string(), a.value.to_string()));
                self.attributes.borrow_mut().extend(values);
                self.tags
                    .borrow_mut()
                    .push(format!("{kind:?} {name} {names:?}"));
                let raw = kind == TagKind::StartTag && (&*name == "script" || &*name == "style");
                *self.in_raw.borrow_mut() = raw;
                if raw {
                    self.raw.borrow_mut().push(String::new());
                    return TokenSinkResult::RawData(match &*name {
                        "script" => RawKind::ScriptData,
                        _ => RawKind::Rawtext,
                    });
                }
            }
            Token::CharacterTokens(text) if *self.in_raw.borrow() => {
                self.raw.borrow_mut().last_mut().unwrap().push_str(&text);
            }
            Token::CommentToken(text) => self.tags.borrow_mut().push(format!("comment {text}")),
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

fn seen(page: &str) -> Seen {
    let input = BufferQueue::default();
    input.push_back(page.into());
    let tokenizer = Tokenizer::new(Seen::default(), Default::default());
    let _ = tokenizer.feed(&input);
    assert!(input.is_empty());
    tokenizer.end();
    tokenizer.sink
}

#[test]
fn a_page_is_the_same_page_whatever_the_titles_say() {
    let (bad, good) = (hostile(), harmless());
    let (bad_page, good_page) = (
        seen(&drawn(&bad, Format::Html)),
        seen(&drawn(&good, Format::Html)),
    );
    assert_eq!(bad_page.tags, good_page.tags);
    // Style, data, script: only the data differs, and it holds the titles as they are.
    let (bad_raw, good_raw) = (bad_page.raw.borrow(), good_page.raw.borrow());
    assert_eq!(bad_raw.len(), 3);
    assert_eq!((&bad_raw[0], &bad_raw[2]), (&good_raw[0], &good_raw[2]));
    let data: serde_json::Value = serde_json::from_str(&bad_raw[1]).unwrap();
    for (task, title) in data
        .as_array()
        .unwrap()
        .iter()
        .zip(bad.nodes.iter().map(|node| &node.title))
    {
        assert_eq!(task["title"].as_str(), Some(title.as_str()));
    }
    assert!(
        bad.nodes
            .iter()
            .any(|node| node.title == one_line(HOSTILE[0], 200))
    );
    assert!(!bad_raw[1].contains(['<', '>', '&', '\'', '`']));
}

#[test]
fn a_page_allows_its_own_script_and_nothing_else() {
    let text = drawn(&drawing(&backlog(), &ALL), Format::Html);
    let page = seen(&text);
    let raw = page.raw.borrow();
    let digest = |text: &str| BASE64_STANDARD.encode(Sha256::digest(text.as_bytes()));
    let attributes = page.attributes.borrow();
    let policy = attributes
        .iter()
        .find(|(_, value)| value.starts_with("default-src"));
    let (style, script) = (digest(&raw[0]), digest(&raw[2]));
    assert_eq!(
        policy.unwrap().1,
        format!(
            "default-src 'none'; script-src 'sha256-{script}'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'"
        )
    );
    for (name, value) in attributes.iter() {
        assert!(
            !name.starts_with("on") && name != "style" && name != "src" && name != "href",
            "{name}"
        );
        assert!(!value.contains("//") || name == "xmlns", "{name}={value}");
    }
    let risky = [
        "innerHTML",
        "outerHTML",
        "insertAdjacent",
        "document.write",
        "eval(",
        "fetch(",
        "import(",
    ];
    assert!(risky.iter().all(|word| !raw[2].contains(word)));
}

#[test]
fn a_page_lists_needs_that_arent_drawn() {
    let reduced = crate::tasks_graph::drawing::Choice {
        reduce: true,
        ..ALL
    };
    let picture = drawing(&backlog(), &reduced);
    assert_eq!(
        picture.drawn().count(),
        12,
        "what follows from others isn't drawn"
    );
    let page = seen(&drawn(&picture, Format::Html));
    let data: serde_json::Value = serde_json::from_str(&page.raw.borrow()[1]).unwrap();
    let task = data
        .as_array()
        .unwrap()
        .iter()
        .find(|task| task["id"] == "t04")
        .unwrap();
    assert_eq!(task["needs"].as_array().unwrap().len(), 2);
    assert_eq!(task["critical"], true);
}
