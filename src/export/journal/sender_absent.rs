//! On other systems than Linux there is no journal.

use super::options::Options;
use crate::{
    error::{Error, ErrorKind},
    pipeline::{Deadline, ExportError, Payload, SendResult, Sender, Setup},
};

/// Does not start.
#[derive(Debug)]
pub(super) struct Send(String);

const WHY: &str = "systemd's journal is on Linux alone";

impl Send {
    pub(super) fn new(options: &Options) -> Self {
        Self(options.socket.display().to_string())
    }
}

impl Sender for Send {
    fn start(&mut self, _setup: &Setup) -> Result<(), Error> {
        Err(Error::new(ErrorKind::InvalidOption, WHY))
    }

    fn send(&mut self, _payload: &Payload, _deadline: &Deadline) -> SendResult {
        Err(ExportError::reject(WHY))
    }

    fn name(&self) -> &str {
        "journal"
    }

    fn destination(&self) -> Option<String> {
        Some(format!("unix://{}", self.0))
    }
}
