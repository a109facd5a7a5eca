//! The files that a patch in the `*** Begin Patch` format names. It applies nothing and reads no hunk.

use orch_protocol::turn::ChangeKind;

/// No patch names more files than are kept of it.
pub(crate) const MAX_FILES: usize = 500;

/// The files of `patch` in its order; a move is the old path deleted and the new one added.
pub(crate) fn files(patch: &str) -> Vec<(&str, ChangeKind)> {
    let mut found: Vec<(&str, ChangeKind)> = Vec::new();
    for line in patch.lines() {
        let Some(directive) = line.strip_prefix("*** ") else {
            continue;
        };
        if let Some(path) = directive.strip_prefix("Add File: ") {
            found.push((path.trim(), ChangeKind::Added));
        } else if let Some(path) = directive.strip_prefix("Update File: ") {
            found.push((path.trim(), ChangeKind::Modified));
        } else if let Some(path) = directive.strip_prefix("Delete File: ") {
            found.push((path.trim(), ChangeKind::Deleted));
        } else if let Some(path) = directive.strip_prefix("Move to: ") {
            if let Some(from) = found.last_mut() {
                from.1 = ChangeKind::Deleted;
            }
            found.push((path.trim(), ChangeKind::Added));
        }
    }
    found.truncate(MAX_FILES);
    found
}

/// The patch that a shell command applies, when that is all it does: `apply_patch <<'EOF' ...`, perhaps after `cd dir &&`.
pub(crate) fn in_command(command: &str) -> Option<&str> {
    let command = command.trim_start();
    let applied = match command.strip_prefix("cd ") {
        Some(rest) => {
            let (_, rest) = rest.split_once("&&")?;
            rest.trim_start()
        }
        None => command,
    };
    let patch = applied
        .strip_prefix("apply_patch")
        .or_else(|| applied.strip_prefix("applypatch"))?;
    patch.contains("*** Begin Patch").then_some(patch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_moves_are_told() {
        let patch = "*** Begin Patch\n*** Add File: a\n+*** Delete File: no\n*** Update File: b b\n*** Move to: c\n@@\n\
                     *** Update File: d\n-x\n*** Delete File: e\n*** End Patch\n";
        assert_eq!(
            files(patch),
            [
                ("a", ChangeKind::Added),
                ("b b", ChangeKind::Deleted),
                ("c", ChangeKind::Added),
                ("d", ChangeKind::Modified),
                ("e", ChangeKind::Deleted),
            ]
        );
    }

    #[test]
    fn a_command_that_only_patches_is_told_from_one_that_mentions_it() {
        assert!(in_command("apply_patch <<'EOF'\n*** Begin Patch\n").is_some());
        assert!(in_command("cd web && apply_patch <<EOF\n*** Begin Patch\n").is_some());
        assert!(in_command("grep apply_patch x # *** Begin Patch").is_none());
        assert!(in_command("apply_patch --help").is_none());
    }
}
