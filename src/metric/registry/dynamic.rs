//! Instruments whose label keys, as their names, are known at run time.

use std::{borrow::Cow, collections::BTreeSet};

use crate::{
    error::Error,
    label::Dynamic,
    metric::{
        counter::{Counter, FloatCounter, UpDownCounter},
        gauge::Gauge,
        histogram::Histogram,
        instrument::Instrument,
        registry::{Registry, families::check_keys, instruments::described},
        summary::Summary,
        throughput::Throughput,
    },
    series::{Descriptor, Number},
    snapshot::{HistogramOptions, Kind, Unit},
    sync::Mutex,
};

/// A method for each instrument, its kind, and what its description says beside the kind.
macro_rules! dynamic_instruments {
    ($($(#[$doc:meta])* fn $method:ident -> $instrument:ident = $kind:expr $(, $field:ident: $value:expr)?;)*) => {
        impl Registry {
            $($(#[$doc])*
            #[track_caller]
            pub fn $method(
                &self,
                name: &str,
                help: &str,
                unit: Unit,
                keys: &[&str],
            ) -> Result<$instrument<Dynamic>, Error> {
                let descriptor = described(name, help, unit, $kind)?;
                let descriptor = Descriptor { $($field: $value,)? ..descriptor };
                self.dynamic(descriptor, keys).map($instrument::from_instrument)
            })*
        }
    };
}

dynamic_instruments! {
    /// A counter whose name and label keys are known at run time: [`counter`](Self::counter) for
    /// labels without a type.
    ///
    /// It is recorded into as a static with the same keys is, by
    /// [`with_labels`](Counter::with_labels), and shares the family of one in the same registry. Its
    /// keys are kept in memory once, and for ever: take them from a configuration, not from what is
    /// recorded.
    ///
    /// # Errors
    ///
    /// As [`counter`](Self::counter): [`ErrorKind::InvalidName`](crate::ErrorKind::InvalidName) also
    /// if a key is given twice, and [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) also if the
    /// name is taken with the same keys in another order.
    ///
    /// # Examples
    ///
    /// ```
    /// use bellwether::metric::{Registry, Unit};
    ///
    /// let registry = Registry::new();
    /// let configured = ["tier".to_owned(), "shard".to_owned()];
    /// let keys = configured.each_ref().map(String::as_str);
    /// let hits = registry.dynamic_counter("cache.hits", "Hits", Unit::NONE, &keys)?;
    /// hits.with_labels(&[("tier", "l1"), ("shard", "7")]).inc();
    /// let kept = hits.bind_labels(&[("shard", "7"), ("tier", "l1")]);
    /// kept.add(2);
    /// let snapshot = registry.snapshot();
    /// let hits = snapshot.value("cache.hits", &[("tier", "l1"), ("shard", "7")]);
    /// assert_eq!(hits.unwrap().as_f64(), 3.0);
    /// # Ok::<(), bellwether::Error>(())
    /// ```
    fn dynamic_counter -> Counter = Kind::Counter;

    /// A counter of fractions whose name and label keys are known at run time; as
    /// [`dynamic_counter`](Self::dynamic_counter).
    ///
    /// # Errors
    ///
    /// As [`dynamic_counter`](Self::dynamic_counter).
    fn dynamic_float_counter -> FloatCounter = Kind::Counter, number: Number::Fraction;

    /// An up-down counter whose name and label keys are known at run time; as
    /// [`dynamic_counter`](Self::dynamic_counter).
    ///
    /// # Errors
    ///
    /// As [`dynamic_counter`](Self::dynamic_counter).
    fn dynamic_up_down_counter -> UpDownCounter = Kind::UpDownCounter;

    /// A gauge whose name and label keys are known at run time; as
    /// [`dynamic_counter`](Self::dynamic_counter).
    ///
    /// # Errors
    ///
    /// As [`dynamic_counter`](Self::dynamic_counter).
    fn dynamic_gauge -> Gauge = Kind::Gauge;

    /// A histogram whose name and label keys are known at run time; as
    /// [`dynamic_counter`](Self::dynamic_counter).
    ///
    /// # Errors
    ///
    /// As [`dynamic_counter`](Self::dynamic_counter).
    fn dynamic_histogram -> Histogram = Kind::Histogram;

    /// A summary whose name and label keys are known at run time; as
    /// [`dynamic_counter`](Self::dynamic_counter).
    ///
    /// # Errors
    ///
    /// As [`dynamic_counter`](Self::dynamic_counter).
    fn dynamic_summary -> Summary = Kind::Summary;

    /// A meter of events whose name and label keys are known at run time; as
    /// [`throughput`](Self::throughput) and [`dynamic_counter`](Self::dynamic_counter).
    ///
    /// # Errors
    ///
    /// As [`throughput`](Self::throughput) and [`dynamic_counter`](Self::dynamic_counter).
    fn dynamic_throughput -> Throughput = Kind::Counter, has_rates: true;
}

impl Registry {
    /// A histogram with explicit bounds, in ticks or in a range, whose name and label keys are known
    /// at run time; as [`dynamic_counter`](Self::dynamic_counter).
    ///
    /// # Errors
    ///
    /// As [`dynamic_counter`](Self::dynamic_counter), and
    /// [`ErrorKind::InvalidOption`](crate::ErrorKind::InvalidOption) if the options are not legal.
    #[track_caller]
    pub fn dynamic_histogram_with(
        &self,
        name: &str,
        help: &str,
        unit: Unit,
        keys: &[&str],
        options: HistogramOptions,
    ) -> Result<Histogram<Dynamic>, Error> {
        options.check()?;
        let descriptor = described(name, help, unit, Kind::Histogram)?;
        let descriptor = Descriptor { histogram: options, ..descriptor };
        self.dynamic(descriptor, keys).map(Histogram::from_instrument)
    }

    fn dynamic(&self, descriptor: Descriptor, keys: &[&str]) -> Result<Instrument, Error> {
        check_keys(keys)?; // What is not legal is not kept.
        let keys = intern_list(keys);
        let descriptor = Descriptor { keys, ..descriptor };
        let keys = keys.iter().map(|&key| Cow::Borrowed(key)).collect();
        let family = self.register_open(&descriptor, keys)?;
        Ok(Instrument::registered(descriptor, family))
    }
}

/// `texts` as a list that lives as long as the process, kept once however often it is asked for.
fn intern_list(texts: &[&str]) -> &'static [&'static str] {
    static LISTS: Mutex<BTreeSet<&'static [&'static str]>> = Mutex::new(BTreeSet::new());
    let texts: Vec<&'static str> = texts.iter().map(|text| intern(text)).collect();
    let mut lists = LISTS.lock();
    match lists.get(&*texts) {
        Some(known) => known,
        None => {
            let list: &'static [&'static str] = texts.leak();
            lists.insert(list);
            list
        }
    }
}

/// `text` as text that lives as long as the process, kept once however often it is asked for.
fn intern(text: &str) -> &'static str {
    static TEXTS: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut texts = TEXTS.lock();
    match texts.get(text) {
        Some(known) => known,
        None => {
            let text: &'static str = Box::leak(text.into());
            texts.insert(text);
            text
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ErrorKind,
        metric::tests::number,
        snapshot::{Aggregation, Snapshot},
        testing,
    };

    fn read(registry: &Registry, name: &str) -> Vec<String> {
        let snapshot: Snapshot = registry.snapshot();
        let series = snapshot.family(name).unwrap().series().iter();
        series.map(|s| format!("{} {}", s.labels(), s.value().as_f64())).collect()
    }

    #[test]
    fn each_kind_records_under_keys_that_are_made_at_run_time() {
        let registry = Registry::new();
        let keys: Vec<String> = ["tier", "shard"].map(str::to_owned).into();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let labels = [("shard", "7"), ("tier", "l1")];
        let unit = Unit::NONE;
        registry.dynamic_counter("c", "", unit, &keys).unwrap().with_labels(&labels).add(2);
        registry.dynamic_float_counter("f", "", unit, &keys).unwrap().with_labels(&labels).add(0.5);
        registry.dynamic_up_down_counter("u", "", unit, &keys).unwrap().with_labels(&labels).dec();
        registry.dynamic_gauge("g", "", unit, &keys).unwrap().bind_labels(&labels).set(4.0);
        registry.dynamic_histogram("h", "", unit, &keys).unwrap().with_labels(&labels).record(9.0);
        registry.dynamic_summary("s", "", unit, &keys).unwrap().with_labels(&labels).record(9.0);
        registry.dynamic_throughput("t", "", unit, &keys).unwrap().with_labels(&labels).mark(6);
        let options = HistogramOptions::new().aggregation(Aggregation::Explicit(&[1.0]));
        let bounded = registry.dynamic_histogram_with("b", "", unit, &keys, options).unwrap();
        (0..3).for_each(|_| bounded.with_labels(&labels).record(1.0));
        for (name, value) in [
            ("c", 2.0),
            ("f", 0.5),
            ("u", -1.0),
            ("g", 4.0),
            ("h", 1.0),
            ("s", 1.0),
            ("t", 6.0),
            ("b", 3.0),
        ] {
            let expected = format!(r#"{{shard="7", tier="l1"}} {value}"#);
            assert_eq!(read(&registry, name), [expected], "{name}");
        }
        let bounded = registry.snapshot();
        let bounded = bounded.value("b", &labels).unwrap().as_histogram().unwrap();
        assert_eq!(bounded.cumulative(&[1.0]), [3]);
    }

    #[test]
    fn a_registry_of_its_own_is_where_it_records_and_removes() {
        let registry = Registry::with_series_limit(2);
        let seen = registry.dynamic_counter("test.dynamic.own", "", Unit::NONE, &["who"]).unwrap();
        ["a", "b", "c", "d"].iter().for_each(|who| seen.with_labels(&[("who", who)]).inc());
        assert!(seen.remove_labels(&[("who", "a")]));
        let expected = [r#"{otel.metric.overflow="true"} 2"#, r#"{who="b"} 1"#];
        assert_eq!(read(&registry, "test.dynamic.own"), expected);
        assert!(Registry::global().snapshot().family("test.dynamic.own").is_none());
    }

    #[test]
    fn without_keys_there_is_one_series() {
        let registry = Registry::new();
        let all = registry.dynamic_counter("all", "", Unit::NONE, &[]).unwrap();
        all.with_labels(&[("unknown", "x")]).inc();
        all.bind_labels(&[]).inc();
        assert_eq!(read(&registry, "all"), ["{} 2"]);
    }

    #[test]
    fn a_static_with_the_same_keys_shares_the_family() {
        static HITS: Counter<Dynamic> = Counter::dynamic("test.dynamic.shared", "", &["tier"]);
        let scope = testing::scope();
        let again = Registry::global()
            .dynamic_counter("test.dynamic.shared", "", Unit::NONE, &["tier"])
            .unwrap();
        HITS.with_labels(&[("tier", "l1")]).inc();
        again.with_labels(&[("tier", "l1")]).add(2);
        assert_eq!(number(&scope.snapshot(), "test.dynamic.shared", &[("tier", "l1")]), Some(3.0));
    }

    #[test]
    fn what_is_not_legal_or_is_taken_is_an_error_that_names_it() {
        let registry = Registry::new();
        registry.dynamic_gauge("taken", "", Unit::NONE, &["a", "b"]).unwrap();
        for (name, keys, kind, named) in [
            ("9", &["a"][..], ErrorKind::InvalidName, "\"9\""),
            ("fine", &["a", "b\n"], ErrorKind::InvalidName, "\"b\\n\""),
            ("fine", &["a", "b", "a"], ErrorKind::InvalidName, "\"a\" is given twice"),
            ("taken", &["a"], ErrorKind::Conflict, "dynamic.rs"),
            ("taken", &["b", "a"], ErrorKind::Conflict, "dynamic.rs"),
        ] {
            let error = registry.dynamic_gauge(name, "", Unit::NONE, keys).unwrap_err();
            assert_eq!(error.kind(), kind, "{name} {keys:?}");
            assert!(error.to_string().contains(named), "{error}");
        }
        let other_kind = registry.dynamic_counter("taken", "", Unit::NONE, &["a", "b"]);
        assert_eq!(other_kind.unwrap_err().kind(), ErrorKind::Conflict);
        let typed = registry.gauge::<()>("taken", "", Unit::NONE);
        assert_eq!(typed.unwrap_err().kind(), ErrorKind::Conflict);
        let options = HistogramOptions::new().aggregation(Aggregation::Explicit(&[2.0, 1.0]));
        let bounds = registry.dynamic_histogram_with("fine", "", Unit::NONE, &["a"], options);
        assert_eq!(bounds.unwrap_err().kind(), ErrorKind::InvalidOption);
    }

    #[test]
    fn keys_are_kept_once() {
        let keys = ["test.dynamic.kept".to_owned(), "a".to_owned()];
        let lists = [(); 2].map(|()| intern_list(&keys.clone().each_ref().map(|key| &**key)));
        assert!(std::ptr::eq(lists[0], lists[1]));
        assert_eq!(lists[0], keys);
    }
}
