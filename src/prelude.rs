//! The names that nearly every user needs.
//!
//! ```
//! use bellwether::prelude::*;
//!
//! static ORDERS: Counter = Counter::new("shop.orders", "Orders accepted");
//!
//! let _span = span("order").enter();
//! ORDERS.inc();
//! ```

#[doc(no_inline)]
pub use crate::{
    context::current,
    label::Labels,
    metric::{Counter, Gauge, Histogram, Unit, UpDownCounter},
    observe::{Labels, count, gauge, histogram, observe, time},
    telemetry::{Telemetry, builder},
    trace::{InSpan, extract, inject, span},
};
