//! Spans as indented text.

use std::{collections::HashMap, fmt::Write as _};

use crate::{context::SpanId, trace::SpanRecord};

/// One line for each span, children below their parent, all in the order of their starts.
pub(super) fn render(spans: &[SpanRecord]) -> String {
    let known: HashMap<SpanId, usize> =
        spans.iter().enumerate().map(|(place, span)| (span.span_id(), place)).collect();
    let mut children: HashMap<Option<usize>, Vec<usize>> = HashMap::new();
    for (place, span) in spans.iter().enumerate() {
        // A span whose parent is not among them is shown as a root.
        let parent = span.parent_span_id().and_then(|parent| known.get(&parent).copied());
        children.entry(parent).or_default().push(place);
    }
    for places in children.values_mut() {
        places.sort_by_key(|&place| spans[place].start());
    }
    let mut text = String::new();
    let mut open: Vec<(usize, usize)> = Vec::new(); // Spans yet to be written: index and depth.
    let push = |open: &mut Vec<_>, parent: Option<usize>, depth: usize| {
        let below = children.get(&parent).map_or(&[][..], Vec::as_slice);
        open.extend(below.iter().rev().map(|&place| (place, depth)));
    };
    push(&mut open, None, 0);
    while let Some((place, depth)) = open.pop() {
        write_line(&mut text, &spans[place], depth);
        push(&mut open, Some(place), depth + 1);
    }
    text
}

fn write_line(text: &mut String, span: &SpanRecord, depth: usize) {
    let outcome = span.outcome().as_str();
    let _ = write!(text, "{:indent$}{} {outcome}", "", span.name(), indent = depth * 2);
    for attribute in span.attributes() {
        let _ = write!(text, " {}={}", attribute.key, attribute.value);
    }
    text.push('\n');
}
