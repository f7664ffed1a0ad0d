//! The table of routes.

use bellwether::metric::Window;

use super::{Paint, duration};
use crate::server::REQUEST_DURATION;

/// Rate, errors and quantiles of each route, a line for each.
pub(crate) fn routes(window: &Window, paint: Paint) -> String {
    let mut table = paint.dim(&row("route", ["rate", "errors", "P50", "P90", "P99"]));
    for (route, requests) in window.requests_by(REQUEST_DURATION, "http.route") {
        let [p50, p90, p99] = [requests.p50(), requests.p90(), requests.p99()]
            .map(|seconds| seconds.map_or("-".to_owned(), duration));
        let rate = format!("{:.1}/s", requests.rate());
        let share = requests.error_rate().unwrap_or(0.0);
        let errors = format!("{:.1} %", share * 100.0);
        let line = row(&route, [&rate, &errors, &p50, &p90, &p99]);
        table.push('\n');
        table.push_str(&if share > 0.0 { paint.red(&line) } else { line });
    }
    table
}

fn row(route: &str, [rate, errors, p50, p90, p99]: [&str; 5]) -> String {
    format!("  {route:<14} {rate:>11} {errors:>9} {p50:>11} {p90:>11} {p99:>11}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::screen::WIDTH;

    #[test]
    fn a_row_fits_into_eighty_columns() {
        let row = row("/a-long-route", ["123456.7/s", "100.0 %", "999 µs", "99.9 ms", "9999.9 ms"]);
        assert!(row.chars().count() <= WIDTH);
    }
}
