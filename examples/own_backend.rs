//! A backend of one's own, of two signals over HTTP: what stands between the two marks, counted at the end.
//!
//! `cargo run --example own_backend`
//!
//! Queues, batches, retries, deadlines, splitting and counting are the pipeline's; TLS, proxies, secrets and
//! compression are the endpoint's. A backend says what its bytes are, and what an answer means.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::Duration,
};

use bellwether::{
    Error,
    export::{
        Backend, Batch, Deadline, Encoder, Payload, Route, Routes, SendResult, Sender, Setup,
    },
    info,
    log::LogRecord,
    trace::SpanRecord,
    transport::{Endpoint, HttpPost, HttpPoster},
};

// The backend begins.
struct Lines;

impl Encoder<SpanRecord> for Lines {
    fn encode(&mut self, batch: &Batch<SpanRecord>) -> Payload {
        batch.iter().map(|span| format!("span {} {:?}\n", span.name(), span.outcome())).collect()
    }
}

impl Encoder<LogRecord> for Lines {
    fn encode(&mut self, batch: &Batch<LogRecord>) -> Payload {
        batch.iter().map(|log| format!("log {} {}\n", log.severity(), log.body())).collect()
    }
}

struct Post(HttpPoster);

impl Sender for Post {
    fn start(&mut self, _: &Setup) -> Result<(), Error> {
        self.0.check()
    }

    fn send(&mut self, payload: &Payload, deadline: &Deadline) -> SendResult {
        let answer = self.0.post(HttpPost::new("text/plain", payload.bytes()), deadline)?;
        answer.settle(&self.0, |status| matches!(status, 429 | 503))
    }
}

struct LineServer(Endpoint);

impl Backend for LineServer {
    fn routes(self, routes: &mut Routes) {
        routes.add(Route::<SpanRecord>::wire(Lines, Post(HttpPoster::new(self.0.clone()))));
        routes.add(Route::<LogRecord>::wire(Lines, Post(HttpPoster::new(self.0))));
    }
}
// The backend ends.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (url, bodies) = server()?;
    let endpoint = Endpoint::new(&url).allow_plain_http().allow_private();
    let telemetry = bellwether::builder("shop").export(LineServer(endpoint)).start()?;
    {
        let _span = bellwether::span("checkout").enter();
        info!("paid");
    }
    let report = telemetry.shutdown(Duration::from_secs(5));

    let mut lines: Vec<String> = bodies.try_iter().collect();
    lines.sort();
    assert_eq!(lines, ["log INFO paid\n", "span checkout Ok\n"]);
    // The server refused the first post: what it held was sent again.
    let totals = report.totals();
    assert_eq!((totals.offered, totals.delivered, totals.dropped), (2, 2, 0));
    assert_eq!(report.queues.iter().map(|queue| queue.retries).sum::<u64>(), 1);

    let source = include_str!("own_backend.rs");
    let backend = source.lines().skip_while(|line| *line != "// The backend begins.").skip(1);
    let backend = backend.take_while(|line| *line != "// The backend ends.");
    let n_lines = backend.filter(|line| !line.trim().is_empty()).count();
    assert!(n_lines <= 35, "{n_lines} lines");
    println!("{}{report}\na backend of two signals in {n_lines} lines", lines.concat());
    Ok(())
}

/// A server that is busy at first, and then sends what it takes to the channel.
fn server() -> std::io::Result<(String, mpsc::Receiver<String>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}/lines", listener.local_addr()?);
    let (taken, bodies) = mpsc::channel();
    std::thread::spawn(move || {
        let mut answer = "HTTP/1.1 503 Busy\r\nretry-after: 0\r\n";
        for stream in listener.incoming().map_while(Result::ok) {
            let Ok(body) = request(&stream) else { continue };
            if answer.contains("200") {
                let _ = taken.send(body);
            }
            let rest = "content-length: 0\r\nconnection: close\r\n\r\n";
            let _ = write!(&stream, "{answer}{rest}");
            answer = "HTTP/1.1 200 OK\r\n";
        }
    });
    Ok((url, bodies))
}

/// The body of a request.
fn request(stream: &TcpStream) -> std::io::Result<String> {
    let mut reader = BufReader::new(stream);
    let (mut line, mut length) = (String::new(), 0);
    while reader.read_line(&mut line)? > 0 && line != "\r\n" {
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        line.clear();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(String::from_utf8_lossy(&body).into_owned())
}
