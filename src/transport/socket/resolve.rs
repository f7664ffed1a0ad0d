//! Looks names up by a deadline.

use std::{
    io,
    net::{SocketAddr, ToSocketAddrs as _},
    thread,
};

use super::step;
use crate::{
    clock::Deadline,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

/// How many names are being looked up. Relaxed: it publishes nothing but itself.
static N_PENDING: AtomicUsize = AtomicUsize::new(0);

/// More look-ups at a time are refused: each may hang on a thread of its own. Arbitrary.
const MOST_PENDING: usize = 8;

/// The addresses of `place`, which is `host:port`.
///
/// The system's resolver cannot be cancelled, so it runs on a thread of its own, which is not waited for.
pub(super) fn resolve(place: &str, deadline: &Deadline) -> io::Result<Vec<SocketAddr>> {
    if let Ok(address) = place.parse() {
        return Ok(vec![address]);
    }
    let pending = Pending::begin()?;
    let (found, is_found) = crossbeam_channel::bounded(1);
    let name = place.to_owned();
    thread::Builder::new().name("bellwether-dns".to_owned()).spawn(move || {
        let _pending = pending;
        // Nobody may be waiting any more.
        let _ = found.send(name.to_socket_addrs().map(Vec::from_iter));
    })?;
    loop {
        let patience = step(deadline).map_err(|_| {
            io::Error::new(io::ErrorKind::TimedOut, "the name was not looked up in time")
        })?;
        if let Ok(found) = is_found.recv_timeout(patience) {
            return found;
        }
    }
}

/// What is wrong with `place`, if it is no `host:port`. Whether there is such a host is not asked.
pub(super) fn check(place: &str) -> Result<(), String> {
    let port = match place.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && (!host.contains(':') || host.ends_with(']')) => {
            port
        }
        _ => return Err("it is no `host:port`".to_owned()),
    };
    match port.parse::<u16>() {
        Ok(1..) => Ok(()),
        _ => Err(format!("`{port}` is no port")),
    }
}

/// A look-up that is counted while it runs.
struct Pending;

impl Pending {
    fn begin() -> io::Result<Self> {
        let begun = Self;
        match N_PENDING.fetch_add(1, Relaxed) < MOST_PENDING {
            true => Ok(begun),
            false => Err(io::Error::other("the system's resolver does not answer")),
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        N_PENDING.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_address_needs_no_look_up_and_a_name_that_is_none_is_an_error() {
        let deadline = Deadline::after(Duration::from_secs(20));
        let address = "[::1]:8125".parse().unwrap();
        assert_eq!(resolve("[::1]:8125", &deadline).unwrap(), [address]);
        assert!(!resolve("localhost:8125", &deadline).unwrap().is_empty());
        assert!(resolve("agent.invalid:8125", &deadline).is_err());
        assert!(resolve("no port", &deadline).is_err());
    }

    #[test]
    fn a_place_is_a_host_and_a_port() {
        for good in ["localhost:8125", "127.0.0.1:1", "[::1]:65535", "agent.example.com:8125"] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for (bad, says) in [
            ("", "host:port"),
            ("localhost", "host:port"),
            (":8125", "host:port"),
            ("::1:8125", "host:port"),
            ("localhost:", "`` is no port"),
            ("localhost:0", "`0` is no port"),
            ("localhost:65536", "`65536` is no port"),
            ("localhost:http", "`http` is no port"),
            ("http://localhost:8125", "host:port"),
            ("localhost:8125/", "`8125/` is no port"),
        ] {
            let error = check(bad).unwrap_err();
            assert!(error.contains(says), "{bad}: {error}");
        }
    }

    #[test]
    fn a_look_up_without_time_is_over() {
        let error = resolve("localhost:1", &Deadline::after(Duration::ZERO)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
