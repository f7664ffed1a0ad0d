//! Standard output and standard error, without the locks that std has around them.
//!
//! A thread that leaves the process may hold such a lock, around a report that it prints for example:
//! who then has something to deliver would wait for it in vain. So bytes go to the operating system
//! directly. Whole lines in one write do not mix with those of others; what somebody has printed
//! without a line break lies in std's buffer and may follow later.

use std::{fs::File, io, io::Write};

/// Standard output; what is written is written when the call returns.
#[derive(Debug)]
pub(crate) struct Stdout;

/// Standard error; what is written is written when the call returns.
#[derive(Debug)]
pub(crate) struct Stderr;

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        write(bytes, direct(&io::stdout()), io::stdout)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        write(bytes, direct(&io::stderr()), io::stderr)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes to `direct`, or through std's lock where there is no descriptor for that.
#[expect(clippy::disallowed_methods, reason = "it is `write` itself")]
fn write<S: Write>(bytes: &[u8], direct: Option<File>, locked: fn() -> S) -> io::Result<usize> {
    match direct {
        Some(mut file) => file.write(bytes),
        None => {
            let mut locked = locked();
            let written = locked.write(bytes)?;
            locked.flush()?;
            Ok(written)
        }
    }
}

/// A descriptor of `stream`, made for each write: who puts a stream elsewhere puts ours there too.
#[cfg(unix)]
fn direct(stream: &impl std::os::fd::AsFd) -> Option<File> {
    stream.as_fd().try_clone_to_owned().ok().map(File::from)
}

/// On Windows std translates what a console gets.
#[cfg(not(unix))]
fn direct<S>(_stream: &S) -> Option<File> {
    None
}
