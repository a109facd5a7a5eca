//! Ports and adapters: where the supervisor's facts become durable and its effects touch the world.
//!
//! The ports ([`ports`]) speak plain data; each has an adapter for real use and a fake ([`memory`]). The one loop that
//! drives the supervisor is [`driver`]. git2 stands in one file a concern: `store/objects.rs` (our own repository),
//! `git/look.rs` (one look at the user's) and `git/walk.rs` (its history). Nothing here decides anything.

pub mod checkout;
pub mod driver;
pub mod exchange;
pub mod git;
pub mod memory;
pub mod place;
pub mod ports;
pub mod store;
mod sum;
pub mod upstream;
