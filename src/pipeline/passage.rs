//! A way past a disk that takes nothing: frames go from hand to hand, one at a time.

use std::{
    mem,
    time::{Duration, Instant},
};

use super::delivery::Encoded;
use crate::{
    clock,
    sync::modelled::{Condvar, WaitMutex, wait_until},
};

/// Between the half of a route that writes and the half that sends.
pub(super) struct Passage {
    /// No other lock is taken inside it.
    slot: WaitMutex<Slot>,
    changed: Condvar,
}

enum Slot {
    Empty,
    Offered(Encoded),
    /// In the sender's hands.
    Taken,
    /// What was not sent of it.
    Answered(Vec<Encoded>),
    /// The sender has ended.
    Closed,
}

/// A look at whether the sender has answered, if the signal should be missed. Arbitrary.
const LOOKS_EVERY: Duration = Duration::from_secs(60);

impl Passage {
    pub(super) fn new() -> Self {
        Self { slot: WaitMutex::new(Slot::Empty), changed: Condvar::new() }
    }

    /// Offers a frame. [`left`](Self::left) says what became of it.
    pub(super) fn offer(&self, frame: Encoded) {
        let mut slot = self.slot.lock();
        *slot = match *slot {
            Slot::Closed => Slot::Answered(vec![frame]),
            _ => Slot::Offered(frame),
        };
    }

    /// What was not sent of the frame that was offered, in order. Waits until `patience` is over, and for as
    /// long as it takes once the sender has the frame.
    pub(super) fn left(&self, patience: Instant) -> Vec<Encoded> {
        let mut slot = self.slot.lock();
        loop {
            let until = match mem::replace(&mut *slot, Slot::Empty) {
                Slot::Answered(left) => return left,
                Slot::Offered(frame) if clock::real_instant() >= patience => return vec![frame],
                other => {
                    let is_offered = matches!(other, Slot::Offered(_));
                    *slot = other;
                    if is_offered { patience } else { clock::deadline(LOOKS_EVERY) }
                }
            };
            slot = wait_until(&self.changed, slot, until);
        }
    }

    /// Takes the frame that is offered. It is to be [answered](Self::answer).
    pub(super) fn take(&self) -> Option<Encoded> {
        let mut slot = self.slot.lock();
        match mem::replace(&mut *slot, Slot::Taken) {
            Slot::Offered(frame) => Some(frame),
            other => {
                *slot = other;
                None
            }
        }
    }

    /// Says what was not sent of the frame that was taken, if one was.
    pub(super) fn answer(&self, left: Vec<Encoded>) {
        let mut slot = self.slot.lock();
        if matches!(*slot, Slot::Taken) {
            *slot = Slot::Answered(left);
            drop(slot);
            self.changed.notify_all();
        }
    }

    /// Takes nothing from now on.
    pub(super) fn close(&self) {
        let mut slot = self.slot.lock();
        *slot = match mem::replace(&mut *slot, Slot::Closed) {
            Slot::Offered(frame) => Slot::Answered(vec![frame]),
            Slot::Taken => Slot::Answered(Vec::new()),
            Slot::Answered(left) => Slot::Answered(left),
            Slot::Empty | Slot::Closed => Slot::Closed,
        };
        drop(slot);
        self.changed.notify_all();
    }
}
