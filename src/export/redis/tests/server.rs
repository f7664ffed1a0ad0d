//! A server that reads commands as the protocol's specification (RESP) says, and answers as the test says.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use crate::sync::Mutex;

/// A command: its name and its arguments.
pub(super) type Command = Vec<Vec<u8>>;

/// What a command is answered: the bytes, or `None` for a connection that is closed.
pub(super) type Answer = Option<String>;

type Script = Arc<Mutex<Box<dyn FnMut(&Command) -> Answer + Send>>>;

/// A server on a free port of the loopback.
pub(super) struct Server {
    address: SocketAddr,
    commands: mpsc::Receiver<Command>,
}

impl Server {
    /// A server that answers all but what sets up a connection by `answer`.
    pub(super) fn new(answer: impl FnMut(&Command) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, commands) = mpsc::channel();
        let script: Script = Arc::new(Mutex::new(Box::new(answer)));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (sender, script) = (sender.clone(), script.clone());
                thread::spawn(move || serve(stream.unwrap(), &sender, &script));
            }
        });
        Self { address, commands }
    }

    pub(super) fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// The next command, which is waited for.
    pub(super) fn command(&self) -> Command {
        self.commands.recv_timeout(Duration::from_secs(20)).expect("a command comes")
    }

    /// The commands that have come and were not asked for yet.
    pub(super) fn rest(&self) -> Vec<Command> {
        self.commands.try_iter().collect()
    }
}

fn serve(stream: TcpStream, sender: &mpsc::Sender<Command>, script: &Script) {
    let mut stream = BufReader::new(stream);
    while let Some(command) = read(&mut stream) {
        let answer = match &command[0][..] {
            b"CLIENT" | b"SELECT" => Some("+OK\r\n".to_owned()),
            _ => {
                let answer = (*script.lock())(&command);
                let _ = sender.send(command);
                answer
            }
        };
        let Some(answer) = answer else { return };
        if stream.get_mut().write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// An array of bulk strings.
fn read(stream: &mut BufReader<TcpStream>) -> Option<Command> {
    let n = number(stream, '*')?;
    (0..n).map(|_| bulk(stream)).collect()
}

fn bulk(stream: &mut BufReader<TcpStream>) -> Option<Vec<u8>> {
    let mut bytes = vec![0; number(stream, '$')? + 2];
    stream.read_exact(&mut bytes).ok()?;
    assert_eq!(bytes.split_off(bytes.len() - 2), b"\r\n");
    Some(bytes)
}

fn number(stream: &mut BufReader<TcpStream>, mark: char) -> Option<usize> {
    let mut line = String::new();
    stream.read_line(&mut line).ok().filter(|&n| n > 0)?;
    Some(line.strip_prefix(mark).unwrap().strip_suffix("\r\n").unwrap().parse().unwrap())
}

/// The place of an entry.
pub(super) fn added() -> Answer {
    Some("$3\r\n1-1\r\n".to_owned())
}

/// An error.
pub(super) fn error(text: &str) -> Answer {
    Some(format!("-{text}\r\n"))
}
