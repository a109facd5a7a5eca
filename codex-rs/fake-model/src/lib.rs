//! A scripted Responses-API server on loopback: stands in for the paid model, and for nothing else.
//!
//! Tests, benches and the demo start a [`server::Server`] on a [`scenario::Scenario`], write [`server::Server::config_toml`]
//! into a `CODEX_HOME`, and run the real upstream `codex` there. The format of scenario files is described in
//! [`scenario`] and, with examples, in the crate's `README.md`.
//!
//! It has no opinion on what a good request is: it answers by script and records what it was asked. It speaks plain
//! HTTP/1.1 on 127.0.0.1, knows no WebSocket and no compressed bodies (codex 0.169 sends neither to a custom provider).

mod http;
pub mod loading;
pub mod record;
pub mod scenario;
mod script;
pub mod server;
mod sse;
