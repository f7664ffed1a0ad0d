//! A page that is kept between scrapes, and how it is rendered.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    fmt,
    time::Instant,
};

use super::{
    Dialect, Format, PageOptions, Translation,
    buffer::Buffer,
    family::{FamilyPage, Shared},
    labels::push_joined,
    protobuf,
    text::{self, Starts},
    wire,
};
use crate::{
    clock, diagnostics,
    exposition::{FamilyName, FamilyReadings, LabelNaming, Readings},
    metric::{Kind, Registry, SeriesValue, Snapshot, Unit},
    resource::Resource,
    snapshot::Head,
};

/// A page that keeps its buffers between scrapes, and what the series of a family have in common.
///
/// It takes little more memory than the bytes it renders. Once its families are known, rendering
/// allocates nothing except for the labels of exemplars.
///
/// # Examples
///
/// ```
/// use bellwether::{
///     export::prometheus::{Format, Page},
///     metric::Registry,
///     resource::Resource,
/// };
///
/// let registry = Registry::new();
/// let orders = registry.counter("shop.orders", "Orders accepted").build()?;
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
    /// One slot for each family, in their order; `None` before the first rendering.
    slots: Option<Vec<Slot>>,
    /// `None` if a family of the user has its name.
    target: Option<Target>,
    shared: Shared,
}

/// The place of a family on the page.
struct Slot {
    family: FamilyPage,
    /// Whether another family has taken one of its names.
    is_left_out: bool,
}

/// The lines of the resource.
struct Target {
    resource: Resource,
    bytes: Buffer,
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
            shared: Shared::default(),
        }
    }

    /// The dialect.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Renders `snapshot`; this replaces what was rendered before.
    ///
    /// A family is left out and reported if another family already has one of its names. A sum of a
    /// counter that is negative or not a number is left out silently, because readers would refuse the
    /// page.
    pub fn render(&mut self, snapshot: &Snapshot, resource: &Resource) -> &[u8] {
        self.render_from(snapshot, resource)
    }

    /// Renders the series of `registry`, in the scope of this thread; as [`render`](Self::render) of a
    /// snapshot. It does not take a snapshot if the page is text and the registry's views, if any,
    /// change neither names nor labels. Each value is then read at the moment when it is written.
    ///
    /// # Examples
    ///
    /// ```
    /// use bellwether::{
    ///     export::prometheus::{Format, Page},
    ///     metric::Registry,
    ///     resource::Resource,
    /// };
    ///
    /// let registry = Registry::new();
    /// registry.counter("shop.orders", "").build()?.add(3);
    /// let mut page = Page::new(Format::Text);
    /// let bytes = page.render_registry(&registry, &Resource::default());
    /// assert!(bytes.ends_with(b"shop_orders_total 3\n"));
    /// # Ok::<(), bellwether::Error>(())
    /// ```
    pub fn render_registry(&mut self, registry: &Registry, resource: &Resource) -> &[u8] {
        self.render_by(None, registry, resource)
    }

    /// As [`render_registry`](Self::render_registry); waits for callbacks until `by` at most.
    pub(crate) fn render_by(
        &mut self,
        by: Option<Instant>,
        registry: &Registry,
        resource: &Resource,
    ) -> &[u8] {
        let in_place = match self.dialect.format() {
            Format::Protobuf => None, // It shows finer histograms than can be read in place.
            format => registry.live(format == Format::OpenMetrics, by),
        };
        match in_place {
            Some(live) => self.render_from(&live, resource),
            None => self.render_from(&registry.snapshot_by(by), resource),
        }
    }

    /// Renders `readings`; as [`render`](Self::render).
    pub(crate) fn render_from(&mut self, readings: &impl Readings, resource: &Resource) -> &[u8] {
        if !self.write(readings, resource) {
            self.restructure(readings);
            if !self.write(readings, resource) {
                self.slots = None; // The source broke its promise: discard what it left out.
            }
        }
        self.bytes.as_slice()
    }

    /// Writes the page; returns `false` unless there was a slot for each family, in their order.
    fn write(&mut self, readings: &impl Readings, resource: &Resource) -> bool {
        self.bytes.clear();
        // The wall clock may have gone back. The latest date reveals this before any other is written.
        (self.shared.date, _) = (None, clock::unix_nanos());
        self.write_target(resource);
        let Some(slots) = &mut self.slots else { return false };
        let (mut slots, mut complete) = (slots.iter_mut(), true);
        readings.each_family(|family| {
            let slot = slots.next().filter(|slot| slot.family.is_of(family.head()));
            complete &= slot.is_some();
            if let Some(slot) = slot
                && complete
                && !slot.is_left_out
            {
                slot.family.write(family, &mut self.bytes, &mut self.shared);
            }
        });
        if self.dialect.format() == Format::OpenMetrics {
            self.bytes.push(b"# EOF\n");
        }
        complete && slots.next().is_none()
    }

    /// Makes a slot for each family; existing slots are kept.
    fn restructure<R: Readings>(&mut self, readings: &R) {
        let mut old: HashMap<String, FamilyPage> = (self.slots.take().into_iter().flatten())
            .map(|slot| (slot.family.name().to_owned(), slot.family))
            .collect();
        self.shared.buckets.tidy(); // Drops those of families that are gone.
        let (mut slots, mut taken) = (Vec::new(), HashSet::new());
        readings.each_family(|family| {
            let head = family.head();
            let known = old.remove(head.name).filter(|known| known.is_of(head));
            let (names, is_left_out) = self.free_names(head, &mut taken);
            let family = known.filter(|known| known.names == names);
            let family =
                family.unwrap_or_else(|| FamilyPage::new(head, names, self.dialect, self.options));
            slots.push(Slot { family, is_left_out });
        });
        self.slots = Some(slots);
        let claims = ["target", "target_info"];
        let is_free = claims.iter().all(|name| !taken.contains(*name));
        self.target = (is_free && self.options.with_target_info)
            .then(|| Target { resource: Resource::default(), bytes: Buffer::default() });
    }

    /// The names of `family`: those of the strategy, or else those with underscores and suffixes, which
    /// are unique in a registry. Also returns whether even these are taken.
    fn free_names(
        &self,
        Head { name, kind, unit, .. }: Head<'_>,
        taken: &mut HashSet<String>,
    ) -> (FamilyName, bool) {
        let what = (name, kind, unit);
        let names = |translation| FamilyName::new(what, self.dialect.naming(translation));
        let is_free = |names: &FamilyName| names.claims(kind).all(|name| !taken.contains(&*name));
        let tried = [self.options.translation, Translation::default()].map(names);
        let free = tried.iter().find(|names| is_free(names));
        match free {
            Some(names) => taken.extend(names.claims(kind).map(Cow::into_owned)),
            None => diagnostics::report(
                "page",
                format_args!(
                    "{:?} is left out of the Prometheus page, where `{}` is another family's name",
                    name,
                    tried[0].family()
                ),
            ),
        }
        (free.unwrap_or(&tried[0]).clone(), free.is_none())
    }

    /// Writes the resource as the family `target`, unless a family of the user has that name.
    fn write_target(&mut self, resource: &Resource) {
        let Some(target) = &mut self.target else { return };
        if target.resource != *resource {
            target.bytes = target_bytes(resource, self.dialect, self.options.translation);
            target.resource = resource.clone();
        }
        self.bytes.copy(&target.bytes);
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

/// The resource as a family.
fn target_bytes(resource: &Resource, dialect: Dialect, translation: Translation) -> Buffer {
    const HELP: &str = "Attributes of the entity that speaks.";
    let mut page = Buffer::default();
    let attributes = resource.attributes();
    if attributes.is_empty() {
        return page;
    }
    let (format, escaping) = (dialect.format(), dialect.escaping());
    let names = FamilyName::target(dialect.naming(translation).model);
    let naming = LabelNaming { kind: Kind::Info, translation, escaping, family: ("", "") };
    let values: Vec<String> =
        attributes.iter().map(|attribute| attribute.value.to_string()).collect();
    let keys = attributes.iter().map(|attribute| attribute.key.as_ref());
    let mut block = Buffer::default();
    push_joined(&mut block, format, keys.zip(values.iter().map(String::as_str)), naming);
    if format == Format::Protobuf {
        page.copy(&protobuf::head(&names, Kind::Info, Unit::NONE, HELP));
        protobuf::Writer { page: &mut page, block: &block, created: None, of_sum: None }
            .value(&SeriesValue::Info);
        wire::delimit(&mut page, 0);
    } else {
        page.copy(&text::head(&names, Kind::Info, Unit::NONE, HELP, format));
        let starts = &Starts::new(&names, Kind::Info);
        let (page, block) = (&mut page, &block);
        text::Writer { page, starts, block, created: None, of_sum: None, format }
            .value(&SeriesValue::Info);
    }
    page
}
