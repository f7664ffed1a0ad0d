//! The thread that accepts and serves, and how it is stopped.

use std::{
    future::poll_fn,
    io,
    net::{self, SocketAddr},
    pin::pin,
    sync::Arc,
    task::Poll,
    thread,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use tokio::{runtime, sync::watch, task::JoinHandle, time::timeout_at};

use super::{
    connection::{self, Phase, Progress},
    exchange::{Handler, Limits},
    listen,
};
use crate::{
    clock, diagnostics,
    error::{Error, ErrorKind},
    util::process,
};

/// A running server; dropping it stops it.
#[derive(Debug)]
pub(crate) struct Server {
    local_addr: SocketAddr,
    /// The process of its thread.
    generation: u32,
    /// The deadline for responses under way, once the server should stop.
    stop: watch::Sender<Option<Instant>>,
    /// Closed when the thread has ended.
    ended: Receiver<()>,
}

impl Server {
    /// Listens on `addr`, `host:port`, and serves from then on. Port 0 takes a free port; without a
    /// host it is every interface, as in Prometheus' own flags.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidOption`] if `addr` is not an address. [`ErrorKind::Io`] if the system
    /// refuses: the host is unknown, the port is in use, or no thread can be started.
    pub(crate) fn bind(addr: &str, handler: Handler) -> Result<Self, Error> {
        Self::bind_with(addr, handler, Limits::default())
    }

    /// [`bind`](Self::bind) with other limits.
    pub(crate) fn bind_with(addr: &str, handler: Handler, limits: Limits) -> Result<Self, Error> {
        let failed = |error: io::Error| {
            Error::new(ErrorKind::Io, format!("cannot listen on {addr:?}: {error}"))
        };
        // Bound here and not on the thread, so that the caller gets the error if the port is in use.
        let listener = listen::listen(addr)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let local_addr = listener.local_addr().map_err(failed)?;

        let (stop, stopped) = watch::channel(None);
        let (started, start) = bounded(1);
        let (alive, ended) = bounded(0);
        let run = move || {
            let _alive = alive; // Dropped when the thread ends, even by a panic.
            // Built here because it must not be dropped on a thread of the user's runtime.
            match runtime::Builder::new_current_thread().enable_io().enable_time().build() {
                Ok(runtime) => runtime.block_on(serve(listener, handler, limits, stopped, started)),
                Err(error) => drop(started.send(Err(error))),
            }
        };
        thread::Builder::new().name("bellwether-http".to_owned()).spawn(run).map_err(failed)?;
        match start.recv() {
            Ok(Ok(())) => Ok(Self { local_addr, generation: process::generation(), stop, ended }),
            Ok(Err(error)) => Err(failed(error)),
            Err(_) => Err(failed(io::Error::other("its thread panicked"))),
        }
    }

    /// The address where it listens, with the actual port if it was 0.
    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Stops listening, lets responses under way finish until `deadline`, and returns whether
    /// everything had ended by then. What has not ended is cut off without waiting.
    pub(crate) fn shutdown(&self, deadline: Instant) -> bool {
        self.stop.send_replace(Some(deadline));
        self.ended.recv_deadline(deadline) != Err(RecvTimeoutError::Timeout)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.generation != process::generation() {
            return; // A forked child does not have the thread; the parent's serves on.
        }
        // Arbitrary: a scrape under way takes milliseconds, and a drop should not wait long.
        self.shutdown(clock::deadline(Duration::from_secs(1)));
    }
}

/// A connection that is being served.
struct Connection {
    progress: Arc<Progress>,
    task: JoinHandle<()>,
}

/// The thread's work: accepts connections until it is stopped.
async fn serve(
    listener: net::TcpListener,
    handler: Handler,
    limits: Limits,
    mut stopped: watch::Receiver<Option<Instant>>,
    started: Sender<io::Result<()>>,
) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return drop(started.send(Err(error))),
    };
    let _ = started.send(Ok(()));

    let mut connections: Vec<Connection> = Vec::new();
    let stop = stopped.clone();
    let mut stopping = pin!(async move {
        let asked = stopped.wait_for(Option::is_some).await;
        asked.ok().and_then(|deadline| *deadline)
    });
    let deadline = loop {
        let next = poll_fn(|cx| match stopping.as_mut().poll(cx) {
            Poll::Ready(deadline) => Poll::Ready(Err(deadline)),
            Poll::Pending => listener.poll_accept(cx).map(Ok),
        });
        match next.await {
            Err(deadline) => break deadline,
            Ok(Ok((stream, _))) => {
                if make_room(&mut connections, limits.connections) {
                    let progress = Arc::new(Progress::new(limits));
                    let work = connection::serve(
                        stream,
                        Arc::clone(&handler),
                        Arc::clone(&progress),
                        stop.clone(),
                    );
                    connections.push(Connection { progress, task: tokio::spawn(work) });
                }
            }
            // Usually out of file descriptors: there may be free ones later.
            Ok(Err(error)) => {
                diagnostics::report("http server", format_args!("cannot accept: {error}"));
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    };
    drop(listener);
    // Connections without a response under way end by themselves: they watch `stop` too.
    let all = async {
        for connection in connections {
            let _ = connection.task.await;
        }
    };
    if let Some(deadline) = deadline {
        let _ = timeout_at(deadline.into(), all).await;
    }
}

/// Makes room for one more connection; `false` if all have a response under way.
fn make_room(connections: &mut Vec<Connection>, limit: usize) -> bool {
    connections.retain(|connection| !connection.task.is_finished());
    if connections.len() < limit {
        return true;
    }
    let waiting = connections.iter().enumerate().filter_map(|(place, connection)| {
        let (phase, since) = connection.progress.now();
        (phase != Phase::Answer).then_some((since, place))
    });
    match waiting.min() {
        Some((_, place)) => {
            connections.swap_remove(place).task.abort();
            true
        }
        None => false,
    }
}
