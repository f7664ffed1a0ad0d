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
    count, gauge, histogram,
    label::Labels,
    metric::{Counter, Gauge, Histogram, Unit, UpDownCounter},
    observe::{Labels, observe},
    telemetry::{Telemetry, builder},
    time,
    trace::{InSpan, extract, inject, span},
};
