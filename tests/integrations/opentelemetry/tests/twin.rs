//! A random twin: the same operations by OpenTelemetry's own SDK and by ours are the same spans.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the rule is the library's own"
)]

use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, SystemTime},
};

use bellwether::{integration::opentelemetry::tracer_provider, testing, trace::SpanRecord};
use opentelemetry::{
    Context, KeyValue, StringValue, Value,
    trace::{
        Event, Link, Span, SpanContext, SpanId, SpanKind, Status, TraceContextExt as _, TraceFlags,
        TraceId, TraceState, Tracer, TracerProvider as _,
    },
};
use opentelemetry_sdk::trace::{InMemorySpanExporterBuilder, Sampler, SdkTracerProvider, SpanData};
use proptest::prelude::*;

/// What a program does with the API.
#[derive(Clone, Debug)]
enum Act {
    /// Starts a span below what is attached, below a span by its place, below a caller, or as a root.
    Start {
        parent: Below,
        kind: u8,
        attributes: Vec<(u8, Of)>,
        links: u8,
        events: u8,
    },
    /// Attaches a span by its place.
    Attach(usize),
    Detach,
    Set(usize, u8, Of),
    Event(usize, u8, u8),
    Link(usize, u64),
    Name(usize, u8),
    Status(usize, u8),
    Error(usize),
    End(usize),
}

#[derive(Clone, Copy, Debug)]
enum Below {
    Current,
    Span(usize),
    Caller,
    Nobody,
}

#[derive(Clone, Debug)]
enum Of {
    Bool(bool),
    I64(i64),
    F64(f64),
    Text(String),
    I64s(Vec<i64>),
    Texts(Vec<String>),
}

impl Of {
    fn value(&self) -> Value {
        match self.clone() {
            Self::Bool(value) => value.into(),
            Self::I64(value) => value.into(),
            Self::F64(value) => value.into(),
            Self::Text(value) => value.into(),
            Self::I64s(values) => Value::Array(values.into()),
            Self::Texts(texts) => {
                Value::Array(texts.into_iter().map(StringValue::from).collect::<Vec<_>>().into())
            }
        }
    }
}

fn of() -> impl Strategy<Value = Of> {
    prop_oneof![
        any::<bool>().prop_map(Of::Bool),
        any::<i64>().prop_map(Of::I64),
        (-1e9..1e9).prop_map(Of::F64),
        ".{0,40}".prop_map(Of::Text),
        prop::collection::vec(any::<i64>(), 1..4).prop_map(Of::I64s),
        prop::collection::vec("[a-z\"]{0,4}", 1..4).prop_map(Of::Texts),
    ]
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let below = prop_oneof![
        4 => Just(Below::Current),
        2 => (0..8_usize).prop_map(Below::Span),
        1 => Just(Below::Caller),
        1 => Just(Below::Nobody),
    ];
    let attributes = prop::collection::vec((0..6_u8, of()), 0..4);
    let act = prop_oneof![
        4 => (below, 0..6_u8, attributes, 0..3_u8, 0..3_u8).prop_map(
            |(parent, kind, attributes, links, events)| {
                Act::Start { parent, kind, attributes, links, events }
            },
        ),
        3 => (0..8_usize).prop_map(Act::Attach),
        2 => Just(Act::Detach),
        2 => (0..8_usize, 0..6_u8, of()).prop_map(|(span, key, of)| Act::Set(span, key, of)),
        1 => (0..8_usize, 0..9_u8, 0..3_u8).prop_map(|(span, n, m)| Act::Event(span, n, m)),
        1 => (0..8_usize, 1..9_u64).prop_map(|(span, id)| Act::Link(span, id)),
        1 => (0..8_usize, 0..9_u8).prop_map(|(span, name)| Act::Name(span, name)),
        2 => (0..8_usize, 0..3_u8).prop_map(|(span, status)| Act::Status(span, status)),
        1 => (0..8_usize).prop_map(Act::Error),
        2 => (0..8_usize).prop_map(Act::End),
    ];
    prop::collection::vec(act, 0..60)
}

fn caller(span: u64) -> SpanContext {
    let state = TraceState::from_key_value([("rojo", "1")]).unwrap();
    SpanContext::new(TraceId::from(0xabc), SpanId::from(span), TraceFlags::SAMPLED, true, state)
}

/// The instants of the operations, one after the other.
fn at(step: usize) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + step as u64)
}

/// Does it all with `tracer`. Spans are contexts that hold them, so that each can be attached.
fn run<T: Tracer>(tracer: &T, acts: &[Act])
where
    T::Span: Span + Send + Sync + 'static,
{
    let mut spans: Vec<Context> = Vec::new();
    let mut guards = Vec::new();
    for (step, act) in acts.iter().enumerate() {
        let span_at = |place: &usize| spans.get(place % spans.len().max(1));
        match act {
            Act::Start { parent, kind, attributes, links, events } => {
                let parent = match parent {
                    Below::Current => Context::current(),
                    Below::Span(place) => span_at(place).cloned().unwrap_or_default(),
                    Below::Caller => Context::new().with_remote_span_context(caller(0xdef)),
                    Below::Nobody => Context::new(),
                };
                let mut builder = tracer.span_builder(format!("s{step}")).with_start_time(at(step));
                builder.span_kind = kind_of(*kind);
                let pair = |(key, of): &(u8, Of)| KeyValue::new(format!("k{key}"), of.value());
                builder = builder.with_attributes(attributes.iter().map(pair));
                let link = |n| Link::new(caller(n), vec![KeyValue::new("n", n as i64)], 0);
                builder = builder.with_links((1..=u64::from(*links)).map(link).collect());
                let event = |n: u8| Event::new(format!("e{n}"), at(step), vec![], 0);
                builder = builder.with_events((0..*events).map(event).collect());
                let span = tracer.build_with_context(builder, &parent);
                spans.push(parent.with_span(span));
            }
            Act::Attach(place) => guards.extend(span_at(place).map(|span| span.clone().attach())),
            Act::Detach => drop(guards.pop()),
            Act::Set(place, key, of) => with(span_at(place), |span| {
                span.span().set_attribute(KeyValue::new(format!("k{key}"), of.value()));
            }),
            Act::Event(place, name, n) => with(span_at(place), |span| {
                let attributes = (0..*n).map(|n| KeyValue::new(format!("a{n}"), i64::from(n)));
                let name = format!("e{name}");
                span.span().add_event_with_timestamp(name, at(step), attributes.collect());
            }),
            Act::Link(place, id) => with(span_at(place), |span| {
                span.span().add_link(caller(*id), vec![KeyValue::new("id", *id as i64)]);
            }),
            Act::Name(place, name) => with(span_at(place), |span| {
                span.span().update_name(format!("renamed {name}"));
            }),
            Act::Status(place, status) => with(span_at(place), |span| {
                span.span().set_status(match status {
                    0 => Status::Unset,
                    1 => Status::Ok,
                    _ => Status::error("failed"),
                });
            }),
            Act::Error(place) => with(span_at(place), |span| {
                span.span().record_error(&std::fmt::Error);
            }),
            Act::End(place) => {
                with(span_at(place), |span| span.span().end_with_timestamp(at(step)));
            }
        }
    }
    for (place, span) in spans.iter().enumerate() {
        span.span().end_with_timestamp(at(acts.len() + place));
    }
    while guards.pop().is_some() {}
}

fn with(span: Option<&Context>, act: impl FnOnce(&Context)) {
    if let Some(span) = span {
        act(span);
    }
}

fn kind_of(kind: u8) -> Option<SpanKind> {
    match kind {
        0 => Some(SpanKind::Client),
        1 => Some(SpanKind::Server),
        2 => Some(SpanKind::Producer),
        3 => Some(SpanKind::Consumer),
        4 => Some(SpanKind::Internal),
        _ => None,
    }
}

/// Attributes as text.
type Pairs = Vec<(String, String)>;

/// A span as both have it, with the place of its parent for the parent's id.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    name: String,
    kind: String,
    parent: Option<String>,
    is_below_caller: bool,
    trace: usize,
    state: String,
    start: SystemTime,
    end: SystemTime,
    attributes: BTreeMap<String, String>,
    status: String,
    events: Vec<(String, Option<SystemTime>, Pairs)>,
    links: Vec<(u64, String, Pairs)>,
}

/// Names of parents, and numbers of traces, in the order of starts.
fn settled(mut spans: Vec<(Seen, u64, Option<u64>, u128)>) -> Vec<Seen> {
    spans.sort_by_key(|(seen, ..)| seen.start);
    let names: HashMap<u64, String> =
        spans.iter().map(|(seen, id, ..)| (*id, format!("{:?}", seen.start))).collect();
    let mut traces = Vec::new();
    let settle = |(mut seen, _, parent, trace): (Seen, u64, Option<u64>, u128)| {
        seen.parent = parent.map(|id| names.get(&id).cloned().unwrap_or(format!("{id:x}")));
        seen.trace = traces.iter().position(|other| *other == trace).unwrap_or_else(|| {
            traces.push(trace);
            traces.len() - 1
        });
        seen
    };
    spans.into_iter().map(settle).collect()
}

fn text(value: &Value) -> String {
    match value {
        // Ours print floats and arrays by the rules for other protocols.
        Value::F64(value) => format!("{value}"),
        Value::Array(opentelemetry::Array::String(texts)) => {
            let texts: Vec<&str> = texts.iter().map(StringValue::as_str).collect();
            bellwether::label::Value::from(texts).to_string()
        }
        other => other.to_string(),
    }
}

/// When an event happened, unless that is now.
fn given(name: &str, at: SystemTime) -> Option<SystemTime> {
    (name != "exception").then_some(at)
}

fn of_sdk(span: SpanData) -> (Seen, u64, Option<u64>, u128) {
    let pairs = |attributes: &[KeyValue]| -> Vec<(String, String)> {
        attributes.iter().map(|pair| (pair.key.to_string(), text(&pair.value))).collect()
    };
    let id = |id: SpanId| u64::from_be_bytes(id.to_bytes());
    let events = span.events.events.iter();
    let links = span.links.links.iter();
    let seen = Seen {
        name: span.name.to_string(),
        kind: format!("{:?}", span.span_kind),
        parent: None,
        is_below_caller: span.parent_span_is_remote,
        trace: 0,
        state: span.span_context.trace_state().header(),
        start: span.start_time,
        end: span.end_time,
        // The SDK keeps a key as often as it was set; the last value is that of the span.
        attributes: pairs(&span.attributes).into_iter().collect(),
        status: match span.status {
            Status::Unset => "unset".into(),
            Status::Ok => "ok".into(),
            Status::Error { description } => format!("error {description}"),
        },
        events: events
            .map(|event| {
                let name = event.name.to_string();
                let at = given(&name, event.timestamp);
                (name, at, pairs(&event.attributes))
            })
            .collect(),
        links: links
            .map(|link| {
                let context = &link.span_context;
                (id(context.span_id()), context.trace_state().header(), pairs(&link.attributes))
            })
            .collect(),
    };
    let parent = Some(id(span.parent_span_id)).filter(|id| *id != 0);
    let trace = u128::from_be_bytes(span.span_context.trace_id().to_bytes());
    (seen, id(span.span_context.span_id()), parent, trace)
}

fn of_ours(span: &SpanRecord) -> (Seen, u64, Option<u64>, u128) {
    use bellwether::{label, trace};

    let pairs = |attributes: &[label::KeyValue]| -> Vec<(String, String)> {
        attributes.iter().map(|pair| (pair.key.to_string(), pair.value.to_string())).collect()
    };
    let seen = Seen {
        name: span.name().to_owned(),
        kind: format!("{:?}", span.kind()),
        parent: None,
        is_below_caller: span.parent_is_remote(),
        trace: 0,
        state: span.context().state().as_str().to_owned(),
        start: span.start().timestamp().into(),
        end: span.end().timestamp().into(),
        attributes: pairs(span.attributes()).into_iter().collect(),
        status: match span.status() {
            trace::Status::Error(description) => format!("error {description}"),
            other => other.as_str().to_owned(),
        },
        events: span
            .events()
            .iter()
            .map(|event| {
                let name = event.name().to_owned();
                let at = given(&name, event.at().timestamp().into());
                (name, at, pairs(event.attributes()))
            })
            .collect(),
        links: span
            .links()
            .iter()
            .map(|link| {
                let context = link.context();
                let state = context.state().as_str().to_owned();
                (context.span_id().to_u64(), state, pairs(link.attributes()))
            })
            .collect(),
    };
    let parent = span.parent_span_id().map(|id| id.to_u64());
    (seen, span.span_id().to_u64(), parent, span.trace_id().to_u128())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn the_same_operations_are_the_same_spans(acts in acts()) {
        let exporter = InMemorySpanExporterBuilder::new().build();
        let provider = SdkTracerProvider::builder()
            .with_sampler(Sampler::AlwaysOn)
            .with_simple_exporter(exporter.clone())
            .build();
        run(&provider.tracer("twin"), &acts);
        let sdk = exporter.get_finished_spans().unwrap().into_iter().map(of_sdk).collect();

        let scope = testing::scope();
        run(&tracer_provider().tracer(""), &acts);
        let ours = scope.spans().iter().map(of_ours).collect();
        prop_assert_eq!(settled(ours), settled(sdk));
        prop_assert!(!bellwether::current().span().is_valid());
    }
}
