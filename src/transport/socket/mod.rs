//! Sockets that bytes are written to, and that answer nothing: datagrams, and streams.
//!
//! Each is opened when something is to be sent, and then kept for half a minute, so that a name whose address
//! changes is followed. All of it blocks, in steps that are short enough to notice a deadline that moved nearer.

mod datagrams;
#[cfg(all(feature = "journal", target_os = "linux"))]
mod descriptor;
mod resolve;
mod stream;
#[cfg(test)]
#[cfg(all(feature = "syslog-tls", feature = "http-client"))] // Whose tests have the certificates.
mod tests;
#[cfg(feature = "syslog-tls")]
mod tls;
#[cfg(not(feature = "syslog-tls"))]
#[path = "tls_absent.rs"]
mod tls;

use std::{io, time::Duration};

pub(crate) use datagrams::{DatagramPlace, Datagrams};
pub(crate) use stream::{Stream, StreamPlace};
pub(crate) use tls::TlsPlace;

use crate::clock::Deadline;

/// How long a socket is used before another is opened: as long as a connection of an `Endpoint`.
const LIFETIME: Duration = Duration::from_secs(30);

/// How long a call may block before the deadline is looked at again. Arbitrary.
const STEP: Duration = Duration::from_millis(50);

/// How long the next call may block; an error if no time is left.
fn step(deadline: &Deadline) -> io::Result<Duration> {
    let left = deadline.left();
    match left.is_zero() {
        true => Err(io::Error::new(io::ErrorKind::TimedOut, "not sent in time")),
        false => Ok(left.min(STEP)),
    }
}

/// Whether a call ended because of its [`step`], or because a signal came.
fn is_pause(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), Interrupted | TimedOut | WouldBlock)
}

/// Whether a datagram is larger than the system takes.
pub(crate) fn is_too_large(error: &io::Error) -> bool {
    #[cfg(unix)]
    const TOO_LARGE: i32 = libc::EMSGSIZE;
    #[cfg(not(unix))]
    const TOO_LARGE: i32 = 10_040; // WSAEMSGSIZE
    error.raw_os_error() == Some(TOO_LARGE)
}
