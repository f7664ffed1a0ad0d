//! What is done once a second, so that no caller waits for it.

use std::sync::{Arc, Weak};

use super::{
    percentiles::{self, Percentiles},
    request::Requests,
    running::Running,
    ticker::{Stop, Ticker},
};
use crate::{
    alert::{Engine, External, Transition, notify::Notification},
    clock::{self, Slot, Slots},
    diagnostics,
    error::Error,
    pipeline::{Chunk, Pipe},
    trace,
    util::{catch::catch, fork_section},
};

/// What is called at every change of an alert's state.
pub(super) type OnTransition = Box<dyn Fn(&Transition) + Send>;

/// What a tick uses.
pub(super) struct Ticking {
    /// Weak: the thread does not keep the telemetry alive.
    pub(super) running: Weak<Running>,
    pub(super) slots: Slots,
    pub(super) engine: Engine,
    pub(super) notifiers: Vec<Pipe<Notification>>,
    pub(super) external: External,
    pub(super) on_transition: Vec<OnTransition>,
    /// Where a tail sampler asks for them.
    pub(super) percentiles: Option<Arc<Percentiles>>,
}

impl Ticking {
    /// Starts the thread that ticks.
    pub(super) fn start(self) -> Result<Ticker, Error> {
        let requests = Requests::new(); // Here, so that one that comes after the start is none of before.
        Ticker::start("bellwether-tick", move |stop| self.run(stop, requests))
    }

    /// Ticks at the slots of the interval until it is stopped. Slots that pass during a tick are
    /// skipped, so that a machine that was suspended does not catch up.
    fn run(mut self, stop: &Stop, mut requests: Requests) {
        while !stop.comes_until(clock::deadline(self.slots.until_next(clock::now()))) {
            let Some(running) = self.running.upgrade() else { return };
            clock::anchor();
            requests.heed(&running);
            running.collect();
            running.mind_open_spans();
            trace::trim();
            let section = fork_section::enter(); // For the registry's locks.
            let slot = running.remember(&mut self.slots);
            drop(section);
            if let Some(slot) = slot {
                self.evaluate(slot);
            }
            if let Some(percentiles) = &self.percentiles {
                percentiles.refresh(|| running.window(percentiles::LENGTH));
            }
        }
    }

    /// Queues notifications before callbacks and hooks run: one of these may end the process, and
    /// queued notifications are delivered then.
    fn evaluate(&mut self, slot: Slot) {
        let mut tick = self.engine.tick(slot);
        if !tick.notifications.is_empty() {
            let mut notifications = std::mem::take(&mut tick.notifications);
            notifications
                .iter_mut()
                .for_each(|notification| notification.add_external(&self.external));
            let chunk: Chunk<Notification> = notifications.into();
            self.notifiers.iter().for_each(|pipe| pipe.push(chunk.clone()));
        }
        for transition in &tick.transitions {
            for call in &self.on_transition {
                if let Err(panic) = catch(|| call(transition)) {
                    let name = transition.alert.name();
                    diagnostics::report(
                        "callback",
                        format_args!("the callback for alert {name} panicked: {panic}"),
                    );
                }
            }
        }
        tick.report();
    }
}
