//! A receiver of OTLP over HTTP that does as little as it can: it unpacks each request and counts its spans.

use std::{
    io::{self, BufRead, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use flate2::bufread::GzDecoder;

/// How a sink answers.
#[derive(Clone, Copy)]
pub enum Manner {
    /// At once.
    Fast,
    /// So that it takes so many spans a second over each connection.
    Paced(u64),
    /// Never.
    Stuck,
}

/// What a sink was sent.
#[derive(Default)]
pub struct Counts {
    pub spans: AtomicU64,
    pub requests: AtomicU64,
    /// Of requests, as they came.
    pub bytes: AtomicU64,
    /// Of requests, unpacked.
    pub unpacked: AtomicU64,
}

/// A sink of this process, which lasts as long as it does.
pub struct Sink {
    pub url: String,
    pub counts: Arc<Counts>,
}

impl Sink {
    pub fn start(manner: Manner) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}", listener.local_addr()?);
        let counts = Arc::new(Counts::default());
        let counted = counts.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let counts = counted.clone();
                thread::spawn(move || {
                    // An error is the end of the connection.
                    let _ = serve(&stream, manner, &counts);
                });
            }
        });
        Ok(Self { url, counts })
    }

    pub fn spans(&self) -> u64 {
        self.counts.spans.load(Relaxed)
    }
}

fn serve(stream: &TcpStream, manner: Manner, counts: &Counts) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::with_capacity(1 << 16, stream);
    let (mut body, mut unpacked) = (Vec::new(), Vec::new());
    let mut free_at = Instant::now();
    while let Some((length, is_packed)) = head(&mut reader)? {
        body.resize(length, 0);
        reader.read_exact(&mut body)?;
        unpacked.clear();
        match is_packed {
            true => drop(GzDecoder::new(&*body).read_to_end(&mut unpacked)?),
            false => unpacked.extend_from_slice(&body),
        }
        if matches!(manner, Manner::Stuck) {
            // Until the client hangs up.
            return io::copy(&mut reader, &mut io::sink()).map(drop);
        }
        let n = spans(&unpacked);
        if let Manner::Paced(rate) = manner {
            free_at = free_at.max(Instant::now()) + Duration::from_nanos(n * 1_000_000_000 / rate);
            thread::sleep(free_at.saturating_duration_since(Instant::now()));
        }
        counts.spans.fetch_add(n, Relaxed);
        counts.requests.fetch_add(1, Relaxed);
        counts.bytes.fetch_add(length as u64, Relaxed);
        counts.unpacked.fetch_add(unpacked.len() as u64, Relaxed);
        let mut stream = stream;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")?;
    }
    Ok(())
}

/// How long the body of the next request is, and whether it is compressed; none at the end.
fn head(reader: &mut impl BufRead) -> io::Result<Option<(usize, bool)>> {
    let (mut line, mut length, mut is_packed) = (String::new(), 0, false);
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let lower = line.trim_end().to_ascii_lowercase();
        match lower.split_once(':') {
            Some(("content-length", value)) => length = value.trim().parse().unwrap_or(0),
            Some(("content-encoding", value)) => is_packed = value.trim() == "gzip",
            _ if lower.is_empty() => return Ok(Some((length, is_packed))),
            _ => {}
        }
    }
}

/// The spans of an `ExportTraceServiceRequest`: `resource_spans` is its field 1, `scope_spans` of that and
/// `spans` of that are fields 2.
fn spans(request: &[u8]) -> u64 {
    let mut n = 0;
    each(request, 1, &mut |resource| {
        each(resource, 2, &mut |scope| each(scope, 2, &mut |_| n += 1));
    });
    n
}

/// Calls `take` with each message that is the field `number` of a message whose fields are all messages or texts.
fn each<'a>(mut message: &'a [u8], number: u64, take: &mut impl FnMut(&'a [u8])) {
    while let Some(tag) = varint(&mut message) {
        let (3.., 2) = (tag, tag & 7) else { return };
        let Some(length) = varint(&mut message).and_then(|length| usize::try_from(length).ok())
        else {
            return;
        };
        let Some((field, rest)) = message.split_at_checked(length) else { return };
        if tag >> 3 == number {
            take(field);
        }
        message = rest;
    }
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let (mut value, mut shift) = (0, 0);
    loop {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte < 0x80 {
            return Some(value);
        }
        shift += 7;
    }
}
