//! Sending alerts: the notification, and the notifiers that deliver it.
//!
//! A notifier is a [`Route`](crate::pipeline::Route) of [`Notification`]s: its exporter sends, and the
//! pipeline queues, retries and counts. Each notifier has its own queue and thread, so that a stuck one
//! holds back no other.

mod notification;
#[cfg(feature = "webhook")]
mod webhook;
mod writer;

pub use notification::Notification;
#[cfg(feature = "webhook")]
pub use webhook::Webhook;
pub use writer::{Writer, stderr};
