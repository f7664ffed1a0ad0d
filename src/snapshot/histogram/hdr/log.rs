//! Interval logs (`.hlog`): a text with one histogram a line, as HdrHistogram's tools write and read
//! it.
//!
//! ```text
//! #[StartTime: 1441812279.474 (seconds since epoch)]
//! "StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"
//! 1441812279.474,1.005,1.234,HISTFAAAAEV42pNpmSzMwMCgyAABTBDKT4GB...
//! Tag=A,1441812280.479,1.002,0.852,HISTFAAAAEV42pNpmSzMwMCgy...
//! ```
//!
//! A line begins with the start of its interval: in seconds since the Unix epoch, or since the
//! `BaseTime` of a comment before it. If there is only a `StartTime`, times that are a year or more
//! before it are counted from it, as in HdrHistogram's own reader.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hdrhistogram::serialization::{
    V2DeflateSerializer,
    interval_log::{
        IntervalLogHistogram, IntervalLogIterator, IntervalLogWriterBuilder, LogEntry, Tag,
    },
};

use super::encoding::MOST_BYTES;
use crate::{
    error::{Error, ErrorKind},
    snapshot::histogram::data::HistogramSnapshot,
};

/// The values recorded in one interval: one line of a log.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use bellwether::metric::{Registry, Unit, hdr_log as log};
///
/// let pause = Registry::new().histogram("gc.pause", "Pauses").unit(Unit::Seconds).build()?;
/// pause.record(0.002);
/// let interval = log::Interval {
///     tag: None,
///     start: Duration::from_secs(1_800_000_000),
///     length: Duration::from_secs(1),
///     histogram: pause.snapshot().in_ticks(1e9, 3)?, // Nanoseconds.
/// };
/// let text = log::header(interval.start) + &interval.to_line(3)?;
/// let read = log::read(&text).collect::<Result<Vec<_>, _>>()?;
/// assert_eq!(read[0].start, interval.start);
/// assert!(read[0].histogram.buckets().eq(interval.histogram.buckets()));
/// # Ok::<(), bellwether::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "the fields are those of the format")]
pub struct Interval {
    /// The tag, if a log has several histograms.
    pub tag: Option<String>,
    /// When it began, since the Unix epoch.
    pub start: Duration,
    /// How long it was.
    pub length: Duration,
    /// The values recorded, in ticks.
    pub histogram: HistogramSnapshot,
}

impl Interval {
    /// Its line, with the line end. The histogram has `significant_digits`, one unit is one tick, and
    /// times are in milliseconds.
    ///
    /// # Errors
    ///
    /// As [`HistogramSnapshot::to_hdr_v2`], and [`ErrorKind::InvalidOption`] if the tag contains a
    /// comma, a space or a line end.
    pub fn to_line(&self, significant_digits: u8) -> Result<String, Error> {
        let refused = |what: String| Error::new(ErrorKind::InvalidOption, what);
        let tag = self.tag.as_deref();
        if let Some(tag) = tag.filter(|tag| Tag::new(tag).is_none()) {
            return Err(refused(format!("tag {tag:?} has a comma, a space or a line end")));
        }
        let histogram = self.histogram.to_hdr(1.0, significant_digits)?;
        let (mut line, mut serializer) = (Vec::new(), V2DeflateSerializer::new());
        IntervalLogWriterBuilder::new()
            .begin_log_with(&mut line, &mut serializer)
            .map_err(|error| refused(error.to_string()))?
            .write_histogram(&histogram, self.start, self.length, tag.and_then(Tag::new))
            .map_err(|error| refused(error.to_string()))?;
        String::from_utf8(line).map_err(|error| refused(error.to_string()))
    }
}

/// The first lines of a log; `started` is since the Unix epoch.
#[must_use]
pub fn header(started: Duration) -> String {
    format!(
        "#[Histogram log format version 1.3]\n#[StartTime: {:.3} (seconds since epoch)]\n{LEGEND}\n",
        started.as_secs_f64()
    )
}

/// Reads the intervals of a log, one after the other.
///
/// A line that cannot be read is an error that names it; the other lines are still read. Histograms are
/// read in the form V2, which HdrHistogram writes since 2015.
///
/// # Errors
///
/// Each item may be an error: [`ErrorKind::InvalidOption`].
pub fn read(log: &str) -> impl Iterator<Item = Result<Interval, Error>> {
    let mut times = Times::default();
    log.lines().enumerate().filter_map(move |(place, line)| {
        // Line by line, because the iterator ends at the first line that it cannot read.
        let line = format!("{}\n", line.trim());
        if line.len() == 1 {
            return None;
        }
        let interval = match IntervalLogIterator::new(line.as_bytes()).next()? {
            Ok(LogEntry::StartTime(time)) => {
                times.start = Some(time);
                return None;
            }
            Ok(LogEntry::BaseTime(time)) => {
                times.base = Some(time);
                return None;
            }
            Ok(LogEntry::Interval(interval)) => times.interval(&interval),
            Err(_) => Err("it is no interval".to_owned()),
        };
        let refused =
            |what| Error::new(ErrorKind::InvalidOption, format!("line {}: {what}", place + 1));
        Some(interval.map_err(refused))
    })
}

const LEGEND: &str =
    r#""StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram""#;

/// The instants from which the times of a log are counted.
#[derive(Default)]
struct Times {
    start: Option<Duration>,
    base: Option<Duration>,
}

impl Times {
    fn interval(&self, line: &IntervalLogHistogram<'_>) -> Result<Interval, String> {
        let encoded = line.encoded_histogram();
        if encoded.len() / 4 * 3 > MOST_BYTES {
            return Err("its histogram is too long".to_owned());
        }
        let bytes = STANDARD.decode(encoded).map_err(|error| error.to_string())?;
        Ok(Interval {
            tag: line.tag().map(|tag| tag.as_str().to_owned()),
            start: self.absolute(line.start_timestamp()),
            length: line.duration(),
            histogram: HistogramSnapshot::from_hdr_bytes(&bytes)
                .map_err(|error| error.to_string())?,
        })
    }

    fn absolute(&self, time: Duration) -> Duration {
        const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
        let base = match (self.base, self.start) {
            (Some(base), _) => base,
            (None, Some(start)) if time < start.saturating_sub(YEAR) => start,
            (None, _) => Duration::ZERO,
        };
        base.saturating_add(time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(tag: Option<&str>, start: Duration) -> Interval {
        let values = [(1_000, 3), (2_500_000, 1)];
        Interval {
            tag: tag.map(str::to_owned),
            start,
            length: Duration::from_millis(1_005),
            histogram: HistogramSnapshot::of_ticks(3, values.into_iter()).unwrap(),
        }
    }

    #[test]
    fn a_log_is_read_as_it_was_written() {
        let start = Duration::new(1_800_000_000, 123_000_000);
        let intervals =
            [interval(None, start), interval(Some("A"), start + Duration::from_secs(1))];
        let mut log = header(start);
        intervals.iter().for_each(|interval| log.push_str(&interval.to_line(3).unwrap()));
        let read: Vec<_> = read(&log).collect::<Result<_, _>>().unwrap();
        assert_eq!(read, intervals);
        assert!(log.contains("\nTag=A,1800000001.123,1.005,2500607.000,HIST"), "{log}");
    }

    #[test]
    fn times_are_counted_from_where_the_comments_say() {
        let start = |head: &str, time: &str| {
            let line = interval(None, Duration::ZERO).to_line(3).unwrap();
            let line = line.replacen("0.000", time, 1);
            read(&format!("{head}\n{line}")).next().unwrap().unwrap().start.as_secs_f64()
        };
        assert_eq!(start("", "12.5"), 12.5);
        assert_eq!(start("#[BaseTime: 1000.000 (seconds since epoch)]", "12.5"), 1012.5);
        let started = "#[StartTime: 1800000000.250 (seconds since epoch), Fri]";
        assert_eq!(start(started, "12.5"), 1_800_000_012.75);
        assert_eq!(start(started, "1800000001.5"), 1_800_000_001.5);
    }

    #[test]
    fn a_bad_line_is_named_and_costs_no_other() {
        let good = interval(None, Duration::ZERO).to_line(3).unwrap();
        for bad in ["x", "1,2,3", "1,2,3,!!", "-1,1,1,AAAA", "1e9,1,1,AAAA", "1,1,1,", "Tag=a"] {
            let log = format!("{good}{bad}\n{good}");
            let read: Vec<_> = read(&log).collect();
            assert!(read[0].is_ok() && read[2].is_ok() && read.len() == 3);
            let error = read[1].as_ref().unwrap_err().to_string();
            assert!(error.starts_with("line 2: "), "{error}");
        }
        assert!(interval(Some("a b"), Duration::ZERO).to_line(3).is_err());
    }
}
