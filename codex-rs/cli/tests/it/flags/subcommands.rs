//! Subcommands that are upstream's: the same words on both streams, the same exit code.

use super::{in_turn, setting};
use crate::world::World;

#[test]
fn every_passed_subcommand_is_upstreams() {
    let world = World::of(setting());
    for line in [
        "review --help",
        "login --help",
        "login status",
        "logout",
        "mcp --help",
        "mcp list",
        "plugin --help",
        "remote-control --help",
        "completion zsh",
        "update --help",
        "doctor --help",
        "sandbox --help",
        "debug --help",
        "apply --help",
        "a --help",
        "queue --help",
        "archive --help",
        "archive 00000000-0000-0000-0000-000000000000",
        "delete --help",
        "unarchive --help",
        "migrate-rollouts --help",
        "migrate-nfs-db --help",
        "cloud --help",
        "cloud-tasks --help",
        "exec-server --help",
        "features --help",
        "features list",
        "help exec",
        "exec help resume",
        "execpolicy --help",
        "responses-api-proxy --help",
        "stdio-to-uds --help",
    ] {
        let args: Vec<&str> = line.split(' ').collect();
        let (ours, plain) = in_turn(|| world.run(&args), || world.plain(&args));
        assert_eq!(
            (ours.code, ours.stdout, ours.stderr),
            (plain.code, plain.stdout, plain.stderr),
            "{line}"
        );
    }
    assert!(!world.store().exists());
}
