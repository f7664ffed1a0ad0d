//! Exemplars of counters, and those with labels of one's own, on pages of every form.

use super::*;
use crate::{
    Counter, Histogram,
    export::prometheus::{Page as Kept, PageOptions},
    label::Dynamic,
    metric::{FloatCounter, Registry, View, Views},
    span, testing,
};

const ORDER: &[(&str, &str)] = &[("order.id", "7"), ("who", "a \"b\"\\\n")];

#[derive(bellwether_macros::Labels, Clone, Copy)]
struct Hit {
    hit: bool,
}

/// A page of the global registry, read in place, and of its snapshot.
fn pages(format: Format, options: PageOptions) -> Vec<String> {
    let mut kept = [Kept::with_options(format, options), Kept::with_options(format, options)];
    let resource = Resource::default();
    let snapshot = Registry::global().snapshot();
    let [in_place, of_snapshot] = &mut kept;
    let in_place = in_place.render_registry(Registry::global(), &resource);
    let texts = [in_place, of_snapshot.render(&snapshot, &resource)];
    texts.map(|text| String::from_utf8(text.to_vec()).unwrap()).into()
}

#[test]
fn a_counter_shows_its_exemplar_behind_the_total_and_a_bucket_with_its_labels() {
    static COUNT: Counter<Dynamic> = Counter::dynamic("test.page.count", "", &["k"]).exemplars();
    static MONEY: FloatCounter = FloatCounter::new("test.page.money", "");
    static SIZE: Histogram = Histogram::new("test.page.size", "").bounds(&[1.0, 10.0]);
    let _scope = testing::scope();
    {
        let _span = span("work").enter();
        COUNT.with_labels(&[("k", "traced")]).add(2);
    }
    COUNT.with_labels(&[("k", "plain")]).inc();
    MONEY.add_with_exemplar(2.5, ORDER);
    SIZE.record_with_exemplar(5.0, ORDER);
    for options in [PageOptions::default(), PageOptions::default().without_created()] {
        for text in pages(Format::OpenMetrics, options) {
            let read = Page::read(&text, Format::OpenMetrics);
            let of = |name: &str, label: Option<(&str, &str)>| {
                let sample = read.samples.iter().find(|sample| {
                    let is_of = |(key, value)| sample.labels.get(key).is_some_and(|v| v == value);
                    sample.name == name && label.is_none_or(is_of)
                });
                sample.unwrap().exemplar.clone()
            };
            let traced = of("test_page_count_total", Some(("k", "traced"))).unwrap();
            assert_eq!((traced.value, traced.seconds), (2.0, 1_577_836_800.0));
            assert!(traced.labels.keys().eq(["span_id", "trace_id"]));
            assert!(of("test_page_count_total", Some(("k", "plain"))).is_none());
            for (name, label, value) in [
                ("test_page_money_total", None, 2.5),
                ("test_page_size_bucket", Some(("le", "10.0")), 5.0),
            ] {
                let own = of(name, label).unwrap_or_else(|| panic!("{name}:\n{text}"));
                let labels: Vec<_> = own.labels.iter().map(|(k, v)| (&**k, &**v)).collect();
                assert_eq!((own.value, labels), (value, vec![("order_id", "7"), ORDER[1]]));
            }
        }
        for text in pages(Format::Text, options) {
            assert!(!text.contains(" # "), "text has no exemplars:\n{text}");
            Page::read(&text, Format::Text);
        }
    }
}

#[test]
fn series_that_are_one_on_a_page_show_the_newest_exemplar() {
    static COUNT: Counter<Hit> = Counter::new("test.page.merged", "");
    let scope = testing::scope();
    COUNT.with(Hit { hit: true }).add_with_exemplar(1, &[("n", "1")]);
    scope.advance(std::time::Duration::from_secs(1));
    COUNT.with(Hit { hit: false }).add_with_exemplar(1, &[("n", "2")]);
    let views = Views::new([View::new("test.page.merged").keep_labels([""; 0])]).unwrap();
    let snapshot = views.apply(scope.snapshot());
    let text = render(&snapshot, &Resource::default(), Format::OpenMetrics);
    let line = "test_page_merged_total 2 # {n=\"2\"} 1 1577836801.000\n";
    assert!(text.contains(line), "{text}");
}

#[test]
fn labels_that_become_one_on_the_page_keep_the_newest_exemplar() {
    let one = |label, n: &str, seconds| {
        let exemplar = with_label(n, seconds);
        series(&[label], SeriesValue::Counter(1)).with_exemplar(Some(exemplar))
    };
    let all = vec![one(("a.b", "1"), "old", 1), one(("a_b", "1"), "new", 2)];
    let families = vec![family("hits", Kind::Counter, Unit::NONE, "", all)];
    let text = page(families, Format::OpenMetrics);
    assert!(text.contains("hits_total{a_b=\"1\"} 2 # {n=\"new\"} 1 "), "{text}");
}

/// An exemplar with a label, taken so many seconds after the start.
pub(super) fn with_label(n: &str, seconds: u64) -> crate::metric::Exemplar {
    use crate::context::{SpanId, TraceId};
    let taken = Ticks::of_unix_nanos((1_577_836_800 + seconds) * 1_000_000_000);
    let exemplar = crate::metric::Exemplar::new(1.0, TraceId::INVALID, SpanId::INVALID, taken);
    exemplar.with_labels(&[("n", n)])
}

#[test]
fn no_exemplar_is_shown_of_what_a_counter_does_not_hold_whoever_adds_meanwhile() {
    let resource = Resource::default();
    let mut n_seen = 0;
    for _ in 0..20 {
        let registry = Registry::new();
        let keys = ["n"];
        let count = registry.counter("adds", "").keys(&keys).build().unwrap();
        let texts: Vec<String> = (0..1_000).map(|n| format!("{n:04}")).collect();
        let series: Vec<_> = texts.iter().map(|n| [("n", n.as_str())]).collect();
        series.iter().for_each(|labels| drop(count.bind_labels(labels)));
        std::thread::scope(|scope| {
            let adding = scope.spawn(|| {
                series.iter().for_each(|labels| {
                    count.with_labels(labels).add_with_exemplar(1, &[("k", "v")]);
                });
            });
            let mut page = Kept::new(Format::OpenMetrics);
            loop {
                // The last page is of all exemplars.
                let has_ended = adding.is_finished();
                let text = page.render_registry(&registry, &resource);
                let text = String::from_utf8_lossy(text);
                for line in text.lines().filter(|line| line.contains(" # {")) {
                    assert!(!line.contains("} 0 # {"), "{line}");
                    n_seen += 1;
                }
                if has_ended {
                    break;
                }
            }
        });
    }
    assert!(n_seen > 0, "nothing was seen");
}
