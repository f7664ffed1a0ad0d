//! The keys of a struct with flattened fields, computed at compile time.
//!
//! A constant of a generic type cannot have an array whose length depends on the type. So the arrays
//! here have room for the largest allowed number, and the keys are a part of them. They are public only
//! for the code that the derive generates.

/// The most keys of a struct with flattened fields. Arbitrary, and more than a series should have.
const MAX_KEYS: usize = 64;

/// The most bytes of the keys with one prefix; arbitrary.
const MAX_PREFIXED_BYTES: usize = 2_048;

/// Keys, one after the other.
#[derive(Clone, Copy, Debug)]
pub struct Keys {
    keys: [&'static str; MAX_KEYS],
    len: usize, // At most MAX_KEYS.
}

impl Keys {
    /// No keys.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "a constant cannot call `default`")]
    pub const fn new() -> Self {
        Self { keys: [""; MAX_KEYS], len: 0 }
    }

    /// These keys and `more`.
    ///
    /// # Panics
    ///
    /// Panics if there are too many. In a constant, this is a compile error.
    #[must_use]
    pub const fn with(mut self, more: &[&'static str]) -> Self {
        assert!(
            more.len() <= MAX_KEYS - self.len,
            "flattened labels have at most 64 keys together"
        );
        let mut place = 0;
        while place < more.len() {
            self.keys[self.len] = more[place];
            self.len += 1;
            place += 1;
        }
        self
    }

    /// These keys and those of `more`.
    ///
    /// # Panics
    ///
    /// As [`with`](Self::with).
    #[must_use]
    pub const fn with_prefixed(mut self, more: &'static Prefixed) -> Self {
        let mut place = 0;
        while place < more.n_keys {
            self = self.with(&[more.key(place)]);
            place += 1;
        }
        self
    }

    /// The keys.
    ///
    /// # Panics
    ///
    /// Panics if two keys are equal, also if only on a Prometheus page, where `.` becomes `_`. In a
    /// constant, this is a compile error.
    #[must_use]
    pub const fn unique(&'static self) -> &'static [&'static str] {
        let keys = self.keys.split_at(self.len).0;
        let mut place = 1;
        while place < keys.len() {
            let mut before = 0;
            while before < place {
                if are_one(keys[before], keys[place], b'_') {
                    collide(keys[before], keys[place]);
                }
                before += 1;
            }
            place += 1;
        }
        keys
    }
}

/// Whether two keys are equal if `.` reads as `dot`.
const fn are_one(a: &str, b: &str, dot: u8) -> bool {
    const fn read(byte: u8, dot: u8) -> u8 {
        if byte == b'.' { dot } else { byte }
    }
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    let mut place = 0;
    while place < a.len() {
        if read(a[place], dot) != read(b[place], dot) {
            return false;
        }
        place += 1;
    }
    true
}

const fn collide(a: &str, b: &str) -> ! {
    let message = Joined::new().with("the label key `").with(b).with("` is there twice");
    let message = match are_one(a, b, b'.') {
        true => message,
        false => message.with(" on a Prometheus page, where it is one with `").with(a).with("`"),
    };
    let message = message.with(": flatten with another `prefix`");
    panic!("{}", message.part(0, message.len));
}

/// The keys of a flattened field, each after a prefix.
#[derive(Clone, Copy, Debug)]
pub struct Prefixed {
    text: Joined,
    ends: [usize; MAX_KEYS],
    n_keys: usize,
}

impl Prefixed {
    /// Each of `keys` after `prefix`.
    ///
    /// # Panics
    ///
    /// Panics if there are too many or they are too long. In a constant, this is a compile error.
    #[must_use]
    pub const fn new(prefix: &str, keys: &[&str]) -> Self {
        assert!(keys.len() <= MAX_KEYS, "flattened labels have at most 64 keys together");
        let mut prefixed = Self { text: Joined::new(), ends: [0; MAX_KEYS], n_keys: keys.len() };
        let mut place = 0;
        while place < keys.len() {
            prefixed.text = prefixed.text.with(prefix).with(keys[place]);
            prefixed.ends[place] = prefixed.text.len;
            place += 1;
        }
        prefixed
    }

    /// The key at `place`.
    #[must_use]
    pub const fn key(&self, place: usize) -> &str {
        let start = if place == 0 { 0 } else { self.ends[place - 1] };
        self.text.part(start, self.ends[place])
    }
}

/// Texts that are concatenated without an allocator.
#[derive(Clone, Copy, Debug)]
struct Joined {
    bytes: [u8; MAX_PREFIXED_BYTES],
    len: usize, // At most MAX_PREFIXED_BYTES.
}

impl Joined {
    const fn new() -> Self {
        Self { bytes: [0; MAX_PREFIXED_BYTES], len: 0 }
    }

    const fn with(mut self, text: &str) -> Self {
        let text = text.as_bytes();
        assert!(
            text.len() <= MAX_PREFIXED_BYTES - self.len,
            "the keys that one prefix makes have at most 2,048 bytes together"
        );
        let mut place = 0;
        while place < text.len() {
            self.bytes[self.len] = text[place];
            self.len += 1;
            place += 1;
        }
        self
    }

    /// The text from `start` to `end`, both of which are boundaries of texts.
    const fn part(&self, start: usize, end: usize) -> &str {
        match str::from_utf8(self.bytes.split_at(end).0.split_at(start).1) {
            Ok(text) => text,
            Err(_) => panic!("texts are put together whole"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_stand_in_order_each_after_its_prefix() {
        const KEYS: &[&str] = const {
            &Keys::new()
                .with(&["own"])
                .with_prefixed(const { &Prefixed::new("é.", &["a", "", "ü_b"]) })
                .with(&["last"])
        }
        .unique();
        assert_eq!(KEYS, ["own", "é.a", "é.", "é.ü_b", "last"]);
    }

    #[test]
    #[should_panic(
        expected = "`a_b.c` is there twice on a Prometheus page, where it is one with `a.b_c`"
    )]
    fn keys_that_are_one_on_a_page_are_told() {
        static KEYS: Keys = Keys::new().with(&["a.b_c", "d", "a_b.c"]);
        let _ = KEYS.unique();
    }

    #[test]
    #[should_panic(expected = "at most 64 keys")]
    fn too_many_keys_are_told() {
        let _ = Keys::new().with(&["a"; 64]).with(&["b"]);
    }

    #[test]
    #[should_panic(expected = "at most 2,048 bytes")]
    fn too_long_keys_are_told() {
        let _ = Prefixed::new(&"x".repeat(1_024), &["a", "b"]);
    }
}
