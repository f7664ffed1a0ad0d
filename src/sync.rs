//! The synchronisation primitives of the crate: std's and parking_lot's, or loom's in models.
//!
//! Everything that a static holds uses [`atomic`] and [`Mutex`], which are `const`. The parts that
//! loom explores (cell tables, flush tickets, buffers of spans) use [`modelled`], which is the same
//! thing in an ordinary build and loom's under `cfg(bellwether_loom)`, where nothing is `const`.

pub(crate) use parking_lot::{Mutex, MutexGuard};

pub(crate) mod atomic {
    pub(crate) use std::sync::atomic::{
        AtomicBool, AtomicI64, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering,
    };
}

#[cfg(not(bellwether_loom))]
pub(crate) mod modelled {
    //! What loom replaces: here, the real things.

    pub(crate) use once_cell::race::OnceRef;
    pub(crate) use parking_lot::Mutex;
    pub(crate) use std::sync::{
        Condvar, MutexGuard as WaitGuard,
        atomic::{AtomicU32, AtomicU64, Ordering, fence},
    };

    use std::{sync::PoisonError, time::Instant};

    /// A cell whose content is reached by a pointer, as loom's is.
    #[derive(Debug)]
    pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        pub(crate) const fn new(value: T) -> Self {
            Self(std::cell::UnsafeCell::new(value))
        }

        #[inline(always)]
        pub(crate) fn with_mut<R>(&self, change: impl FnOnce(*mut T) -> R) -> R {
            change(self.0.get())
        }
    }

    /// A lock with a condition that threads wait for as long as they live. By std: parking_lot has all
    /// waiting threads in one table, which a forked child inherits and whose entries it overwrites.
    #[derive(Debug)]
    #[expect(clippy::disallowed_types, reason = "as said above; nothing panics while it is held")]
    pub(crate) struct WaitMutex<T>(std::sync::Mutex<T>);

    impl<T> WaitMutex<T> {
        #[expect(clippy::disallowed_types, reason = "as said above")]
        pub(crate) const fn new(value: T) -> Self {
            Self(std::sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> WaitGuard<'_, T> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }

    /// Waits for a signal or for `deadline`, whichever is first.
    pub(crate) fn wait_until<'a, T>(
        condition: &Condvar,
        guard: WaitGuard<'a, T>,
        deadline: Instant,
    ) -> WaitGuard<'a, T> {
        #[expect(clippy::disallowed_methods, reason = "a wait of the operating system")]
        let left = deadline.saturating_duration_since(Instant::now());
        condition.wait_timeout(guard, left).unwrap_or_else(PoisonError::into_inner).0
    }
}

#[cfg(bellwether_loom)]
#[path = "sync_loom.rs"]
pub(crate) mod modelled;
