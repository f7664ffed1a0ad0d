//! Which dialect a scraper gets.

/// A dialect of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// The Prometheus text format 0.0.4, which everything reads.
    Text,
    /// OpenMetrics 1.0: with units and with the time at which a sum began.
    OpenMetrics,
}

impl Format {
    /// The format that the request header `Accept` asks for.
    ///
    /// The range with the highest `q` that can be served decides, the first of equal ones. An
    /// absent or unreadable header, and one that asks only for what is not served (protobuf), gets
    /// [`Text`](Self::Text), as Prometheus' "Scrape protocol content negotiation" says.
    ///
    /// `text/plain` of any version is answered by 0.0.4: 1.0.0 differs only in quoted names, which
    /// a page has none of. OpenMetrics 0.0.1, its draft, is answered by 1.0.0, which its readers
    /// read. Whatever `escaping` is asked for, all names on a page are legal without any, so each
    /// scheme leaves them as they are; the answer says `underscores`.
    ///
    /// # Examples
    ///
    /// ```
    /// use bellwether::export::prometheus::Format;
    ///
    /// let accept = "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;q=0.3";
    /// assert_eq!(Format::negotiate(Some(accept)), Format::OpenMetrics);
    /// assert_eq!(Format::negotiate(None), Format::Text);
    /// ```
    #[must_use]
    pub fn negotiate(accept: Option<&str>) -> Self {
        let mut best = (0.0, Self::Text);
        for range in accept.unwrap_or_default().split(',') {
            if let Some((quality, format)) = offer(range)
                && quality > best.0
            {
                best = (quality, format);
            }
        }
        best.1
    }

    /// The value of the response header `Content-Type`.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            // `escaping` is a parameter of versions from 1.0.0 on.
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => {
                "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores"
            }
        }
    }
}

/// The format that serves one media range of the header, and the range's quality.
fn offer(range: &str) -> Option<(f32, Format)> {
    let mut parts = range.split(';').map(str::trim);
    let media = parts.next()?;
    let (mut quality, mut version) = (1.0, None);
    for parameter in parts {
        let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let value = value.trim().trim_matches('"');
        if key.trim().eq_ignore_ascii_case("q") {
            quality = value.parse().ok().filter(|q| (0.0..=1.0).contains(q))?;
        } else if key.trim().eq_ignore_ascii_case("version") {
            version = Some(value);
        }
    }
    let is = |known: &str| media.eq_ignore_ascii_case(known);
    if is("application/openmetrics-text") {
        matches!(version, None | Some("1.0.0" | "0.0.1")).then_some((quality, Format::OpenMetrics))
    } else if is("text/plain") || is("text/*") || is("*/*") {
        Some((quality, Format::Text))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::Format::{self, OpenMetrics, Text};

    #[test]
    fn prometheus_gets_openmetrics() {
        let prometheus_3 = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
            application/openmetrics-text;version=0.0.1;q=0.5,\
            text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
            text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        let protobuf_first = "application/vnd.google.protobuf;\
            proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,\
            application/openmetrics-text;version=1.0.0;escaping=underscores;q=0.5,*/*;q=0.1";
        let prometheus_2 = "application/openmetrics-text; version=0.0.1,text/plain;\
            version=0.0.4;q=0.5,*/*;q=0.1";
        for accept in [prometheus_3, protobuf_first, prometheus_2, "Application/OpenMetrics-Text"] {
            assert_eq!(Format::negotiate(Some(accept)), OpenMetrics, "{accept}");
        }
    }

    #[test]
    fn text_is_what_everybody_else_gets() {
        let absent = ["", "*/*", "text/html,application/xml;q=0.9,*/*;q=0.8", "text/*;q=0.1"];
        let preferred = [
            "text/plain;version=0.0.4;q=0.6,application/openmetrics-text;version=1.0.0;q=0.5",
            "text/plain;version=1.0.0;escaping=values, application/openmetrics-text",
            "application/openmetrics-text;version=1.0.0;q=0",
        ];
        let unserved = [
            "application/openmetrics-text;version=2.0.0",
            "application/vnd.google.protobuf;encoding=delimited",
        ];
        let garbage = ["application/openmetrics-text;q=nan", "application/openmetrics-text;q=2"];
        let garbage = garbage.into_iter().chain([";;;,,=", "\u{0}\"é", "q=1"]);
        for accept in absent.into_iter().chain(preferred).chain(unserved).chain(garbage) {
            assert_eq!(Format::negotiate(Some(accept)), Text, "{accept}");
        }
        assert_eq!(Format::negotiate(None), Text);
    }

    #[test]
    fn a_quality_decides_before_the_order() {
        let accept =
            "text/plain;q=0.4 , application/openmetrics-text ; version=\"1.0.0\" ; Q = 0.5";
        assert_eq!(Format::negotiate(Some(accept)), OpenMetrics);
    }
}
