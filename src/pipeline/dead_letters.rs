//! A file of what backends refused for good.

use std::{
    fmt::Write as _,
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use super::Payload;
use crate::{
    clock::{self, Timestamp},
    sync::Mutex,
    util::escape::escape,
};

/// A file that gets what backends refuse for good, so that somebody can find out why. Clones share the file.
///
/// A line is a JSON object (JSON Lines) for each refusal, with its time, the route, the error, and the
/// encoded records:
///
/// ```json
/// {"time":"2026-11-30T08:00:00Z","exporter":"zipkin","signal":"spans","error":"400: …","rejected":1,"records":["…"]}
/// ```
///
/// - `records` are what the attempt sent. If `rejected` is smaller than their number, the backend refused
///   some of them and did not say which: OTLP's partial success, say.
/// - A record is text where it is UTF-8; else it stands in `records_hex`, as hexadecimal digits. What is sent
///   once for all records (the resource, of OTLP) stands in `head` or `head_hex` in the same way.
/// - The file is created at the first refusal, for its owner alone (mode 0600 on Unix); one that is there already
///   keeps its permissions, and a link is followed. It is for one process, and on a local disk: a route that has
///   something to write waits for it. At 64 MiB, or
///   [`max_bytes`](Self::max_bytes), no more is written to it; a diagnostic says so. Move it away, and the
///   next refusal creates another. The counts of `rejected` records go on whatever becomes of the file.
///
/// Records stand in it as they would have been sent: after all processors, with what these left of them.
///
/// # Examples
///
/// ```no_run
/// let telemetry = bellwether::builder("shop").dead_letters("/var/log/shop.refused.jsonl").start()?;
/// # Ok::<(), bellwether::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a file that is given to no route stays empty"]
pub struct DeadLetters {
    path: PathBuf,
    max_bytes: u64,
    /// Held while a line is written. No other lock is taken inside it.
    turn: Arc<Mutex<()>>,
}

/// What is said about a refusal besides its records.
pub(super) struct Refusal<'a> {
    pub(super) exporter: &'a str,
    pub(super) signal: &'a str,
    pub(super) error: &'a str,
    pub(super) n_rejected: usize,
}

impl DeadLetters {
    /// Writes to the file at `path`, which need not exist.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), max_bytes: 64 << 20, turn: Arc::default() }
    }

    /// The most bytes of the file.
    pub fn max_bytes(self, n: u64) -> Self {
        Self { max_bytes: n, ..self }
    }

    /// The path of the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds a line.
    pub(super) fn add(&self, refusal: &Refusal<'_>, payload: &Payload) -> Result<(), String> {
        let written = match self.turn.try_lock_until(clock::deadline(PATIENCE)) {
            Some(_turn) => self.append(refusal, payload),
            None => Err(io::Error::other("another route is at it for too long")),
        };
        written.map_err(|what| format!("not written to {}: {what}", self.path.display()))
    }

    fn append(&self, refusal: &Refusal<'_>, payload: &Payload) -> io::Result<()> {
        // What is no file would be opened by whoever reads its other end, a pipe say.
        if fs::metadata(&self.path).is_ok_and(|found| !found.is_file()) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file"));
        }
        let file = open(&self.path)?;
        let n_bytes = payload.head().len() + payload.bytes().len();
        self.check_room(&file, n_bytes)?; // Before all of it is made a text.
        self.write(file, line(refusal, payload).as_bytes())
    }

    fn write(&self, mut file: fs::File, line: &[u8]) -> io::Result<()> {
        let n_before = self.check_room(&file, line.len())?;
        file.write_all(line).inspect_err(|_| {
            let _ = file.set_len(n_before); // The next line is not to continue a torn one.
        })
    }

    /// How many bytes there are, if there may be `more`.
    fn check_room(&self, file: &fs::File, more: usize) -> io::Result<u64> {
        let n_bytes = file.metadata()?.len();
        if n_bytes.saturating_add(more as u64) > self.max_bytes {
            let what = format!("it is full: {n_bytes} of {} bytes", self.max_bytes);
            return Err(io::Error::new(io::ErrorKind::StorageFull, what));
        }
        Ok(n_bytes)
    }
}

/// How long a route waits for another one that writes. Arbitrary.
const PATIENCE: Duration = Duration::from_secs(1);

impl<P: Into<PathBuf>> From<P> for DeadLetters {
    fn from(path: P) -> Self {
        Self::new(path)
    }
}

#[cfg(unix)]
fn open(path: &Path) -> io::Result<fs::File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    fs::File::options().append(true).create(true).mode(0o600).open(path)
}

#[cfg(not(unix))]
fn open(path: &Path) -> io::Result<fs::File> {
    fs::File::options().append(true).create(true).open(path)
}

fn line(refusal: &Refusal<'_>, payload: &Payload) -> String {
    let Refusal { exporter, signal, error, n_rejected } = *refusal;
    let mut line = format!("{{\"time\":\"{}\",\"exporter\":\"", Timestamp::now());
    text(&mut line, exporter);
    line.push_str("\",\"signal\":\"");
    text(&mut line, signal);
    line.push_str("\",\"error\":\"");
    text(&mut line, error);
    // Writing to a string does not fail.
    let _ = write!(line, "\",\"rejected\":{n_rejected}");
    if !payload.head().is_empty() {
        let is_text = str::from_utf8(payload.head()).is_ok();
        line.push_str(if is_text { ",\"head\":" } else { ",\"head_hex\":" });
        quoted(&mut line, payload.head(), is_text);
    }
    let is_text = payload.records().all(|record| str::from_utf8(record).is_ok());
    line.push_str(if is_text { ",\"records\":[" } else { ",\"records_hex\":[" });
    for (place, record) in payload.records().enumerate() {
        if place > 0 {
            line.push(',');
        }
        quoted(&mut line, record, is_text);
    }
    line.push_str("]}\n");
    line
}

fn text(line: &mut String, text: &str) {
    escape(text, |piece| line.push_str(piece));
}

/// `bytes` as a string of JSON: as they are, or as digits.
fn quoted(line: &mut String, bytes: &[u8], is_text: bool) {
    line.push('"');
    match str::from_utf8(bytes) {
        Ok(utf8) if is_text => text(line, utf8),
        _ => bytes.iter().for_each(|byte| {
            let _ = write!(line, "{byte:02x}");
        }),
    }
    line.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFUSAL: Refusal<'_> =
        Refusal { exporter: "otlp", signal: "spans", error: "400: \"no\"\nway", n_rejected: 2 };

    fn payload(head: &[u8], records: &[&[u8]]) -> Payload {
        let mut payload = Payload::with_head(head);
        records.iter().for_each(|record| payload.record(|bytes| bytes.extend_from_slice(record)));
        payload
    }

    fn read(line: &str) -> serde_json::Value {
        assert_eq!(line.matches('\n').count(), 1, "{line}");
        serde_json::from_str(line).unwrap()
    }

    #[test]
    fn a_line_is_an_object_with_the_error_and_the_records() {
        let read = read(&line(&REFUSAL, &payload(b"", &["a\u{1}".as_bytes(), "é\"".as_bytes()])));
        assert_eq!(read["exporter"], "otlp");
        assert_eq!(read["error"], "400: \"no\"\nway");
        assert_eq!(read["records"], serde_json::json!(["a\u{1}", "é\""]));
        assert_eq!((&read["rejected"], read.get("head")), (&serde_json::json!(2), None));
    }

    #[test]
    fn bytes_that_are_no_text_stand_as_digits() {
        let read = read(&line(&REFUSAL, &payload(&[0xff], &[b"text", &[0, 0x9f]])));
        assert_eq!(read["head_hex"], "ff");
        assert_eq!(read["records_hex"], serde_json::json!(["74657874", "009f"]));
    }

    #[test]
    fn a_file_may_have_as_many_bytes_as_it_is_allowed_and_not_one_more() {
        let name = format!("bellwether-letters-exact-{}", std::process::id());
        let letters = DeadLetters::new(std::env::temp_dir().join(name)).max_bytes(10);
        let write = |text: &[u8]| letters.write(open(letters.path()).unwrap(), text);
        write(b"12345").unwrap();
        write(b"67890").unwrap();
        assert!(write(b"\n").is_err());
        assert_eq!(fs::read(letters.path()).unwrap(), b"1234567890");
        fs::remove_file(letters.path()).unwrap();
    }
}
