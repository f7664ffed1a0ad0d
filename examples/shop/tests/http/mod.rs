//! As much of an HTTP/1.1 client as the tests need: one kept connection, and bodies of a known length.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

/// Longer than any answer takes on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) struct Connection {
    address: String,
    stream: BufReader<TcpStream>,
}

impl Connection {
    pub(crate) fn open(address: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { address: address.to_owned(), stream: BufReader::new(stream) }
    }

    /// The status and the body of what `path` has, asked for with this header `traceparent`.
    pub(crate) fn get(&mut self, path: &str, traceparent: Option<&str>) -> (u16, String) {
        let trace = traceparent.map_or(String::new(), |text| format!("traceparent: {text}\r\n"));
        let request = format!("GET {path} HTTP/1.1\r\nhost: {}\r\n{trace}\r\n", self.address);
        self.stream.get_mut().write_all(request.as_bytes()).unwrap();

        let status = self.line().split(' ').nth(1).unwrap().parse().unwrap();
        let mut length = 0;
        loop {
            let line = self.line();
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(": ").unwrap();
            assert_ne!(name, "transfer-encoding", "only lengths are read");
            if name == "content-length" {
                length = value.parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).unwrap();
        (status, String::from_utf8(body).unwrap())
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        assert!(line.ends_with("\r\n"), "the connection was closed: {line:?}");
        line.trim_end().to_owned()
    }
}
