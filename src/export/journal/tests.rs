//! What arrives, read by a strict reader of the native protocol, which takes files as the journal does.

use std::{
    fs::File,
    io::IoSliceMut,
    mem::MaybeUninit,
    os::{fd::OwnedFd, unix::fs::FileExt as _, unix::net::UnixDatagram},
    path::PathBuf,
    time::Duration,
};

use rustix::{
    fs::SealFlags,
    net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags},
};

use super::*;
use crate::{
    context::{SpanContext, SpanId, TraceFlags, TraceId, TraceState},
    export::wire::{hostile, log::sample},
    log::LogSeverity,
    pipeline::{Batch, Pipe, QueueReport, Retry, Setup},
    resource::Resource,
};

const LONG: Duration = Duration::from_secs(20);

/// The fields of an entry, in their order.
#[derive(Debug, PartialEq)]
struct Entry(Vec<(String, Vec<u8>)>);

impl Entry {
    /// The text of the only field by this name.
    fn get(&self, name: &str) -> Option<&str> {
        let mut found = self.0.iter().filter(|(other, _)| other == name);
        let value = found.next().map(|(_, value)| str::from_utf8(value).unwrap());
        assert!(found.next().is_none(), "{name} is there twice");
        value
    }
}

/// Reads an entry by systemd's description of the protocol; what that does not have is a failed test.
fn read(mut bytes: &[u8]) -> Entry {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let line = bytes.iter().position(|byte| *byte == b'\n').expect("a line ends");
        let (name, value) = match bytes[..line].iter().position(|byte| *byte == b'=') {
            Some(equals) => {
                let field = (&bytes[..equals], &bytes[equals + 1..line]);
                bytes = &bytes[line + 1..];
                field
            }
            None => {
                let name = &bytes[..line];
                let (length, rest) = bytes[line + 1..].split_at(8);
                let length = u64::from_le_bytes(length.try_into().unwrap()) as usize;
                assert_eq!(rest[length], b'\n');
                bytes = &rest[length + 1..];
                (name, &rest[..length])
            }
        };
        let name = str::from_utf8(name).unwrap();
        assert!((1..=64).contains(&name.len()), "{name:?}");
        assert!(name.starts_with(|c: char| c.is_ascii_uppercase()), "{name:?}");
        let is_legal = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        assert!(name.chars().all(is_legal), "{name:?}");
        fields.push((name.to_owned(), value.to_vec()));
    }
    assert!(!fields.is_empty() && fields.len() <= 1_024);
    Entry(fields)
}

/// A socket that takes entries as the journal does, at a path of its own.
struct Listener {
    path: PathBuf,
    socket: UnixDatagram,
    /// How many of the entries came as files.
    n_files: usize,
}

impl Listener {
    fn at(path: PathBuf) -> Self {
        let _ = std::fs::remove_file(&path);
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(LONG)).unwrap();
        Self { path, socket, n_files: 0 }
    }

    fn next(&mut self) -> Entry {
        let mut room = vec![0; 1 << 20];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut parts = [IoSliceMut::new(&mut room)];
        let flags = RecvFlags::CMSG_CLOEXEC;
        let received = rustix::net::recvmsg(&self.socket, &mut parts, &mut control, flags).unwrap();
        let files: Vec<OwnedFd> = control
            .drain()
            .flat_map(|message| match message {
                RecvAncillaryMessage::ScmRights(files) => files.collect(),
                _ => Vec::new(),
            })
            .collect();
        match (received.bytes, files.len()) {
            (0, 1) => {
                self.n_files += 1;
                read_file(files.into_iter().next().unwrap())
            }
            (n, 0) if n > 0 => read(&room[..n]),
            other => panic!("bytes and files: {other:?}"),
        }
    }
}

/// Reads a file that nobody can change any more.
fn read_file(file: OwnedFd) -> Entry {
    let seals = rustix::fs::fcntl_get_seals(&file).unwrap();
    assert_eq!(seals, SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE);
    let file = File::from(file);
    let mut bytes = vec![0; file.metadata().unwrap().len() as usize];
    file.read_exact_at(&mut bytes, 0).unwrap();
    read(&bytes)
}

fn path(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("bellwether-journal-{name}-{}", std::process::id()))
}

fn setup() -> Setup {
    Setup::new(Resource::service("shop"))
}

fn entry(journal: &Journal, record: LogRecord) -> Entry {
    let mut encoder = journal.logs_encoder();
    encoder.start(&setup()).unwrap();
    read(encoder.encode(&Batch::from(vec![record])).bytes())
}

fn quick(journal: Journal) -> Pipe<LogRecord> {
    let route = Route::from(journal).settings(|settings| {
        settings.batch_delay = Duration::ZERO;
        settings.retry = Retry { initial: Duration::from_millis(1), ..Retry::default() };
    });
    Pipe::start(route, &setup()).unwrap()
}

fn ended(pipe: Pipe<LogRecord>) -> QueueReport {
    let report = pipe.shutdown(LONG);
    assert_eq!(report.offered, report.delivered + report.dropped.total(), "{report}");
    report
}

fn numbered(n: i64) -> LogRecord {
    LogRecord::new(LogSeverity::INFO, format!("order\n{n}")).with_attribute("n", n)
}

#[test]
fn each_field_of_an_entry_is_what_the_page_says() {
    let _installed = crate::clock::enter(Some(crate::clock::ManualClock::new()));
    let record = sample("refused\n\0")
        .with_event_name("order.refused")
        .with_attribute("http.route", "/a b")
        .with_attribute("code.function.name", "pay")
        .with_attribute("message", "mine")
        .with_attribute("x", 0.5)
        .with_attribute("all", ["a\nb"]);
    let journal = Journal::new().identifier("till").field("SYSLOG_FACILITY", "3");
    let fields = entry(&journal, record).0;
    let fields: Vec<_> =
        fields.iter().map(|(name, value)| (&**name, str::from_utf8(value).unwrap())).collect();
    let wanted = [
        ("MESSAGE", "refused\n\0"),
        ("PRIORITY", "4"),
        ("SYSLOG_IDENTIFIER", "till"),
        ("SYSLOG_FACILITY", "3"),
        ("TIMESTAMP", "2020-01-01T00:00:00.012500007Z"),
        ("TARGET", "shop::pay"),
        ("TRACE_ID", "0000000000000000000000000000000a"),
        ("SPAN_ID", "000000000000000b"),
        ("CODE_FILE", "src/pay.rs"),
        ("CODE_LINE", "42"),
        ("EVENT_NAME", "order.refused"),
        ("OBSERVED", "2020-01-01T00:00:00.000000000Z"),
        ("CART", "7"),
        ("HTTP_ROUTE", "/a b"),
        ("CODE_FUNC", "pay"),
        ("ATTR_MESSAGE", "mine"),
        ("X", "0.5"),
        ("ALL", r#"["a\nb"]"#),
    ];
    assert_eq!(fields, wanted);
}

#[test]
fn a_record_with_little_to_say_has_few_fields() {
    let none = SpanContext::new(
        TraceId::INVALID,
        SpanId::INVALID,
        TraceFlags::default(),
        TraceState::EMPTY,
    );
    let record = LogRecord::new(LogSeverity::FATAL, "").with_context(none);
    let entry = entry(&Journal::new(), record);
    let names: Vec<_> = entry.0.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["MESSAGE", "PRIORITY", "SYSLOG_IDENTIFIER", "TIMESTAMP", "SEVERITY_TEXT"]);
    assert_eq!((entry.get("MESSAGE"), entry.get("PRIORITY")), (Some(""), Some("1")));
    assert_eq!(entry.get("SYSLOG_IDENTIFIER"), Some("shop"));
}

#[test]
fn an_entry_has_no_more_fields_than_the_journal_takes() {
    let record = LogRecord::new(LogSeverity::INFO, "x");
    let record = (0..1_500).fold(record, |record, n| record.with_attribute(format!("k{n}"), n));
    let entry = entry(&Journal::new(), record);
    let n_there = entry.0.iter().filter(|(name, _)| name.starts_with('K')).count();
    assert_eq!((n_there, entry.get("LEFT_OUT")), (960, Some("540")));
    assert_eq!(entry.get("K959"), Some("959"));
}

#[test]
fn hostile_texts_are_as_they_were_and_their_names_are_legal() {
    for (which, text) in hostile::strings("the journal") {
        let record = LogRecord::new(LogSeverity::INFO, text.clone())
            .with_target(text.clone())
            .with_event_name(text.clone())
            .with_severity_text(text.clone())
            .with_location(text.clone(), 7)
            .with_attribute("k", text.clone())
            .with_attribute(text.clone(), "a key")
            .with_attribute("last", 1);
        let journal = Journal::new().identifier(text.clone()).field("A", text.clone());
        let entry = entry(&journal, record);
        for name in ["MESSAGE", "EVENT_NAME", "SEVERITY_TEXT", "CODE_FILE", "K", "A"] {
            assert_eq!(entry.get(name), Some(&*text), "{which}: {name}");
        }
        let unless_empty = (!text.is_empty()).then_some(&*text);
        for name in ["TARGET", "SYSLOG_IDENTIFIER"] {
            assert_eq!(entry.get(name), unless_empty, "{which}: {name}");
        }
        assert_eq!(entry.get("LAST"), Some("1"), "{which}");
        assert!(entry.0.iter().any(|(_, value)| value == b"a key"), "{which}");
    }
}

#[test]
fn a_field_that_the_journal_would_not_take_is_an_error_at_the_start() {
    for name in ["", "_PID", "a", "A B", "1A"] {
        let error = Journal::new().field(name, "x").logs_encoder().start(&setup()).unwrap_err();
        assert!(error.to_string().contains(&format!("{name:?}")), "{error}");
    }
}

#[test]
fn a_small_entry_is_a_datagram_and_a_large_one_a_file() {
    let mut listener = Listener::at(path("large"));
    let pipe = quick(Journal::new().socket(&listener.path));
    // The socket takes some entries before they are read, and waits.
    let large = |n: i64| numbered(n).with_attribute("large", "é\n".repeat(400_000));
    pipe.push(vec![numbered(0), large(1), numbered(2), large(3), numbered(4)]);
    let entries: Vec<_> = (0..5).map(|_| listener.next()).collect();
    assert_eq!(listener.n_files, 2);
    for (n, entry) in entries.iter().enumerate() {
        assert_eq!(entry.get("N"), Some(&*n.to_string()));
        assert_eq!(entry.get("MESSAGE"), Some(&*format!("order\n{n}")));
        let large = entry.get("LARGE").map_or(0, str::len);
        assert_eq!(large, if n % 2 == 1 { 1_200_000 } else { 0 });
    }
    let report = ended(pipe);
    assert_eq!((report.delivered, report.retries), (5, 0), "{report}");
    std::fs::remove_file(&listener.path).unwrap();
}

#[test]
fn an_entry_of_any_length_around_the_systems_limit_arrives() {
    let mut listener = Listener::at(path("limit"));
    let pipe = quick(Journal::new().socket(&listener.path));
    let lengths: Vec<usize> = (190_000..230_000).step_by(1_000).collect();
    let sizes = lengths.clone();
    let reader = std::thread::spawn(move || {
        for length in sizes {
            assert_eq!(listener.next().get("MESSAGE").unwrap().len(), length);
        }
        listener
    });
    let record = |length: &usize| LogRecord::new(LogSeverity::INFO, "x".repeat(*length));
    pipe.push(lengths.iter().map(record).collect::<Vec<_>>());
    assert_eq!(ended(pipe).delivered, lengths.len() as u64);
    let listener = reader.join().unwrap();
    assert!(listener.n_files > 0 && listener.n_files < lengths.len(), "{}", listener.n_files);
    std::fs::remove_file(&listener.path).unwrap();
}

#[test]
fn a_journal_that_is_restarted_gets_every_entry_once() {
    let path = path("restart");
    let _ = std::fs::remove_file(&path);
    let pipe = quick(Journal::new().socket(&path));
    pipe.push(vec![numbered(0)]);
    assert!(!pipe.flush(Duration::from_millis(50)), "there is no socket");
    let mut numbers = Vec::new();
    let mut take = |listener: &mut Listener, n: usize| {
        let number = |entry: Entry| entry.get("N").unwrap().parse::<i64>().unwrap();
        numbers.extend((0..n).map(|_| number(listener.next())));
    };
    let mut listener = Listener::at(path.clone());
    take(&mut listener, 1);
    assert!(pipe.flush(LONG));
    drop(listener);
    pipe.push((1..20).map(numbered).collect::<Vec<_>>());
    assert!(!pipe.flush(Duration::from_millis(50)), "nobody listens");
    let mut listener = Listener::at(path.clone());
    take(&mut listener, 19);
    assert!(pipe.flush(LONG));
    // It comes back before anything is sent.
    drop(listener);
    let mut listener = Listener::at(path.clone());
    pipe.push(vec![numbered(20)]);
    take(&mut listener, 1);
    let report = ended(pipe);
    assert_eq!((report.delivered, report.dropped.total()), (21, 0), "{report}");
    assert_eq!(numbers, (0..=20).collect::<Vec<_>>());
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn a_full_socket_is_waited_for() {
    let mut listener = Listener::at(path("full"));
    let pipe = quick(Journal::new().socket(&listener.path));
    pipe.push((0..5_000).map(numbered).collect::<Vec<_>>());
    assert!(!pipe.flush(Duration::from_millis(50)), "nobody reads");
    for n in 0..5_000 {
        assert_eq!(listener.next().get("N"), Some(&*n.to_string()));
    }
    assert_eq!(ended(pipe).delivered, 5_000);
    std::fs::remove_file(&listener.path).unwrap();
}

#[test]
fn the_route_says_where_it_leads() {
    let report = ended(quick(Journal::new()));
    assert_eq!(report.name, "journal");
    assert_eq!(report.destination.as_deref(), Some("unix:///run/systemd/journal/socket"));
}
