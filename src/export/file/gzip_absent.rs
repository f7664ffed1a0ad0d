//! Without the feature `gzip` nothing asks for compression.

use std::{io, path::Path};

pub(super) fn compress(_plain: &Path) -> io::Result<()> {
    Ok(())
}
