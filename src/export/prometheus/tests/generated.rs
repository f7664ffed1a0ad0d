//! Random registries full of hostile strings: every page reads back, here by our reader, and where
//! `BELLWETHER_PAGES` names a folder by whoever reads the pages that are left there.

use std::{fs, path::PathBuf};

use super::*;
use crate::{
    export::prometheus::{Escaping, Page as Kept, PageOptions, Translation},
    metric::SummarySnapshot,
};

const REGISTRIES: u64 = 200;

/// What ends lines, quotes and pages elsewhere, and what is hard to print.
const HOSTILE: &[&str] = &[
    "",
    " ",
    "a\nb",
    "a\r\nb",
    "\"",
    "\\",
    "\\n",
    "a\\",
    "x\n# EOF\n",
    "a\"} 1\nup{job=\"prod\"} 0\n#",
    "x\n# TYPE up counter\nup 0",
    "{\"a\",b=\"c\"} 1 # {} 1",
    "a,b=c d",
    "le",
    "quantile",
    "window",
    "__name__",
    "9",
    "é",
    "\u{202e}😱\u{feff}",
    "\0\u{7f}\u{85}\u{2028}",
    "_total",
    "x_created",
    "x_bucket",
    "a.b",
    "a_b",
    "A:b",
];

/// Numbers that look random, and are the same in every run (xorshift64, Marsaglia 2003).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % limit
    }

    fn string(&mut self, strings: &[String]) -> String {
        match self.below(3) {
            0 => ["a", "b.c", "shop/x", "x"][self.below(4)].to_owned(),
            1 => strings[self.below(strings.len())].clone(),
            _ => self.string(strings) + &strings[self.below(strings.len())],
        }
    }

    fn number(&mut self) -> f64 {
        let edges = [0.0, -0.0, 1.0, -7.5, 1e-7, 1e300, f64::MAX, f64::INFINITY, f64::NAN, 1e6];
        match self.below(2) {
            0 => edges[self.below(edges.len())],
            _ => (self.below(2_000_000) as f64 - 1e6) / 64.0,
        }
    }

    fn values(&mut self) -> Vec<f64> {
        (0..self.below(40)).map(|_| self.number().abs()).filter(|v| v.is_finite()).collect()
    }

    fn value(&mut self, kind: Kind) -> SeriesValue {
        match kind {
            Kind::Counter if self.below(2) == 0 => SeriesValue::FloatCounter(self.number()),
            Kind::Counter => SeriesValue::Counter(self.below(usize::MAX >> 12) as u64),
            Kind::UpDownCounter => SeriesValue::UpDownCounter(self.below(100) as i64 - 50),
            Kind::Gauge => SeriesValue::Gauge(self.number()),
            Kind::Histogram => {
                let values = self.values();
                kinds::with_exemplars(&values, &values[..values.len().min(1)])
            }
            Kind::Summary => {
                let windows = [10, 60, 300].map(|seconds| {
                    (std::time::Duration::from_secs(seconds), HistogramSnapshot::of(&self.values()))
                });
                let (count, sum) = (self.below(100) as u64, self.number());
                SeriesValue::Summary(Arc::new(SummarySnapshot {
                    count,
                    sum,
                    windows: windows.to_vec(),
                }))
            }
            Kind::Info => SeriesValue::Info,
            Kind::StateSet => SeriesValue::State(self.below(2) == 0),
        }
    }

    fn family(&mut self, name: &str, strings: &[String]) -> Family {
        const KINDS: [Kind; 7] = [
            Kind::Counter,
            Kind::UpDownCounter,
            Kind::Gauge,
            Kind::Histogram,
            Kind::Summary,
            Kind::Info,
            Kind::StateSet,
        ];
        let kind = KINDS[self.below(KINDS.len())];
        let units = [Unit::NONE, Unit::Seconds, Unit::Ratio, Unit::new("{item}"), Unit::new("\n")];
        let (unit, help) = (units[self.below(units.len())], self.string(strings));
        let keys: Vec<String> = (0..self.below(4)).map(|_| self.string(strings)).collect();
        let mut all = Vec::new();
        for number in 0..self.below(6) {
            let own = match kind {
                Kind::StateSet => vec![(name.to_owned(), number.to_string())],
                _ => vec![("number".to_owned(), number.to_string())],
            };
            let labels = keys.iter().map(|key| (key.clone(), self.string(strings))).chain(own);
            let labels: Vec<(String, String)> = labels.collect();
            let labels: Vec<_> = labels.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
            all.push(series(&labels, self.value(kind)));
        }
        family(name, kind, unit, &help, all)
    }

    fn registry(&mut self, strings: &[String]) -> Snapshot {
        let mut families: Vec<Family> = Vec::new();
        for _ in 0..self.below(12) {
            let name = self.string(strings);
            if families.iter().all(|family| family.name() != name) {
                families.push(self.family(&name, strings));
            }
        }
        snapshot(families)
    }
}

#[test]
fn generated_pages_read_back() {
    let folder = std::env::var_os("BELLWETHER_PAGES").map(PathBuf::from);
    let mut strings: Vec<String> = HOSTILE.iter().map(|&text| text.to_owned()).collect();
    let more = hostile::strings("on a page");
    strings.extend(more.into_iter().map(|(_, text)| text).filter(|text| text.len() < 300));
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut samples = 0;
    for number in 0..REGISTRIES {
        let snapshot = random.registry(&strings);
        let resource = Resource::default().with(random.string(&strings), random.string(&strings));
        for translation in [Translation::default(), Translation::NoTranslation] {
            for format in [Format::Text, Format::Text1, Format::OpenMetrics] {
                for escaping in [Escaping::Underscores, Escaping::AllowUtf8, Escaping::Values] {
                    let options = PageOptions::default().translation(translation);
                    let mut page = Kept::with_options(Dialect::new(format, escaping), options);
                    let text = page.render(&snapshot, &resource).to_vec();
                    let text = String::from_utf8(text).unwrap();
                    samples += Page::read(&text, format).samples.len();
                    if let Some(folder) = folder.as_ref().filter(|_| format == Format::OpenMetrics)
                    {
                        let name = format!("{number}-{translation:?}-{escaping:?}.om");
                        fs::write(folder.join(name), text).unwrap();
                    }
                }
            }
        }
    }
    assert!(samples > 100_000, "{samples}");
}

/// A page for a real Prometheus: what its native histograms and exemplars have to say is left beside
/// it, for whoever asks Prometheus.
#[test]
fn a_page_of_known_values_is_left_for_prometheus() {
    let mut random = Random(7);
    let mut values: Vec<f64> =
        (0..5000).map(|_| 0.0001 * (random.below(1 << 20) as f64 / 65536.0).exp2()).collect();
    values.extend([0.0, 1e-300]);
    let at = [0.0005, 0.003, 6.0];
    let known = vec![series(&[("route", "/a\"b")], kinds::with_exemplars(&values, &at))];
    let families = vec![family("known.duration", Kind::Histogram, Unit::Seconds, "K", known)];
    let mut page = Kept::new(Format::Protobuf);
    let bytes = page.render(&snapshot(families), &Resource::default());
    assert!(bytes.len() > 1000);
    let Some(folder) = std::env::var_os("BELLWETHER_PAGES").map(PathBuf::from) else { return };
    fs::write(folder.join("known.pb"), bytes).unwrap();
    let json = serde_json::json!({
        "values": values,
        "exemplars": at,
        "trace_id": "000000000000000000000000000000ab",
        "span_id": "00000000000000cd",
    });
    fs::write(folder.join("known.json"), json.to_string()).unwrap();
}
