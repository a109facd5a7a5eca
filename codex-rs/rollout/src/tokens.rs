//! What a turn cost, from the running totals that the engine writes. Exact records need none of this.

use orch_protocol::turn::TokenUsage;

use crate::line::{TokenInfo, Tokens};

/// The thread's total as last seen.
#[derive(Default)]
pub(crate) struct RunningTotal(Option<Tokens>);

impl RunningTotal {
    /// What the total grew by. Without an earlier one, and after one that fell (a new process counting anew), the request's
    /// own figures count.
    pub(crate) fn grow(&mut self, info: &TokenInfo) -> Option<TokenUsage> {
        let total = info.total_token_usage?;
        Some(match self.0.replace(total) {
            Some(before)
                if before.input_tokens <= total.input_tokens
                    && before.output_tokens <= total.output_tokens =>
            {
                TokenUsage {
                    input: total.input_tokens - before.input_tokens,
                    cached_input: total
                        .cached_input_tokens
                        .saturating_sub(before.cached_input_tokens),
                    output: total.output_tokens - before.output_tokens,
                }
            }
            _ => usage(info.last_token_usage.unwrap_or(total)),
        })
    }
}

pub(crate) fn usage(tokens: Tokens) -> TokenUsage {
    TokenUsage {
        input: tokens.input_tokens,
        cached_input: tokens.cached_input_tokens,
        output: tokens.output_tokens,
    }
}

pub(crate) fn sum(a: TokenUsage, b: TokenUsage) -> TokenUsage {
    TokenUsage {
        input: a.input.saturating_add(b.input),
        cached_input: a.cached_input.saturating_add(b.cached_input),
        output: a.output.saturating_add(b.output),
    }
}
