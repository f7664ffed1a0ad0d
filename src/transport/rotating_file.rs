//! A small file that something outside replaces now and then: a password, a certificate.

use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

use crate::sync::Mutex;

/// What a file holds, read at each use: so a replaced one counts from the next request on, whatever the file
/// system says of dates. While it cannot be read, the last that could be stands.
pub(super) struct RotatingFile {
    path: PathBuf,
    last: Mutex<Option<Zeroizing<Vec<u8>>>>, // Held for a copy alone.
}

/// A larger file is refused. Arbitrary: a bundle of all public roots has a quarter of that.
const MOST: u64 = 1 << 20;

impl RotatingFile {
    pub(super) fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), last: Mutex::new(None) }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The bytes of the file, or those of before.
    pub(super) fn read(&self) -> Result<Zeroizing<Vec<u8>>, String> {
        let read = self.read_now();
        let mut last = self.last.lock();
        match (read, &*last) {
            (Ok(bytes), _) => {
                *last = Some(bytes.clone());
                Ok(bytes)
            }
            (Err(_), Some(last)) => Ok(last.clone()),
            (Err(what), None) => Err(what),
        }
    }

    fn read_now(&self) -> Result<Zeroizing<Vec<u8>>, String> {
        let failed = |what: &dyn std::fmt::Display| {
            format!("the file {} cannot be read: {what}", self.path.display())
        };
        let file = File::open(&self.path).map_err(|error| failed(&error))?;
        let length = file.metadata().map_err(|error| failed(&error))?.len();
        // With the room for all of it, so that growing leaves no copies behind.
        let room = usize::try_from(length.min(MOST)).unwrap_or(0) + 1;
        let mut bytes = Zeroizing::new(Vec::with_capacity(room));
        #[expect(clippy::disallowed_methods, reason = "limited by `take`")]
        let read = file.take(MOST + 1).read_to_end(&mut bytes);
        read.map_err(|error| failed(&error))?;
        match bytes.len() as u64 {
            0 => Err(failed(&"it is empty")),
            1..=MOST => Ok(bytes),
            _ => Err(failed(&format_args!("it has more than {MOST} bytes"))),
        }
    }
}
