//! A file system of some KiB in memory, in a mount namespace of a process of its own.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::{
    fs,
    io::{self, Write as _},
    path::PathBuf,
    process::Command,
};

/// A disk of `size` (as `mount` takes it) that this process has to itself. Where it has none, `test` runs again in
/// a process that has, and this is `None`; that it cannot be mounted is said aloud.
pub(crate) fn small_disk(test: &str, size: &str) -> Option<PathBuf> {
    if let Some(disk) = std::env::var_os("BELLWETHER_DISK") {
        return Some(disk.into());
    }
    let folder =
        std::env::temp_dir().join(format!("bellwether-disk-{test}-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let script =
        "mount -t tmpfs -o size=\"$1\" none \"$BELLWETHER_DISK\" || exit 42; shift; exec \"$@\"";
    let status = Command::new("unshare")
        .args(["--map-root-user", "--mount", "sh", "-c", script, "sh", size])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env("BELLWETHER_DISK", &folder)
        .status();
    let _ = fs::remove_dir(&folder);
    match status {
        Ok(status) if status.success() => {}
        Ok(status) if status.code() == Some(101) => panic!("the test failed on the small disk"),
        _ => {
            // Not `eprintln!`, which is captured: the test would pass in silence.
            let _ = writeln!(io::stderr(), "SKIPPED: a small disk: it cannot be mounted");
        }
    }
    None
}
