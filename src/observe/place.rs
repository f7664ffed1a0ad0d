//! Where the code of an operation is: what a drop there means.

use super::probe::Question;
use crate::{
    context::Outcome,
    sync::atomic::{AtomicU8, Ordering::Relaxed},
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

    /// Notes `place`.
    #[inline]
    pub fn at(&self, place: Place) {
        // Relaxed: the note travels with its owner, and whatever moves that synchronises.
        self.place.store(place.0, Relaxed);
    }

    /// Notes that a `?` leaves, if it will with `value`, and hands it on.
    #[inline]
    pub fn question<T: Question>(&self, value: T) -> T {
        if value.leaves() {
            self.at(Place::QUESTION);
        }
        value
    }

    /// Notes `place` once `value` is there, and hands it on; the unit is a note made before.
    #[inline]
    pub fn after<T>(&self, (): (), place: Place, value: T) -> T {
        self.at(place);
        value
    }

    /// Notes what the value of the operation says, if anything, and hands it on.
    #[inline]
    pub fn value<T>(&self, value: T, outcome: impl FnOnce(&T) -> Option<Outcome>) -> T {
        self.at(outcome(&value).map_or(Place::RUNNING, Place::from));
        value
    }

    /// What the value of a future means now: what it says of itself, if anything; else, what a `?`
    /// returned is an error.
    pub(super) fn outcome_of_value(&self, said: Option<Outcome>) -> Outcome {
        let left = Place(self.place.load(Relaxed)) == Place::QUESTION;
        said.unwrap_or(if left { Outcome::Error } else { Outcome::Ok })
    }

    /// What a drop means now. A panic that was under way at the start is not the operation's.
    pub(super) fn outcome(&self) -> Outcome {
        if !self.was_panicking && std::thread::panicking() {
            return Outcome::Panic;
        }
        Place(self.place.load(Relaxed)).outcome()
    }
}
