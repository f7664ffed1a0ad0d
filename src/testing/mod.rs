//! Tests of programs that use this crate: isolated values, a manual clock, and assertions.
//!
//! A [`scope`] gives the test's thread its own metric values, spans, log records and clock, so that tests that use
//! the same statics can run in parallel. It covers nested calls and awaits on that thread. To include a
//! spawned task or another thread, wrap the future ([`carried`](Carry::carried)) or the closure
//! ([`carry`]). A [`process_scope`] covers all threads of the process, including those that a server
//! spawns itself.

mod assert;
mod carry;
mod process;
mod scope;
mod tree;

pub use crate::clock::ManualClock;
pub use carry::{Carry, InScope, carry};
pub use process::{ProcessScope, process_scope};
pub use scope::{Alerts, Scope, scope};
