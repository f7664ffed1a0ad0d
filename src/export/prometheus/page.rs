//! The page that is kept between scrapes, and the walk that renders it.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    time::Instant,
};

use super::{
    Dialect, Format, Translation,
    buffer::Buffer,
    labels::{KeyStyle, Keys, push_label},
    names::{self, Names},
    native::Native,
    protobuf,
    readings::{FamilyReadings, Readings},
    shape::Shape,
    template::{Arena, At, Merged, Template},
    text,
};
use crate::{
    clock::{self, Ticks},
    diagnostics,
    metric::{Edition, Head, Kind, Place, Reading, Registry, SeriesValue, Snapshot, Unit, Visit},
    resource::Resource,
};

/// A page that remembers its texts: the next one of the same series copies them and writes the numbers.
///
/// It takes about twice the memory of the bytes it renders, and keeps the label sets it has seen last.
/// In the steady state rendering allocates nothing, but for the labels of exemplars.
///
/// # Examples
///
/// ```
/// use bellwether::{
///     export::prometheus::{Format, Page},
///     metric::{Registry, Unit},
///     resource::Resource,
/// };
///
/// let registry = Registry::new();
/// let orders = registry.counter::<()>("shop.orders", "Orders accepted", Unit::NONE)?;
/// let mut page = Page::new(Format::Text);
/// for served in 1..=2 {
///     orders.inc();
///     let bytes = page.render(&registry.snapshot(), &Resource::default());
///     assert!(bytes.ends_with(format!("shop_orders_total {served}\n").as_bytes()));
/// }
/// # Ok::<(), bellwether::Error>(())
/// ```
pub struct Page {
    dialect: Dialect,
    options: PageOptions,
    bytes: Buffer,
    /// One for each family, in their order; `None` before the first rendering.
    slots: Option<Vec<Slot>>,
    /// `None` where a family of the user's has its name.
    target: Option<Target>,
    native: Native,
    /// How often the wall clock had gone back when the templates were made: they hold dates.
    corrections: u64,
}

/// What a page says, whatever the scraper asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageOptions {
    translation: Translation,
    native_buckets: usize,
}

/// The place of a family on the page.
struct Slot {
    template: Template,
    /// Whether another family has taken one of its names.
    is_left_out: bool,
}

/// The lines of the resource.
struct Target {
    resource: Resource,
    bytes: Vec<u8>,
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
}

impl Default for PageOptions {
    fn default() -> Self {
        // The limit of OpenTelemetry's exponential histograms, and a common one of Prometheus'.
        Self { translation: Translation::default(), native_buckets: 160 }
    }
}

impl Page {
    /// An empty page in `dialect`.
    #[must_use]
    pub fn new(dialect: impl Into<Dialect>) -> Self {
        Self::with_options(dialect, PageOptions::default())
    }

    /// An empty page in `dialect` with `options`.
    #[must_use]
    pub fn with_options(dialect: impl Into<Dialect>, options: PageOptions) -> Self {
        Self {
            dialect: dialect.into(),
            options,
            bytes: Buffer::default(),
            slots: None,
            target: None,
            native: Native::default(),
            corrections: clock::corrections(),
        }
    }

    /// The dialect.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Renders `snapshot`, in place of what was rendered before.
    ///
    /// A family that would take a name which another one has is left out and reported; so is, in
    /// silence, a sum of a counter that is negative or not a number, at which readers would refuse
    /// the page.
    pub fn render(&mut self, snapshot: &Snapshot, resource: &Resource) -> &[u8] {
        self.render_from(snapshot, resource)
    }

    /// Renders what `registry` holds, in the scope that this thread is in; as [`render`](Self::render)
    /// of a snapshot, and without the cost of one where the page is text and the registry has no
    /// views. Each value is then the one of the moment in which it is written.
    ///
    /// # Examples
    ///
    /// ```
    /// use bellwether::{
    ///     export::prometheus::{Format, Page},
    ///     metric::{Registry, Unit},
    ///     resource::Resource,
    /// };
    ///
    /// let registry = Registry::new();
    /// registry.counter::<()>("shop.orders", "", Unit::NONE)?.add(3);
    /// let mut page = Page::new(Format::Text);
    /// let bytes = page.render_registry(&registry, &Resource::default());
    /// assert!(bytes.ends_with(b"shop_orders_total 3\n"));
    /// # Ok::<(), bellwether::Error>(())
    /// ```
    pub fn render_registry(&mut self, registry: &Registry, resource: &Resource) -> &[u8] {
        self.render_by(None, registry, resource)
    }

    /// As [`render_registry`](Self::render_registry), without waiting for callbacks beyond `by`.
    pub(crate) fn render_by(
        &mut self,
        by: Option<Instant>,
        registry: &Registry,
        resource: &Resource,
    ) -> &[u8] {
        let in_place = match self.dialect.format() {
            Format::Protobuf => None, // Shows histograms finer than they are read in place.
            format => registry.live(format == Format::OpenMetrics, by),
        };
        match in_place {
            Some(live) => self.render_from(&live, resource),
            None => self.render_from(&registry.snapshot_by(by), resource),
        }
    }

    /// Renders what `readings` hold; as [`render`](Self::render).
    pub(crate) fn render_from(&mut self, readings: &impl Readings, resource: &Resource) -> &[u8] {
        self.bytes.clear();
        self.forget_future_dates();
        if !self.write(readings, resource) {
            self.restructure(readings);
            self.bytes.clear();
            self.bytes.forget(); // What the templates know of places is of the page that was begun.
            if !self.write(readings, resource) {
                self.slots = None; // The source did not keep its promise: what it left out is forgotten.
            }
        }
        self.bytes.as_slice()
    }

    /// Writes the page; `false` if there was no template for each family, in their order.
    fn write(&mut self, readings: &impl Readings, resource: &Resource) -> bool {
        self.write_target(resource);
        let Some(slots) = &mut self.slots else { return false };
        let (mut slots, mut complete) = (slots.iter_mut(), true);
        readings.each_family(|family| {
            let slot = slots.next().filter(|slot| slot.template.is_of(family));
            complete &= slot.is_some();
            if let Some(slot) = slot
                && complete
                && !slot.is_left_out
            {
                let (native, limit) = (&mut self.native, self.options.native_buckets);
                let (page, format) = (&mut self.bytes, self.dialect.format());
                let (template, n_written) = (&mut slot.template, 0);
                FamilyWriter { page, template, n_written, native, limit, format }.family(family);
            }
        });
        if self.dialect.format() == Format::OpenMetrics {
            self.bytes.push(b"# EOF\n");
        }
        complete && slots.next().is_none()
    }

    /// Makes a template for each family; one that is there keeps its texts.
    fn restructure<R: Readings>(&mut self, readings: &R) {
        let mut old: HashMap<String, Template> = (self.slots.take().into_iter().flatten())
            .map(|slot| (slot.template.name().to_owned(), slot.template))
            .collect();
        let (mut slots, mut taken) = (Vec::new(), HashSet::new());
        readings.each_family(|family| {
            let known = old.remove(family.head().name).filter(|template| template.is_of(family));
            let (names, is_left_out) = self.free_names(family, &mut taken);
            let template = known.filter(|template| template.names == names).unwrap_or_else(|| {
                Template::new(family, names, self.options.translation, self.dialect)
            });
            slots.push(Slot { template, is_left_out });
        });
        self.slots = Some(slots);
        let claims = ["target", "target_info"];
        let free = claims.iter().all(|name| !taken.contains(*name));
        self.target = free.then(|| Target { resource: Resource::default(), bytes: Vec::new() });
    }

    /// The names of `family`: by the strategy, or else with underscores and suffixes, which are
    /// unique in a registry; and whether not even these are free.
    fn free_names(
        &self,
        family: &impl FamilyReadings,
        taken: &mut HashSet<String>,
    ) -> (Names, bool) {
        let Head { name, kind, unit, .. } = family.head();
        let what = (name, kind, unit);
        let names = |translation| Names::new(what, translation, self.dialect);
        let is_free = |names: &Names| names.claims(kind).all(|name| !taken.contains(&name));
        let tried = [self.options.translation, Translation::default()].map(names);
        let free = tried.iter().find(|names| is_free(names));
        match free {
            Some(names) => taken.extend(names.claims(kind)),
            None => diagnostics::report(
                "page",
                format_args!(
                    "{:?} is left out of the Prometheus page, where `{}` is another family's name",
                    name, tried[0].family
                ),
            ),
        }
        (free.unwrap_or(&tried[0]).clone(), free.is_none())
    }

    /// Forgets the templates if the wall clock went back: a start that they say may be yet to come.
    fn forget_future_dates(&mut self) {
        let corrections = clock::corrections();
        if self.corrections != corrections {
            (self.corrections, self.slots) = (corrections, None);
        }
    }

    /// Writes the resource as the family `target`, unless a family of the user's has that name.
    fn write_target(&mut self, resource: &Resource) {
        let Some(target) = &mut self.target else { return };
        if target.resource != *resource {
            target.bytes = target_bytes(resource, self.dialect, self.options.translation);
            target.resource = resource.clone();
        }
        self.bytes.push(&target.bytes);
    }
}

impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Page")
            .field("dialect", &self.dialect)
            .field("options", &self.options)
            .field("families", &self.slots.as_ref().map_or(0, Vec::len))
            .field("bytes", &self.bytes.len())
            .finish()
    }
}

/// Writes the part of one family, series by series.
struct FamilyWriter<'a> {
    page: &'a mut Buffer,
    template: &'a mut Template,
    /// How many series were written.
    n_written: usize,
    native: &'a mut Native,
    limit: usize,
    format: Format,
}

impl FamilyWriter<'_> {
    fn family(mut self, family: &impl FamilyReadings) {
        let start = self.page.len();
        self.page.push(&self.template.head);
        if !self.template.is_ambiguous() {
            family.each_series(&mut self);
            self.template.end(self.n_written);
        }
        if self.template.is_ambiguous() {
            self.page.truncate(start + self.template.head.len());
            self.n_written = 0;
            self.merged(family);
        }
        match (self.n_written, self.format) {
            (0, _) => self.page.truncate(start),
            (_, Format::Protobuf) => protobuf::delimit(self.page, start),
            _ => {}
        }
    }

    /// Writes the series that have the same labels on the page as one.
    fn merged(&mut self, family: &impl FamilyReadings) {
        let mut merging = Merging { template: self.template, merged: Merged::new() };
        family.each_series(&mut merging);
        let Merging { merged, .. } = merging;
        self.template.learn_merged(&merged);
        for (nth, (_, started, value)) in merged.values().enumerate() {
            let (page, kind, format) = (&mut *self.page, self.template.kind, self.format);
            let writer =
                SeriesWriter { page, native: self.native, limit: self.limit, kind, format };
            writer.write(self.template.nth(nth), || *started, value.into());
        }
        self.n_written = merged.len();
    }

    #[inline(always)]
    fn write(&mut self, place: Place<'_>, reading: Reading<'_>) {
        let (page, kind, format) = (&mut *self.page, self.template.kind, self.format);
        if let Some(found) = self.template.series(self.n_written, place, reading) {
            let writer =
                SeriesWriter { page, native: self.native, limit: self.limit, kind, format };
            writer.write(found, || place.started(), reading);
            self.n_written += 1;
        }
    }
}

impl Visit for FamilyWriter<'_> {
    fn begin(&mut self, edition: Option<Edition>) {
        self.template.begin(edition);
    }

    #[inline(always)]
    fn counter(&mut self, place: Place<'_>, sum: u64) {
        if !self.template.is_ambiguous() {
            self.write(place, Reading::Counter(sum));
        }
    }

    fn series(&mut self, place: Place<'_>, reading: Reading<'_>) {
        if !self.template.is_ambiguous() {
            self.write(place, reading);
        }
    }
}

/// Writes one series.
struct SeriesWriter<'a> {
    page: &'a mut Buffer,
    native: &'a mut Native,
    limit: usize,
    kind: Kind,
    format: Format,
}

impl SeriesWriter<'_> {
    #[inline(always)]
    fn write(
        self,
        (at, shape, arena): (At, &Shape, &mut Arena),
        started: impl FnOnce() -> Ticks,
        reading: Reading<'_>,
    ) {
        if self.format == Format::Protobuf {
            let block = arena.get(at);
            let mut writer = protobuf::Writer::new(self.page, self.native, self.limit);
            writer.series(block, shape, started(), &reading.to_value());
        } else {
            let writer = text::Writer::new(self.page, arena, at, self.format);
            writer.series(self.kind, shape, reading);
        }
    }
}

/// Adds the series up that have the same labels on the page.
struct Merging<'a> {
    template: &'a Template,
    merged: Merged,
}

impl Visit for Merging<'_> {
    fn begin(&mut self, _edition: Option<Edition>) {}

    fn counter(&mut self, place: Place<'_>, sum: u64) {
        self.series(place, Reading::Counter(sum));
    }

    fn series(&mut self, place: Place<'_>, reading: Reading<'_>) {
        self.template.merge(&mut self.merged, place, reading);
    }
}

/// The resource as a family.
fn target_bytes(resource: &Resource, dialect: Dialect, translation: Translation) -> Vec<u8> {
    const HELP: &str = "Attributes of the entity that speaks.";
    let attributes = resource.attributes();
    if attributes.is_empty() {
        return Vec::new();
    }
    let format = dialect.format();
    let names = names::target(format);
    let style =
        KeyStyle { kind: Kind::Info, translation, escaping: dialect.escaping(), family: ("", "") };
    let values: Vec<String> =
        attributes.iter().map(|attribute| attribute.value.to_string()).collect();
    let keys = Keys::new(attributes.iter().map(|attribute| attribute.key.as_ref()), style);
    let mut block = Vec::new();
    let push = match format {
        Format::Protobuf => protobuf::push_label_pair,
        _ => push_label,
    };
    keys.pairs(|| values.iter().map(String::as_str), |key, value| push(&mut block, key, value));

    let mut page = Buffer::default();
    if format == Format::Protobuf {
        page.push(&protobuf::head(&names, Kind::Info, Unit::NONE, HELP));
        let mut native = Native::default();
        let mut writer = protobuf::Writer::new(&mut page, &mut native, 0);
        writer.series(&block, &Shape::Constant, Ticks::ORIGIN, &SeriesValue::Info);
        protobuf::delimit(&mut page, 0);
    } else {
        page.push(&text::head(&names, Kind::Info, Unit::NONE, HELP, format));
        page.push(b"target_info{");
        page.push(&block);
        page.push(b"} 1\n");
    }
    page.as_slice().to_vec()
}
