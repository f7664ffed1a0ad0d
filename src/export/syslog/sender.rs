//! Sends messages: each in a datagram, or in a frame of a stream.

use std::io;

use super::options::SyslogFraming;
use crate::{
    error::Error,
    pipeline::{Deadline, ExportError, Payload, SendResult, Sender, Setup},
    transport::socket::{DatagramPlace, Datagrams, Stream, StreamPlace, is_too_large},
};

/// Sends messages.
#[derive(Debug)]
pub(super) struct Send {
    sockets: Sockets,
    framing: SyslogFraming,
    /// Frames of a batch.
    frames: Vec<u8>,
}

/// What messages are sent by.
#[derive(Debug)]
enum Sockets {
    Datagrams(Datagrams),
    Stream(Stream),
    /// Of which kind a local socket is, is known when it is connected to.
    #[cfg(unix)]
    Local {
        datagrams: Datagrams,
        stream: Stream,
        is_stream: bool,
    },
}

/// Where sending ended.
struct Stopped {
    /// The first record that was not sent.
    place: usize,
    n_refused: usize,
    error: io::Error,
}

impl Send {
    pub(super) fn datagrams(place: DatagramPlace) -> Self {
        // A datagram has no frame.
        Self::new(Sockets::Datagrams(Datagrams::new(place)), SyslogFraming::OctetCounting)
    }

    pub(super) fn stream(place: StreamPlace, framing: SyslogFraming) -> Self {
        Self::new(Sockets::Stream(Stream::new(place)), framing)
    }

    #[cfg(unix)]
    pub(super) fn local(path: std::path::PathBuf, framing: SyslogFraming) -> Self {
        let datagrams = Datagrams::new(DatagramPlace::Unix(path.clone()));
        let stream = Stream::new(StreamPlace::Unix(path));
        Self::new(Sockets::Local { datagrams, stream, is_stream: false }, framing)
    }

    fn new(sockets: Sockets, framing: SyslogFraming) -> Self {
        Self { sockets, framing, frames: Vec::new() }
    }

    /// Sends all records, and returns how many are too large for it.
    fn send_all(&mut self, payload: &Payload, deadline: &Deadline) -> Result<usize, Stopped> {
        let Self { sockets, framing, frames } = self;
        match sockets {
            Sockets::Datagrams(datagrams) => each(datagrams, payload, deadline),
            Sockets::Stream(stream) => framed(stream, payload, *framing, frames, deadline),
            #[cfg(unix)]
            Sockets::Local { datagrams, stream, is_stream } => {
                let mut by_kind = |is_stream| match is_stream {
                    true => framed(stream, payload, *framing, frames, deadline),
                    false => each(datagrams, payload, deadline),
                };
                match by_kind(*is_stream) {
                    Err(stopped) if stopped.place == 0 && is_of_other_kind(&stopped.error) => {
                        *is_stream = !*is_stream;
                        by_kind(*is_stream)
                    }
                    sent => sent,
                }
            }
        }
    }
}

/// Whether a local socket takes datagrams where a stream was to be opened, or the other way round.
#[cfg(unix)]
fn is_of_other_kind(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EPROTOTYPE)
}

fn each(
    datagrams: &mut Datagrams,
    payload: &Payload,
    deadline: &Deadline,
) -> Result<usize, Stopped> {
    let mut n_refused = 0;
    for (place, record) in payload.records().enumerate() {
        match datagrams.send(record, deadline) {
            Ok(()) => {}
            Err(error) if is_too_large(&error) => n_refused += 1,
            Err(error) => return Err(Stopped { place, n_refused, error }),
        }
    }
    Ok(n_refused)
}

fn framed(
    stream: &mut Stream,
    payload: &Payload,
    framing: SyslogFraming,
    frames: &mut Vec<u8>,
    deadline: &Deadline,
) -> Result<usize, Stopped> {
    frames.clear();
    payload.records().for_each(|record| frame(frames, record, framing));
    let written = stream.write(frames, deadline);
    written.map(|()| 0).map_err(|(n_written, error)| {
        let place = n_whole(payload, framing, n_written);
        Stopped { place, n_refused: 0, error }
    })
}

/// Appends a message in its frame.
pub(super) fn frame(frames: &mut Vec<u8>, message: &[u8], framing: SyslogFraming) {
    match framing {
        SyslogFraming::OctetCounting => {
            use io::Write as _;
            // Writing to a Vec cannot fail.
            let _ = write!(frames, "{} ", message.len());
            frames.extend_from_slice(message);
        }
        SyslogFraming::LineFeed => {
            let spaced = |byte: &u8| if *byte == b'\n' { b' ' } else { *byte };
            frames.extend(message.iter().map(spaced));
            frames.push(b'\n');
        }
        SyslogFraming::Nul => {
            frames.extend_from_slice(message);
            frames.push(0);
        }
    }
}

/// How many messages are whole within the first `n_written` bytes of their frames.
pub(super) fn n_whole(payload: &Payload, framing: SyslogFraming, n_written: usize) -> usize {
    let around = |message: &[u8]| match framing {
        SyslogFraming::OctetCounting => message.len().max(1).ilog10() as usize + 2,
        SyslogFraming::LineFeed | SyslogFraming::Nul => 1,
    };
    let mut end = 0;
    let is_whole = |message: &&[u8]| {
        end += around(message) + message.len();
        end <= n_written
    };
    payload.records().take_while(is_whole).count()
}

impl Sender for Send {
    fn start(&mut self, _setup: &Setup) -> Result<(), Error> {
        match &self.sockets {
            Sockets::Datagrams(datagrams) => datagrams.check(0),
            Sockets::Stream(stream) => stream.check(),
            #[cfg(unix)]
            Sockets::Local { .. } => Ok(()),
        }
    }

    fn send(&mut self, payload: &Payload, deadline: &Deadline) -> SendResult {
        match self.send_all(payload, deadline) {
            Ok(0) => Ok(()),
            Ok(n) => Err(ExportError::partial(n, "a message is larger than a datagram may be")),
            Err(Stopped { place, n_refused, error }) => {
                let to = self.destination().unwrap_or_default();
                let error = ExportError::retry(format_args!("{to}: {error}"));
                Err(error.unsent(payload.skip(place)).rejected(n_refused))
            }
        }
    }

    fn name(&self) -> &str {
        "syslog"
    }

    fn destination(&self) -> Option<String> {
        Some(match &self.sockets {
            Sockets::Datagrams(datagrams) => datagrams.place().to_string(),
            Sockets::Stream(stream) => stream.place().to_string(),
            #[cfg(unix)]
            Sockets::Local { stream, .. } => stream.place().to_string(),
        })
    }
}
