//! Logs to syslog over TCP: what is to be written between the two marks, and what the receiver would read. A listener
//! of the example's own stands for it, so that it runs anywhere.
//!
//! `cargo run --example syslog`

use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    time::Duration,
};

use bellwether::{
    export::syslog::{Syslog, SyslogFacility},
    info, warn,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let receiver = TcpListener::bind("127.0.0.1:0")?;
    let place = receiver.local_addr()?.to_string();

    // What your program has begins. Over TLS, with the feature `syslog-tls`: `Syslog::tls("logs.example.com:6514")`;
    // to the local machine's own: `Syslog::unix("/dev/log")`.
    let syslog = Syslog::tcp(place).facility(SyslogFacility::Local0);
    let telemetry = bellwether::builder("shop").export(syslog).start()?;
    // It ends.

    {
        let _checkout = bellwether::span("checkout").enter();
        info!("paid", cart = 7);
        warn!("stock is [low]:\nreorder", item = "tea \"green\"");
    }
    let report = telemetry.shutdown(Duration::from_secs(10));
    println!("{report}");
    assert!(report.settled);

    let mut stream = BufReader::new(receiver.accept()?.0);
    let paid = message(&mut stream)?;
    assert!(paid.starts_with("<134>1 ") && paid.ends_with("] paid"));
    assert!(paid.contains(" shop ") && paid.contains(" cart=\"7\""));
    assert!(paid.contains(" [bellwether@32473 trace_id=\""));
    let low = message(&mut stream)?;
    assert!(low.starts_with("<132>1 ") && low.ends_with("] stock is [low]:\nreorder"));
    assert!(low.contains(r#" item="tea \"green\"""#));
    Ok(())
}

/// Reads a message, which has its length before it.
fn message(stream: &mut impl BufRead) -> Result<String, Box<dyn std::error::Error>> {
    let mut length = Vec::new();
    stream.read_until(b' ', &mut length)?;
    let mut message = vec![0; std::str::from_utf8(&length)?.trim_end().parse()?];
    stream.read_exact(&mut message)?;
    let message = String::from_utf8(message)?;
    println!("{message}");
    Ok(message)
}
