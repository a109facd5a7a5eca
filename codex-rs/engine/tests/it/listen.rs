//! A socket that only its user can reach, at any path, and nothing of it left behind.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use orch_engine::error::EngineError;
use orch_engine::link::listen::{Listener, dial};

use crate::support::folder;

async fn reach(listener: &Listener, path: &Path) {
    let (dialled, accepted) = tokio::join!(dial(path), listener.accept());
    assert_eq!(
        dialled.unwrap().peer_cred().unwrap().pid(),
        accepted.unwrap().peer_cred().unwrap().pid()
    );
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn short_and_long_paths_are_private_and_cleaned_up() {
    let folder = folder();
    for name in ["a", &"long/".repeat(40)] {
        let within = folder.path().join(name);
        let path = within.join("s.sock");
        let listener = Listener::bind(&path).unwrap();
        assert_eq!((mode(&within), mode(&path)), (0o700, 0o600));
        reach(&listener, &path).await;
        let real = fs::canonicalize(&path).unwrap();
        assert_eq!(mode(real.parent().unwrap()), 0o700);
        assert_eq!(
            fs::read_dir(&within).unwrap().count(),
            1,
            "nothing but the socket"
        );

        // While it is listened on nobody else gets it; and it is no loss to anybody that it was tried.
        let error = Listener::bind(&path).unwrap_err();
        assert!(matches!(error, EngineError::Io { .. }), "{error}");
        reach(&listener, &path).await;
        drop(listener);
        assert!(!path.exists() && !real.exists());
        assert_eq!(fs::read_dir(&within).unwrap().count(), 0);
        assert!(dial(&path).await.is_err());
    }
}

#[tokio::test]
async fn what_a_dead_process_left_is_replaced_and_what_is_no_socket_is_not() {
    let folder = folder();
    // A path that a socket's address can hold, wherever the target folder is.
    let short = tempfile::tempdir().unwrap();
    let path = short.path().join("s");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    reach(&Listener::bind(&path).unwrap(), &path).await;
    std::os::unix::fs::symlink("/no/where/at/all", &path).unwrap();
    let listener = Listener::bind(&path).unwrap();
    reach(&listener, &path).await;

    // Another's socket in its place is left alone.
    fs::remove_file(&path).unwrap();
    let other = Listener::bind(&path).unwrap();
    drop(listener);
    reach(&other, &path).await;

    let file = folder.path().join("file");
    fs::write(&file, "precious").unwrap();
    assert!(Listener::bind(&file).is_err());
    assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
}
