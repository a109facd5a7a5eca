//! Tests of the adapters over real files, real git and real processes, and of the driver over fakes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod branches;
mod called;
mod checkout;
mod clones;
mod contract;
mod driver;
mod edits;
mod exchange;
mod files;
mod git;
mod histories;
mod history;
mod hostile;
mod judged;
mod logs;
mod make;
mod place;
mod race;
mod walls;
mod writer;
mod yaml;
