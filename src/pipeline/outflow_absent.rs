//! Without the feature `spool`, or where there is no Unix: no route has a second half.

use std::{sync::Arc, time::Instant};

use super::{
    QueueReport, Route, Settings, Signal, Watch,
    delivery::{Spawn, Wire},
    limits::Limits,
    outlet::OutletLabel,
    queue::{Queue, Ticket},
};
use crate::error::Error;

pub(super) enum Outflow {}

#[derive(Clone, Debug)]
pub(crate) enum SpoolFolder {}

impl<S: Signal> Route<S> {
    pub(crate) fn kept_below(self, folder: &SpoolFolder) -> Self {
        match *folder {}
    }
}

pub(super) fn limits(settings: &Settings) -> Result<Limits, Error> {
    Limits::checked(settings)
}

pub(super) fn spawn<S: Signal, W: Spawn<S>>(
    worker: impl FnOnce(Option<Watch>) -> W,
    wire: Wire<S>,
    _: (&OutletLabel, &Arc<Queue<S>>),
    _: &Settings,
    watch: Option<Watch>,
) -> Result<Option<Outflow>, Error> {
    worker(watch).spawn(wire)?;
    Ok(None)
}

impl Outflow {
    pub(super) fn begin_flush(&self, _: Option<Instant>) -> Ticket {
        match *self {}
    }

    pub(super) fn wait_settled(&self, _: Ticket, _: Instant) -> bool {
        match *self {}
    }

    pub(super) fn hurry(&self, _: Option<Instant>) {
        match *self {}
    }

    pub(super) fn end_flush(&self, _: Instant) {
        match *self {}
    }

    pub(super) fn close(&self, _: Instant) {
        match *self {}
    }

    pub(super) fn await_end(&self, _: &str, _: Instant) {
        match *self {}
    }

    pub(super) fn report(&self, _: impl FnOnce() -> QueueReport) -> QueueReport {
        match *self {}
    }
}
