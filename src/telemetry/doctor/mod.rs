//! What is configured, what is reachable, what was lost and why, and what to do about it.
//!
//! The doctor asks nobody: it says what the attempts so far have shown. What it finds is in
//! `findings.rs`, and of each route in `of_routes.rs`, with what to do beside it.

mod findings;
mod of_routes;
mod text;

use std::{fmt, net::SocketAddr, sync::Arc};

use super::{Telemetry, running::Running, source::Source, started::Started};
use crate::{
    pipeline::{AnyPipe, OneLine, Overflow, QueueReport, Settings},
    resource::Resource,
    trace::SpanRecord,
};
use text::{Mebibytes, Thousands};

impl Telemetry {
    /// Says what is configured, what is reachable, what was lost and why, and what to do about it.
    ///
    /// It sends nothing: it says what the attempts so far have shown, and a route that had nothing to send
    /// yet is "not tried yet". So [`flush`](Self::flush) first. It takes some locks for a moment each and
    /// formats; call it when somebody asks, not at each request. Figures are since the start.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use bellwether::{export::Memory, trace::SpanRecord};
    ///
    /// let telemetry = bellwether::builder("shop").export(Memory::<SpanRecord>::new()).start()?;
    /// bellwether::span("checkout").enter().end();
    /// telemetry.flush(Duration::from_secs(5));
    /// let doctor = telemetry.doctor();
    /// println!("{doctor}");
    /// assert!(doctor.is_well());
    /// # Ok::<(), bellwether::Error>(())
    /// ```
    #[must_use]
    pub fn doctor(&self) -> Doctor {
        Doctor::of(&self.running)
    }
}

/// What [`Telemetry::doctor`] has found; `Display` prints it for people.
///
/// Credentials are in none of it: destinations and errors are without them.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Doctor {
    /// Whether telemetry runs.
    pub phase: LifePhase,
    /// The attributes that are sent with everything.
    pub resource: Resource,
    /// Each route, in the order in which they were added within a signal.
    pub routes: Vec<RouteCheck>,
    /// Where the page is served.
    pub listeners: Vec<SocketAddr>,
    /// How many alert rules there are.
    pub n_rules: usize,
    /// What should be looked at, losses first.
    pub findings: Vec<Finding>,
}

/// Whether telemetry runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LifePhase {
    /// It runs.
    Running,
    /// It was switched off, by [`Builder::disabled`](crate::Builder::disabled) or `OTEL_SDK_DISABLED`.
    Disabled,
    /// It was shut down.
    ShutDown,
    /// It is that of the process which this one was forked from.
    Inherited,
}

/// A route: how it is configured, and what became of it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RouteCheck {
    /// What became of its records.
    pub report: QueueReport,
    /// What the attempts so far have shown of the other end.
    pub reach: Reach,
    /// The most records that it holds.
    pub max_items: usize,
    /// The most bytes that it holds.
    pub max_bytes: usize,
    /// What it drops when it is full.
    pub overflow: Overflow,
}

/// What the attempts so far have shown of a route's other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reach {
    /// Nothing was sent yet.
    NotTried,
    /// Records wait, and no attempt has ended yet: none was due, or the first one hangs.
    NoAnswerYet,
    /// It takes what it is sent.
    Taking,
    /// It refused what it was sent, and has taken nothing so far.
    Refusing,
    /// The last attempt failed.
    Failing,
}

/// Something that should be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// How bad it is.
    pub concern: Concern,
    /// What kind it is, in one word that stays the same: `queue_full`, `failing`, `no_route`, …
    pub kind: &'static str,
    /// What is the case, in a sentence.
    pub what: String,
    /// What to do about it.
    pub advice: String,
}

/// How bad a [`Finding`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Concern {
    /// Records were lost.
    Loss,
    /// Something does not work at present.
    Trouble,
    /// Something may not be meant as it is configured.
    Advice,
}

/// What is kept for the doctor when telemetry is started.
pub(super) struct Remembered {
    limits: Vec<RouteLimits>, // In the order of the pipes.
    spans: Arc<Source<SpanRecord>>,
    /// Whether the user is called at each change of an alert.
    hears_of_alerts: bool,
}

impl Remembered {
    pub(super) fn new(started: &Started, hears_of_alerts: bool) -> Self {
        Self { limits: started.limits.clone(), spans: started.spans.clone(), hears_of_alerts }
    }
}

/// The settings of a route that are of interest.
#[derive(Clone, Copy, Debug)]
pub(super) struct RouteLimits {
    max_items: usize,
    max_bytes: usize,
    overflow: Overflow,
}

impl From<&Settings> for RouteLimits {
    fn from(settings: &Settings) -> Self {
        let &Settings { max_items, max_bytes, overflow, .. } = settings;
        Self { max_items, max_bytes, overflow }
    }
}

impl Doctor {
    fn of(running: &Running) -> Self {
        let phase = LifePhase::of(running);
        // Locks that threads of the parent held stay held in a forked child.
        let is_here = phase != LifePhase::Inherited;
        let checked = running.pipes.iter().zip(&running.remembered.limits);
        let routes: Vec<_> = checked
            .filter(|_| is_here)
            .map(|(pipe, limits)| RouteCheck::of(&**pipe, limits))
            .collect();
        let n_rules = if is_here { running.board.rules().len() } else { 0 };
        let mut findings = findings::of(running, phase);
        if is_here {
            findings.extend(routes.iter().flat_map(of_routes::findings));
        }
        findings.sort_by_key(|finding| finding.concern); // Stable.
        let (resource, listeners) = (running.resource.clone(), running.local_addrs.clone());
        Self { phase, resource, routes, listeners, n_rules, findings }
    }

    /// Whether nothing was lost, and nothing is known not to work. There may be
    /// [advice](Concern::Advice) all the same.
    #[must_use]
    pub fn is_well(&self) -> bool {
        self.findings.iter().all(|finding| finding.concern == Concern::Advice)
    }
}

impl LifePhase {
    fn of(running: &Running) -> Self {
        match () {
            () if running.is_inherited() => Self::Inherited,
            () if running.tracer.is_none() => Self::Disabled,
            () if running.has_ended() => Self::ShutDown,
            () => Self::Running,
        }
    }
}

impl RouteCheck {
    fn of(pipe: &dyn AnyPipe, limits: &RouteLimits) -> Self {
        let report = pipe.report();
        let &RouteLimits { max_items, max_bytes, overflow } = limits;
        let reach = Reach::of(&report);
        Self { report, reach, max_items, max_bytes, overflow }
    }
}

/// On some lines: what is configured, then each finding with what to do about it.
impl fmt::Display for Doctor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "telemetry is {}", self.phase)?;
        f.write_str("resource:")?;
        for attribute in self.resource.attributes() {
            let text = format!(" {}={:?}", attribute.key, attribute.value.to_string());
            write!(f, "{}", OneLine(&text))?;
        }
        f.write_str("\n")?;
        if self.routes.is_empty() {
            f.write_str("no routes\n")?;
        }
        self.routes.iter().try_for_each(|route| writeln!(f, "{route}"))?;
        self.listeners.iter().try_for_each(|address| writeln!(f, "listens on {address}"))?;
        writeln!(f, "alert rules: {}", self.n_rules)?;
        if self.findings.is_empty() {
            return f.write_str("nothing was found that should be looked at");
        }
        for (number, finding) in (1..).zip(&self.findings) {
            let is_last = number == self.findings.len();
            write!(f, "{number}. {finding}{}", if is_last { "" } else { "\n" })?;
        }
        Ok(())
    }
}

/// `spans to otlp at http://localhost:4318: failing; offered=… delivered=…; holds …`, on one line.
impl fmt::Display for RouteCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { report, reach, max_items, max_bytes, .. } = self;
        write!(f, "{} to {}", report.signal, report.name)?;
        if let Some(destination) = of_routes::destination(report) {
            write!(f, " at {}", OneLine(destination))?;
        }
        write!(f, ": {reach}; {}", report.totals())?;
        write!(
            f,
            "; holds at most {} records or {}",
            Thousands(*max_items),
            Mebibytes(*max_bytes)
        )?;
        match of_routes::has_spool(report) {
            true => f.write_str("; waits on disk"),
            false => Ok(()),
        }
    }
}

/// `KIND: what is the case` on one line, and what to do about it on the next.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { concern, kind, what, advice } = self;
        let (what, advice) = (OneLine(what), OneLine(advice));
        write!(f, "{concern} ({kind}): {what}\n   -> {advice}")
    }
}

impl fmt::Display for LifePhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Running => "running",
            Self::Disabled => "disabled",
            Self::ShutDown => "shut down",
            Self::Inherited => "that of the parent of this process, and does nothing here",
        })
    }
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::NotTried => "not tried yet",
            Self::NoAnswerYet => "no answer yet",
            Self::Taking => "takes what it is sent",
            Self::Refusing => "refuses what it is sent",
            Self::Failing => "failing",
        })
    }
}

impl fmt::Display for Concern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Loss => "lost",
            Self::Trouble => "trouble",
            Self::Advice => "advice",
        })
    }
}
