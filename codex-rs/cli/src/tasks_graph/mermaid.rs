//! The graph for Mermaid, as forges draw it in markdown.

use super::drawing::{Drawing, Kind, Node};
use super::look::Look;

/// Draws; see <https://mermaid.js.org/syntax/flowchart.html>.
pub(super) fn mermaid(drawing: &Drawing) -> String {
    let mut out = String::from("flowchart LR\n");
    for (at, node) in drawing.nodes.iter().enumerate() {
        let (open, close) = shape(node);
        out.push_str(&format!(
            "  t{at}{open}\"{}<br>{}\"{close}:::{}\n",
            escaped(&node.title),
            escaped(&node.subtitle()),
            node.look.word()
        ));
    }
    for arrow in drawing.drawn() {
        let line = match arrow.kind {
            Kind::Need | Kind::Implied => "-->",
            Kind::Part => "-.->",
        };
        out.push_str(&format!("  t{} {line} t{}\n", arrow.first, arrow.then));
    }
    for look in Look::ALL {
        let (fill, border) = look.colours().light;
        let dashes = match look {
            Look::Pending | Look::Unknown => ",stroke-dasharray:5 3",
            Look::Dropped => ",stroke-dasharray:2 3",
            Look::Ready | Look::Active | Look::Blocked | Look::Done => "",
        };
        out.push_str(&format!(
            "  classDef {} fill:{fill},stroke:{border},color:#111827{dashes}\n",
            look.word()
        ));
    }
    let critical: Vec<String> = (0..drawing.nodes.len())
        .filter(|at| drawing.nodes[*at].is_critical)
        .map(|at| format!("t{at}"))
        .collect();
    if !critical.is_empty() {
        out.push_str("  classDef critical stroke-width:3px\n");
        out.push_str(&format!("  class {} critical\n", critical.join(",")));
    }
    out
}

fn shape(node: &Node) -> (&'static str, &'static str) {
    match node.look {
        Look::Ready => ("(", ")"),
        Look::Active => ("([", "])"),
        Look::Pending => ("[", "]"),
        Look::Blocked => ("{{", "}}"),
        Look::Done => ("[[", "]]"),
        Look::Dropped => ("[/", "/]"),
        Look::Unknown => ("{", "}"),
    }
}

/// Letters, digits and a few harmless signs stand as they are; all others of ASCII as Mermaid's own entities, so that
/// neither Mermaid, nor the HTML it makes, nor a markdown fence around it, reads them.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | ' ' | '.' | ',' | '/' => out.push(c),
            c if c.is_ascii_control() => out.push(' '),
            c if c.is_ascii() => out.push_str(&format!("#{};", u32::from(c))),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
