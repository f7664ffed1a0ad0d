//! A page, rendered and read again.
#![allow(dead_code, reason = "each test uses some of it")]

use std::collections::BTreeMap;

use bellwether::{
    export::prometheus::{Format, Page},
    integration::metrics::MetricsRecorder,
    metric::Registry,
    resource::Resource,
};

/// The value of each sample, by its name and labels as they are written on the page.
pub type Samples = BTreeMap<String, f64>;

/// The page of `registry` as text.
pub fn text_of(registry: &Registry) -> String {
    let mut page = Page::new(Format::Text);
    String::from_utf8(page.render_registry(registry, &Resource::service("test")).to_vec()).unwrap()
}

/// All samples of the page of `registry`.
pub fn page_of(registry: &Registry) -> Samples {
    let text = text_of(registry);
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').expect("a name and a value");
            (name.to_owned(), value.parse().expect("a number"))
        })
        .collect()
}

/// A registry and a recorder of its own.
pub fn recorder() -> (Registry, MetricsRecorder) {
    let registry = Registry::new();
    let recorder = MetricsRecorder::new(&registry);
    (registry, recorder)
}

/// The value of a series of the crate's own, in this thread's scope.
pub fn own(name: &str, labels: &[(&str, &str)]) -> f64 {
    Registry::global().snapshot().value(name, labels).map_or(0.0, |value| value.as_f64())
}
