//! The Prometheus page for your own router.

use super::Telemetry;
use crate::export::prometheus::{Dialect, Page};

impl Telemetry {
    /// The page of all series, and its `Content-Type`, for a route of your own. The format is the one
    /// that the scraper's `Accept` header asks for; text without a header.
    ///
    /// It waits for slow callbacks, so call it where blocking is allowed. It is not needed with the
    /// listener ([`Builder::prometheus`](crate::Builder)).
    ///
    /// # Examples
    ///
    /// ```
    /// use bellwether::Counter;
    ///
    /// static ORDERS: Counter = Counter::new("page.orders", "Orders accepted");
    ///
    /// let telemetry = bellwether::builder("shop").start()?;
    /// ORDERS.inc();
    /// let (content_type, page) = telemetry.prometheus_page(None);
    /// assert_eq!(content_type, "text/plain; version=0.0.4; charset=utf-8");
    /// assert!(String::from_utf8(page).unwrap().contains("page_orders_total 1\n"));
    /// # Ok::<(), bellwether::Error>(())
    /// ```
    #[must_use]
    pub fn prometheus_page(&self, accept: Option<&str>) -> (&'static str, Vec<u8>) {
        let dialect = Dialect::negotiate(accept);
        let mut page = Page::new(dialect);
        let bytes = page.render_registry(&self.running.registry, &self.running.resource).to_vec();
        (dialect.content_type(), bytes)
    }
}
