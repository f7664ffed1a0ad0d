//! Records as text.

use std::fmt::Write as _;

use bellwether::{log::LogRecord, trace::SpanRecord};

/// A line for each span, children below their parents: its name, its kind, `remote` if its parent came in
/// headers, its outcome, and the type of its error.
pub(crate) fn of_spans(spans: &[SpanRecord]) -> String {
    let is_known = |span: &SpanRecord| {
        spans.iter().any(|other| Some(other.span_id()) == span.parent_span_id())
    };
    let mut roots: Vec<_> = spans.iter().filter(|span| !is_known(span)).collect();
    roots.sort_by_key(|span| span.start());
    let mut text = String::new();
    for root in roots {
        write_below(&mut text, root, spans, 0);
    }
    text
}

fn write_below(text: &mut String, span: &SpanRecord, spans: &[SpanRecord], depth: usize) {
    let remote = if span.parent_is_remote() { " remote" } else { "" };
    let kind = format!("{:?}", span.kind()).to_lowercase();
    let error = span.attributes().iter().find(|attribute| attribute.key == "error.type");
    let error = error.map_or(String::new(), |error| format!(" {}", error.value));
    let (name, outcome) = (span.name(), span.outcome().as_str());
    let indent = depth * 2;
    writeln!(text, "{:indent$}{name}: {kind}{remote}, {outcome}{error}", "").unwrap();
    let mut children: Vec<_> =
        spans.iter().filter(|child| child.parent_span_id() == Some(span.span_id())).collect();
    children.sort_by_key(|child| child.start());
    for child in children {
        assert_eq!(child.trace_id(), span.trace_id());
        write_below(text, child, spans, depth + 1);
    }
}

/// A line for each log record, in the order of time: its severity, the span that it was made in, its body.
pub(crate) fn of_logs(spans: &[SpanRecord], logs: &[LogRecord]) -> String {
    let mut logs: Vec<_> = logs.iter().collect();
    logs.sort_by_key(|log| log.observed());
    let mut text = String::new();
    for log in logs {
        let span = spans.iter().find(|span| Some(span.span_id()) == log.span_id());
        let span = span.filter(|span| Some(span.trace_id()) == log.trace_id());
        let span = span.map_or("no span", SpanRecord::name);
        writeln!(text, "{} in {span}: {}", log.severity_text().to_lowercase(), log.body()).unwrap();
    }
    text
}
