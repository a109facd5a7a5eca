//! End-to-end tests of the binary, with the real engine.

#![allow(clippy::unwrap_used)]

mod demo;
