//! Where processes do not fork: the functions of `process.rs`.

/// Always the same number.
#[inline]
pub(crate) fn generation() -> u32 {
    1
}

/// No hook runs while other threads still live here: a service leaves by `bellwether::exit`.
pub(crate) fn at_exit(_hook: fn()) {}
