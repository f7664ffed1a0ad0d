//! The server: connections, and the script that answers them.

use std::{
    io::{self, BufReader, ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst},
        mpsc::{self, Receiver, Sender},
    },
    thread,
    time::Duration,
};

use parking_lot::Mutex;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::{Certificate, Reply, Request};

/// How long a test waits for what has to come.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A server on a port of 127.0.0.1, or on a Unix socket, with a thread for each connection.
pub struct Server {
    address: Option<SocketAddr>,
    scheme: &'static str,
    requests: Receiver<Request>,
    seen: Arc<Seen>,
}

/// What happened on all connections so far.
#[derive(Debug, Default)]
struct Seen {
    n_connections: AtomicUsize,
    n_read: AtomicU64,
    n_written: AtomicU64,
}

type Script = Arc<Mutex<dyn FnMut(&Request) -> Reply + Send>>;

impl Server {
    /// Gives each request the next of `replies`, and then the last for ever.
    pub fn answering(replies: impl IntoIterator<Item = Reply>) -> Self {
        Self::by(in_turn(replies))
    }

    /// Gives each request what `script` says.
    pub fn by(script: impl FnMut(&Request) -> Reply + Send + 'static) -> Self {
        Self::listen(None, script)
    }

    /// As [`answering`](Self::answering), at an address that is given.
    pub fn at(address: SocketAddr, replies: impl IntoIterator<Item = Reply>) -> Self {
        Self::accept_on(TcpListener::bind(address).unwrap(), None, in_turn(replies))
    }

    /// As [`by`](Self::by), with TLS.
    pub fn over_tls(
        certificate: Certificate,
        script: impl FnMut(&Request) -> Reply + Send + 'static,
    ) -> Self {
        Self::listen(Some(certificate.config(&["http/1.1"])), script)
    }

    /// Says `bytes` on each connection as soon as something came, and closes it; then HTTP has not begun.
    pub fn raw(bytes: &'static [u8]) -> Self {
        let (listener, address) = bound();
        let (_, requests) = mpsc::channel();
        let seen = Arc::new(Seen::default());
        let counted = seen.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                counted.n_connections.fetch_add(1, SeqCst);
                let n_read = stream.read(&mut [0; 1 << 16]).unwrap_or(0);
                counted.n_read.fetch_add(n_read as u64, SeqCst);
                let _ = stream.write_all(bytes);
            }
        });
        Self { address: Some(address), scheme: "https", requests, seen }
    }

    /// Accepts connections on a Unix socket at `path`.
    #[cfg(unix)]
    pub fn on_socket(
        path: &std::path::Path,
        script: impl FnMut(&Request) -> Reply + Send + 'static,
    ) -> Self {
        let listener = std::os::unix::net::UnixListener::bind(path).unwrap();
        let accept = move || Box::new(listener.accept().unwrap().0) as Box<dyn Stream>;
        Self::serve(None, "http", accept, script)
    }

    fn listen(
        tls: Option<Arc<ServerConfig>>,
        script: impl FnMut(&Request) -> Reply + Send + 'static,
    ) -> Self {
        Self::accept_on(bound().0, tls, script)
    }

    fn accept_on(
        listener: TcpListener,
        tls: Option<Arc<ServerConfig>>,
        script: impl FnMut(&Request) -> Reply + Send + 'static,
    ) -> Self {
        let address = listener.local_addr().unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let accept = move || {
            let stream = listener.accept().unwrap().0;
            stream.set_nodelay(true).unwrap();
            match &tls {
                None => Box::new(stream) as Box<dyn Stream>,
                Some(tls) => {
                    let connection = ServerConnection::new(tls.clone()).unwrap();
                    Box::new(StreamOwned::new(connection, stream))
                }
            }
        };
        Self::serve(Some(address), scheme, accept, script)
    }

    fn serve(
        address: Option<SocketAddr>,
        scheme: &'static str,
        mut accept: impl FnMut() -> Box<dyn Stream> + Send + 'static,
        script: impl FnMut(&Request) -> Reply + Send + 'static,
    ) -> Self {
        let (sender, requests) = mpsc::channel();
        let seen = Arc::new(Seen::default());
        let script: Script = Arc::new(Mutex::new(script));
        let server = Self { address, scheme, requests, seen: seen.clone() };
        thread::spawn(move || {
            loop {
                let stream = Counted { stream: accept(), seen: seen.clone() };
                seen.n_connections.fetch_add(1, SeqCst);
                let (script, sender) = (script.clone(), sender.clone());
                thread::spawn(move || drop(converse(stream, &script, &sender)));
            }
        });
        server
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address.expect("a server on a port")
    }

    /// A URL of it, by its address.
    pub fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address())
    }

    /// The next request, which has to come.
    pub fn next(&self) -> Request {
        self.requests.recv_timeout(PATIENCE).expect("a request")
    }

    /// The next request, if one has come already.
    pub fn try_next(&self) -> Option<Request> {
        self.requests.try_recv().ok()
    }

    /// How many connections were made.
    pub fn n_connections(&self) -> usize {
        self.seen.n_connections.load(SeqCst)
    }

    /// How many bytes of HTTP clients sent; what is below, as TLS's handshake, does not count.
    pub fn n_read(&self) -> u64 {
        self.seen.n_read.load(SeqCst)
    }

    /// How many bytes of HTTP it could send.
    pub fn n_written(&self) -> u64 {
        self.seen.n_written.load(SeqCst)
    }
}

/// An address where nobody listens.
pub fn nobody() -> SocketAddr {
    bound().1
}

fn bound() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// A script that goes through `replies`, and stays at the last.
pub(super) fn in_turn(
    replies: impl IntoIterator<Item = Reply>,
) -> impl FnMut(&Request) -> Reply + Send + 'static {
    let replies: Vec<Reply> = replies.into_iter().collect();
    let mut n = 0;
    move |_| {
        n += 1;
        replies[(n - 1).min(replies.len() - 1)].clone()
    }
}

/// Answers the requests of one connection.
fn converse(stream: Counted, script: &Script, sender: &Sender<Request>) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    while let Some(request) = Request::read(&mut stream) {
        let reply = script.lock()(&request);
        let _ = sender.send(request);
        if !reply.write(stream.get_mut())? {
            break;
        }
    }
    stream.get_mut().hang_up()
}

/// A connection of any kind.
pub(super) trait Stream: Read + Write + Send {
    /// How long a read may take; for ever by default.
    fn be_patient(&mut self, patience: Option<Duration>) -> io::Result<()>;

    /// A second handle of it, where there can be one.
    fn twin(&self) -> io::Result<Box<dyn Stream>>;

    fn hang_up(&mut self) -> io::Result<()>;
}

impl Stream for TcpStream {
    fn be_patient(&mut self, patience: Option<Duration>) -> io::Result<()> {
        self.set_read_timeout(patience)
    }

    fn twin(&self) -> io::Result<Box<dyn Stream>> {
        Ok(Box::new(self.try_clone()?))
    }

    fn hang_up(&mut self) -> io::Result<()> {
        self.shutdown(Shutdown::Both)
    }
}

#[cfg(unix)]
impl Stream for std::os::unix::net::UnixStream {
    fn be_patient(&mut self, patience: Option<Duration>) -> io::Result<()> {
        self.set_read_timeout(patience)
    }

    fn twin(&self) -> io::Result<Box<dyn Stream>> {
        Ok(Box::new(self.try_clone()?))
    }

    fn hang_up(&mut self) -> io::Result<()> {
        self.shutdown(Shutdown::Both)
    }
}

impl Stream for StreamOwned<ServerConnection, TcpStream> {
    fn be_patient(&mut self, patience: Option<Duration>) -> io::Result<()> {
        self.sock.set_read_timeout(patience)
    }

    fn twin(&self) -> io::Result<Box<dyn Stream>> {
        Err(ErrorKind::Unsupported.into())
    }

    fn hang_up(&mut self) -> io::Result<()> {
        self.conn.send_close_notify();
        self.flush()?;
        self.sock.shutdown(Shutdown::Both)
    }
}

/// A connection whose bytes are counted.
struct Counted {
    stream: Box<dyn Stream>,
    seen: Arc<Seen>,
}

impl Read for Counted {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let n = self.stream.read(bytes)?;
        self.seen.n_read.fetch_add(n as u64, SeqCst);
        Ok(n)
    }
}

impl Write for Counted {
    #[expect(clippy::disallowed_methods, reason = "hands on")]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.stream.write(bytes)?;
        self.seen.n_written.fetch_add(n as u64, SeqCst);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

impl Stream for Counted {
    fn be_patient(&mut self, patience: Option<Duration>) -> io::Result<()> {
        self.stream.be_patient(patience)
    }

    fn twin(&self) -> io::Result<Box<dyn Stream>> {
        self.stream.twin()
    }

    fn hang_up(&mut self) -> io::Result<()> {
        self.stream.hang_up()
    }
}

/// Waits for `delay`, but no longer than the client does; returns whether it is still there.
pub(super) fn wait(stream: &mut dyn Stream, delay: Duration) -> bool {
    if delay.is_zero() {
        return true;
    }
    let _ = stream.be_patient(Some(delay));
    let waited = stream.read(&mut [0]);
    let _ = stream.be_patient(None);
    waited.is_err_and(|error| matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut))
}
