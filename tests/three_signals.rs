//! One backend of three signals over HTTP: stuck on one of them, it delivers all of the other two.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]
#![allow(clippy::disallowed_types, reason = "the rule is the library's own")]

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use bellwether::{
    Counter, Gauge,
    alert::{Notification, Rule, series},
    export::{
        Backend, Batch, Deadline, Encoder, ExportError, Payload, Route, Routes, SendResult, Sender,
    },
    metric::DataPoint,
    pipeline::Signal,
    trace::SpanRecord,
};

static ORDERS: Counter = Counter::new("three.orders", "Orders accepted");
static LEVEL: Gauge = Gauge::new("three.level", "A level");

/// A record as a line.
trait Line: Signal {
    fn line(&self) -> String;
}

impl Line for SpanRecord {
    fn line(&self) -> String {
        self.name().to_owned()
    }
}

impl Line for DataPoint {
    fn line(&self) -> String {
        format!("{} {}", self.name(), self.value().as_f64())
    }
}

impl Line for Notification {
    fn line(&self) -> String {
        let alert = &self.due()[0];
        format!(
            "{} {} {}",
            alert.state(),
            alert.name(),
            alert.labels().get("service_name").unwrap()
        )
    }
}

/// Where lines are posted, to the path of their signal.
struct Http(SocketAddr);

impl Backend for Http {
    fn routes(self, routes: &mut Routes) {
        let to = |path| Post { to: self.0, path };
        routes.add(Route::<SpanRecord>::wire(Lines, to("spans")));
        let metrics = Route::<DataPoint>::wire(Lines, to("metrics"));
        routes.add(metrics.interval(Duration::from_secs(60)));
        routes.add(Route::<Notification>::wire(Lines, to("notifications")));
    }
}

struct Lines;

impl<S: Line> Encoder<S> for Lines {
    fn encode(&mut self, batch: &Batch<S>) -> Payload {
        let mut payload = Payload::new();
        for record in batch {
            payload.record(|bytes| bytes.extend_from_slice((record.line() + "\n").as_bytes()));
        }
        payload
    }
}

struct Post {
    to: SocketAddr,
    path: &'static str,
}

impl Sender for Post {
    fn send(&mut self, payload: &Payload, deadline: &Deadline) -> SendResult {
        post(self.to, self.path, payload.bytes(), deadline).map_err(ExportError::retry)
    }

    fn name(&self) -> &str {
        "Http"
    }
}

fn post(to: SocketAddr, path: &str, body: &[u8], deadline: &Deadline) -> io::Result<()> {
    let mut stream = TcpStream::connect(to)?;
    let length = body.len();
    write!(stream, "POST /{path} HTTP/1.1\r\nhost: test\r\ncontent-length: {length}\r\n\r\n")?;
    stream.write_all(body)?;
    // Short, because the deadline may move nearer.
    stream.set_read_timeout(Some(Duration::from_millis(10)))?;
    let mut status = [0; 12];
    loop {
        match stream.read_exact(&mut status) {
            Ok(()) if status.ends_with(b" 200") => return Ok(()),
            Ok(()) => return Err(io::Error::other("not accepted")),
            Err(error) if deadline.is_over() => return Err(error),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {}
            Err(error) => return Err(error),
        }
    }
}

/// What came in: a path, and a line.
type Received = Arc<Mutex<Vec<(String, String)>>>;

/// Takes what comes in; a request to `stuck` gets no answer.
fn serve(stuck: &'static str) -> (SocketAddr, Received) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let lines = Arc::new(Mutex::new(Vec::new()));
    let received = lines.clone();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let received = received.clone();
            thread::spawn(move || answer(stream.unwrap(), stuck, &received));
        }
    });
    (address, lines)
}

fn answer(stream: TcpStream, stuck: &str, received: &Received) {
    let mut reader = BufReader::new(stream);
    let (mut path, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if let Some(rest) = line.strip_prefix("POST /") {
            rest.split(' ').next().unwrap().clone_into(&mut path);
        }
        if let Some(number) = line.strip_prefix("content-length: ") {
            length = number.trim().parse().unwrap();
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    if path == stuck {
        // Until the other end has had enough.
        let _ = reader.read(&mut [0]);
        return;
    }
    let text = String::from_utf8(body).unwrap();
    received.lock().unwrap().extend(text.lines().map(|line| (path.clone(), line.to_owned())));
    reader.get_mut().write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
}

#[test]
fn a_backend_that_is_stuck_on_one_signal_delivers_all_of_the_others() {
    for stuck in [SpanRecord::NAME, DataPoint::NAME, Notification::NAME] {
        let (address, lines) = serve(stuck);
        let backend = Http(address);
        LEVEL.set(1.0);
        let telemetry = bellwether::builder("shop")
            .export(backend)
            .alert_rule(Rule::new("High", series("three.level").last().above(0.0)))
            .tick(Duration::from_millis(10))
            .on_diagnostic(|_, _| ())
            .start()
            .unwrap();
        for _ in 0..500 {
            bellwether::span("checkout").enter().end();
            ORDERS.inc();
        }
        while telemetry.alerts().is_empty() {
            thread::yield_now();
        }
        // The two that work are done long before the third has had its time.
        let waits = |report: &bellwether::pipeline::Report| {
            let mut others = report.queues.iter().filter(|queue| queue.signal != stuck);
            others.any(|queue| queue.held > 0 || queue.offered == 0)
        };
        while waits(&telemetry.flush(Duration::from_millis(100))) {}
        let report = telemetry.shutdown(Duration::from_millis(500));
        assert!(report.totals().add_up(), "{report}");
        let lines = lines.lock().unwrap();
        for queue in &report.queues {
            let came = lines.iter().filter(|(path, _)| path == queue.signal).count() as u64;
            if queue.signal == stuck {
                assert_eq!((queue.delivered, came), (0, 0), "{queue}");
            } else {
                assert_eq!(queue.offered, queue.delivered, "{queue}");
                assert_eq!(queue.delivered, came, "{queue}");
            }
        }
        let is_there = |line: &str| lines.iter().any(|(_, other)| other == line);
        assert!(stuck == Notification::NAME || is_there("firing High shop"));
        LEVEL.set(0.0);
    }
}
