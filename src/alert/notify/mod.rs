//! Sends alerts: the notification, and the notifiers that deliver it.
//!
//! A notifier is a [`Route`](crate::pipeline::Route) of [`Notification`]s: its exporter sends, and the
//! pipeline queues, tries again and counts. Each has a queue and a thread of its own, so that one that
//! is stuck holds back no other.

mod notification;
#[cfg(feature = "webhook")]
mod webhook;
mod writer;

pub use notification::Notification;
#[cfg(feature = "webhook")]
pub use webhook::Webhook;
pub use writer::{Writer, stderr};
