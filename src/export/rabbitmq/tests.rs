//! What can be seen without a server; the rest is seen with a real one, by `.ci/servers rabbitmq`.

use std::{net::TcpListener, time::Duration};

use super::*;
use crate::{
    pipeline::{DropReason, Pipe, Retry, Sender as _, Setup},
    resource::Resource,
    trace::SpanRecord,
};

const LONG: Duration = Duration::from_secs(20);

fn setup() -> Setup {
    Setup::new(Resource::service("shop"))
}

#[test]
fn an_option_that_cannot_be_used_is_an_error_of_the_start_without_secrets() {
    let refused = |rabbitmq: RabbitMq| {
        let route = Route::<SpanRecord>::from(rabbitmq);
        Pipe::start(route, &setup()).err().unwrap().to_string()
    };
    let bad = "http://ann:canary@rabbitmq.example.com";
    assert_eq!(refused(RabbitMq::new(bad)), "the URL of a RabbitMQ server cannot be read");
    let good = RabbitMq::new("amqp://ann:canary@rabbitmq.example.com:5673/%2f").exchange("x");
    assert!(!format!("{good:?}").contains("canary"), "{good:?}");
    let sender = Messages::<SpanRecord>::new(good.messages.packer(), good.options.clone());
    let place = "amqp://rabbitmq.example.com:5673, x/telemetry.spans";
    assert_eq!(sender.destination().unwrap(), place);
    assert!(refused(good.clone().exchange("x".repeat(256))).contains("longer than 255"));
    assert!(refused(good.clone().prefix("x".repeat(241))).contains("longer than 240"));
    let secret = Secret::from_env("BELLWETHER_TEST_SECRET_THAT_IS_NOT_SET");
    assert!(refused(good.user("ann", secret)).contains("BELLWETHER_TEST_SECRET"));
}

#[test]
fn who_asks_is_read_anew() {
    let rabbitmq = RabbitMq::new("amqp://127.0.0.1").user("ann", Secret::new("pass"));
    let who = rabbitmq.options.server().unwrap().authority.userinfo;
    assert_eq!((&*who.username, &*who.password), ("ann", "pass"));
}

/// What becomes of a span that is sent to this port.
fn sent_to(port: u16) -> crate::pipeline::QueueReport {
    let route = Route::from(RabbitMq::new(format!("amqp://127.0.0.1:{port}")));
    let route = route.settings(|settings| {
        settings.batch_delay = Duration::ZERO;
        settings.attempt_timeout = Duration::from_millis(100);
        settings.retry = Retry { initial: Duration::from_millis(1), ..Retry::default() };
        settings.retry.max_elapsed = Duration::from_millis(250);
    });
    let pipe = Pipe::start(route, &setup()).unwrap();
    pipe.push(vec![SpanRecord::new("a")]);
    let report = pipe.shutdown(LONG);
    assert_eq!(report.dropped.get(DropReason::RetriesExhausted), 1, "{report}");
    report
}

#[test]
fn a_server_that_is_not_there_or_says_nothing_costs_the_time_of_an_attempt_and_no_more() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let error = sent_to(port).last_error.unwrap();
    let start = format!("RabbitMQ at amqp://127.0.0.1:{port}: ");
    assert!(error.starts_with(&start) && error.contains("in time"), "{error}");
    drop(silent);
    let error = sent_to(port).last_error.unwrap();
    assert!(error.starts_with(&start) && !error.contains("in time"), "{error}");
}
