//! Messages over TLS: whom they go to, and whom they do not.

use std::{
    io::{self, Read as _},
    net::TcpListener,
    sync::mpsc,
    thread,
};

use rustls::{ServerConnection, StreamOwned};

use super::{reader::counted, *};
use crate::transport::http_client::tests::support::{
    CLIENT_KEY_PEM, CLIENT_PEM, Certificate, OTHER_ROOT_PEM, ROOT_PEM, UNKNOWN_KEY_PEM, UNKNOWN_PEM,
};

/// A receiver that reads all of its connections.
struct Receiver {
    place: String,
    /// What each connection has had, and how it ended, when it has.
    ended: mpsc::Receiver<(Vec<u8>, io::Result<()>)>,
}

impl Receiver {
    fn new(certificate: Certificate) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let place = listener.local_addr().unwrap().to_string();
        let (sender, ended) = mpsc::channel();
        let config = certificate.config(&[]);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (config, sender) = (config.clone(), sender.clone());
                thread::spawn(move || {
                    let connection = ServerConnection::new(config).unwrap();
                    let mut stream = StreamOwned::new(connection, stream.unwrap());
                    let mut bytes = Vec::new();
                    let mut room = [0; 4_096];
                    let end = loop {
                        match stream.read(&mut room) {
                            Ok(0) => break Ok(()),
                            Ok(n) => bytes.extend_from_slice(&room[..n]),
                            Err(error) => break Err(error),
                        }
                    };
                    let _ = sender.send((bytes, end));
                });
            }
        });
        Self { place, ended }
    }

    fn tls(&self) -> SyslogTls {
        SyslogTls::new(&self.place).root_certificates(ROOT_PEM)
    }

    /// The messages of the next connection that ends as it should.
    fn messages(&self) -> Vec<Message> {
        let (bytes, end) = self.ended.recv_timeout(LONG).unwrap();
        end.expect("it is said that the connection ends");
        let (messages, cut) = counted(&bytes);
        assert_eq!(cut, b"");
        messages
    }
}

#[test]
fn all_messages_of_a_connection_arrive_and_its_end_is_said() {
    let receiver = Receiver::new(Certificate::Good);
    let pipe = quick(Syslog::tls(receiver.tls()));
    pipe.push((0..2_000).map(numbered).collect::<Vec<_>>());
    assert!(pipe.flush(LONG));
    pipe.push(vec![numbered(2_000)]);
    let report = ended(pipe);
    assert_eq!((report.delivered, report.retries), (2_001, 0), "{report}");
    assert_eq!(report.destination, Some(format!("tls://{}", receiver.place)));
    assert_eq!(numbers(&receiver.messages()), (0..=2_000).collect::<Vec<_>>());
}

#[test]
fn the_name_of_the_certificate_may_be_another_than_the_host() {
    let receiver = Receiver::new(Certificate::OfAnotherHost);
    let pipe = quick(Syslog::tls(receiver.tls().server_name("elsewhere.example")));
    pipe.push(vec![numbered(1)]);
    assert_eq!(ended(pipe).delivered, 1);
    assert_eq!(receiver.messages().len(), 1);
}

#[test]
fn a_receiver_that_cannot_be_trusted_gets_nothing_and_is_tried_again() {
    for (certificate, word) in [
        (Certificate::Expired, "expired"),
        (Certificate::OfAnotherHost, "not valid for name"),
        (Certificate::OfAnUnknownRoot, "UnknownIssuer"),
        (Certificate::SelfSigned, "certificate"),
        (Certificate::AskingForAnother, "CertificateRequired"),
    ] {
        let receiver = Receiver::new(certificate);
        let pipe = quick(Syslog::tls(receiver.tls()));
        pipe.push(vec![numbered(1)]);
        assert!(!pipe.flush(Duration::from_millis(500)));
        let (bytes, end) = receiver.ended.recv_timeout(LONG).unwrap();
        assert!(bytes.is_empty() && end.is_err(), "{certificate:?}");
        let report = pipe.shutdown(Duration::ZERO);
        assert_eq!(report.delivered, 0, "{certificate:?}");
        let error = report.last_error.unwrap();
        assert!(
            error.contains(word) && error.contains(&receiver.place),
            "{certificate:?}: {error}"
        );
    }
}

#[test]
fn a_certificate_of_ours_is_shown_and_one_that_is_refused_loses_nothing() {
    let receiver = Receiver::new(Certificate::AskingForAnother);
    let shown = receiver.tls().client_certificate(CLIENT_PEM, CLIENT_KEY_PEM);
    let pipe = quick(Syslog::tls(shown));
    pipe.push(vec![numbered(1)]);
    assert_eq!(ended(pipe).delivered, 1);
    assert_eq!(numbers(&receiver.messages()), [1]);

    let folder = std::env::temp_dir();
    let file = |name| folder.join(format!("bellwether-syslog-{name}-{}", std::process::id()));
    let (chain, key) = (file("chain"), file("key"));
    std::fs::write(&chain, UNKNOWN_PEM).unwrap();
    std::fs::write(&key, UNKNOWN_KEY_PEM).unwrap();
    let pipe = quick(Syslog::tls(receiver.tls().client_certificate_files(&chain, &key)));
    pipe.push(vec![numbered(2)]);
    assert!(!pipe.flush(Duration::from_millis(500)));
    let (bytes, end) = receiver.ended.recv_timeout(LONG).unwrap();
    assert!(bytes.is_empty() && end.is_err());
    // Replaced, they count from the next connection on.
    std::fs::write(&chain, CLIENT_PEM).unwrap();
    std::fs::write(&key, CLIENT_KEY_PEM).unwrap();
    let report = ended(pipe);
    assert_eq!((report.delivered, report.dropped.total()), (1, 0), "{report}");
    let arrived = std::iter::from_fn(|| receiver.ended.recv_timeout(LONG).ok());
    let arrived = arrived.map(|(bytes, _)| bytes).find(|bytes| !bytes.is_empty());
    assert_eq!(numbers(&counted(&arrived.unwrap()).0), [2]);
    std::fs::remove_file(&chain).unwrap();
    std::fs::remove_file(&key).unwrap();
}

#[test]
fn a_receiver_that_ends_a_connection_gets_the_rest_by_another() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = listener.local_addr().unwrap().to_string();
    let tls = SyslogTls::new(place).root_certificates(ROOT_PEM);
    let pipe = quick(Syslog::tls(tls));
    let accepted = || {
        let connection = ServerConnection::new(Certificate::Good.config(&[])).unwrap();
        StreamOwned::new(connection, listener.accept().unwrap().0)
    };
    let mut read = Vec::new();
    for n in 0..3 {
        pipe.push(vec![numbered(n)]);
        let mut stream = accepted();
        let mut bytes = Vec::new();
        while counted(&bytes).0.is_empty() {
            let mut room = [0; 1_000];
            let length = stream.read(&mut room).unwrap();
            bytes.extend_from_slice(&room[..length]);
        }
        read.extend(counted(&bytes).0);
        assert!(pipe.flush(LONG));
        stream.conn.send_close_notify();
        stream.conn.write_tls(&mut stream.sock).unwrap();
        drop(stream);
    }
    assert_eq!(ended(pipe).delivered, 3);
    assert_eq!(numbers(&read), [0, 1, 2]);
}

#[test]
fn what_did_not_leave_whole_is_sent_again_and_nothing_is_there_twice() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = listener.local_addr().unwrap().to_string();
    let tls = SyslogTls::new(place).root_certificates(ROOT_PEM);
    let route = Route::from(Syslog::tls(tls).max_message(1 << 20)).settings(|settings| {
        settings.batch_delay = Duration::ZERO;
        settings.attempt_timeout = Duration::from_secs(1);
        settings.retry = Retry { initial: Duration::from_millis(1), ..Retry::default() };
    });
    let pipe = Pipe::start(route, &setup()).unwrap();
    let body = "x".repeat(60_000);
    let record = |n: i64| LogRecord::new(LogSeverity::INFO, body.clone()).with_attribute("n", n);
    pipe.push((0..400).map(record).collect::<Vec<_>>());
    let accepted = || {
        let connection = ServerConnection::new(Certificate::Good.config(&[])).unwrap();
        let mut stream = StreamOwned::new(connection, listener.accept().unwrap().0);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock).unwrap();
        }
        stream
    };
    let all = |mut stream: StreamOwned<_, std::net::TcpStream>| {
        let (mut bytes, mut room) = (Vec::new(), vec![0; 1 << 16]);
        // One that was cut off ends with an error.
        while let Ok(n @ 1..) = stream.read(&mut room) {
            bytes.extend_from_slice(&room[..n]);
        }
        bytes
    };
    let silent = accepted();
    let reading = accepted(); // Another attempt, when the first has had its time.
    // Now that all of it is tried again, the first is read too.
    let first = thread::spawn(move || all(silent));
    let second = thread::spawn(move || all(reading));
    assert_eq!(ended(pipe).delivered, 400);
    let (first, second) = (first.join().unwrap(), second.join().unwrap());
    let (mut messages, cut) = counted(&first);
    assert!(!messages.is_empty() && messages.len() < 400 && !cut.is_empty());
    messages.extend(counted(&second).0);
    assert_eq!(numbers(&messages), (0..400).collect::<Vec<_>>());
}

#[test]
fn what_cannot_be_used_is_an_error_at_the_start() {
    let starts = |tls: SyslogTls| {
        let started = Pipe::start(Route::from(Syslog::tls(tls)), &setup());
        started.map(drop).map_err(|error| error.to_string())
    };
    starts("logs.example.com:6514".into()).unwrap();
    starts(SyslogTls::new("[::1]:6514").root_certificates(OTHER_ROOT_PEM)).unwrap();
    let tls = || SyslogTls::new("logs.example.com:6514");
    for (tls, word) in [
        (tls().root_certificates("none"), "no root certificate"),
        (tls().root_certificates_file("/nowhere/root.pem"), "/nowhere/root.pem"),
        (tls().server_name("a b"), "no name that a certificate can have"),
        (tls().client_certificate(CLIENT_PEM, UNKNOWN_KEY_PEM), "certificate or key"),
        (tls().client_certificate("none", "none"), "certificate or key"),
    ] {
        let error = starts(tls).unwrap_err();
        assert!(error.contains(word) && error.contains("tls://logs.example.com:6514"), "{error}");
    }
    let shown = format!("{:?}", tls().client_certificate(CLIENT_PEM, CLIENT_KEY_PEM));
    assert!(!shown.contains("PRIVATE KEY") && shown.contains("logs.example.com"), "{shown}");
}
