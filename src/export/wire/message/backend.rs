//! What the backends of all brokers have in common: the options of messages, and a route for each signal.

/// Gives `$Type` the options of its field `messages`, and makes it a backend by its method `route`.
macro_rules! message_backend {
    ($Type:ident) => {
        impl $Type {
            /// Sets what messages hold; [lines of JSON](crate::export::message::JsonLines) by default.
            pub fn format<F>(mut self, format: F) -> Self
            where
                F: $crate::export::message::MessageFormat<$crate::trace::SpanRecord>
                    + $crate::export::message::MessageFormat<$crate::metric::DataPoint>
                    + $crate::export::message::MessageFormat<$crate::log::LogRecord>,
            {
                self.messages.set_format(format);
                self
            }

            /// Gives each message a key, and puts only records with the same one into a message: spans and log
            /// records of one trace, data points of one series. So consumers may share the work by keys, and each
            /// sees what belongs together in order. Spans and log records also get a `traceparent`.
            pub fn keyed(mut self) -> Self {
                self.messages.has_keys = true;
                self
            }

            /// The most bytes of a message. A record that is larger by itself is rejected and counted.
            pub fn max_message_bytes(mut self, n: usize) -> Self {
                self.messages.most_bytes = n;
                self
            }

            /// The most records in a message; as many as fit by default.
            pub fn max_message_records(mut self, n: usize) -> Self {
                self.messages.most_records = n;
                self
            }

            /// How often metrics are read and sent; every 10 s by default.
            pub fn metrics_interval(mut self, interval: std::time::Duration) -> Self {
                self.messages.signals.interval = Some(interval);
                self
            }

            /// Sends no metrics, as a [`Backend`](crate::export::Backend).
            pub fn without_metrics(mut self) -> Self {
                self.messages.signals.metrics = false;
                self
            }

            /// Sends no spans, as a [`Backend`](crate::export::Backend).
            pub fn without_spans(mut self) -> Self {
                self.messages.signals.spans = false;
                self
            }

            /// Sends no logs, as a [`Backend`](crate::export::Backend).
            pub fn without_logs(mut self) -> Self {
                self.messages.signals.logs = false;
                self
            }
        }

        impl $crate::export::Backend for $Type {
            fn routes(self, routes: &mut $crate::export::Routes) {
                self.messages.signals.add(self, routes);
            }
        }

        /// The route of the metrics alone.
        impl From<$Type> for $crate::pipeline::Route<$crate::metric::DataPoint> {
            fn from(backend: $Type) -> Self {
                let signals = backend.messages.signals;
                signals.at_interval(backend.route())
            }
        }

        /// The route of the spans alone.
        impl From<$Type> for $crate::pipeline::Route<$crate::trace::SpanRecord> {
            fn from(backend: $Type) -> Self {
                backend.route()
            }
        }

        /// The route of the logs alone.
        impl From<$Type> for $crate::pipeline::Route<$crate::log::LogRecord> {
            fn from(backend: $Type) -> Self {
                backend.route()
            }
        }
    };
}

pub(crate) use message_backend;
