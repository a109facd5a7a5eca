//! The outline of a markdown document: its headings and the items of its lists. pulldown-cmark is fenced here; what an item
//! or a heading stands for is decided elsewhere.

use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};

/// What of a document matters here. Items and headings stand in its order, those above before those below.
#[derive(Debug, Default)]
pub(super) struct Outline {
    pub(super) items: Vec<Item>,
    pub(super) headings: Vec<Heading>,
    /// Paragraphs outside of lists.
    pub(super) other: usize,
}

#[derive(Debug)]
pub(super) struct Item {
    pub(super) line: usize,
    pub(super) checked: Option<bool>,
    pub(super) title: String,
    /// What follows the first paragraph.
    pub(super) words: String,
    pub(super) above: Option<usize>,
    pub(super) heading: Option<usize>,
}

#[derive(Debug)]
pub(super) struct Heading {
    pub(super) line: usize,
    pub(super) level: HeadingLevel,
    pub(super) text: String,
    pub(super) above: Option<usize>,
}

/// Reads a document.
pub(super) fn outline(text: &str) -> Outline {
    let mut outline = Outline::default();
    // The items that are open, each with: its title is complete.
    let mut open: Vec<(usize, bool)> = Vec::new();
    let mut in_heading = false;
    let mut links: Vec<(String, String)> = Vec::new();
    let (mut line, mut counted) = (1, 0);
    for (event, range) in Parser::new_ext(text, Options::ENABLE_TASKLISTS).into_offset_iter() {
        match event {
            Event::Start(Tag::Heading { level, .. }) => {
                line += newlines(text, &mut counted, range.start);
                let mut above = outline.headings.len().checked_sub(1);
                while let Some(heading) = above.and_then(|at| outline.headings.get(at)) {
                    if heading.level < level {
                        break;
                    }
                    above = heading.above;
                }
                outline.headings.push(Heading {
                    line,
                    level,
                    text: String::new(),
                    above,
                });
                in_heading = true;
            }
            Event::End(TagEnd::Heading(_)) => in_heading = false,
            Event::Start(Tag::Item) => {
                line += newlines(text, &mut counted, range.start);
                if let Some((_, complete)) = open.last_mut() {
                    *complete = true;
                }
                outline.items.push(Item {
                    line,
                    checked: None,
                    title: String::new(),
                    words: String::new(),
                    above: open.last().map(|(at, _)| *at),
                    heading: outline.headings.len().checked_sub(1),
                });
                open.push((outline.items.len() - 1, false));
            }
            Event::End(TagEnd::Item) => {
                open.pop();
            }
            Event::TaskListMarker(checked) => {
                if let Some(item) = open.last().and_then(|(at, _)| outline.items.get_mut(*at)) {
                    item.checked = Some(checked);
                }
            }
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                links.push((dest_url.into_string(), String::new()));
            }
            Event::End(TagEnd::Link | TagEnd::Image) => {
                if let Some((to, shown)) = links.pop()
                    && to != shown
                    && !to.is_empty()
                {
                    add(&mut outline, &open, in_heading, &format!(" ({to})"));
                }
            }
            Event::End(TagEnd::Paragraph | TagEnd::CodeBlock) => match open.last_mut() {
                None => outline.other += 1,
                Some((at, complete)) => {
                    if let Some(item) = outline.items.get_mut(*at).filter(|_| *complete) {
                        item.words.push('\n');
                    }
                    *complete = true;
                }
            },
            Event::Text(piece) => {
                if let Some((_, shown)) = links.last_mut() {
                    shown.push_str(&piece);
                }
                add(&mut outline, &open, in_heading, &piece);
            }
            Event::Code(piece) => add(&mut outline, &open, in_heading, &format!("`{piece}`")),
            Event::InlineHtml(piece) | Event::Html(piece) => {
                add(&mut outline, &open, in_heading, &piece)
            }
            Event::SoftBreak | Event::HardBreak => add(&mut outline, &open, in_heading, "\n"),
            // Emphasis, quotes, tables and the rest: their words come as texts.
            _ => {}
        }
    }
    outline
}

fn add(outline: &mut Outline, open: &[(usize, bool)], in_heading: bool, piece: &str) {
    if in_heading {
        if let Some(heading) = outline.headings.last_mut() {
            heading.text.push_str(piece);
        }
    } else if let Some((at, complete)) = open.last()
        && let Some(item) = outline.items.get_mut(*at)
    {
        match complete {
            true => item.words.push_str(piece),
            false => item.title.push_str(piece),
        }
    }
}

fn newlines(text: &str, counted: &mut usize, to: usize) -> usize {
    let between = text.as_bytes().get(*counted..to).unwrap_or_default();
    *counted = to.max(*counted);
    between.iter().filter(|byte| **byte == b'\n').count()
}
