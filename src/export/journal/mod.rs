//! Logs to systemd's journal, with their fields, on Linux.
//!
//! `journalctl TRACE_ID=4bf92f3577b34da6a3ce929d0e0e4736` then shows all of a trace, and `journalctl -o json` each
//! field of it. The journal's native protocol is written here; libsystemd is not needed.
//!
//! # What is sent, and when?
//!
//! An entry for each log record, when a batch of 512 is full or a second old, at each flush and at shutdown. An entry
//! is a datagram; one that is larger than the system's datagrams (some 200 KB) is a file in memory that nobody can
//! change any more, whose descriptor is passed.
//!
//! | field | is |
//! |---|---|
//! | `MESSAGE` | the body |
//! | `PRIORITY` | syslog's severity: 7 for `TRACE` and `DEBUG`, 6 for `INFO`, 5 for `INFO2` to `INFO4`, 4 for `WARN`, 3 for `ERROR`, 2 for `ERROR2` to `ERROR4`, 1 for `FATAL`, 0 for `FATAL4`, which the journal shows on every terminal |
//! | `SEVERITY_TEXT` | what `PRIORITY` does not say of it |
//! | `SYSLOG_IDENTIFIER` | `service.name`; or [as set](Journal::identifier) |
//! | `TIMESTAMP` | when it happened, as RFC 3339 with nanoseconds in UTC; the journal's own times are those of its arrival |
//! | `TARGET`, `EVENT_NAME` | the target, the name of the event |
//! | `TRACE_ID`, `SPAN_ID` | the span that it belongs to |
//! | `CODE_FILE`, `CODE_LINE` | where in the source it is from |
//! | `CODE_FUNC` | its attribute `code.function.name` |
//! | `OBSERVED` | when it was seen, if that was later |
//! | `REPEATED`, `SUPPRESSED`, `DROPPED_ATTRIBUTES`, `TRUNCATED_TEXTS`, `LEFT_OUT` | numbers, where they are not zero |
//! | the key of an attribute, in capitals | its value, an array as JSON |
//!
//! The journal itself adds who has sent it: process, user, unit, machine, boot.
//!
//! Of a key, `_` stands for what is no letter or digit of ASCII: `http.route` is `HTTP_ROUTE`. `ATTR_` goes before
//! it where it begins with anything but a letter, and where it would be one of the fields above. A name has at
//! most 64 characters. Two keys that become one name are both there: the journal takes several values of a field.
//! Values are as they were, line feeds and NULs among them. Attributes beyond 960 are left out and counted in
//! `LEFT_OUT`: the journal takes no entry of more than 1,024 fields.
//!
//! # What happens when the journal is down, slow, or says no?
//!
//! While its socket is missing or nobody listens, or it is full, records wait in the route's queue, and are sent
//! again, from the one on that was not sent, as long as [`Retry`](crate::pipeline::Retry) says. What does not fit into
//! the queue is dropped and counted. A journal that was restarted is connected to anew. It answers nothing.
//!
//! On other systems the route does not start.
//!
//! # What may be lost or doubled?
//!
//! What the journal has not read when it is killed, unless systemd holds its socket meanwhile, as it does where it
//! runs. What it drops because a service logs too much (`RateLimitBurst=`, 10,000 in 30 s by default); it logs how much
//! that was. Both count as delivered. Nothing is sent twice.
//!
//! # Examples
//!
//! ```
//! use bellwether::export::journal::Journal;
//!
//! # #[cfg(target_os = "linux")]
//! # {
//! let journal = Journal::new().field("SYSLOG_FACILITY", "3");
//! let telemetry = bellwether::builder("shop").export(journal).start()?;
//! # drop(telemetry);
//! # }
//! # Ok::<(), bellwether::Error>(())
//! ```

mod encoder;
mod field;
mod options;
#[cfg(target_os = "linux")]
mod sender;
#[cfg(not(target_os = "linux"))]
#[path = "sender_absent.rs"]
mod sender;
#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;

use std::{borrow::Cow, path::PathBuf};

use self::{encoder::Entries, options::Options, sender::Send};
use super::{Backend, Routes};
use crate::{
    log::LogRecord,
    pipeline::{Encoder, Route},
};

/// Sends logs to systemd's journal; the [module](self) says what, when, and what may go wrong.
#[derive(Clone, Debug)]
#[must_use = "a backend that is given to no builder sends nothing"]
pub struct Journal(Options);

/// Where the journal listens.
const SOCKET: &str = "/run/systemd/journal/socket";

impl Journal {
    /// Sends to the journal of the system.
    #[expect(clippy::new_without_default, reason = "what it is of should be read where it is made")]
    pub fn new() -> Self {
        Self(Options { socket: SOCKET.into(), identifier: None, fields: Vec::new() })
    }

    /// Sends to another socket of the same protocol: to the journal of a namespace, whose is at
    /// `/run/systemd/journal.NAMESPACE/socket`.
    pub fn socket(mut self, path: impl Into<PathBuf>) -> Self {
        self.0.socket = path.into();
        self
    }

    /// Sets `SYSLOG_IDENTIFIER`, which `journalctl -t` selects by.
    pub fn identifier(mut self, identifier: impl Into<String>) -> Self {
        self.0.identifier = Some(identifier.into());
        self
    }

    /// Adds a field to each entry. Its name has capitals, digits and `_`, 64 at most, and begins with a capital:
    /// another is an error at start.
    pub fn field(
        mut self,
        name: impl Into<Cow<'static, str>>,
        value: impl Into<Cow<'static, str>>,
    ) -> Self {
        self.0.fields.push((name.into(), value.into()));
        self
    }

    /// What writes the entries; for tests and benches.
    #[doc(hidden)]
    pub fn logs_encoder(&self) -> impl Encoder<LogRecord> + use<> {
        Entries::new(self.0.clone())
    }
}

impl Backend for Journal {
    fn routes(self, routes: &mut Routes) {
        routes.add(Route::from(self));
    }
}

impl From<Journal> for Route<LogRecord> {
    fn from(journal: Journal) -> Self {
        let send = Send::new(&journal.0);
        Self::wire(Entries::new(journal.0), send)
    }
}
