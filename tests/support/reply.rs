//! What a request gets, and how that goes wrong.

use std::{
    fmt,
    io::{self, Write as _},
    net::{SocketAddr, TcpStream},
    thread,
    time::Duration,
};

use flate2::{Compression, write::GzEncoder};

use super::server::{Stream, wait};

/// An answer, or what stands in its place.
#[derive(Clone)]
pub struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    delay: Duration,
    manner: Manner,
}

#[derive(Clone, Copy, Debug)]
enum Manner {
    /// Whole, and the connection stays open.
    Whole,
    /// By HTTP/1.0, without a length: the body ends with the connection.
    Old,
    /// Only so many bytes of head and body; then the connection is closed.
    Cut(usize),
    /// The body announces so many bytes more, or fewer, than it has; then the connection is closed.
    Misannounced(isize),
    /// The head at once, then one byte of the body after each pause.
    Trickle(Duration),
    /// A body of so many bytes that is nothing but zeros, with its length announced or in chunks.
    Zeros { length: u64, announced: bool },
    /// The body alone, as if it were an answer.
    Raw,
    /// None, until the client hangs up.
    Silence,
    /// Established, to the address, as a proxy does it.
    Tunnel(SocketAddr),
}

impl Reply {
    /// 200 without a body.
    pub fn ok() -> Self {
        Self::status(200)
    }

    /// A status without a body.
    pub fn status(status: u16) -> Self {
        let (headers, body) = (Vec::new(), Vec::new());
        Self { status, headers, body, delay: Duration::ZERO, manner: Manner::Whole }
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A body, such as what of a batch was accepted.
    pub fn body(self, body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..self }
    }

    /// 429 with `Retry-After`: seconds, a date, or anything else.
    pub fn slow_down(retry_after: &str) -> Self {
        Self::status(429).header("retry-after", retry_after)
    }

    /// Late by `delay`.
    pub fn after(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }

    /// By HTTP/1.0: without a length, ended by the end of the connection.
    pub fn http_1_0(self) -> Self {
        Self { manner: Manner::Old, ..self }
    }

    /// Ends after `n` bytes of head and body.
    pub fn cut_at(self, n: usize) -> Self {
        Self { manner: Manner::Cut(n), ..self }
    }

    /// Announces a body longer or shorter than it is, by `by` bytes.
    pub fn misannounced(self, by: isize) -> Self {
        Self { manner: Manner::Misannounced(by), ..self }
    }

    /// One byte of the body after each `pause`.
    pub fn trickle(self, pause: Duration) -> Self {
        Self { manner: Manner::Trickle(pause), ..self }
    }

    /// A body of `length` zeros in chunks, such as 10 GiB: they are not kept anywhere.
    pub fn zeros(self, length: u64) -> Self {
        Self { manner: Manner::Zeros { length, announced: false }, ..self }
    }

    /// As [`zeros`](Self::zeros), with the length announced.
    pub fn announced_zeros(self, length: u64) -> Self {
        Self { manner: Manner::Zeros { length, announced: true }, ..self }
    }

    /// `length` zeros in gzip, about a thousandth of that.
    pub fn gzip_bomb(length: usize) -> Self {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        io::copy(&mut io::Read::take(io::repeat(0), length as u64), &mut encoder).unwrap();
        let body = encoder.finish().unwrap();
        Self::ok().header("content-encoding", "gzip").body(body)
    }

    /// These bytes and no other; then the connection is closed.
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self { manner: Manner::Raw, ..Self::ok().body(bytes) }
    }

    /// Bytes that are no HTTP.
    pub fn garbage() -> Self {
        Self::raw((0..4096_u32).map(|n| (n * 167 + 13) as u8).collect::<Vec<_>>())
    }

    /// Closes the connection.
    pub fn close() -> Self {
        Self::raw([])
    }

    /// Nothing, until the client hangs up.
    pub fn silence() -> Self {
        Self { manner: Manner::Silence, ..Self::ok() }
    }

    /// What a proxy does at `CONNECT`: answers 200, and connects to `address`, whatever was asked for.
    pub fn tunnel(address: SocketAddr) -> Self {
        Self { manner: Manner::Tunnel(address), ..Self::ok() }
    }

    fn head(&self, length: Option<u64>, version: &str) -> String {
        let mut head = format!("HTTP/{version} {} Said\r\n", self.status);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if let Some(length) = length {
            head.push_str(&format!("content-length: {length}\r\n"));
        }
        head
    }

    /// Writes it; returns whether the connection stays open.
    pub(super) fn write(&self, stream: &mut dyn Stream) -> io::Result<bool> {
        if !wait(stream, self.delay) {
            return Ok(false);
        }
        let length = self.body.len() as u64;
        let plain = || format!("{}\r\n", self.head(Some(length), "1.1")).into_bytes();
        match self.manner {
            Manner::Whole => {
                stream.write_all(&[plain(), self.body.clone()].concat())?;
                return Ok(true);
            }
            Manner::Old => {
                let head = format!("{}\r\n", self.head(None, "1.0"));
                stream.write_all(&[head.as_bytes(), &self.body].concat())?;
            }
            Manner::Cut(n) => {
                let whole = [plain(), self.body.clone()].concat();
                stream.write_all(&whole[..n.min(whole.len())])?;
            }
            Manner::Misannounced(by) => {
                let head = self.head(Some(length.saturating_add_signed(by as i64)), "1.1");
                stream.write_all(&[format!("{head}\r\n").as_bytes(), &self.body].concat())?;
            }
            Manner::Trickle(pause) => {
                stream.write_all(&plain())?;
                for byte in &self.body {
                    if !wait(stream, pause) {
                        return Ok(false);
                    }
                    stream.write_all(&[*byte])?;
                }
                return Ok(true);
            }
            Manner::Zeros { length, announced } => self.write_zeros(stream, length, announced)?,
            Manner::Raw => stream.write_all(&self.body)?,
            Manner::Silence => while wait(stream, Duration::from_secs(3600)) {},
            Manner::Tunnel(address) => {
                stream.write_all(&plain())?;
                tunnel(stream, TcpStream::connect(address)?)?;
            }
        }
        Ok(false)
    }

    fn write_zeros(&self, stream: &mut dyn Stream, length: u64, announced: bool) -> io::Result<()> {
        const PIECE: usize = 1 << 16;
        let mut piece = vec![0; PIECE];
        let mut head = self.head(announced.then_some(length), "1.1");
        if !announced {
            head.push_str("transfer-encoding: chunked\r\n");
            piece = [format!("{PIECE:x}\r\n").as_bytes(), &piece, b"\r\n"].concat();
        }
        stream.write_all(format!("{head}\r\n").as_bytes())?;
        for _ in 0..length / PIECE as u64 {
            stream.write_all(&piece)?;
        }
        if !announced {
            stream.write_all(b"0\r\n\r\n")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (status, length, delay) = (self.status, self.body.len(), self.delay);
        write!(f, "{status} with {length} bytes, {:?}, late by {delay:?}", self.manner)
    }
}

/// Carries bytes both ways until one side ends.
fn tunnel(near: &mut dyn Stream, far: TcpStream) -> io::Result<()> {
    let (mut from_far, mut to_far) = (far.try_clone()?, far.try_clone()?);
    let mut to_near = near.twin()?;
    let back = thread::spawn(move || {
        let _ = io::copy(&mut from_far, &mut to_near);
        let _ = to_near.hang_up();
    });
    near.be_patient(None)?;
    let _ = io::copy(near, &mut to_far);
    let _ = far.shutdown(std::net::Shutdown::Both);
    let _ = back.join();
    Ok(())
}
