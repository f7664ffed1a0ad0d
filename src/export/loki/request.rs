//! A payload as the body of a request: its streams, each with its entries in the order of their times.

use std::collections::HashMap;

use super::{
    frame::{self, Frame},
    options::LokiForm,
};
use crate::{
    export::wire::protobuf::{Protobuf, length_of_length},
    pipeline::Payload,
    util::hash::BuildHash,
};

// Fields of `logproto.PushRequest` and `logproto.StreamAdapter`.
const STREAMS: u8 = 1;
const LABELS: u8 = 1;
const ENTRIES: u8 = 2;

/// The entries that have the same labels.
#[derive(Debug)]
pub(super) struct Stream<'a> {
    pub(super) labels: &'a [u8],
    pub(super) entries: Vec<Frame<'a>>,
}

/// The streams of `payload`, in the order in which they first come.
pub(super) fn streams(payload: &Payload) -> Vec<Stream<'_>> {
    let mut streams: Vec<Stream<'_>> = Vec::new();
    let mut places: HashMap<&[u8], usize, BuildHash> = HashMap::default();
    for entry in payload.records().filter_map(frame::read) {
        let place = *places.entry(entry.labels).or_insert(streams.len());
        if place == streams.len() {
            streams.push(Stream { labels: entry.labels, entries: Vec::new() });
        }
        streams[place].entries.push(entry);
    }
    // Of equal times the order stays.
    streams.iter_mut().for_each(|stream| stream.entries.sort_by_key(|entry| entry.time));
    streams
}

impl LokiForm {
    /// What the body of a request is.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Protobuf => "application/x-protobuf",
            Self::Json => "application/json",
        }
    }

    /// The body of a request of these streams.
    pub(super) fn body(self, streams: &[Stream<'_>]) -> Result<Vec<u8>, snap::Error> {
        match self {
            // It fails for what is larger than 4 GiB.
            Self::Protobuf => snap::raw::Encoder::new().compress_vec(&protobuf(streams)),
            Self::Json => Ok(json(streams)),
        }
    }
}

fn protobuf(streams: &[Stream<'_>]) -> Vec<u8> {
    let field = |bytes: &[u8]| 1 + length_of_length(bytes.len()) + bytes.len();
    let length = |stream: &Stream<'_>| {
        let entries = stream.entries.iter().map(|frame| field(frame.entry));
        field(stream.labels) + entries.sum::<usize>()
    };
    let lengths = streams.iter().map(length);
    let mut out = Vec::with_capacity(lengths.clone().map(|length| length + 11).sum());
    for (stream, length) in streams.iter().zip(lengths) {
        out.push(STREAMS << 3 | 2); // What has a length.
        let mut request = Protobuf(&mut out);
        request.number(length as u64);
        request.bytes(LABELS, stream.labels);
        stream.entries.iter().for_each(|frame| request.bytes(ENTRIES, frame.entry));
    }
    out
}

fn json(streams: &[Stream<'_>]) -> Vec<u8> {
    let mut out = b"{\"streams\":[".to_vec();
    for (place, stream) in streams.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        out.extend_from_slice(b"{\"stream\":");
        out.extend_from_slice(stream.labels);
        out.extend_from_slice(b",\"values\":[");
        for (place, frame) in stream.entries.iter().enumerate() {
            if place > 0 {
                out.push(b',');
            }
            out.extend_from_slice(frame.entry);
        }
        out.extend_from_slice(b"]}");
    }
    out.extend_from_slice(b"]}");
    out
}
