//! The upstream engine that the tests run: the one that `CODEX_ORCH_ENGINE` names, else the pinned one, installed once
//! beside the build. A test without an engine fails; none is skipped.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use orch_engine::find::ENGINE_ENV;
use orch_engine::obtain::obtain_pinned;

/// What all test binaries of this build share: the engine, and what was found out about it.
pub(crate) fn data_dir() -> PathBuf {
    let tmp = Path::new(env!("CARGO_TARGET_TMPDIR"));
    tmp.parent().unwrap_or(tmp).join("codex-orch-data")
}

/// The folder that remembers verdicts on engines.
pub(crate) fn cache_dir() -> PathBuf {
    data_dir().join("cache")
}

/// The upstream binary.
pub(crate) fn engine() -> &'static Path {
    static ENGINE: LazyLock<PathBuf> = LazyLock::new(|| {
        let named = std::env::var_os(ENGINE_ENV);
        let path = std::env::var_os("PATH").unwrap_or_default();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let found = runtime.block_on(obtain_pinned(named, &data_dir(), path));
        found.unwrap_or_else(|error| {
            panic!(
                "these tests run the real engine, and there is none: {error}. {}",
                error.hint()
            )
        })
    });
    &ENGINE
}
