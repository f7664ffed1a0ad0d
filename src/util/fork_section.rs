//! Sections of the crate's own threads in which no fork begins: a child would inherit locks that are held there,
//! and nobody would open them.
//!
//! An application cannot know when the tick is at work, so a fork waits for the end of such a section, and a
//! section that is about to begin waits for the fork. Both waits are short, or given up: a section must take no
//! longer than the locks that it is about.

use std::{cell::Cell, thread, time::Duration};

use crate::sync::atomic::{AtomicUsize, Ordering::SeqCst};

/// How many threads are in a section.
///
/// SeqCst, as `FORKS`: whoever enters writes one and reads the other, and so does whoever forks; one of them has
/// to see the other.
static INSIDE: AtomicUsize = AtomicUsize::new(0);
/// How many forks are under way.
static FORKS: AtomicUsize = AtomicUsize::new(0);
/// How often this process's ancestors forked on the way to it: what began under another number is the parent's.
static AGE: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    // Without a destructor, so that it can be read in any hook.
    static IS_INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// A section that has begun; it ends when this is dropped.
#[must_use = "the section ends at once"]
pub(crate) struct ForkSection {
    age: usize,
    is_outer: bool,
}

/// Begins a section of this thread.
pub(crate) fn enter() -> ForkSection {
    let age = AGE.load(SeqCst);
    let is_outer = !IS_INSIDE.replace(true);
    if is_outer {
        let mut n_looks = 0;
        loop {
            INSIDE.fetch_add(1, SeqCst);
            if FORKS.load(SeqCst) == 0 || n_looks > MOST_LOOKS {
                break;
            }
            INSIDE.fetch_sub(1, SeqCst);
            n_looks += 1;
            look_later();
        }
    }
    ForkSection { age, is_outer }
}

impl Drop for ForkSection {
    fn drop(&mut self) {
        if self.is_outer && self.age == AGE.load(SeqCst) {
            IS_INSIDE.set(false);
            INSIDE.fetch_sub(1, SeqCst);
        }
    }
}

/// Called before a fork, on the thread that forks: waits for the sections of other threads.
#[cfg(unix)]
pub(crate) fn before_fork() {
    FORKS.fetch_add(1, SeqCst);
    let own = usize::from(IS_INSIDE.get());
    for _ in 0..MOST_LOOKS {
        if INSIDE.load(SeqCst) <= own {
            return;
        }
        look_later();
    }
}

/// Called after a fork, in the process that forked.
#[cfg(unix)]
pub(crate) fn after_fork() {
    FORKS.fetch_sub(1, SeqCst);
}

/// Called after a fork, in the child, where no thread is in a section. Atomic operations alone.
#[cfg(unix)]
pub(crate) fn in_child() {
    AGE.fetch_add(1, SeqCst);
    FORKS.store(0, SeqCst);
    INSIDE.store(0, SeqCst);
    IS_INSIDE.set(false);
}

#[expect(
    clippy::disallowed_methods,
    reason = "whatever wakes sleepers, a fork would inherit it half done"
)]
fn look_later() {
    thread::sleep(LOOK);
}

/// Between two looks, and how many there are: together 50 ms, more than a tick over 100,000 series takes.
/// Arbitrary.
const LOOK: Duration = Duration::from_micros(100);
const MOST_LOOKS: u32 = 500;

#[cfg(all(test, unix))]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// These are of the process: other tests may be in a section too, for a moment.
    #[test]
    fn a_fork_waits_for_a_section_and_a_section_for_a_fork() {
        let (entered, has_entered) = mpsc::channel();
        let (leave, may_leave) = mpsc::channel::<()>();
        let inside = thread::spawn(move || {
            let section = enter();
            entered.send(()).unwrap();
            may_leave.recv().unwrap();
            drop(section);
        });
        has_entered.recv().unwrap();
        let (forked, has_forked) = mpsc::channel();
        let fork = thread::spawn(move || {
            before_fork();
            let n_inside = INSIDE.load(SeqCst);
            let begun = thread::spawn(move || (drop(enter()), FORKS.load(SeqCst)).1);
            forked.send(n_inside).unwrap();
            after_fork();
            begun.join().unwrap()
        });
        leave.send(()).unwrap();
        assert_eq!(has_forked.recv().unwrap(), 0, "the section has ended");
        assert_eq!(fork.join().unwrap(), 0, "the fork has ended");
        inside.join().unwrap();
    }

    #[test]
    fn a_thread_in_a_section_may_fork_and_begin_another_section() {
        let _outer = enter();
        drop(enter());
        assert!(IS_INSIDE.get(), "the outer one goes on");
        before_fork(); // It would wait for itself, and go on all the same.
        after_fork();
    }
}
