//! Two services that pass orders over a broker, and with them the context of their traces: what one begins, the other
//! goes on with, in another process.
//!
//! ```text
//! REDIS_URL=redis://127.0.0.1:6379 AMQP_URL=amqp://127.0.0.1:5672/%2f cargo run --example services
//! ```
//!
//! It runs itself twice, as the service `shop`, which sends orders, and as the service `mail`, which reads them: one by
//! one as children of what sent them, and at last some at once, in a trace that is linked to theirs. Each broker whose
//! URL is set is used in turn. It fails unless the spans of the two are joined, and the lag was recorded.

mod support;

use std::{
    process::{Command, Stdio},
    time::{Duration, SystemTime},
};

use bellwether::{
    bundle::Queue, context::Outcome, export::Memory, metric::Registry, trace::SpanRecord,
};
use serde_json::{Value, json};
use support::Broker;

static ORDERS: Queue = Queue::new("orders");

/// How many orders are worked on one by one, and then how many at once.
const SINGLE: usize = 3;
const AT_ONCE: usize = 4;

fn main() {
    let role = std::env::args().nth(1);
    let brokers = [("redis", "REDIS_URL"), ("rabbitmq", "AMQP_URL")];
    match role.as_deref() {
        Some(role) => {
            let kind = std::env::args().nth(2).expect("a broker");
            let url = std::env::args().nth(3).expect("a URL");
            serve(role, Broker::connect(&kind, &url));
        }
        None => {
            for (kind, variable) in brokers {
                match std::env::var(variable) {
                    Ok(url) => join(kind, &url),
                    Err(_) => println!("SKIPPED: {kind}: {variable} is unset"),
                }
            }
        }
    }
}

/// A service: it works, and writes its spans, and its lag, as a line of JSON.
fn serve(role: &str, mut broker: Broker) {
    let spans = Memory::<SpanRecord>::new();
    let telemetry = bellwether::builder(role).export(spans.clone()).start();
    let telemetry = telemetry.expect("it starts");
    match role {
        "shop" => shop(&mut broker),
        _ => mail(&mut broker),
    }
    telemetry.shutdown(Duration::from_secs(10));
    let lag = Registry::global().snapshot();
    let lag = lag
        .value("queue.lag", &[("queue.name", "orders")])
        .map_or(0, |value| value.as_histogram().map_or(0, |histogram| histogram.count()));
    let spans = spans.records().iter().map(shown).collect::<Vec<_>>();
    println!("{}", json!({"lag": lag, "spans": spans}));
}

/// Takes orders, and sends each to whoever writes mails.
fn shop(broker: &mut Broker) {
    for n in 0..SINGLE + AT_ONCE {
        let _checkout = bellwether::span("checkout").enter();
        let _send = ORDERS.producer_span().enter();
        broker.send(format!("order {n}").as_bytes());
    }
}

/// Reads orders: some one by one, and the rest at once.
fn mail(broker: &mut Broker) {
    for _ in 0..SINGLE {
        let order = broker.receive();
        let work = ORDERS.take_sent(order.sent);
        let process = ORDERS.consumer_span(&*order.headers).enter();
        process.set_attribute("order", String::from_utf8_lossy(&order.body).into_owned());
        let _mail = bellwether::span("send mail").enter();
        work.end(Outcome::Ok);
    }
    let batch: Vec<_> = (0..AT_ONCE).map(|_| broker.receive()).collect();
    let _process = ORDERS.batch_span(batch.iter().map(|order| &*order.headers)).enter();
    for order in &batch {
        ORDERS.take_sent(order.sent).end(Outcome::Ok);
    }
}

/// Runs both services over a broker, and looks at what they say.
fn join(kind: &str, url: &str) {
    let me = std::env::current_exe().expect("a program");
    let run = |role: &str| {
        let mut command = Command::new(&me);
        command.args([role, kind, url]).stdout(Stdio::piped());
        command.spawn().expect("it runs")
    };
    // Who reads is there first: so nothing waits long.
    let begin = SystemTime::now();
    let (mail, shop) = (run("mail"), run("shop"));
    let said = |service: std::process::Child| -> Value {
        let output = service.wait_with_output().expect("it ends");
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice(&output.stdout).expect("a line of JSON")
    };
    let (shop, mail) = (said(shop), said(mail));
    let took = begin.elapsed().unwrap_or_default();
    check(&shop, &mail);
    println!("{kind}: {} orders over two services, joined, in {took:.1?}", SINGLE + AT_ONCE);
}

fn check(shop: &Value, mail: &Value) {
    let named = |service: &Value, name: &str| -> Vec<Value> {
        let spans = service["spans"].as_array().expect("spans").iter();
        spans.filter(|span| span["name"] == name).cloned().collect()
    };
    let (sends, processes) = (named(shop, "send orders"), named(mail, "process orders"));
    assert_eq!((sends.len(), processes.len()), (SINGLE + AT_ONCE, SINGLE + 1));
    let (batch, singles) = processes.split_last().expect("some");
    for (send, process) in sends.iter().zip(singles) {
        assert_eq!((&process["trace"], &process["parent"]), (&send["trace"], &send["span"]));
        let mails = named(mail, "send mail");
        assert!(mails.iter().any(|one| one["parent"] == process["span"]), "{mails:?}");
    }
    let linked: Vec<&Value> = sends[SINGLE..].iter().map(|send| &send["span"]).collect();
    let links: Vec<&Value> = batch["links"].as_array().expect("links").iter().collect();
    assert_eq!(links, linked);
    assert!(sends.iter().all(|send| send["trace"] != batch["trace"]));
    assert_eq!(mail["lag"], SINGLE + AT_ONCE);
}

fn shown(span: &SpanRecord) -> Value {
    let links = span.links().iter().map(|link| link.context().span_id().to_string());
    json!({
        "name": span.name(),
        "trace": span.trace_id().to_string(),
        "span": span.span_id().to_string(),
        "parent": span.parent_span_id().map(|id| id.to_string()),
        "links": links.collect::<Vec<_>>(),
    })
}
