//! Tells the user's words from what the engine or a client put into a user message. It keeps nothing.

/// The user's own words in a user message; none when the engine or a client made it up.
pub(crate) fn request_of(text: &str) -> Option<&str> {
    const MADE_UP: [&str; 9] = [
        "<environment_context>",
        "<user_instructions>",
        "<user_shell_command>",
        "<turn_aborted>",
        "<subagent_notification>",
        "<skill>",
        "<permissions instructions>",
        "<INSTRUCTIONS>",
        "# AGENTS.md instructions",
    ];
    const IDE_CONTEXT: &str = "# Context from my IDE setup:";
    const IDE_REQUEST: &str = "## My request for Codex:";
    let text = text.trim();
    if MADE_UP.iter().any(|made_up| text.starts_with(made_up)) {
        return None;
    }
    match text
        .strip_prefix(IDE_CONTEXT)
        .and_then(|context| context.split_once(IDE_REQUEST))
    {
        Some((_, request)) => Some(request.trim()),
        None => Some(text),
    }
}
