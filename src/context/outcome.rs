//! How an operation ended: one vocabulary for metrics, spans and macros.

use std::borrow::Cow;

use crate::label::{LabelValue, Labels};

/// How an operation ended.
///
/// As a label its key is `outcome` and its values are `ok`, `error`, `panic` and `cancelled`. The
/// four are complete: every way out of a Rust function or future is one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "there is no fifth way out of an operation")]
pub enum Outcome {
    /// It returned, and not an `Err`.
    Ok,
    /// It returned an `Err`, or `?` left it early.
    Error,
    /// A panic that began inside it unwound through it.
    Panic,
    /// Its future was dropped after the first poll and before it was ready.
    Cancelled,
}

impl Outcome {
    const ALL: [Self; 4] = [Self::Ok, Self::Error, Self::Panic, Self::Cancelled];

    /// The label value: `ok`, `error`, `panic` or `cancelled`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Error => "error",
            Self::Panic => "panic",
            Self::Cancelled => "cancelled",
        }
    }
}

impl LabelValue for Outcome {
    const CARDINALITY: Option<usize> = Some(4);

    fn index(&self) -> usize {
        *self as usize
    }

    fn visit(&self, each: &mut dyn FnMut(&str)) {
        each(self.as_str());
    }

    fn at(index: usize) -> Cow<'static, str> {
        Self::ALL.get(index).map_or("", |outcome| outcome.as_str()).into()
    }
}

impl Labels for Outcome {
    const KEYS: &'static [&'static str] = &["outcome"];
    const CARDINALITY: Option<usize> = Some(4);

    fn index(&self) -> usize {
        LabelValue::index(self)
    }

    fn visit(&self, each: &mut dyn FnMut(&str)) {
        LabelValue::visit(self, each);
    }

    fn at(index: usize) -> Vec<Cow<'static, str>> {
        vec![<Self as LabelValue>::at(index)]
    }
}
