//! Sends known metrics, spans and log records to Elasticsearch, finds them there by the client, and compares.
//!
//! ```text
//! cargo run --example send -- streams|daily|opensearch URL
//! ```
//!
//! It installs what is needed, records and flushes once for each line of its input, which says how many milliseconds
//! a flush may take, and ends with it: `.ci/servers` takes the server away in between, and has it lose answers and
//! refuse documents. What was refused has to be missing, all else has to be there once.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::BufRead as _,
    thread,
    time::{Duration, Instant},
};

use bellwether::{
    Unit,
    clock::Timestamp,
    export::{
        Memory, Route,
        elasticsearch::{
            ElasticClient, ElasticError, ElasticHit, ElasticLifecycle, ElasticPage, ElasticQuery,
            Elasticsearch,
        },
    },
    log::{LogRecord, LogSeverity, emit},
    metric::Registry,
    pipeline::DropReason,
    trace::{SpanRecord, Status},
    transport::{Endpoint, Secret},
};

const PATIENCE: Duration = Duration::from_secs(20);

/// The labels of the counter, and what a round adds to each.
const ROUTES: [(&str, u64); 4] = [("/a b,c=\"d\"", 3), ("é", 4), ("a\nb\\", 1), ("", 2)];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [kind, url] = &arguments[..] else { panic!("KIND URL") };
    let endpoint = Endpoint::new(url).allow_plain_http().allow_private();
    let elastic = Elasticsearch::new(endpoint).api_key(Secret::new("dGVzdDprZXk="));
    let elastic = match &**kind {
        "daily" => elastic.daily("eu-shop"),
        "opensearch" => elastic.dataset("other").opensearch(),
        _ => elastic.dataset("shop"),
    };
    let mut client = elastic.client();
    let lifecycle = ElasticLifecycle::keep(Duration::from_secs(7 * 86_400));
    // Twice: what is there is replaced.
    (0..2).for_each(|_| client.install(&lifecycle).expect("it can be installed"));
    let (spans, logs) = (Memory::<SpanRecord>::new(), Memory::<LogRecord>::new());
    let telemetry = bellwether::builder("shop")
        .resource("service.instance.id", "i-1")
        .resource("host.name", "here")
        .export(elastic)
        .export(Route::new(spans.clone()))
        .export(Route::new(logs.clone()))
        .start()
        .expect("it starts");
    let mut n_rounds = 0;
    for line in std::io::stdin().lock().lines() {
        n_rounds += 1;
        record(n_rounds);
        let patience = line.expect("a line").parse().expect("milliseconds");
        println!("settled {}", telemetry.flush(Duration::from_millis(patience)).settled);
    }
    let report = telemetry.shutdown(PATIENCE);
    eprintln!("{report}");
    let account = |signal: &str| {
        let sent = report.queues.iter().filter(|queue| queue.name == "elasticsearch");
        let queue = sent.into_iter().find(|queue| queue.signal == signal).expect("its route");
        let rejected = queue.dropped.get(DropReason::Rejected);
        assert_eq!(queue.dropped.total(), rejected, "{report}");
        assert_eq!(queue.offered, queue.delivered + rejected, "{report}");
        println!("{signal}: {} delivered, {rejected} refused", queue.delivered);
        (queue.delivered as usize, rejected as usize)
    };
    check_spans(&mut client, &spans.records(), account("spans"));
    check_logs(&mut client, &logs.records(), account("logs"));
    check_metrics(&mut client, n_rounds, account("metrics"));
    println!("all that was found is what was sent");
}

/// Records one round. Totals are a multiple of what is added here: the check multiplies by the number of rounds.
fn record(round: u64) {
    let registry = Registry::global();
    let orders = registry.counter("orders", "").keys(&["http.route"]).build().expect("it is there");
    for (route, n) in ROUTES {
        orders.with_labels(&[("http.route", route)]).add(n);
    }
    registry.gauge("load", "").build().expect("it is there").set(-1e-7);
    registry.up_down_counter("in_flight", "").build().expect("it is there").add(-2);
    let times = registry.histogram("time", "").unit(Unit::Seconds).build().expect("it is there");
    times.record(0.5);
    for n in 0..5 {
        let span = bellwether::span("check \"out\"").enter();
        span.set_attribute("cart", round as i64 * 10 + n);
        span.set_attribute("http.request.method", "GET");
        span.set_attribute("a.b", "dots");
        span.add_event("retry", []);
        span.set_status(Status::Error("no \"money\"\nat all\\".into()));
        emit(
            LogRecord::new(LogSeverity::WARN, format!("Refused \"cart {n}\" of round{round}\n\\é"))
                .with_target("shop::pay")
                .with_attribute("round", round as i64)
                .with_attribute("", "no key"),
        );
    }
}

type Answer = Result<ElasticPage, ElasticError>;

/// All that is found, by small pages.
fn all_of(mut find: impl FnMut(&ElasticQuery) -> Answer, query: ElasticQuery) -> Vec<ElasticHit> {
    let (mut hits, mut next) = (Vec::new(), Some(query.limit(3)));
    while let Some(query) = next {
        let page = find(&query).expect("it answers");
        hits.extend(page.hits);
        next = page.next;
    }
    hits
}

/// Waits until `n` are found: documents can be a second after they were written.
fn awaited(
    mut find: impl FnMut(&ElasticQuery) -> Answer,
    query: &ElasticQuery,
    n: usize,
) -> Vec<ElasticHit> {
    let begin = Instant::now();
    loop {
        let hits = all_of(&mut find, query.clone());
        if hits.len() == n || begin.elapsed() > PATIENCE {
            assert_eq!(hits.len(), n, "as many as were delivered");
            let ids: BTreeSet<&str> = hits.iter().map(ElasticHit::id).collect();
            assert_eq!(ids.len(), n, "each once");
            return hits;
        }
        thread::sleep(Duration::from_millis(100));
    }
}

fn check_spans(client: &mut ElasticClient, sent: &[SpanRecord], account: (usize, usize)) {
    let (delivered, rejected) = account;
    assert_eq!(sent.len(), delivered + rejected);
    let hits = awaited(|query| client.spans(query), &ElasticQuery::new(), delivered);
    let of_span = |span: &SpanRecord| {
        let id = format!("{}{}", span.trace_id(), span.span_id());
        let whole =
            (span.start().timestamp(), span.duration().as_nanos() as u64, span.name().to_owned());
        (id, whole)
    };
    let sent_by_id: BTreeMap<String, _> = sent.iter().map(of_span).collect();
    for hit in &hits {
        let (at, nanos, name) = &sent_by_id[hit.id()];
        assert_eq!((hit.time(), hit.text("span.name")), (Some(*at), Some(&**name)));
        // Each who asks converts the readings of the clock anew, by what is known of its rate then.
        let duration = hit.duration().expect("it has ended").as_nanos() as u64;
        let is_same = duration.abs_diff(*nanos) <= 1 + duration / 10_000;
        assert!(is_same, "{} and {nanos}", hit.json());
        assert_eq!(hit.text("error.message"), Some("no \"money\"\nat all\\"));
        assert_eq!(
            (hit.text("event.outcome"), hit.text("host.name")),
            (Some("failure"), Some("here"))
        );
        assert_eq!(hit.label("a.b").as_deref(), Some("dots"));
    }
    let times: Vec<Timestamp> = hits.iter().filter_map(ElasticHit::time).collect();
    assert!(times.is_sorted());
    // By what it is found.
    let last = hits.last().expect("there are some");
    let (trace, at) = (last.trace_id().expect("a trace"), times[times.len() - 1]);
    let mut only = |query: ElasticQuery| all_of(|query| client.spans(query), query).len();
    assert_eq!(only(ElasticQuery::new().trace(trace)), 1);
    assert_eq!(only(ElasticQuery::new().span(last.span_id().expect("an id"))), 1);
    assert_eq!(
        only(ElasticQuery::new().until(at)),
        times.iter().filter(|time| **time < at).count()
    );
    assert_eq!(
        only(ElasticQuery::new().from(at)),
        times.iter().filter(|time| **time == at).count()
    );
    assert_eq!(only(ElasticQuery::new().text("MONEY no").service("shop")), delivered);
    assert_eq!(only(ElasticQuery::new().text("out check")), delivered);
    assert_eq!(only(ElasticQuery::new().text("money alas")), 0);
    assert_eq!(only(ElasticQuery::new().field("http.request.method", "GET")), delivered);
    assert_eq!(only(ElasticQuery::new().label("a.b", "dots").label("cart", 1)), 0);
    let carts = hits.iter().filter(|hit| hit.label("cart").as_deref() == Some("10")).count();
    assert_eq!(only(ElasticQuery::new().label("cart", 10)), carts);
}

fn check_logs(client: &mut ElasticClient, sent: &[LogRecord], account: (usize, usize)) {
    let (delivered, rejected) = account;
    assert_eq!(sent.len(), delivered + rejected);
    let query = ElasticQuery::new().newest_first();
    let hits = awaited(|query| client.logs(query), &query, delivered);
    let mut left: Vec<_> = sent
        .iter()
        .map(|log| (log.time(), log.body().to_string(), log.trace_id(), log.span_id()))
        .collect();
    for hit in &hits {
        let message = hit.text("message").expect("a message").to_owned();
        let found = (hit.time().expect("a time"), message, hit.trace_id(), hit.span_id());
        let at = left.iter().position(|sent| *sent == found).expect("it was sent, and found once");
        left.remove(at);
        assert_eq!((hit.text("log.level"), hit.whole("event.severity")), (Some("warn"), Some(13)));
        assert_eq!(hit.label("").as_deref(), Some("no key"));
    }
    assert_eq!(left.len(), rejected);
    let times: Vec<Timestamp> = hits.iter().filter_map(ElasticHit::time).collect();
    assert!(times.iter().rev().is_sorted());
    let mut only = |query: ElasticQuery| all_of(|query| client.logs(query), query).len();
    let of_round = hits.iter().filter(|hit| hit.label("round").as_deref() == Some("2")).count();
    assert_eq!(only(ElasticQuery::new().text("round2 refused")), of_round);
    assert_eq!(only(ElasticQuery::new().label("round", 2)), of_round);
    assert_eq!(only(ElasticQuery::new().at_least(LogSeverity::WARN)), delivered);
    assert_eq!(only(ElasticQuery::new().at_least(LogSeverity::ERROR)), 0);
}

fn check_metrics(client: &mut ElasticClient, n_rounds: u64, account: (usize, usize)) {
    let (delivered, rejected) = account;
    let hits = awaited(|query| client.metrics(query), &ElasticQuery::new(), delivered);
    let mut only = |query: ElasticQuery| all_of(|query| client.metrics(query), query);
    for (route, n) in ROUTES {
        // An empty label is none.
        let query = ElasticQuery::new().field("metric.name", "orders");
        let found = only(match route {
            "" => query,
            route => query.label("http.route", route),
        });
        let found = found.iter().filter(|hit| hit.label("http.route").unwrap_or_default() == route);
        let values: Vec<i64> = found.map(|hit| hit.whole("metric.value").expect("a sum")).collect();
        println!("orders of {route:?}: {values:?}");
        let wanted = (1..=n_rounds).map(|round| (round * n) as i64);
        let missing = wanted.clone().filter(|value| !values.contains(value)).count();
        assert!(missing <= rejected, "{missing} are missing, {rejected} were refused");
        assert!(values.is_sorted() && values.last() == Some(&((n_rounds * n) as i64)));
    }
    let of =
        |name: &'static str| hits.iter().filter(move |hit| hit.text("metric.name") == Some(name));
    assert!(of("load").all(|hit| hit.number("metric.value") == Some(-1e-7)));
    let last = of("in_flight").next_back().expect("it is there");
    assert_eq!(last.whole("metric.value"), Some(-2 * n_rounds as i64));
    for hit in of("time") {
        let count = hit.whole("metric.count").expect("a count");
        assert_eq!(hit.number("metric.sum"), Some(0.5 * count as f64), "{}", hit.json());
        assert_eq!((hit.number("metric.min"), hit.text("metric.unit")), (Some(0.5), Some("s")));
    }
}
