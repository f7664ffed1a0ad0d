//! Bytes over TCP, with or without TLS, or over a Unix socket of streams.

use std::{
    fmt,
    io::{self, Write as _},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};
#[cfg(unix)]
use std::{
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
};

use super::{
    LIFETIME, is_pause,
    resolve::{self, resolve},
    step,
    tls::{TlsPlace, TlsSocket},
};
use crate::{
    clock::{self, Deadline},
    error::{Error, ErrorKind},
};

/// Where a stream goes.
#[derive(Clone, Debug)]
pub(crate) enum StreamPlace {
    /// `host:port`.
    Tcp(String),
    Tls(TlsPlace),
    /// The path of a Unix socket.
    #[cfg(unix)]
    Unix(PathBuf),
}

/// A connection that is opened when something is to be sent.
#[derive(Debug)]
pub(crate) struct Stream {
    place: StreamPlace,
    open: Option<(Socket, Instant)>,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpStream),
    Tls(TlsSocket),
    #[cfg(unix)]
    Unix(UnixStream),
}

/// How long one address may take to answer; the deadline holds for all of them.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

impl fmt::Display for StreamPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(place) => write!(f, "tcp://{place}"),
            Self::Tls(place) => write!(f, "tls://{}", place.place()),
            #[cfg(unix)]
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
        }
    }
}

impl StreamPlace {
    fn check(&self) -> Result<(), String> {
        match self {
            Self::Tls(place) => resolve::check(place.place()).and_then(|()| place.check()),
            Self::Tcp(place) => resolve::check(place),
            #[cfg(unix)]
            Self::Unix(_) => Ok(()),
        }
    }
}

impl Stream {
    pub(crate) fn new(place: StreamPlace) -> Self {
        Self { place, open: None }
    }

    /// Checks the place, as far as that can be done without connecting.
    ///
    /// # Errors
    ///
    /// What cannot be used of it.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let place = &self.place;
        let bad = |what| Error::new(ErrorKind::InvalidOption, format!("{place}: {what}"));
        place.check().map_err(bad)
    }

    pub(crate) fn place(&self) -> &StreamPlace {
        &self.place
    }

    /// Writes all of `bytes`. What is written is with the operating system: whether it arrives nobody says.
    ///
    /// # Errors
    ///
    /// How many bytes were written before, and why no more. The connection is closed then, and the next one
    /// begins anew.
    pub(crate) fn write(
        &mut self,
        bytes: &[u8],
        deadline: &Deadline,
    ) -> Result<(), (usize, io::Error)> {
        let kept = self.open.take();
        let (mut socket, until) = match kept.and_then(still_good) {
            Some(open) => open,
            None => {
                let socket = self.connect(deadline).map_err(|error| (0, error))?;
                (socket, clock::deadline(LIFETIME))
            }
        };
        socket.write(bytes, deadline)?; // One that failed is closed.
        self.open = Some((socket, until));
        Ok(())
    }

    fn connect(&self, deadline: &Deadline) -> io::Result<Socket> {
        match &self.place {
            StreamPlace::Tcp(place) => Ok(Socket::Tcp(connected(place, deadline)?)),
            StreamPlace::Tls(place) => {
                Ok(Socket::Tls(place.begin(connected(place.place(), deadline)?, deadline)?))
            }
            #[cfg(unix)]
            StreamPlace::Unix(path) => Ok(Socket::Unix(connected_to_path(path)?)),
        }
    }
}

/// A connection to a Unix socket. Where its queue is full it is an error that may pass: a call that waits has no limit.
#[cfg(all(unix, feature = "syslog"))]
fn connected_to_path(path: &Path) -> io::Result<UnixStream> {
    use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, connect, socket};
    let stream: UnixStream = socket(AddressFamily::UNIX, SocketType::STREAM, None)?.into();
    rustix::io::fcntl_setfd(&stream, rustix::io::FdFlags::CLOEXEC)?;
    stream.set_nonblocking(true)?;
    connect(&stream, &SocketAddrUnix::new(path)?)?;
    stream.set_nonblocking(false)?;
    Ok(stream)
}

#[cfg(all(unix, not(feature = "syslog")))]
fn connected_to_path(path: &Path) -> io::Result<UnixStream> {
    UnixStream::connect(path)
}

/// The connection that is open, unless it is too old or the other side has closed it.
fn still_good((mut socket, until): (Socket, Instant)) -> Option<(Socket, Instant)> {
    let is_good = clock::real_instant() < until && !socket.is_closed();
    is_good.then_some((socket, until))
}

/// A connection to `host:port`.
fn connected(place: &str, deadline: &Deadline) -> io::Result<TcpStream> {
    let stream = first_of(&resolve(place, deadline)?, deadline)?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// A connection to the first address that takes one.
fn first_of(addresses: &[SocketAddr], deadline: &Deadline) -> io::Result<TcpStream> {
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        let left = deadline.left().min(CONNECT_TIMEOUT);
        if left.is_zero() {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "not connected in time"));
        }
        match TcpStream::connect_timeout(address, left) {
            Ok(stream) => return Ok(stream),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

impl Socket {
    /// Whether the other side has closed it meanwhile: what is written then would be lost. What it has said
    /// is read and dropped.
    fn is_closed(&mut self) -> bool {
        let read = match self {
            Self::Tls(socket) => return socket.is_closed(),
            Self::Tcp(socket) => read_at_once(&*socket, |on| socket.set_nonblocking(on)),
            #[cfg(unix)]
            Self::Unix(socket) => read_at_once(&*socket, |on| socket.set_nonblocking(on)),
        };
        match read {
            Ok(n) => n == 0,
            Err(error) => !is_pause(&error),
        }
    }

    #[expect(clippy::disallowed_methods, reason = "a short write goes on with the rest")]
    fn write(&mut self, bytes: &[u8], deadline: &Deadline) -> Result<(), (usize, io::Error)> {
        match self {
            Self::Tls(socket) => socket.write(bytes, deadline),
            Self::Tcp(socket) => in_steps(bytes, deadline, |rest, patience| {
                socket.set_write_timeout(Some(patience)).and_then(|()| socket.write(rest))
            }),
            #[cfg(unix)]
            Self::Unix(socket) => in_steps(bytes, deadline, |rest, patience| {
                socket.set_write_timeout(Some(patience)).and_then(|()| socket.write(rest))
            }),
        }
    }
}

/// Writes all of `bytes`, in steps until the deadline.
fn in_steps(
    bytes: &[u8],
    deadline: &Deadline,
    mut write: impl FnMut(&[u8], Duration) -> io::Result<usize>,
) -> Result<(), (usize, io::Error)> {
    let mut n_written = 0;
    while n_written < bytes.len() {
        let patience = step(deadline).map_err(|error| (n_written, error))?;
        match write(&bytes[n_written..], patience) {
            Ok(0) => return Err((n_written, io::ErrorKind::WriteZero.into())),
            Ok(n) => n_written += n,
            Err(error) if is_pause(&error) => {}
            Err(error) => return Err((n_written, error)),
        }
    }
    Ok(())
}

/// What the last of a few reads gave, without waiting: nothing where the other side has closed.
fn read_at_once(
    mut reader: impl io::Read,
    set_nonblocking: impl Fn(bool) -> io::Result<()>,
) -> io::Result<usize> {
    const MOST: usize = 64; // Arbitrary: who still talks then is there.
    set_nonblocking(true)?;
    let mut read = reader.read(&mut [0; 512]);
    for _ in 0..MOST {
        if !matches!(read, Ok(1..)) {
            break;
        }
        read = reader.read(&mut [0; 512]);
    }
    set_nonblocking(false)?;
    read
}

#[cfg(test)]
mod tests {
    use std::{io::Read as _, net::TcpListener};

    use super::*;

    fn soon() -> Deadline {
        Deadline::after(Duration::from_secs(20))
    }

    fn stream_to(listener: &TcpListener) -> Stream {
        Stream::new(StreamPlace::Tcp(listener.local_addr().unwrap().to_string()))
    }

    #[test]
    fn a_connection_is_kept_and_one_that_was_closed_is_opened_anew_before_anything_is_lost() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut stream = stream_to(&listener);
        stream.write(b"one\n", &soon()).unwrap();
        let (mut first, _) = listener.accept().unwrap();
        stream.write(b"two\n", &soon()).unwrap();
        let mut read = [0; 8];
        first.read_exact(&mut read).unwrap();
        assert_eq!(&read, b"one\ntwo\n");
        drop(first);
        // The end of the connection takes a moment to be seen here.
        let begin = clock::real_instant();
        while !stream.open.as_mut().unwrap().0.is_closed() {
            assert!(begin.elapsed() < Duration::from_secs(20));
        }
        stream.write(b"three\n", &soon()).unwrap();
        let (mut second, _) = listener.accept().unwrap();
        let mut read = [0; 6];
        second.read_exact(&mut read).unwrap();
        assert_eq!(&read, b"three\n");
    }

    #[test]
    fn the_end_of_a_connection_is_seen_behind_what_the_other_side_says_last() {
        for (n_said, read) in [(0, 0), (100, 0), (512, 0), (5_000, 0)] {
            let said = vec![b'x'; n_said];
            assert_eq!(read_at_once(&said[..], |_| Ok(())).unwrap(), read, "{n_said}");
        }
        // One who never stops is there.
        assert!(read_at_once(io::repeat(b'x'), |_| Ok(())).unwrap() > 0);
    }

    #[test]
    fn what_nobody_reads_is_waited_for_until_the_deadline_and_says_how_much_was_written() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut stream = stream_to(&listener);
        let short = Deadline::after(Duration::from_millis(200));
        let (n_written, error) = stream.write(&vec![0; 64 << 20], &short).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(n_written > 0 && n_written < 64 << 20, "{n_written}");
        assert!(stream.open.is_none());
    }

    #[test]
    fn nobody_who_listens_is_an_error_of_which_nothing_was_written() {
        let place = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let (n_written, error) =
            Stream::new(StreamPlace::Tcp(place)).write(b"x", &soon()).unwrap_err();
        assert_eq!((n_written, error.kind()), (0, io::ErrorKind::ConnectionRefused));
    }

    #[cfg(all(unix, feature = "syslog"))]
    #[test]
    fn a_receiver_that_lets_nobody_in_is_an_error_and_holds_nobody_up() {
        let path = std::env::temp_dir().join(format!("bellwether-full-{}", std::process::id()));
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let mut streams: Vec<Stream> = Vec::new();
        let error = loop {
            let mut stream = Stream::new(StreamPlace::Unix(path.clone()));
            match stream.write(b"x", &soon()) {
                Ok(()) => streams.push(stream),
                Err((n_written, error)) => break (n_written, error.kind()),
            }
            assert!(streams.len() < 10_000, "its queue has an end");
        };
        assert_eq!(error, (0, io::ErrorKind::WouldBlock));
        drop(listener.accept().unwrap());
        Stream::new(StreamPlace::Unix(path.clone())).write(b"x", &soon()).unwrap();
        std::fs::remove_file(&path).unwrap();
    }
}
