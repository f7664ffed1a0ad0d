//! Something that is counted, and reported now and then.

use std::fmt;

use crate::diagnostics;

/// Counts what is to be reported when it first happens, and whenever it has more than doubled.
#[derive(Debug, Default)]
pub(crate) struct Doubling {
    n: u64,
    n_reported: u64,
}

impl Doubling {
    pub(crate) fn add(&mut self, n: u64) {
        self.n += n;
    }

    /// Reports how many there were, and `what` of, if that is due.
    pub(crate) fn report(&mut self, who: &'static str, what: impl fmt::Display) {
        if let Some(n) = self.due() {
            diagnostics::report(who, format_args!("{n} {what}"));
        }
    }

    /// How many there were, if that is to be reported now.
    pub(crate) fn due(&mut self) -> Option<u64> {
        let is_due = self.n > 2 * self.n_reported;
        is_due.then(|| {
            self.n_reported = self.n;
            self.n
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_reported_and_then_what_has_doubled() {
        let mut seen = Doubling::default();
        assert_eq!(seen.due(), None);
        let reported: Vec<u64> = (0..20)
            .filter_map(|_| {
                seen.add(1);
                seen.due()
            })
            .collect();
        assert_eq!(reported, [1, 3, 7, 15]);
    }
}
