//! The platforms upstream ships a binary for, and how it names them. It looks at no file.

use std::path::PathBuf;

use crate::error::EngineError;

/// A platform upstream ships a native binary for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Platform {
    /// Linux on x86-64.
    LinuxX64,
    /// Linux on 64-bit ARM.
    LinuxArm64,
    /// macOS on x86-64.
    MacX64,
    /// macOS on 64-bit ARM.
    MacArm64,
}

impl Platform {
    /// The platform this was built for.
    ///
    /// # Errors
    /// [`EngineError::UnknownPlatform`] where upstream has no binary.
    pub fn here() -> Result<Self, EngineError> {
        let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
        match (os, arch) {
            ("linux", "x86_64") => Ok(Self::LinuxX64),
            ("linux", "aarch64") => Ok(Self::LinuxArm64),
            ("macos", "x86_64") => Ok(Self::MacX64),
            ("macos", "aarch64") => Ok(Self::MacArm64),
            _ => Err(EngineError::UnknownPlatform { os, arch }),
        }
    }

    /// Upstream's target triple.
    pub fn triple(self) -> &'static str {
        match self {
            Self::LinuxX64 => "x86_64-unknown-linux-musl",
            Self::LinuxArm64 => "aarch64-unknown-linux-musl",
            Self::MacX64 => "x86_64-apple-darwin",
            Self::MacArm64 => "aarch64-apple-darwin",
        }
    }

    /// The npm package that holds the binary, below a `node_modules` folder.
    pub fn package(self) -> &'static str {
        match self {
            Self::LinuxX64 => "@openai/codex-linux-x64",
            Self::LinuxArm64 => "@openai/codex-linux-arm64",
            Self::MacX64 => "@openai/codex-darwin-x64",
            Self::MacArm64 => "@openai/codex-darwin-arm64",
        }
    }

    /// Where the binary lies inside its package.
    pub fn binary(self) -> PathBuf {
        ["vendor", self.triple(), "bin", "codex"].iter().collect()
    }
}
