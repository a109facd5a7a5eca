//! The graph as one page that needs nothing else: the picture, and a script that moves, searches and explains it. Its
//! policy allows exactly our script and our style, by their digests, and nothing from anywhere; titles reach the script as
//! data, never as code, and the page as text, never as markup.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::drawing::{Drawing, Kind};
use super::layout::layout;
use super::look::Look;
use super::svg::{FONT, MARKERS, legend, picture, style, xml};

const SCRIPT: &str = include_str!("page.js");
const STYLE: &str = include_str!("page.css");

/// Draws a whole page.
pub(super) fn html(drawing: &Drawing) -> String {
    let layout = layout(drawing);
    let style = format!("{STYLE}{}", style());
    let counts: Vec<String> = Look::ALL
        .into_iter()
        .map(|look| {
            (
                look,
                drawing
                    .nodes
                    .iter()
                    .filter(|node| node.look == look)
                    .count(),
            )
        })
        .filter(|(_, count)| *count > 0)
        .map(|(look, count)| format!("{count} {}", look.word()))
        .collect();
    format!(
        r##"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'sha256-{script_digest}'; style-src 'sha256-{style_digest}'; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Task graph</title>
<style>{style}</style>
</head>
<body>
<header>
<h1>Task graph</h1>
<p class="counts">{count} tasks: {counts}</p>
<form role="search" id="search"><input id="words" type="search" placeholder="Search  ( / )" aria-label="Search tasks" autocomplete="off" spellcheck="false"><output id="found" aria-live="polite"></output></form>
<div class="buttons"><button id="out" title="Zoom out (-)" aria-label="Zoom out">−</button><output id="scale">100%</output><button id="in" title="Zoom in (+)" aria-label="Zoom in">+</button><button id="fit" title="Show all (0)">Fit</button></div>
</header>
<main>
<svg id="graph" xmlns="http://www.w3.org/2000/svg" font-family="{FONT}" role="application" aria-label="Task graph. Tab goes into it, arrow keys go from task to task, Enter shows details." tabindex="0">
{MARKERS}<g id="world" data-width="{width:.0}" data-height="{height:.0}">
{picture}</g>
</svg>
<aside id="details" aria-live="polite" hidden><button id="close" title="Close (Escape)" aria-label="Close">×</button><div id="detail"></div></aside>
</main>
<footer>
<svg class="key" viewBox="0 0 730 48" width="730" height="48" role="img" aria-label="Shapes and colours: ready, active, pending, blocked, done, dropped, unknown" font-family="{FONT}">{legend}</svg>
<p>Arrows lead from what comes first to what waits for it; dashed ones from a part to its parent. Heavy lines: the longest chain. Drag to move, wheel to zoom.</p>
</footer>
<script type="application/json" id="tasks">{data}</script>
<script>{SCRIPT}</script>
</body>
</html>
"##,
        script_digest = digest(SCRIPT),
        style_digest = digest(&style),
        count = drawing.nodes.len(),
        counts = xml(&counts.join(", ")),
        width = layout.width,
        height = layout.height,
        picture = picture(drawing, &layout),
        legend = legend(),
        data = data(drawing),
    )
}

fn digest(text: &str) -> String {
    BASE64_STANDARD.encode(Sha256::digest(text.as_bytes()))
}

/// What the details show, as JSON in which no sign is left that HTML could take for its own.
fn data(drawing: &Drawing) -> String {
    let mut needs: Vec<Vec<usize>> = vec![Vec::new(); drawing.nodes.len()];
    let mut unblocks: Vec<Vec<usize>> = vec![Vec::new(); drawing.nodes.len()];
    let mut parts: Vec<Vec<usize>> = vec![Vec::new(); drawing.nodes.len()];
    let mut parent: Vec<Option<usize>> = vec![None; drawing.nodes.len()];
    for arrow in &drawing.arrows {
        match arrow.kind {
            Kind::Need | Kind::Implied => {
                needs[arrow.then].push(arrow.first);
                unblocks[arrow.first].push(arrow.then);
            }
            Kind::Part => {
                parts[arrow.then].push(arrow.first);
                parent[arrow.first] = Some(arrow.then);
            }
        }
    }
    let tasks: Vec<Value> = drawing
        .nodes
        .iter()
        .enumerate()
        .map(|(at, node)| {
            json!({
                "id": node.id,
                "title": node.title,
                "status": node.look.word(),
                "owner": node.owner,
                "priority": node.priority,
                "milestone": node.milestone,
                "acceptance": node.acceptance,
                "progress": node.progress.map(|(done, total)| format!("{done} of {total} done")),
                "wave": node.wave,
                "critical": node.is_critical,
                "needs": needs[at],
                "unblocks": unblocks[at],
                "parts": parts[at],
                "parent": parent[at],
            })
        })
        .collect();
    let mut out = String::new();
    for c in Value::Array(tasks).to_string().chars() {
        match c {
            '<' | '>' | '&' | '\'' | '`' | '\u{2028}' | '\u{2029}' => {
                out.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => out.push(c),
        }
    }
    out
}
