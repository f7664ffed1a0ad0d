//! A static that a forked child makes anew.
//!
//! A child inherits its parent's memory and one of its threads. A lock that another thread held at
//! that moment is held for ever, and a thread that the value knows of is gone. So each process has a
//! value of its own: the first that asks makes it, and those of its ancestors are left as they are.

use once_cell::race::OnceRef;

use super::process;

/// A value for each process in a line of forks. Nothing is locked.
pub(crate) struct PerProcess<T: 'static> {
    first: OnceRef<'static, Of<T>>,
}

/// The value of one process, and those of its descendants.
struct Of<T: 'static> {
    generation: u32,
    value: T,
    next: OnceRef<'static, Self>,
}

impl<T: Default + Sync> PerProcess<T> {
    pub(crate) const fn new() -> Self {
        Self { first: OnceRef::new() }
    }

    /// The value of this process, made now if there is none. It lives as long as the process; of two
    /// threads that make it at once, the one that is late leaves a few bytes behind.
    pub(crate) fn get(&self) -> &'static T {
        let generation = process::generation();
        let mut place = &self.first;
        loop {
            let of = place.get_or_init(|| {
                let (value, next) = (T::default(), OnceRef::new());
                Box::leak(Box::new(Of { generation, value, next }))
            });
            if of.generation == generation {
                return &of.value;
            }
            place = &of.next;
        }
    }
}
