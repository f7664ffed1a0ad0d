//! Labels that not every request and call has.

use std::borrow::Cow;

use crate::label::LabelValue;

/// A label that not every request has; an empty one counts as absent everywhere.
#[derive(Clone, Copy, Debug)]
pub(super) enum Given<'a> {
    Nothing,
    Code(u16),
    Text(&'a str),
}

impl Given<'_> {
    /// A port, of which 0 is none.
    pub(super) const fn port(port: u16) -> Self {
        if port == 0 { Self::Nothing } else { Self::Code(port) }
    }
}

impl LabelValue for Given<'_> {
    const CARDINALITY: Option<usize> = None;

    fn index(&self) -> usize {
        0
    }

    fn visit(&self, each: &mut dyn FnMut(&str)) {
        match self {
            Self::Nothing => each(""),
            Self::Code(code) => LabelValue::visit(code, each),
            Self::Text(text) => each(text),
        }
    }

    fn at(_index: usize) -> Cow<'static, str> {
        Cow::Borrowed("")
    }
}
