//! One line of StatsD: `name:value|type`, with tags where the dialect has them.

use super::options::StatsdDialect;
use crate::export::wire::{number::Number, text::put};

/// What all lines of a series have in common.
#[derive(Debug)]
pub(super) struct Series {
    dialect: StatsdDialect,
    /// The prefix and the name.
    name: Vec<u8>,
    /// The tags, as the dialect writes them.
    tags: Vec<u8>,
}

impl Series {
    pub(super) fn new(dialect: StatsdDialect) -> Self {
        Self { dialect, name: Vec::new(), tags: Vec::new() }
    }

    /// Begins another series.
    pub(super) fn begin(&mut self, prefix: &str, name: &str) {
        self.name.clear();
        self.tags.clear();
        put(&mut self.name, prefix, is_reserved);
        put(&mut self.name, name, is_reserved);
    }

    /// Adds a tag. One without a value is left out, but for Datadog's, which may have none.
    pub(super) fn tag(&mut self, key: &str, value: &str) {
        use StatsdDialect::{Dogstatsd, Graphite, InName, Influx};
        let tags = &mut self.tags;
        match self.dialect {
            Dogstatsd => {
                tags.extend_from_slice(if tags.is_empty() { b"|#" } else { b"," });
                put(tags, key, |c| is_reserved_of_datadog(c) || c == ':');
                if !value.is_empty() {
                    tags.push(b':');
                    put(tags, value, is_reserved_of_datadog);
                }
            }
            Influx | Graphite if value.is_empty() => {}
            Influx | Graphite => {
                tags.push(if self.dialect == Influx { b',' } else { b';' });
                put(tags, key, is_reserved);
                if tags.ends_with(b";name") {
                    tags.push(b'_'); // Graphite has the path itself under that tag.
                }
                tags.push(b'=');
                // It takes a path that ends in `"}` for one of OpenMetrics.
                put(tags, value, |c| is_reserved(c) || c == '"');
            }
            InName => {
                tags.push(b'.');
                let value = if value.is_empty() { "_" } else { value };
                put(tags, value, |c| is_reserved(c) || c == '.');
            }
        }
    }

    /// Writes a line: the `figure` is the last part of the name (`count`), or empty; the `form` is `c` or `ms`, say.
    /// `n`, where it is not one, is how many values the line stands for.
    pub(super) fn line(&self, out: &mut Vec<u8>, figure: &str, value: Number, form: &str, n: u64) {
        use StatsdDialect::{Dogstatsd, Graphite, InName, Influx};
        let Self { name, tags, .. } = self;
        let dot: &[u8] = if figure.is_empty() { b"" } else { b"." };
        let figure = figure.as_bytes();
        let (parts, after): ([&[u8]; 4], &[u8]) = match self.dialect {
            Dogstatsd => ([name, dot, figure, b""], tags),
            Influx | Graphite => ([name, dot, figure, tags], b""),
            InName => ([name, tags, dot, figure], b""),
        };
        parts.iter().for_each(|part| out.extend_from_slice(part));
        out.push(b':');
        value.put(out);
        out.push(b'|');
        out.extend_from_slice(form.as_bytes());
        if n != 1 {
            out.extend_from_slice(b"|@");
            Number::Float(rate_of(n)).put(out);
        }
        out.extend_from_slice(after);
        out.push(b'\n');
    }

    /// Writes what was added to a counter.
    pub(super) fn count(&self, out: &mut Vec<u8>, figure: &str, value: Number) {
        self.line(out, figure, value, "c", 1);
    }

    /// Writes a gauge. Where a sign makes a change of it, a negative value follows a zero.
    pub(super) fn gauge(&self, out: &mut Vec<u8>, figure: &str, value: f64) {
        if value.is_sign_negative() && value != 0.0 {
            self.line(out, figure, Number::Whole(0), "g", 1);
        }
        let value = if value == 0.0 { Number::Whole(0) } else { Number::Float(value) }; // No -0.
        self.line(out, figure, value, "g", 1);
    }
}

/// The sample rate that stands for `n` values. Daemons divide one by it, and some cut off what is behind the point, so
/// that the result must not be a little less than `n`.
fn rate_of(n: u64) -> f64 {
    let n = n as f64;
    let mut rate = n.recip();
    while rate.recip() < n {
        rate = rate.next_down();
    }
    rate
}

/// What means something in a name or a tag of any dialect, or what daemons change by themselves.
fn is_reserved(c: char) -> bool {
    c.is_control() || c.is_whitespace() || ":|@#,;=/~!^".contains(c)
}

fn is_reserved_of_datadog(c: char) -> bool {
    c.is_control() || ",|".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(dialect: StatsdDialect, write: impl FnOnce(&Series, &mut Vec<u8>)) -> String {
        let mut series = Series::new(dialect);
        series.begin("shop.", "http requests/all");
        series.tag("route", "/a,b|c\nd:e f");
        series.tag("empty", "");
        let mut out = Vec::new();
        write(&series, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn each_dialect_has_its_tags_where_it_reads_them() {
        let line =
            |dialect| lines(dialect, |series, out| series.count(out, "", Number::Whole(u64::MAX)));
        assert_eq!(
            [
                line(StatsdDialect::Dogstatsd),
                line(StatsdDialect::Influx),
                line(StatsdDialect::Graphite),
                line(StatsdDialect::InName),
            ],
            [
                "shop.http_requests_all:18446744073709551615|c|#route:/a_b_c_d:e f,empty\n",
                "shop.http_requests_all,route=_a_b_c_d_e_f:18446744073709551615|c\n",
                "shop.http_requests_all;route=_a_b_c_d_e_f:18446744073709551615|c\n",
                "shop.http_requests_all._a_b_c_d_e_f._:18446744073709551615|c\n",
            ]
        );
    }

    #[test]
    fn a_figure_is_a_part_of_the_name_and_many_values_are_a_sample_rate() {
        let line = lines(StatsdDialect::Influx, |series, out| {
            series.line(out, "p99", Number::Float(0.25), "ms", 4)
        });
        assert_eq!(line, "shop.http_requests_all.p99,route=_a_b_c_d_e_f:0.25|ms|@0.25\n");
        let line = lines(StatsdDialect::Dogstatsd, |series, out| {
            series.line(out, "", Number::Float(2.0), "d", 3)
        });
        let rate = "0.3333333333333333";
        assert_eq!(line, format!("shop.http_requests_all:2|d|@{rate}|#route:/a_b_c_d:e f,empty\n"));
    }

    #[test]
    fn a_sample_rate_says_how_many_values_there_are_to_those_who_cut_off_fractions() {
        let large = (0..11).map(|power| (1 << 45) - 10_u64.pow(power));
        for n in (1..1_000_000).chain(large) {
            let mut text = Vec::new();
            Number::Float(rate_of(n)).put(&mut text);
            let rate: f64 = str::from_utf8(&text).unwrap().parse().unwrap();
            assert_eq!((1.0 / rate) as u64, n);
        }
    }

    #[test]
    fn a_negative_gauge_is_no_change_of_one() {
        let mut series = Series::new(StatsdDialect::InName);
        series.begin("", "depth");
        let mut out = Vec::new();
        [-2.5, -0.0, 3.0].into_iter().for_each(|value| series.gauge(&mut out, "", value));
        assert_eq!(out, b"depth:0|g\ndepth:-2.5|g\ndepth:0|g\ndepth:3|g\n");
    }
}
