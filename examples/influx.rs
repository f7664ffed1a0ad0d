//! Metrics, spans and logs to InfluxDB: what is to be written between the two marks, and what arrives, counted at
//! the end. A listener of the example's own stands for InfluxDB, so that it runs anywhere.
//!
//! `cargo run --example influx`

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::Duration,
};

use bellwether::{
    Counter, Histogram, Unit,
    export::influx::Influx,
    info,
    transport::{Compression, Endpoint, Secret},
};

static ORDERS: Counter = Counter::new("shop.orders", "Orders accepted");
static PAYING: Histogram = Histogram::new("shop.paying", "Time to pay").unit(Unit::Seconds);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (url, bodies) = server()?;

    // What your program has begins; without what allows plain http, without TLS and without compression, on the own
    // machine.
    let endpoint =
        Endpoint::new(&url).allow_plain_http().allow_private().compression(Compression::None);
    let influx = Influx::v2(endpoint, "our-org", "shop")
        .token(Secret::new("in a program: Secret::from_file"))
        .attribute_tags([("cart.kind", "cart.kind")]);
    let telemetry = bellwether::builder("shop").export(influx).start()?;
    // It ends.

    {
        let span = bellwether::span("checkout").enter();
        span.set_attribute("cart.kind", "gift");
        ORDERS.inc();
        PAYING.record(0.25);
        info!("paid", cart = 7);
    }
    let report = telemetry.shutdown(Duration::from_secs(10));
    println!("{report}");
    assert!(report.settled);

    let lines: String = bodies.try_iter().collect();
    for begin in ["shop.orders,", "shop.paying,", "spans,", "logs,"] {
        let line = lines.lines().find(|line| line.starts_with(begin)).expect("it arrived");
        println!("{line}");
        assert!(line.contains("service.name=shop"), "{line}");
    }
    Ok(())
}

/// A server that takes everything, and its URL.
fn server() -> std::io::Result<(String, mpsc::Receiver<String>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}", listener.local_addr()?);
    let (sender, bodies) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let sender = sender.clone();
            std::thread::spawn(move || while serve(&stream, &sender).is_some() {});
        }
    });
    Ok((url, bodies))
}

/// Reads a request and answers it; `None` when the client is gone.
fn serve(mut stream: &TcpStream, bodies: &mpsc::Sender<String>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let (mut line, mut length) = (String::new(), 0);
    while line != "\r\n" {
        line.clear();
        reader.read_line(&mut line).ok().filter(|n| *n > 0)?;
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    bodies.send(String::from_utf8(body).ok()?).ok()?;
    stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").ok()
}
