//! A stream by TLS that is cut off.

use std::{
    io::Read as _,
    net::{TcpListener, TcpStream},
    thread,
    time::Duration,
};

use rustls::{ServerConnection, StreamOwned};

use super::TlsPlace;
use crate::{
    clock::Deadline,
    transport::http_client::tests::support::{Certificate, ROOT_PEM},
};

#[test]
fn what_was_cut_off_is_not_completed_when_the_connection_is_closed() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let connection = ServerConnection::new(Certificate::Good.config(&[])).unwrap();
        let mut stream = StreamOwned::new(connection, listener.accept().unwrap().0);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock).unwrap();
        }
        stream
    });
    let long = Deadline::after(Duration::from_secs(20));
    let place = TlsPlace::new(address.to_string()).roots(ROOT_PEM);
    let mut socket = place.begin(TcpStream::connect(address).unwrap(), &long).unwrap();
    let mut stream = server.join().unwrap();
    let short = Deadline::after(Duration::from_millis(500));
    let (n_written, _) = socket.write(&vec![7; 64 << 20], &short).unwrap_err();
    assert!(n_written > 0);
    let reader = thread::spawn(move || {
        let (mut n_read, mut room) = (0, vec![0; 1 << 16]);
        while let Ok(n @ 1..) = stream.read(&mut room) {
            n_read += n;
        }
        n_read
    });
    drop(socket);
    assert_eq!(reader.join().unwrap(), n_written);
}
