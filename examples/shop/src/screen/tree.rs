//! A trace as a tree, with a bar for each span's share of the time.

use bellwether::{context::Outcome, trace::SpanRecord};

use super::{Paint, duration};

const NAMES: usize = 28;
const BARS: usize = 15;

/// The spans below `root` and itself: a line for each, children by their start.
pub(crate) fn tree(spans: &[SpanRecord], root: &SpanRecord, paint: Paint) -> String {
    let header =
        format!("{:<NAMES$} {:<8} {:>9} {:>5}  {}", "span", "kind", "took", "share", "when");
    let mut tree = Tree { spans, root, paint, lines: vec![paint.dim(&header)] };
    tree.add(root, "", "");
    tree.lines.join("\n")
}

struct Tree<'a> {
    spans: &'a [SpanRecord],
    root: &'a SpanRecord,
    paint: Paint,
    lines: Vec<String>,
}

impl Tree<'_> {
    /// Adds `span`, its own line after `branch`, those of its children after `indent`.
    fn add(&mut self, span: &SpanRecord, branch: &str, indent: &str) {
        let line = self.line(span, branch);
        self.lines.push(line);
        let mut children: Vec<_> = self
            .spans
            .iter()
            .filter(|child| child.parent_span_id() == Some(span.span_id()))
            .collect();
        children.sort_by_key(|child| child.start());
        let last = children.len().saturating_sub(1);
        for (place, child) in children.into_iter().enumerate() {
            let [branch, below] =
                if place == last { ["└─ ", "   "] } else { ["├─ ", "│  "] };
            self.add(child, &format!("{indent}{branch}"), &format!("{indent}{below}"));
        }
    }

    fn line(&self, span: &SpanRecord, branch: &str) -> String {
        let whole = seconds(self.root).max(1e-9);
        let took = seconds(span);
        let offset = span.start().seconds_since(self.root.start());
        let failed = span.outcome() != Outcome::Ok;
        let name = format!("{:<NAMES$}", fitted(&format!("{branch}{}", span.name()), NAMES));
        let bar = bar(offset / whole, took / whole);
        let [name, bar] = if failed {
            [name, bar].map(|text| self.paint.red(&text))
        } else {
            [name, self.paint.cyan(&bar)]
        };
        let kind = self.paint.dim(&format!("{:<8}", span.kind().as_str()));
        let share = format!("{:.0} %", took / whole * 100.0);
        let outcome = if failed { span.outcome().as_str() } else { "" };
        let line = format!("{name} {kind} {:>9} {share:>5}  {bar} {outcome}", duration(took));
        line.trim_end().to_owned()
    }
}

fn seconds(span: &SpanRecord) -> f64 {
    span.end().seconds_since(span.start())
}

/// Blocks from where the span began to where it ended; both are shares of the root's time.
fn bar(offset: f64, share: f64) -> String {
    let cells = |share: f64| (share * BARS as f64).round() as usize;
    let from = cells(offset).min(BARS - 1);
    let to = cells(offset + share).clamp(from, BARS);
    let filled = if to == from { "▏".to_owned() } else { "█".repeat(to - from) };
    let line = format!("{:from$}{filled}", "");
    format!("{line:<BARS$}")
}

/// `text`, cut to `width` columns.
fn fitted(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bellwether::{clock, testing};

    use super::*;
    use crate::screen::WIDTH;

    #[test]
    fn a_trace_is_a_tree_with_bars_in_eighty_columns() {
        let scope = testing::scope();
        let times: Vec<_> = (0..=10)
            .map(|_| {
                scope.advance(Duration::from_millis(1));
                clock::now()
            })
            .collect();
        let span = |name: &'static str, parent: Option<&SpanRecord>, from: usize, to: usize| {
            let span = SpanRecord::new(name).with_times(times[from], times[to]);
            parent.map_or(span.clone(), |parent| span.with_parent(parent.context()))
        };
        let root = span("GET /checkout", None, 0, 10);
        let order = span("checkout.place_order", Some(&root), 0, 10);
        let mut insert = span("INSERT orders", Some(&order), 5, 10);
        insert.set_outcome(Outcome::Cancelled);
        let cart = span("a name that is too long for its column", Some(&order), 0, 5);
        let tiny = span("tiny", Some(&cart), 5, 5);
        let spans = [insert, tiny, cart, order, root.clone()];

        let tree = tree(&spans, &root, Paint::none());

        let expected = "\
span                         kind          took share  when
GET /checkout                internal   10.0 ms 100 %  ███████████████
└─ checkout.place_order      internal   10.0 ms 100 %  ███████████████
   ├─ a name that is too lo… internal    5.0 ms  50 %  ████████
   │  └─ tiny                internal      0 µs   0 %          ▏
   └─ INSERT orders          internal    5.0 ms  50 %          ███████ cancelled";
        assert_eq!(tree, expected);
        assert!(tree.lines().all(|line| line.chars().count() <= WIDTH));
    }

    #[test]
    fn a_bar_never_leaves_its_column() {
        for (offset, share) in [(0.0, 1.0), (1.0, 0.0), (0.99, 0.5), (-0.1, 2.0), (2.0, 2.0)] {
            assert_eq!(bar(offset, share).chars().count(), BARS, "{offset} {share}");
        }
    }
}
