//! Lines as messages of brokers.

use std::borrow::Cow;

use super::{
    encoder::{Lines, Point},
    options::{self, InfluxHistograms, Options},
};
use crate::{export::wire::message::MessageFormat, pipeline::Encoder};

/// Messages of brokers that are lines of InfluxDB's protocol, which Telegraf's consumers read. Times are in
/// nanoseconds. What a line is, and what it cannot express, says the [module](super).
///
/// # Examples
///
/// ```
/// use bellwether::export::influx::InfluxMessages;
///
/// let format = InfluxMessages::new().attribute_tags([("http.route", "route")]);
/// ```
#[derive(Clone, Debug, Default)]
pub struct InfluxMessages {
    options: Options,
}

impl InfluxMessages {
    /// Lines with the tags and fields that [`Influx`](super::Influx) sends by default.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// As [`Influx::histograms`](super::Influx::histograms).
    #[must_use]
    pub fn histograms(mut self, form: InfluxHistograms) -> Self {
        self.options.histograms = form;
        self
    }

    /// As [`Influx::prefix`](super::Influx::prefix).
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.options.prefix = prefix.into();
        self
    }

    /// As [`Influx::resource_tags`](super::Influx::resource_tags).
    #[must_use]
    pub fn resource_tags<K, T>(mut self, tags: impl IntoIterator<Item = (K, T)>) -> Self
    where
        K: Into<Cow<'static, str>>,
        T: Into<Cow<'static, str>>,
    {
        self.options.resource_tags = options::renamed(tags);
        self
    }

    /// As [`Influx::attribute_tags`](super::Influx::attribute_tags).
    #[must_use]
    pub fn attribute_tags<K, T>(mut self, tags: impl IntoIterator<Item = (K, T)>) -> Self
    where
        K: Into<Cow<'static, str>>,
        T: Into<Cow<'static, str>>,
    {
        self.options.attribute_tags = options::renamed(tags);
        self
    }
}

impl<S: Point> MessageFormat<S> for InfluxMessages {
    fn encoder(&self) -> Box<dyn Encoder<S>> {
        Box::new(Lines::new(self.options.clone()))
    }

    fn content_type(&self) -> &'static str {
        "text/plain; charset=utf-8"
    }

    fn join(&self, _head: &[u8], records: &[&[u8]], message: &mut Vec<u8>) -> bool {
        records.iter().for_each(|line| message.extend_from_slice(line));
        true
    }
}
