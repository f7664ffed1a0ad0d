//! A collector on a registry: when it is read, and how long its values stay.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread,
    time::Duration,
};

use bellwether_macros::Labels;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use super::collector::{
    Collector, Description, Failure, Gathered, LabelPairs, MAX_SERIES, Reading,
};
use crate::{
    clock::{self, Ticks},
    diagnostics,
    error::{Error, ErrorKind},
    metric::{self, Counter, Observations, Observer, Registry, Sight, Unit},
    sync::Mutex,
};

/// A [`Collector`], and how it is read.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use bellwether::{Unit, collect::{Collector, Description, Failure, Reading, Source}, metric::Registry};
///
/// struct Sensor(Option<f64>);
///
/// impl Collector for Sensor {
///     fn families(&self) -> Vec<Description> {
///         vec![Description::gauge("room.temperature", "In the server room", Unit::new("Cel"))]
///     }
///
///     fn collect(&mut self, to: &mut Reading) -> Result<(), Failure> {
///         let value = self.0.take().ok_or(Failure::new("silent", "the sensor does not answer"))?;
///         to.observe("room.temperature", value, &[]);
///         Ok(())
///     }
/// }
///
/// let registry = Registry::new();
/// let sensor = Source::new("room", Sensor(Some(21.5))).stale_after(Duration::from_secs(60));
/// let sensor = sensor.register(&registry)?;
/// sensor.refresh(); // 21.5.
/// sensor.refresh(); // A failure: the last good value stands for a minute.
/// let snapshot = registry.snapshot();
/// assert_eq!(snapshot.value("room.temperature", &[]).unwrap().as_f64(), 21.5);
/// let silent = [("source", "room"), ("reason", "silent")];
/// assert_eq!(snapshot.value("telemetry.source.failures", &silent).unwrap().as_f64(), 1.0);
/// # Ok::<(), bellwether::Error>(())
/// ```
#[must_use = "nothing is read before it is registered"]
pub struct Source {
    name: String,
    collector: Box<dyn Collector>,
    cached_for: Duration,
    stale_after: Option<Duration>,
    interval: Option<Duration>,
}

/// Keeps a source on its registry. Dropping it removes the families and ends the thread.
#[must_use = "dropping it takes the source off the registry"]
pub struct Registered {
    cache: Arc<Cache>,
    observers: Vec<Observer>,
    stop: Option<Sender<()>>,
}

/// How long one reading serves every reader: a little less than a second, so that a reader that comes
/// once a second gets a new reading each time.
const CACHED_FOR: Duration = Duration::from_millis(950);
/// Long enough that the families of one snapshot come from one reading.
const MIN_CACHED_FOR: Duration = Duration::from_millis(10);
/// How long values stay without a good reading: the time after which Prometheus takes a target for
/// gone.
const STALE_AFTER: Duration = Duration::from_secs(5 * 60);

impl Source {
    /// A source called `name`, the value of the label `source` in the counts of its readings.
    pub fn new(name: impl Into<String>, collector: impl Collector) -> Self {
        Self {
            name: name.into(),
            collector: Box::new(collector),
            cached_for: CACHED_FOR,
            stale_after: None,
            interval: None,
        }
    }

    /// How long one reading serves all readers: a little less than a second by default, at least ten
    /// milliseconds.
    pub fn cached_for(self, age: Duration) -> Self {
        Self { cached_for: age.max(MIN_CACHED_FOR), ..self }
    }

    /// How long the last good values stay if readings fail or are duplicates: five minutes by default,
    /// or three intervals if that is longer.
    pub fn stale_after(self, age: Duration) -> Self {
        Self { stale_after: Some(age), ..self }
    }

    /// Reads at this interval on a thread of its own, for the first time at once, instead of at each
    /// read of the registry. Use it for what is slow or may hang. A reading that takes longer delays
    /// the next.
    ///
    /// Without it, a source that is slower than the [patience](crate::Builder::callback_patience) of
    /// the readers is read in the background: they see the values of the last reading.
    pub fn every(self, interval: Duration) -> Self {
        Self { interval: Some(interval), ..self }
    }

    /// Adds the families to `registry`, until the guard is dropped.
    ///
    /// # Errors
    ///
    /// The error of [`Collector::check`]; the errors of
    /// [`InstrumentBuilder::observe`](crate::metric::InstrumentBuilder::observe) for names that are not
    /// legal or are taken; [`ErrorKind::Io`] if the thread cannot be started. After an error nothing is
    /// registered.
    #[track_caller]
    pub fn register(self, registry: &Registry) -> Result<Registered, Error> {
        self.collector.check()?;
        let families = self.collector.families();
        let cache = Arc::new(self.into_cache(registry, &families)?);
        let mut observers = Vec::with_capacity(families.len());
        for (place, Description { kind, name, help, unit }) in families.into_iter().enumerate() {
            let cache = cache.clone();
            let fill = move |to: &mut Observations| fill(&cache, place, to);
            observers.push(registry.observe(kind, (&name, &help), unit, false, fill)?);
        }
        let stop = cache.interval.map(|interval| start(cache.clone(), interval)).transpose()?;
        Ok(Registered { cache, observers, stop })
    }

    fn into_cache(self, registry: &Registry, families: &[Description]) -> Result<Cache, Error> {
        let by_interval = self.interval.map_or(Duration::ZERO, |interval| interval * 3);
        let kept = |family: &Description| Kept { name: family.name.clone(), ..Kept::default() };
        Ok(Cache {
            counts: Counts::new(registry, self.name)?,
            cached_for: self.cached_for,
            stale_after: self.stale_after.unwrap_or(STALE_AFTER.max(by_interval)),
            interval: self.interval,
            state: Mutex::new(State {
                collector: Some(self.collector),
                families: families.iter().map(kept).collect(),
                stamp: None,
                read: None,
                distrust: 0,
            }),
        })
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source")
            .field("name", &self.name)
            .field("interval", &self.interval)
            .finish_non_exhaustive()
    }
}

impl Registered {
    /// Reads now, on this thread, whatever the age of the last reading. Does nothing while another
    /// thread reads.
    pub fn refresh(&self) {
        self.cache.read(None);
    }

    /// Keeps the source registered, and its thread running, for as long as the registry lives.
    pub fn keep(mut self) {
        self.observers.drain(..).for_each(Observer::keep);
        std::mem::forget(self.stop.take()); // The thread ends when its sender is dropped.
    }
}

impl fmt::Debug for Registered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = &self.cache.counts.source;
        f.debug_struct("Registered").field("source", source).finish_non_exhaustive()
    }
}

/// What was read last, shared by the callbacks of all families.
struct Cache {
    counts: Counts,
    cached_for: Duration,
    stale_after: Duration,
    /// If set, a thread reads at this interval, and readers do not.
    interval: Option<Duration>,
    /// Guards the values. No lock is taken inside it, and the collector runs outside it.
    state: Mutex<State>,
}

struct State {
    collector: Option<Box<dyn Collector>>, // None while it reads.
    families: Vec<Kept>,
    /// The time stamp of the last good reading, if it had one.
    stamp: Option<String>,
    /// When the last reading ended, good or not.
    read: Option<Ticks>,
    /// How many readings must be quick before readers wait for one again; zero if they do wait.
    distrust: u8,
}

/// The last good values of one family.
#[derive(Default)]
struct Kept {
    name: Cow<'static, str>,
    series: BTreeMap<LabelPairs, Sample>,
}

#[derive(Clone, Copy)]
struct Sample {
    value: f64,
    read: Ticks,
}

/// The result of a reading.
enum Outcome {
    Good(Vec<Failure>),
    Duplicate,
    Failed(Failure),
}

impl Cache {
    /// Calls `each` with the values of a family that are not stale.
    fn each_fresh(&self, place: usize, mut each: impl FnMut(f64, &[(&'static str, &str)])) {
        let now = clock::now();
        let state = self.state.lock();
        let mut pairs = Vec::new();
        for (labels, sample) in &state.families[place].series {
            if now.since(sample.read) < self.stale_after {
                pairs.clear();
                pairs.extend(labels.iter().map(|(key, value)| (*key, &**value)));
                each(sample.value, &pairs);
            }
        }
    }

    /// Whether a reader should start a reading now.
    fn is_due(&self) -> bool {
        let state = self.state.lock();
        let is_old = |read| clock::now().since(read) >= self.cached_for;
        self.interval.is_none() && state.collector.is_some() && state.read.is_none_or(is_old)
    }

    fn is_slow(&self) -> bool {
        self.state.lock().distrust > 0
    }

    /// Reads, unless another thread does: then the last good values are shown. For a reader that waits
    /// for `patience`, it notes whether that is long enough.
    fn read(&self, patience: Option<Duration>) {
        let taken = {
            let mut state = self.state.lock();
            let names = state.families.iter().map(|family| family.name.clone());
            let reading = Reading::of(names);
            state.collector.take().map(|collector| (collector, reading))
        };
        let Some((mut collector, mut reading)) = taken else { return };
        let quick = patience.map(|patience| clock::deadline(metric::quick(patience)));
        let call = AssertUnwindSafe(|| collector.collect(&mut reading));
        let result = catch_unwind(call)
            .unwrap_or_else(|_| Err(Failure::new("panic", "the collector panicked")));
        let outcome = {
            let mut state = self.state.lock();
            let outcome = state.take_over(reading, result, clock::now(), self.stale_after);
            state.collector = Some(collector);
            if let Some(quick) = quick {
                let is_quick = !clock::until(quick).is_zero();
                state.distrust = if is_quick { state.distrust.saturating_sub(1) } else { DISTRUST };
            }
            outcome
        };
        self.counts.count(outcome);
    }
}

/// How many quick readings make up for a slow one: otherwise a source that is slow now and then would
/// hide a family each time. Arbitrary.
const DISTRUST: u8 = 10;

/// Observes the values of a family that are not stale, after a reading if one is due. If the source was
/// slow, the reading runs on a thread of its own, and the last good values are shown without waiting.
fn fill(cache: &Arc<Cache>, place: usize, to: &mut Observations) {
    if cache.is_due() {
        let patience = to.patience();
        if !cache.is_slow() || !read_apart(cache, patience) {
            cache.read(Some(patience));
        }
    }
    cache.each_fresh(place, |value, labels| to.observe(value, labels));
}

/// Begins a reading without waiting for it; `false` if no thread can be started.
fn read_apart(cache: &Arc<Cache>, patience: Duration) -> bool {
    let (cache, sight) = (cache.clone(), Sight::of_this_thread());
    let run = move || sight.show(|| cache.read(Some(patience)));
    thread::Builder::new().name("bellwether-late".to_owned()).spawn(run).is_ok()
}

impl State {
    fn take_over(
        &mut self,
        reading: Reading,
        result: Result<(), Failure>,
        now: Ticks,
        stale_after: Duration,
    ) -> Outcome {
        self.read = Some(now);
        if let Err(failure) = result {
            return Outcome::Failed(failure);
        }
        if reading.stamp.is_some() && reading.stamp == self.stamp {
            return Outcome::Duplicate;
        }
        self.stamp = reading.stamp;
        let mut failures = reading.failures;
        for (kept, gathered) in self.families.iter_mut().zip(reading.families) {
            kept.take_over(gathered, now, stale_after, &mut failures);
        }
        Outcome::Good(failures)
    }
}

impl Kept {
    fn take_over(
        &mut self,
        gathered: Gathered,
        now: Ticks,
        stale_after: Duration,
        failures: &mut Vec<Failure>,
    ) {
        let is_whole = gathered.failures.is_empty();
        self.series.retain(|_, sample| !is_whole && now.since(sample.read) < stale_after);
        for (labels, value) in gathered.series {
            // The limit holds for old and new series together; the next complete reading removes the
            // old.
            if self.series.len() < MAX_SERIES || self.series.contains_key(&labels) {
                self.series.insert(labels, Sample { value, read: now });
            }
        }
        failures.extend(gathered.failures);
    }
}

/// The counts of one source, on its registry.
struct Counts {
    source: String,
    readings: Counter<OfSource>,
    failures: Counter<OfReason>,
    duplicates: Counter<OfSource>,
}

#[derive(Labels)]
struct OfSource {
    source: String,
}

#[derive(Labels)]
struct OfReason {
    source: String,
    reason: &'static str,
}

impl Counts {
    #[track_caller]
    fn new(registry: &Registry, source: String) -> Result<Self, Error> {
        Ok(Self {
            source,
            readings: registry
                .counter("telemetry.source.readings", "Readings of sources, good or not")
                .unit(Unit::new("{reading}"))
                .labels()
                .build()?,
            failures: registry
                .counter(
                    "telemetry.source.failures",
                    "What could not be read of sources, by reason",
                )
                .unit(Unit::new("{failure}"))
                .labels()
                .build()?,
            duplicates: registry
                .counter(
                    "telemetry.source.duplicates",
                    "Readings dropped because their time stamp was that of the one before",
                )
                .unit(Unit::new("{reading}"))
                .labels()
                .build()?,
        })
    }

    fn count(&self, outcome: Outcome) {
        self.readings.with(self.label()).inc();
        match outcome {
            Outcome::Good(failures) => failures.iter().for_each(|failure| self.fail(failure)),
            Outcome::Duplicate => self.duplicates.with(self.label()).inc(),
            Outcome::Failed(failure) => self.fail(&failure),
        }
    }

    fn fail(&self, failure: &Failure) {
        let (source, reason) = (self.source.clone(), failure.reason);
        diagnostics::report("source", format_args!("{source}: {failure}"));
        self.failures.with(OfReason { source, reason }).inc();
    }

    fn label(&self) -> OfSource {
        OfSource { source: self.source.clone() }
    }
}

/// Starts the thread that reads at `interval` until the sender is dropped.
fn start(cache: Arc<Cache>, interval: Duration) -> Result<Sender<()>, Error> {
    let (stop, stopped) = bounded(0);
    let run = move || read_until(&stopped, &cache, interval);
    let thread = thread::Builder::new().name("bellwether-poll".to_owned()).spawn(run);
    thread.map_err(|error| {
        Error::new(ErrorKind::Io, "cannot start the thread of a source").with_source(error)
    })?;
    Ok(stop)
}

fn read_until(stopped: &Receiver<()>, cache: &Cache, interval: Duration) {
    loop {
        let next = clock::deadline(interval);
        cache.read(None);
        if stopped.recv_deadline(next) != Err(RecvTimeoutError::Timeout) {
            return;
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
