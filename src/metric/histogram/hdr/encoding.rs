//! The binary form of an HDR histogram: V2 is written; V2, V1 and V0 are read, deflated or not.
//!
//! A *cookie* of four bytes says which it is, then come a header and the counts in the order of the
//! buckets. In V2 a count is a signed number of one to nine bytes, and a negative one stands for so
//! many empty buckets; in V1 and V0 all counts are words of the width that the cookie tells. All
//! numbers are big-endian.
//!
//! What is read may be anything. A histogram of more than [`MOST_BYTES`] is refused before it is
//! inflated further; what is empty takes no memory.

use std::io::{Read as _, Write as _};

use flate2::{Compression, read::ZlibDecoder, write::ZlibEncoder};

use super::TickBuckets;
use crate::{
    error::{Error, ErrorKind},
    metric::histogram::HistogramSnapshot,
};

/// The most bytes of one histogram, inflated: a million buckets at least.
pub(super) const MOST_BYTES: usize = 16 << 20;

const V2: u32 = 0x1c84_9303;
const V2_DEFLATED: u32 = 0x1c84_9304;
const V1: u32 = 0x1c84_9301;
const V1_DEFLATED: u32 = 0x1c84_9302;
const V0: u32 = 0x1c84_9308;
const V0_DEFLATED: u32 = 0x1c84_9309;
/// Where a cookie says how wide a word is; in V2 it is a constant.
const WIDTH: u32 = 0xf0;

impl HistogramSnapshot {
    /// The distribution in the V2 form of HDR histograms, in ticks as
    /// [`in_ticks`](Self::in_ticks) has them. The sum is not kept.
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
    /// let latency = Registry::new().histogram::<()>("latency", "", Unit::Seconds)?;
    /// latency.record(0.250);
    /// let bytes = latency.snapshot().to_hdr_v2(1e6, 3)?;
    /// let microseconds = HistogramSnapshot::from_hdr_bytes(&bytes)?;
    /// assert!((microseconds.p50().unwrap() / 250_000.0 - 1.0).abs() < 0.01);
    /// # Ok::<(), bellwether::Error>(())
    /// ```
    pub fn to_hdr_v2(&self, ticks_per_unit: f64, significant_digits: u8) -> Result<Vec<u8>, Error> {
        let ticks = self.in_ticks(ticks_per_unit, significant_digits)?;
        let buckets = TickBuckets::new(significant_digits);
        let last = ticks.cells().last().map_or(0, |&(bucket, _)| bucket as usize);
        let mut payload = Vec::new();
        let mut next = 0;
        for &(bucket, count) in ticks.cells() {
            let count =
                i64::try_from(count).map_err(|_| refused("a count is more than V2 can hold"))?;
            if bucket > next {
                write_number(&mut payload, -i64::from(bucket - next));
            }
            write_number(&mut payload, count);
            next = bucket + 1;
        }
        let mut bytes = Vec::with_capacity(40 + payload.len());
        bytes.extend((V2 | 0x10).to_be_bytes());
        bytes.extend((payload.len() as u32).to_be_bytes());
        bytes.extend(0u32.to_be_bytes()); // No offset of the indices.
        bytes.extend(u32::from(significant_digits).to_be_bytes());
        bytes.extend(1u64.to_be_bytes()); // The lowest value that is told from zero,
        bytes.extend(buckets.highest(last).max(2).to_be_bytes()); // and the highest one.
        bytes.extend(1f64.to_be_bytes()); // Ticks are what they say.
        bytes.extend(payload);
        Ok(bytes)
    }

    /// [`to_hdr_v2`](Self::to_hdr_v2), deflated: what an interval log has.
    ///
    /// # Errors
    ///
    /// As [`to_hdr_v2`](Self::to_hdr_v2).
    pub fn to_hdr_v2_deflated(
        &self,
        ticks_per_unit: f64,
        significant_digits: u8,
    ) -> Result<Vec<u8>, Error> {
        let plain = self.to_hdr_v2(ticks_per_unit, significant_digits)?;
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        let deflated = encoder.write_all(&plain).and_then(|()| encoder.finish());
        let deflated = deflated.map_err(|error| refused(&error.to_string()))?;
        let mut bytes = Vec::with_capacity(8 + deflated.len());
        bytes.extend((V2_DEFLATED | 0x10).to_be_bytes());
        bytes.extend((deflated.len() as u32).to_be_bytes());
        bytes.extend(deflated);
        Ok(bytes)
    }

    /// The distribution that these bytes hold, in ticks: V2, V1 or V0, deflated or not.
    ///
    /// As [`from_hdr`](Self::from_hdr) in all else.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidOption`] if they are no such histogram, one of doubles, one whose indices
    /// are shifted, one without significant digits, or one of more than 16 MiB.
    pub fn from_hdr_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let mut input = Input(bytes);
        let cookie = input.u32()?;
        if !matches!(cookie & !WIDTH, V2_DEFLATED | V1_DEFLATED | V0_DEFLATED) {
            return decode(cookie, input);
        }
        let length = input.u32()? as usize;
        let inflated = inflate(input.take(length)?)?;
        let mut input = Input(&inflated);
        let cookie = input.u32()?;
        decode(cookie, input)
    }
}

/// What is left to be read.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Error> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or_else(|| refused("cut short"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    fn u32(&mut self) -> Result<u32, Error> {
        self.array().map(u32::from_be_bytes)
    }

    fn u64(&mut self) -> Result<u64, Error> {
        self.array().map(u64::from_be_bytes)
    }

    /// A count, or how many buckets are empty if it is negative; `width` is zero in V2.
    fn count(&mut self, width: u32) -> Result<i64, Error> {
        Ok(match width {
            0 => {
                let zigzag = self.number()?;
                (zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed()
            }
            2 => i16::from_be_bytes(self.array()?).max(0).into(),
            4 => i32::from_be_bytes(self.array()?).max(0).into(),
            8 => i64::from_be_bytes(self.array()?).max(0),
            _ => return Err(refused("words of an unknown width")),
        })
    }

    /// Seven bits a byte, the lowest first; the ninth byte has eight.
    fn number(&mut self) -> Result<u64, Error> {
        let mut number = 0;
        for place in 0..8 {
            let [byte] = self.array()?;
            number |= u64::from(byte & 0x7f) << (7 * place);
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        let [byte] = self.array()?;
        Ok(number | u64::from(byte) << 56)
    }
}

/// The histogram after its cookie.
fn decode(cookie: u32, mut input: Input<'_>) -> Result<HistogramSnapshot, Error> {
    let version = cookie & !WIDTH;
    // The lowest bit of the width is a mark and no part of it.
    let width = if version == V2 { 0 } else { (cookie & WIDTH) >> 4 & 0xe };
    let mut length = None;
    if version != V0 {
        length = Some(input.u32()? as usize);
        if input.u32()? != 0 {
            return Err(refused("its indices are shifted"));
        }
    }
    let digits = u8::try_from(input.u32()?).unwrap_or(u8::MAX);
    let lowest = input.u64()?;
    input.u64()?; // The highest value: its bucket is the last one at most.
    match version {
        V2 | V1 if f64::from_bits(input.u64()?) != 1.0 => return Err(refused("it is of doubles")),
        V2 | V1 => {}
        V0 => drop(input.u64()?), // The total, which is counted again.
        _ => return Err(refused("an unknown cookie")),
    }
    if let Some(length) = length {
        input = Input(input.take(length)?);
    }
    if input.0.len() > MOST_BYTES {
        return Err(refused("it is too long"));
    }
    let values = counts(input, width, digits, lowest)?;
    HistogramSnapshot::of_ticks(digits, values.into_iter())
}

/// The largest ticks of each bucket that is not empty, and its count.
fn counts(
    mut input: Input<'_>,
    width: u32,
    digits: u8,
    lowest: u64,
) -> Result<Vec<(u64, u64)>, Error> {
    let Some(unit) = lowest.checked_ilog2() else {
        return Err(refused("its lowest value is zero"));
    };
    let buckets = TickBuckets::new(digits);
    let mut values = Vec::new();
    let mut bucket = 0usize;
    while !input.0.is_empty() {
        match input.count(width)? {
            empty @ ..0 => {
                let empty = usize::try_from(empty.unsigned_abs()).unwrap_or(usize::MAX);
                bucket = bucket.saturating_add(empty);
                continue;
            }
            0 => {}
            count => {
                let highest = (bucket < buckets.len()).then(|| buckets.highest(bucket));
                let highest = highest.filter(|highest| highest.leading_zeros() >= unit);
                let Some(highest) = highest else { return Err(refused("a bucket too many")) };
                values.push((highest << unit | ((1 << unit) - 1), count.unsigned_abs()));
            }
        }
        bucket = bucket.saturating_add(1);
    }
    Ok(values)
}

fn inflate(deflated: &[u8]) -> Result<Vec<u8>, Error> {
    let mut inflated = Vec::new();
    let mut decoder = ZlibDecoder::new(deflated).take(MOST_BYTES as u64 + 1);
    #[expect(clippy::disallowed_methods, reason = "limited by `take`")]
    let read = decoder.read_to_end(&mut inflated);
    match read {
        Ok(_) if inflated.len() > MOST_BYTES => Err(refused("it is too long")),
        Ok(_) => Ok(inflated),
        Err(error) => Err(refused(&error.to_string())),
    }
}

/// As `Input::number` reads it: small numbers of either sign have few bytes.
fn write_number(to: &mut Vec<u8>, number: i64) {
    let mut rest = (number << 1 ^ number >> 63).cast_unsigned();
    for _ in 0..8 {
        if rest < 0x80 {
            return to.push(rest as u8);
        }
        to.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    to.push(rest as u8);
}

fn refused(what: &str) -> Error {
    Error::new(ErrorKind::InvalidOption, format!("HDR histogram: {what}"))
}

#[cfg(test)]
mod tests {
    use hdrhistogram::serialization::{
        Deserializer, Serializer as _, V2DeflateSerializer, V2Serializer,
    };
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
        #![proptest_config(ProptestConfig::with_cases(64))]

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
        fn hdrhistogram_reads_what_is_written_and_is_read(values in ticks(), digits in 1u8..=3) {
            let ours = HistogramSnapshot::of_ticks(digits, values.into_iter()).unwrap();
            let bytes = ours.to_hdr_v2_deflated(1.0, digits).unwrap();
            let theirs: hdrhistogram::Histogram<u64> =
                Deserializer::new().deserialize(&mut bytes.as_slice()).unwrap();
            prop_assert_eq!(HistogramSnapshot::from_hdr(&theirs).unwrap(), ours.clone());
            let (mut plain, mut deflated) = (Vec::new(), Vec::new());
            V2Serializer::new().serialize(&theirs, &mut plain).unwrap();
            V2DeflateSerializer::new().serialize(&theirs, &mut deflated).unwrap();
            for bytes in [plain, deflated] {
                prop_assert_eq!(HistogramSnapshot::from_hdr_bytes(&bytes).unwrap(), ours.clone());
            }
        }

        #[test]
        fn no_bytes_make_it_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            for cookie in [V2 | 0x10, V1 | 0x20, V1 | 0x80, V0 | 0x40, V0 | 0x30] {
                if bytes.len() > 20 {
                    bytes[..4].copy_from_slice(&cookie.to_be_bytes());
                    bytes[4..12].copy_from_slice(&[0, 0, 0, 9, 0, 0, 0, 0]);
                    bytes[12..16].copy_from_slice(&3u32.to_be_bytes());
                }
                let _ = HistogramSnapshot::from_hdr_bytes(&bytes);
            }
        }
    }

    #[test]
    fn a_histogram_that_inflates_beyond_all_measure_is_refused() {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(&vec![0; MOST_BYTES + 1]).unwrap();
        let deflated = encoder.finish().unwrap();
        let mut bytes = (V2_DEFLATED | 0x10).to_be_bytes().to_vec();
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
