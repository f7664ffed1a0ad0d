//! Something that was found, and what to do about it.

use std::fmt;

use crate::pipeline::OneLine;

/// Something that should be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// How bad it is.
    pub concern: Concern,
    /// What kind it is, in one word that stays the same: `queue_full`, `failing`, `no_route`, …
    pub kind: &'static str,
    /// What is the case, in a sentence.
    pub what: String,
    /// What to do about it.
    pub advice: String,
}

/// How bad a [`Finding`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Concern {
    /// Records were lost.
    Loss,
    /// Something does not work at present.
    Trouble,
    /// Something may not be meant as it is configured.
    Advice,
}

/// `KIND: what is the case` on one line, and what to do about it on the next.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { concern, kind, what, advice } = self;
        let (what, advice) = (OneLine(what), OneLine(advice));
        write!(f, "{concern} ({kind}): {what}\n   -> {advice}")
    }
}

impl fmt::Display for Concern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Loss => "lost",
            Self::Trouble => "trouble",
            Self::Advice => "advice",
        })
    }
}
