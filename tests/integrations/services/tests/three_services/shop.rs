//! The three services and their telemetry, which a test has for itself.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Mutex, MutexGuard, OnceLock, PoisonError,
        mpsc::{self, Receiver},
    },
    thread,
    time::{Duration, Instant},
};

use bellwether::{Telemetry, export::Memory, log::LogRecord, trace::SpanRecord};
use tokio::runtime;
use tracing_subscriber::{layer::SubscriberExt as _, util::SubscriberInitExt as _};

use crate::{billing, orders, stock};

/// Long enough for whatever is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Shop {
    telemetry: Telemetry,
    spans: Memory<SpanRecord>,
    logs: Memory<LogRecord>,
    address: SocketAddr,
    waiting: Receiver<()>,
}

impl Shop {
    /// The shop, which is started once, without anything of other tests.
    pub(crate) fn open() -> MutexGuard<'static, Self> {
        static SHOP: OnceLock<Mutex<Shop>> = OnceLock::new();
        let shop = SHOP.get_or_init(|| Mutex::new(Self::start()));
        let shop = shop.lock().unwrap_or_else(PoisonError::into_inner);
        shop.records();
        shop
    }

    fn start() -> Self {
        let (spans, logs) = (Memory::new(), Memory::new());
        let telemetry = bellwether::builder("shop")
            .export(spans.clone())
            .export(logs.clone())
            .prometheus("127.0.0.1:0")
            .start()
            .unwrap();
        bellwether::integration::opentelemetry::install();
        bellwether::integration::metrics::install().unwrap();
        bellwether::integration::log::install().unwrap();
        tracing_subscriber::registry().with(bellwether::integration::tracing::layer()).init();
        let (sender, waiting) = mpsc::channel();
        let billing = serve("billing", |listener| billing::serve(listener, sender));
        let stock = serve("stock", move |listener| stock::serve(listener, billing));
        let address = serve("orders", move |listener| orders::serve(listener, stock));
        Self { telemetry, spans, logs, address, waiting }
    }

    /// Sends a request to the orders.
    pub(crate) fn send(&self, path: &str, headers: &str) -> TcpStream {
        send(self.address, path, headers)
    }

    /// The status and the body of the answer to a request that no span is around.
    pub(crate) fn get(&self, path: &str) -> String {
        answer(self.send(path, ""))
    }

    /// Waits until a request waits in `billing` for what never comes.
    pub(crate) fn wait_until_one_waits(&self) {
        self.waiting.recv_timeout(PATIENCE).unwrap();
    }

    /// The spans and log records since the last call, once no span is open.
    pub(crate) fn records(&self) -> (Vec<SpanRecord>, Vec<LogRecord>) {
        let since = Instant::now();
        while self.telemetry.flush(PATIENCE).open_spans > 0 {
            assert!(since.elapsed() < PATIENCE, "spans stay open");
            thread::yield_now();
        }
        self.telemetry.flush(PATIENCE); // The last ones ended after the flush that counted them.
        (self.spans.take(), self.logs.take())
    }

    /// What Prometheus gets.
    pub(crate) fn page(&self) -> String {
        let page = answer(send(self.telemetry.local_addrs()[0], "/metrics", ""));
        page.strip_prefix("200 ").unwrap().to_owned()
    }
}

fn send(to: SocketAddr, path: &str, headers: &str) -> TcpStream {
    let mut stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\n{headers}Connection: close\r\n\r\n").unwrap();
    stream
}

/// The status and the body.
pub(crate) fn answer(mut stream: TcpStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    format!("{} {body}", head.split(' ').nth(1).unwrap())
}

/// Runs `service` on a thread and a runtime of its own.
fn serve<S, F>(name: &str, service: S) -> SocketAddr
where
    S: FnOnce(tokio::net::TcpListener) -> F + Send + 'static,
    F: Future<Output = ()>,
{
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let run = move || {
        let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            service(tokio::net::TcpListener::from_std(listener).unwrap()).await;
        });
    };
    thread::Builder::new().name(name.to_owned()).spawn(run).unwrap();
    address
}
