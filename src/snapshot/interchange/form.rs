//! The shape of a snapshot in a document, and how each part is checked.

use std::{borrow::Cow, collections::BTreeSet, fmt, sync::Arc, time::Duration};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, MapAccess, Visitor},
};

use super::parts::{AtMost, MAX_SERIES, Time, shown, unit};
use crate::{
    error::Error,
    label::{LabelSet, MAX_VALUE_BYTES},
    snapshot::{
        exemplar::Exemplar,
        family::{Family, Kind, Series, SeriesValue, SummarySnapshot},
        histogram::{BucketLayout, HistogramParts, HistogramSnapshot, PageBounds},
        name::{key_fault, name_fault},
        view::{kind_name, kind_named},
    },
};

/// The most labels of a series; OpenTelemetry's limit for attributes.
const MAX_LABELS: usize = 128;
/// The most bytes of a label key. Arbitrary: as many as of a value.
const MAX_KEY_BYTES: usize = 1_024;
/// The most bytes of a description; arbitrary.
const MAX_HELP_BYTES: usize = 64 << 10;
/// The most buckets of a histogram, and the most bounds; more than the finest layout has.
const MAX_BUCKETS: usize = 1 << 23;
/// The most windows of a summary; arbitrary.
const MAX_WINDOWS: usize = 16;
/// The most exemplars of a histogram; more than any layout keeps.
const MAX_EXEMPLARS: usize = 1_024;

#[derive(Serialize, Deserialize)]
pub(crate) struct FamilyForm<'a> {
    name: Cow<'a, str>,
    kind: Cow<'a, str>,
    unit: Cow<'a, str>,
    help: Cow<'a, str>,
    series: AtMost<SeriesForm, MAX_SERIES>,
}

#[derive(Serialize, Deserialize)]
struct SeriesForm {
    labels: Labels,
    started: Time,
    value: ValueForm,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    exemplar: Option<ExemplarForm>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ValueForm {
    Counter(u64),
    FloatCounter(Number),
    UpDownCounter(i64),
    Gauge(Number),
    Histogram(HistogramForm),
    Summary(SummaryForm),
    Info,
    State(bool),
}

#[derive(Serialize, Deserialize)]
struct HistogramForm {
    layout: LayoutForm,
    buckets: AtMost<(u32, u64), MAX_BUCKETS>,
    sum: Number,
    #[serde(default)]
    extremes: Option<(Number, Number)>,
    #[serde(default)]
    exemplars: AtMost<ExemplarForm, MAX_EXEMPLARS>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum LayoutForm {
    Exponential,
    Explicit(AtMost<f64, MAX_BUCKETS>),
    Hdr { significant_digits: u8 },
}

#[derive(Serialize, Deserialize)]
struct SummaryForm {
    count: u64,
    sum: Number,
    windows: AtMost<WindowForm, MAX_WINDOWS>,
}

#[derive(Serialize, Deserialize)]
struct WindowForm {
    nanos: u64,
    histogram: HistogramForm,
}

#[derive(Serialize, Deserialize)]
struct ExemplarForm {
    value: Number,
    trace_id: String,
    span_id: String,
    taken: Time,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    labels: Vec<(String, String)>,
}

impl<'a> FamilyForm<'a> {
    pub(crate) fn of(family: &'a Family) -> Self {
        let series = family.series.iter().map(|series| SeriesForm {
            labels: Labels(series.labels.clone()),
            started: Time(series.started),
            value: ValueForm::of(&series.value),
            exemplar: series.exemplar().map(ExemplarForm::of),
        });
        Self {
            name: family.name().into(),
            kind: kind_name(family.kind).into(),
            unit: family.unit.as_str().into(),
            help: family.help().into(),
            series: AtMost(series.collect()),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The family of this form. The caller puts its name before an error.
    pub(crate) fn checked(self) -> Result<Family, String> {
        if let Some(fault) = name_fault(&self.name) {
            return Err(format!(": a name {fault}"));
        }
        if self.help.len() > MAX_HELP_BYTES {
            return Err(": the description is longer than 64 KiB".to_owned());
        }
        let kind = kind_named(&self.kind);
        let kind = kind.ok_or_else(|| format!(": there is no kind {:?}", shown(&self.kind)))?;
        let unit = unit(&self.unit);
        let unit = unit.map_err(|fault| format!(": unit {:?} {fault}", shown(&self.unit)))?;
        let mut known = BTreeSet::new();
        let mut series = Vec::new();
        for form in self.series.0 {
            let Labels(labels) = form.labels;
            let error = |fault: &str| format!(", series {}: {fault}", shown(&labels.to_string()));
            let value = form.value.checked().map_err(|fault| error(&fault))?;
            if !fits(kind, &value) {
                return Err(error(&format!("the value does not fit a {}", kind_name(kind))));
            }
            if !known.insert(labels.clone()) {
                return Err(error("is there twice"));
            }
            let exemplar = form.exemplar.map(|exemplar| exemplar.of_sum(kind)).transpose();
            let exemplar = exemplar.map_err(|fault| error(&format!("exemplar: {fault}")))?;
            series.push(Series::new(labels, value, form.started.0).with_exemplar(exemplar));
        }
        let (name, help) = (self.name.into_owned().into(), self.help.into_owned().into());
        let (page_bounds, begins_at_zero) = (PageBounds::default(), true);
        Ok(Family { name, kind, unit, help, page_bounds, begins_at_zero, series })
    }
}

fn fits(kind: Kind, value: &SeriesValue) -> bool {
    match value {
        SeriesValue::Counter(_) | SeriesValue::FloatCounter(_) => kind == Kind::Counter,
        SeriesValue::UpDownCounter(_) => kind == Kind::UpDownCounter,
        SeriesValue::Gauge(_) => kind == Kind::Gauge,
        SeriesValue::Histogram(_) => kind == Kind::Histogram,
        SeriesValue::Summary(_) => kind == Kind::Summary,
        SeriesValue::Info => kind == Kind::Info,
        SeriesValue::State(_) => kind == Kind::StateSet,
    }
}

impl ValueForm {
    fn of(value: &SeriesValue) -> Self {
        match value {
            SeriesValue::Counter(n) => Self::Counter(*n),
            SeriesValue::FloatCounter(n) => Self::FloatCounter(Number(*n)),
            SeriesValue::UpDownCounter(n) => Self::UpDownCounter(*n),
            SeriesValue::Gauge(n) => Self::Gauge(Number(*n)),
            SeriesValue::Histogram(histogram) => Self::Histogram(HistogramForm::of(histogram)),
            SeriesValue::Summary(summary) => Self::Summary(SummaryForm::of(summary)),
            SeriesValue::Info => Self::Info,
            SeriesValue::State(holds) => Self::State(*holds),
        }
    }

    fn checked(self) -> Result<SeriesValue, String> {
        Ok(match self {
            Self::Counter(n) => SeriesValue::Counter(n),
            Self::FloatCounter(Number(n)) if n >= 0.0 => SeriesValue::FloatCounter(n),
            Self::FloatCounter(Number(n)) => return Err(format!("{n} is no sum that only grows")),
            Self::UpDownCounter(n) => SeriesValue::UpDownCounter(n),
            Self::Gauge(Number(n)) => SeriesValue::Gauge(n),
            Self::Histogram(histogram) => SeriesValue::Histogram(Arc::new(histogram.checked()?)),
            Self::Summary(summary) => SeriesValue::Summary(Arc::new(summary.checked()?)),
            Self::Info => SeriesValue::Info,
            Self::State(holds) => SeriesValue::State(holds),
        })
    }
}

impl HistogramForm {
    fn of(histogram: &HistogramSnapshot) -> Self {
        let HistogramParts { layout, buckets, sum, extremes, exemplars } = histogram.parts();
        let layout = match layout {
            BucketLayout::Exponential => LayoutForm::Exponential,
            BucketLayout::Explicit(bounds) => LayoutForm::Explicit(AtMost(bounds.into_owned())),
            BucketLayout::Hdr { significant_digits } => LayoutForm::Hdr { significant_digits },
        };
        let exemplars = AtMost(exemplars.iter().map(ExemplarForm::of).collect());
        let extremes = extremes.map(|(min, max)| (Number(min), Number(max)));
        Self { layout, buckets: AtMost(buckets), sum: Number(sum), extremes, exemplars }
    }

    fn checked(self) -> Result<HistogramSnapshot, String> {
        let layout = match self.layout {
            LayoutForm::Exponential => BucketLayout::Exponential,
            LayoutForm::Explicit(AtMost(bounds)) => BucketLayout::Explicit(bounds.into()),
            LayoutForm::Hdr { significant_digits } => BucketLayout::Hdr { significant_digits },
        };
        let exemplars = self.exemplars.0.into_iter().enumerate();
        let exemplars = exemplars.map(|(place, exemplar)| {
            exemplar.checked().map_err(|error| format!("exemplar {place}: {error}"))
        });
        let exemplars = exemplars.collect::<Result<_, _>>()?;
        let extremes = self.extremes.map(|(Number(min), Number(max))| (min, max));
        let (buckets, sum) = (self.buckets.0, self.sum.0);
        let parts = HistogramParts { layout, buckets, sum, extremes, exemplars };
        HistogramSnapshot::from_parts(parts).map_err(|error| error.to_string())
    }
}

impl SummaryForm {
    fn of(summary: &SummarySnapshot) -> Self {
        let windows = summary.windows.iter().map(|(length, histogram)| WindowForm {
            nanos: length.as_nanos().try_into().unwrap_or(u64::MAX),
            histogram: HistogramForm::of(histogram),
        });
        let windows = AtMost(windows.collect());
        Self { count: summary.count, sum: Number(summary.sum), windows }
    }

    fn checked(self) -> Result<SummarySnapshot, String> {
        let windows =
            self.windows.0.into_iter().map(|window| {
                Ok((Duration::from_nanos(window.nanos), window.histogram.checked()?))
            });
        let windows = windows.collect::<Result<Vec<_>, String>>()?;
        if !windows.is_sorted_by(|a, b| a.0 < b.0) {
            return Err("summary: windows do not ascend".to_owned());
        }
        if !self.sum.0.is_finite() {
            return Err("summary: a sum that is no number".to_owned());
        }
        Ok(SummarySnapshot { count: self.count, sum: self.sum.0, windows })
    }
}

impl ExemplarForm {
    fn of(exemplar: &Exemplar) -> Self {
        Self {
            value: Number(exemplar.value),
            trace_id: exemplar.trace_id.to_string(),
            span_id: exemplar.span_id.to_string(),
            taken: Time(exemplar.taken),
            labels: exemplar.labels().map(|(k, v)| (k.to_owned(), v.to_owned())).collect(),
        }
    }

    fn checked(self) -> Result<Exemplar, String> {
        let error = |error: Error| error.to_string();
        let trace_id = self.trace_id.parse().map_err(error)?;
        let span_id = self.span_id.parse().map_err(error)?;
        let exemplar = Exemplar::new(self.value.0, trace_id, span_id, self.taken.0);
        let given = || self.labels.iter().map(|(key, value)| (&**key, &**value));
        let exemplar = exemplar.with_labels(&given().collect::<Vec<_>>());
        match exemplar.labels().eq(given()) {
            true => Ok(exemplar),
            false => Err("labels that no exemplar can have".to_owned()),
        }
    }

    /// The exemplar of a series of this kind.
    fn of_sum(self, kind: Kind) -> Result<Exemplar, String> {
        if kind != Kind::Counter {
            return Err(format!("a {} has none", kind_name(kind)));
        }
        let exemplar = self.checked()?;
        exemplar.fault().map_or(Ok(exemplar.clone()), |fault| Err(fault.to_owned()))
    }
}

/// Labels that are legal.
struct Labels(LabelSet);

impl Serialize for Labels {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter())
    }
}

impl<'de> Deserialize<'de> for Labels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(LabelsVisitor)
    }
}

struct LabelsVisitor;

impl<'de> Visitor<'de> for LabelsVisitor {
    type Value = Labels;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a map of at most {MAX_LABELS} labels")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Labels, A::Error> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        while let Some((key, value)) = map.next_entry::<String, String>()? {
            if pairs.len() == MAX_LABELS {
                return Err(de::Error::invalid_length(MAX_LABELS + 1, &self));
            }
            if let Some(fault) = label_fault(&key, &value, &pairs) {
                let text = format_args!("label key {:?} {fault}", shown(&key));
                return Err(de::Error::custom(text));
            }
            pairs.push((key, value));
        }
        Ok(Labels(LabelSet::new(pairs)))
    }
}

fn label_fault(key: &str, value: &str, others: &[(String, String)]) -> Option<&'static str> {
    if key.len() > MAX_KEY_BYTES {
        return Some("is longer than 1,024 bytes");
    }
    if value.len() > MAX_VALUE_BYTES {
        return Some("has a value longer than 1,024 bytes");
    }
    if others.iter().any(|(other, _)| other == key) {
        return Some("is given twice");
    }
    key_fault(key)
}

/// A number. One that is not finite is written as text, because JSON has no numbers for it.
struct Number(f64);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.is_finite() {
            true => serializer.serialize_f64(self.0),
            false => serializer.collect_str(&self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NumberVisitor).map(Self)
    }
}

struct NumberVisitor;

impl Visitor<'_> for NumberVisitor {
    type Value = f64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, or NaN, inf or -inf as text")
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<f64, E> {
        Ok(number)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<f64, E> {
        Ok(number as f64)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<f64, E> {
        Ok(number as f64)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<f64, E> {
        match text {
            "NaN" => Ok(f64::NAN),
            "inf" => Ok(f64::INFINITY),
            "-inf" => Ok(f64::NEG_INFINITY),
            _ => Err(E::invalid_value(de::Unexpected::Str(&shown(text)), &self)),
        }
    }
}
