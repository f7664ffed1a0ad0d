//! Sends entries: each in a datagram, or as a file in memory.

use std::io;

use super::options::Options;
use crate::{
    pipeline::{Deadline, ExportError, Payload, SendResult, Sender},
    transport::socket::{DatagramPlace, Datagrams, is_too_large},
};

/// Sends entries.
#[derive(Debug)]
pub(super) struct Send {
    datagrams: Datagrams,
    /// An entry of that length was too large for a datagram. What may be sent is the system's to say.
    too_large: usize,
}

impl Send {
    pub(super) fn new(options: &Options) -> Self {
        let place = DatagramPlace::Unix(options.socket.clone());
        Self { datagrams: Datagrams::new(place), too_large: usize::MAX }
    }

    fn entry(&mut self, entry: &[u8], deadline: &Deadline) -> io::Result<()> {
        if entry.len() < self.too_large {
            match self.datagrams.send(entry, deadline) {
                Err(error) if is_too_large(&error) => self.too_large = entry.len(),
                // The kernel has no room for it in one piece now.
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {}
                sent => return sent,
            }
        }
        self.datagrams.send_as_file("bellwether-journal", entry, deadline)
    }
}

impl Sender for Send {
    fn send(&mut self, payload: &Payload, deadline: &Deadline) -> SendResult {
        let mut n_refused = 0;
        for (place, entry) in payload.records().enumerate() {
            match self.entry(entry, deadline) {
                Ok(()) => {}
                // The system lets nobody pass a file: that does not pass, and the others do not wait for it.
                Err(error) if is_forbidden(&error) && entry.len() >= self.too_large => {
                    n_refused += 1;
                }
                Err(error) => {
                    let error = format_args!("the journal at {}: {error}", self.datagrams.place());
                    let error = ExportError::retry(error).rejected(n_refused);
                    return Err(error.unsent(payload.skip(place)));
                }
            }
        }
        match n_refused {
            0 => Ok(()),
            n => Err(ExportError::partial(n, "an entry is too large, and no file may be passed")),
        }
    }

    fn name(&self) -> &str {
        "journal"
    }

    fn destination(&self) -> Option<String> {
        Some(self.datagrams.place().to_string())
    }
}

/// Whether the system does not allow it, or does not know it.
fn is_forbidden(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::Unsupported)
}
