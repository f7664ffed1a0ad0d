//! A request as the server read it.

use std::io::{self, BufRead, Read};

use flate2::read::MultiGzDecoder;

/// What a client sent.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    /// The target, as it stands in the request line.
    pub path: String,
    /// Names in lower case, in the order of the request.
    pub headers: Vec<(String, String)>,
    /// Unpacked, if it came in gzip or zstd.
    pub body: Vec<u8>,
    /// As it came.
    pub sent: Vec<u8>,
}

impl Request {
    /// The first value of a header; `name` in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The body as a text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The next request of a connection; `None` where it ends.
    pub(super) fn read(stream: &mut impl BufRead) -> Option<Self> {
        let line = line(stream)?;
        let mut words = line.split(' ').map(str::to_owned);
        let (method, path) = (words.next()?, words.next()?);
        let mut headers = Vec::new();
        loop {
            let line = self::line(stream)?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':')?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut request = Self { method, path, headers, body: Vec::new(), sent: Vec::new() };
        request.sent = match request.header("transfer-encoding") {
            Some("chunked") => chunks(stream)?,
            _ => {
                let length = request.header("content-length").unwrap_or("0").parse().ok()?;
                exactly(stream, length).ok()?
            }
        };
        request.body = match request.header("content-encoding") {
            Some("gzip") => unpacked(&request.sent),
            Some("zstd") => zstd::decode_all(&*request.sent).expect("zstd"),
            _ => request.sent.clone(),
        };
        Some(request)
    }
}

fn line(stream: &mut impl BufRead) -> Option<String> {
    let mut line = String::new();
    stream.read_line(&mut line).ok().filter(|&length| length > 0)?;
    Some(line.trim_end().to_owned())
}

fn chunks(stream: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let length = usize::from_str_radix(&line(stream)?, 16).ok()?;
        body.extend(exactly(stream, length).ok()?);
        line(stream)?;
        if length == 0 {
            return Some(body);
        }
    }
}

fn exactly(stream: &mut impl BufRead, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn unpacked(bytes: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    io::copy(&mut MultiGzDecoder::new(bytes), &mut body).expect("gzip");
    body
}
