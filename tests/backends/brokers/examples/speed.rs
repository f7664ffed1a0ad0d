//! How fast records reach a broker: ours, and the client's own loop with the same messages, one after the other.
//!
//! ```text
//! cargo run --release --example speed -- KIND URL
//! ```
//!
//! KIND is `redis`, `nats` or `rabbitmq`. Both make lines of JSON of spans and send them with the same headers, in messages
//! of as many as fit, and one by one; both wait for as many answers at a time. The loop takes any number for an id.

use std::time::{Duration, Instant};

use async_nats::jetstream::message::PublishMessage;
use bellwether::{
    export::{
        Route,
        message::{JsonLines, MessageFormat},
        nats::Nats,
        rabbitmq::RabbitMq,
        redis::Redis,
    },
    pipeline::{Batch, Pipe, Setup},
    resource::Resource,
    trace::SpanRecord,
};
use bytes::Bytes;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions};

const SPANS: usize = 100_000;
const AT_ONCE: usize = 500;
const LONG: Duration = Duration::from_secs(120);

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [kind, url] = &arguments[..] else { panic!("KIND URL") };
    for most in [usize::MAX, 1] {
        let what = if most == 1 { "one a message" } else { "in batches" };
        // Twice in turn, and the better of each: others use the machine too.
        let runs = [(); 3].map(|()| (ours(kind, url, most), theirs(kind, url, most)));
        let best = |times: [Duration; 3]| times.into_iter().min().unwrap_or_default().as_secs_f64();
        let (ours, theirs) = (best(runs.map(|run| run.0)), best(runs.map(|run| run.1)));
        let rate = |seconds: f64| 1e-3 * SPANS as f64 / seconds;
        println!(
            "{kind}, {what}: bellwether {:.0} k records/s, by hand {:.0} k records/s, ratio {:.2}",
            rate(ours),
            rate(theirs),
            theirs / ours
        );
    }
}

fn setup() -> Setup {
    Setup::new(Resource::service("shop"))
}

fn spans(n: usize) -> Vec<SpanRecord> {
    let span = |n: usize| {
        let mut span = SpanRecord::new("GET /orders/{id}");
        span.set_attribute("http.route", "/orders/{id}");
        span.set_attribute("cart", n as i64);
        span
    };
    (0..n).map(span).collect()
}

fn ours(kind: &str, url: &str, most: usize) -> Duration {
    let route: Route<SpanRecord> = match kind {
        "redis" => Redis::streams(url).max_message_records(most).into(),
        "nats" => Nats::new(url).create_stream("SPEED").max_message_records(most).into(),
        "rabbitmq" => RabbitMq::new(url).declare().max_message_records(most).into(),
        other => panic!("no broker {other}"),
    };
    let route = route.settings(|settings| settings.batch_items = AT_ONCE);
    let pipe = Pipe::start(route, &setup()).expect("it starts");
    pipe.push(spans(1)); // It connects.
    assert!(pipe.flush(LONG));
    let records = spans(SPANS);
    let begin = Instant::now();
    pipe.push(records);
    assert!(pipe.flush(LONG));
    let took = begin.elapsed();
    let report = pipe.shutdown(LONG);
    assert_eq!(report.delivered, SPANS as u64 + 1, "{report}");
    took
}

/// Gives `send` the bodies of messages with so many records at most, as many at a time as ours are sent.
fn theirs(kind: &str, url: &str, most: usize) -> Duration {
    let mut encoder = MessageFormat::<SpanRecord>::encoder(&JsonLines::new());
    encoder.start(&setup()).expect("nothing is wrong with it");
    let records = spans(SPANS);
    let batches = records.chunks(AT_ONCE).map(|part| Batch::from(part.to_vec()));
    let batches: Vec<Batch<SpanRecord>> = batches.collect();
    let mut rounds = batches.iter().map(move |batch| {
        let payload = encoder.encode(batch);
        let lines: Vec<&[u8]> = payload.records().collect();
        lines.chunks(AT_ONCE.min(most)).map(<[&[u8]]>::concat).collect::<Vec<_>>()
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    runtime.block_on(async {
        match kind {
            "redis" => redis_loop(url, &mut rounds).await,
            "nats" => nats_loop(url, &mut rounds).await,
            _ => rabbitmq_loop(url, &mut rounds).await,
        }
    })
}

/// The bodies of some messages, which are sent before their answers are read.
type Rounds<'a> = &'a mut dyn Iterator<Item = Vec<Vec<u8>>>;

const CONTENT_TYPE: &str = "application/x-ndjson";

async fn redis_loop(url: &str, rounds: Rounds<'_>) -> Duration {
    let client = redis::Client::open(url).expect("a URL");
    let mut connection = client.get_multiplexed_async_connection().await.expect("a connection");
    let begin = Instant::now();
    let mut id = 0_u128;
    for bodies in rounds {
        let mut pipeline = redis::pipe();
        for body in bodies {
            id += 1;
            let add = pipeline.cmd("XADD").arg("speed").arg("MAXLEN").arg("~").arg(100_000);
            add.arg("*").arg("id").arg(format!("{id:032x}")).arg("signal").arg("spans");
            add.arg("content-type").arg(CONTENT_TYPE).arg("body").arg(body);
        }
        let _: Vec<String> = pipeline.query_async(&mut connection).await.expect("answers");
    }
    begin.elapsed()
}

async fn nats_loop(url: &str, rounds: Rounds<'_>) -> Duration {
    let client = async_nats::connect(url).await.expect("a connection");
    let jetstream = async_nats::jetstream::new(client);
    let config = async_nats::jetstream::stream::Config {
        name: "BYHAND".to_owned(),
        subjects: vec!["speed".to_owned()],
        ..Default::default()
    };
    jetstream.get_or_create_stream(config).await.expect("a stream");
    let begin = Instant::now();
    let base = std::time::UNIX_EPOCH.elapsed().unwrap_or_default().as_nanos();
    let mut id = base;
    for bodies in rounds {
        let mut acks = Vec::new();
        for body in bodies {
            id += 1;
            let message = PublishMessage::build().message_id(format!("{id:032x}"));
            let message = message.header("signal", "spans").header("content-type", CONTENT_TYPE);
            let message = message.payload(Bytes::from(body));
            acks.push(jetstream.send_publish("speed", message).await.expect("it is sent"));
        }
        for ack in acks {
            ack.await.expect("an acknowledgement");
        }
    }
    begin.elapsed()
}

async fn rabbitmq_loop(url: &str, rounds: Rounds<'_>) -> Duration {
    let connection = lapin::Connection::connect(url, Default::default()).await;
    let connection = connection.expect("a connection");
    let channel = connection.create_channel().await.expect("a channel");
    channel.confirm_select(ConfirmSelectOptions::default()).await.expect("confirmations");
    let durable = QueueDeclareOptions { durable: true, ..Default::default() };
    channel.queue_declare("speed".into(), durable, Default::default()).await.expect("a queue");
    let begin = Instant::now();
    let mut id = 0_u128;
    for bodies in rounds {
        let mut confirms = Vec::new();
        for body in bodies {
            id += 1;
            let properties = lapin::BasicProperties::default().with_delivery_mode(2);
            let properties = properties.with_message_id(format!("{id:032x}").into());
            let properties = properties.with_content_type(CONTENT_TYPE.into());
            let properties = properties.with_type("spans".into());
            let options = BasicPublishOptions { mandatory: true, immediate: false };
            let sent = channel.basic_publish("".into(), "speed".into(), options, &body, properties);
            confirms.push(sent.await.expect("it is sent"));
        }
        for confirm in confirms {
            confirm.await.expect("a confirmation");
        }
    }
    begin.elapsed()
}
