//! Alerts as lines of text.

use std::{
    fmt::{self, Write as _},
    io::{self, Write},
};

use super::notification::Notification;
use crate::{
    alert::Alert,
    pipeline::{Batch, Deadline, ExportError, ExportResult, Exporter, Route},
    util::standard::Stderr,
};

/// Writes one line for each alert that is [due](Notification::due), and flushes: when it begins to
/// fire, when it is resolved, and when it is repeated after a minute.
///
/// A line has the state in capitals, the rule, the labels, the value, and the annotations:
///
/// ```text
/// FIRING HighErrorRate http.route=/checkout severity=critical value=0.31 summary="Checkout fails"
/// ```
///
/// A text with anything but letters, digits and `_.:/@%+-` is quoted, and escaped as in Rust, so an
/// alert is always one line.
///
/// If writing fails, the rest of the batch is retried; a line whose flush failed may be written twice.
/// If the writer blocks, it holds back no other notifier.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use bellwether::{
///     alert::{Alert, notify::{Notification, Writer}},
///     pipeline::{Batch, Deadline, Exporter},
/// };
///
/// let mut lines = Vec::new();
/// // `Writer::new` takes anything that is `Write`, such as a file or a socket.
/// # struct Shared(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);
/// # impl std::io::Write for Shared {
/// #     fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
/// #         self.0.lock().unwrap().extend_from_slice(bytes);
/// #         Ok(bytes.len())
/// #     }
/// #     fn flush(&mut self) -> std::io::Result<()> { Ok(()) }
/// # }
/// # let shared = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
/// # let file = Shared(shared.clone());
/// let mut writer = Writer::new(file);
/// let alert = Alert::firing("QueueFull", &[("team", "shop")], &[("summary", "It is full")]);
/// let batch = Batch::from(vec![Notification::new(vec![alert])]);
/// writer.export(&batch, &Deadline::after(Duration::from_secs(1)))?;
/// # lines.append(&mut shared.lock().unwrap());
/// let lines = String::from_utf8(lines)?;
/// assert_eq!(lines, "FIRING QueueFull team=shop value=1 summary=\"It is full\"\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Writer<W> {
    out: W,
}

impl<W: Write + Send + 'static> Writer<W> {
    /// A notifier that writes to `out`.
    #[must_use]
    pub fn new(out: W) -> Self {
        Self { out }
    }

    fn write(&mut self, notification: &Notification) -> io::Result<()> {
        let mut lines = String::new();
        for alert in notification.due() {
            // Writing to a String cannot fail.
            let _ = writeln!(lines, "{}", Line(alert));
        }
        self.out.write_all(lines.as_bytes())?;
        self.out.flush()
    }
}

/// A notifier that writes to the standard error stream, without waiting for the lock of
/// [`std::io::stderr`]. A line is one write to the operating system.
#[must_use]
pub fn stderr() -> Writer<impl Write + Send + 'static> {
    Writer::new(Stderr)
}

impl<W: Write + Send + 'static> Exporter<Notification> for Writer<W> {
    fn export(&mut self, batch: &Batch<Notification>, _: &Deadline) -> ExportResult<Notification> {
        for (place, notification) in batch.iter().enumerate() {
            self.write(notification)
                .map_err(|error| ExportError::retry(error).unsent(batch.skip(place)))?;
        }
        Ok(())
    }

    fn name(&self) -> &str {
        "alert-writer"
    }
}

impl<W: Write + Send + 'static> From<Writer<W>> for Route<Notification> {
    fn from(writer: Writer<W>) -> Self {
        Self::new(writer)
    }
}

impl<W> fmt::Debug for Writer<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}

struct Line<'a>(&'a Alert);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(alert) = self;
        write!(f, "{} {}", alert.state().as_str().to_ascii_uppercase(), Word(alert.name()))?;
        for (key, value) in alert.labels().iter().filter(|&(key, _)| key != "alertname") {
            write!(f, " {key}={}", Word(value))?;
        }
        write!(f, " value={}", alert.value())?;
        alert.annotations().try_for_each(|(key, text)| write!(f, " {key}={}", Word(text)))
    }
}

/// A text as one word: quoted if a reader could take it for more than one.
struct Word<'a>(&'a str);

impl fmt::Display for Word<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_plain = |c: char| c.is_alphanumeric() || "_.:/@%+-".contains(c);
        match self.0 {
            "" => f.write_str("\"\""),
            text if text.chars().all(is_plain) => f.write_str(text),
            text => write!(f, "{text:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_breaks_a_line_or_forges_a_pair() {
        let forged = "x\nFIRING Other\u{2028}a=b";
        let alert = Alert::firing("A\nB", &[("path", forged), ("number", "7")], &[("s", "\"")]);
        assert_eq!(
            Line(&alert.resolved()).to_string(),
            r#"RESOLVED "A\nB" number=7 path="x\nFIRING Other\u{2028}a=b" value=1 s="\"""#
        );
    }
}
