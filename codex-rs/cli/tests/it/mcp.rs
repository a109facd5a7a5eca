//! `codex-orch mcp-orch`: the protocol over real pipes, and the real engine as its client.

mod client;
mod engine;
mod faults;
mod tools;
