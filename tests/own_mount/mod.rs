//! What a test mounts for itself alone: in a mount namespace of a process of its own, which runs it again.
#![allow(dead_code, reason = "not every test mounts all of it")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::{
    fs,
    io::{self, Write as _},
    path::PathBuf,
    process::Command,
};

/// A disk of `size` (as `mount` takes it) that `test` has to itself, once it runs in its namespace. Until then
/// this is `None`.
pub(crate) fn small_disk(test: &str, size: &str) -> Option<PathBuf> {
    own_mount(test, "mount -t tmpfs -o size=\"$1\" none \"$BELLWETHER_MOUNT\"", size)
}

/// The system's table of hosts, which `test` has to itself, as [`small_disk`] does.
pub(crate) fn own_hosts(test: &str) -> Option<PathBuf> {
    let script =
        "touch \"$BELLWETHER_MOUNT/hosts\" && mount --bind \"$BELLWETHER_MOUNT/hosts\" \"$1\"";
    own_mount(test, script, "/etc/hosts").map(|folder| folder.join("hosts"))
}

/// A folder of this process with what `script` mounts of `what`. Where it has none, `test` runs again in a process
/// that has, and this is `None`; that nothing can be mounted is said aloud.
fn own_mount(test: &str, script: &str, what: &str) -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os("BELLWETHER_MOUNT") {
        return Some(folder.into());
    }
    let folder =
        std::env::temp_dir().join(format!("bellwether-mount-{test}-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let status = Command::new("unshare")
        .args(["--map-root-user", "--mount", "sh", "-c"])
        .arg(format!("{script} || exit 42; shift; exec \"$@\""))
        .args(["sh", what])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env("BELLWETHER_MOUNT", &folder)
        .status();
    let _ = fs::remove_dir_all(&folder);
    match status {
        Ok(status) if status.success() => {}
        Ok(status) if status.code() == Some(101) => panic!("the test failed on what it mounted"),
        _ => {
            // Not `eprintln!`, which is captured: the test would pass in silence.
            let _ = writeln!(io::stderr(), "SKIPPED: {test}: nothing can be mounted");
        }
    }
    None
}
