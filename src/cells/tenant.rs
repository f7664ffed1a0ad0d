//! Which storage a thread records into, and the tables that it has there until it ends.

use std::{
    cell::RefCell,
    sync::{Arc, LazyLock},
};

use super::{
    busy::{busy, guarded},
    hot::{HOT, Hot},
    owners::freed,
    storage::Storage,
    table::Table,
    tally::Tally,
};
use crate::sync::atomic::{AtomicU64, Ordering::Relaxed};

thread_local! {
    // What must be given back when the thread ends.
    static TENANT: Tenant = const { Tenant::NEW };
}

/// The values of the process.
static GLOBAL: LazyLock<Arc<Storage>> = LazyLock::new(|| Storage::new(false));

/// Lets this thread record into `storage` until the guard is dropped; `None` is the process's own.
pub(crate) fn enter(storage: Option<Arc<Storage>>) -> Entered {
    let swap = |tenant: &Tenant| {
        let previous = tenant.current.replace(storage);
        tenant.refresh();
        previous
    };
    // A thread whose destructors run has no scope any more: its records go to the process's own.
    Entered(TENANT.try_with(swap).ok())
}

/// The storage that this thread records into.
pub(crate) fn current_storage() -> Arc<Storage> {
    TENANT.try_with(Tenant::storage).unwrap_or_else(|_| GLOBAL.clone())
}

/// The process's own storage, whatever scope this thread is in.
pub(crate) fn process_storage() -> Arc<Storage> {
    GLOBAL.clone()
}

/// Records of threads whose table was gone already.
static ORPHANED: AtomicU64 = AtomicU64::new(0);

/// How many records were made by threads whose table was gone already.
pub(crate) fn orphaned() -> u64 {
    ORPHANED.load(Relaxed)
}

/// Lets `note` count what the current storage does not record as it was asked to. From
/// inside the slow path, what is not counted here is counted as dropped there.
#[cold]
pub(crate) fn tally(note: impl FnOnce(&Tally)) {
    guarded(|| note(current_storage().tally()));
}

/// How many records threads made in shared tables of the process's own storage.
pub(crate) fn shared_records() -> u64 {
    GLOBAL.shared_records()
}

/// Puts the storage back that the thread recorded into before; `None` if there was none to swap.
#[derive(Debug)]
pub(crate) struct Entered(Option<Option<Arc<Storage>>>);

impl Drop for Entered {
    fn drop(&mut self) {
        let Some(previous) = self.0.take() else { return };
        let _ = TENANT.try_with(|tenant| {
            // The scope's own storage is dropped after the borrow has ended.
            let left = tenant.current.replace(previous);
            tenant.refresh();
            drop(left);
        });
    }
}

/// The tables that a thread has leased, and which storage is current.
struct Tenant {
    current: RefCell<Option<Arc<Storage>>>, // None: the process's own.
    leases: RefCell<Vec<Lease>>,            // Invariant: one for each storage.
}

/// A thread's tables in one storage.
pub(super) struct Lease {
    storage: Arc<Storage>,
    pub(super) own: Option<&'static Table>,
    /// `None` until the thread needs it: because it owns no table, or was refused a cell in it.
    shared: Option<&'static Table>,
    /// How often a table had become free when this one was asked for.
    asked: u64,
}

impl Lease {
    fn new(storage: Arc<Storage>) -> Self {
        let mut lease = Self { storage, own: None, shared: None, asked: 0 };
        lease.ask();
        lease
    }

    /// Asks for a table to own, if there is none.
    fn ask(&mut self) {
        if self.own.is_none() {
            // Before the table: one that becomes free in between is asked for again.
            self.asked = freed();
            self.own = self.storage.lease();
        }
    }

    /// The table that this thread shares.
    pub(super) fn shared(&mut self) -> &'static Table {
        self.shared.get_or_insert_with(|| self.storage.share())
    }

    /// Lets the hot path lead to these tables, of `storage`.
    fn put_at_hand(&self, storage: &Storage) {
        HOT.with(|hot| hot.refresh(storage, self.own, self.shared, self.asked));
    }

    /// A lease of a thread that will give nothing back: it owns no table.
    fn last(storage: Arc<Storage>) -> Self {
        Self { storage, own: None, shared: None, asked: 0 }
    }
}

impl Tenant {
    #[expect(
        clippy::declare_interior_mutable_const,
        reason = "the initial value of a thread-local, copied into each"
    )]
    const NEW: Self = Self { current: RefCell::new(None), leases: RefCell::new(Vec::new()) };

    fn storage(&self) -> Arc<Storage> {
        self.current.borrow().as_ref().unwrap_or(&GLOBAL).clone()
    }

    /// Lets `write` write to this thread's tables in the current storage, leased at the first call.
    fn with_tables(&self, write: impl FnOnce(&mut Lease)) {
        let storage = self.storage();
        let mut leases = self.leases.borrow_mut();
        let place = leases.iter().position(|lease| Arc::ptr_eq(&lease.storage, &storage));
        let place = place.unwrap_or_else(|| {
            // A storage that only this thread's lease still holds belonged to a scope that has ended.
            leases.retain(|lease| Arc::strong_count(&lease.storage) > 1);
            leases.push(Lease::new(storage.clone()));
            leases.len() - 1
        });
        let lease = &mut leases[place];
        lease.ask();
        write(lease);
        lease.put_at_hand(&storage);
    }

    /// Lets the hot path lead to the current storage: to nothing where this thread has no table in it.
    fn refresh(&self) {
        let current = self.current.borrow();
        let storage = current.as_ref().unwrap_or(&GLOBAL);
        let leases = self.leases.borrow();
        match leases.iter().find(|lease| Arc::ptr_eq(&lease.storage, storage)) {
            Some(lease) => lease.put_at_hand(storage),
            None => HOT.with(Hot::clear),
        }
    }
}

impl Drop for Tenant {
    fn drop(&mut self) {
        let _busy = busy();
        HOT.with(Hot::clear);
        for Lease { storage, own, .. } in self.leases.get_mut().drain(..) {
            own.into_iter().for_each(|table| storage.give_back(table));
        }
    }
}

/// Lets `write` write to the table that this thread owns, if `is_own` and it has one, else to the one that
/// it shares.
pub(super) fn with_table(is_own: bool, write: impl FnOnce(&'static Table)) {
    with_tables(|tables| {
        write(tables.own.filter(|_| is_own).unwrap_or_else(|| tables.shared()));
    });
}

/// Lets `write` write to this thread's tables; where it has none any more, to one that it shares.
pub(super) fn with_tables(write: impl FnOnce(&mut Lease)) {
    let mut write = Some(write);
    guarded(|| {
        let own = TENANT.try_with(|tenant| {
            if let Some(write) = write.take() {
                tenant.with_tables(write);
            }
        });
        if let (Err(_), Some(write)) = (own, write.take()) {
            ORPHANED.fetch_add(1, Relaxed);
            write(&mut Lease::last(GLOBAL.clone()));
        }
    });
}
