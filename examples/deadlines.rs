//! What becomes of a flush, a shutdown and an exit while the other end of an exporter does not answer:
//! they return on time, and the socket is closed then.
//!
//! Three kinds of other ends: one that accepts and never answers, one that answers with a byte a
//! second, and one that hangs in the middle of the TLS handshake. The times are those of real sockets;
//! the bounds are generous, because a machine may be busy.
#![allow(clippy::disallowed_methods, reason = "the rule is the library's own")]

use std::{
    env,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use bellwether::{
    Gauge, Telemetry,
    alert::{Rule, notify::Webhook, series},
    transport::Endpoint,
};

static LEVEL: Gauge = Gauge::new("drill.level", "Above zero an alert fires");

/// How long a flush and a shutdown are given.
const GIVEN: Duration = Duration::from_secs(1);
/// How long an exit takes at most by itself.
const EXIT: Duration = Duration::from_secs(2);
/// How much later than that it may be here; on a quiet machine it is some milliseconds.
const SLACK: Duration = Duration::from_millis(400);
/// In a child: where the other end listens.
const ADDRESS: &str = "BELLWETHER_DRILL_ADDRESS";

/// What the other end does with a connection.
#[derive(Clone, Copy, Debug)]
enum Other {
    NeverAnswers,
    Trickles,
    HangsInTls,
}

fn main() {
    if let Ok(address) = env::var(ADDRESS) {
        let (scheme, address) = address.split_once(' ').expect("a scheme and an address");
        let _telemetry = start(scheme, address.parse().expect("an address"));
        println!("leaving");
        return; // From main: the telemetry is dropped, which delivers for two seconds at most.
    }
    for other in [Other::NeverAnswers, Other::Trickles, Other::HangsInTls] {
        let (address, closed) = serve(other);
        let telemetry = start(other.scheme(), address);
        timed(other, "flush", GIVEN, &closed, || {
            let begun = Instant::now();
            assert!(!telemetry.flush(GIVEN).settled);
            begun
        });
        timed(other, "shutdown", GIVEN, &closed, || {
            let begun = Instant::now();
            let report = telemetry.shutdown(GIVEN);
            assert!(report.totals().add_up() && report.totals().held == 0, "{report}");
            begun
        });
        let (address, closed) = serve(other);
        timed(other, "exit", EXIT, &closed, || run_child(other, address));
    }
    println!("every call returned on time, and every socket was closed");
}

/// Runs `call`, which says when it began to wait, and asserts that it takes no longer than `given`, and
/// that the other end of the connection sees it closed by then.
fn timed(
    other: Other,
    name: &str,
    given: Duration,
    closed: &mpsc::Receiver<Instant>,
    call: impl FnOnce() -> Instant,
) {
    while closed.try_recv().is_ok() {}
    let begun = call();
    let took = begun.elapsed();
    let closed_at = closed.recv_timeout(SLACK).expect("the socket is still open");
    let closed = closed_at.saturating_duration_since(begun);
    println!("{other:?}: {name} of {given:?} returned after {took:.3?}, closed after {closed:.3?}");
    assert!(took < given + SLACK, "late");
}

fn start(scheme: &str, address: SocketAddr) -> Telemetry {
    LEVEL.set(1.0);
    let url = format!("{scheme}://{address}/alerts");
    let webhook = Webhook::new(Endpoint::new(&url).allow_plain_http().allow_private());
    let telemetry = bellwether::builder("drill")
        .alert_rule(Rule::new("High", series("drill.level").last().above(0.0)))
        .tick(Duration::from_millis(20))
        .notify(webhook)
        .on_diagnostic(|_, _| ());
    let telemetry = telemetry.start().expect("nothing to fail");
    while telemetry.report().totals().offered == 0 {
        thread::sleep(Duration::from_millis(5));
    }
    telemetry
}

/// Runs a child that leaves by its `main`; when it began to leave.
fn run_child(other: Other, address: SocketAddr) -> Instant {
    let itself = env::current_exe().expect("a path");
    let child = Command::new(itself)
        .env(ADDRESS, format!("{} {address}", other.scheme()))
        .stdout(Stdio::piped())
        .spawn();
    let mut child = child.expect("it runs");
    let out = child.stdout.take().expect("it is piped");
    let mut line = String::new();
    BufReader::new(out).read_line(&mut line).expect("a line");
    assert_eq!(line, "leaving\n");
    let leaving = Instant::now();
    assert!(child.wait().expect("it ends").success());
    leaving
}

impl Other {
    fn scheme(self) -> &'static str {
        match self {
            Self::NeverAnswers | Self::Trickles => "http",
            Self::HangsInTls => "https",
        }
    }

    /// Does what it does until the connection is closed.
    fn serve(self, mut stream: TcpStream) -> io::Result<()> {
        stream.set_read_timeout(Some(Duration::from_millis(5)))?;
        let mut answer = b"HTTP/1.1 200 OK\r\n".iter();
        let mut next_byte = Instant::now();
        loop {
            match stream.read(&mut [0; 4096]) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) if is_time_out(&error) => {}
                Err(error) => return Err(error),
            }
            if matches!(self, Self::Trickles) && Instant::now() >= next_byte {
                next_byte += Duration::from_secs(1);
                if let Some(&byte) = answer.next() {
                    stream.write_all(&[byte])?;
                }
            }
        }
    }
}

fn is_time_out(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// An other end, and when each of its connections was closed.
fn serve(other: Other) -> (SocketAddr, mpsc::Receiver<Instant>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let (tell, closed) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let tell = tell.clone();
            thread::spawn(move || {
                // However it ended, it is closed.
                let _ = other.serve(stream);
                let _ = tell.send(Instant::now());
            });
        }
    });
    (address, closed)
}
