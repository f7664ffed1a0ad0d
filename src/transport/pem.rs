//! Certificates and keys in PEM.

use std::{fmt, path::PathBuf, sync::Arc};

use zeroize::Zeroizing;

use super::rotating_file::RotatingFile;

/// A text in PEM, or the file that has it.
#[derive(Clone)]
pub(super) enum Pem {
    Text(Arc<Zeroizing<Vec<u8>>>),
    File(Arc<RotatingFile>),
}

impl Pem {
    pub(super) fn text(pem: &[u8]) -> Self {
        Self::Text(Arc::new(Zeroizing::new(pem.to_vec())))
    }

    pub(super) fn file(path: impl Into<PathBuf>) -> Self {
        Self::File(Arc::new(RotatingFile::new(path)))
    }

    pub(super) fn read(&self) -> Result<Zeroizing<Vec<u8>>, String> {
        match self {
            Self::Text(text) => Ok(Zeroizing::clone(text)),
            Self::File(file) => file.read(),
        }
    }
}

/// Where it comes from.
impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(_) => f.write_str("text"),
            Self::File(file) => write!(f, "file {:?}", file.path()),
        }
    }
}
