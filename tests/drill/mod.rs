//! How far a drill goes.

/// `short`, which fits into a test run; with `BELLWETHER_FULL=1` `whole`, which may take an hour.
pub(crate) fn size(short: usize, whole: usize) -> usize {
    let is_full = std::env::var_os("BELLWETHER_FULL").is_some_and(|value| value == "1");
    if is_full { whole } else { short }
}
