//! How often a bundle measured the operation that a thread is in.
//!
//! An observed function leaves its duration to the bundle that measures the same operation, such as the
//! request that it serves. The two do not know each other: the one notes it here, the other looks. A
//! bundle that began before the function, in a server's layer, offers the operation to it.

use std::cell::Cell;

thread_local! {
    // Constant and without a destructor, as all that the hot path touches.
    static MEASURED: Cell<Measured> = const { Cell::new(Measured::Never) };
}

/// How often a bundle began to measure within one operation. What callees begin counts too, unless they are
/// operations themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Measured {
    Never,
    /// What was measured is the operation.
    Once,
    /// A batch, a loop: what was measured are its parts, and it is an operation besides.
    Often,
    /// Within a request that is measured from outside, by the server's layer; the first observed future
    /// that begins directly in it is what serves the request.
    Offered,
    /// What serves such a request: it is measured from outside, whatever begins within.
    Outside,
}

/// Notes that the operation under way on this thread is measured by a bundle.
pub(crate) fn note_measured() {
    MEASURED.set(match MEASURED.get() {
        Measured::Never => Measured::Once,
        Measured::Once | Measured::Often => Measured::Often,
        outside @ (Measured::Offered | Measured::Outside) => outside,
    });
}

/// Enters an operation that was measured so often, or goes back to one. Returns how often the one was
/// that is left.
#[inline(always)]
pub(crate) fn replace_measured(measured: Measured) -> Measured {
    MEASURED.replace(measured)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_measured_from_outside_stays_so_whatever_begins_within() {
        let around = replace_measured(Measured::Offered);
        note_measured();
        assert_eq!(replace_measured(Measured::Outside), Measured::Offered);
        note_measured();
        note_measured();
        assert_eq!(replace_measured(around), Measured::Outside);
    }

    #[test]
    fn an_operation_within_another_is_measured_by_itself() {
        let outside = replace_measured(Measured::Never);
        note_measured();
        let outer = replace_measured(Measured::Never);
        assert_eq!(outer, Measured::Once);
        note_measured();
        note_measured();
        note_measured();
        assert_eq!(replace_measured(outer), Measured::Often);
        assert_eq!(replace_measured(outside), Measured::Once);
    }
}
