//! Every interleaving of owners, readers and the ends of threads, on tables with explicit handles.
//!
//! A chunk has two cells here and a histogram's log two entries, so that the models cross both.

use loom::thread;

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering::Relaxed},
};

use super::{
    budget::Budget,
    histogram::chosen::Amount,
    ids::Ids,
    space::Space,
    storage::Storage,
    writer::{Owner, Sharer},
};
use crate::{
    clock::Ticks,
    series::Series,
    snapshot::{Aggregation, HistogramOptions},
};

/// An owner that records into `id` `times` times and ends.
fn record(storage: &Storage, id: u32, times: u64) {
    let table = storage.lease().unwrap();
    for _ in 0..times {
        table.sum(id).unwrap().add::<Owner>(1);
    }
    storage.give_back(table);
}

#[test]
fn the_first_touch_of_a_series_is_seen_whole_or_not_at_all() {
    loom::model(|| {
        let storage = Storage::new(false);
        let owner = thread::spawn({
            let storage = storage.clone();
            // The second id lies in another chunk, for which the directory grows.
            move || [0, 3].into_iter().for_each(|id| record(&storage, id, 1))
        });
        let reader = storage.reader();
        assert!(reader.sum(0) <= 1 && reader.sum(3) <= 1);
        owner.join().unwrap();
        let reader = storage.reader();
        assert_eq!((reader.sum(0), reader.sum(3)), (1, 1));
    });
}

#[test]
fn a_total_neither_falls_nor_loses_while_threads_end_and_begin() {
    loom::model(|| {
        let storage = Storage::new(false);
        let owners: Vec<_> = (0..2)
            .map(|_| {
                let storage = storage.clone();
                thread::spawn(move || record(&storage, 0, 2))
            })
            .collect();
        let earlier = storage.reader().sum(0);
        let later = storage.reader().sum(0);
        assert!(earlier <= later && later <= 4, "{earlier} then {later}");
        owners.into_iter().for_each(|owner| owner.join().unwrap());
        assert_eq!(storage.reader().sum(0), 4);
    });
}

#[test]
fn threads_that_share_a_table_lose_nothing_beside_a_reader() {
    loom::model(|| {
        let storage = Storage::new(false);
        let sharers: Vec<_> = (0..2)
            .map(|_| {
                let storage = storage.clone();
                thread::spawn(move || share(&storage))
            })
            .collect();
        let earlier = storage.reader().sum(0);
        let later = storage.reader().sum(0);
        assert!(earlier <= later && later <= 2, "{earlier} then {later}");
        sharers.into_iter().for_each(|sharer| sharer.join().unwrap());
        assert_eq!(storage.reader().sum(0), 2);
    });
}

#[test]
fn a_thread_that_shared_takes_the_table_of_an_owner_that_ends_and_loses_nothing() {
    loom::model(|| {
        let storage = Storage::new(false);
        let owner = thread::spawn({
            let storage = storage.clone();
            move || record(&storage, 0, 1)
        });
        let waiting = thread::spawn({
            let storage = storage.clone();
            move || {
                share(&storage);
                // The owner's table if it has ended, else a new one.
                record(&storage, 0, 1);
            }
        });
        assert!(storage.reader().sum(0) <= 3);
        owner.join().unwrap();
        waiting.join().unwrap();
        assert_eq!(storage.reader().sum(0), 3);
    });
}

/// A record of a thread without a table.
fn share(storage: &Storage) {
    storage.share_one().sum(0).unwrap().add::<Sharer>(1);
}

#[test]
fn threads_that_share_a_histogram_lose_no_value_while_its_log_becomes_dense() {
    loom::model(|| {
        let storage = Storage::new(false);
        let one = Amount { value: 1.0, ticks: None };
        let record = move |storage: &Storage| {
            storage.share_one().record::<Sharer>(0, one).unwrap();
        };
        record(&storage); // A log has two places.
        let sharer = thread::spawn({
            let storage = storage.clone();
            move || record(&storage)
        });
        record(&storage);
        assert!(count_of_ones(&storage) >= 2);
        sharer.join().unwrap();
        assert_eq!(count_of_ones(&storage), 3);
        assert_eq!(storage.reader().histogram(0).unwrap().sum(), 3.0);
    });
}

#[test]
fn a_log_is_read_as_far_as_it_was_written() {
    loom::model(|| {
        let storage = Storage::new(false);
        let owner = thread::spawn({
            let storage = storage.clone();
            move || record_ones(&storage, 2)
        });
        let earlier = count_of_ones(&storage);
        let later = count_of_ones(&storage);
        assert!(earlier <= later && later <= 2, "{earlier} then {later}");
        owner.join().unwrap();
        assert_eq!(count_of_ones(&storage), 2);
    });
}

#[test]
fn a_histogram_is_read_whole_while_its_log_becomes_dense() {
    loom::model(|| {
        let storage = Storage::new(false);
        record_ones(&storage, 2);
        let owner = thread::spawn({
            let storage = storage.clone();
            // Adopts the table, whose log is full.
            move || record_ones(&storage, 1)
        });
        let earlier = count_of_ones(&storage);
        let later = count_of_ones(&storage);
        assert!(2 <= earlier && earlier <= later && later <= 3, "{earlier} then {later}");
        owner.join().unwrap();
        assert_eq!(count_of_ones(&storage), 3);
    });
}

#[test]
fn a_chosen_histogram_is_read_as_far_as_it_was_written() {
    let options = [Aggregation::Explicit(&[1.0]), Aggregation::Hdr { significant_digits: 1 }];
    for options in options.map(|aggregation| HistogramOptions::new().aggregation(aggregation)) {
        let ids = Ids::new(Arc::new(Budget::new(u64::MAX)));
        let id = ids.reserve(Space::Histogram, options, 1);
        loom::model(move || {
            let storage = Storage::new(false);
            let owner = thread::spawn({
                let storage = storage.clone();
                move || {
                    let table = storage.lease().unwrap();
                    for _ in 0..2 {
                        table.record::<Owner>(id, Amount { value: 1.0, ticks: None }).unwrap();
                    }
                    storage.give_back(table);
                }
            });
            let count = || storage.reader().histogram(id).map_or(0, |all| all.count());
            let (earlier, later) = (count(), count());
            assert!(earlier <= later && later <= 2, "{earlier} then {later}");
            owner.join().unwrap();
            assert_eq!(count(), 2);
        });
    }
}

/// An owner that records the number one `times` times and ends.
fn record_ones(storage: &Storage, times: usize) {
    let table = storage.lease().unwrap();
    for _ in 0..times {
        table.record::<Owner>(0, Amount { value: 1.0, ticks: None }).unwrap();
    }
    storage.give_back(table);
}

/// Removes the sum 0, and gives its cells to another series if nobody can write to them and nothing
/// was recorded since; answers what was on the page when it was removed.
fn remove_and_give_up(storage: &Storage, series: &Series) -> u64 {
    let held = storage.remove_sum(0, |reader| reader.sum(0));
    if !series.is_pinned() && storage.reader().sum(0) == 0 {
        storage.reset(Space::Sum, 0);
    }
    held
}

#[test]
fn an_increment_beside_a_removal_is_before_it_or_after_it() {
    loom::model(|| {
        let storage = Storage::new(false);
        let series = Arc::new(Series::new(0, Ticks::ORIGIN, b""));
        let owner = thread::spawn({
            let (storage, pin) = (storage.clone(), series.pin());
            move || {
                record(&storage, 0, 1);
                drop(pin);
            }
        });
        let held = remove_and_give_up(&storage, &series);
        owner.join().unwrap();
        assert_eq!(held + storage.reader().sum(0), 1);
    });
}

#[test]
fn what_a_given_up_series_recorded_is_not_the_next_ones() {
    loom::model(|| {
        let storage = Storage::new(false);
        let series = Arc::new(Series::new(0, Ticks::ORIGIN, b""));
        // The table stays with its thread, which could write to the cell at any time.
        let owner = writer(&storage, &series);
        let held = storage.remove_sum(0, |reader| reader.sum(0));
        if !series.is_pinned() {
            // Whatever it was: it is seen whole here, and nothing comes after it.
            let left = storage.reader().sum(0);
            storage.reset(Space::Sum, 0);
            record(&storage, 0, 1);
            owner.join().unwrap();
            assert_eq!((held + left, storage.reader().sum(0)), (1, 1));
        } else {
            owner.join().unwrap();
        }
    });
}

#[test]
fn the_cells_of_a_family_that_is_gone_are_set_to_zero_once_and_after_the_last_write() {
    loom::model(|| {
        let storage = Storage::new(false);
        let series = Arc::new(Series::new(0, Ticks::ORIGIN, b""));
        let ends = Arc::new(AtomicU32::new(0));
        let holder = writer(&storage, &series);
        series.orphan({
            let (storage, ends) = (storage.clone(), ends.clone());
            move || {
                storage.reset(Space::Sum, 0);
                ends.fetch_add(1, Relaxed);
            }
        });
        holder.join().unwrap();
        assert_eq!((storage.reader().sum(0), ends.load(Relaxed)), (0, 1));
    });
}

/// A thread that writes to the sum 0 of a table of its own, and lets go of the series.
fn writer(storage: &Arc<Storage>, series: &Arc<Series>) -> thread::JoinHandle<()> {
    let table = storage.lease().unwrap();
    let (storage, pin) = (storage.clone(), series.pin());
    thread::spawn(move || {
        table.sum(0).unwrap().add::<Owner>(1);
        drop(pin);
        storage.give_back(table);
    })
}

/// How many ones were recorded; nothing else was.
fn count_of_ones(storage: &Storage) -> u64 {
    let Some(histogram) = storage.reader().histogram(0) else { return 0 };
    for (lower, upper, _) in histogram.buckets() {
        assert!(lower < 1.0 && 1.0 <= upper, "a value in ({lower}, {upper}]");
    }
    histogram.count()
}
