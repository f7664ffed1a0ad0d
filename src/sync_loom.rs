//! What models use in place of `modelled`: loom's types behind parking_lot's and once_cell's faces.

pub(crate) use loom::cell::UnsafeCell;
pub(crate) use loom::sync::{
    MutexGuard,
    atomic::{AtomicU32, AtomicU64, Ordering, fence},
};

/// The guard of a lock with a condition is no other one either.
pub(crate) use loom::sync::MutexGuard as WaitGuard;

use std::time::Instant;

/// The lock of a condition is no other one here.
pub(crate) type WaitMutex<T> = Mutex<T>;

/// A lock whose acquisition is a point of interleaving.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(loom::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Time does not pass in a model: it waits.
    pub(crate) fn try_lock_for(&self, _timeout: std::time::Duration) -> Option<MutexGuard<'_, T>> {
        Some(self.lock())
    }
}

/// A condition; time does not pass in a model, so a wait with a deadline waits for its signal.
#[derive(Debug, Default)]
pub(crate) struct Condvar(loom::sync::Condvar);

impl Condvar {
    pub(crate) fn new() -> Self {
        Self(loom::sync::Condvar::new())
    }

    pub(crate) fn notify_all(&self) {
        self.0.notify_all();
    }
}

/// The loop of parking_lot's `wait_until`, whose guard is borrowed and not consumed: in a model it is
/// `while` over this function.
pub(crate) fn wait_until<'a, T>(
    condition: &Condvar,
    guard: MutexGuard<'a, T>,
    _deadline: Instant,
) -> MutexGuard<'a, T> {
    condition.0.wait(guard).unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// A pointer published once. A lock stands for once_cell's Release store and Acquire load, which are
/// once_cell's to get right; what is explored is the order in which others see it.
#[derive(Debug)]
pub(crate) struct OnceRef<'a, T>(loom::sync::Mutex<Option<&'a T>>);

impl<'a, T> OnceRef<'a, T> {
    pub(crate) fn new() -> Self {
        Self(loom::sync::Mutex::new(None))
    }

    pub(crate) fn get(&self) -> Option<&'a T> {
        *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(crate) fn set(&self, value: &'a T) -> Result<(), ()> {
        let mut slot = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if slot.is_some() {
            return Err(());
        }
        *slot = Some(value);
        Ok(())
    }
}
