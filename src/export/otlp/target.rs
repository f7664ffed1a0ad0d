//! Where a signal goes, and how.

use std::time::Duration;

use super::signal::Encoding;
use crate::{
    pipeline::Settings,
    transport::{Endpoint, http_client::HttpClient},
};

/// Where a signal goes, and how.
#[derive(Clone, Debug)]
pub(super) struct Target {
    /// Whether the backend has a route for the signal.
    pub(super) is_sent: bool,
    pub(super) endpoint: Endpoint,
    /// Whether the path of the signal follows that of the endpoint.
    pub(super) is_general: bool,
    pub(super) protocol: Protocol,
    pub(super) queue: QueueChanges,
}

/// What is spoken.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Protocol {
    HttpProtobuf,
    HttpJson,
    Grpc,
}

/// What the environment says of a queue.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct QueueChanges {
    pub(super) batch_delay: Option<Duration>,
    pub(super) max_items: Option<usize>,
    pub(super) batch_items: Option<usize>,
    pub(super) max_elapsed: Option<Duration>,
}

impl Target {
    /// A target with the defaults of everything else.
    pub(super) fn new(endpoint: Endpoint) -> Self {
        let (protocol, queue) = (Protocol::HttpProtobuf, QueueChanges::default());
        Self { is_sent: true, endpoint, is_general: true, protocol, queue }
    }

    /// The form of the messages.
    pub(super) fn encoding(&self) -> Encoding {
        match self.protocol {
            Protocol::HttpProtobuf | Protocol::Grpc => Encoding::Protobuf,
            Protocol::HttpJson => Encoding::Json,
        }
    }

    /// How long a request may take.
    pub(super) fn time_limit(&self) -> Duration {
        HttpClient::new(self.endpoint.clone()).time_limit()
    }

    /// Changes the settings of a route to it.
    pub(super) fn apply(&self, settings: &mut Settings) {
        let QueueChanges { batch_delay, max_items, batch_items, max_elapsed } = self.queue;
        settings.attempt_timeout = self.time_limit();
        settings.batch_delay = batch_delay.unwrap_or(settings.batch_delay);
        settings.max_items = max_items.unwrap_or(settings.max_items);
        settings.batch_items = batch_items.unwrap_or(settings.batch_items).min(settings.max_items);
        settings.retry.max_elapsed = max_elapsed.unwrap_or(settings.retry.max_elapsed);
    }
}
