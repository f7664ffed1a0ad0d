use std::collections::HashMap;

use proptest::prelude::*;
use serde_json::Value as JsonValue;

use super::{
    account::Account,
    prefix::{Origin, PREFIX},
    *,
};
use crate::{
    context::{SpanContext, SpanId, TraceFlags, TraceId, TraceState},
    export::wire::hostile,
    label::LabelSet,
    log::{LogRecord, LogSeverity},
    metric::{DataPoint, Registry, Temporality},
    pipeline::{Batch, Payload, SendResult, Setup},
    resource::Resource,
    trace::SpanRecord,
};

/// A span whose name and trace these are; its id is its place behind one hundred.
fn span(name: &str, trace: u128, place: u64) -> SpanRecord {
    let (trace, span) = (TraceId::from_u128(trace), SpanId::from_u64(100 + place));
    let context = SpanContext::new(trace, span, TraceFlags::SAMPLED, TraceState::EMPTY);
    SpanRecord::new(name.to_owned()).with_context(context)
}

fn encoder<S: MessageSignal>(options: &MessageOptions) -> MessageEncoder<S> {
    let mut encoder = MessageEncoder::new(options.format().encoder(), options.has_keys);
    encoder.start(&Setup::new(Resource::service("shop"))).unwrap();
    encoder
}

/// The messages of some records, none of which is refused.
fn messages<S: MessageSignal>(options: &MessageOptions, records: Vec<S>) -> Vec<Message> {
    let payload = encoder(options).encode(&Batch::from(records));
    let mut account = Account::default();
    let messages = options.packer::<S>().pack(&payload, &mut account);
    account.settle(&payload).unwrap();
    messages
}

fn names(message: &Message) -> Vec<String> {
    let lines = std::str::from_utf8(&message.body).unwrap().lines();
    let objects = lines.map(|line| serde_json::from_str::<JsonValue>(line).unwrap());
    objects.map(|object| object["name"].as_str().unwrap().to_owned()).collect()
}

fn keyed() -> MessageOptions {
    MessageOptions { has_keys: true, ..MessageOptions::default() }
}

#[test]
fn records_are_one_message_as_long_as_they_fit() {
    let spans = || (0..4).map(|n| span(&format!("s{n}"), u128::from(n), n)).collect::<Vec<_>>();
    let [all] = &messages(&MessageOptions::default(), spans())[..] else { panic!() };
    assert_eq!((names(all).len(), all.records.clone()), (4, 0..4));
    assert_eq!((&all.key, &all.traceparent), (&None, &None));
    let each = all.body.len() / 4;
    let two = MessageOptions { most_bytes: 2 * each, ..MessageOptions::default() };
    let places = |options| {
        let messages = messages(options, spans());
        messages.into_iter().map(|message| message.records).collect::<Vec<_>>()
    };
    assert_eq!(places(&two), [0..2, 2..4]);
    let almost = MessageOptions { most_bytes: 2 * each - 1, ..MessageOptions::default() };
    assert_eq!(places(&almost), [0..1, 1..2, 2..3, 3..4]);
    let three = MessageOptions { most_records: 3, ..MessageOptions::default() };
    assert_eq!(places(&three), [0..3, 3..4]);
}

#[test]
fn neighbours_of_a_trace_are_a_message_that_says_so() {
    let spans = vec![span("a", 7, 0), span("b", 7, 1), span("c", 8, 2), span("d", 7, 3)];
    let messages = messages(&keyed(), spans);
    let all: Vec<_> = messages.iter().map(names).collect();
    assert_eq!(all, [vec!["a", "b"], vec!["c"], vec!["d"]]);
    assert_eq!(messages[0].key.as_deref(), Some("00000000000000000000000000000007"));
    let parent = "00-00000000000000000000000000000007-0000000000000064-01";
    assert_eq!(messages[0].traceparent.as_deref(), Some(parent));
    let caller = crate::extract(&[("traceparent", parent)]);
    assert_eq!((caller.trace_id().to_u128(), caller.span().is_sampled()), (7, true));
}

#[test]
fn log_records_of_no_trace_have_no_key() {
    let id = span("", 7, 0).context().clone();
    let log = |text: &str| LogRecord::new(LogSeverity::INFO, text.to_owned());
    let messages = messages(&keyed(), vec![log("a").with_context(id), log("b"), log("c")]);
    let [of_trace, of_none] = &messages[..] else { panic!("{messages:?}") };
    assert!(of_trace.traceparent.is_some() && of_trace.key.is_some());
    assert_eq!((of_none.records.clone(), &of_none.key, &of_none.traceparent), (1..3, &None, &None));
}

#[test]
fn the_points_of_a_series_have_a_key_of_their_own_whatever_the_order_of_labels() {
    let registry = Registry::new();
    registry.gauge("load", "").build().unwrap().set(1.0);
    let point = |labels: &[(&'static str, &str)]| {
        let mut point = registry.snapshot().data_points(Temporality::Cumulative).remove(0);
        point.set_labels(LabelSet::new(labels.iter().copied()));
        point
    };
    let of = |labels: &[(&'static str, &str)]| MessageSignal::origin(&point(labels)).key;
    assert_eq!(of(&[("a", "1"), ("b", "2")]), of(&[("b", "2"), ("a", "1")]));
    assert_ne!(of(&[("a", "1"), ("b", "2")]), of(&[("a", "2"), ("b", "1")]));
    assert_ne!(of(&[("a", "1")]), of(&[]));
    // What another version wrote into a spool is sent by this one.
    assert_eq!(format!("{:032x}", u128::from_be_bytes(of(&[]))), KEY_OF_LOAD);
    let messages = messages(&keyed(), vec![point(&[]), point(&[("a", "1")]), point(&[("a", "1")])]);
    assert_eq!(messages.len(), 2);
    assert!(messages.iter().all(|one| one.key.is_some() && one.traceparent.is_none()));
}

/// The key of a series without labels, by an independent SipHash-2-4.
const KEY_OF_LOAD: &str = "83600324faa8a605aa8dd85d2c95efff";

#[test]
fn a_message_has_the_same_id_when_it_is_sent_again_and_no_other_has_it() {
    let options = MessageOptions { most_records: 2, ..MessageOptions::default() };
    let log = || {
        LogRecord::new(LogSeverity::INFO, "the same")
            .with_time(crate::clock::Timestamp::from_unix_nanos(7))
    };
    let payload = encoder(&options).encode(&Batch::from(vec![log(), log(), log(), log()]));
    let packer = options.packer::<LogRecord>();
    let ids = |payload: &Payload| {
        let messages = packer.pack(payload, &mut Account::default());
        messages.into_iter().map(|message| message.id).collect::<Vec<_>>()
    };
    let all = ids(&payload);
    assert_eq!((ids(&payload), ids(&payload.skip(2))), (all.clone(), all[1..].to_vec()));
    assert_ne!(all[0], all[1], "they are alike, and yet two");
    let of_others = encoder(&options).encode(&Batch::from(vec![log(), log()]));
    assert_ne!(ids(&of_others)[0], all[0], "another process may have the same");
}

/// A format that cannot express some records, and whose messages are longer than their records.
#[derive(Debug)]
struct Odd;

impl Encoder<SpanRecord> for Odd {
    fn encode(&mut self, batch: &Batch<SpanRecord>) -> Payload {
        Payload::each(batch, |out, span| {
            if span.name() != "none" {
                out.extend_from_slice(span.name().as_bytes());
            }
        })
    }
}

impl MessageFormat<SpanRecord> for Odd {
    fn encoder(&self) -> Box<dyn Encoder<SpanRecord>> {
        Box::new(Self)
    }

    fn content_type(&self) -> &'static str {
        "text/plain"
    }

    fn join(&self, _head: &[u8], records: &[&[u8]], message: &mut Vec<u8>) -> bool {
        records
            .iter()
            .for_each(|record| message.extend_from_slice(&[b"[", *record, b"]"].concat()));
        !records.contains(&&b"foreign"[..])
    }
}

fn packed_oddly(names: &[&str], most_bytes: usize) -> (Vec<String>, Payload, Account) {
    let mut encoder = MessageEncoder::<SpanRecord>::new(Box::new(Odd), false);
    let spans = names.iter().map(|name| span(name, 1, 0)).collect::<Vec<_>>();
    let payload = encoder.encode(&Batch::from(spans));
    let mut account = Account::default();
    let packer = Packer::<SpanRecord>::new(std::sync::Arc::new(Odd), most_bytes, usize::MAX);
    let messages = packer.pack(&payload, &mut account).into_iter();
    let bodies = messages.map(|one| String::from_utf8(one.body).unwrap()).collect();
    (bodies, payload, account)
}

#[test]
fn what_a_format_cannot_express_and_what_is_too_large_is_refused_alone() {
    let (bodies, payload, account) = packed_oddly(&["a", "none", "b", "toolarge", "c"], 7);
    assert_eq!(bodies, ["[a]", "[b]", "[c]"]);
    let error = account.settle(&payload).unwrap_err();
    assert!(!error.is_retry() && !error.is_partial());
    let refused = error.as_unsent().unwrap();
    let refused: Vec<_> = refused.records().map(|record| record.len()).collect();
    assert_eq!(refused, [0, PREFIX + "toolarge".len()]);
    assert!(error.to_string().contains("cannot express"), "{error}");
}

#[test]
fn a_message_that_grew_too_large_is_halved() {
    let (bodies, _, _) = packed_oddly(&["aa", "bb", "cc", "dd"], 8);
    assert_eq!(bodies, ["[aa][bb]", "[cc][dd]"]);
    let (bodies, _, _) = packed_oddly(&["aa", "bb", "cc"], 6);
    assert_eq!(bodies, ["[aa]", "[bb]", "[cc]"]);
}

#[test]
fn records_of_another_format_are_refused() {
    let (bodies, payload, account) = packed_oddly(&["foreign"], 100);
    assert!(bodies.is_empty());
    assert!(!account.settle(&payload).unwrap_err().is_retry());
    let foreign: Payload = ["short", "", &"x".repeat(PREFIX)].iter().collect();
    let mut account = Account::default();
    let options = MessageOptions::default();
    assert_eq!(options.packer::<SpanRecord>().pack(&foreign, &mut account).len(), 1);
    assert_eq!(account.settle(&foreign).unwrap_err().as_unsent().unwrap().len(), 2);
}

#[test]
fn what_is_left_is_sent_again_and_what_is_refused_is_not() {
    let payload: Payload = (0..6).map(|n| vec![n]).collect();
    let mut account = Account::default();
    account.refuse(1..2, "never");
    account.leave(3..5, "not now");
    account.leave(5..6, "nor now");
    let error = account.settle(&payload).unwrap_err();
    assert_eq!((error.is_retry(), error.n_rejected()), (true, 1));
    assert_eq!(
        (error.as_unsent().unwrap().bytes(), &*error.to_string()),
        (&[3, 4, 5][..], "not now")
    );
    Account::default().settle(&payload).unwrap();
}

#[test]
fn an_encoder_that_miscounts_is_not_hidden() {
    #[derive(Debug)]
    struct Miscounts;
    impl Encoder<SpanRecord> for Miscounts {
        fn encode(&mut self, _: &Batch<SpanRecord>) -> Payload {
            [b"a", b"b", b"c"].iter().collect()
        }
    }
    let mut encoder = MessageEncoder::<SpanRecord>::new(Box::new(Miscounts), false);
    assert_eq!(encoder.encode(&Batch::from(vec![span("a", 1, 0)])).len(), 3);
    assert_eq!(encoder.format(), "", "a spool is refused as the format's own would be");
}

#[test]
fn formats_of_other_backends_are_whole_messages() {
    let spans = || vec![span("a", 7, 0), span("b", 7, 1), span("c", 8, 2)];
    let with = |format: crate::export::otlp::OtlpMessages| {
        let mut options = keyed();
        options.set_format(format);
        options
    };
    let options = with(crate::export::otlp::OtlpMessages::json());
    assert_eq!(encoder::<SpanRecord>(&options).format(), "message.1.otlp.spans.json.1");
    assert_eq!(options.packer::<SpanRecord>().content_type(), "application/json");
    let read = |message: &Message| serde_json::from_slice::<JsonValue>(&message.body).unwrap();
    let [two, one] = &messages(&options, spans())[..] else { panic!() };
    let spans_of = |value: &JsonValue| {
        value["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap().len()
    };
    assert_eq!((spans_of(&read(two)), spans_of(&read(one))), (2, 1));
    assert!(read(one)["resourceSpans"][0]["resource"].to_string().contains("shop"));
    let [two, one] = &messages(&with(crate::export::otlp::OtlpMessages::protobuf()), spans())[..]
    else {
        panic!()
    };
    for (message, name) in [(two, b'b'), (one, b'c')] {
        // ExportTraceServiceRequest: one field, of its whole length.
        assert_eq!(message.body[0], 0x0a);
        assert!(message.body.windows(3).any(|bytes| bytes == [0x2a, 1, name]));
    }
    let mut options = MessageOptions::default();
    options.set_format(crate::export::influx::InfluxMessages::new());
    let [lines] = &messages(&options, spans())[..] else { panic!() };
    let lines = std::str::from_utf8(&lines.body).unwrap();
    assert_eq!(lines.lines().filter(|line| line.starts_with("spans,")).count(), 3, "{lines}");
}

#[test]
fn hostile_texts_are_read_back_as_they_were() {
    for (name, text) in hostile::strings("lines of JSON in messages") {
        let options = MessageOptions { most_bytes: 8 << 20, ..keyed() };
        let [message] = &messages(&options, vec![span(&text, 7, 0)])[..] else { panic!("{name}") };
        assert_eq!(names(message), [text], "{name}");
    }
}

proptest! {
    #[test]
    fn packing_matches_naive(
        traces in proptest::collection::vec(0u128..3, 0..24),
        sizes in proptest::collection::vec(1usize..60, 24),
        most_bytes in 200usize..1500,
        most_records in 1usize..6,
        has_keys: bool,
    ) {
        let options =
            MessageOptions { has_keys, most_bytes, most_records, ..MessageOptions::default() };
        let records: Vec<_> = (0..).zip(traces.iter().zip(&sizes)).map(|(place, (trace, size))| {
            span(&format!("{place}{}", "x".repeat(*size)), *trace, place)
        }).collect();
        let payload = encoder(&options).encode(&Batch::from(records));
        let mut account = Account::default();
        let messages = options.packer::<SpanRecord>().pack(&payload, &mut account);
        let lens: Vec<_> = payload.records().map(|record| record.len() - PREFIX).collect();
        let n_refused = lens.iter().filter(|len| **len > most_bytes).count();
        let refused = account.settle(&payload).map_or_else(|error| error.as_unsent().unwrap().len(), |()| 0);
        prop_assert_eq!(refused, n_refused);
        let mut bodies = HashMap::new();
        for (place, record) in payload.records().enumerate() {
            bodies.insert(place, Origin::split(record).unwrap().1);
        }
        let mut last = 0;
        for (n, message) in messages.iter().enumerate() {
            prop_assert!(message.records.start >= last && message.records.len() <= most_records);
            last = message.records.end;
            let naive: Vec<u8> =
                message.records.clone().flat_map(|place| bodies[&place].to_vec()).collect();
            prop_assert_eq!(&naive, &message.body);
            prop_assert!(message.body.len() <= most_bytes);
            // Nothing more would have fitted.
            let Some(next) = messages.get(n + 1) else { continue };
            let joins = next.records.start == last
                && (!has_keys || traces[last] == traces[last - 1])
                && message.records.len() < most_records;
            prop_assert!(!joins || message.body.len() + bodies[&last].len() > most_bytes);
        }
        let n_sent: usize = messages.iter().map(|message| message.records.len()).sum();
        prop_assert_eq!(n_sent + n_refused, traces.len());
    }

    #[test]
    fn no_bytes_make_a_packer_panic(records in proptest::collection::vec(
        proptest::collection::vec(any::<u8>(), 0..80), 0..8)
    ) {
        let payload: Payload = records.iter().collect();
        for options in [MessageOptions::default(), {
            let mut options = keyed();
            options.set_format(crate::export::otlp::OtlpMessages::protobuf());
            options
        }] {
            let _ = options.packer::<SpanRecord>().pack(&payload, &mut Account::default());
            let _ = options.packer::<DataPoint>().pack(&payload, &mut Account::default());
        }
    }
}

/// What becomes of messages of one record each, which are answered so; and how many were sent.
fn in_rounds(verdicts: Vec<Verdict>, last: Result<(), String>) -> (SendResult, Payload, usize) {
    let options = MessageOptions { most_records: 1, ..MessageOptions::default() };
    let spans = (0..2_500).map(|n| span("s", 7, n)).collect::<Vec<_>>();
    let payload = encoder(&options).encode(&Batch::from(spans));
    let (mut verdicts, mut n_sent) = (verdicts.into_iter(), 0);
    let packer = options.packer::<SpanRecord>();
    let result = send_in_rounds(&packer, &payload, "Broker", |messages, settle| {
        n_sent += messages.len();
        for _ in messages {
            match verdicts.next() {
                Some(verdict) => settle(verdict),
                None => return last.clone(),
            }
        }
        Ok(())
    });
    (result, payload, n_sent)
}

#[test]
fn all_rounds_are_sent_while_messages_are_taken_or_refused_for_good() {
    let taken = || std::iter::repeat_with(|| Verdict::Taken);
    let (result, _, n_sent) = in_rounds(taken().take(2_500).collect(), Ok(()));
    assert!(result.is_ok() && n_sent == 2_500);
    let mut verdicts: Vec<_> = taken().take(2_500).collect();
    verdicts[7] = Verdict::Never("too odd".to_owned());
    let (result, payload, n_sent) = in_rounds(verdicts, Ok(()));
    let error = result.unwrap_err();
    assert_eq!((n_sent, error.is_retry(), &*error.to_string()), (2_500, false, "Broker: too odd"));
    assert_eq!(error.as_unsent().unwrap().bytes(), payload.first(8).skip(7).bytes());
}

#[test]
fn no_round_is_sent_behind_a_message_that_is_not_taken_now() {
    let mut verdicts: Vec<_> = (0..1_000).map(|_| Verdict::Taken).collect();
    verdicts[3] = Verdict::Never("too odd".to_owned());
    verdicts[998] = Verdict::Later("full".to_owned());
    let (result, payload, n_sent) = in_rounds(verdicts, Ok(()));
    let error = result.unwrap_err();
    assert_eq!((n_sent, error.is_retry(), error.n_rejected()), (1_000, true, 1));
    assert_eq!(error.to_string(), "Broker: full");
    let (unsent, all) = (error.as_unsent().unwrap(), payload.records().collect::<Vec<_>>());
    // The one behind it was taken in the same round.
    let wanted = [&all[998..999], &all[1_000..]].concat();
    assert_eq!(unsent.records().collect::<Vec<_>>(), wanted);
}

#[test]
fn what_has_no_answer_is_left() {
    let verdicts = (0..1_700).map(|_| Verdict::Taken).collect();
    let (result, payload, n_sent) = in_rounds(verdicts, Err("lost".to_owned()));
    let error = result.unwrap_err();
    assert_eq!((n_sent, error.is_retry(), &*error.to_string()), (2_000, true, "Broker: lost"));
    assert_eq!(error.as_unsent().unwrap().bytes(), payload.skip(1_700).bytes());
}
