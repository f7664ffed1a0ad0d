//! Requests of OTLP as messages of brokers.

use super::{
    encoder::OtlpEncoder,
    metric::{Histograms, MOST_BUCKETS},
    request,
    signal::{Encoding, OtlpSignal},
};
use crate::{export::wire::message::MessageFormat, pipeline::Encoder};

/// Messages of brokers that are requests of OTLP: what the OpenTelemetry Collector's receivers for brokers take as
/// `otlp_proto` and `otlp_json`. Each has the resource, the scope and some records of one signal.
///
/// # Examples
///
/// ```
/// use bellwether::{
///     export::{message::MessageFormat, otlp::OtlpMessages},
///     pipeline::Batch,
///     trace::SpanRecord,
/// };
///
/// let format = OtlpMessages::json();
/// let mut encoder = MessageFormat::<SpanRecord>::encoder(&format);
/// let payload = encoder.encode(&Batch::from(vec![SpanRecord::new("checkout")]));
/// let records: Vec<_> = payload.records().collect();
/// let mut message = Vec::new();
/// assert!(MessageFormat::<SpanRecord>::join(&format, payload.head(), &records, &mut message));
/// assert!(message.starts_with(b"{\"resourceSpans\":[{"));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct OtlpMessages {
    encoding: Encoding,
    histograms: Histograms,
}

impl OtlpMessages {
    /// In protobuf.
    #[must_use]
    pub fn protobuf() -> Self {
        Self::of(Encoding::Protobuf)
    }

    /// In JSON: larger, and slower on both sides, but people can read it.
    #[must_use]
    pub fn json() -> Self {
        Self::of(Encoding::Json)
    }

    fn of(encoding: Encoding) -> Self {
        Self { encoding, histograms: Histograms::Exponential(MOST_BUCKETS) }
    }

    /// As [`Otlp::explicit_histograms`](super::Otlp::explicit_histograms).
    #[must_use]
    pub fn explicit_histograms(self) -> Self {
        Self { histograms: Histograms::Explicit, ..self }
    }
}

impl<S: OtlpSignal> MessageFormat<S> for OtlpMessages {
    fn encoder(&self) -> Box<dyn Encoder<S>> {
        Box::new(OtlpEncoder::new(self.encoding, self.histograms))
    }

    fn content_type(&self) -> &'static str {
        self.encoding.content_type()
    }

    fn join(&self, head: &[u8], records: &[&[u8]], message: &mut Vec<u8>) -> bool {
        let records = records.iter().copied();
        request::write(message, head, records, S::NAMES, self.encoding).is_some()
    }
}
