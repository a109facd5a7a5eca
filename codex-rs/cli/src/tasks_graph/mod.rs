//! Pictures of the task graph: for a terminal (a tree, a graph), for other tools (dot, mermaid), for people (svg, html).
//! Everything here turns a [`Drawing`] into text. It prints nothing, reads no argument and judges no task.
//!
//! Arrows go the way the work goes: from a need to what waits for it, from a part to its parent.

mod dot;
mod drawing;
mod fit;
mod html;
mod lanes;
mod layout;
mod look;
mod mermaid;
mod place;
mod svg;
mod tree;

#[cfg(test)]
mod tests;

pub(crate) use drawing::{Choice, Drawing};

/// What a drawing becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// A forest of parents and parts, for the terminal
    Tree,
    /// Waves of tasks with lines from needs to what waits, for the terminal
    Graph,
    /// Graphviz
    Dot,
    /// Mermaid, as in markdown on many forges
    Mermaid,
    /// A picture
    Svg,
    /// One page to open in a browser: zoom, search, details
    Html,
}

/// How a drawing is put on a terminal; the other formats don't ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pen {
    /// Columns; below 40 counts as 40.
    pub(crate) width: usize,
    /// Escape sequences for colours may be used.
    pub(crate) colour: bool,
    /// Lines and symbols of ASCII alone. Titles stay as they are.
    pub(crate) ascii: bool,
}

/// Draws; the text ends with a line feed.
pub(crate) fn draw(drawing: &Drawing, format: Format, pen: &Pen) -> String {
    match format {
        Format::Tree => tree::tree(drawing, pen),
        Format::Graph => lanes::graph(drawing, pen),
        Format::Dot => dot::dot(drawing),
        Format::Mermaid => mermaid::mermaid(drawing),
        Format::Svg => svg::svg(drawing),
        Format::Html => html::html(drawing),
    }
}
