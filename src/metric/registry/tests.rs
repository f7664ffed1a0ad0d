//! Settings of a registry, and what becomes of them when they change.

use std::{
    collections::BTreeSet,
    sync::{Barrier, mpsc},
    thread,
    time::Duration,
};

use crate::{
    metric::{
        Counter, Gauge, Histogram, Reader,
        observations::Observations,
        registry::*,
        tests::{Hit, Route, number},
    },
    snapshot::{Unit, View},
};

#[test]
fn constant_labels_are_on_what_callbacks_tell_and_on_the_overflow_series() {
    let registry = Registry::builder().label("region", "eu").series_limit(1).build();
    let counter = registry.counter("c", "").labels::<Route<'_>>().build().unwrap();
    ["/a", "/b"].into_iter().for_each(|route| counter.with(Route(route)).inc());
    let [plain, _own] = ["plain", "own"].map(|name| {
        let observe = move |to: &mut Observations| match name {
            "own" => to.observe(2.0, &[("region", "us")]),
            // Two that the registry's label makes one: the later holds.
            _ => [&[("region", "eu")][..], &[]].into_iter().for_each(|of| to.observe(1.0, of)),
        };
        registry.gauge(name, "").observe(observe).unwrap()
    });
    let snapshot = registry.snapshot();
    let eu = [("region", "eu")];
    assert_eq!(number(&snapshot, "c", &[("otel.metric.overflow", "true"), eu[0]]), Some(1.0));
    assert_eq!(number(&snapshot, "plain", &eu), Some(1.0));
    assert_eq!(snapshot.family("plain").unwrap().series().len(), 1);
    assert_eq!(number(&snapshot, "own", &[("region", "us")]), Some(2.0));
    drop(plain);
}

#[test]
fn names_that_are_one_on_a_page_clash_at_registration() {
    let registry = Registry::new();
    let gauge = |name, unit| registry.gauge(name, "").unit(Unit::new(unit)).build();
    let _taken = [gauge("a.b", "By/s").unwrap(), gauge("lives", "").unwrap()];
    for (name, unit, page_name) in [
        ("a..b", "By/s", "a_b_bytes_per_second"),
        ("a-b_", "By{sent}/s", "a_b_bytes_per_second"),
        ("a.b.bytes", "By/s", "a_b_bytes_per_second"),
        ("a.b_bytes_per_second", "", "a_b_bytes_per_second"),
    ] {
        let error = gauge(name, unit).expect_err(name).to_string();
        assert!(error.contains(&format!("both `{page_name}`")), "{error}");
    }
    assert!(registry.histogram("lives", "").build().is_err());
    assert!(gauge("a.b.bytes", "By").is_ok() && gauge("a.b", "By/s").is_ok());
}

fn labelled(labels: &[(&'static str, &str)]) -> Changes {
    let labels = labels.iter().map(|&(key, value)| (key.into(), value.to_owned()));
    Changes { labels: labels.collect(), ..Changes::default() }
}

fn limited(limit: usize) -> Changes {
    Changes { series_limit: Some(limit), ..Changes::default() }
}

#[test]
fn labels_come_onto_series_that_were_read_before_and_lose_against_their_own() {
    let registry = Registry::builder().label("old", "gone").series_limit(1).build();
    let plain = registry.counter("plain", "").build().unwrap();
    let closed = registry.counter("closed", "").labels::<Hit>().build().unwrap();
    let open = registry.counter("open", "").labels::<Route<'_>>().build().unwrap();
    let tell = |to: &mut Observations| to.observe(1.0, &[]);
    let _observer = registry.gauge("told", "").observe(tell).unwrap();
    plain.inc();
    closed.bind(Hit(true)).add(2);
    ["/a", "/b"].into_iter().for_each(|route| open.with(Route(route)).add(3));
    let all = || {
        let snapshot = registry.snapshot();
        let series = snapshot.families().iter().flat_map(|family| family.series());
        series.map(|s| format!("{} {}", s.labels(), s.value().as_f64())).collect::<Vec<_>>()
    };
    let before = all();
    registry.change(labelled(&[("region", "eu"), ("route", "lost")]));
    closed.bind(Hit(false)).add(4);
    assert_eq!(before[0], r#"{hit="true", old="gone"} 2"#);
    assert_eq!(
        all(),
        [
            r#"{hit="false", region="eu", route="lost"} 4"#,
            r#"{hit="true", region="eu", route="lost"} 2"#,
            r#"{otel.metric.overflow="true", region="eu", route="lost"} 3"#,
            r#"{region="eu", route="/a"} 3"#,
            r#"{region="eu", route="lost"} 1"#,
            r#"{region="eu", route="lost"} 1"#,
        ]
    );
}

#[test]
fn a_change_of_something_else_leaves_the_labels() {
    let registry = Registry::builder().label("region", "eu").build();
    registry.counter("c", "").build().unwrap().inc();
    registry.change(limited(7));
    assert_eq!(number(&registry.snapshot(), "c", &[("region", "eu")]), Some(1.0));
}

#[test]
fn an_illegal_key_is_an_error_that_names_it() {
    let error = labelled(&[("fine", ""), ("9a", "")]).checked().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidName);
    assert!(error.to_string().contains(r#""9a""#), "{error}");
}

#[test]
fn of_changes_and_registrations_that_cross_all_families_have_the_labels_of_the_last_change() {
    for round in 0..100 {
        let registry = Registry::new();
        let register = |n: u32| {
            registry.counter(&format!("c{n}"), "").build().unwrap().inc();
        };
        (0..20).for_each(register);
        let start = Barrier::new(3);
        thread::scope(|scope| {
            for change in ["a", "b"] {
                let (registry, start) = (&registry, &start);
                scope.spawn(move || {
                    start.wait();
                    registry.change(labelled(&[("change", change)]));
                });
            }
            start.wait();
            (20..40).for_each(register);
        });
        let snapshot = registry.snapshot();
        let labels = |family: &snapshot::Family| family.series()[0].labels().to_string();
        let different: BTreeSet<_> = snapshot.families().iter().map(labels).collect();
        assert_eq!(different.len(), 1, "{different:?} in round {round}");
    }
}

#[test]
fn a_limit_holds_at_once_for_families_without_one_of_their_own() {
    let registry = Registry::with_series_limit(2);
    let follows = registry.counter("follows", "").labels::<Route<'_>>().build().unwrap();
    registry.set_views(Views::new([View::new("chose").limit(2)]).unwrap());
    let chose = registry.counter("chose", "").labels::<Route<'_>>().build().unwrap();
    let tell = |to: &mut Observations| {
        (0..9).for_each(|n| to.observe(1.0, &[("n", &n.to_string())]));
    };
    let _observer = registry.gauge("told", "").observe(tell).unwrap();
    let visit = |route: &&str| {
        [&follows, &chose].iter().for_each(|counter| counter.with(Route(route)).inc());
    };
    let n_series = || {
        let snapshot = registry.snapshot();
        ["follows", "chose", "told"].map(|name| snapshot.family(name).unwrap().series().len())
    };
    ["/0", "/1", "/2"].iter().for_each(visit);
    assert_eq!(n_series(), [2 + 1, 2 + 1, 2]);
    registry.change(limited(4));
    ["/2", "/3", "/4"].iter().for_each(visit);
    assert_eq!(n_series(), [4 + 1, 2 + 1, 4]);
    registry.change(limited(1));
    ["/0", "/3", "/5"].iter().for_each(visit);
    assert_eq!(n_series(), [4 + 1, 2 + 1, 1]);
    let snapshot = registry.snapshot();
    assert_eq!(number(&snapshot, "follows", &[("route", "/3")]), Some(2.0));
    let beyond = number(&snapshot, "follows", &[("otel.metric.overflow", "true")]);
    assert_eq!(beyond, Some(3.0), "the first /2, /4, and the last /5");
}

#[test]
fn a_budget_counts_the_series_that_are_there() {
    let registry = Registry::builder().byte_budget(0).build();
    let counter = registry.counter("c", "").labels::<Route<'_>>().build().unwrap();
    let budget = |bytes| Changes { byte_budget: Some(bytes), ..Changes::default() };
    let n_series = || registry.snapshot().family("c").unwrap().series().len();
    counter.with(Route("/0")).inc();
    assert_eq!(n_series(), 1, "the overflow series");
    registry.change(budget(100_000));
    (1..=5).for_each(|n| counter.with(Route(&format!("/{n}"))).inc());
    assert_eq!(n_series(), 1 + 5);
    registry.change(budget(1));
    counter.with(Route("/6")).inc();
    assert_eq!(n_series(), 1 + 5);
}

/// A handle of each kind, of families that are called `name` and more.
fn handles(registry: &Registry, name: &str) -> impl Fn() + use<> {
    let name = |kind: &str| format!("{name}.{kind}");
    let plain = registry.counter(&name("plain"), "").build().unwrap();
    let open = registry.counter(&name("open"), "").labels::<Route<'_>>().build().unwrap();
    let closed = registry.histogram(&name("closed"), "").labels::<Hit>().build().unwrap();
    let gauge = registry.gauge(&name("gauge"), "").labels::<Hit>().build().unwrap();
    let held = registry.up_down_counter(&name("held"), "").build().unwrap().hold();
    let timer =
        registry.histogram(&name("timed"), "").unit(Unit::Seconds).build().unwrap().start_timer();
    let (plain, open, closed) = (plain.bind(()), open.bind(Route("/a")), closed.bind(Hit(true)));
    let (gauge, ends) = (gauge.bind(Hit(false)), Mutex::new(Some((held, timer))));
    move || {
        plain.inc();
        open.inc();
        closed.record(1.0);
        gauge.add(1.0);
        drop(ends.lock().take());
    }
}

#[test]
fn a_handle_that_outlives_its_family_never_writes_into_another() {
    let registry = Registry::new();
    let gone = [1, 2].map(|_| handles(&Registry::new(), "gone"));
    let unregistered = [1, 2].map(|_| {
        let handles = handles(&registry, "own");
        let names: Vec<_> = registry.names();
        assert_eq!(names.iter().filter(|name| registry.unregister(name)).count(), 6);
        handles
    });
    let own = handles(&registry, "own");
    own();
    gone.iter().chain(&unregistered).for_each(|record| record());
    let snapshot = registry.snapshot();
    for (kind, labels) in
        [("plain", vec![]), ("open", vec![("route", "/a")]), ("gauge", vec![("hit", "false")])]
    {
        assert_eq!(number(&snapshot, &format!("own.{kind}"), &labels), Some(1.0), "{kind}");
    }
    assert_eq!(number(&snapshot, "own.held", &[]), Some(0.0));
    let count =
        |name, labels| snapshot.value(name, labels).unwrap().as_histogram().unwrap().count();
    assert_eq!((count("own.closed", &[("hit", "true")]), count("own.timed", &[])), (1, 1));
}

/// A registry and some of its instruments.
type Made<'a> = (Registry, Counter<Route<'a>>, Gauge<Hit>, Histogram<Route<'a>>);

#[test]
fn what_takes_the_ids_of_a_registry_that_is_gone_begins_at_zero_on_every_thread() {
    fn registry<'a>() -> Made<'a> {
        let registry = Registry::new();
        let open = registry.counter("open", "").labels().build().unwrap();
        let gauge = registry.gauge("gauge", "").labels().build().unwrap();
        let values = registry.histogram("values", "").labels().build().unwrap();
        (registry, open, gauge, values)
    }
    thread::scope(|scope| {
        // Two threads that remember the series of all the registries before.
        let workers = [(); 2].map(|()| {
            let (to_worker, made) = mpsc::channel::<Arc<Made<'_>>>();
            let (done, from_worker) = mpsc::channel();
            scope.spawn(move || {
                for made in made {
                    made.1.with(Route("/a")).inc();
                    made.3.with(Route("/a")).record(2.0);
                    drop(made);
                    done.send(()).unwrap();
                }
            });
            (to_worker, from_worker)
        });
        for turn in 0..50 {
            let made = Arc::new(registry());
            workers.iter().for_each(|(to_worker, _)| to_worker.send(made.clone()).unwrap());
            workers.iter().for_each(|(_, from_worker)| from_worker.recv().unwrap());
            let snapshot = made.0.snapshot();
            let route = [("route", "/a")];
            assert_eq!(number(&snapshot, "open", &route), Some(2.0), "turn {turn}");
            let values = snapshot.value("values", &route).unwrap().as_histogram().unwrap();
            assert_eq!((values.count(), values.sum()), (2, 4.0), "turn {turn}");
            assert!(snapshot.family("gauge").unwrap().series().is_empty());
            made.2.bind(Hit(true)).set(7.0);
        }
    });
}

#[test]
fn an_unregistered_name_is_free_and_what_is_left_of_it_records_into_nothing() {
    let registry = Registry::new();
    let counter = registry.counter("c", "").labels::<Hit>().build().unwrap();
    let bound = counter.bind(Hit(true));
    assert!(registry.unregister("c") && !registry.unregister("c"));
    bound.inc();
    counter.with(Hit(false)).inc();
    assert!(registry.snapshot().families().is_empty());
    let again = registry.counter("c", "").labels::<Hit>().build().unwrap();
    again.with(Hit(true)).add(2);
    bound.inc();
    assert_eq!(number(&registry.snapshot(), "c", &[("hit", "true")]), Some(2.0));

    let observer = registry.gauge("g", "").observe(|_| ()).unwrap();
    assert!(registry.unregister("g"));
    let _other = registry.gauge("g", "").observe(|to| to.observe(1.0, &[]));
    drop(observer);
    assert_eq!(number(&registry.snapshot(), "g", &[]), Some(1.0));

    static LASTING: Counter = Counter::new("test.registry.lasting", "");
    LASTING.inc();
    assert!(!Registry::global().unregister("test.registry.lasting"));
}

#[test]
fn an_instrument_that_never_was_in_a_static_costs_nothing_twice() {
    let use_one = || Counter::<()>::new("test.registry.local", "").inc();
    let owners = || {
        let families = Registry::global().families();
        families.by_name.get("test.registry.local").map(Arc::strong_count)
    };
    use_one();
    let first = owners();
    use_one();
    assert!(first.is_some() && owners() == first, "{first:?}, then {:?}", owners());
}

#[test]
fn a_label_type_that_uses_the_registry_while_it_is_compared_with_another_waits_for_nobody() {
    static REGISTRY: LazyLock<Registry> = LazyLock::new(Registry::new);

    #[derive(Clone, Copy)]
    struct Nosy;

    impl Labels for Nosy {
        const KEYS: &'static [&'static str] = Hit::KEYS;
        const CARDINALITY: Option<usize> = Hit::CARDINALITY;

        fn index(&self) -> usize {
            0
        }

        fn visit(&self, each: &mut dyn FnMut(&str)) {
            each("false");
        }

        fn at(index: usize) -> Vec<Cow<'static, str>> {
            assert_eq!(REGISTRY.names(), ["c"]);
            Hit::at(index)
        }
    }

    let first = REGISTRY.counter("c", "").labels::<Hit>().build().unwrap();
    let (to_here, registered) = mpsc::channel();
    thread::spawn(move || {
        let second = REGISTRY.counter("c", "").labels::<Nosy>().build().unwrap();
        second.with(Nosy).inc();
        to_here.send(()).unwrap();
    });
    registered.recv_timeout(Duration::from_secs(20)).expect("nobody waits for a lock");
    assert_eq!(first.bind(Hit(false)).value(), 1);
}

#[test]
fn a_name_that_is_registered_again_is_another_sum_for_who_takes_differences() {
    let scope = crate::testing::scope();
    let registry = Registry::new();
    let mut reader = Reader::delta(&registry);
    let mut told = |n| {
        scope.advance(Duration::from_secs(1));
        let counter = registry.counter("c", "").build().unwrap();
        counter.add(n);
        let told = number(&reader.collect(), "c", &[]);
        assert!(registry.unregister("c"));
        told
    };
    assert_eq!([5, 9, 3].map(&mut told), [5.0, 9.0, 3.0].map(Some));
}
