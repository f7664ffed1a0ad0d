//! Datagrams over UDP, or over a Unix socket of datagrams.

use std::{
    fmt, io,
    net::{SocketAddr, UdpSocket},
    time::Instant,
};
#[cfg(unix)]
use std::{os::unix::net::UnixDatagram, path::PathBuf};

use super::{LIFETIME, is_pause, resolve::resolve, step};
use crate::clock::{self, Deadline};

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
enum Socket {
    Udp(UdpSocket),
    #[cfg(unix)]
    Unix(UnixDatagram),
}

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

    pub(crate) fn place(&self) -> &DatagramPlace {
        &self.place
    }

    /// Sends one. That it is sent does not say that it arrives: over UDP it is an error only of a later one
    /// that nobody listens.
    pub(crate) fn send(&mut self, datagram: &[u8], deadline: &Deadline) -> io::Result<()> {
        let socket = match self.open.take() {
            Some((socket, until)) if clock::real_instant() < until => (socket, until),
            _ => (self.connect(deadline)?, clock::deadline(LIFETIME)),
        };
        socket.0.send(datagram, deadline)?; // One that failed is closed.
        self.open = Some(socket);
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
    fn send(&self, datagram: &[u8], deadline: &Deadline) -> io::Result<()> {
        loop {
            let patience = Some(step(deadline)?);
            let sent = match self {
                Self::Udp(socket) => {
                    socket.set_write_timeout(patience).and_then(|()| socket.send(datagram))
                }
                #[cfg(unix)]
                Self::Unix(socket) => {
                    socket.set_write_timeout(patience).and_then(|()| socket.send(datagram))
                }
            };
            match sent {
                Ok(_) => return Ok(()),
                Err(error) if is_pause(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

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
    fn what_nobody_listens_for_is_an_error_of_a_later_one_and_what_is_too_large_of_itself() {
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
}
