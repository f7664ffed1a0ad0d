//! `baggage` (W3C Baggage).

use super::{Extractor, Injector, Propagator};
use crate::context::{Baggage, BaggageReader, Context};

/// The header `baggage` (W3C Baggage).
///
/// Members that are malformed are left out, counted and reported, and the others kept. Headers of more
/// than 8,192 bytes together are refused before anything is allocated for them; members beyond 180 are
/// left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the specification leaves no choice")]
pub struct BaggageHeader;

const BAGGAGE: &str = "baggage";

impl Propagator for BaggageHeader {
    fn extract(&self, carrier: &dyn Extractor) -> Context {
        Context::NONE.with_baggage(read(carrier))
    }

    fn inject(&self, context: &Context, carrier: &mut dyn Injector) {
        write(context.baggage(), carrier);
    }
}

/// The entries of all headers.
pub(super) fn read<C: Extractor + ?Sized>(carrier: &C) -> Baggage {
    let mut headers = BaggageReader::default();
    carrier.values(BAGGAGE, &mut |value| headers.measure(value));
    if headers.is_empty() {
        return Baggage::EMPTY;
    }
    carrier.values(BAGGAGE, &mut |value| headers.read(value));
    headers.finish()
}

/// Writes the entries that are not local; where there are none, the headers stay as they are.
pub(super) fn write<C: Injector + ?Sized>(baggage: &Baggage, carrier: &mut C) {
    if !baggage.as_str().is_empty() {
        carrier.set(BAGGAGE, baggage.as_str());
    }
}
