//! The binary form of an HDR histogram, V2, deflated or not: written and read by `hdrhistogram`.
//!
//! The bytes may be anything, and `hdrhistogram` trusts the lengths in them. So they are inflated here,
//! up to [`MOST_BYTES`], and checked first.

use std::{borrow::Cow, fmt, io::Read as _};

use flate2::read::ZlibDecoder;
use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer, V2Serializer};

use crate::{
    error::{Error, ErrorKind},
    snapshot::histogram::data::HistogramSnapshot,
};

/// The most bytes of one histogram, inflated: at least a million buckets.
pub(crate) const MOST_BYTES: usize = 16 << 20;

const V2: [u8; 4] = 0x1c84_9313u32.to_be_bytes();
const V2_DEFLATED: [u8; 4] = 0x1c84_9314u32.to_be_bytes();
/// Cookie, length of the counts, offset, digits, lowest and highest value, ratio.
const HEADER_BYTES: usize = 40;

impl HistogramSnapshot {
    /// The distribution in the V2 form of HDR histograms, in ticks as by [`in_ticks`](Self::in_ticks).
    /// The sum is not kept.
    ///
    /// It allocates an array of all buckets up to the largest value: with five digits, up to 100 MB.
    ///
    /// # Errors
    ///
    /// As [`in_ticks`](Self::in_ticks), and [`ErrorKind::InvalidOption`] if a count is 2^63 or more.
    ///
    /// # Examples
    ///
    /// ```
    /// use bellwether::metric::{HistogramSnapshot, Registry, Unit};
    ///
    /// let latency = Registry::new().histogram("latency", "").unit(Unit::Seconds).build()?;
    /// latency.record(0.250);
    /// let bytes = latency.snapshot().to_hdr_v2(1e6, 3)?;
    /// let microseconds = HistogramSnapshot::from_hdr_bytes(&bytes)?;
    /// assert!((microseconds.p50().unwrap() / 250_000.0 - 1.0).abs() < 0.01);
    /// # Ok::<(), bellwether::Error>(())
    /// ```
    pub fn to_hdr_v2(&self, ticks_per_unit: f64, significant_digits: u8) -> Result<Vec<u8>, Error> {
        self.serialized(ticks_per_unit, significant_digits, V2Serializer::new())
    }

    /// [`to_hdr_v2`](Self::to_hdr_v2), deflated, as in an interval log.
    ///
    /// # Errors
    ///
    /// As [`to_hdr_v2`](Self::to_hdr_v2).
    pub fn to_hdr_v2_deflated(
        &self,
        ticks_per_unit: f64,
        significant_digits: u8,
    ) -> Result<Vec<u8>, Error> {
        self.serialized(ticks_per_unit, significant_digits, V2DeflateSerializer::new())
    }

    fn serialized<S: Serializer<SerializeError: fmt::Display>>(
        &self,
        ticks_per_unit: f64,
        significant_digits: u8,
        mut serializer: S,
    ) -> Result<Vec<u8>, Error> {
        let hdr = self.to_hdr(ticks_per_unit, significant_digits)?;
        let mut bytes = Vec::new();
        serializer.serialize(&hdr, &mut bytes).map_err(|error| refused(&error))?;
        Ok(bytes)
    }

    /// The distribution in these bytes, in ticks: V2, deflated or not.
    ///
    /// Otherwise as [`from_hdr`](Self::from_hdr). The older forms V1 and V0 are not read.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidOption`] if they are not such a histogram; if it is one of doubles, has
    /// shifted indices or no significant digits; or if it has more than 16 MiB.
    pub fn from_hdr_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let plain = match bytes.split_at_checked(8) {
            Some((head, deflated)) if head.starts_with(&V2_DEFLATED) => {
                Cow::Owned(inflate(deflated)?)
            }
            _ => Cow::Borrowed(bytes),
        };
        if !plain.starts_with(&V2) {
            return Err(refused(&"it is not of the form V2"));
        }
        if plain.len() > MOST_BYTES {
            return Err(refused(&"it is too long"));
        }
        let counts = plain.get(HEADER_BYTES..).ok_or_else(|| refused(&"cut short"))?;
        let length = plain[4..8].iter().fold(0, |length, &byte| length << 8 | usize::from(byte));
        if length > counts.len() {
            return Err(refused(&"cut short"));
        }
        // Nine such bytes are -2^63, a number of empty buckets that cannot be negated.
        if counts.windows(9).any(|bytes| bytes == [0xff; 9]) {
            return Err(refused(&"a bucket too many"));
        }
        let hdr = Deserializer::new().deserialize(&mut plain.as_ref());
        Self::from_hdr(&hdr.map_err(|error| refused(&error))?)
    }
}

fn inflate(deflated: &[u8]) -> Result<Vec<u8>, Error> {
    let mut inflated = Vec::new();
    let mut decoder = ZlibDecoder::new(deflated).take(MOST_BYTES as u64 + 1);
    #[expect(clippy::disallowed_methods, reason = "limited by `take`")]
    let read = decoder.read_to_end(&mut inflated);
    read.map(|_| inflated).map_err(|error| refused(&error))
}

fn refused(what: &dyn fmt::Display) -> Error {
    Error::new(ErrorKind::InvalidOption, format!("HDR histogram: {what}"))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::{Compression, write::ZlibEncoder};
    use proptest::prelude::*;

    use super::*;

    fn ticks() -> impl Strategy<Value = Vec<(u64, u64)>> {
        let ticks = (any::<u64>(), 1u32..64).prop_map(|(n, shift)| n >> shift);
        let counts = (any::<u64>(), 1u32..64).prop_map(|(n, shift)| (n >> shift).max(1));
        prop::collection::btree_map(ticks, counts, 0..60)
            .prop_map(|values| values.into_iter().take(60).collect())
            .prop_filter("a total of theirs is a u64", |values: &Vec<(u64, u64)>| {
                values.iter().try_fold(0u64, |sum, &(_, count)| sum.checked_add(count)).is_some()
            })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn what_is_written_is_read_exactly(values in ticks(), digits in 1u8..=5) {
            let snapshot = HistogramSnapshot::of_ticks(digits, values.into_iter()).unwrap();
            for bytes in [
                snapshot.to_hdr_v2(1.0, digits).unwrap(),
                snapshot.to_hdr_v2_deflated(1.0, digits).unwrap(),
            ] {
                prop_assert_eq!(HistogramSnapshot::from_hdr_bytes(&bytes).unwrap(), snapshot.clone());
            }
        }

        #[test]
        fn no_bytes_make_it_panic(
            digits in 0u32..7,
            (low, high) in (any::<u64>(), any::<u64>()),
            (shift_low, shift_high) in (0u32..64, 0u32..64),
            length in 0u32..90,
            counts in prop::collection::vec(prop_oneof![any::<u8>(), Just(0xff)], 0..80),
            cut in 0usize..130,
        ) {
            let mut bytes = V2.to_vec();
            bytes.extend([length, 0, digits].into_iter().flat_map(u32::to_be_bytes));
            bytes.extend((low >> shift_low).to_be_bytes());
            bytes.extend((high >> shift_high).to_be_bytes());
            bytes.extend(1f64.to_be_bytes());
            bytes.extend(counts);
            bytes.truncate(cut.max(1));
            let _ = HistogramSnapshot::from_hdr_bytes(&bytes);
        }
    }

    #[test]
    fn forms_before_the_second_are_refused() {
        for cookie in [0x1c84_9301u32, 0x1c84_9302, 0x1c84_9308, 0x1c84_9309] {
            let bytes = [cookie.to_be_bytes().as_slice(), &[0; 60]].concat();
            assert!(HistogramSnapshot::from_hdr_bytes(&bytes).is_err(), "{cookie:x}");
        }
    }

    #[test]
    fn a_histogram_that_inflates_beyond_all_measure_is_refused() {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(&V2).unwrap();
        encoder.write_all(&vec![0; MOST_BYTES]).unwrap();
        let deflated = encoder.finish().unwrap();
        let mut bytes = V2_DEFLATED.to_vec();
        bytes.extend((deflated.len() as u32).to_be_bytes());
        bytes.extend(deflated);
        let error = HistogramSnapshot::from_hdr_bytes(&bytes).unwrap_err();
        assert!(error.to_string().contains("too long"), "{error}");
    }

    #[test]
    fn a_lowest_value_of_more_than_one_tick_is_kept_in_mind() {
        let mut theirs =
            hdrhistogram::Histogram::<u64>::new_with_bounds(1_000, 1 << 40, 2).unwrap();
        [0, 700, 5_000, 123_456_789].into_iter().for_each(|n| theirs.record(n).unwrap());
        let mut bytes = Vec::new();
        V2Serializer::new().serialize(&theirs, &mut bytes).unwrap();
        let read = HistogramSnapshot::from_hdr_bytes(&bytes).unwrap();
        assert_eq!(read, HistogramSnapshot::from_hdr(&theirs).unwrap());
        assert_eq!(read.count(), 4);
        for q in [0.25, 0.5, 0.75, 1.0] {
            assert_eq!(read.quantile(q), Some(theirs.value_at_quantile(q) as f64), "{q}");
        }
    }
}
