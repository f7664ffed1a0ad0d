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
        for (place, entry) in payload.records().enumerate() {
            if let Err(error) = self.entry(entry, deadline) {
                let error = format_args!("the journal at {}: {error}", self.datagrams.place());
                return Err(ExportError::retry(error).unsent(payload.skip(place)));
            }
        }
        Ok(())
    }

    fn name(&self) -> &str {
        "journal"
    }

    fn destination(&self) -> Option<String> {
        Some(self.datagrams.place().to_string())
    }
}
