//! Urgent records, full queues, and threads that wait for room.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::{
    limits::Limits,
    queue::{Next, Queue},
    *,
};

/// A number; the multiples of ten are urgent.
#[derive(Debug)]
struct Number(u32);

impl Signal for Number {
    const NAME: &'static str = "numbers";
    type RouteOptions = ();

    fn weight(&self) -> usize {
        8
    }

    fn is_urgent(&self) -> bool {
        is_urgent(self.0)
    }
}

fn is_urgent(number: u32) -> bool {
    number.is_multiple_of(10)
}

fn queue(max_items: usize, overflow: Overflow, batch_items: usize) -> Queue<Number> {
    let settings = Settings { max_items, overflow, ..settings(batch_items) };
    Queue::new(Limits::checked(&settings).unwrap())
}

fn push(queue: &Queue<Number>, numbers: impl IntoIterator<Item = u32>) {
    queue.push(&Chunk::new(numbers.into_iter().map(Number).collect()), true);
}

/// The next batch, which is delivered.
fn deliver(queue: &Queue<Number>) -> Vec<u32> {
    let _ = queue.begin_flush(None);
    let Next::Deliver(batch) = queue.next() else { panic!("a batch") };
    let numbers = batch.iter().map(|number| number.0).collect();
    queue.settle(0, None);
    numbers
}

#[test]
fn an_urgent_record_takes_the_place_of_another_whichever_the_policy_gives_up() {
    for (overflow, left) in [
        (Overflow::DropNewest, [1, 2, 10]),
        (Overflow::DropOldest, [2, 3, 10]),
        (Overflow::Block(NONE), [1, 2, 10]),
    ] {
        let queue = queue(3, overflow, 3);
        push(&queue, [1, 2, 3]);
        push(&queue, [10]);
        let mut kept = deliver(&queue);
        kept.sort_unstable();
        assert_eq!(kept, left, "{overflow:?}");
        assert_eq!(dropped(&queue.report("", ""), DropReason::QueueFull), 1);
    }
}

#[test]
fn what_an_urgent_record_drives_out_leaves_its_bytes_to_others() {
    let part = 128 + 8;
    for overflow in [Overflow::DropNewest, Overflow::DropOldest] {
        let settings = Settings { max_bytes: 2 * part, overflow, ..settings(10) };
        let queue = Queue::new(Limits::checked(&settings).unwrap());
        for number in [1, 2, 10] {
            push(&queue, [number]);
        }
        assert_eq!(deliver(&queue).len() + deliver(&queue).len(), 2, "{overflow:?}");
        push(&queue, [3]);
        push(&queue, [4]);
        assert_eq!(queue.report("", "").held, 2, "{overflow:?}");
    }
}

#[test]
fn no_other_record_takes_the_place_of_an_urgent_one() {
    for overflow in [Overflow::DropNewest, Overflow::DropOldest] {
        let queue = queue(2, overflow, 2);
        push(&queue, [10, 20]);
        push(&queue, [1, 2]);
        assert_eq!(deliver(&queue), [10, 20], "{overflow:?}");
    }
}

#[test]
fn among_urgent_records_the_policy_holds() {
    let newest = queue(2, Overflow::DropNewest, 2);
    push(&newest, [10, 20, 30]);
    assert_eq!(deliver(&newest), [10, 20]);
    let oldest = queue(2, Overflow::DropOldest, 2);
    push(&oldest, [10, 20, 30]);
    assert_eq!(deliver(&oldest), [20, 30]);
    for (overflow, left) in [(Overflow::DropNewest, [10, 20]), (Overflow::DropOldest, [20, 30])] {
        let queue = queue(2, overflow, 2);
        [10, 20, 30].iter().for_each(|number| push(&queue, [*number]));
        assert_eq!(deliver(&queue), left, "{overflow:?}, one by one");
    }
}

#[test]
fn urgent_records_go_first_only_while_the_queue_is_more_than_half_full() {
    let queue = queue(8, Overflow::DropNewest, 2);
    push(&queue, [1, 2]);
    push(&queue, [10]);
    push(&queue, [3]);
    assert_eq!(deliver(&queue), [1, 2], "in order");
    push(&queue, [4, 5, 6]);
    assert_eq!(deliver(&queue), [10, 3], "in order");
    push(&queue, [7, 8, 9]);
    push(&queue, [20]);
    assert_eq!(deliver(&queue), [20, 4]);
}

#[test]
fn a_flush_waits_for_what_an_urgent_record_overtook() {
    let queue = queue(4, Overflow::DropNewest, 1);
    push(&queue, [1, 2]);
    let ticket = queue.begin_flush(None);
    push(&queue, [10]);
    assert_eq!(deliver(&queue), [10]);
    assert_eq!(deliver(&queue), [1]);
    assert!(!queue.wait_settled(ticket, real_instant()));
    assert_eq!(deliver(&queue), [2]);
    assert!(queue.wait_settled(ticket, real_instant()));
}

#[test]
fn who_offers_to_a_full_queue_that_blocks_waits_for_room_and_nothing_is_lost() {
    let queue = Arc::new(queue(2, Overflow::Block(LONG), 2));
    push(&queue, [1, 2]);
    let producer = thread::spawn({
        let queue = queue.clone();
        move || push(&queue, [3, 4, 5])
    });
    // The producer asks for the batch, though that is not due by itself.
    let Next::Deliver(batch) = queue.next() else { panic!("a batch") };
    assert_eq!(batch.len(), 2);
    queue.settle(0, None);
    // More than the queue ever holds: what fits is kept, and the rest is not waited for.
    producer.join().unwrap();
    assert_eq!(deliver(&queue), [3, 4]);
    let report = queue.report("", "");
    assert_eq!((report.delivered, dropped(&report, DropReason::QueueFull)), (4, 1));
}

#[test]
fn a_flush_returns_at_once_when_what_it_waits_for_is_dropped_for_want_of_room() {
    for _ in 0..50 {
        let begin = real_instant();
        let queue = Arc::new(queue(1, Overflow::DropOldest, 1));
        push(&queue, [1]);
        let ticket = queue.begin_flush(None);
        let flush = thread::spawn({
            let queue = queue.clone();
            move || queue.wait_settled(ticket, soon())
        });
        // Sooner or later one of the flushes waits by now.
        thread::yield_now();
        push(&queue, [2]);
        assert!(flush.join().unwrap());
        assert!(real_instant() - begin < LONG, "it was not woken");
    }
}

#[test]
fn patience_with_a_full_queue_ends() {
    let queue = queue(1, Overflow::Block(Duration::from_millis(20)), 1);
    push(&queue, [1]);
    let before = real_instant();
    push(&queue, [2]);
    assert!(real_instant() - before >= Duration::from_millis(20));
    assert_eq!(dropped(&queue.report("", ""), DropReason::QueueFull), 1);
    queue.close(clock::deadline(LONG));
    push(&queue, [3]); // Does not wait for a queue that takes nothing more.
    assert_eq!(dropped(&queue.report("", ""), DropReason::Shutdown), 1);
}

#[test]
fn a_worker_thread_that_offers_does_not_wait_for_room() {
    let settings = Settings { max_items: 1, overflow: Overflow::Block(LONG), ..settings(1) };
    let (pipe, script) = start(settings);
    pipe.push(vec![1]);
    assert_eq!(script.batch(), [1]);
    let again = pipe.clone();
    script.answer(move |_| {
        again.push(vec![2]);
        Ok(())
    });
    assert!(pipe.flush(LONG));
    assert_eq!(dropped(&pipe.report(), DropReason::QueueFull), 1);
}

#[derive(Clone, Debug)]
enum Step {
    Push(Vec<u32>),
    Deliver,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let numbers = proptest::collection::vec(any::<bool>(), 0..6);
    let push = numbers.prop_map(|urgent| Step::Push(urgent.into_iter().map(u32::from).collect()));
    proptest::collection::vec(prop_oneof![3 => push, 1 => Just(Step::Deliver)], 0..40)
}

proptest! {
    #[test]
    fn whatever_is_offered_the_sums_hold_and_no_urgent_record_is_lost_before_another(
        steps in steps(),
        max_items in 1usize..12,
        batch_items in 1usize..6,
        drops_oldest in any::<bool>(),
    ) {
        let overflow = if drops_oldest { Overflow::DropOldest } else { Overflow::DropNewest };
        let queue = queue(max_items, overflow, batch_items);
        let mut next = 0; // Numbers rise; the last digit says whether one is urgent.
        let mut waiting: BTreeSet<u32> = BTreeSet::new();
        let mut fates: BTreeMap<u32, u32> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Push(kinds) => {
                    let numbers: Vec<_> = kinds.iter().map(|urgent| {
                        next += 10;
                        if *urgent == 1 { next } else { next + 1 }
                    }).collect();
                    waiting.extend(&numbers);
                    push(&queue, numbers);
                }
                Step::Deliver if queue.report("", "").held > 0 => {
                    for number in deliver(&queue) {
                        prop_assert!(waiting.remove(&number), "{number} was delivered twice");
                        *fates.entry(number).or_default() += 1;
                    }
                }
                Step::Deliver => {}
            }
            let report = queue.report("", "");
            prop_assert!(report.totals().add_up() && report.held as usize <= max_items, "{report}");
        }
        let n_dropped = queue.report("", "").totals().dropped;
        while queue.report("", "").held > 0 {
            for number in deliver(&queue) {
                prop_assert!(waiting.remove(&number));
            }
        }
        prop_assert_eq!(waiting.len() as u64, n_dropped);
    }
}

#[test]
fn who_waited_for_room_wakes_the_worker_that_slept_meanwhile() {
    let (pipe, script) =
        start(Settings { max_items: 4, overflow: Overflow::Block(LONG), ..settings(2) });
    pipe.push(vec![1, 2]);
    assert_eq!(script.batch(), [1, 2]);
    pipe.push(vec![3, 4]);
    let pushing = pipe.clone();
    // There is room for all of it only when the worker has nothing left to do.
    let push = thread::spawn(move || pushing.push(vec![5, 6, 7, 8]));
    for expected in [[3, 4], [5, 6], [7, 8]] {
        script.deliver();
        assert_eq!(script.batch(), expected);
    }
    script.deliver();
    push.join().unwrap();
    assert_eq!(pipe.shutdown(LONG).delivered, 8);
}

#[test]
fn urgent_records_that_come_after_a_flush_began_do_not_prolong_it() {
    let queue = queue(8, Overflow::DropNewest, 2);
    push(&queue, [1, 2, 3, 4, 10]);
    let ticket = queue.begin_flush(None);
    let mut delivered = Vec::new();
    for later in [20, 30, 40] {
        push(&queue, [later, later]);
        let Next::Deliver(batch) = queue.next() else { panic!("a batch") };
        delivered.extend(batch.iter().map(|number| number.0));
        queue.settle(0, None);
    }
    assert_eq!(delivered[..5], [10, 1, 2, 3, 4]);
    assert!(queue.wait_settled(ticket, real_instant()));
}
