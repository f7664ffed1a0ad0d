//! The demonstration: load with a fault in the middle, and what the telemetry says about it.

use std::time::Duration;

use bellwether::{
    Telemetry, alert::AlertState, context::Outcome, export::Memory, trace::SpanRecord,
};
use tokio::time::interval;

use crate::{
    alerts,
    customers::Customers,
    screen::{Paint, account, duration, routes, totals, tree, wrapped},
    serve::{Running, signalled},
    server::REQUEST_DURATION,
    with_cause,
};

const LOAD: Duration = Duration::from_secs(10);
/// The seconds of the load in which the database loses connections.
const FAULT: std::ops::Range<u64> = 3..6;
/// How long telemetry may take to hand over what it holds.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) async fn run(keep: bool) -> Result<(), String> {
    let paint = Paint::for_stdout();
    let spans = Memory::<SpanRecord>::new();
    let telemetry = bellwether::builder("shop")
        .export(spans.clone())
        .process_metrics()
        .alert_rule(alerts::requests_fail())
        .on_transition(move |change| println!("{}", alerts::line(&change.alert, paint)))
        .prometheus("127.0.0.1:0")
        .start()
        .map_err(with_cause)?;
    let shop = Running::start("127.0.0.1:0").await?;
    print_start(&shop, &telemetry, paint);

    watch_load(&shop, &telemetry, paint).await;
    println!("\n{}", paint.bold("The routes, over the last ten seconds"));
    println!("{}", routes(&telemetry.window(LOAD), paint));
    telemetry.flush(PATIENCE);
    print_trace(&spans.take(), paint);
    if keep {
        println!("\nThe shop and its metrics stay up until Ctrl-C.");
        signalled().await;
    }
    shop.stop().await;
    let report = telemetry.shutdown(PATIENCE);
    println!("\n{}", paint.bold("What became of every record"));
    println!("{}\n\n{}", account(&report, paint), totals(&report));
    Ok(())
}

fn print_start(shop: &Running, telemetry: &Telemetry, paint: Paint) {
    println!("shop on http://{}", shop.address);
    for address in telemetry.local_addrs() {
        println!("metrics on http://{address}/metrics");
    }
    for rule in telemetry.rules() {
        println!("\n{}", paint.bold(&format!("The alert rule {}", rule.name)));
        println!("{}", wrapped(&rule.condition));
    }
}

/// Sends requests for ten seconds, or until the alert is over, and prints a line for each second.
async fn watch_load(shop: &Running, telemetry: &Telemetry, paint: Paint) {
    println!("\n{}", paint.bold("Ten seconds of requests"));
    let header = format!("{:>6} {:>12} {:>10} {:>11}", "time", "requests", "errors", "P99");
    println!("{}", paint.dim(&header));
    let customers = Customers::start(&shop.address.to_string());
    let mut seconds = interval(Duration::from_secs(1));
    seconds.tick().await;
    for second in 0.. {
        let is_late = second >= LOAD.as_secs() + PATIENCE.as_secs();
        if is_late || second >= LOAD.as_secs() && !has_alert(telemetry) {
            break;
        }
        shop.shop.stores.set_faulty(FAULT.contains(&second));
        if second == FAULT.start {
            println!("  the database loses connections");
        } else if second == FAULT.end {
            println!("  the database is back");
        }
        seconds.tick().await;
        print_second(second + 1, telemetry, paint);
    }
    customers.stop();
}

/// Whether an alert is not over yet: on a slow machine that may take longer.
fn has_alert(telemetry: &Telemetry) -> bool {
    telemetry.alerts().iter().any(|alert| alert.state() != AlertState::Resolved)
}

fn print_second(second: u64, telemetry: &Telemetry, paint: Paint) {
    let last = telemetry.window(Duration::from_secs(1));
    let Some(requests) = last.requests(REQUEST_DURATION) else { return };
    let share = requests.error_rate().unwrap_or(0.0);
    let errors = format!("{:>8.1} %", share * 100.0);
    let errors = if share > 0.0 { paint.red(&errors) } else { errors };
    let p99 = requests.p99().map_or("-".to_owned(), duration);
    println!("{second:>4} s {:>10.0}/s {errors} {p99:>11}", requests.rate());
}

/// Prints the slowest of the checkouts that failed, or of all where none did.
fn print_trace(spans: &[SpanRecord], paint: Paint) {
    let failed = |span: &SpanRecord| span.outcome() == Outcome::Error;
    let checkouts = spans.iter().filter(|span| span.name() == "GET /checkout");
    let slowest = checkouts.max_by(|a, b| {
        let took = |span: &SpanRecord| span.duration();
        failed(a).cmp(&failed(b)).then(took(a).cmp(&took(b)))
    });
    let Some(root) = slowest else { return };
    let trace: Vec<_> =
        spans.iter().filter(|span| span.trace_id() == root.trace_id()).cloned().collect();
    let title = match failed(root) {
        true => "The slowest checkout that failed, trace",
        false => "The slowest checkout, trace",
    };
    println!("\n{}", paint.bold(&format!("{title} {}", root.trace_id())));
    println!("{}", tree(&trace, root, paint));
}
