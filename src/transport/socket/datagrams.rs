//! Datagrams over UDP, or over a Unix socket of datagrams.

use std::{
    fmt, io,
    net::{SocketAddr, UdpSocket},
    time::{Duration, Instant},
};
#[cfg(unix)]
use std::{os::unix::net::UnixDatagram, path::PathBuf};

use super::{
    LIFETIME, is_pause,
    resolve::{self, resolve},
    step,
};
use crate::{
    clock::{self, Deadline},
    error::{Error, ErrorKind},
};

/// Where datagrams go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DatagramPlace {
    /// `host:port`.
    Udp(String),
    /// The path of a Unix socket.
    #[cfg(unix)]
    Unix(PathBuf),
}

/// A socket for datagrams, which is opened when one is to be sent.
#[derive(Debug)]
pub(crate) struct Datagrams {
    place: DatagramPlace,
    open: Option<(Socket, Instant)>,
}

#[derive(Debug)]
pub(super) enum Socket {
    Udp(UdpSocket),
    #[cfg(unix)]
    Unix(UnixDatagram),
}

/// What the length in the headers of IPv4 and UDP allows (RFC 768, RFC 791).
const MOST_BYTES_OF_UDP: usize = 65_507;

impl DatagramPlace {
    /// How large a datagram may be to arrive whole: over UDP what fits into a frame of Ethernet below the
    /// headers of IPv6 and some of a tunnel (1,432 bytes), over a Unix socket 8 KiB.
    pub(crate) fn usual_size(&self) -> usize {
        match self {
            Self::Udp(_) => 1_432,
            #[cfg(unix)]
            Self::Unix(_) => 8_192,
        }
    }
}

impl fmt::Display for DatagramPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Udp(place) => write!(f, "udp://{place}"),
            #[cfg(unix)]
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
        }
    }
}

impl Datagrams {
    pub(crate) fn new(place: DatagramPlace) -> Self {
        Self { place, open: None }
    }

    /// Checks the place, and whether a datagram may be as large as `most_bytes`, as far as that can be done without
    /// sending.
    ///
    /// # Errors
    ///
    /// What cannot be used of it.
    pub(crate) fn check(&self, most_bytes: usize) -> Result<(), Error> {
        let what = match &self.place {
            DatagramPlace::Udp(_) if most_bytes > MOST_BYTES_OF_UDP => {
                Err(format!("a datagram has at most {MOST_BYTES_OF_UDP} bytes, not {most_bytes}"))
            }
            DatagramPlace::Udp(place) => resolve::check(place),
            #[cfg(unix)]
            DatagramPlace::Unix(_) => Ok(()),
        };
        let bad = |what| Error::new(ErrorKind::InvalidOption, format!("{}: {what}", self.place));
        what.map_err(bad)
    }

    pub(crate) fn place(&self) -> &DatagramPlace {
        &self.place
    }

    /// Sends one. That it is sent does not say that it arrives: over UDP it is an error of this one that nobody
    /// listens on the own machine, and of a later one elsewhere, if of any.
    pub(crate) fn send(&mut self, datagram: &[u8], deadline: &Deadline) -> io::Result<()> {
        self.by_socket(deadline, |socket| socket.send(datagram))
    }

    /// Sends by the socket that is open, or by another one: again and again, in steps, until the deadline.
    ///
    /// A Unix socket whose server has gone takes nothing any more, though there may be another one at the path.
    pub(super) fn by_socket(
        &mut self,
        deadline: &Deadline,
        send: impl Fn(&Socket) -> io::Result<()>,
    ) -> io::Result<()> {
        if let Some((socket, until)) = self.open.take()
            && clock::real_instant() < until
        {
            match socket.patiently(deadline, &send) {
                Err(error) if socket.is_of_no_server(&error) => {}
                sent => {
                    sent?; // One that failed is closed.
                    self.open = Some((socket, until));
                    return Ok(());
                }
            }
        }
        let socket = self.connect(deadline)?;
        socket.patiently(deadline, &send)?;
        self.open = Some((socket, clock::deadline(LIFETIME)));
        Ok(())
    }

    fn connect(&self, deadline: &Deadline) -> io::Result<Socket> {
        match &self.place {
            DatagramPlace::Udp(place) => Ok(Socket::Udp(connected(&resolve(place, deadline)?)?)),
            #[cfg(unix)]
            DatagramPlace::Unix(path) => {
                let socket = UnixDatagram::unbound()?;
                socket.connect(path)?;
                Ok(Socket::Unix(socket))
            }
        }
    }
}

/// A socket to the first address that can be reached from here.
fn connected(addresses: &[SocketAddr]) -> io::Result<UdpSocket> {
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        let any: SocketAddr = match address {
            SocketAddr::V4(_) => ([0; 4], 0).into(),
            SocketAddr::V6(_) => ([0u16; 8], 0).into(),
        };
        match UdpSocket::bind(any).and_then(|it| it.connect(address).map(|()| it)) {
            Ok(socket) => return Ok(socket),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

impl Socket {
    fn patiently(
        &self,
        deadline: &Deadline,
        send: &impl Fn(&Self) -> io::Result<()>,
    ) -> io::Result<()> {
        loop {
            self.set_patience(step(deadline)?)?;
            match send(self) {
                Err(error) if is_pause(&error) => {}
                sent => return sent,
            }
        }
    }

    fn set_patience(&self, patience: Duration) -> io::Result<()> {
        match self {
            Self::Udp(socket) => socket.set_write_timeout(Some(patience)),
            #[cfg(unix)]
            Self::Unix(socket) => socket.set_write_timeout(Some(patience)),
        }
    }

    fn send(&self, datagram: &[u8]) -> io::Result<()> {
        match self {
            Self::Udp(socket) => {
                socket.send(datagram)?;
                // On the own machine the answer is there already.
                socket.take_error()?.map_or(Ok(()), Err)
            }
            #[cfg(unix)]
            Self::Unix(socket) => socket.send(datagram).map(drop),
        }
    }

    /// Whether nothing was sent because nobody listens at the other end of this socket any more.
    fn is_of_no_server(&self, error: &io::Error) -> bool {
        let is_udp = matches!(self, Self::Udp(_)); // There it may be of the datagram before.
        !is_udp && error.kind() == io::ErrorKind::ConnectionRefused
    }
}

#[cfg(test)]
mod tests {
    use super::{super::is_too_large, *};

    fn soon() -> Deadline {
        Deadline::after(Duration::from_secs(20))
    }

    fn received(by: &UdpSocket) -> Vec<u8> {
        by.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut room = [0; 100];
        let n = by.recv(&mut room).unwrap();
        room[..n].to_vec()
    }

    #[test]
    fn each_send_is_a_datagram_and_the_socket_is_kept() {
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        let place = DatagramPlace::Udp(receiver.local_addr().unwrap().to_string());
        let mut datagrams = Datagrams::new(place);
        datagrams.send(b"one", &soon()).unwrap();
        let Some((Socket::Udp(first), _)) = &datagrams.open else { panic!("closed") };
        let first = first.local_addr().unwrap();
        datagrams.send(b"two", &soon()).unwrap();
        let Some((Socket::Udp(second), _)) = &datagrams.open else { panic!("closed") };
        assert_eq!(second.local_addr().unwrap(), first);
        assert_eq!([received(&receiver), received(&receiver)], [b"one", b"two"]);
    }

    #[test]
    fn what_nobody_listens_for_is_an_error_and_so_is_what_is_too_large() {
        let place = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let mut datagrams = Datagrams::new(DatagramPlace::Udp(place));
        assert!(datagrams.send(&[0; 70_000], &soon()).is_err());
        let refused = (0..1_000).find_map(|_| datagrams.send(b"x", &soon()).err());
        assert_eq!(refused.unwrap().kind(), io::ErrorKind::ConnectionRefused);
    }

    #[cfg(unix)]
    #[test]
    fn a_full_unix_socket_is_waited_for_until_the_deadline_and_a_missing_one_is_an_error() {
        let path = std::env::temp_dir().join(format!("bellwether-dgram-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let mut datagrams = Datagrams::new(DatagramPlace::Unix(path.clone()));
        assert_eq!(datagrams.send(b"x", &soon()).unwrap_err().kind(), io::ErrorKind::NotFound);
        let receiver = UnixDatagram::bind(&path).unwrap();
        let short = Deadline::after(Duration::from_millis(100));
        let full = (0..100_000).find_map(|_| datagrams.send(&[7; 64], &short).err());
        assert_eq!(full.unwrap().kind(), io::ErrorKind::TimedOut);
        let mut room = [0; 100];
        assert_eq!(receiver.recv(&mut room).unwrap(), 64);
        datagrams.send(b"there is room again", &soon()).unwrap();
        std::fs::remove_file(&path).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn a_unix_socket_whose_server_was_replaced_is_opened_anew_and_nothing_is_lost() {
        let path = std::env::temp_dir().join(format!("bellwether-anew-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let first = UnixDatagram::bind(&path).unwrap();
        let mut datagrams = Datagrams::new(DatagramPlace::Unix(path.clone()));
        datagrams.send(b"one", &soon()).unwrap();
        drop(first);
        let refused = datagrams.send(b"two", &soon()).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        std::fs::remove_file(&path).unwrap();
        let second = UnixDatagram::bind(&path).unwrap();
        datagrams.send(b"three", &soon()).unwrap();
        drop(second);
        std::fs::remove_file(&path).unwrap();
        let third = UnixDatagram::bind(&path).unwrap();
        datagrams.send(b"four", &soon()).unwrap();
        let mut room = [0; 100];
        assert_eq!(third.recv(&mut room).unwrap(), 4);
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_datagram_that_is_too_large_is_known_as_such() {
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        let place = DatagramPlace::Udp(receiver.local_addr().unwrap().to_string());
        let error = Datagrams::new(place).send(&[0; 65_508], &soon()).unwrap_err();
        assert!(is_too_large(&error), "{error}");
        assert!(!is_too_large(&io::ErrorKind::ConnectionRefused.into()));
    }
}
