//! Where the attributes of each signal are. What no rule is about is only looked at: to be changed, a
//! record makes room for attributes, and forgets what it weighs.

use super::{Redact, redact::Owner};
use crate::{
    label::{KeyValue, LabelSet, Value},
    log::LogRecord,
    metric::{DataPoint, Exemplar},
    pipeline::Processor,
    trace::SpanRecord,
};

impl Processor<SpanRecord> for Redact {
    fn process(&self, spans: &mut Vec<SpanRecord>) {
        for span in spans {
            if self.is_about_any(span.attributes()) {
                self.change(span.attributes_mut(), Owner::Record);
            }
            if span.events().iter().any(|event| self.is_about_any(event.attributes())) {
                span.retain_events(|event| {
                    self.change(event.attributes_mut(), Owner::Record);
                    true
                });
            }
            if span.links().iter().any(|link| self.is_about_any(link.attributes())) {
                span.retain_links(|link| {
                    self.change(link.attributes_mut(), Owner::Record);
                    true
                });
            }
        }
    }
}

impl Processor<LogRecord> for Redact {
    fn process(&self, logs: &mut Vec<LogRecord>) {
        for log in logs {
            if self.is_about_any(log.attributes()) {
                self.change(log.attributes_mut(), Owner::Record);
            }
        }
    }
}

impl Processor<DataPoint> for Redact {
    fn process(&self, points: &mut Vec<DataPoint>) {
        for point in points {
            if point.labels().iter().any(|(key, _)| self.is_about(key)) {
                let labels = self.changed(point.labels().iter(), Owner::Series);
                point.set_labels(LabelSet::new(
                    labels.into_iter().map(|label| (label.key, label.value.to_string())),
                ));
            }
            let is_about =
                |exemplar: &Exemplar| exemplar.labels().any(|(key, _)| self.is_about(key));
            point.change_exemplars(is_about, |exemplar| {
                let labels = self.changed(exemplar.labels(), Owner::Record);
                let texts: Vec<_> =
                    labels.iter().map(|label| (&*label.key, label.value.to_string())).collect();
                let pairs: Vec<_> = texts.iter().map(|(key, value)| (*key, &**value)).collect();
                exemplar.clone().with_labels(&pairs)
            });
        }
    }
}

impl Redact {
    /// Labels with all rules applied.
    fn changed<'a>(
        &self,
        labels: impl Iterator<Item = (&'a str, &'a str)>,
        owner: Owner,
    ) -> Vec<KeyValue> {
        let own = |(key, value): (&str, &str)| KeyValue::new(key.to_owned(), Value::from(value));
        let mut labels = labels.map(own).collect();
        self.change(&mut labels, owner);
        labels
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{
        clock,
        context::SpanContext,
        metric::{Registry, Temporality},
        pipeline::Signal as _,
        trace::{Event, Link},
    };

    const CANARY: &str = "canary-7d1f";

    fn secret() -> Vec<KeyValue> {
        vec![KeyValue::new("api.token", CANARY), KeyValue::new("kept", 1)]
    }

    #[test]
    fn attributes_of_spans_of_events_and_of_links_are_reached() {
        let mut span = SpanRecord::new("login");
        span.attributes_mut().extend(secret());
        span.add_event(Event::new("asked", clock::now(), secret()));
        span.add_link(Link::new(SpanContext::NONE, secret()));
        let mut spans = vec![span];
        Redact::new().drop("*.token").process(&mut spans);
        let kept = [KeyValue::new("kept", 1)];
        assert_eq!(spans[0].attributes(), kept);
        assert_eq!(spans[0].events()[0].attributes(), kept);
        assert_eq!(spans[0].links()[0].attributes(), kept);
        assert!(!format!("{spans:?}").contains(CANARY));
    }

    #[test]
    fn an_event_or_a_link_is_reached_where_the_span_itself_has_nothing_to_redact() {
        let mut span = SpanRecord::new("login");
        span.add_event(Event::new("asked", clock::now(), secret()));
        let mut other = SpanRecord::new("login");
        other.add_link(Link::new(SpanContext::NONE, secret()));
        let mut spans = vec![span, other];
        Redact::new().mask("api.token").process(&mut spans);
        assert!(!format!("{spans:?}").contains(CANARY));
    }

    #[test]
    fn attributes_of_log_records_are_reached_and_bodies_are_not() {
        let record = LogRecord::new(crate::log::LogSeverity::INFO, "api.token")
            .with_attribute("api.token", CANARY);
        let mut records = vec![record];
        Redact::new().mask("*").process(&mut records);
        assert_eq!(records[0].attributes(), [KeyValue::new("api.token", "***")]);
        assert_eq!(records[0].body(), &Value::from("api.token"));
    }

    #[test]
    fn a_span_that_no_rule_is_about_weighs_what_it_weighed() {
        let mut spans = vec![SpanRecord::new("bare"), SpanRecord::new("with")];
        spans[1].set_attribute("kept", 1);
        let before: Vec<_> = spans.iter().map(|span| span.weight()).collect();
        Redact::new().drop("*.token").hash("user.id").process(&mut spans);
        let after: Vec<_> = spans.iter().map(|span| span.weight()).collect();
        assert_eq!(after, before);
    }

    #[test]
    fn series_stay_as_many_as_they_were_and_have_no_secret() {
        let registry = Registry::new();
        let orders = registry.counter("orders", "").keys(&["user"]).build().unwrap();
        for user in ["ann-canary", "bob-canary"] {
            orders.with_labels(&[("user", user)]).inc();
        }
        let mut points = registry.snapshot().data_points(Temporality::Cumulative);
        Redact::new().drop("user").process(&mut points);
        let labels: BTreeSet<_> =
            points.iter().map(|point| point.labels().get("user").unwrap().to_owned()).collect();
        assert_eq!((points.len(), labels.len()), (2, 2));
        assert!(labels.iter().all(|value| value.len() == 16 && !value.contains("canary")));
    }

    #[test]
    fn labels_of_exemplars_are_reached_in_counters_and_in_histograms() {
        let registry = Registry::new();
        let sizes = registry.histogram("sizes", "").build().unwrap();
        sizes.record_with_exemplar(1.0, &[("user", CANARY), ("order", "7")]);
        let counter = registry.counter("orders", "").exemplars().build().unwrap();
        counter.add_with_exemplar(1, &[("user", CANARY), ("order", "7")]);
        let mut points = registry.snapshot().data_points(Temporality::Cumulative);
        assert_eq!(format!("{points:?}").matches(CANARY).count(), 2);
        Redact::new().drop("user").process(&mut points);
        let shown = format!("{points:?}");
        assert!(!shown.contains(CANARY) && shown.matches("order").count() >= 2, "{shown}");
    }
}
