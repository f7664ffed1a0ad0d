//! A way past a disk that takes nothing: frames go from hand to hand, one at a time.

use std::{mem, time::Duration};

use super::delivery::Encoded;
use crate::{
    clock,
    sync::modelled::{Condvar, WaitMutex, wait_until},
};

/// Between the half of a route that writes and the half that sends.
pub(super) struct Passage {
    /// No other lock is taken inside it.
    state: WaitMutex<State>,
    changed: Condvar,
}

struct State {
    slot: Slot,
    /// The sender has ended.
    is_closed: bool,
}

enum Slot {
    Empty,
    Offered(Encoded),
    /// In the sender's hands.
    Taken,
    /// What was not sent of it.
    Answered(Vec<Encoded>),
}

/// How often either half looks whether it is to wait for the other any longer. Arbitrary.
pub(super) const LOOKS_EVERY: Duration = Duration::from_millis(5);

impl Passage {
    pub(super) fn new() -> Self {
        let state = State { slot: Slot::Empty, is_closed: false };
        Self { state: WaitMutex::new(state), changed: Condvar::new() }
    }

    /// Offers a frame. [`wait`](Self::wait) says what became of it.
    pub(super) fn offer(&self, frame: Encoded) {
        let mut state = self.state.lock();
        state.slot = match state.is_closed {
            true => Slot::Answered(vec![frame]),
            false => Slot::Offered(frame),
        };
    }

    /// What was not sent of the frame that was offered, in order. Waits until `is_over`, and for as long as it
    /// takes once the sender has the frame.
    pub(super) fn wait(&self, is_over: impl Fn() -> bool) -> Vec<Encoded> {
        let mut state = self.state.lock();
        loop {
            match mem::replace(&mut state.slot, Slot::Empty) {
                Slot::Answered(left) => return left,
                Slot::Offered(frame) if is_over() => return vec![frame],
                other => state.slot = other,
            }
            state = wait_until(&self.changed, state, clock::deadline(LOOKS_EVERY));
        }
    }

    /// Takes the frame that is offered. It is to be [answered](Self::answer).
    pub(super) fn take(&self) -> Option<Encoded> {
        let mut state = self.state.lock();
        match mem::replace(&mut state.slot, Slot::Taken) {
            Slot::Offered(frame) => Some(frame),
            other => {
                state.slot = other;
                None
            }
        }
    }

    /// Says what was not sent of the frame that was taken, if one was.
    pub(super) fn answer(&self, left: Vec<Encoded>) {
        let mut state = self.state.lock();
        if matches!(state.slot, Slot::Taken) {
            state.slot = Slot::Answered(left);
            drop(state);
            self.changed.notify_all();
        }
    }

    /// Takes nothing from now on: what is offered, now or later, is answered at once.
    pub(super) fn close(&self) {
        let mut state = self.state.lock();
        state.is_closed = true;
        state.slot = match mem::replace(&mut state.slot, Slot::Empty) {
            Slot::Offered(frame) => Slot::Answered(vec![frame]),
            Slot::Taken => Slot::Answered(Vec::new()),
            other => other,
        };
        drop(state);
        self.changed.notify_all();
    }
}

#[cfg(all(test, not(bellwether_loom)))]
mod tests {
    use super::*;
    use crate::pipeline::Payload;

    fn frame(text: &str) -> Encoded {
        let mut payload = Payload::new();
        payload.record(|bytes| bytes.extend_from_slice(text.as_bytes()));
        Encoded::of(payload, 1)
    }

    fn texts(frames: Vec<Encoded>) -> Vec<String> {
        let text = |frame: &Encoded| String::from_utf8_lossy(frame.payload.bytes()).into_owned();
        frames.iter().map(text).collect()
    }

    #[test]
    fn what_nobody_takes_comes_back_when_patience_is_over() {
        let passage = Passage::new();
        passage.offer(frame("one"));
        assert_eq!(texts(passage.wait(|| true)), ["one"]);
        assert!(passage.take().is_none(), "it is not offered any more");
    }

    #[test]
    fn what_was_not_sent_comes_back_and_an_answer_without_a_question_is_none() {
        let passage = Passage::new();
        passage.answer(vec![frame("never taken")]);
        passage.offer(frame("one"));
        passage.answer(vec![frame("not yet taken")]);
        assert_eq!(texts(passage.take().into_iter().collect()), ["one"]);
        assert!(passage.take().is_none(), "one hand has it");
        passage.answer(vec![frame("one, cut")]);
        assert_eq!(texts(passage.wait(|| false)), ["one, cut"]);
    }

    #[test]
    fn whatever_is_offered_to_a_sender_that_has_ended_comes_back_at_once() {
        let passage = Passage::new();
        passage.offer(frame("one"));
        passage.close();
        for text in ["one", "two", "three"] {
            assert_eq!(texts(passage.wait(|| false)), [text]);
            passage.offer(frame(if text == "one" { "two" } else { "three" }));
            assert!(passage.take().is_none());
        }
    }

    #[test]
    fn a_sender_that_ends_with_a_frame_in_its_hands_has_lost_it_and_nobody_waits() {
        let passage = Passage::new();
        passage.offer(frame("one"));
        assert!(passage.take().is_some());
        passage.close();
        assert!(passage.wait(|| false).is_empty());
    }
}
