//! A turn in the TUI.

use serde_json::json;

use crate::screen::Screen;
use crate::world::World;

#[test]
fn look() {
    let world = World::new(json!([{"steps": [{"say": "Hello back."}]}]));
    let screen = Screen::start(&world, &[]);
    screen.until_empty();
    eprintln!("{}", screen.text());
    screen.submit("Hello you").until("Hello back.");
    eprintln!("{}", screen.text());
    screen.type_text("/stat").until("/status");
    eprintln!("{}", screen.text());
    screen.key(crate::screen::Key::Enter).until_empty();
    eprintln!("{}", screen.text());
    eprintln!("{:?}", screen.quit());
    eprintln!("{}", screen.text());
}
