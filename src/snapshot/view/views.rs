//! A list of views, and how it changes a snapshot.

use std::{borrow::Cow, collections::HashMap, fmt, sync::Arc};

use super::View;
use crate::snapshot::PageBounds;
use crate::{
    diagnostics,
    error::{Error, ErrorKind},
    label::{LabelSet, OVERFLOW_KEY},
    snapshot::{
        family::{Family, Kind, Series, Snapshot},
        merge::{self, Choice},
        name::claimed_names,
        unit::Unit,
    },
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

/// A list of views, which a registry applies whenever it is read; clones share it.
///
/// As in OpenTelemetry, each view that selects an instrument makes a family of it, and an instrument
/// that no view selects stays unchanged. So one instrument can be shown twice under two names. A view
/// that drops affects no other view: with `* drop`, only what the rest of the list selects is shown.
/// Views that leave an instrument under the same name make one family together, with the labels that
/// all of them keep. If two of them choose buckets, bounds on a page or a limit, the first one counts.
///
/// Series that become equal are added up: counters, up-down counters, histograms, and summaries with
/// the windows that all of them have. The sum starts when the first of its parts started. Of several
/// gauges, the one that started last is shown; if they started together, the last in the order of their
/// labels. A state holds if one of them does.
///
/// If a series is removed from a registry, a sum that included it falls, and a reader of totals takes
/// this for a restart. A [delta reader](crate::metric::Reader::delta) takes differences before the
/// views apply, and is not affected.
///
/// Two families of one name, kind and unit are added up too. If the kind or unit differs, or if both
/// would have the same name on a Prometheus page, the family that kept its name is shown; if both were
/// renamed, the first by its old name. The other is left out and reported.
///
/// The overflow series of a family keeps its label, unless the view keeps no label at all or drops that
/// label by name. The label that tells the states of a state set apart always stays, under the new
/// name.
///
/// # Examples
///
/// ```
/// use bellwether::metric::{Registry, View, Views};
///
/// let registry = Registry::new();
/// let _pools = registry.up_down_counter("pool.used", "").observe(|to| {
///     to.observe(3.0, &[("pool", "db"), ("host", "a")]);
///     to.observe(4.0, &[("pool", "db"), ("host", "b")]);
/// })?;
/// registry.set_views(Views::new([View::new("pool.*").keep_labels(["pool"])])?);
/// let snapshot = registry.snapshot();
/// assert_eq!(snapshot.value("pool.used", &[("pool", "db")]).unwrap().as_f64(), 7.0);
/// # Ok::<(), bellwether::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct Views {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    views: Vec<View>,
    /// The plan for each family seen so far, by its name. Guards itself only; no lock is taken inside
    /// it.
    plans: Mutex<HashMap<String, Arc<Plan>>>,
}

/// How many names are remembered: more than a process has of its own, and a limit for names that come
/// from elsewhere.
const MAX_PLANS: usize = 10_000;

/// How the families of one name, kind and unit are shown.
#[derive(Debug)]
pub(crate) struct Plan {
    kind: Kind,
    unit: Unit,
    /// Whether no view selects it.
    as_it_is: bool,
    /// What is shown of it, with unique names.
    streams: Vec<Stream>,
    /// Whether a part was left out and reported.
    reported: AtomicBool,
}

/// A family that is shown.
#[derive(Debug)]
struct Stream {
    name: Cow<'static, str>,
    /// The names that it has on a page.
    claims: Vec<String>,
    /// The views that made it, by their index in the list.
    views: Vec<usize>,
}

impl Views {
    /// A list of these views.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidOption`] that names the view and the option: a new name that is not legal,
    /// bounds that do not ascend, digits out of range, or a limit of zero.
    pub fn new(views: impl IntoIterator<Item = View>) -> Result<Self, Error> {
        let views: Vec<View> = views.into_iter().collect();
        let fault = |view: &View| view.fault().map(|fault| (view.instrument.0.clone(), fault));
        if let Some((name, (option, fault))) = views.iter().find_map(fault) {
            let text = format!("view of {name:?}: {option}: {fault}");
            return Err(Error::new(ErrorKind::InvalidOption, text));
        }
        Ok(Self { inner: Arc::new(Inner { views, plans: Mutex::default() }) })
    }

    /// Whether the list is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.inner.views.is_empty()
    }

    /// The views, in their order.
    pub(crate) fn all(&self) -> &[View] {
        &self.inner.views
    }

    /// Whether every family stays unchanged, except for the bounds of its histograms on a page.
    pub(crate) fn keep_families(&self) -> bool {
        let keeps = |view: &View| {
            let labels = view.keep_labels.is_none() && view.drop_labels.is_empty();
            labels && !view.drop && view.rename.is_none()
        };
        self.inner.views.iter().all(keeps)
    }

    /// The bounds that the histograms of `name` show on a page, if a view chooses them.
    pub(crate) fn page_bounds(&self, name: &str, kind: Kind, unit: Unit) -> Option<PageBounds> {
        let choosing = self.inner.views.iter().filter(|view| view.shown.is_some());
        let mut selecting = choosing.filter(|view| view.selects(name, kind, unit));
        selecting.find_map(|view| view.shown.as_ref()?.page_bounds())
    }
}

impl Views {
    /// Returns the snapshot as these views show it. If they change nothing, it is the same snapshot, at
    /// the cost of one look-up for each family.
    #[must_use]
    pub fn apply(&self, snapshot: Snapshot) -> Snapshot {
        if self.inner.views.is_empty() {
            return snapshot;
        }
        let plans = self.plans(&snapshot);
        if plans.iter().all(|plan| plan.as_it_is) {
            return snapshot;
        }
        let (started, taken) = (snapshot.started(), snapshot.taken());
        let mut families = snapshot.into_families();
        let mut page = Page::default();
        // Families that keep their names come first, so that no renamed one takes them.
        for renamed in [false, true] {
            for (family, plan) in families.iter_mut().zip(&plans) {
                let is_turn = |stream: &&Stream| (stream.name != family.name) == renamed;
                let turn: Vec<_> = plan.streams.iter().filter(is_turn).collect();
                for stream in turn {
                    let shown = self.shown(family, plan, stream);
                    page.add(shown, plan, stream, &family.name);
                }
            }
        }
        Snapshot::new(started, taken, page.families)
    }

    fn plans(&self, snapshot: &Snapshot) -> Vec<Arc<Plan>> {
        let mut plans = self.inner.plans.lock();
        let plan = |family: &Family| match plans.get(family.name()) {
            Some(plan) if (plan.kind, plan.unit) == (family.kind, family.unit) => Arc::clone(plan),
            _ => {
                if plans.len() >= MAX_PLANS {
                    plans.clear();
                }
                let plan = Arc::new(self.plan(family));
                plans.insert(family.name().to_owned(), Arc::clone(&plan));
                plan
            }
        };
        snapshot.families().iter().map(plan).collect()
    }

    fn plan(&self, family: &Family) -> Plan {
        let Family { name, kind, unit, .. } = family;
        let (kind, unit) = (*kind, *unit);
        let stream = |name: &Cow<'static, str>, views: Vec<usize>| Stream {
            name: name.clone(),
            claims: claimed_names(name, kind, unit),
            views,
        };
        let mut streams: Vec<Stream> = Vec::new();
        let mut as_it_is = true;
        for (place, view) in self.inner.views.iter().enumerate() {
            if !view.selects(name, kind, unit) {
                continue;
            }
            as_it_is = false;
            if view.drop {
                continue;
            }
            let shown = view.rename.clone().map_or_else(|| name.clone(), Cow::Owned);
            match streams.iter_mut().find(|stream| stream.name == shown) {
                Some(stream) => stream.views.push(place),
                None => streams.push(stream(&shown, vec![place])),
            }
        }
        if as_it_is {
            streams.push(stream(name, Vec::new()));
        }
        Plan { kind, unit, as_it_is, streams, reported: AtomicBool::new(false) }
    }

    /// The family that `stream` shows of `family`. The series are moved out if no other stream needs
    /// them.
    fn shown(&self, family: &mut Family, plan: &Plan, stream: &Stream) -> Family {
        let mut series = match plan.streams.len() {
            1 => std::mem::take(&mut family.series),
            _ => family.series.clone(),
        };
        let views: Vec<_> = stream.views.iter().map(|&view| &self.inner.views[view]).collect();
        let mut is_changed = false;
        for series in &mut series {
            if let Some(labels) = shown_labels(&series.labels, family, &stream.name, &views) {
                series.labels = labels;
                is_changed = true;
            }
        }
        if is_changed {
            series = folded(series, &stream.name, plan);
        }
        let shown = views.iter().find_map(|view| view.shown.as_ref()?.page_bounds());
        let page_bounds = shown.unwrap_or(family.page_bounds);
        let (name, help) = (stream.name.clone(), family.help.clone());
        Family { name, help, page_bounds, series, ..*family }
    }
}

/// The labels that all of `views` keep; `None` if that is every label.
fn shown_labels(
    labels: &LabelSet,
    family: &Family,
    name: &str,
    views: &[&View],
) -> Option<LabelSet> {
    let is_state = |key: &str| family.kind == Kind::StateSet && key == family.name;
    let keeps = |key: &str| is_state(key) || views.iter().all(|view| view.keeps(key));
    let all_kept = labels.iter().all(|(key, _)| keeps(key));
    let kept = (!all_kept).then(|| labels.retain(keeps));
    if family.kind != Kind::StateSet || name == family.name {
        return kept;
    }
    // The label that tells the states apart has the name of the family, which has changed.
    let kept = kept.unwrap_or_else(|| labels.clone());
    let state = kept.get(&family.name)?.to_owned();
    let others = kept.retain(|key| !is_state(key));
    Some(others.with([(Cow::Owned(name.to_owned()), state)]))
}

impl View {
    fn keeps(&self, key: &str) -> bool {
        let kept = self.keep_labels.as_ref().is_none_or(|keys| {
            keys.iter().any(|pattern| pattern.is_of(key))
                // A total over all labels needs no mark that some label values are unknown.
                || (key == OVERFLOW_KEY && !keys.is_empty())
        });
        kept && !self.drop_labels.iter().any(|pattern| pattern.is_of(key))
    }
}

/// Adds up series with equal labels.
fn folded(series: Vec<Series>, name: &str, plan: &Plan) -> Vec<Series> {
    merge::fold(series, Choice::LatestStarted, |labels, fault| {
        plan.report(format_args!(
            "series {labels} of {name:?} {}: the first is kept",
            fault.text()
        ));
    })
}

impl Plan {
    /// Reports what is left out, once.
    fn report(&self, text: fmt::Arguments<'_>) {
        // Relaxed: the flag publishes nothing.
        if !self.reported.swap(true, Relaxed) {
            diagnostics::report("view", text);
        }
    }
}

/// The families that are shown, and the names that they take.
#[derive(Default)]
struct Page<'a> {
    families: Vec<Family>,
    names: HashMap<&'a str, usize>,
    claims: HashMap<&'a str, usize>,
}

impl<'a> Page<'a> {
    /// Adds a family that was called `origin`, or adds its series to those of the same name.
    fn add(&mut self, family: Family, plan: &Plan, stream: &'a Stream, origin: &str) {
        let claimed = || stream.claims.iter().find_map(|claim| self.claims.get(claim.as_str()));
        let taken = self.names.get(stream.name.as_ref()).or_else(claimed).copied();
        let Some(place) = taken else {
            let place = self.families.len();
            self.names.insert(&stream.name, place);
            self.claims.extend(stream.claims.iter().map(|claim| (claim.as_str(), place)));
            self.families.push(family);
            return;
        };
        let first = &mut self.families[place];
        let (name, first_name) = (&family.name, &first.name);
        if name == first_name && (family.kind, family.unit) == (first.kind, first.unit) {
            first.series.extend(family.series);
            first.series = folded(std::mem::take(&mut first.series), &stream.name, plan);
            return;
        }
        plan.report(format_args!(
            "{name:?}, as {origin:?} is to be shown, is left out: {first_name:?} has that name, with \
             another kind or unit or another spelling"
        ));
    }
}

impl fmt::Debug for Views {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.inner.views).finish()
    }
}
