//! Tables of AMQP as carriers: the headers of RabbitMQ's messages, as `lapin` has them.

use std::collections::BTreeMap;

use ::lapin::types::{AMQPValue, FieldTable, ShortString};

use super::{Extractor, Injector};

/// Its texts; other values say nothing.
impl Extractor for FieldTable {
    fn values<'a>(&'a self, name: &str, each: &mut dyn FnMut(&'a [u8])) {
        for (key, value) in self {
            match value {
                _ if !key.as_str().eq_ignore_ascii_case(name) => {}
                AMQPValue::LongString(text) => each(text.as_bytes()),
                AMQPValue::ShortString(text) => each(text.as_str().as_bytes()),
                _ => {}
            }
        }
    }
}

impl Injector for FieldTable {
    fn set(&mut self, name: &'static str, value: &str) {
        Injector::remove(self, name);
        self.insert(name.into(), AMQPValue::LongString(value.into()));
    }

    fn remove(&mut self, name: &'static str) {
        let is_it = |key: &ShortString| key.as_str().eq_ignore_ascii_case(name);
        // A table has no way to take something away.
        if self.inner().keys().any(is_it) {
            let mut entries: BTreeMap<_, _> = std::mem::take(self).inner().clone();
            entries.retain(|key, _| !is_it(key));
            *self = entries.into();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::{extract, inject_context};

    #[test]
    fn a_context_goes_through_a_table() {
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let mut table = FieldTable::default();
        table.insert("TraceParent".into(), AMQPValue::LongString(parent.into()));
        table.insert("tracestate".into(), AMQPValue::ShortString("a=1".into()));
        table.insert("x-death".into(), AMQPValue::LongInt(1));
        let context = extract(&table);
        assert_eq!(context.span().state().as_str(), "a=1");
        inject_context(&context, &mut table);
        assert_eq!(extract(&table), context);
        assert!(!table.contains_key("TraceParent") && table.contains_key("x-death"));
        Injector::remove(&mut table, "traceparent");
        assert_eq!((table.inner().len(), extract(&table).span().is_valid()), (2, false));
    }

    #[test]
    fn a_number_says_nothing() {
        let mut table = FieldTable::default();
        table.insert("traceparent".into(), AMQPValue::LongInt(1));
        assert!(!extract(&table).span().is_valid());
    }
}
