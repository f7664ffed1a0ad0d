//! Small files of the kernel, read whole up to a limit, and the numbers in them.
//!
//! A missing part is `None`, never a panic: kernels differ, and in a container another program may have
//! written the file.

use std::{
    fs::File,
    io::{self, Read as _},
};

use super::collector::Failure;

/// The source of the texts: the system, or a table in a test.
pub(super) trait Files: Send {
    /// The bytes of the file at `path`, at most `limit` of them.
    fn read(&self, path: &str, limit: u64) -> io::Result<Vec<u8>>;
}

/// The files of the operating system.
pub(super) struct System;

/// The largest text that is parsed. Arbitrary: several times `/proc/stat` of a machine with a thousand
/// CPUs, whose lines have about eighty bytes each.
const LIMIT: u64 = 1 << 20;

impl Files for System {
    #[expect(clippy::disallowed_methods, reason = "`take` limits what is read")]
    fn read(&self, path: &str, limit: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(path)?.take(limit).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// The text at `path`; invalid UTF-8 is replaced.
pub(super) fn text(files: &dyn Files, path: &str) -> Result<String, Failure> {
    text_within(files, path, LIMIT)
}

/// The text at `path`, if it has at most `limit` bytes.
pub(super) fn text_within(files: &dyn Files, path: &str, limit: u64) -> Result<String, Failure> {
    let bytes = files.read(path, limit + 1).map_err(|error| {
        let reason = match error.kind() {
            io::ErrorKind::NotFound => "absent",
            io::ErrorKind::PermissionDenied => "permission",
            _ => "io",
        };
        Failure::new(reason, format!("cannot read {path}: {error}"))
    })?;
    if bytes.len() as u64 > limit {
        let message = format!("{path} has more than {limit} bytes");
        return Err(Failure::new("too_large", message));
    }
    Ok(match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    })
}

/// The failure for a text of `path` that is not as expected.
pub(super) fn unreadable(path: &str) -> Failure {
    Failure::new("parse", format!("cannot understand {path}"))
}

/// The number after `key` on the line that starts with it: `VmRSS:     1688 kB` is 1688.
pub(super) fn field(text: &str, key: &str) -> Option<u64> {
    let rests = text.lines().filter_map(|line| line.strip_prefix(key));
    // `pgfault` must not match `pgfault_anon`.
    let mut values = rests.filter(|rest| rest.starts_with([' ', '\t', ':']));
    values
        .next()?
        .trim_start_matches([' ', '\t', ':'])
        .split_ascii_whitespace()
        .next()?
        .parse()
        .ok()
}

/// As [`field`] of a line in kibibytes, but in bytes.
pub(super) fn kibibytes(text: &str, key: &str) -> Option<f64> {
    Some(field(text, key)? as f64 * 1024.0)
}

/// Clock ticks a second in the kernel's texts: 100 on every platform that Rust supports (`USER_HZ` of
/// the kernel's ABI, whatever its own timer uses).
pub(super) const TICKS_PER_SECOND: f64 = 100.0;

#[cfg(test)]
pub(super) mod tests {
    use std::{collections::BTreeMap, sync::Arc};

    use super::*;
    use crate::sync::Mutex;

    /// Texts by path, and which were read.
    #[derive(Clone, Default)]
    pub(in crate::collect) struct Texts {
        texts: BTreeMap<String, Vec<u8>>,
        reads: Arc<Mutex<Vec<String>>>,
    }

    impl Texts {
        pub(in crate::collect) fn with(mut self, path: &str, text: impl Into<Vec<u8>>) -> Self {
            self.texts.insert(path.to_owned(), text.into());
            self
        }

        /// The paths read since the last call, in order.
        pub(in crate::collect) fn reads(&self) -> Vec<String> {
            std::mem::take(&mut *self.reads.lock())
        }
    }

    impl Files for Texts {
        fn read(&self, path: &str, limit: u64) -> io::Result<Vec<u8>> {
            self.reads.lock().push(path.to_owned());
            let text = self.texts.get(path).ok_or(io::ErrorKind::NotFound)?;
            Ok(text[..text.len().min(limit as usize)].to_vec())
        }
    }

    #[test]
    fn a_field_is_found_by_its_whole_key() {
        let text = "VmRSSx: 1 kB\nVmRSS:\t    1688 kB\nctxt 457824\nlow 7\n";
        assert_eq!(field(text, "VmRSS"), Some(1688));
        assert_eq!(field(text, "ctxt"), Some(457_824));
        assert_eq!(kibibytes(text, "VmRSS"), Some(1_728_512.0));
        for hostile in ["", "ctxt", "ctxt ", "ctxt x", "ctxt -1", "ctxt 99999999999999999999999"] {
            assert_eq!(field(hostile, "ctxt"), None, "{hostile}");
        }
    }

    #[test]
    fn a_file_that_is_too_large_or_away_is_a_failure_with_a_reason() {
        let files = Texts::default().with("/a", "12345").with("/b", [b'x', 0xff]);
        assert_eq!(text_within(&files, "/a", 5).unwrap(), "12345");
        assert_eq!(text_within(&files, "/a", 4).unwrap_err().reason(), "too_large");
        assert_eq!(text(&files, "/b").unwrap(), "x\u{fffd}");
        assert_eq!(text(&files, "/c").unwrap_err().reason(), "absent");
        let real = text(&System, "/no such file").unwrap_err();
        assert_eq!(real.reason(), "absent");
    }

    #[test]
    fn an_endless_file_is_read_up_to_the_limit() {
        if let Err(failure) = text_within(&System, "/dev/zero", 1000) {
            assert!(matches!(failure.reason(), "too_large" | "absent"), "{failure}");
        }
    }
}
