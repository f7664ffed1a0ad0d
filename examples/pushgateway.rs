//! A batch job that pushes its metrics when it ends. A listener of the example's own stands for the Pushgateway, so
//! that it runs anywhere.
//!
//! `cargo run --example pushgateway`

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::Duration,
};

use bellwether::{
    Counter, Gauge, export::prometheus::pushgateway::Pushgateway, transport::Endpoint,
};

static ROWS: Counter = Counter::new("report.rows", "Rows written");
static SUCCESS: Gauge = Gauge::new("report.success", "1 once the report is complete");

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (url, requests) = server()?;

    let endpoint = Endpoint::new(&url).allow_plain_http().allow_private();
    let telemetry =
        bellwether::builder("nightly-report").export(Pushgateway::new(endpoint)).start()?;
    SUCCESS.set(0.0); // What a job leaves that fails half-way.
    for _row in 0..1_204 {
        ROWS.inc();
    }
    SUCCESS.set(1.0);
    let report = telemetry.shutdown(Duration::from_secs(10));
    assert_eq!(report.totals().dropped, 0, "{report}");

    let (line, page) = requests.try_iter().last().ok_or("nothing was pushed")?;
    println!("{line}\n{page}\n{report}");
    assert_eq!(line, "PUT /metrics/job/nightly-report HTTP/1.1");
    assert!(page.contains("\nreport_rows_total 1204\n") && page.contains("\nreport_success 1\n"));
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
        head.push(line.to_ascii_lowercase());
        if head.len() == 1 {
            head[0] = line;
        }
    }
    let length =
        head.iter().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    let request = (head[0].trim_end().to_owned(), String::from_utf8(body).ok()?);
    requests.send(request).ok()?;
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").ok()
}
