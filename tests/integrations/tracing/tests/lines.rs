//! Lines of `tracing_subscriber::fmt` have the ids of spans, and other layers find them.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the rules are the library's own"
)]

use std::{
    io,
    sync::{Arc, Mutex},
};

use bellwether::integration::tracing::{TracedSpan, layer, with_ids, with_json_ids};
use bellwether_integration_tracing::run_in;
use tracing::{Dispatch, info, info_span, span::Id};
use tracing_subscriber::{
    fmt,
    layer::{Context, Layer, SubscriberExt as _},
    registry,
    registry::LookupSpan,
};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn lines_of_text_begin_with_the_ids() {
    let lines = Lines::default();
    let writer = lines.clone();
    let fmt = fmt::layer()
        .with_writer(move || writer.clone())
        .with_span_events(fmt::format::FmtSpan::CLOSE)
        .map_event_format(with_ids);
    let subscriber = Dispatch::new(registry().with(fmt).with(layer()));
    let ran = run_in(
        &subscriber,
        |builder| builder,
        |_| {
            let other = info_span!("other");
            info_span!("order").in_scope(|| {
                info!("paid");
                info!(parent: &other, "elsewhere");
            });
            info!("outside");
        },
    );
    let ids = |name: &str| {
        let span = ran.span(name);
        format!("trace_id={} span_id={} ", span.trace_id(), span.span_id())
    };
    let text = lines.text();
    let lines: Vec<_> = text.lines().collect();
    for (line, name, word) in [
        (0, "order", "paid"),
        (1, "other", "elsewhere"),
        (2, "order", "close"),
        (4, "other", "close"),
    ] {
        assert!(lines[line].starts_with(&ids(name)) && lines[line].contains(word), "{text}");
    }
    assert!(lines[3].contains("outside") && !lines[3].contains("trace_id"), "{text}");
}

#[test]
fn json_lines_have_the_ids_as_members() {
    let lines = Lines::default();
    let writer = lines.clone();
    let fmt = fmt::layer().json().with_writer(move || writer.clone());
    let fmt = fmt.map_event_format(with_json_ids);
    let subscriber = Dispatch::new(registry().with(layer()).with(fmt));
    let ran = run_in(
        &subscriber,
        |builder| builder,
        |_| {
            info_span!("order", items = 3).in_scope(|| info!(cart = 7, "paid"));
            info!("outside");
        },
    );
    let text = lines.text();
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let order = ran.span("order");
    assert_eq!(lines[0]["trace_id"], order.trace_id().to_string());
    assert_eq!(lines[0]["span_id"], order.span_id().to_string());
    assert_eq!(lines[0]["fields"]["cart"], 7);
    assert_eq!(lines[1].get("trace_id"), None);
}

#[test]
fn other_layers_find_the_context_in_the_extensions() {
    struct Finding(Arc<Mutex<Vec<bellwether::context::Context>>>);
    impl<S: tracing::Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Finding {
        fn on_enter(&self, id: &Id, ctx: Context<'_, S>) {
            let span = ctx.span(id).unwrap();
            let traced = span.extensions().get::<TracedSpan>().cloned();
            self.0.lock().unwrap().push(traced.unwrap().context());
        }
    }
    let found = Arc::default();
    let subscriber = registry().with(layer()).with(Finding(Arc::clone(&found)));
    let ran = run_in(
        &Dispatch::new(subscriber),
        |builder| builder,
        |_| {
            info_span!("found").in_scope(|| ());
        },
    );
    assert_eq!(found.lock().unwrap()[0].span_id(), ran.span("found").span_id());
}
