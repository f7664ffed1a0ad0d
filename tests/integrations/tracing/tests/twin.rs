//! Random trees over threads, against a naive twin that knows what the registry and the current context do.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the rules are the library's own"
)]

use std::{
    collections::HashMap,
    sync::mpsc::{self, Sender},
    thread,
};

use bellwether::{
    context::SpanId,
    integration::tracing::{TracingSpanExt as _, layer},
    trace::SpanScope,
};
use bellwether_integration_tracing::run_in;
use proptest::prelude::*;
use tracing::{Dispatch, Span, dispatcher, field::Empty, info_span};
use tracing_subscriber::{layer::SubscriberExt as _, registry};

const THREADS: usize = 3;

/// What a thread is in, innermost last.
#[derive(Clone, Copy, Debug, PartialEq)]
enum In {
    Theirs(usize),
    Ours(usize),
}

#[derive(Clone, Debug, Default)]
struct Node {
    /// Expected parent, and the span whose close waits for this one's.
    parent: Option<usize>,
    holds: Option<usize>,
    refs: usize,
    has_ended: bool,
    value: Option<i64>,
}

#[derive(Default)]
struct Twin {
    nodes: Vec<Node>,
    stays: [Vec<In>; THREADS],
    /// The registry's own stack: spans, and whether they were in it already.
    entered: [Vec<(usize, bool)>; THREADS],
}

impl Twin {
    fn top(&self, thread: usize) -> Option<usize> {
        self.stays[thread].last().map(|stay| match *stay {
            In::Theirs(node) | In::Ours(node) => node,
        })
    }

    fn heal(&mut self, thread: usize) {
        let stays = &mut self.stays[thread];
        while let Some(at) = stays.iter().rposition(|stay| matches!(stay, In::Theirs(_)))
            && let In::Theirs(node) = stays[at]
            && self.nodes[node].has_ended
        {
            stays.remove(at); // Also from below scopes of ours.
        }
    }

    fn registry_current(&self, thread: usize) -> Option<usize> {
        let (node, _) = *self.entered[thread].iter().rev().find(|(_, again)| !again)?;
        (!self.nodes[node].has_ended).then_some(node)
    }

    fn make(&mut self, thread: usize, parent: Option<Option<usize>>) -> usize {
        self.heal(thread);
        let (below, holds) = match parent {
            None => (self.top(thread), self.registry_current(thread)),
            Some(explicit) => (explicit, explicit),
        };
        if let Some(holds) = holds {
            self.nodes[holds].refs += 1;
        }
        self.nodes.push(Node { parent: below, holds, refs: 1, ..Node::default() });
        self.nodes.len() - 1
    }

    fn enter(&mut self, thread: usize, node: usize) {
        self.heal(thread);
        self.stays[thread].push(In::Theirs(node));
        let again = self.entered[thread].iter().any(|&(other, _)| other == node);
        self.entered[thread].push((node, again));
    }

    fn exit(&mut self, thread: usize, node: usize) {
        self.heal(thread);
        let of = |stay: &In| *stay == In::Theirs(node);
        if let Some(at) = self.stays[thread].iter().rposition(of) {
            self.stays[thread].remove(at);
        }
        let at = self.entered[thread].iter().rposition(|&(other, _)| other == node);
        at.map(|at| self.entered[thread].remove(at));
    }

    fn close(&mut self, node: usize) {
        let mut next = Some(node);
        while let Some(node) = next {
            self.nodes[node].refs -= 1;
            let is_over = self.nodes[node].refs == 0;
            self.nodes[node].has_ended |= is_over;
            next = self.nodes[node].holds.filter(|_| is_over);
        }
    }
}

type Work = Box<dyn FnOnce(&mut HashMap<usize, SpanScope>) -> SpanId + Send>;

/// A thread that does one thing at a time, and says what is current after each.
fn worker(subscriber: Dispatch) -> (Sender<Work>, mpsc::Receiver<SpanId>, thread::JoinHandle<()>) {
    let (send, receive) = mpsc::channel::<Work>();
    let (done, answers) = mpsc::channel();
    let handle = thread::spawn(move || {
        dispatcher::with_default(&subscriber, || {
            let mut scopes = HashMap::new();
            for work in receive {
                done.send(work(&mut scopes)).unwrap();
            }
        });
    });
    (send, answers, handle)
}

fn check(steps: &[(usize, u8, usize)]) {
    let subscriber = Dispatch::new(registry().with(layer()));
    let mut twin = Twin::default();
    let mut spans: Vec<Option<Span>> = Vec::new();
    let mut seen: Vec<(Option<usize>, SpanId)> = Vec::new();
    let ran = run_in(
        &subscriber,
        |builder| builder,
        |_| {
            let workers: Vec<_> = (0..THREADS).map(|_| worker(subscriber.clone())).collect();
            let run = |thread: usize, work: Work| {
                workers[thread].0.send(work).unwrap();
                workers[thread].1.recv().unwrap()
            };
            for &(thread, kind, choice) in steps {
                let open: Vec<_> = (0..spans.len()).filter(|&node| spans[node].is_some()).collect();
                let chosen = open.get(choice % open.len().max(1)).copied();
                let current = step(&mut twin, &mut spans, (thread, kind, choice), chosen, &run);
                seen.extend(current.map(|current| (twin.top(thread), current)));
            }
            // All that is left ends, in the order of its making.
            for thread in 0..THREADS {
                run(
                    thread,
                    Box::new(|scopes| {
                        scopes.clear();
                        SpanId::INVALID
                    }),
                );
            }
            spans.clear();
            for (send, _, handle) in workers {
                drop(send);
                handle.join().unwrap();
            }
        },
    );
    let by_name: HashMap<_, _> = ran.spans.iter().map(|span| (span.name(), span)).collect();
    assert_eq!((ran.spans.len(), by_name.len()), (twin.nodes.len(), twin.nodes.len()));
    let id = |node: usize| by_name[&*format!("s{node}")].span_id();
    for (n, node) in twin.nodes.iter().enumerate() {
        let span = by_name[&*format!("s{n}")];
        assert_eq!(span.parent_span_id(), node.parent.map(id), "parent of {n} in {steps:?}");
        let value = span.attributes().iter().find(|one| one.key == "n");
        assert_eq!(value.map(|one| one.value.clone()), node.value.map(Into::into), "{n}");
    }
    for (place, (node, current)) in seen.into_iter().enumerate() {
        assert_eq!(current, node.map_or(SpanId::INVALID, id), "after {place} of {steps:?}");
    }
}

/// Does one step in the twin and in fact; what is current after it.
fn step(
    twin: &mut Twin,
    spans: &mut Vec<Option<Span>>,
    (thread, kind, choice): (usize, u8, usize),
    chosen: Option<usize>,
    run: &dyn Fn(usize, Work) -> SpanId,
) -> Option<SpanId> {
    match (kind, chosen) {
        (0, _) | (1, _) if choice % 4 > 0 || kind == 0 => {
            Some(make(twin, spans, thread, None, run))
        }
        (1, _) => Some(make(twin, spans, thread, Some(None), run)),
        (2, Some(_)) => Some(make(twin, spans, thread, Some(chosen), run)),
        (9, _) => {
            spans.push(None);
            Some(make_ours(twin, thread, run))
        }
        (10, _) => end_ours(twin, thread, choice, run),
        (_, Some(node)) => {
            let span = spans[node].clone()?;
            if kind == 8 {
                spans[node] = None;
            }
            change(twin, (thread, kind, choice), node, span, run)
        }
        _ => None,
    }
}

fn current() -> SpanId {
    bellwether::current().span_id()
}

/// Makes a span of `tracing`: contextual, or below a named parent, or a root.
fn make(
    twin: &mut Twin,
    spans: &mut Vec<Option<Span>>,
    thread: usize,
    parent: Option<Option<usize>>,
    run: &dyn Fn(usize, Work) -> SpanId,
) -> SpanId {
    let handle = parent.flatten().and_then(|node| spans[node].clone());
    let node = twin.make(thread, parent);
    let (send, made) = mpsc::channel();
    let work = move |_: &mut HashMap<_, _>| {
        let name = format!("s{node}");
        let span = if parent.is_some() {
            let id = handle.as_ref().and_then(Span::id);
            info_span!(parent: id, "node", otel.name = name, n = Empty)
        } else {
            info_span!("node", otel.name = name, n = Empty)
        };
        send.send(span).unwrap();
        current()
    };
    let now = run(thread, Box::new(work));
    spans.push(Some(made.recv().unwrap()));
    now
}

/// Enters, leaves, changes or closes a span of `tracing`.
fn change(
    twin: &mut Twin,
    (thread, kind, choice): (usize, u8, usize),
    node: usize,
    span: Span,
    run: &dyn Fn(usize, Work) -> SpanId,
) -> Option<SpanId> {
    let does: fn(Span, i64) = match kind {
        3 | 4 => |span, _| {
            span.with_subscriber(|(id, dispatch)| dispatch.enter(id));
        },
        5 | 6 => |span, _| {
            span.with_subscriber(|(id, dispatch)| dispatch.exit(id));
        },
        7 => |span, value| {
            span.record("n", value);
        },
        8 => |span, _| drop(span),
        _ => return None,
    };
    match kind {
        3 | 4 => twin.enter(thread, node),
        5 | 6 => twin.exit(thread, node),
        7 => twin.nodes[node].value = Some(choice as i64),
        _ => {}
    }
    if kind == 7 && choice % 3 == 0 {
        span.context(); // So that it starts before it is entered.
    }
    let work = move |_: &mut HashMap<_, _>| {
        does(span, choice as i64);
        current()
    };
    let now = run(thread, Box::new(work));
    if kind == 8 {
        twin.close(node);
    }
    Some(now)
}

/// Enters a scope of ours.
fn make_ours(twin: &mut Twin, thread: usize, run: &dyn Fn(usize, Work) -> SpanId) -> SpanId {
    let node = twin.nodes.len();
    let parent = twin.top(thread);
    twin.nodes.push(Node { parent, refs: 1, ..Node::default() });
    twin.stays[thread].push(In::Ours(node));
    let work = move |scopes: &mut HashMap<_, _>| {
        scopes.insert(node, bellwether::span(format!("s{node}")).enter());
        current()
    };
    run(thread, Box::new(work))
}

/// Ends one of the thread's scopes of ours.
fn end_ours(
    twin: &mut Twin,
    thread: usize,
    choice: usize,
    run: &dyn Fn(usize, Work) -> SpanId,
) -> Option<SpanId> {
    let ours: Vec<_> = twin.stays[thread]
        .iter()
        .filter_map(|stay| match *stay {
            In::Ours(node) => Some(node),
            In::Theirs(_) => None,
        })
        .collect();
    let node = *ours.get(choice % ours.len().max(1))?;
    twin.stays[thread].retain(|stay| *stay != In::Ours(node));
    let work = move |scopes: &mut HashMap<_, _>| {
        scopes.remove(&node);
        current()
    };
    Some(run(thread, Box::new(work)))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn trees_and_contexts_are_those_of_the_twin(
        steps in prop::collection::vec((0..THREADS, 0u8..11, 0usize..1000), 0..80),
    ) {
        check(&steps);
    }
}
