//! Unix sockets: a listener that only its own user can reach, and connecting to one. What is spoken there is the caller's.
//!
//! A socket's address holds about a hundred bytes. Where a path is longer, the socket stands in a private folder of the
//! system's temporary one and the path is a symlink to it: upstream's app-server does so, and its clients follow it.

use std::fs;
use std::io;
use std::os::unix::fs::{
    DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tokio::net::{UnixListener, UnixStream};

use crate::error::EngineError;

/// The longest path a socket's address takes everywhere.
const LONGEST: usize = 103;
/// What the private folder adds to the path of the folder it is made in.
const PRIVATE: &str = ".orch-XXXXXX/s";

/// A listening socket. It is removed when this is dropped.
#[derive(Debug)]
pub struct Listener {
    socket: UnixListener,
    path: PathBuf,
    /// Device and inode of what was put at `path`: what stands there later may be another's.
    identity: (u64, u64),
    /// Holds the socket when `path` is a symlink.
    _elsewhere: Option<TempDir>,
}

impl Listener {
    /// Listens at `path`, whose folder is created (0700) if it isn't there. The socket is 0600 from its first moment, and
    /// replaces one that nobody listens on. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// [`EngineError::Io`]: also when somebody listens there, and when what is there is no socket.
    pub fn bind(path: &Path) -> Result<Self, EngineError> {
        Self::put(path).map_err(|source| EngineError::Io {
            doing: "listen on",
            path: path.to_owned(),
            source,
        })
    }

    /// Where it listens, as given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The next connection of a process of the same user; others are closed at once.
    ///
    /// # Errors
    /// The system's, such as too many open files.
    pub async fn accept(&self) -> io::Result<UnixStream> {
        loop {
            let (stream, _) = self.socket.accept().await?;
            let ours = rustix::process::geteuid().as_raw();
            match stream.peer_cred() {
                Ok(peer) if peer.uid() == ours => return Ok(stream),
                Ok(peer) => tracing::warn!(uid = peer.uid(), "refused another user's connection"),
                Err(error) => tracing::warn!(%error, "refused a connection of nobody knows who"),
            }
        }
    }

    fn put(path: &Path) -> io::Result<Self> {
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            Some(_) | None => Path::new("."),
        };
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
        free(path)?;
        let only_us = fs::Permissions::from_mode(0o700);
        let near = tempfile::Builder::new()
            .prefix(".orch-")
            .permissions(only_us.clone())
            .tempdir_in(folder)?;
        let made = near.path().join("s");
        let length = path.as_os_str().len();
        let fits = length.max(folder.as_os_str().len() + 1 + PRIVATE.len()) <= LONGEST;
        let (socket, elsewhere) = if fits {
            (private(&made)?, None)
        } else {
            let elsewhere = tempfile::Builder::new()
                .prefix("codex-orch-")
                .permissions(only_us)
                .tempdir()?;
            let real = elsewhere.path().join("s");
            let socket = private(&real)?;
            std::os::unix::fs::symlink(&real, &made)?;
            (socket, Some(elsewhere))
        };
        let identity = identity(&made)?;
        fs::rename(&made, path)?;
        Ok(Self {
            socket,
            path: path.to_owned(),
            identity,
            _elsewhere: elsewhere,
        })
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|there| there == self.identity) {
            // Nothing can be done about a failure here.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Connects to the socket at `path`, also by a symlink, however long the path is.
///
/// # Errors
/// The system's: `NotFound` and `ConnectionRefused` when nobody listens.
pub async fn dial(path: &Path) -> io::Result<UnixStream> {
    if path.as_os_str().len() <= LONGEST {
        return UnixStream::connect(path).await;
    }
    let real = tokio::fs::canonicalize(path).await?;
    if real.as_os_str().len() <= LONGEST {
        return UnixStream::connect(real).await;
    }
    near(&real).await
}

/// Connects to a socket by a short name for its folder.
#[cfg(target_os = "linux")]
async fn near(path: &Path) -> io::Result<UnixStream> {
    use rustix::fd::AsRawFd as _;
    use rustix::fs::{CWD, Mode, OFlags, openat};

    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = openat(CWD, folder, flags, Mode::empty())?;
    let short = PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd()));
    UnixStream::connect(short.join(name)).await
}

#[cfg(not(target_os = "linux"))]
async fn near(path: &Path) -> io::Result<UnixStream> {
    UnixStream::connect(path).await
}

/// A listening socket in a folder that only we can enter.
fn private(path: &Path) -> io::Result<UnixListener> {
    let socket = UnixListener::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    Ok(socket)
}

/// Fails when `path` is taken: by a socket that answers, or by something that is no socket.
fn free(path: &Path) -> io::Result<()> {
    let taken = match fs::metadata(path) {
        Ok(there) if there.file_type().is_socket() => {
            // A symlink of ours or upstream's leads to a short path; what can't be reached isn't listened on by us.
            let real = fs::canonicalize(path)?;
            std::os::unix::net::UnixStream::connect(real).is_ok()
        }
        Ok(_) => true,
        // A symlink to nowhere is what a dead process left.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            false
        }
        Err(error) => return Err(error),
    };
    if taken {
        return Err(io::ErrorKind::AddrInUse.into());
    }
    Ok(())
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let there = fs::symlink_metadata(path)?;
    Ok((there.dev(), there.ino()))
}
