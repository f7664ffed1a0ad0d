//! Calls that fail because a test says so, on its own thread.

use std::{
    cell::{Cell, RefCell},
    fs,
    io::{self, Write},
};

use super::call::Call;

thread_local! {
    static FAILING: RefCell<Vec<Call>> = const { RefCell::new(Vec::new()) };
    static ROOM: Cell<usize> = const { Cell::new(usize::MAX) };
    static AT_RENAME: Cell<Option<Box<dyn FnOnce()>>> = const { Cell::new(None) };
}

/// Lets `other` act just before the next rename.
pub(crate) fn at_rename(other: impl FnOnce() + 'static) {
    AT_RENAME.set(Some(Box::new(other)));
}

/// Lets every one of `calls` fail from now on, and no other.
pub(crate) fn fail(calls: &[Call]) {
    FAILING.set(calls.to_vec());
}

/// Lets the disk be full after `room` more bytes of lines.
pub(crate) fn leave_room(room: usize) {
    ROOM.set(room);
}

pub(super) fn before(call: Call) -> io::Result<()> {
    if call == Call::Rename
        && let Some(other) = AT_RENAME.take()
    {
        other();
    }
    match FAILING.with_borrow(|failing| failing.contains(&call)) {
        true => Err(io::ErrorKind::PermissionDenied.into()),
        false => Ok(()),
    }
}

pub(crate) fn writer(file: &mut fs::File) -> impl Write {
    Limited(file)
}

struct Limited<'a>(&'a mut fs::File);

impl Write for Limited<'_> {
    #[expect(clippy::disallowed_methods, reason = "a short write is what is tried")]
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let room = ROOM.get();
        let n = buffer.len().min(room);
        if n == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let n = self.0.write(&buffer[..n])?;
        if room < usize::MAX {
            ROOM.set(room - n);
        }
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
