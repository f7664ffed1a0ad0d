//! A server that speaks NATS' protocol as its documentation says, and acknowledges as the test says.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use crate::sync::Mutex;

/// A message as it came.
#[derive(Debug)]
pub(super) struct Published {
    pub(super) subject: String,
    headers: String,
    pub(super) body: String,
}

impl Published {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.headers.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(other, _)| *other == name).map(|(_, value)| value).next()
    }
}

/// What a message is answered.
#[derive(Clone, Copy)]
pub(super) enum Answer {
    /// This JSON.
    Says(&'static str),
    /// That nobody takes the subject.
    NoResponders,
    /// Nothing.
    Silence,
    /// Nothing ever again: the connection is closed.
    Closes,
}

pub(super) const TAKEN: Answer = Answer::Says(r#"{"stream":"S","seq":1}"#);

type Script = Arc<Mutex<Box<dyn FnMut(&Published) -> Answer + Send>>>;

/// A server on a free port of the loopback.
pub(super) struct Server {
    address: SocketAddr,
    messages: mpsc::Receiver<Published>,
}

impl Server {
    pub(super) fn new(answer: impl FnMut(&Published) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, messages) = mpsc::channel();
        let script: Script = Arc::new(Mutex::new(Box::new(answer)));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (sender, script) = (sender.clone(), script.clone());
                thread::spawn(move || serve(stream.unwrap(), &sender, &script));
            }
        });
        Self { address, messages }
    }

    pub(super) fn url(&self) -> String {
        format!("nats://{}", self.address)
    }

    /// The next message, which is waited for.
    pub(super) fn message(&self) -> Published {
        self.messages.recv_timeout(Duration::from_secs(20)).expect("a message comes")
    }

    /// The messages that have come and were not asked for yet.
    pub(super) fn rest(&self) -> Vec<Published> {
        self.messages.try_iter().collect()
    }
}

fn serve(stream: TcpStream, sender: &mpsc::Sender<Published>, script: &Script) {
    let mut stream = BufReader::new(stream);
    let info = r#"{"server_id":"S","server_name":"s","version":"2.9.10","go":"1","host":"h","port":1,
        "headers":true,"max_payload":4096,"proto":1,"client_id":1,"jetstream":true}"#;
    write(&mut stream, &format!("INFO {}\r\n", info.replace('\n', "")));
    let mut subscription = String::new();
    let mut line = String::new();
    while stream.read_line(&mut line).is_ok_and(|n| n > 0) {
        let words: Vec<String> = line.split_ascii_whitespace().map(str::to_owned).collect();
        line.clear();
        match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["PING"] => write(&mut stream, "PONG\r\n"),
            ["SUB", _, id] => id.clone_into(&mut subscription),
            ["PUB", subject, reply, n] => {
                let body = text(&mut stream, n.parse().unwrap());
                // A question about the stream: it is not there, and then it is made.
                let said = match subject.contains("STREAM.CREATE") {
                    true => {
                        r#"{"error":{"code":400,"err_code":10052,"description":"not allowed"}}"#
                    }
                    false => r#"{"error":{"code":404,"err_code":10059,"description":"not found"}}"#,
                };
                let message =
                    Published { subject: subject.to_owned(), headers: String::new(), body };
                let _ = sender.send(message);
                say(&mut stream, reply, &subscription, said);
            }
            ["HPUB", subject, reply, n_head, n] => {
                let (n_head, n): (usize, usize) = (n_head.parse().unwrap(), n.parse().unwrap());
                let mut all = text(&mut stream, n);
                let body = all.split_off(n_head);
                let message = Published { subject: subject.to_owned(), headers: all, body };
                let answer = (*script.lock())(&message);
                let _ = sender.send(message);
                match answer {
                    Answer::Says(said) => say(&mut stream, reply, &subscription, said),
                    Answer::NoResponders => {
                        let head = "NATS/1.0 503\r\n\r\n";
                        let n = head.len();
                        let line = format!("HMSG {reply} {subscription} {n} {n}\r\n{head}\r\n");
                        write(&mut stream, &line);
                    }
                    Answer::Silence => {}
                    Answer::Closes => return,
                }
            }
            _ => {}
        }
    }
}

fn say(stream: &mut BufReader<TcpStream>, to: &str, subscription: &str, said: &str) {
    write(stream, &format!("MSG {to} {subscription} {}\r\n{said}\r\n", said.len()));
}

fn write(stream: &mut BufReader<TcpStream>, text: &str) {
    let _ = stream.get_mut().write_all(text.as_bytes());
}

/// So many bytes, and the line break behind them.
fn text(stream: &mut BufReader<TcpStream>, n: usize) -> String {
    let mut bytes = vec![0; n + 2];
    stream.read_exact(&mut bytes).unwrap();
    bytes.truncate(n);
    String::from_utf8(bytes).unwrap()
}
