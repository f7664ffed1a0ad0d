//! What a tracer does about spans that are open: has them watched, exports them as they stand, and gives them
//! up.

use super::{
    SpanRecord,
    held::Held,
    tracer::{Tracer, WATCHES},
    watched,
    watching::Overdue,
};
use crate::{context::SpanId, sync::atomic::Ordering::Relaxed};

impl Tracer {
    /// As [`open`](Self::open); where many are, a sample of those that start is watched from now on.
    #[cold]
    pub(super) fn heed_open(&self) -> u64 {
        let n_open = self.open();
        self.watch_if(self.watching.wants_any(n_open));
        n_open
    }

    pub(super) fn watch_if(&self, is_wanted: bool) {
        if is_wanted {
            self.extras.fetch_or(WATCHES, Relaxed);
        } else {
            self.extras.fetch_and(!WATCHES, Relaxed);
        }
    }

    /// Whether anything is done about some spans that start: attributes of their baggage, or a watch.
    #[inline(always)]
    pub(super) fn has_extras(&self) -> bool {
        self.extras.load(Relaxed) != 0
    }

    /// Whether a span that starts is to be watched.
    pub(super) fn wants_to_watch(&self, span: SpanId) -> bool {
        self.extras.load(Relaxed) & WATCHES != 0 && self.watching.wants(span)
    }

    /// What there is to report of spans that stay open; asked once a second.
    pub(crate) fn overdue(&self) -> Option<Overdue> {
        let n_open = self.heed_open();
        self.watching.look(self.id(), n_open)
    }

    /// Whether open spans are exported as they stand.
    pub(crate) fn exports_open(&self) -> bool {
        self.watching.exports()
    }

    /// Hands over copies of the sampled spans that are open, if that was chosen. With a tail sampler `sort`
    /// leaves those that are to be exported now, and says how many are lost.
    pub(super) fn export_open(&self, sort: impl Fn(&Held, &mut Vec<SpanRecord>) -> usize) {
        if self.watching.exports() {
            watched::copy_each(self.id(), |batch| self.deliver_open(batch, &sort));
        }
    }

    fn deliver_open(
        &self,
        batch: &mut Vec<SpanRecord>,
        sort: impl Fn(&Held, &mut Vec<SpanRecord>) -> usize,
    ) {
        match &self.held {
            Some(held) => self.lose(sort(held, batch)),
            None => batch.retain(|span| span.context().is_sampled()),
        }
        self.deliver(batch);
    }

    /// Gives up the spans that have been open for too long, if that was chosen: they are exported as they
    /// stand, and count as ended. Asked once a second.
    pub(crate) fn give_up_old(&self) {
        if let Some(age) = self.watching.gives_up() {
            let hand_over = |batch: &mut Vec<SpanRecord>| {
                batch.iter().for_each(|span| self.count_cuts(span));
                self.deliver_open(batch, Held::accept);
            };
            let n = watched::give_up(self.id(), age, hand_over);
            self.watching.note_given_up(n);
            self.count_open(-i64::try_from(n).unwrap_or(0));
        }
    }
}
