//! Deadlines: when an attempt to deliver must end. The instant may move nearer while the attempt runs.

use std::{
    fmt,
    future::poll_fn,
    sync::Arc,
    task::{Poll, Waker},
    time::{Duration, Instant},
};

use super::{deadline, real_instant};
use crate::sync::Mutex;

/// The instant by which one attempt must have ended.
///
/// While the attempt runs, it can move nearer, but never further away: a flush or a shutdown moves it,
/// and returns at that time whatever the attempt does. So check it again before each step that may
/// block, give sockets the time that is [`left`](Self::left), and close them when it
/// [`is_over`](Self::is_over). Asynchronous code can wait for [`nearer_than`](Self::nearer_than).
/// Clones are handles to the same deadline.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use bellwether::pipeline::Deadline;
///
/// let deadline = Deadline::after(Duration::from_secs(10));
/// assert!(!deadline.is_over());
/// deadline.bring_nearer(deadline.instant() - Duration::from_secs(10)); // As a flush does.
/// assert!(deadline.is_over());
/// ```
#[derive(Clone)]
pub struct Deadline(Arc<Mutex<State>>);

struct State {
    at: Instant,
    waiting: Vec<Waker>,
}

impl Deadline {
    /// A deadline `timeout` from now.
    #[must_use]
    pub fn after(timeout: Duration) -> Self {
        Self::at(deadline(timeout))
    }

    /// A deadline at `instant`.
    #[must_use]
    pub fn at(instant: Instant) -> Self {
        Self(Arc::new(Mutex::new(State { at: instant, waiting: Vec::new() })))
    }

    /// The current instant of the deadline.
    #[must_use]
    pub fn instant(&self) -> Instant {
        self.0.lock().at
    }

    /// How much time is left now; zero when it is over.
    #[must_use]
    pub fn left(&self) -> Duration {
        self.instant().saturating_duration_since(real_instant())
    }

    /// Whether no time is left.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.left().is_zero()
    }

    /// Moves the deadline to `instant`, unless it is nearer already.
    pub fn bring_nearer(&self, instant: Instant) {
        let mut state = self.0.lock();
        if instant >= state.at {
            return;
        }
        state.at = instant;
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Waits until the deadline is nearer than `instant`, or for ever if it never is. It needs no
    /// runtime: moving the deadline wakes the task.
    pub async fn nearer_than(&self, instant: Instant) {
        poll_fn(|context| {
            let mut state = self.0.lock();
            if state.at < instant {
                return Poll::Ready(());
            }
            if !state.waiting.iter().any(|waker| waker.will_wake(context.waker())) {
                state.waiting.push(context.waker().clone());
            }
            Poll::Pending
        })
        .await;
    }
}

impl fmt::Debug for Deadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Deadline({:?} left)", self.left())
    }
}

#[cfg(test)]
mod tests {
    use std::{
        pin::pin,
        sync::atomic::{AtomicU32, Ordering::Relaxed},
        task::{Context, Wake},
    };

    use super::*;

    #[derive(Default)]
    struct Wakes(AtomicU32);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    #[test]
    fn it_moves_nearer_and_never_further_away() {
        let deadline = Deadline::after(Duration::from_secs(60));
        let at = deadline.instant();
        deadline.clone().bring_nearer(at - Duration::from_secs(30));
        deadline.bring_nearer(at + Duration::from_secs(30));
        assert_eq!(deadline.instant(), at - Duration::from_secs(30));
        assert!(!deadline.is_over());
        deadline.bring_nearer(at - Duration::from_secs(61));
        assert!(deadline.is_over() && deadline.left().is_zero());
    }

    #[test]
    fn a_task_that_waits_is_woken_once_when_the_deadline_moves() {
        let deadline = Deadline::after(Duration::from_secs(60));
        let at = deadline.instant();
        let wakes = Arc::new(Wakes::default());
        let waker = Waker::from(wakes.clone());
        let mut context = Context::from_waker(&waker);
        let mut waiting = pin!(deadline.nearer_than(at));
        assert!(waiting.as_mut().poll(&mut context).is_pending());
        assert!(waiting.as_mut().poll(&mut context).is_pending());
        deadline.bring_nearer(at);
        assert_eq!(wakes.0.load(Relaxed), 0, "it did not move");
        deadline.bring_nearer(at - Duration::from_secs(1));
        assert_eq!(wakes.0.load(Relaxed), 1);
        assert!(waiting.as_mut().poll(&mut context).is_ready());
    }
}
