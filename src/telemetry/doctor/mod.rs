//! What is configured, what is reachable, what was lost and why, and what to do about it.
//!
//! The doctor asks nobody: it says what the attempts so far have shown. What it finds is in
//! `findings.rs`, and of each route in `of_routes.rs`, with what to do beside it.

mod check;
mod finding;
mod findings;
mod of_routes;
mod phase;
mod remembered;
mod text;

use std::{fmt, net::SocketAddr};

pub use check::{Reach, RouteCheck};
pub use finding::{Concern, Finding};
pub use phase::LifePhase;
pub(super) use remembered::Remembered;

use super::running::Running;
use crate::{pipeline::OneLine, resource::Resource};

/// What [`Telemetry::doctor`](crate::Telemetry::doctor) has found; `Display` prints it for people.
///
/// Credentials are in none of it, unless a backend repeats them in its answer: of that the last error quotes the
/// beginning.
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

impl Doctor {
    pub(super) fn of(running: &Running) -> Self {
        let phase = LifePhase::of(running);
        // Locks that threads of the parent held stay held in a forked child.
        let is_here = phase != LifePhase::Inherited;
        let pipes = running.pipes.iter().filter(|_| is_here);
        let routes: Vec<_> = pipes.map(|pipe| RouteCheck::of(pipe.report())).collect();
        let n_rules = if is_here { running.board.rules().len() } else { 0 };
        let mut findings = findings::of(running, phase);
        if is_here {
            findings.extend(routes.iter().flat_map(|route| of_routes::findings(route, phase)));
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
