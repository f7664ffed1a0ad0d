//! One reading after the other: order, the ends of series, and the end of all.

use super::*;

fn ends() -> Ends {
    Ends::new(|remote_write| remote_write.without_target_info())
}

fn stale(all: &All) -> Vec<&str> {
    all.iter().filter(|(_, got)| got.is_stale()).map(|(key, _)| &**key).collect()
}

#[test]
fn a_series_that_ended_has_a_stale_marker_at_the_reading_that_lacked_it() {
    // [stale_marker]
    let mut ends = ends();
    ends.got(1, vec![gauge(&[], 1.0), counter(&[("a", "1")], 5)]);
    assert!(stale(&ends.got(2, vec![gauge(&[], 1.0)])).is_empty(), "its end is not known yet");
    let all = ends.got(3, vec![gauge(&[], 1.0)]);
    assert_eq!(stale(&all), ["hits_total{a=\"1\"}"]);
    assert_eq!(all["hits_total{a=\"1\"}"].at(), date(2));
    assert!(stale(&ends.got(4, vec![gauge(&[], 1.0)])).is_empty(), "an end is sent once");
    let back = ends.got(5, vec![gauge(&[], 1.0), counter(&[("a", "1")], 6)]);
    assert_eq!((back["hits_total{a=\"1\"}"].value(), stale(&back).len()), (6.0, 0));
}

#[test]
fn every_series_of_every_kind_ends_in_its_own_form() {
    for (form, version) in [
        (HistogramForm::Classic, RemoteWriteVersion::V2),
        (HistogramForm::Both, RemoteWriteVersion::V2),
        (HistogramForm::Both, RemoteWriteVersion::V1),
    ] {
        let mut ends = Ends::new(|one| one.histograms(form).version(version));
        let all = ends.got(1, every_kind());
        let payload = ends.points.finish().unwrap();
        let ended = ends.got_of(&payload);
        assert_eq!(keys(&ended), keys(&all), "with that of the resource");
        assert!(ended.values().all(Got::is_stale));
        assert!(ended.values().all(|one| one.at() > date(1)));
        assert!(ends.points.finish().is_none(), "there is one end");
    }
}

#[test]
fn a_value_that_nobody_would_take_ends_its_series() {
    let mut ends = ends();
    let money = |value| {
        let one = series(&[], SeriesValue::FloatCounter(value));
        vec![gauge(&[], 1.0), family("money", Kind::Counter, Unit::NONE, "", vec![one])]
    };
    assert_eq!(ends.got(1, money(1.0)).len(), 2);
    assert_eq!(keys(&ends.got(2, money(f64::NAN))), ["level{}"]);
    assert_eq!(stale(&ends.got(3, money(f64::NAN))), ["money_total{}"]);
}

#[test]
fn samples_of_a_series_are_in_order_whatever_the_wall_clock_does() {
    // [timestamp_ordering_within_series, multiple_samples_same_series]
    let mut ends = ends();
    let mut last = 0;
    // Instants that cannot be compared with each other, as after a step: readings of a clock.
    for (taken, wall) in [(1, 1_000), (2, 1_000), (3, 400), (4, 401), (5, 1_500)] {
        let clock = crate::clock::ManualClock::new();
        let _entered = crate::clock::enter(Some(clock.clone()));
        clock.advance(Duration::from_secs(taken));
        clock.step_wall(
            std::time::UNIX_EPOCH + Duration::from_millis((date(0) + wall).cast_unsigned()),
        );
        let now = clock.now();
        let snapshot = Snapshot::new(now, now, vec![gauge(&[], 1.0)]);
        let points = snapshot.data_points(Temporality::Cumulative);
        let payload = ends.points.encode(&Batch::from(points));
        let at = only(&ends.got_of(&payload)).at();
        assert!(at > last, "{at} after {last}");
        last = at;
    }
    assert_eq!(last, date(0) + 1_500, "it has caught up");
}

#[test]
fn what_is_older_than_what_was_sent_is_not_sent() {
    let mut ends = ends();
    ends.got(5, vec![counter(&[], 9)]);
    let older = ends.encoded(4, vec![counter(&[], 8)]);
    assert!(older.bytes().is_empty());
    assert_eq!(ends.got(6, vec![counter(&[], 9)]).len(), 1, "and nothing has ended by it");
}

#[test]
fn a_reading_in_several_batches_is_one() {
    let mut ends = Ends::new(|remote_write| remote_write);
    for second in 1..4 {
        let first = ends.got(second, vec![gauge(&[], 1.0)]);
        let second = ends.got(second, vec![counter(&[], 1)]);
        assert_eq!((first.len(), second.len()), (2, 1), "the resource is in the first");
        assert!(stale(&first).is_empty() && stale(&second).is_empty());
    }
}

#[test]
fn differences_are_not_sent() {
    let mut ends = ends();
    let snapshot = Snapshot::new(ticks(date(0)), ticks(date(1)), vec![counter(&[], 1)]);
    let batch = Batch::from(snapshot.data_points(Temporality::Delta));
    assert!(ends.points.encode(&batch).bytes().is_empty());
}

#[test]
fn at_shutdown_all_series_end_after_the_last_sample_was_delivered() {
    let server = taking();
    let route = Route::from(RemoteWrite::new(server.endpoint("/")).without_target_info());
    let pipe = Pipe::start(route, &Setup::new(shop())).unwrap();
    let registry = crate::metric::Registry::new();
    registry.counter("hits", "").build().unwrap().add(3);
    pipe.push(registry.snapshot().data_points(Temporality::Cumulative));
    let report = pipe.shutdown(LONG);
    assert_eq!((report.offered, report.delivered, report.held), (1, 1, 0), "an end is no record");
    let requests: Vec<All> = server.rest().iter().map(decoded).collect();
    let [last, ended] = &*requests else { panic!("{requests:?}") };
    assert_eq!((only(last).value(), only(ended).is_stale()), (3.0, true));
    assert!(only(ended).at() > only(last).at());
}

#[test]
fn nothing_ends_where_nothing_was_sent() {
    let server = taking();
    let route = Route::from(RemoteWrite::new(server.endpoint("/")));
    let pipe = Pipe::start(route, &Setup::new(shop())).unwrap();
    pipe.shutdown(LONG);
    assert!(server.rest().is_empty());
}
