//! The figures of a sealed chunk, for which it need not be read.

use super::{
    chunk::Decoder,
    codec::Gap,
    sample::{Form, Sample},
};

/// The samples of a chunk in a few numbers. For a histogram with whole counts these are of its count.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Summary {
    /// The bits of the first, the last, the smallest and the largest value. The last two are NaN if
    /// all values are.
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) min: u64,
    pub(super) max: u64,
    /// By how much the value grew from the first sample to the last. Where it fell or restarted, it
    /// counts from zero. A whole number for whole numbers without a sign, else the bits of a float.
    pub(super) increase: u64,
    /// How many samples there are, instants at which a value holds included.
    pub(super) n_samples: u64,
    /// The instant of the last record.
    pub(super) last_at: u64,
}

impl Summary {
    /// Sums up a chunk.
    pub(super) fn of(mut chunk: Decoder<'_>, form: Form) -> Self {
        let none =
            Self { first: 0, last: 0, min: 0, max: 0, increase: 0, n_samples: 0, last_at: 0 };
        let mut summary: Option<Self> = None;
        let mut start = chunk.start;
        while let Some(record) = chunk.next() {
            let known = summary.get_or_insert(none);
            if let Gap::Held(n) = record.gap {
                known.n_samples += n;
            }
            known.last_at = record.at;
            if record.is_stale {
                continue;
            }
            let bits = match chunk.value() {
                Sample::Bits(bits) => bits,
                Sample::Histogram(_, cells) => cells.count(),
            };
            if known.n_samples == 0 {
                (known.first, known.min, known.max) = (bits, bits, bits);
            } else {
                known.add(form, bits, start != chunk.start);
            }
            known.last = bits;
            known.n_samples += 1;
            start = chunk.start;
        }
        summary.unwrap_or(none)
    }

    fn add(&mut self, form: Form, bits: u64, is_new: bool) {
        match form {
            Form::Whole | Form::Histogram => {
                let from = if is_new || bits < self.last { 0 } else { self.last };
                self.increase = self.increase.wrapping_add(bits - from);
                (self.min, self.max) = (self.min.min(bits), self.max.max(bits));
            }
            Form::Signed => {
                let [value, last, min, max] =
                    [bits, self.last, self.min, self.max].map(u64::cast_signed);
                self.grow(value as f64, last as f64, is_new);
                self.min = min.min(value).cast_unsigned();
                self.max = max.max(value).cast_unsigned();
            }
            Form::Float => {
                let [value, last, min, max] =
                    [bits, self.last, self.min, self.max].map(f64::from_bits);
                self.grow(value, last, is_new);
                // A number is preferred to NaN.
                (self.min, self.max) = (min.min(value).to_bits(), max.max(value).to_bits());
            }
        }
    }

    fn grow(&mut self, value: f64, last: f64, is_new: bool) {
        let from = if is_new || value < last { 0.0 } else { last };
        self.increase = (f64::from_bits(self.increase) + (value - from)).to_bits();
    }
}
