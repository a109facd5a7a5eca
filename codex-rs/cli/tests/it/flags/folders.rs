//! Where the agent works, and what it is shown.

use super::{Pair, setting};
use crate::world::text;

/// One transparent pixel.
pub(super) const PIXEL: &[u8] = &[
    137, 80, 78, 71, 13, 10, 26, 10, 0, 0, 0, 13, 73, 72, 68, 82, 0, 0, 0, 1, 0, 0, 0, 1, 8, 6, 0,
    0, 0, 31, 21, 196, 137, 0, 0, 0, 11, 73, 68, 65, 84, 120, 156, 99, 96, 0, 2, 0, 0, 5, 0, 1,
    122, 94, 171, 63, 0, 0, 0, 0, 73, 69, 78, 68, 174, 66, 96, 130,
];

#[test]
fn an_image_is_shown_to_the_model_in_every_way_in() {
    let pair = Pair::of(setting, |world| {
        std::fs::write(world.repo.join("a.png"), PIXEL).unwrap();
        world.plain(&["exec", "Before"]).ok();
    });
    pair.every_way(&["-i", "a.png"], |seen| {
        let input = seen.request["input"].to_string();
        assert!(
            input.contains("input_image") && input.contains("data:image/png"),
            "{input}"
        );
    });
}

#[test]
fn another_folder_is_writable_in_every_way_in() {
    let pair = Pair::of(setting, |world| {
        std::fs::create_dir(world.root().join("more")).unwrap();
        world.plain(&["exec", "Before"]).ok();
    });
    pair.every_way(&["-s", "workspace-write", "--add-dir", "../more"], |seen| {
        assert!(
            seen.context.to_string().contains("/more\""),
            "{}",
            seen.context
        );
    });
}

#[test]
fn the_folder_may_be_another_one_in_every_way_in() {
    let pair = Pair::of(setting, |world| {
        std::fs::create_dir(world.repo.join("sub")).unwrap();
        world.plain(&["exec", "Before"]).ok();
    });
    pair.every_way(&["-C", "sub"], |seen| {
        assert!(
            text(&seen.context["cwd"]).ends_with("/repo/sub"),
            "{}",
            seen.context
        );
    });
}
