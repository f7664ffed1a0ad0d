//! Metrics, spans and logs to ClickHouse: what is to be written between the two marks, and the rows that arrive. A
//! listener of the example's own stands for ClickHouse, so that it runs anywhere.
//!
//! `cargo run --example clickhouse`

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::Duration,
};

use bellwether::{
    Counter,
    export::clickhouse::ClickHouse,
    info,
    transport::{Compression, Endpoint, Secret},
};

static ORDERS: Counter = Counter::new("shop.orders", "Orders accepted");

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (url, requests) = server()?;

    // What your program has begins; without what allows plain http, without TLS and without compression, on the own
    // machine.
    let endpoint =
        Endpoint::new(&url).allow_plain_http().allow_private().compression(Compression::None);
    let clickhouse = ClickHouse::new(endpoint)
        .user("shop", Secret::new("in a program: Secret::from_file"))
        .create_tables()
        .keep(Duration::from_secs(30 * 86_400));
    let telemetry = bellwether::builder("shop").export(clickhouse).start()?;
    // It ends.

    {
        let span = bellwether::span("checkout").enter();
        span.set_attribute("http.route", "/orders");
        ORDERS.inc();
        info!("paid", cart = 7);
    }
    let report = telemetry.shutdown(Duration::from_secs(10));
    println!("{report}");
    assert!(report.settled);

    let requests: Vec<(String, String)> = requests.try_iter().collect();
    let made = requests.iter().filter(|(_, body)| body.starts_with("CREATE ")).count();
    assert_eq!(made, 3 * 5, "each signal's route makes sure of the tables");
    for (table, text) in [
        ("otel_samples", "\"MetricName\":\"shop.orders\""),
        ("otel_traces", "\"SpanName\":\"checkout\""),
        ("otel_logs", "\"Body\":\"paid\""),
    ] {
        let insert = requests.iter().filter(|(line, _)| line.contains(table));
        let row = insert.flat_map(|(_, body)| body.lines()).find(|row| row.contains(text));
        println!("{table}: {}", row.ok_or("it did not arrive")?);
    }
    Ok(())
}

/// A server that takes everything: its URL, and the first lines and the bodies of its requests.
fn server() -> std::io::Result<(String, mpsc::Receiver<(String, String)>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}", listener.local_addr()?);
    let (sender, requests) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let sender = sender.clone();
            std::thread::spawn(move || while serve(&stream, &sender).is_some() {});
        }
    });
    Ok((url, requests))
}

/// Reads a request and answers it; `None` when the client is gone.
fn serve(mut stream: &TcpStream, requests: &mpsc::Sender<(String, String)>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut head = Vec::new();
    while head.last().is_none_or(|line| line != "\r\n") {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|n| *n > 0)?;
        head.push(line);
    }
    let length = |line: &String| {
        line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok()
    };
    let mut body = vec![0; head.iter().find_map(length).unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    requests.send((head[0].trim_end().to_owned(), String::from_utf8(body).ok()?)).ok()?;
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").ok()
}
