//! The table of texts of a request: each stands there once, and elsewhere is its number.

use std::collections::HashMap;

use crate::{export::wire::protobuf::Protobuf, util::hash::BuildHash};

/// A table under construction: the fields `symbols` of a request.
pub(super) struct Symbols {
    places: HashMap<Box<str>, u32, BuildHash>,
    bytes: Vec<u8>,
}

/// The number of the field in `io.prometheus.write.v2.Request`.
pub(super) const SYMBOLS: u8 = 4;

impl Symbols {
    /// A table of the empty text, which the format wants in front.
    pub(super) fn new() -> Self {
        let mut symbols = Self { places: HashMap::default(), bytes: Vec::new() };
        symbols.place_of("");
        symbols
    }

    /// The place of `text`, which is added if it is new.
    pub(super) fn place_of(&mut self, text: &str) -> u32 {
        if let Some(place) = self.places.get(text) {
            return *place;
        }
        let place = self.places.len() as u32;
        self.places.insert(text.into(), place);
        Protobuf(&mut self.bytes).bytes(SYMBOLS, text.as_bytes());
        place
    }

    /// The bytes of the table.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}
