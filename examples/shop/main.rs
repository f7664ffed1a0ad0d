//! A small shop, observed: metrics, spans, an alert and an honest report.
//!
//! ```text
//! cargo run --release --example shop                  # a demonstration of ten seconds
//! cargo run --release --example shop -- --listen 127.0.0.1:8080 --telemetry 127.0.0.1:9464 \
//!     --spans spans.jsonl                             # serves until SIGTERM or Ctrl-C
//! ```
//!
//! Without `--spans`, spans go nowhere: they only carry the callers' traces on.

mod demo;

use std::{process::ExitCode, time::Duration};

use axum::{
    Router,
    extract::{MatchedPath, Query, Request, State},
    http::{HeaderMap, StatusCode},
    middleware::{self, Next},
    response::Response,
    routing::get,
};
use bellwether::{
    Histogram, Labels, Unit, UpDownCounter,
    alert::{AlertState, Rule, Severity, Transition, ratio, series},
    export::{File, Route},
    observe, time,
    trace::SpanRecord,
};
use tokio::net::TcpListener;

const REQUEST_DURATION: &str = "http.server.request.duration";

static DURATION: Histogram<Served> =
    Histogram::new(REQUEST_DURATION, "Time to answer a request").unit(Unit::Seconds);
static ACTIVE: UpDownCounter =
    UpDownCounter::new("http.server.active_requests", "Requests being answered");

#[derive(Labels)]
struct Served<'a> {
    #[label(name = "http.request.method")]
    method: &'a str,
    #[label(name = "http.route")]
    route: &'a str,
    #[label(name = "http.response.status_code")]
    status: u16,
}

/// Where this service is, for the calls it makes to itself.
#[derive(Clone)]
struct Shop {
    client: reqwest::Client,
    address: String,
}

fn routes(address: String) -> Router {
    Router::new()
        .route("/catalog", get(catalog))
        .route("/checkout", get(checkout))
        .route("/inventory", get(inventory))
        .route("/fail", get(fail))
        .route("/slow", get(slow))
        .route_layer(middleware::from_fn(measure))
        .with_state(Shop { client: reqwest::Client::new(), address })
}

/// Records each request that a route serves.
async fn measure(request: Request, next: Next) -> Response {
    let start = bellwether::clock::now();
    let _active = ACTIVE.hold();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let response = next.run(request).await;
    let (route, status) = (route.as_ref().map_or("", MatchedPath::as_str), response.status());
    let served = Served { method: method.as_str(), route, status: status.as_u16() };
    DURATION.bind(served).record(bellwether::clock::now().seconds_since(start));
    response
}

#[observe(kind = server, parent = bellwether::extract(&headers))]
async fn catalog(headers: HeaderMap) -> &'static str {
    "apples, pears\n"
}

#[observe(kind = server, parent = bellwether::extract(&headers), fields("cart.items" = 2))]
async fn checkout(State(shop): State<Shop>, headers: HeaderMap) -> Result<String, StatusCode> {
    let url = format!("http://{}/inventory", shop.address);
    let mut headers = HeaderMap::new();
    bellwether::inject(&mut headers);
    let answer = time!("inventory.call", shop.client.get(url).headers(headers).send().await)
        .map_err(|_| StatusCode::BAD_GATEWAY)?;
    let stock = answer.text().await.map_err(|_| StatusCode::BAD_GATEWAY)?;
    Ok(format!("ordered 2 of {stock}"))
}

#[observe(kind = server, parent = bellwether::extract(&headers))]
async fn inventory(headers: HeaderMap) -> &'static str {
    "12\n"
}

#[observe(kind = server, parent = bellwether::extract(&headers))]
async fn fail(headers: HeaderMap) -> Result<(), StatusCode> {
    Err(StatusCode::INTERNAL_SERVER_ERROR)
}

#[derive(serde::Deserialize)]
struct Wait {
    ms: u64,
}

#[observe(kind = server, parent = bellwether::extract(&headers), fields("wait.ms" = wait.ms))]
async fn slow(Query(wait): Query<Wait>, headers: HeaderMap) -> String {
    tokio::time::sleep(Duration::from_millis(wait.ms.min(10_000))).await;
    format!("waited {} ms\n", wait.ms)
}

/// More than 5 % of the requests of the last two seconds failed, for a second.
fn failing() -> Rule {
    let window = Duration::from_secs(2);
    let requests = series(REQUEST_DURATION);
    let failed = requests.clone().label_starts_with("http.response.status_code", "5");
    let share = ratio(failed.rate(window).sum(), requests.rate(window).sum());
    Rule::new("RequestsFail", share.above(0.05))
        .for_duration(Duration::from_secs(1))
        .severity(Severity::Critical)
        .annotation("summary", "More than 5 % of the requests fail")
}

fn announce(transition: &Transition) {
    let (name, value) = (transition.alert.name(), transition.alert.value());
    match transition.to {
        AlertState::Resolved => {
            println!("alert {name} is resolved (value {value:.2} when it last held)")
        }
        state => println!("alert {name} is {} (value {value:.2})", state.as_str()),
    }
}

const USAGE: &str = "shop [--listen ADDR [--telemetry ADDR] [--spans FILE]]";

#[derive(Default)]
struct Options {
    listen: Option<String>,
    telemetry: Option<String>,
    spans: Option<String>,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self::default();
        while let Some(name) = arguments.next() {
            let option = match name.as_str() {
                "--listen" => &mut options.listen,
                "--telemetry" => &mut options.telemetry,
                "--spans" => &mut options.spans,
                _ => return Err(format!("{name:?} is no option: {USAGE}")),
            };
            *option = Some(arguments.next().ok_or(format!("{name} wants a value"))?);
        }
        Ok(options)
    }
}

async fn serve(options: Options) -> Result<(), String> {
    let address = options.listen.ok_or("--listen ADDR is missing")?;
    let mut telemetry = bellwether::builder("shop").alert_rule(failing()).on_transition(announce);
    if let Some(address) = &options.telemetry {
        telemetry = telemetry.prometheus(address);
    }
    if let Some(path) = &options.spans {
        telemetry =
            telemetry.export(Route::<SpanRecord>::new(File::open(path).map_err(with_cause)?));
    }
    let telemetry = telemetry.start().map_err(with_cause)?;
    let listener = TcpListener::bind(&address)
        .await
        .map_err(|error| format!("cannot listen on --listen {address:?}: {error}"))?;
    let local = listener.local_addr().map_err(|error| error.to_string())?;
    println!("shop on http://{local}");
    telemetry
        .local_addrs()
        .iter()
        .for_each(|address| println!("metrics on http://{address}/metrics"));
    axum::serve(listener, routes(local.to_string()))
        .with_graceful_shutdown(end())
        .await
        .map_err(|error| error.to_string())?;
    println!("{}", telemetry.shutdown(Duration::from_secs(5)));
    Ok(())
}

fn with_cause(error: impl std::error::Error) -> String {
    let cause = error.source().map(|cause| format!(": {cause}"));
    format!("{error}{}", cause.unwrap_or_default())
}

/// Waits for SIGTERM or Ctrl-C.
async fn end() {
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

#[tokio::main]
async fn main() -> ExitCode {
    let run = async {
        let arguments: Vec<String> = std::env::args_os()
            .skip(1)
            .map(|argument| argument.to_string_lossy().into_owned())
            .collect();
        match &*arguments {
            [] => demo::run().await,
            [help] if help == "--help" || help == "-h" => {
                println!("{USAGE}\nWithout options, a demonstration of ten seconds.");
                Ok(())
            }
            _ => serve(Options::parse(arguments.into_iter())?).await,
        }
    };
    match run.await {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("shop: {message}");
            ExitCode::FAILURE
        }
    }
}
