//! The bytes that a registry's series and their cells may take, and who takes them.

use std::sync::Arc;

use crate::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The bytes that the series of a registry may take. Each number is loaded relaxed, since it guards
/// nothing but itself.
#[derive(Debug)]
pub(crate) struct Budget {
    limit: AtomicU64,
    used: AtomicU64,
}

impl Budget {
    pub(crate) fn new(limit: u64) -> Self {
        Self { limit: AtomicU64::new(limit), used: AtomicU64::new(0) }
    }

    pub(crate) fn limit(&self) -> u64 {
        self.limit.load(Relaxed)
    }

    pub(crate) fn set_limit(&self, bytes: u64) {
        self.limit.store(bytes, Relaxed);
    }

    /// Takes `bytes` if the limit allows it.
    pub(crate) fn take(&self, bytes: usize) -> bool {
        self.take_below(bytes, self.limit())
    }

    pub(crate) fn put_back(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Relaxed);
    }

    fn take_below(&self, bytes: usize, limit: u64) -> bool {
        let bytes = bytes as u64;
        let is_within = self.used.fetch_add(bytes, Relaxed).saturating_add(bytes) <= limit;
        if !is_within {
            self.put_back(bytes);
        }
        is_within
    }
}

/// What the cells of a block of ids take of a registry's budget.
#[derive(Debug)]
pub(crate) struct Account {
    budget: Arc<Budget>,
    held: AtomicU64,
    /// How much of that the budget was not charged with.
    uncharged: u64,
}

impl Account {
    /// An account of cells to be made.
    pub(super) fn new(budget: Arc<Budget>) -> Self {
        Self { budget, held: AtomicU64::new(0), uncharged: 0 }
    }

    /// An account of cells that take `held` bytes already, since an earlier registry made them. They
    /// are there whoever pays: the budget is charged with a sixteenth of itself (arbitrary) at most, and
    /// with nothing where there is no room.
    pub(super) fn of_held(budget: Arc<Budget>, held: u64) -> Self {
        let asked = held.min(budget.limit() / 16);
        let is_charged = budget.take_below(asked as usize, budget.limit() / 2);
        let charged = if is_charged { asked } else { 0 };
        Self { budget, held: AtomicU64::new(held), uncharged: held - charged }
    }

    /// Ends the account, and how many bytes its cells take.
    pub(crate) fn close(&self) -> u64 {
        let held = self.held.swap(0, Relaxed);
        self.budget.put_back(held - self.uncharged);
        held
    }

    /// Puts back bytes that were taken for what is gone.
    pub(super) fn put_back(&self, bytes: usize) {
        self.held.fetch_sub(bytes as u64, Relaxed);
        self.budget.put_back(bytes as u64);
    }

    /// Takes `bytes` for cells of a thread's own, which may take half of the budget: the other half
    /// stays for series, and for the cells that threads share.
    fn take_own(&self, bytes: usize) -> bool {
        let is_within = self.budget.take_below(bytes, self.budget.limit() / 2);
        if is_within {
            self.held.fetch_add(bytes as u64, Relaxed);
        }
        is_within
    }

    /// Takes `bytes` for cells that threads share, whatever the limit: a known series always has one.
    fn take_shared(&self, bytes: usize) -> bool {
        self.budget.used.fetch_add(bytes as u64, Relaxed);
        self.held.fetch_add(bytes as u64, Relaxed);
        true
    }
}

/// Asked for the memory that a cell is about to take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room<'a>(Of<'a>);

#[derive(Clone, Copy, Debug)]
enum Of<'a> {
    Owner(&'a Account),
    Sharers(&'a Account),
    Nobody,
}

impl<'a> Room<'a> {
    /// For cells of one thread.
    pub(crate) fn own(account: &'a Account) -> Self {
        Self(Of::Owner(account))
    }

    /// For cells that threads share.
    pub(crate) fn shared(account: &'a Account) -> Self {
        Self(Of::Sharers(account))
    }

    /// For cells that no registry pays for.
    pub(crate) const fn unlimited() -> Self {
        Self(Of::Nobody)
    }

    /// Takes `bytes`; `false` if they are not to be had.
    pub(crate) fn take(self, bytes: usize) -> bool {
        match self.0 {
            Of::Owner(account) => account.take_own(bytes),
            Of::Sharers(account) => account.take_shared(bytes),
            Of::Nobody => true,
        }
    }

    /// Takes the bytes of a `T`.
    pub(crate) fn take_for<T>(self) -> bool {
        self.take(size_of::<T>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_of_a_threads_own_take_half_and_shared_ones_what_they_need() {
        let budget = Arc::new(Budget::new(100));
        let account = Account::new(budget.clone());
        let (own, shared) = (Room::own(&account), Room::shared(&account));
        assert!(own.take(50) && !own.take(1));
        assert!(budget.take(40) && !budget.take(11));
        assert!(shared.take(1_000) && !budget.take(1));
        account.put_back(50);
        assert_eq!((account.close(), budget.used.load(Relaxed)), (1_000, 40));
    }

    #[test]
    fn cells_that_an_earlier_registry_made_are_charged_as_far_as_there_is_room() {
        let budget = Arc::new(Budget::new(100));
        let account = Account::of_held(budget.clone(), 1_000);
        assert_eq!(budget.used.load(Relaxed), 6);
        assert!(Room::own(&account).take(4));
        assert_eq!((account.close(), budget.used.load(Relaxed)), (1_004, 0));
        assert!(budget.take(50));
        let account = Account::of_held(budget.clone(), 1);
        assert_eq!(budget.used.load(Relaxed), 50, "no room");
        assert_eq!((account.close(), budget.used.load(Relaxed)), (1, 50));
    }
}
