//! Stub.
use crate::trouble::Trouble;
use std::ffi::OsString;
pub(crate) fn run(_engine: Option<OsString>, _args: Vec<OsString>) -> Result<u8, Trouble> {
    Ok(0)
}
