//! How fast records reach a broker: ours, and the client's own loop with the same messages, one after the other.
//!
//! ```text
//! cargo run --release --example speed -- KIND URL
//! ```
//!
//! KIND is `redis`, `nats` or `rabbitmq`. Ours encodes spans and sends them, in messages of as many as fit, and one by
//! one; the loop sends bodies that are there already. Both wait for as many answers at a time.

use std::time::{Duration, Instant};

use bellwether::{
    export::{Route, nats::Nats, rabbitmq::RabbitMq, redis::Redis},
    pipeline::{Batch, Encoder as _, Pipe, Setup},
    resource::Resource,
    trace::SpanRecord,
};
use bytes::Bytes;
use futures_util::future::join_all;
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

/// The bodies of messages with so many records at most, as ours are.
fn bodies(most: usize) -> Vec<Vec<u8>> {
    let mut encoder = Redis::streams("redis://x").encoder::<SpanRecord>();
    encoder.start(&setup()).expect("nothing is wrong with it");
    let mut bodies = Vec::new();
    for part in spans(SPANS).chunks(AT_ONCE.min(most)) {
        let payload = encoder.encode(&Batch::from(part.to_vec()));
        let records = payload.records().map(|record| &record[33..]);
        bodies.push(records.collect::<Vec<_>>().concat());
    }
    bodies
}

fn theirs(kind: &str, url: &str, most: usize) -> Duration {
    let bodies = bodies(most);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    runtime.block_on(async {
        match kind {
            "redis" => redis_loop(url, &bodies).await,
            "nats" => nats_loop(url, bodies).await,
            _ => rabbitmq_loop(url, &bodies).await,
        }
    })
}

async fn redis_loop(url: &str, bodies: &[Vec<u8>]) -> Duration {
    let client = redis::Client::open(url).expect("a URL");
    let mut connection = client.get_multiplexed_async_connection().await.expect("a connection");
    let begin = Instant::now();
    for part in bodies.chunks(AT_ONCE) {
        let mut pipeline = redis::pipe();
        for body in part {
            let add = pipeline.cmd("XADD").arg("speed").arg("MAXLEN").arg("~").arg(100_000);
            add.arg("*").arg("content-type").arg("application/x-ndjson").arg("body").arg(body);
        }
        let _: Vec<String> = pipeline.query_async(&mut connection).await.expect("answers");
    }
    begin.elapsed()
}

async fn nats_loop(url: &str, bodies: Vec<Vec<u8>>) -> Duration {
    let client = async_nats::connect(url).await.expect("a connection");
    let jetstream = async_nats::jetstream::new(client);
    let config = async_nats::jetstream::stream::Config {
        name: "BYHAND".to_owned(),
        subjects: vec!["speed".to_owned()],
        ..Default::default()
    };
    jetstream.get_or_create_stream(config).await.expect("a stream");
    let begin = Instant::now();
    let mut bodies = bodies.into_iter().map(Bytes::from).peekable();
    while bodies.peek().is_some() {
        let mut acks = Vec::new();
        for body in bodies.by_ref().take(AT_ONCE) {
            acks.push(jetstream.publish("speed", body).await.expect("it is sent"));
        }
        for ack in acks {
            ack.await.expect("an acknowledgement");
        }
    }
    begin.elapsed()
}

async fn rabbitmq_loop(url: &str, bodies: &[Vec<u8>]) -> Duration {
    let connection = lapin::Connection::connect(url, Default::default()).await;
    let channel = connection.expect("a connection").create_channel().await.expect("a channel");
    channel.confirm_select(ConfirmSelectOptions::default()).await.expect("confirmations");
    let durable = QueueDeclareOptions { durable: true, ..Default::default() };
    channel.queue_declare("speed".into(), durable, Default::default()).await.expect("a queue");
    let begin = Instant::now();
    for part in bodies.chunks(AT_ONCE) {
        let mut confirms = Vec::new();
        for body in part {
            let properties = lapin::BasicProperties::default().with_delivery_mode(2);
            let options = BasicPublishOptions::default();
            let sent = channel.basic_publish("".into(), "speed".into(), options, body, properties);
            confirms.push(sent.await.expect("it is sent"));
        }
        for confirm in join_all(confirms).await {
            confirm.expect("a confirmation");
        }
    }
    begin.elapsed()
}
