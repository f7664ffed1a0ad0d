//! Outside of tests, only the system lets a call fail.

use std::{fs, io};

use super::call::Call;

#[inline]
pub(super) fn before(_call: Call) -> io::Result<()> {
    Ok(())
}

pub(crate) fn writer(file: &mut fs::File) -> &mut fs::File {
    file
}
