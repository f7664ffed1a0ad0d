//! Where processes do not fork: the functions of `process.rs`.

/// Always the same number.
#[inline]
pub(crate) fn generation() -> u32 {
    1
}
