//! Work on a short-lived thread of ours, and a future of its answer, which needs no runtime.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    thread,
};

use crate::{
    context, diagnostics,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    util::{catch::catch, per_process::PerProcess, process},
};

/// What a thread will answer. Dropping it leaves the work as it is.
///
/// In a forked child it answers at once with the default: the thread stayed with the parent.
pub(super) struct Pending<T> {
    shared: Arc<Mutex<Progress<T>>>,
    generation: u32, // Of the process that has the thread.
}

/// Guarded by a lock inside which nothing is called: wakers are a runtime's code.
struct Progress<T> {
    answer: Option<T>,
    waker: Option<Waker>,
}

impl<T: Clone + Default + Send + 'static> Pending<T> {
    /// What is known already.
    pub(super) fn ready(answer: T) -> Self {
        let progress = Progress { answer: Some(answer), waker: None };
        Self { shared: Arc::new(Mutex::new(progress)), generation: process::generation() }
    }

    /// Does `work` on a thread called `name`; `None` if there can be none. The thread is muted meanwhile: what is
    /// done for the telemetry makes no spans.
    pub(super) fn start(name: &str, work: impl FnOnce() -> T + Send + 'static) -> Option<Self> {
        let shared = Arc::new(Mutex::new(Progress { answer: None, waker: None }));
        let of_thread = shared.clone();
        let run = move || {
            let muted = context::mute();
            // Work that panics has no answer to give: that is the default, as of work that was never done.
            let answer = catch(work).unwrap_or_default();
            drop(muted); // A waker may run tasks of the application here and now.
            let waker = {
                let mut progress = of_thread.lock();
                progress.answer = Some(answer);
                progress.waker.take()
            };
            let _ = catch(|| waker.into_iter().for_each(Waker::wake));
        };
        match thread::Builder::new().name(name.to_owned()).spawn(run) {
            // The handle is dropped: nobody joins it, and it ends by its deadline.
            Ok(_) => Some(Self { shared, generation: process::generation() }),
            Err(error) => {
                let text = format_args!("no thread could be started, so it was not done: {error}");
                diagnostics::report("flush", text);
                None
            }
        }
    }

    /// Whether there is an answer.
    pub(super) fn is_done(&self) -> bool {
        self.generation != process::generation() || self.shared.lock().answer.is_some()
    }
}

impl<T: Clone + Default> Future for Pending<T> {
    type Output = T;

    /// Asked again, it answers the same again.
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        if self.generation != process::generation() {
            return Poll::Ready(T::default());
        }
        let waker = context.waker().clone();
        let mut progress = self.shared.lock();
        if let Some(answer) = progress.answer.clone() {
            drop(progress); // Before `waker`, whose drop is foreign code.
            return Poll::Ready(answer);
        }
        let former = progress.waker.replace(waker);
        drop(progress);
        drop(former);
        Poll::Pending
    }
}

/// Leave to have one more thread of this kind: they are bounded, so that callers that do not wait do not
/// fill the memory.
pub(super) struct Permit(());

impl Permit {
    pub(super) fn take() -> Option<Self> {
        let n_out = N_OUT.get();
        let more = |n: usize| (n < MOST_THREADS).then_some(n + 1);
        n_out.fetch_update(Relaxed, Relaxed, more).ok().map(|_| Self(()))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        N_OUT.get().fetch_sub(1, Relaxed);
    }
}

/// How many permits are out. Relaxed: it publishes nothing but itself. A forked child has none of the threads.
static N_OUT: PerProcess<AtomicUsize> = PerProcess::new();

/// Arbitrary; a second flush within one that runs gains nothing.
const MOST_THREADS: usize = 64;

#[cfg(test)]
mod tests {
    use std::{
        sync::{atomic::AtomicUsize as Count, mpsc},
        task::Wake,
        time::Duration,
    };

    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    struct Woken(mpsc::Sender<()>, Count);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.1.fetch_add(1, Relaxed);
            let _ = self.0.send(());
        }
    }

    fn waker() -> (Arc<Woken>, mpsc::Receiver<()>) {
        let (wake, woken) = mpsc::channel();
        (Arc::new(Woken(wake, Count::new(0))), woken)
    }

    #[test]
    fn whoever_polled_last_is_woken_once_and_the_answer_stays() {
        let (let_go, held) = mpsc::channel::<()>();
        let mut pending = Pending::start("test", move || held.recv().map_or(7, |()| 8)).unwrap();
        let ((first, _), (last, woken)) = (waker(), waker());
        for waker in [&first, &last] {
            let waker = Waker::from(waker.clone());
            let polled = Pin::new(&mut pending).poll(&mut Context::from_waker(&waker));
            assert_eq!(polled, Poll::Pending);
        }
        let_go.send(()).unwrap();
        woken.recv_timeout(LONG).unwrap();
        for _ in 0..2 {
            let polled = Pin::new(&mut pending).poll(&mut Context::from_waker(Waker::noop()));
            assert_eq!(polled, Poll::Ready(8));
        }
        assert_eq!((first.1.load(Relaxed), last.1.load(Relaxed)), (0, 1));
    }

    #[test]
    fn work_that_panics_answers_the_default() {
        let mut pending = Pending::<i32>::start("test", || panic!("of the work")).unwrap();
        let (wake, woken) = waker();
        let waker = Waker::from(wake);
        let mut poll = || Pin::new(&mut pending).poll(&mut Context::from_waker(&waker));
        if poll() == Poll::Pending {
            woken.recv_timeout(LONG).unwrap();
        }
        assert_eq!(poll(), Poll::Ready(0));
    }

    #[test]
    fn a_future_that_is_dropped_leaves_its_work_under_way() {
        let (let_go, held) = mpsc::channel::<()>();
        let (done, is_done) = mpsc::channel();
        let work = move || (held.recv().is_ok(), done.send(())).0;
        drop(Pending::start("test", work).unwrap());
        let_go.send(()).unwrap();
        is_done.recv_timeout(LONG).unwrap();
    }
}
