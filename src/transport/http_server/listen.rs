//! Listens on an address as people write it.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, TcpListener, ToSocketAddrs as _},
};

use crate::error::{Error, ErrorKind};

/// Listens on `addr`: `host:port`, or `:port` for every interface.
///
/// # Errors
///
/// [`ErrorKind::InvalidOption`] if it is not such an address, with what to write instead;
/// [`ErrorKind::Io`] if the host is unknown, or the system refuses.
pub(super) fn listen(addr: &str) -> Result<TcpListener, Error> {
    let (host, port) = parse(addr).map_err(|fault| {
        let text = format!(
            "cannot listen on {addr:?}: {fault}; write a host and a port, \
             such as \"127.0.0.1:9464\", or \":9464\" for every interface"
        );
        Error::new(ErrorKind::InvalidOption, text)
    })?;
    let failed = |error: io::Error, what: &str| {
        Error::new(ErrorKind::Io, format!("cannot listen on {addr:?}: {what}{error}"))
    };
    if host.is_empty() {
        return everywhere(port).map_err(|error| failed(error, ""));
    }
    let unbracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let addresses = (unbracketed.unwrap_or(host), port).to_socket_addrs();
    let addresses = addresses.map_err(|error| failed(error, "the host is not known: "))?;
    TcpListener::bind(&*addresses.collect::<Vec<_>>()).map_err(|error| failed(error, ""))
}

/// The host, which may be empty, and the port; or what is wrong with `addr`.
fn parse(addr: &str) -> Result<(&str, u16), &'static str> {
    if addr.contains('/') {
        return Err("it is a URL or a path");
    }
    let (host, port) = addr.rsplit_once(':').ok_or("it has no port")?;
    if host.starts_with('[') != host.ends_with(']') {
        return Err("it has no port");
    }
    if host.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err("its host has a space or a line break in it");
    }
    if host == "*" {
        return Err("\"*\" is no host");
    }
    let is_number = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    match port.parse() {
        Ok(port) if is_number => Ok((host, port)),
        _ if is_number => Err("its port is beyond 65535"),
        _ => Err("its port is no number"),
    }
}

/// Listens on every interface: for IPv6 and IPv4 if one socket accepts both, otherwise for IPv4.
fn everywhere(port: u16) -> io::Result<TcpListener> {
    let Ok(both) = TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)) else {
        return TcpListener::bind((Ipv4Addr::UNSPECIFIED, port));
    };
    // If IPv4 is still free, the system is set up so that the first socket accepts only IPv6.
    match TcpListener::bind((Ipv4Addr::UNSPECIFIED, both.local_addr()?.port())) {
        Ok(of_ipv4) => Ok(of_ipv4),
        Err(_) => Ok(both),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_that_may_be_left_out_and_a_port() {
        for (addr, host, port) in [
            ("127.0.0.1:9464", "127.0.0.1", 9464),
            (":9555", "", 9555),
            ("localhost:0", "localhost", 0),
            ("[::1]:80", "[::1]", 80),
            ("::1:80", "::1", 80),
            ("shop.example:65535", "shop.example", 65535),
        ] {
            assert_eq!(parse(addr), Ok((host, port)), "{addr}");
        }
    }

    #[test]
    fn what_is_no_address_is_told_what_is_wrong_and_what_to_write() {
        for (addr, fault) in [
            ("", "it has no port"),
            ("9464", "it has no port"),
            ("127.0.0.1", "it has no port"),
            ("localhost", "it has no port"),
            ("[::1]", "it has no port"),
            (":", "its port is no number"),
            ("::", "its port is no number"),
            ("127.0.0.1:", "its port is no number"),
            ("127.0.0.1:http", "its port is no number"),
            (":+80", "its port is no number"),
            (":-1", "its port is no number"),
            (":9464 ", "its port is no number"),
            (" :9464", "its host has a space or a line break in it"),
            ("a\nb:1", "its host has a space or a line break in it"),
            (":65536", "its port is beyond 65535"),
            ("*:9464", "\"*\" is no host"),
            ("http://127.0.0.1:9464", "it is a URL or a path"),
            (":9464/metrics", "it is a URL or a path"),
            ("unix:/run/shop.sock", "it is a URL or a path"),
        ] {
            let error = listen(addr).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidOption, "{addr:?}");
            let text = error.to_string();
            assert!(text.starts_with(&format!("cannot listen on {addr:?}: {fault}; ")), "{text}");
            assert!(text.contains("\":9464\" for every interface"), "{text}");
        }
    }

    #[test]
    fn without_a_host_it_listens_on_every_interface() {
        let listener = listen(":0").unwrap();
        let addr = listener.local_addr().unwrap();
        assert!(addr.ip().is_unspecified(), "{addr}");
        let client = std::net::TcpStream::connect(("127.0.0.1", addr.port())).unwrap();
        assert_eq!(client.peer_addr().unwrap().port(), addr.port());
        // A port in use is in use on every interface.
        let error = listen(&format!(":{}", addr.port())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io);
    }

    #[test]
    fn a_host_that_is_not_known_is_said_to_be_so() {
        // A label of a name has 63 bytes at most: no resolver is asked.
        let addr = format!("{}.invalid:9464", "x".repeat(64));
        let error = listen(&addr).unwrap_err();
        assert!(error.to_string().contains("the host is not known: "), "{error}");
    }
}
