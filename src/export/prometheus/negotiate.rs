//! Chooses the dialect that a scraper gets.

use crate::exposition::{Escaping, Model, Naming, Translation};

/// A format of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// The Prometheus text format 0.0.4, which every scraper reads.
    Text,
    /// The Prometheus text format 1.0.0: as 0.0.4, but names that are not plain are in quotes.
    Text1,
    /// OpenMetrics 1.0: adds units, exemplars and the time at which a sum began.
    OpenMetrics,
    /// Messages `io.prometheus.client.MetricFamily`, each after its length: like OpenMetrics, with
    /// native histograms.
    Protobuf,
}

impl Format {
    /// The format whose rules its families follow.
    pub(super) const fn model(self) -> Model {
        match self {
            Self::OpenMetrics => Model::OpenMetrics,
            Self::Text | Self::Text1 | Self::Protobuf => Model::Prometheus,
        }
    }
}

/// A format, and how names that are not plain are written in it.
///
/// # Examples
///
/// ```
/// use bellwether::export::prometheus::{Dialect, Escaping, Format};
///
/// let accept = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,*/*;q=0.1";
/// let dialect = Dialect::negotiate(Some(accept));
/// assert_eq!(dialect, Dialect::new(Format::OpenMetrics, Escaping::AllowUtf8));
/// assert_eq!(Dialect::negotiate(None), Dialect::from(Format::Text));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Dialect {
    format: Format,
    escaping: Escaping, // Invariant: 0.0.4 has no quotes, so not `AllowUtf8` in `Text`.
}

impl Dialect {
    /// `format` with `escaping`. [`Format::Text`] has no quoted names, so it takes
    /// [`Escaping::AllowUtf8`] as [`Escaping::Underscores`].
    #[must_use]
    pub const fn new(format: Format, escaping: Escaping) -> Self {
        match (format, escaping) {
            (Format::Text, Escaping::AllowUtf8) => Self { format, escaping: Escaping::Underscores },
            _ => Self { format, escaping },
        }
    }

    /// The dialect that the request header `Accept` asks for.
    ///
    /// The range with the highest `q` that can be served is chosen; of equal ones, the first. If the
    /// header is absent or unreadable, or asks only for formats that are not served, the result is
    /// [`Format::Text`], as Prometheus' "Scrape protocol content negotiation" requires. `escaping` is
    /// that of the same range; if it is missing or unknown there, [`Escaping::Underscores`].
    ///
    /// For OpenMetrics 0.0.1, its draft, the result is 1.0.0, which its readers accept. Of protobuf
    /// only `encoding=delimited` is served.
    #[must_use]
    pub fn negotiate(accept: Option<&str>) -> Self {
        let mut best = (0.0, Self::from(Format::Text));
        for range in accept.unwrap_or_default().split(',') {
            if let Some((quality, dialect)) = offer(range)
                && quality > best.0
            {
                best = (quality, dialect);
            }
        }
        best.1
    }

    /// The format.
    #[must_use]
    pub const fn format(self) -> Format {
        self.format
    }

    /// How names that are not plain are written.
    #[must_use]
    pub const fn escaping(self) -> Escaping {
        self.escaping
    }

    /// The naming on such a page.
    pub(super) const fn naming(self, translation: Translation) -> Naming {
        Naming { translation, escaping: self.escaping, model: self.format.model() }
    }

    /// The value of the response header `Content-Type`.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        /// The content type with each escaping.
        macro_rules! with_escaping {
            ($media:literal) => {
                match self.escaping {
                    Escaping::AllowUtf8 => concat!($media, "; escaping=allow-utf-8"),
                    Escaping::Underscores => concat!($media, "; escaping=underscores"),
                    Escaping::Dots => concat!($media, "; escaping=dots"),
                    Escaping::Values => concat!($media, "; escaping=values"),
                }
            };
        }
        match self.format {
            // `escaping` is a parameter of versions from 1.0.0 on.
            Format::Text => "text/plain; version=0.0.4; charset=utf-8",
            Format::Text1 => with_escaping!("text/plain; version=1.0.0; charset=utf-8"),
            Format::OpenMetrics => {
                with_escaping!("application/openmetrics-text; version=1.0.0; charset=utf-8")
            }
            Format::Protobuf => with_escaping!(
                "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
            ),
        }
    }
}

/// The format with [`Escaping::Underscores`].
impl From<Format> for Dialect {
    fn from(format: Format) -> Self {
        Self::new(format, Escaping::Underscores)
    }
}

/// The parameters of a media range in the header.
#[derive(Default)]
struct Parameters<'a> {
    version: Option<&'a str>,
    escaping: Escaping,
    proto: Option<&'a str>,
    encoding: Option<&'a str>,
}

/// The dialect that serves one media range of the header, and the range's quality.
fn offer(range: &str) -> Option<(f32, Dialect)> {
    let mut parts = range.split(';').map(str::trim);
    let media = parts.next()?;
    let (mut quality, mut said) = (1.0, Parameters::default());
    for parameter in parts {
        let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let value = value.trim().trim_matches('"');
        match key.trim().to_ascii_lowercase().as_str() {
            "q" => quality = value.parse().ok().filter(|q| (0.0..=1.0).contains(q))?,
            "version" => said.version = Some(value),
            "escaping" => said.escaping = Escaping::from_name(value).unwrap_or_default(),
            "proto" => said.proto = Some(value),
            "encoding" => said.encoding = Some(value),
            _ => {}
        }
    }
    Some((quality, Dialect::new(served(media, &said)?, said.escaping)))
}

/// The format that serves a media type with these parameters.
fn served(media: &str, said: &Parameters<'_>) -> Option<Format> {
    let is = |known: &str| media.eq_ignore_ascii_case(known);
    if is("application/openmetrics-text") {
        matches!(said.version, None | Some("1.0.0" | "0.0.1")).then_some(Format::OpenMetrics)
    } else if is("application/vnd.google.protobuf") {
        let family = said.proto == Some("io.prometheus.client.MetricFamily");
        (family && said.encoding == Some("delimited")).then_some(Format::Protobuf)
    } else if is("text/plain") && said.version == Some("1.0.0") {
        Some(Format::Text1)
    } else if is("text/plain") || is("text/*") || is("*/*") {
        Some(Format::Text)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::{Format::*, *};

    const PROTOBUF: &str = "application/vnd.google.protobuf;\
        proto=io.prometheus.client.MetricFamily;encoding=delimited";

    fn format(accept: &str) -> Format {
        Dialect::negotiate(Some(accept)).format()
    }

    #[test]
    fn prometheus_gets_openmetrics() {
        let prometheus_3 = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
            application/openmetrics-text;version=0.0.1;q=0.5,\
            text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
            text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        let prometheus_2 = "application/openmetrics-text; version=0.0.1,text/plain;\
            version=0.0.4;q=0.5,*/*;q=0.1";
        for accept in [prometheus_3, prometheus_2, "Application/OpenMetrics-Text"] {
            assert_eq!(format(accept), OpenMetrics, "{accept}");
        }
        assert_eq!(Dialect::negotiate(Some(prometheus_3)).escaping(), Escaping::AllowUtf8);
        assert_eq!(Dialect::negotiate(Some(prometheus_2)).escaping(), Escaping::Underscores);
    }

    #[test]
    fn prometheus_with_native_histograms_gets_protobuf() {
        let accept = format!(
            "{PROTOBUF};q=0.6,application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
             text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
        );
        let dialect = Dialect::negotiate(Some(&accept));
        assert_eq!(dialect, Dialect::new(Protobuf, Escaping::Underscores));
        let unserved = ["", ";encoding=text", ";proto=a.B;encoding=delimited"];
        for parameters in unserved {
            let accept = format!("application/vnd.google.protobuf{parameters},*/*;q=0.1");
            assert_eq!(format(&accept), Text, "{accept}");
        }
    }

    #[test]
    fn text_is_what_everybody_else_gets() {
        let absent = ["", "*/*", "text/html,application/xml;q=0.9,*/*;q=0.8", "text/*;q=0.1"];
        let preferred = [
            "text/plain;version=0.0.4;q=0.6,application/openmetrics-text;version=1.0.0;q=0.5",
            "text/plain;escaping=allow-utf-8, application/openmetrics-text",
            "application/openmetrics-text;version=1.0.0;q=0",
        ];
        let unserved = [
            "application/openmetrics-text;version=2.0.0",
            "application/vnd.google.protobuf;encoding=delimited",
        ];
        let garbage = ["application/openmetrics-text;q=nan", "application/openmetrics-text;q=2"];
        let garbage = garbage.into_iter().chain([";;;,,=", "\u{0}\"é", "q=1"]);
        for accept in absent.into_iter().chain(preferred).chain(unserved).chain(garbage) {
            assert_eq!(Dialect::negotiate(Some(accept)), Text.into(), "{accept}");
        }
        assert_eq!(Dialect::negotiate(None), Text.into());
    }

    #[test]
    fn a_quality_decides_before_the_order() {
        let accept =
            "text/plain;q=0.4 , application/openmetrics-text ; version=\"1.0.0\" ; Q = 0.5";
        assert_eq!(format(accept), OpenMetrics);
    }

    #[test]
    fn the_escaping_is_that_of_the_range_that_is_served() {
        for (name, escaping) in [
            ("allow-utf-8", Escaping::AllowUtf8),
            ("underscores", Escaping::Underscores),
            ("dots", Escaping::Dots),
            ("values", Escaping::Values),
            ("unheard-of", Escaping::Underscores),
        ] {
            for (media, format) in [
                ("text/plain;version=1.0.0", Text1),
                ("application/openmetrics-text", OpenMetrics),
                (PROTOBUF, Protobuf),
            ] {
                let accept =
                    format!("{media};escaping={name};q=0.9,text/plain;escaping=dots;q=0.1");
                let dialect = Dialect::negotiate(Some(&accept));
                assert_eq!(dialect, Dialect::new(format, escaping), "{accept}");
                let answered = name != "unheard-of";
                assert_eq!(dialect.content_type().ends_with(name), answered, "{accept}");
            }
        }
    }
}
