//! Why something could not be kept.

use std::{error, fmt, io};

/// Why a payload could not be appended, or what was appended could not be made durable.
#[doc(hidden)]
#[derive(Debug)]
pub struct SpoolError {
    why: Why,
    unkept: usize,
}

#[derive(Debug)]
pub(super) enum Why {
    TooLarge,
    /// By the quota.
    Full,
    /// The floor of free space, or the file system says that it has none.
    DiskFull,
    Io(io::Error),
}

impl Why {
    pub(super) fn of(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull,
            _ => Self::Io(error),
        }
    }
}

impl SpoolError {
    #[cold]
    pub(super) fn new(why: Why, unkept: usize) -> Self {
        Self { why, unkept }
    }

    /// How many of the payloads that were appended last are not kept, though `append` took them. The one
    /// whose `append` failed is not among them; it is not kept either.
    #[must_use]
    pub fn unkept(&self) -> usize {
        self.unkept
    }

    /// Whether the payload can never be kept: it is larger than a frame may be, or than the quota.
    #[must_use]
    pub fn is_too_large(&self) -> bool {
        matches!(self.why, Why::TooLarge)
    }

    /// Whether there is no room: by the quota, by the floor of free space, or on the disk.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self.why, Why::Full | Why::DiskFull)
    }
}

impl fmt::Display for SpoolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.why {
            Why::TooLarge => f.write_str("payload is too large for the spool"),
            Why::Full => f.write_str("the spool's quota is used up"),
            Why::DiskFull => f.write_str("the spool's disk is full"),
            Why::Io(error) => write!(f, "cannot write to the spool: {error}"),
        }
    }
}

impl error::Error for SpoolError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match &self.why {
            Why::Io(error) => Some(error),
            _ => None,
        }
    }
}
