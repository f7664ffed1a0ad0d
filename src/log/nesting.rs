//! How deep what other libraries have us record records itself.

use std::cell::Cell;

/// The most levels: arbitrary, and far beyond honest code. A `Debug` that logs itself would never end.
const MOST: u32 = 16;

thread_local! {
    // Without a destructor, so that events of destructors come through.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// Keeps one level.
pub(crate) struct Nested(());

impl Nested {
    /// One level deeper; none if that is too deep.
    pub(crate) fn begin() -> Option<Self> {
        let depth = DEPTH.get();
        (depth < MOST).then(|| {
            DEPTH.set(depth + 1);
            Self(())
        })
    }
}

impl Drop for Nested {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
    }
}
