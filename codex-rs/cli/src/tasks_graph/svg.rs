//! The graph as a picture: boxes whose outline, sign and colour each tell the status, arrows, a legend. The same picture
//! is what stands in the [`html`](super::html) page.

use std::fmt::Write;

use super::drawing::{Drawing, Kind};
use super::fit::cut;
use super::layout::{HIGH, Layout, WIDE, layout};
use super::look::Look;

const LEGEND: f64 = 44.0;

/// Draws a file of its own.
pub(super) fn svg(drawing: &Drawing) -> String {
    let layout = layout(drawing);
    let (width, height) = size(&layout);
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" \
         width=\"{width:.0}\" height=\"{height:.0}\" font-family=\"{FONT}\" role=\"img\">\n<title>Task graph: {} tasks</title>\n\
         <style>{}</style>\n{MARKERS}<rect class=\"ground\" width=\"100%\" height=\"100%\"/>\n{}{}</svg>\n",
        drawing.nodes.len(),
        style(),
        legend(),
        format_args!(
            "<g transform=\"translate(0 {LEGEND:.0})\">\n{}</g>\n",
            picture(drawing, &layout)
        ),
    )
}

pub(super) const FONT: &str = "system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif";

/// Arrow heads, for each kind of arrow its own; and where text in a box ends, whatever its font.
pub(super) const MARKERS: &str = "<defs><marker id=\"head\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerUnits=\"userSpaceOnUse\" markerWidth=\"10\" markerHeight=\"10\" \
orient=\"auto-start-reverse\"><path class=\"head\" d=\"M0 0L8 4L0 8z\"/></marker><marker id=\"head-part\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" \
markerUnits=\"userSpaceOnUse\" markerWidth=\"10\" markerHeight=\"10\" orient=\"auto-start-reverse\"><path class=\"head-part\" d=\"M1 1L7 4L1 7\"/></marker>\
<clipPath id=\"inside\"><rect x=\"30\" y=\"0\" width=\"178\" height=\"46\"/></clipPath></defs>\n";

fn size(layout: &Layout) -> (f64, f64) {
    (layout.width.max(740.0), layout.height + LEGEND)
}

/// Colours and lines, for light ground and for dark.
pub(super) fn style() -> String {
    let mut out = String::from(
        ".ground{fill:#ffffff}text{fill:#111827}.sub{fill:#4b5563}.way{fill:none;stroke:#7b8494;stroke-width:1.4}\
         .part{stroke-dasharray:5 4;stroke:#9aa3b2}.head{fill:#7b8494}.head-part{fill:none;stroke:#9aa3b2;stroke-width:1.4}\
         .box{stroke-width:1.6}.pending .box,.unknown .box{stroke-dasharray:6 3}.dropped .box{stroke-dasharray:2 3}.dropped .name{text-decoration:line-through}\
         .critical .box{stroke-width:3.2}.way.critical{stroke-width:2.6;stroke:#374151}",
    );
    let mut dark = String::from(
        ".ground{fill:#14171c}text{fill:#f3f4f6}.sub{fill:#b6bdc9}.way{stroke:#7d8798}.part{stroke:#616b7b}.head{fill:#7d8798}\
         .head-part{stroke:#616b7b}.way.critical{stroke:#d1d5db}",
    );
    for look in Look::ALL {
        let colours = look.colours();
        for (out, (fill, border)) in [(&mut out, colours.light), (&mut dark, colours.dark)] {
            let word = look.word();
            let _ = write!(
                out,
                ".{word} .box{{fill:{fill};stroke:{border}}}.{word} .sign{{stroke:{border};fill:none;stroke-width:2}}.{word} .dot{{fill:{border};stroke:none}}"
            );
        }
    }
    format!("{out}@media (prefers-color-scheme:dark){{{dark}}}")
}

/// The arrows and the boxes.
pub(super) fn picture(drawing: &Drawing, layout: &Layout) -> String {
    let mut out = String::new();
    for (arrow, way) in drawing.drawn().zip(&layout.ways) {
        let (class, head) = match arrow.kind {
            Kind::Need | Kind::Implied => ("way", "head"),
            Kind::Part => ("way part", "head-part"),
        };
        let _ = writeln!(
            out,
            "<path class=\"{class}{}\" data-first=\"{}\" data-then=\"{}\" marker-end=\"url(#{head})\" d=\"{}\"/>",
            if arrow.is_critical { " critical" } else { "" },
            arrow.first,
            arrow.then,
            curve(way)
        );
    }
    for (at, node) in drawing.nodes.iter().enumerate() {
        let (x, y) = layout.boxes[at];
        let _ = writeln!(
            out,
            "<g class=\"task {}{}\" data-at=\"{at}\" transform=\"translate({x:.1} {y:.1})\"><title>{}\n{}</title>{}{}\
             <text class=\"name\" clip-path=\"url(#inside)\" x=\"34\" y=\"20\" font-size=\"13\">{}</text><text class=\"sub\" clip-path=\"url(#inside)\" x=\"34\" y=\"36\" font-size=\"10.5\">{}</text></g>",
            node.look.word(),
            if node.is_critical { " critical" } else { "" },
            xml(&node.title),
            xml(&node.subtitle()),
            outline(node.look, WIDE, HIGH),
            sign(node.look),
            xml(&cut(&node.title, 25, false)),
            xml(&cut(&node.subtitle(), 33, false)),
        );
    }
    out
}

/// From left to right, level where a box would be passed.
fn curve(way: &[(f64, f64)]) -> String {
    let mut out = String::new();
    let mut last: Option<(f64, f64)> = None;
    for (x, y) in way {
        match last {
            None => {
                let _ = write!(out, "M{x:.1} {y:.1}");
            }
            Some((_, before)) if (before - y).abs() < 0.5 => {
                let _ = write!(out, "L{x:.1} {y:.1}");
            }
            Some((from, before)) => {
                let bow = (x - from) / 2.0;
                let _ = write!(
                    out,
                    "C{:.1} {before:.1} {:.1} {y:.1} {x:.1} {y:.1}",
                    from + bow,
                    x - bow
                );
            }
        }
        last = Some((*x, *y));
    }
    out
}

/// The shape that tells a status without its colour.
fn outline(look: Look, wide: f64, high: f64) -> String {
    let rect = |inset: f64, round: f64| {
        format!(
            "<rect class=\"box\" x=\"{inset}\" y=\"{inset}\" width=\"{}\" height=\"{}\" rx=\"{round}\"/>",
            wide - 2.0 * inset,
            high - 2.0 * inset
        )
    };
    let polygon = |points: &[(f64, f64)]| {
        let points: Vec<String> = points.iter().map(|(x, y)| format!("{x},{y}")).collect();
        format!("<polygon class=\"box\" points=\"{}\"/>", points.join(" "))
    };
    match look {
        Look::Ready => rect(0.0, 8.0),
        Look::Active => rect(0.0, high / 2.0),
        Look::Pending => rect(0.0, 0.0),
        Look::Blocked => polygon(&[
            (12.0, 0.0),
            (wide - 12.0, 0.0),
            (wide, 12.0),
            (wide, high - 12.0),
            (wide - 12.0, high),
            (12.0, high),
            (0.0, high - 12.0),
            (0.0, 12.0),
        ]),
        Look::Done => rect(0.0, 3.0) + &rect(3.5, 1.0),
        Look::Dropped => polygon(&[(10.0, 0.0), (wide, 0.0), (wide - 10.0, high), (0.0, high)]),
        Look::Unknown => polygon(&[
            (12.0, 0.0),
            (wide - 12.0, 0.0),
            (wide, high / 2.0),
            (wide - 12.0, high),
            (12.0, high),
            (0.0, high / 2.0),
        ]),
    }
}

/// The sign in a box: an open circle, a half one, a dotted one, a bar, a tick, a cross, a question mark.
fn sign(look: Look) -> &'static str {
    match look {
        Look::Ready => "<circle class=\"sign\" cx=\"20\" cy=\"23\" r=\"6\"/>",
        Look::Active => {
            "<circle class=\"sign\" cx=\"20\" cy=\"23\" r=\"6\"/><path class=\"dot\" d=\"M20 17a6 6 0 0 1 0 12z\"/>"
        }
        Look::Pending => {
            "<circle class=\"sign\" cx=\"20\" cy=\"23\" r=\"6\" stroke-dasharray=\"2 2.7\"/>"
        }
        Look::Blocked => {
            "<circle class=\"sign\" cx=\"20\" cy=\"23\" r=\"7\"/><path class=\"sign\" d=\"M16 23h8\"/>"
        }
        Look::Done => "<path class=\"sign\" d=\"M14 23l4.5 5L27 18\"/>",
        Look::Dropped => "<path class=\"sign\" d=\"M15 18l10 10M25 18l-10 10\"/>",
        Look::Unknown => {
            "<path class=\"sign\" d=\"M16.5 19.5a3.7 3.7 0 1 1 4.6 3.6c-.8.3-1.1.8-1.1 1.7v1\"/><circle class=\"dot\" cx=\"20\" cy=\"29\" r=\"1.3\"/>"
        }
    }
}

/// What the shapes and lines mean.
pub(super) fn legend() -> String {
    let mut out = String::from("<g class=\"legend\" font-size=\"11\">\n");
    for (n, look) in Look::ALL.into_iter().enumerate() {
        let x = 20.0 + n as f64 * 100.0;
        let _ = writeln!(
            out,
            "<g class=\"{}\" transform=\"translate({x} 10)\">{}<g transform=\"translate(-6 -9)\">{}</g><text x=\"27\" y=\"18\">{}</text></g>",
            look.word(),
            outline(look, 90.0, 28.0),
            sign(look),
            look.word()
        );
    }
    out.push_str("</g>\n");
    out
}

/// Escapes a text for XML and HTML, and leaves out what XML can't hold.
pub(super) fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\u{fffe}' | '\u{ffff}' => {}
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
