//! Where the code of an operation is: what a drop there means; and with which errors it is left.

use super::probe::{Ending, Question};
use crate::{
    context::Outcome,
    sync::atomic::{AtomicU8, Ordering::Relaxed},
    trace::Failure,
};

/// A place in an operation, by what leaving it there means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place(u8);

impl Place {
    /// Anywhere: `return` and `break` leave it, and that is ok.
    pub const RUNNING: Self = Self(0);
    /// In a `?`: an error leaves it.
    pub const QUESTION: Self = Self(1);
    /// In an `.await`: only a drop of the whole future leaves it.
    pub const AWAITING: Self = Self(2);
    /// Past a value that is an `Err`.
    pub(crate) const FAILED: Self = Self(3);
    /// Past a value that the user of a [`Timer`](super::Timer) called a panic.
    pub(crate) const PANICKED: Self = Self(4);

    fn outcome(self) -> Outcome {
        match self {
            Self::QUESTION | Self::FAILED => Outcome::Error,
            Self::AWAITING => Outcome::Cancelled,
            Self::PANICKED => Outcome::Panic,
            _ => Outcome::Ok,
        }
    }
}

impl From<Outcome> for Place {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Ok => Self::RUNNING,
            Outcome::Error => Self::FAILED,
            Outcome::Panic => Self::PANICKED,
            Outcome::Cancelled => Self::AWAITING,
        }
    }
}

/// The note of the place, which the marked code keeps up to date.
///
/// The note is atomic so that a reference to it may be held over an `.await` of a future that is
/// `Send`; nobody else ever writes it.
#[derive(Debug)]
pub struct Marks {
    place: AtomicU8,
    was_panicking: bool,
}

impl Marks {
    /// The marks of an operation that starts now.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "nothing is default about the moment")]
    pub fn new() -> Self {
        Self { place: AtomicU8::new(Place::RUNNING.0), was_panicking: std::thread::panicking() }
    }

    /// The marks of a future, which sees by itself whether it panics.
    #[inline]
    #[must_use]
    pub fn in_future() -> Self {
        Self { place: AtomicU8::new(Place::RUNNING.0), was_panicking: false }
    }

    /// Notes `place`.
    #[inline]
    pub fn at(&self, place: Place) {
        // Relaxed: the note travels with its owner, and whatever moves that synchronises.
        self.place.store(place.0, Relaxed);
    }

    /// Notes `place` once `value` is there, and hands it on; the unit is a note made before.
    #[inline]
    pub fn after<T>(&self, (): (), place: Place, value: T) -> T {
        self.at(place);
        value
    }

    /// Whether a `?` was noted to leave.
    pub(super) fn has_left(&self) -> bool {
        Place(self.place.load(Relaxed)) == Place::QUESTION
    }

    /// What a drop means now. A panic that was under way at the start is not the operation's.
    pub(super) fn outcome(&self) -> Outcome {
        if !self.was_panicking && std::thread::panicking() {
            return Outcome::Panic;
        }
        Place(self.place.load(Relaxed)).outcome()
    }
}

/// Whoever keeps the marks of an operation, and hears of the errors that leave it.
pub trait Keeper {
    /// The marks.
    fn marks(&self) -> &Marks;
    /// Takes an error that leaves the operation.
    fn hear(&self, failure: &Failure<'_>);
}

/// The marks of a future, which hears of its error from its output.
impl Keeper for &Marks {
    #[inline]
    fn marks(&self) -> &Marks {
        self
    }

    #[inline]
    fn hear(&self, _: &Failure<'_>) {}
}

/// Notes that a `?` leaves, if it will with `value`, and hands that on.
#[inline]
pub fn question<T: Question<A>, A>(keeper: &impl Keeper, value: T, _: A) -> T {
    if value.leaves() {
        keeper.marks().at(Place::QUESTION);
        value.failure().iter().for_each(|failure| keeper.hear(failure));
    }
    value
}

/// Notes what the value of the operation says, if anything, and hands it on.
#[inline]
pub fn value<T: Ending<A>, A>(keeper: &impl Keeper, value: T, _: A) -> T {
    let place = match value.said() {
        Some(Err(failure)) => {
            keeper.hear(&failure);
            Place::FAILED
        }
        Some(Ok(())) | None => Place::RUNNING,
    };
    keeper.marks().at(place);
    value
}

/// Notes that the code of an operation without a value got to its end, and hands that on.
#[inline]
pub fn end<T>(keeper: &impl Keeper, value: T) -> T {
    keeper.marks().at(Place::RUNNING);
    value
}
