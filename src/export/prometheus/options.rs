//! The options of a page, which apply to every scraper.

use super::Translation;

/// The options of a page, which apply to every scraper.
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
    /// How names are translated for the page; [`Translation::UnderscoreEscapingWithSuffixes`] by
    /// default.
    #[must_use]
    pub fn translation(mut self, translation: Translation) -> Self {
        self.translation = translation;
        self
    }

    /// The most buckets of a native histogram, 160 by default. It gets the finest schema that fits; the
    /// coarsest is schema -4, with 2^(1/16) between its bounds.
    #[must_use]
    pub fn native_buckets(mut self, limit: usize) -> Self {
        self.native_buckets = limit;
        self
    }

    /// Leaves out when each sum began: the `_created` lines of OpenMetrics and the time stamps of
    /// protobuf. Prometheus keeps `_created` lines as series of their own, unless it is configured to
    /// take them as start times.
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
            // The limit of OpenTelemetry's exponential histograms, and a common limit in Prometheus.
            native_buckets: 160,
            with_created: true,
            with_target_info: true,
        }
    }
}
