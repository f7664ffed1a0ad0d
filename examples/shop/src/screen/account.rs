//! What became of every record, in words.

use bellwether::pipeline::{QueueReport, Report, Totals};

use super::{Paint, thousands};

pub(crate) fn account(report: &Report, paint: Paint) -> String {
    let queues: Vec<String> = report.queues.iter().map(|queue| queue_words(queue, paint)).collect();
    queues.join("\n")
}

/// All queues in one line, for scripts. Nothing is spooled in the shop.
pub(crate) fn totals(report: &Report) -> String {
    let Totals { offered, delivered, held, dropped, .. } = report.totals();
    format!("offered={offered} delivered={delivered} held={held} spooled=0 dropped={dropped}")
}

fn queue_words(queue: &QueueReport, paint: Paint) -> String {
    let QueueReport { name, signal, offered, delivered, held, dropped, .. } = queue;
    let mut lines = vec![
        format!(
            "  Of {} {signal} that were offered to the exporter {name:?},",
            thousands(*offered)
        ),
        format!("{:>12} were delivered,", thousands(*delivered)),
        format!("{:>12} are still held, and", thousands(*held)),
    ];
    let lost = format!("{:>12} were dropped.", thousands(dropped.total()));
    lines.push(if dropped.total() > 0 { paint.red(&lost) } else { lost });
    for (reason, count) in dropped.iter() {
        lines.push(format!("{:>16} for the reason {reason}", thousands(count)));
    }
    lines.join("\n")
}
