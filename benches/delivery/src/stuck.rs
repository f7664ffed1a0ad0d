//! Nine backends beside one that is stuck: they take as much as without it.

use std::{
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use bellwether::{
    Telemetry,
    export::{Route, otlp::Otlp},
    trace::SpanRecord,
    transport::{Compression, Endpoint},
};

use crate::{
    flood::trace,
    sink::{Manner, Sink},
};

const OTHERS: usize = 9;
const HELD: usize = 20_000;
const WANTED: f64 = 0.95;

pub fn run(is_quick: bool, _: &[String]) -> Result<(), String> {
    let (rounds, length) = if is_quick { (1, 500) } else { (7, 3_000) };
    let length = Duration::from_millis(length);
    println!("| spans/s of nine, alone | beside a stuck one | ratio |\n|---|---|---|");
    let mut ratios = Vec::new();
    for round in 0..rounds {
        // They take turns in going first.
        let first = measure(round % 2 == 1, length)?;
        let second = measure(round % 2 == 0, length)?;
        let (alone, beside) = if round % 2 == 1 { (second, first) } else { (first, second) };
        println!("| {alone:.0} | {beside:.0} | {:.3} |", beside / alone);
        ratios.push(beside / alone);
    }
    ratios.sort_by(f64::total_cmp);
    let median = ratios[ratios.len() / 2];
    println!(
        "\nmedian {median:.3} of {WANTED} that are wanted: {}",
        crate::verdict(median >= WANTED)
    );
    Ok(())
}

/// Spans a second that nine sinks take in all, while more are recorded than fit.
fn measure(has_stuck: bool, length: Duration) -> Result<f64, String> {
    let sink = |manner| Sink::start(manner).map_err(|error| error.to_string());
    let sinks: Vec<Sink> = (0..OTHERS).map(|_| sink(Manner::Fast)).collect::<Result<_, _>>()?;
    let stuck = sink(Manner::Stuck)?;
    let urls = sinks.iter().map(|sink| &*sink.url).chain(has_stuck.then_some(&*stuck.url));
    let telemetry = start(urls).map_err(|error| error.to_string())?;
    let is_over = AtomicBool::new(false);
    let taken = || sinks.iter().map(Sink::spans).sum::<u64>();
    let rate = thread::scope(|scope| {
        scope.spawn(|| {
            let mut number = 0;
            // 100,000 spans a second, nine or ten times: about what two cores can do, or more.
            while !is_over.load(Relaxed) {
                (0..20).for_each(|n| trace(number + n));
                number += 20;
                thread::sleep(Duration::from_millis(1));
            }
        });
        thread::sleep(length / 4); // Connections, and the first batches.
        let (begun, before) = (Instant::now(), taken());
        thread::sleep(length);
        let rate = (taken() - before) as f64 / begun.elapsed().as_secs_f64();
        is_over.store(true, Relaxed);
        rate
    });
    let report = telemetry.shutdown(Duration::from_millis(200));
    for queue in &report.queues {
        let totals = queue.totals();
        if totals.offered != totals.delivered + totals.held + totals.dropped {
            return Err(report.to_string());
        }
    }
    Ok(rate)
}

fn start<'a>(urls: impl Iterator<Item = &'a str>) -> Result<Telemetry, bellwether::Error> {
    let mut builder = bellwether::builder("stuck");
    for url in urls {
        let endpoint = Endpoint::new(url).allow_plain_http().allow_private();
        let otlp = Otlp::new(endpoint.compression(Compression::Gzip));
        // Small, so that the stuck one is full before it is measured, and holds no more records from then on.
        let route = Route::<SpanRecord>::from(otlp);
        builder = builder.export(route.settings(|settings| settings.max_items = HELD));
    }
    builder.start()
}
