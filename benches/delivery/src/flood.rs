//! As many spans as go through: threads record them, one route encodes, compresses and sends them to a sink in
//! another process. Whoever hands over waits for room, so that none is lost.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::Stdio,
    sync::atomic::Ordering::Relaxed,
    thread,
    time::{Duration, Instant},
};

use bellwether::{
    Telemetry,
    export::{Route, otlp::Otlp},
    pipeline::Overflow,
    trace::SpanRecord,
    transport::{Compression, Endpoint},
};

use crate::sink::{Manner, Sink};

const PATIENCE: Duration = Duration::from_secs(60);
const THREADS: u64 = 2;
/// What the route may hold, in MiB: the default, half of it, and next to nothing.
const QUEUES: [u64; 3] = [64, 32, 2];
const WANTED_RATE: f64 = 500_000.0;
const WANTED_MIB: f64 = 96.0;

pub fn run(is_quick: bool, arguments: &[String]) -> Result<(), String> {
    match arguments {
        [url, n, mib] => {
            let number = |text: &str| text.parse().map_err(|error| format!("{text}: {error}"));
            application(url, number(n)?, number(mib)?)
        }
        _ => measure(is_quick),
    }
}

/// Counts in this process what another one sends.
fn measure(is_quick: bool) -> Result<(), String> {
    let (rounds, n) = if is_quick { (1, 200_000) } else { (5, 5_000_000) };
    println!("| queue, MiB | spans | spans/s | memory, MiB | lost | bytes a span | packed |");
    println!("|---|---|---|---|---|---|---|");
    let (mut best, mut most) = (0.0_f64, 0.0_f64);
    for _ in 0..rounds {
        for queue in QUEUES {
            let (rate, mib) = row(queue, n)?;
            if queue == QUEUES[0] {
                (best, most) = (best.max(rate), most.max(mib));
            }
        }
    }
    println!(
        "\nbest {:.2} x the {WANTED_RATE} spans/s that are wanted: {}; with a queue of {} MiB at most {:.2} x the \
         {WANTED_MIB} MiB: {}",
        best / WANTED_RATE,
        crate::verdict(best >= WANTED_RATE),
        QUEUES[0],
        most / WANTED_MIB,
        crate::verdict(most <= WANTED_MIB)
    );
    Ok(())
}

/// Spans a second, and MiB, by a route that holds `queue` MiB at most.
fn row(queue: u64, n: u64) -> Result<(f64, f64), String> {
    let sink = Sink::start(Manner::Fast).map_err(|error| error.to_string())?;
    let (seconds, mib) = round(&sink.url, n, queue).ok_or("the application failed")?;
    let counts = &sink.counts;
    let (bytes, unpacked) = (counts.bytes.load(Relaxed) / n, counts.unpacked.load(Relaxed) / n);
    let (rate, lost) = (n as f64 / seconds, n as i64 - sink.spans() as i64);
    println!("| {queue} | {n} | {rate:.0} | {mib:.0} | {lost} | {unpacked} | {bytes} |");
    if lost == 0 { Ok((rate, mib)) } else { Err(format!("{lost} spans did not arrive")) }
}

/// Seconds and MiB of one round.
fn round(url: &str, n: u64, queue: u64) -> Option<(f64, f64)> {
    let arguments = [url, &n.to_string(), &queue.to_string()];
    let mut command = crate::again(false, "flood", &arguments).ok()?;
    let mut child = command.stdout(Stdio::piped()).spawn().ok()?;
    let mut line = String::new();
    BufReader::new(child.stdout.take()?).read_line(&mut line).ok()?;
    if !child.wait().ok()?.success() {
        return None;
    }
    let (seconds, mib) = line.trim().split_once(' ')?;
    Some((seconds.parse().ok()?, mib.parse().ok()?))
}

/// Records `n` spans, and prints how long it took until all were delivered, and the most memory.
fn application(url: &str, n: u64, queue: u64) -> Result<(), String> {
    let telemetry = start(url, queue).map_err(|error| error.to_string())?;
    let begun = Instant::now();
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| (0..n / THREADS / 5).for_each(trace));
        }
    });
    telemetry.flush(PATIENCE);
    let seconds = begun.elapsed().as_secs_f64();
    let mib = crate::most_memory().unwrap_or(f64::NAN);
    let report = telemetry.shutdown(PATIENCE);
    let totals = report.totals();
    if totals.delivered != n || totals.dropped + totals.held > 0 {
        return Err(report.to_string());
    }
    writeln!(std::io::stdout(), "{seconds} {mib}").map_err(|error| error.to_string())
}

fn start(url: &str, queue: u64) -> Result<Telemetry, bellwether::Error> {
    let endpoint = Endpoint::new(url).allow_plain_http().allow_private();
    let route = Route::<SpanRecord>::from(Otlp::new(endpoint.compression(Compression::Gzip)))
        .settings(|settings| {
            settings.overflow = Overflow::Block(PATIENCE);
            settings.max_bytes = (queue as usize) << 20;
        });
    bellwether::builder("flood").export(route).start()
}

/// A request of five spans, each with a text and a number.
pub fn trace(number: u64) {
    let request = bellwether::span("GET /cart").enter();
    request.set_attribute("http.route", "/cart/{id}");
    request.set_attribute("cart.id", number);
    for name in ["authorize", "load cart", "price", "render"] {
        let part = bellwether::span(name).enter();
        part.set_attribute("component", "shop");
        part.set_attribute("attempt", 1);
    }
}
