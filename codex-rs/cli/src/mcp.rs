//! Stub.
use crate::trouble::Trouble;
use std::ffi::OsString;
use std::path::Path;
pub(crate) fn configured(_exe: &Path, _home: &Path) -> Vec<String> {
    Vec::new()
}
pub(crate) async fn run(_args: Vec<OsString>) -> Result<u8, Trouble> {
    Ok(0)
}
