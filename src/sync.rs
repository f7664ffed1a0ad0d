//! The synchronisation primitives of the crate: std's and parking_lot's, or loom's in models.
//!
//! Everything that a static holds uses [`atomic`] and [`Mutex`], which are `const`. The parts that
//! loom explores (cell tables, flush tickets) use [`modelled`], which is the same thing in an
//! ordinary build and loom's under `cfg(bellwether_loom)`, where nothing is `const`.

pub(crate) use parking_lot::{Condvar, Mutex, MutexGuard};

pub(crate) mod atomic {
    pub(crate) use std::sync::atomic::{
        AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering,
    };
}

#[cfg(not(bellwether_loom))]
pub(crate) mod modelled {
    //! What loom replaces: here, the real things.

    pub(crate) use once_cell::race::OnceRef;
    pub(crate) use parking_lot::{Condvar, Mutex, MutexGuard};
    pub(crate) use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

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

    /// Waits for a signal or for `deadline`, whichever is first.
    pub(crate) fn wait_until<'a, T>(
        condition: &Condvar,
        mut guard: MutexGuard<'a, T>,
        deadline: std::time::Instant,
    ) -> MutexGuard<'a, T> {
        let _ = condition.wait_until(&mut guard, deadline);
        guard
    }
}

#[cfg(bellwether_loom)]
#[path = "sync_loom.rs"]
pub(crate) mod modelled;
