//! Samples, times, histograms, exemplars and metadata.

use super::*;

/// The value of a gauge as it arrives, to the bit.
fn sent(value: f64) -> u64 {
    only(&got(vec![gauge(&[], value)])).value().to_bits()
}

#[test]
fn every_number_arrives_to_the_bit() {
    // [float_value_encoding, integer_value_encoding, zero_value_encoding, negative_value_encoding,
    //  positive_infinity_encoding, negative_infinity_encoding, large_float_values, small_float_values,
    //  scientific_notation, precision_preservation, special_float_combinations]
    for value in [
        0.0,
        -0.0,
        1.0,
        -1.0,
        0.1,
        -123.456,
        1e300,
        1e-300,
        f64::MAX,
        f64::MIN_POSITIVE,
        5e-324,
        f64::INFINITY,
        f64::NEG_INFINITY,
        0.1 + 0.2,
        9_007_199_254_740_993.0,
    ] {
        assert_eq!(sent(value), value.to_bits(), "{value}");
    }
}

#[test]
fn no_number_of_the_user_says_that_a_series_has_ended() {
    // [nan_encoding]
    for bits in [0x7ff8_0000_0000_0000, 0x7ff0_0000_0000_0002, 0xfff8_0000_0000_0001] {
        assert_eq!(sent(f64::from_bits(bits)), 0x7ff8_0000_0000_0001);
    }
}

#[test]
fn a_sample_has_the_milliseconds_of_its_reading_and_of_its_start() {
    // [timestamp_recent, timestamp_precision, timestamp_future_values, future_timestamp, zero_timestamp,
    //  start_timestamp_for_counters, start_timestamp_for_histograms]
    let mut ends = Ends::new(|one| one.without_target_info().histograms(HistogramForm::Both));
    let far = 4_102_444_800_123; // In the year 2100.
    for at in [date(10) + 123, far] {
        let payload = ends.encoded_at(at, every_kind());
        for (key, got) in ends.got_of(&payload) {
            assert_eq!(got.at(), at, "{key}");
            let has_start = ["hits", "money", "wait", "load_sum", "load_count"];
            let start =
                if has_start.iter().any(|name| key.starts_with(name)) { date(0) } else { 0 };
            assert_eq!((got.created, &*got.starts), (start, &[start][..]), "{key}");
        }
    }
    // A sum that began in the millisecond of its reading began before it.
    let mut ends = Ends::new(|one| one.without_target_info());
    let payload = ends.encoded_at(date(0), vec![counter(&[], 1)]);
    assert_eq!(only(&ends.got_of(&payload)).created, date(0) - 1);
}

#[test]
fn a_native_histogram_is_whole() {
    // [native_histogram_structure, histogram_count_present, histogram_sum_present, histogram_schema,
    //  histogram_buckets_ordered, histogram_positive_buckets, histogram_negative_buckets,
    //  histogram_zero_bucket, histogram_timestamp]
    let mut ends = Ends::new(|one| one.without_target_info().histograms(HistogramForm::Native));
    let all = ends.got(10, vec![waits(&[0.0, 1.0, 1.5, 2.0, 2.0])]);
    let got = only(&all);
    assert_eq!(got.name(), "wait_seconds");
    let [one] = &*got.histograms else { panic!("{got:?}") };
    assert_eq!((one.count_int, one.sum, one.schema), (5, 6.5, 6));
    assert_eq!((one.zero_count_int, one.zero_threshold), (1, 2f64.powi(-30)));
    let spans: Vec<_> = one.positive_spans.iter().map(|span| (span.offset, span.length)).collect();
    // (.., 1] at index 0, 1.5 at ceil(64 log2 1.5), 2 at 64.
    assert_eq!((spans, &*one.positive_deltas), (vec![(0, 1), (37, 1), (25, 1)], &[1, 0, 1][..]));
    assert!(one.negative_spans.is_empty());
    assert_eq!((one.timestamp, one.start_timestamp, one.reset_hint), (date(10), date(0), 0));
}

#[test]
fn a_histogram_is_sent_in_the_form_that_was_chosen() {
    // [histogram_empty_buckets]
    let forms = |form, families: Vec<Family>| {
        let mut ends = Ends::new(|one| one.without_target_info().histograms(form));
        let all = ends.got(10, families);
        let n_native = all.values().filter(|one| !one.histograms.is_empty()).count();
        let n_buckets = all.keys().filter(|key| key.contains("_bucket{")).count();
        (n_native, n_buckets > 1, all.keys().any(|key| key.starts_with("wait_seconds_count")))
    };
    for values in [&[][..], &[0.5]] {
        assert_eq!(forms(HistogramForm::Classic, vec![waits(values)]), (0, true, true));
        assert_eq!(forms(HistogramForm::Native, vec![waits(values)]), (1, false, false));
        assert_eq!(forms(HistogramForm::Both, vec![waits(values)]), (1, true, true));
    }
    let layout = crate::metric::BucketLayout::Explicit(vec![1.0, 2.0].into());
    let value = HistogramSnapshot::from_cells(layout, vec![(1, 1)], 1.5);
    let explicit = vec![series(&[], SeriesValue::Histogram(Arc::new(value)))];
    let explicit = family("wait", Kind::Histogram, Unit::Seconds, "", explicit);
    let mut ends = Ends::new(|one| one.without_target_info().histograms(HistogramForm::Native));
    let all = ends.got(10, vec![explicit]);
    assert_eq!(all["wait_seconds_bucket{le=\"2.0\"}"].value(), 1.0);
    assert!(all.values().all(|one| one.histograms.is_empty()));
}

#[test]
fn buckets_are_merged_until_they_are_few_enough() {
    let mut ends = Ends::new(|one| {
        one.without_target_info().histograms(HistogramForm::Native).native_buckets(8)
    });
    let values: Vec<f64> = (0..400).map(|n| 1.02f64.powi(n)).collect();
    let all = ends.got(10, vec![waits(&values)]);
    let one = &only(&all).histograms[0];
    assert!((1..=8).contains(&one.positive_deltas.len()), "{one:?}");
    assert_eq!((one.count_int, one.schema), (400, -1));
}

#[test]
fn large_counts_are_exact() {
    // [histogram_large_counts]
    let cells = vec![(3_000, u64::MAX / 4), (3_001, 1)];
    let layout = HistogramSnapshot::of(&[]).layout().clone();
    let value = HistogramSnapshot::from_cells(layout, cells, 1.0);
    let value = SeriesValue::Histogram(Arc::new(value));
    let mut ends = Ends::new(|one| one.without_target_info().histograms(HistogramForm::Native));
    let one = family("big", Kind::Histogram, Unit::NONE, "", vec![series(&[], value)]);
    let all = ends.got(10, vec![one]);
    let one = &only(&all).histograms[0];
    assert_eq!(one.count_int, u64::MAX / 4 + 1);
    assert_eq!(one.positive_deltas, [i64::MAX / 2, 1 - i64::MAX / 2]);
}

/// An exemplar, so many seconds after the start.
fn exemplar(value: f64, second: i64, labels: &[(&str, &str)]) -> Exemplar {
    let (trace, span) = (TraceId::from_u128(10), SpanId::from_u64(11));
    Exemplar::new(value, trace, span, ticks(date(second))).with_labels(labels)
}

fn with_exemplar(second: i64) -> Vec<Family> {
    let one = series(&[], SeriesValue::Counter(1));
    let one = one.with_exemplar(Some(exemplar(2.0, second, &[("zz", "1"), ("aa", "2")])));
    let values = HistogramSnapshot::of(&[0.3, 3.0]);
    let values = values.with_exemplars(vec![exemplar(0.3, second, &[]), exemplar(3.0, 1, &[])]);
    let value = SeriesValue::Histogram(Arc::new(values));
    vec![
        family("hits", Kind::Counter, Unit::NONE, "", vec![one]),
        family("wait", Kind::Histogram, Unit::Seconds, "", vec![series(&[], value)]),
    ]
}

#[test]
fn exemplars_stand_beside_their_sum_and_their_bucket() {
    // [exemplar_with_trace_id, exemplar_with_span_id, exemplar_value_valid, exemplar_timestamp_valid,
    //  exemplar_custom_labels, exemplar_on_histogram, multiple_exemplars_per_series,
    //  samples_with_exemplars, histogram_with_metadata_and_exemplars]
    let mut ends = Ends::new(|one| one.without_target_info().histograms(HistogramForm::Both));
    let all = ends.got(10, with_exemplar(5));
    let [(labels, value, at)] = &*all["hits_total{}"].exemplars else { panic!("{all:?}") };
    let labels: Vec<_> = labels.iter().map(|(key, value)| (&**key, &**value)).collect();
    assert_eq!(
        labels,
        [
            ("aa", "2"),
            ("span_id", "000000000000000b"),
            ("trace_id", "0000000000000000000000000000000a"),
            ("zz", "1"),
        ]
    );
    assert_eq!((*value, *at), (2.0, date(5)));
    let of_buckets = all.values().filter(|one| one.name() == "wait_seconds_bucket");
    let of_buckets: Vec<_> = of_buckets
        .flat_map(|one| one.exemplars.iter().map(|(_, value, _)| (&*one.labels["le"], *value)))
        .collect();
    assert_eq!(of_buckets, [("0.5", 0.3), ("5.0", 3.0)]);
    let native = &all["wait_seconds{} native"];
    let of_native: Vec<_> = native.exemplars.iter().map(|(_, value, at)| (*value, *at)).collect();
    assert_eq!(of_native, [(3.0, date(1)), (0.3, date(5))], "the oldest first");
    assert!(native.metadata.is_some());
}

#[test]
fn an_exemplar_is_sent_once() {
    let mut ends = Ends::new(|one| one.without_target_info());
    let count = |all: All| all.values().map(|one| one.exemplars.len()).sum::<usize>();
    assert_eq!(count(ends.got(10, with_exemplar(5))), 3);
    assert_eq!(count(ends.got(20, with_exemplar(5))), 0);
    assert_eq!(count(ends.got(30, with_exemplar(25))), 2, "the new ones");
}

#[test]
fn each_series_has_the_metadata_of_its_family() {
    // [metadata_type_counter, metadata_type_gauge, metadata_type_histogram, metadata_type_summary,
    //  metadata_help_text, metadata_unit, metadata_help_with_newlines, metadata_help_with_special_chars,
    //  metadata_consistent_across_series, metadata_empty_help_allowed, samples_with_metadata,
    //  mixed_labels_and_metadata]
    let help = "Zeit \"zu\"\n\\warten\t\u{1f600}";
    let mut families = every_kind();
    families.push(family(
        "lag",
        Kind::Gauge,
        Unit::Seconds,
        help,
        vec![
            series(&[("a", "1")], SeriesValue::Gauge(1.0)),
            series(&[("a", "2")], SeriesValue::Gauge(2.0)),
        ],
    ));
    for (key, got) in got(families) {
        let text = |text: &str| text.to_owned();
        let expected = match key.split(['{', '_']).next().unwrap() {
            "hits" => (1, text("Hits"), text("")),
            "money" => (1, text(""), text("")),
            "wait" => (3, text("Time to wait"), text("seconds")),
            "load" => (5, text(""), text("")),
            "build" => (6, text(""), text("")),
            "state" => (7, text(""), text("")),
            "lag" => (2, text(help), text("seconds")),
            _ => (2, text(""), text("")),
        };
        assert_eq!(got.metadata, Some(expected), "{key}");
    }
}

#[test]
fn the_first_version_says_the_same_without_what_it_has_no_place_for() {
    // [rw1_samples_encoding, rw1_labels_encoding, rw1_no_native_histograms, rw1_no_start_timestamp,
    //  rw1_metadata_handling, rw1_symbol_table_not_used]
    let get = |version, form| {
        let mut ends = Ends::new(|one| one.version(version).histograms(form));
        let mut families = with_exemplar(5);
        families
            .extend(every_kind().into_iter().filter(|one| !["hits", "wait"].contains(&one.name())));
        ends.got(10, families)
    };
    for form in [HistogramForm::Classic, HistogramForm::Both] {
        let first = get(RemoteWriteVersion::V1, form);
        let mut second = get(RemoteWriteVersion::V2, form);
        for one in second.values_mut() {
            (one.created, one.metadata) = (0, None);
            one.starts.fill(0);
            one.histograms.iter_mut().for_each(|one| one.start_timestamp = 0);
            if !one.histograms.is_empty() {
                one.starts.clear(); // Of samples alone, as `decoded_v1` has them.
            }
        }
        assert_eq!(format!("{first:?}"), format!("{second:?}"));
        let n_native = first.values().filter(|one| !one.histograms.is_empty()).count();
        assert_eq!(n_native, usize::from(form == HistogramForm::Both), "none unless asked for");
    }
}
