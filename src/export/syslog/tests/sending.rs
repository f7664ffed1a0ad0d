//! How messages arrive, and what is left when they do not.

use std::{
    io::Read as _,
    net::{TcpListener, TcpStream, UdpSocket},
};

use super::{
    reader::{counted, ended_by},
    *,
};
use crate::pipeline::DropReason;

/// All that comes over a connection until it ends.
#[expect(clippy::disallowed_methods, reason = "it is what the test itself sent")]
fn all(mut stream: impl std::io::Read) -> Vec<u8> {
    let mut all = Vec::new();
    stream.read_to_end(&mut all).unwrap();
    all
}

fn listening() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = listener.local_addr().unwrap().to_string();
    (listener, place)
}

fn accepted(listener: &TcpListener) -> TcpStream {
    let (stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream
}

/// Reads until `n` messages have come.
fn read_counted(stream: &mut TcpStream, n: usize) -> Vec<Message> {
    let mut bytes = Vec::new();
    loop {
        let (messages, _) = counted(&bytes);
        if messages.len() >= n {
            return messages;
        }
        let mut room = [0; 4_096];
        let length = stream.read(&mut room).unwrap();
        assert_ne!(length, 0, "the connection ended after {} messages", messages.len());
        bytes.extend_from_slice(&room[..length]);
    }
}

#[test]
fn over_udp_each_message_is_a_datagram() {
    let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
    receiver.set_read_timeout(Some(LONG)).unwrap();
    let pipe = quick(Syslog::udp(receiver.local_addr().unwrap().to_string()));
    (0..3).for_each(|n| pipe.push(vec![numbered(n)]));
    assert_eq!(ended(pipe).delivered, 3);
    let mut room = [0; 3_000];
    let messages = [(); 3].map(|()| {
        let length = receiver.recv(&mut room).unwrap();
        read(&room[..length])
    });
    assert_eq!((numbers(&messages), &*messages[2].text), (vec![0, 1, 2], "order\n2"));
}

#[test]
fn a_message_that_no_datagram_takes_is_refused_and_the_others_arrive() {
    let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
    receiver.set_read_timeout(Some(LONG)).unwrap();
    let place = receiver.local_addr().unwrap().to_string();
    let pipe = quick(Syslog::udp(place).max_message(1 << 20));
    let large = LogRecord::new(LogSeverity::INFO, "x".repeat(70_000));
    pipe.push(vec![numbered(1), large, numbered(2)]);
    let report = ended(pipe);
    assert_eq!((report.delivered, report.dropped.get(DropReason::Rejected)), (2, 1), "{report}");
    let mut room = [0; 3_000];
    let messages = [(); 2].map(|()| {
        let length = receiver.recv(&mut room).unwrap();
        read(&room[..length])
    });
    assert_eq!(numbers(&messages), [1, 2]);
}

#[test]
fn over_tcp_each_message_has_its_length_before_it() {
    let (listener, place) = listening();
    let pipe = quick(Syslog::tcp(place));
    pipe.push((0..1_000).map(numbered).collect::<Vec<_>>());
    let mut stream = accepted(&listener);
    let messages = read_counted(&mut stream, 1_000);
    assert_eq!(ended(pipe).delivered, 1_000);
    assert_eq!(all(stream), b"");
    assert_eq!(numbers(&messages), (0..1_000).collect::<Vec<_>>());
    assert_eq!(messages[7].text, "order\n7");
}

#[test]
fn other_frames_end_each_message() {
    for (framing, mark, text) in
        [(SyslogFraming::LineFeed, b'\n', "order 7"), (SyslogFraming::Nul, 0, "order\n7")]
    {
        let (listener, place) = listening();
        let pipe = quick(Syslog::tcp(place).framing(framing));
        pipe.push((0..10).map(numbered).collect::<Vec<_>>());
        let stream = accepted(&listener);
        assert_eq!(ended(pipe).delivered, 10);
        let messages = ended_by(mark, &all(stream));
        assert_eq!(numbers(&messages), (0..10).collect::<Vec<_>>());
        assert_eq!(messages[7].text, text);
    }
}

#[test]
fn a_receiver_that_goes_away_and_comes_back_gets_every_message_once() {
    let (listener, place) = listening();
    let pipe = quick(Syslog::tcp(&place));
    pipe.push(vec![numbered(0)]);
    assert!(pipe.flush(LONG));
    let mut stream = accepted(&listener);
    let mut messages = read_counted(&mut stream, 1);
    drop((stream, listener));
    (1..500).for_each(|n| pipe.push(vec![numbered(n)]));
    assert!(!pipe.flush(Duration::from_millis(50)), "nobody listens");
    let listener = TcpListener::bind(&place).unwrap();
    let mut stream = accepted(&listener);
    messages.extend(read_counted(&mut stream, 499));
    let report = ended(pipe);
    assert_eq!((report.delivered, report.dropped.total()), (500, 0), "{report}");
    assert!(report.retries > 0);
    assert_eq!(numbers(&messages), (0..500).collect::<Vec<_>>());
}

#[test]
fn what_was_cut_off_is_sent_again_from_its_message_on() {
    for framing in [SyslogFraming::OctetCounting, SyslogFraming::LineFeed, SyslogFraming::Nul] {
        let payload = encoded(&syslog(), (0..3).map(numbered).collect::<Vec<_>>());
        let mut ends = Vec::new();
        let mut frames = Vec::new();
        for record in payload.records() {
            sender::frame(&mut frames, record, framing);
            ends.push(frames.len());
        }
        for n_written in 0..=frames.len() {
            let n_whole = ends.iter().filter(|end| **end <= n_written).count();
            assert_eq!(sender::n_whole(&payload, framing, n_written), n_whole, "{n_written}");
        }
        let whole = payload.skip(1);
        assert_eq!(sender::n_whole(&whole, framing, ends[1] - ends[0]), 1);
    }
}

#[test]
fn a_receiver_that_reads_nothing_holds_no_message_that_was_not_written() {
    let (listener, place) = listening();
    let syslog = Syslog::tcp(place).max_message(1 << 20);
    let route = Route::from(syslog).settings(|settings| {
        settings.batch_delay = Duration::ZERO;
        settings.attempt_timeout = Duration::from_secs(1);
        settings.retry = Retry { initial: Duration::from_millis(1), ..Retry::default() };
    });
    let pipe = Pipe::start(route, &setup()).unwrap();
    let body = "x".repeat(60_000);
    let record = |n: i64| LogRecord::new(LogSeverity::INFO, body.clone()).with_attribute("n", n);
    pipe.push((0..400).map(record).collect::<Vec<_>>());
    let silent = accepted(&listener);
    let reading = accepted(&listener); // Another attempt, when the first has had its time.
    let reader = std::thread::spawn(move || all(reading));
    assert_eq!(ended(pipe).delivered, 400);
    let first = all(silent);
    let (mut messages, cut) = counted(&first);
    assert!(!messages.is_empty() && messages.len() < 400 && !cut.is_empty());
    let second = reader.join().unwrap();
    let (rest, cut) = counted(&second);
    assert_eq!(cut, b"");
    messages.extend(rest);
    assert_eq!(numbers(&messages), (0..400).collect::<Vec<_>>());
}

#[cfg(unix)]
#[test]
fn a_local_socket_may_be_of_either_kind_and_change_it() {
    use std::os::unix::net::{UnixDatagram, UnixListener};

    let path = std::env::temp_dir().join(format!("bellwether-log-{}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let receiver = UnixDatagram::bind(&path).unwrap();
    let pipe = quick(Syslog::unix(&path));
    let mut room = [0; 9_000];
    let mut datagram = |receiver: &UnixDatagram| {
        let length = receiver.recv(&mut room).unwrap();
        read(&room[..length])
    };
    pipe.push(vec![numbered(1)]);
    assert!(pipe.flush(LONG));
    assert_eq!(datagram(&receiver).param("n"), Some("1"));
    drop(receiver);
    std::fs::remove_file(&path).unwrap();

    pipe.push(vec![numbered(2), numbered(3)]);
    assert!(!pipe.flush(Duration::from_millis(50)), "nobody listens");
    let listener = UnixListener::bind(&path).unwrap();
    let (mut stream, _) = listener.accept().unwrap();
    assert!(pipe.flush(LONG));
    let mut room = [0; 3_000];
    let length = stream.read(&mut room).unwrap();
    let messages = ended_by(0, &room[..length]);
    assert_eq!((numbers(&messages), &*messages[0].text), (vec![2, 3], "order\n2"));
    drop((stream, listener));
    std::fs::remove_file(&path).unwrap();

    pipe.push(vec![numbered(4)]);
    let receiver = UnixDatagram::bind(&path).unwrap();
    assert_eq!(datagram(&receiver).param("n"), Some("4"));
    assert_eq!(ended(pipe).delivered, 4);
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn a_place_is_shown_without_a_secret_and_the_route_has_a_name() {
    let pipe = quick(Syslog::tcp("127.0.0.1:601"));
    let report = ended(pipe);
    assert_eq!(report.name, "syslog");
    assert_eq!(report.destination.as_deref(), Some("tcp://127.0.0.1:601"));
}
