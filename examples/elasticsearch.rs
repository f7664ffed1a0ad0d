//! Metrics, spans and logs to Elasticsearch, and found there again: what is to be written stands between the marks. A
//! listener of the example's own stands for Elasticsearch, so that it runs anywhere.
//!
//! `cargo run --example elasticsearch`

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    time::Duration,
};

use bellwether::{
    Counter, Histogram, Unit,
    export::elasticsearch::{ElasticLifecycle, ElasticQuery, Elasticsearch},
    info,
    transport::{Compression, Endpoint, Secret},
};
use serde_json::{Value, json};

static ORDERS: Counter = Counter::new("shop.orders", "Orders accepted");
static PAYING: Histogram = Histogram::new("shop.paying", "Time to pay").unit(Unit::Seconds);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = server()?;

    // What your program has begins; without what allows plain http, without TLS and without compression, on the own
    // machine.
    let endpoint =
        Endpoint::new(&url).allow_plain_http().allow_private().compression(Compression::None);
    let elastic = Elasticsearch::new(endpoint)
        .api_key(Secret::new("in a program: Secret::from_file"))
        .dataset("shop");
    let telemetry = bellwether::builder("shop").export(elastic.clone()).start()?;
    // It ends.

    // What you do once for each deployment begins.
    let month = Duration::from_secs(30 * 86_400);
    elastic.client().install(&ElasticLifecycle::keep(month))?;
    // It ends.

    {
        let span = bellwether::span("checkout").enter();
        span.set_attribute("http.request.method", "POST");
        ORDERS.inc();
        PAYING.record(0.25);
        info!("paid", cart = 7);
    }
    let report = telemetry.shutdown(Duration::from_secs(10));
    println!("{report}");
    assert!(report.settled);

    // What you look for a trace with begins.
    let mut client = elastic.client();
    let spans = client.spans(&ElasticQuery::new().text("checkout").newest_first())?;
    let trace = spans.hits[0].trace_id().expect("spans have one");
    let logs = client.logs(&ElasticQuery::new().trace(trace))?;
    // It ends.

    for hit in spans.hits.iter().chain(&logs.hits) {
        println!("{}", hit.json());
    }
    assert_eq!(spans.hits[0].text("http.request.method"), Some("POST"));
    assert_eq!(logs.hits[0].text("message"), Some("paid"));
    let metrics = client.metrics(&ElasticQuery::new())?;
    let orders = metrics.hits.iter().find(|hit| hit.text("metric.name") == Some("shop.orders"));
    assert_eq!(orders.and_then(|hit| hit.whole("metric.value")), Some(1));
    Ok(())
}

/// The documents of each stream.
type Documents = Vec<(String, Value)>;

/// A server that takes every document, and finds all of a stream whatever it is asked for; its URL. It answers one
/// request after the other, each on a connection of its own.
fn server() -> std::io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}", listener.local_addr()?);
    std::thread::spawn(move || {
        let mut documents = Documents::new();
        for stream in listener.incoming().map_while(Result::ok) {
            serve(&stream, &mut documents);
        }
    });
    Ok(url)
}

/// Reads a request and answers it; `None` when the client is gone.
fn serve(mut stream: &TcpStream, documents: &mut Documents) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let (mut first, mut line, mut length) = (String::new(), String::new(), 0);
    reader.read_line(&mut first).ok().filter(|n| *n > 0)?;
    while line != "\r\n" {
        line.clear();
        reader.read_line(&mut line).ok().filter(|n| *n > 0)?;
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let target = first.split('/').nth(1)?.to_owned();
    let answer = if first.contains("/_bulk") {
        let lines = body.split(|byte| *byte == b'\n').skip(1).step_by(2);
        let taken: Vec<Value> =
            lines.filter_map(|line| serde_json::from_slice(line).ok()).collect();
        let results = vec![json!({"create": {"status": 201}}); taken.len()];
        documents.extend(taken.into_iter().map(|document| (target.clone(), document)));
        json!({"errors": false, "items": results})
    } else if first.contains("/_search") {
        let found = documents.iter().filter(|(stream, _)| *stream == target);
        let hit = |(stream, source): &(String, Value)| json!({"_index": stream, "_id": source["event.id"], "_source": source, "sort": [0, ""]});
        json!({"timed_out": false, "hits": {"hits": found.map(hit).collect::<Vec<_>>()}})
    } else {
        json!({"acknowledged": true})
    };
    let answer = answer.to_string();
    let head = format!("content-length: {}\r\nconnection: close", answer.len());
    stream.write_all(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n{answer}").as_bytes()).ok()
}
