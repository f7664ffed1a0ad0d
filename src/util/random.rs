//! Random numbers for ids and for jitter: a generator per thread, seeded by the operating system.
//!
//! The generator is xoroshiro128++ (Blackman and Vigna, "Scrambled linear pseudorandom number
//! generators", 2021): 128 bits of state, of which no two threads share any, at about a nanosecond
//! a number. It is no source of secrets: who sees some ids can compute the next.
//!
//! The thread-local is `const` and has no destructor, so that ids can be made in every destructor
//! and exit hook. A forked child finds another generation of the process and seeds itself anew.

use std::{
    cell::Cell,
    hash::{BuildHasher as _, Hash as _, Hasher as _, RandomState},
};

use super::process;
use crate::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// As many numbers as asked for, each of all 64 bits.
#[inline]
pub(crate) fn numbers<const N: usize>() -> [u64; N] {
    GENERATOR.with(|cell| {
        let mut generator = cell.get();
        if generator.born != process::generation() {
            generator = Generator::seeded();
        }
        let numbers = [(); N].map(|()| generator.next());
        cell.set(generator);
        numbers
    })
}

/// A number that is not zero.
#[inline]
pub(crate) fn nonzero() -> u64 {
    loop {
        let [number] = numbers();
        if number != 0 {
            return number;
        }
    }
}

thread_local! {
    static GENERATOR: Cell<Generator> = const { Cell::new(Generator { born: 0, state: (1, 1) }) };
}

#[derive(Clone, Copy)]
struct Generator {
    born: u32,         // The generation of the process that seeded it; 0 is nobody.
    state: (u64, u64), // Never (0, 0), from which there is no way out.
}

impl Generator {
    #[cold]
    #[inline(never)]
    fn seeded() -> Self {
        let mut bytes = [0; 16];
        let seed = match getrandom::fill(&mut bytes) {
            Ok(()) => u128::from_ne_bytes(bytes),
            Err(_) => u128::from(hashed()) << 64 | u128::from(hashed()),
        };
        let state = ((seed >> 64) as u64, seed as u64);
        let state = if state == (0, 0) { (1, 1) } else { state };
        Self { born: process::generation(), state }
    }

    #[inline]
    fn next(&mut self) -> u64 {
        let (s0, mut s1) = self.state;
        let number = s0.wrapping_add(s1).rotate_left(17).wrapping_add(s0);
        s1 ^= s0;
        self.state = (s0.rotate_left(49) ^ s1 ^ (s1 << 21), s1.rotate_left(28));
        number
    }
}

/// Where the operating system has no random bytes (a chroot without devices on an old kernel): the
/// keys of std's hash maps, the process, the thread, and a count of calls.
fn hashed() -> u64 {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    let mut hasher = RandomState::new().build_hasher();
    (std::process::id(), process::generation(), std::thread::current().id()).hash(&mut hasher);
    CALLS.fetch_add(1, Relaxed).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_that_of_the_reference_implementation() {
        // From xoroshiro128plusplus.c by Blackman and Vigna, state 1, 2.
        let mut generator = Generator { born: 1, state: (1, 2) };
        let numbers: Vec<u64> = (0..3).map(|_| generator.next()).collect();
        assert_eq!(numbers, [393_217, 669_327_710_093_319, 1_732_421_326_133_921_491]);
    }

    #[test]
    fn threads_do_not_share_a_sequence() {
        let first = std::thread::spawn(numbers::<4>).join().unwrap();
        let second = std::thread::spawn(numbers::<4>).join().unwrap();
        assert!(first.iter().all(|number| !second.contains(number)));
    }

    #[test]
    fn every_bit_is_set_in_half_of_the_numbers() {
        let mut ones = [0u32; 64];
        for _ in 0..10_000 {
            let [number] = numbers();
            for (bit, count) in ones.iter_mut().enumerate() {
                *count += (number >> bit & 1) as u32;
            }
        }
        assert!(ones.iter().all(|count| (4_700..5_300).contains(count)), "{ones:?}");
    }

    #[test]
    fn the_fallback_differs_from_call_to_call() {
        assert_ne!(hashed(), hashed());
    }
}
