//! Serving: until SIGTERM or Ctrl-C, with metrics and spans where the options want them.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bellwether::{
    export::{File, Route},
    trace::SpanRecord,
};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

use crate::{
    alerts,
    options::ServeOptions,
    routes::Shop,
    screen::{Paint, totals},
    server::serve,
    with_cause,
};

pub(crate) async fn run(options: ServeOptions) -> Result<(), String> {
    let paint = Paint::for_stdout();
    let mut telemetry = bellwether::builder("shop")
        .process_metrics()
        .alert_rule(alerts::requests_fail())
        .on_transition(move |change| println!("{}", alerts::line(&change.alert, paint)));
    if let Some(address) = &options.telemetry {
        telemetry = telemetry.prometheus(address);
    }
    if let Some(path) = &options.spans {
        let file = File::open(path).map_err(with_cause)?;
        telemetry = telemetry.export(Route::<SpanRecord>::new(file));
    }
    let telemetry = telemetry.start().map_err(with_cause)?;
    let running = Running::start(&options.listen).await?;
    println!("shop on http://{}", running.address);
    for address in telemetry.local_addrs() {
        println!("metrics on http://{address}/metrics");
    }
    signalled().await;
    running.stop().await;
    let report = telemetry.shutdown(Duration::from_secs(5));
    report.queues.iter().for_each(|queue| println!("{queue}"));
    println!("{}", totals(&report));
    Ok(())
}

/// The shop and, on an address of its own, the inventory service that it calls.
pub(crate) struct Running {
    pub(crate) shop: Arc<Shop>,
    pub(crate) address: SocketAddr,
    /// In the order in which they are stopped: the shop needs the inventory until its last request.
    servers: [Server; 2],
}

struct Server {
    end: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Running {
    pub(crate) async fn start(address: &str) -> Result<Self, String> {
        let (outer, address) = listen(address)
            .await
            .map_err(|error| format!("cannot listen on --listen {address:?}: {error}"))?;
        let (inner, inventory) = listen("127.0.0.1:0")
            .await
            .map_err(|error| format!("cannot listen for the inventory: {error}"))?;
        let shop = Arc::new(Shop::new(&inventory.to_string()));
        let servers = [outer, inner].map(|listener| Server::start(listener, shop.clone()));
        Ok(Self { shop, address, servers })
    }

    /// Ends when the requests that are under way are answered.
    pub(crate) async fn stop(self) {
        for Server { end, task } in self.servers {
            let _ = end.send(());
            let _ = task.await;
        }
    }
}

impl Server {
    fn start(listener: TcpListener, shop: Arc<Shop>) -> Self {
        let (end, ended) = oneshot::channel();
        let ended = async { ended.await.unwrap_or_default() };
        Self { end, task: tokio::spawn(serve(listener, shop, ended)) }
    }
}

async fn listen(address: &str) -> std::io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// Waits for SIGTERM or Ctrl-C.
pub(crate) async fn signalled() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let Ok(mut terminate) = signal(SignalKind::terminate()) else { return };
        tokio::select! {
            _ = interrupt => {}
            _ = terminate.recv() => {}
        }
    }
    #[cfg(not(unix))]
    let _ = interrupt.await;
}
