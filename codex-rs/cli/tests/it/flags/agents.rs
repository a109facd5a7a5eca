//! The agent command center: `codex-orch agents`.

use super::setting;
use crate::screen::Screen;
use crate::world::World;

#[test]
fn the_command_center_opens_with_any_of_its_flags() {
    for flags in [
        &[][..],
        &["--no-daemon"],
        // A server whose features differ is refused by it.
        &["--enable", "request_permissions_tool", "--disable", "goals"],
        &["-c", "model=other"],
        &["-C", "."],
    ] {
        let world = World::of(setting());
        let mut args = vec!["agents"];
        args.extend(flags);
        Screen::start(&world, &args).until("No tasks yet");
    }
}
