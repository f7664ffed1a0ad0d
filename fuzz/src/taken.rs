//! Values out of the bytes of an input.

/// What is left of an input. When it is used up, all that is taken is zero, and none.
pub struct Taken<'a>(pub &'a [u8]);

impl Taken<'_> {
    pub fn byte(&mut self) -> u8 {
        let [byte] = self.bytes();
        byte
    }

    pub fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.bytes())
    }

    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        let n = N.min(self.0.len());
        let (taken, rest) = self.0.split_at(n);
        bytes[..n].copy_from_slice(taken);
        self.0 = rest;
        bytes
    }

    /// A text of at most 255 bytes, whatever they are.
    pub fn text(&mut self) -> String {
        let n = usize::from(self.byte()).min(self.0.len());
        let (taken, rest) = self.0.split_at(n);
        self.0 = rest;
        String::from_utf8_lossy(taken).into_owned()
    }

    /// At most seven of what `take` takes.
    pub fn some<T>(&mut self, mut take: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let n = if self.0.is_empty() { 0 } else { self.byte() % 8 };
        (0..n).map(|_| take(self)).collect()
    }
}
