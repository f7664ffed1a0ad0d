//! What a page says, whatever the scraper asks for.

use super::Translation;

/// What a page says, whatever the scraper asks for.
///
/// # Examples
///
/// ```
/// use bellwether::{
///     export::prometheus::{Format, Page, PageOptions},
///     metric::Registry,
///     resource::Resource,
/// };
///
/// let registry = Registry::new();
/// registry.counter("shop.orders", "").build()?.inc();
/// let options = PageOptions::default().without_target_info().without_created();
/// let mut page = Page::with_options(Format::OpenMetrics, options);
/// let bytes = page.render_registry(&registry, &Resource::service("shop"));
/// assert_eq!(bytes, b"# TYPE shop_orders counter\nshop_orders_total 1\n# EOF\n");
/// # Ok::<(), bellwether::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageOptions {
    pub(super) translation: Translation,
    pub(super) native_buckets: usize,
    pub(super) with_created: bool,
    pub(super) with_target_info: bool,
}

impl PageOptions {
    /// How names become names on the page; [`Translation::UnderscoreEscapingWithSuffixes`] unless
    /// said otherwise.
    #[must_use]
    pub fn translation(mut self, translation: Translation) -> Self {
        self.translation = translation;
        self
    }

    /// How many buckets a native histogram has at most, 160 unless said otherwise: it gets the finest
    /// schema that has no more, and 2^(1/16) between its bounds, schema -4, at the coarsest.
    #[must_use]
    pub fn native_buckets(mut self, limit: usize) -> Self {
        self.native_buckets = limit;
        self
    }

    /// Leaves out when each sum began: the `_created` lines of OpenMetrics, which Prometheus keeps as
    /// series of their own unless it is configured to take them as start times, and the time stamps of
    /// protobuf.
    #[must_use]
    pub fn without_created(mut self) -> Self {
        self.with_created = false;
        self
    }

    /// Leaves out `target_info`, the series of the resource.
    #[must_use]
    pub fn without_target_info(mut self) -> Self {
        self.with_target_info = false;
        self
    }
}

impl Default for PageOptions {
    fn default() -> Self {
        Self {
            translation: Translation::default(),
            // The limit of OpenTelemetry's exponential histograms, and a common one of Prometheus'.
            native_buckets: 160,
            with_created: true,
            with_target_info: true,
        }
    }
}
