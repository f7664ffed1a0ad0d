//! Interval logs (`.hlog`): a text with a histogram a line, as HdrHistogram's tools write and read.
//!
//! ```text
//! #[StartTime: 1441812279.474 (seconds since epoch)]
//! "StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"
//! 1441812279.474,1.005,1.234,HISTFAAAAEV42pNpmSzMwMCgyAABTBDKT4GB...
//! Tag=A,1441812280.479,1.002,0.852,HISTFAAAAEV42pNpmSzMwMCgy...
//! ```
//!
//! A line begins when its interval did: in seconds since the Unix epoch, or since the `BaseTime` of a
//! comment before it. Where there is a `StartTime` only, times a year before it or more are counted
//! from it, as HdrHistogram's own reader has it.

use std::{fmt::Write as _, time::Duration};

use crate::{
    error::{Error, ErrorKind},
    metric::HistogramSnapshot,
    util::base64,
};

use super::encoding::MOST_BYTES;

/// What was recorded in some interval: one line of a log.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use bellwether::metric::{Registry, Unit, histogram::log};
///
/// let pause = Registry::new().histogram::<()>("gc.pause", "Pauses", Unit::Seconds)?;
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
    /// Which of several histograms of one log it is.
    pub tag: Option<String>,
    /// When it began, since the Unix epoch.
    pub start: Duration,
    /// How long it was.
    pub length: Duration,
    /// What was recorded, in ticks.
    pub histogram: HistogramSnapshot,
}

impl Interval {
    /// Its line, the line end included; the histogram is told apart to `significant_digits`, and one
    /// of its units is one tick.
    ///
    /// # Errors
    ///
    /// As [`HistogramSnapshot::to_hdr_v2`], and [`ErrorKind::InvalidOption`] if the tag contains a
    /// comma, a space or a line end.
    pub fn to_line(&self, significant_digits: u8) -> Result<String, Error> {
        let mut line = String::new();
        if let Some(tag) = &self.tag {
            if tag.contains([',', ' ', '\r', '\n']) {
                let text = format!("tag {tag:?} has a comma, a space or a line end");
                return Err(Error::new(ErrorKind::InvalidOption, text));
            }
            let _ = write!(line, "Tag={tag},");
        }
        let (start, length) = (Seconds(self.start), Seconds(self.length));
        let histogram = self.histogram.to_hdr_v2_deflated(1.0, significant_digits)?;
        let max = self.histogram.max().unwrap_or(0.0);
        let _ = writeln!(line, "{start},{length},{max:.3},{}", base64::encode(&histogram));
        Ok(line)
    }
}

/// The lines that a log begins with; `started` is since the Unix epoch.
#[must_use]
pub fn header(started: Duration) -> String {
    format!(
        "#[Histogram log format version 1.3]\n#[StartTime: {} (seconds since epoch)]\n{LEGEND}\n",
        Seconds(started)
    )
}

/// The intervals of a log, one after the other.
///
/// A line that cannot be read is an error that names it, and costs no other line.
///
/// # Errors
///
/// Each item may be one: [`ErrorKind::InvalidOption`].
pub fn read(log: &str) -> impl Iterator<Item = Result<Interval, Error>> {
    let mut times = Times::default();
    log.lines().enumerate().filter_map(move |(place, line)| {
        let line = line.trim();
        if let Some(comment) = line.strip_prefix('#') {
            times.learn(comment);
            return None;
        }
        if line.is_empty() || line.starts_with('"') {
            return None;
        }
        let refused = |what: String| {
            Error::new(ErrorKind::InvalidOption, format!("line {}: {what}", place + 1))
        };
        Some(times.interval(line).map_err(refused))
    })
}

const LEGEND: &str =
    r#""StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram""#;

/// From where the times of a log are counted.
#[derive(Default)]
struct Times {
    start: Option<Duration>,
    base: Option<Duration>,
}

impl Times {
    /// Takes a time out of a comment that has one.
    fn learn(&mut self, comment: &str) {
        let time = |name| {
            let rest = comment.strip_prefix(name)?.trim_start();
            seconds(&rest[..rest.find(|c: char| !c.is_ascii_digit() && c != '.')?])
        };
        self.start = time("[StartTime:").or(self.start);
        self.base = time("[BaseTime:").or(self.base);
    }

    fn interval(&self, line: &str) -> Result<Interval, String> {
        let (tag, line) = match line.strip_prefix("Tag=").and_then(|line| line.split_once(',')) {
            Some((tag, line)) => (Some(tag.to_owned()), line),
            None => (None, line),
        };
        let fields: Vec<&str> = line.splitn(4, ',').collect();
        let &[start, length, _, histogram] = fields.as_slice() else {
            return Err("fewer than four fields".to_owned());
        };
        let time = |text: &str| seconds(text).ok_or_else(|| format!("{text:?} are no seconds"));
        let (start, length) = (self.absolute(time(start)?), time(length)?);
        if histogram.len() / 4 * 3 > MOST_BYTES {
            return Err("its histogram is too long".to_owned());
        }
        let bytes = base64::decode(histogram).ok_or("its histogram is not in base 64")?;
        let histogram =
            HistogramSnapshot::from_hdr_bytes(&bytes).map_err(|error| error.to_string())?;
        Ok(Interval { tag, start, length, histogram })
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

/// Seconds with a fraction of three digits at least: as many as the time has.
struct Seconds(Duration);

impl std::fmt::Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let fraction = format!("{:09}", self.0.subsec_nanos());
        let kept = fraction.trim_end_matches('0').len().max(3);
        write!(f, "{}.{}", self.0.as_secs(), &fraction[..kept])
    }
}

/// The time of this many seconds, a decimal number; what is below a nanosecond is cut.
fn seconds(text: &str) -> Option<Duration> {
    let (whole, fraction) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return None;
    }
    let nanos = format!("{fraction:0<9}");
    Some(Duration::new(whole.parse().ok()?, nanos[..9].parse().ok()?))
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
        let start = Duration::new(1_800_000_000, 123_456_789);
        let intervals =
            [interval(None, start), interval(Some("A"), start + Duration::from_secs(1))];
        let mut log = header(start);
        intervals.iter().for_each(|interval| log.push_str(&interval.to_line(3).unwrap()));
        let read: Vec<_> = read(&log).collect::<Result<_, _>>().unwrap();
        assert_eq!(read, intervals);
        assert!(log.contains("\nTag=A,1800000001.123456789,1.005,2500607.000,HIST"), "{log}");
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
