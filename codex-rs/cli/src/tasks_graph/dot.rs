//! The graph for Graphviz.

use super::drawing::{Drawing, Kind, Node};
use super::look::Look;

/// Draws; see <https://graphviz.org/doc/info/lang.html>.
pub(super) fn dot(drawing: &Drawing) -> String {
    let mut out = String::from(
        "digraph tasks {\n  rankdir=LR;\n  node [fontname=\"sans-serif\", fontsize=11];\n  edge [color=\"#6b7280\"];\n",
    );
    for (at, node) in drawing.nodes.iter().enumerate() {
        let (fill, border) = node.look.colours().light;
        let wide = if node.is_critical {
            ", penwidth=2.5"
        } else {
            ""
        };
        out.push_str(&format!(
            "  t{at} [label=\"{}\\n{}\", tooltip=\"{}\", {}, fillcolor=\"{fill}\", color=\"{border}\"{wide}];\n",
            escaped(&node.title),
            escaped(&node.subtitle()),
            escaped(&node.title),
            shape(node),
        ));
    }
    for arrow in drawing.drawn() {
        let style = match arrow.kind {
            Kind::Need | Kind::Implied => "",
            Kind::Part => " [style=dashed, arrowhead=empty]",
        };
        out.push_str(&format!("  t{} -> t{}{style};\n", arrow.first, arrow.then));
    }
    out.push_str("}\n");
    out
}

fn shape(node: &Node) -> &'static str {
    match node.look {
        Look::Ready => "shape=box, style=\"rounded,filled\"",
        Look::Active => "shape=ellipse, style=filled",
        Look::Pending => "shape=box, style=\"dashed,filled\"",
        Look::Blocked => "shape=octagon, style=filled",
        Look::Done => "shape=box, peripheries=2, style=filled",
        Look::Dropped => "shape=parallelogram, style=\"dotted,filled\"",
        Look::Unknown => "shape=hexagon, style=\"dashed,filled\"",
    }
}

/// Quoted strings end at a quote; Graphviz reads HTML entities in them, too.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '&' => out.push_str("&amp;"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
