//! A route, and what the attempts so far have shown of its other end.

use std::fmt;

use super::text::{Mebibytes, Thousands};
use crate::pipeline::{DropReason, OneLine, QueueReport};

/// A route: how it is configured, and what became of it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RouteCheck {
    /// What became of its records.
    pub report: QueueReport,
    /// What the attempts so far have shown of the other end.
    pub reach: Reach,
}

/// What the attempts so far have shown of a route's other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reach {
    /// Nothing was sent yet: there was nothing, or it waits for its batch.
    NotTried,
    /// It was tried, and has not answered: the first attempt is under way, or was ended early by a flush.
    NoAnswerYet,
    /// It takes what it is sent.
    Taking,
    /// It refused what it was sent, and has taken nothing so far.
    Refusing,
    /// The last attempt failed.
    Failing,
}

impl RouteCheck {
    pub(super) fn of(report: QueueReport) -> Self {
        Self { reach: Reach::of(&report), report }
    }
}

impl Reach {
    fn of(report: &QueueReport) -> Self {
        match report {
            _ if report.failures_in_a_row > 0 => Self::Failing,
            _ if report.delivered > 0 => Self::Taking,
            _ if report.dropped.get(DropReason::Rejected) > 0 => Self::Refusing,
            _ if report.panics > 0 => Self::Failing,
            _ if report.is_attempting || report.attempts > 0 => Self::NoAnswerYet,
            _ => Self::NotTried,
        }
    }
}

/// `spans to otlp at http://localhost:4318: failing; offered=… delivered=…; holds …`, on one line.
impl fmt::Display for RouteCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { report, reach } = self;
        write!(f, "{} to {}", report.signal, report.name)?;
        if let Some(destination) = &report.destination {
            write!(f, " at {}", OneLine(destination))?;
        }
        write!(f, ": {reach}; {}", report.totals())?;
        write!(
            f,
            "; holds at most {} records or {}",
            Thousands(report.max_items),
            Mebibytes(report.max_bytes)
        )?;
        match report.spool.is_some() {
            true => f.write_str("; waits on disk"),
            false => Ok(()),
        }
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
