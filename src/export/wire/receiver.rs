//! A server for tests of backends: it keeps what it gets, and answers as the test says.

#![expect(clippy::unwrap_used, reason = "it is a part of tests")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use crate::{sync::Mutex, transport::Endpoint};

/// A request as it came.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) line: String,
    headers: Vec<(String, String)>, // Names in lower case.
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// What comes back: all bytes of an answer; none for a connection that is closed, and `None` for no answer.
type Answer = Option<Vec<u8>>;

/// A server on a free port of the loopback.
pub(crate) struct Receiver {
    address: SocketAddr,
    requests: mpsc::Receiver<Request>,
    answers: Arc<Mutex<Vec<Answer>>>, // The next one first; the last one for ever.
}

impl Receiver {
    /// A server that answers with these, and then with the last one for ever.
    pub(crate) fn answering(answers: impl IntoIterator<Item = String>) -> Self {
        let answers = answers.into_iter().map(|text| Some(text.into_bytes())).collect();
        let answers = Arc::new(Mutex::new(answers));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, requests) = mpsc::channel();
        let given = answers.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (sender, given) = (sender.clone(), given.clone());
                thread::spawn(move || serve(stream.unwrap(), &sender, &given));
            }
        });
        Self { address, requests, answers }
    }

    /// A server that answers always with this status and no body.
    pub(crate) fn of_status(status: u16) -> Self {
        Self::answering([answer(status, "", "")])
    }

    /// Sets the next answers, in place of those that are left.
    pub(crate) fn answer(&self, answers: impl IntoIterator<Item = Answer>) {
        *self.answers.lock() = answers.into_iter().collect();
    }

    /// The server with a path.
    pub(crate) fn endpoint(&self, path: &str) -> Endpoint {
        let url = format!("http://{}{path}", self.address);
        Endpoint::new(&url).allow_plain_http().allow_private()
    }

    /// The next request, which is waited for.
    pub(crate) fn request(&self) -> Request {
        self.requests.recv_timeout(Duration::from_secs(20)).expect("a request comes")
    }

    /// The requests that have come and were not asked for yet.
    pub(crate) fn rest(&self) -> Vec<Request> {
        self.requests.try_iter().collect()
    }
}

/// An answer of HTTP; `headers` end in line breaks.
pub(crate) fn answer(status: u16, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status} X\r\n{headers}content-length: {}\r\n\r\n{body}", body.len())
}

fn serve(stream: TcpStream, sender: &mpsc::Sender<Request>, answers: &Mutex<Vec<Answer>>) {
    let mut stream = BufReader::new(stream);
    while let Some(request) = read(&mut stream) {
        let answer = {
            let mut answers = answers.lock();
            match answers.len() {
                1 => answers[0].clone(),
                _ => answers.remove(0),
            }
        };
        let _ = sender.send(request);
        match answer {
            Some(bytes) if bytes.is_empty() => return,
            Some(bytes) => {
                let _ = stream.get_mut().write_all(&bytes);
                if bytes.windows(17).any(|part| part == b"connection: close") {
                    return;
                }
            }
            None => {
                let _ = stream.read(&mut [0]); // Until the client closes.
                return;
            }
        }
    }
}

fn read(stream: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut line = String::new();
    stream.read_line(&mut line).ok().filter(|&n| n > 0)?;
    let mut headers = Vec::new();
    loop {
        let mut header = String::new();
        stream.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim_end().split_once(": ") else { break };
        headers.push((name.to_lowercase(), value.to_owned()));
    }
    let mut request = Request { line: line.trim_end().to_owned(), headers, body: Vec::new() };
    let length = request.header("content-length").map_or(0, |text| text.parse().unwrap());
    request.body = vec![0; length];
    stream.read_exact(&mut request.body).ok()?;
    Some(request)
}
