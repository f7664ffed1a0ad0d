//! For tests of programs that use this crate: isolation, a manual clock, and assertions.
//!
//! A [`scope`] gives the thread values, spans and a clock of its own, so that tests of statics may
//! run side by side. It follows nested calls and awaits on the same thread; to follow a spawn or a
//! thread, wrap the future ([`carried`](Carry::carried)) or the closure ([`carry`]). A
//! [`process_scope`] sees what all threads do, those among them that a server spawns itself.

mod assert;
mod carry;
mod process;
mod scope;
mod tree;

pub use crate::clock::ManualClock;
pub use carry::{Carried, Carry, carry};
pub use process::{ProcessScope, process_scope};
pub use scope::{Alerts, Scope, scope};
