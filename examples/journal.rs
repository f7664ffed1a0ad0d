//! Logs to systemd's journal: what is to be written between the two marks, and what the journal would read. A socket
//! of the example's own stands for it, so that it runs anywhere on Linux.
//!
//! `cargo run --example journal`

#[cfg(target_os = "linux")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    use std::{os::unix::net::UnixDatagram, time::Duration};

    use bellwether::{export::journal::Journal, warn};

    let path = std::env::temp_dir().join(format!("journal-example-{}", std::process::id()));
    let socket = UnixDatagram::bind(&path)?;

    // What your program has begins; without what leads to another socket than the system's.
    let journal = Journal::new().socket(&path);
    let telemetry = bellwether::builder("shop").export(journal).start()?;
    // It ends.

    {
        let _checkout = bellwether::span("checkout").enter();
        warn!("stock is low", item.name = "tea", left = 2);
    }
    let report = telemetry.shutdown(Duration::from_secs(10));
    println!("{report}");
    assert!(report.settled);

    let mut entry = [0; 4_096];
    let length = socket.recv(&mut entry)?;
    let entry = std::str::from_utf8(&entry[..length])?;
    println!("{entry}");
    for field in ["MESSAGE=stock is low", "PRIORITY=4", "SYSLOG_IDENTIFIER=shop", "LEFT=2"] {
        assert!(entry.lines().any(|line| line == field), "{field}");
    }
    assert!(entry.contains("\nITEM_NAME=tea\n") && entry.contains("\nTRACE_ID="));
    std::fs::remove_file(&path)?;
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("the journal is on Linux alone");
}
