//! Carries a scope to another thread or task.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;

use super::scope::{Entered, Inner, current};

/// Wraps `work` so that it runs in the current scope of this thread, wherever it is called.
///
/// # Examples
///
/// ```
/// use bellwether::{Counter, testing};
///
/// static JOBS: Counter = Counter::new("jobs", "Jobs done");
///
/// let scope = testing::scope();
/// std::thread::spawn(testing::carry(|| JOBS.inc())).join().unwrap();
/// scope.assert_value("jobs", &[], 1.0);
/// ```
#[expect(clippy::missing_panics_doc, reason = "a closure that is called by value is called once")]
pub fn carry<T>(work: impl FnOnce() -> T) -> impl FnOnce() -> T {
    let mut carried = Work { scope: current(), work: Some(work) };
    move || {
        let _entered = carried.scope.as_ref().map(Entered::new);
        let work = carried.work.take().expect("a closure of this kind is called once");
        work()
    }
}

/// A closure that has not been called; its contents are dropped in its scope too.
struct Work<F> {
    scope: Option<Arc<Inner>>,
    work: Option<F>,
}

impl<F> Drop for Work<F> {
    fn drop(&mut self) {
        let _entered = self.scope.as_ref().map(Entered::new);
        self.work = None;
    }
}

/// Wraps futures so that they run in the current scope of this thread.
pub trait Carry: Future + Sized {
    /// The future, in the scope of this thread whenever and wherever it is polled.
    ///
    /// # Examples
    ///
    /// ```
    /// use bellwether::{Counter, testing::{self, Carry}};
    ///
    /// static JOBS: Counter = Counter::new("jobs", "Jobs done");
    ///
    /// # #[tokio::main(flavor = "multi_thread")] async fn main() {
    /// let work = {
    ///     let _scope = testing::scope();
    ///     async {
    ///         JOBS.inc();
    ///         JOBS.value()
    ///     }
    ///     .carried()
    /// };
    /// assert_eq!(tokio::spawn(work).await.unwrap(), 1);
    /// assert_eq!(JOBS.value(), 0);
    /// # }
    /// ```
    fn carried(self) -> InScope<Self> {
        InScope { scope: current(), future: Some(self) }
    }
}

impl<F: Future> Carry for F {}

pin_project! {
    /// A future that runs in a scope; see [`Carry::carried`].
    #[must_use = "futures do nothing unless polled"]
    pub struct InScope<F> {
        scope: Option<Arc<Inner>>,
        #[pin]
        future: Option<F>, // None only while it is being dropped.
    }

    impl<F> PinnedDrop for InScope<F> {
        fn drop(this: Pin<&mut Self>) {
            // In the scope, because a future that is dropped unfinished records that it was cancelled.
            let mut this = this.project();
            let _entered = this.scope.as_ref().map(Entered::new);
            this.future.set(None);
        }
    }
}

impl<F: Future> Future for InScope<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _entered = this.scope.as_ref().map(Entered::new);
        let future = this.future.as_pin_mut().expect("polled before it is dropped");
        future.poll(cx)
    }
}

impl<F> std::fmt::Debug for InScope<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InScope").finish_non_exhaustive()
    }
}
