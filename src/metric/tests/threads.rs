//! Which cells a thread writes, and what is left of one that has ended.

use super::*;

#[test]
fn records_in_the_destructors_of_an_ending_thread_are_kept() {
    struct Late(BoundCounter, BoundHistogram, BoundGauge);
    impl Drop for Late {
        fn drop(&mut self) {
            for n in 1..=300 {
                self.0.inc();
                self.1.record(f64::from(n));
                self.2.set(f64::from(n));
            }
        }
    }
    thread_local!(static LATE: std::cell::RefCell<Option<Late>> = const { std::cell::RefCell::new(None) });
    let registry = Registry::new();
    let counter = registry.counter("c", "").build().unwrap();
    let histogram = registry.histogram("h", "").build().unwrap();
    let gauge = registry.gauge("g", "").build().unwrap();
    let late = || Late(counter.bind(()), histogram.bind(()), gauge.bind(()));
    let before = orphaned();
    // Destructors run in the order of registration or against it: one is on either side of ours.
    for first in [true, false] {
        thread::scope(|scope| {
            // Joined: the end of a scope does not wait for the destructors of thread-locals.
            let ending = scope.spawn(|| {
                if first {
                    LATE.with(|slot| *slot.borrow_mut() = Some(late()));
                }
                counter.inc();
                if !first {
                    LATE.with(|slot| *slot.borrow_mut() = Some(late()));
                }
            });
            ending.join().unwrap();
        });
    }
    assert_eq!(counter.value(), 602);
    assert_eq!(histogram.snapshot().count(), 600);
    assert_eq!(gauge.value(), Some(300.0));
    assert!(orphaned() > before, "at least one of the two came after the table was gone");
}

#[test]
fn owners_write_cells_of_their_own_and_further_threads_share_and_nothing_is_lost() {
    const THREADS: u64 = 64; // More than may own a table of a storage.
    // The threads of a later round adopt the tables of an earlier one; the series is new.
    for _ in 0..20 {
        let (counter, id) = counter_and_id();
        let storage = cells::Storage::new(true);
        let barrier = std::sync::Barrier::new(THREADS as usize + 1);
        let cells = thread::scope(|scope| {
            let record = || {
                let _entered = cells::enter(Some(storage.clone()));
                barrier.wait();
                (0..1_000).for_each(|_| counter.add(1));
                barrier.wait(); // All have recorded, and live until the cells are read.
                barrier.wait();
            };
            // Joined: the end of a scope does not wait until the tables are given back.
            let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(record)).collect();
            barrier.wait();
            barrier.wait();
            let cells = storage.sums(id);
            barrier.wait();
            threads.into_iter().for_each(|thread| thread.join().unwrap());
            cells
        });
        let n_owned = cells.iter().filter(|&&sum| sum == 1_000).count();
        assert!((8..=32).contains(&n_owned), "{cells:?}");
        assert!(cells.len() - n_owned <= 4, "a few are shared: {cells:?}");
        assert_eq!(cells.iter().sum::<u64>(), THREADS * 1_000);
        assert_eq!(storage.shared_records(), (THREADS - n_owned as u64) * 1_000);
    }
}

#[test]
fn a_thread_without_a_table_takes_one_that_becomes_free() {
    let storage = cells::Storage::new(true);
    let (counter, id) = counter_and_id();
    let (ready, end) = (std::sync::Barrier::new(65), std::sync::Barrier::new(65));
    thread::scope(|scope| {
        let owners: Vec<_> = (0..64)
            .map(|_| {
                scope.spawn(|| {
                    let _entered = cells::enter(Some(storage.clone()));
                    counter.inc();
                    ready.wait();
                    end.wait();
                })
            })
            .collect();
        ready.wait();
        let _entered = cells::enter(Some(storage.clone()));
        let shared = storage.shared_records();
        counter.inc();
        assert_eq!(storage.shared_records(), shared + 1, "all tables are owned");
        end.wait();
        owners.into_iter().for_each(|owner| owner.join().unwrap());
        (0..100).for_each(|_| counter.inc());
        assert_eq!(storage.shared_records(), shared + 1, "one has become free");
        assert_eq!(storage.sums(id).iter().sum::<u64>(), 64 + 101);
    });
}

/// A counter, and the id of its only series.
fn counter_and_id() -> (Counter, u32) {
    let descriptor = Descriptor::new("c", "", Kind::Counter);
    let family = Registry::new().register::<()>(&descriptor).unwrap();
    let id = family.base();
    (Counter::from_instrument(instrument::Instrument::registered(descriptor, family)), id)
}
