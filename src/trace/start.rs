//! The start of a span, and the decision whether it is recorded.
//!
//! Most spans are children of the current one and do as it does. For all others the sampler is asked:
//! where it stands if it is ours, else with this thread's spans free.

use std::cell::{RefCell, RefMut};

use super::{
    active::Active,
    head::Head,
    local::{self, Bound, Local},
    sampler::{Candidate, More, Sampling},
    seed::{Seed, Start},
    stack::{Left, Place},
    tracer,
};
use crate::{
    context::{self, Context, Ids, SpanContext, TraceId, TraceState},
    label::KeyValue,
};

/// Whether any tracer runs.
#[inline(always)]
pub(super) fn is_active() -> bool {
    tracer::active() != 0
}

/// Whether a span that is entered may change anything: whether a tracer runs, or a parent is to be
/// current.
#[inline(always)]
pub(super) fn may_start(seed: &Seed) -> bool {
    is_active() || carries(seed)
}

/// Whether a parent is to be current that nothing is recorded below.
#[inline(always)]
fn carries(seed: &Seed) -> bool {
    let changes = |parent: &Context| {
        let is_any = parent.span().is_valid() || !parent.baggage().is_empty();
        is_any || context::ids().is_valid() || context::has_attached()
    };
    seed.parent.as_ref().is_some_and(changes)
}

/// Starts a span and makes it current. Without a place, what was current still is.
///
/// The seed is lent: most of it is never looked at, and a copy of what was just written stalls.
#[inline]
pub(super) fn push_new(seed: &mut Seed) -> Option<Place> {
    let place = local::with_tracer(|cell, mut local| {
        let own = &mut *local;
        if own.stack.is_full() {
            own.overflow();
            return None;
        }
        // Most spans are children of the current one, and do as it does.
        if seed.parent.is_none() {
            let parent = context::ids();
            let Bound { tracer, head, .. } = own.bound.as_ref()?;
            if parent.is_valid() && head.follows(&parent) {
                let start = Start::child(parent);
                if !start.ids.is_recorded() {
                    return Some(own.stack.push(start.ids, None));
                }
                // A child's reading may be some nanoseconds early, being another core's.
                let earliest = own.stack.innermost().map(|open| open.record.start());
                let (record, state) = (own.stock.take(), context::attached().state);
                let active = Active::start(record, tracer, start, state, seed, earliest);
                return Some(own.stack.push(start.ids, Some(active)));
            }
        }
        push_any(cell, local, seed)
    });
    if place.is_none() && carries(seed) { carry(seed) } else { place }
}

/// As [`push_new`], for a root, for a parent that is named, and for samplers that have to be asked.
#[inline(never)] // The way past it is to stay short.
fn push_any<'a>(
    cell: &'a RefCell<Local>,
    local: RefMut<'a, Local>,
    seed: &mut Seed,
) -> Option<Place> {
    let caller = distrust(&local, seed);
    let start = Start::below(seed.parent_ids());
    let mut attached = seed.attached(&start); // Before the sampler, which may leave the current span.
    let (mut local, start, more) = decide(cell, local, seed, start)?;
    let local = &mut *local;
    if let Some(more) = more {
        seed.take_over(more, &mut attached.state);
    }
    let active = if start.ids.is_recorded() {
        let earliest = local.stack.innermost().map(|open| open.record.start());
        let (record, state) = (local.stock.take(), attached.state.clone());
        let tracer = &local.bound.as_ref()?.tracer;
        let mut active = Active::start(record, tracer, start, state, seed, earliest);
        link_to(caller, &mut active);
        Some(active)
    } else {
        None
    };
    Some(local.stack.push_other(start.ids, attached, active))
}

/// Makes a root of a span whose parent is a caller that is not trusted; the ids of that.
#[inline(always)]
fn distrust(local: &Local, seed: &mut Seed) -> Option<Ids> {
    let distrusts = local.bound.as_ref()?.tracer.distrusts_callers();
    if distrusts && seed.parent_ids().is_remote() { Some(sever(seed)) } else { None }
}

#[cold]
#[inline(never)]
fn sever(seed: &mut Seed) -> Ids {
    let caller = seed.parent_ids();
    seed.parent = Some(Context::NONE);
    caller
}

/// Links the span to a caller whose trace it does not continue.
#[inline(always)]
fn link_to(caller: Option<Ids>, active: &mut Active) {
    if let Some(caller) = caller.filter(Ids::is_valid) {
        // Not its trace state, which is a stranger's text.
        let caller = caller.with_state(TraceState::EMPTY);
        active.add_link(caller, vec![KeyValue::new("caller.untrusted", true)]);
    }
}

/// Makes the context of a parent current that nothing is recorded below.
#[cold]
#[inline(never)]
fn carry(seed: &mut Seed) -> Option<Place> {
    local::push(Left::Unrecorded(seed.parent.take()?)).ok()
}

/// Starts a span without making it current.
pub(super) fn start(seed: &mut Seed) -> Option<Left> {
    let left = local::with_tracer(|cell, local| {
        let caller = distrust(&local, seed);
        let start = Start::below(seed.parent_ids());
        let mut attached = seed.attached(&start); // As in `push_any`.
        let (mut local, start, more) = decide(cell, local, seed, start)?;
        if let Some(more) = more {
            seed.take_over(more, &mut attached.state);
        }
        let left = if start.ids.is_recorded() {
            let record = local.stock.take();
            let tracer = &local.bound.as_ref()?.tracer;
            let mut active = Active::start(record, tracer, start, attached.state, seed, None);
            link_to(caller, &mut active);
            Left::Recorded(active, attached.baggage)
        } else {
            Left::Unrecorded(attached.to(start.ids))
        };
        let after = local.release_after_end();
        drop(local);
        drop(after);
        Some(left)
    });
    left.or_else(|| {
        let parent = seed.parent.take();
        parent.or_else(current_to_carry).map(Left::Unrecorded)
    })
}

/// The current context to carry elsewhere, if there is one.
pub(super) fn current_to_carry() -> Option<Context> {
    Some(context::current()).filter(|context| !context.is_none())
}

/// What a decision leaves: the thread's spans, the span's ids, and what the sampler said besides.
type Decided<'a> = (RefMut<'a, Local>, Start, Option<More>);

/// The span that starts, and whether it is recorded.
#[inline(always)] // So that ids stay in registers.
fn decide<'a>(
    cell: &'a RefCell<Local>,
    mut local: RefMut<'a, Local>,
    seed: &Seed,
    start: Start,
) -> Option<Decided<'a>> {
    let head = &local.bound.as_ref()?.head;
    if !start.is_root() && head.follows(&start.parent) {
        return Some((local, start, None));
    }
    if start.is_root()
        && start.parent.bits.is_none()
        && let Some(is_sampled) = head.of_root(start.ids.trace_id)
    {
        return Some((local, start.decided(is_sampled, is_sampled), None));
    }
    let asked = Asked { trace_id: start.ids.trace_id, is_root: start.is_root() };
    let sampling = match asked.decided(head, seed) {
        Some(sampling) => sampling,
        None => {
            let sampling;
            (local, sampling) = asked.ask(cell, local, seed)?;
            sampling
        }
    };
    let start = start.decided(sampling.is_recorded(), sampling.is_sampled());
    Some((local, start, sampling.into_more()))
}

/// A span that a sampler is asked about.
#[derive(Clone, Copy)]
struct Asked {
    trace_id: TraceId,
    is_root: bool,
}

impl Asked {
    /// The decision of a sampler that can be asked at once.
    #[inline]
    fn decided(self, head: &Head, seed: &Seed) -> Option<Sampling> {
        self.with_candidate(seed, |candidate| head.decide(candidate))
    }

    /// The decision of a sampler that is not ours. It is asked with this thread's spans free; it has the
    /// tracer meanwhile, so that no count that threads share is touched.
    #[cold] // Not that it were rare: the way past it is to stay short.
    #[inline(never)]
    fn ask<'a>(
        self,
        cell: &'a RefCell<Local>,
        mut local: RefMut<'a, Local>,
        seed: &Seed,
    ) -> Option<(RefMut<'a, Local>, Sampling)> {
        let bound = local.bound.take()?;
        local.is_deciding = true;
        drop(local);
        let lose = || bound.tracer.lose(1);
        let sampling = self.with_candidate(seed, |candidate| bound.head.ask(candidate, lose));
        let mut local = cell.try_borrow_mut().ok()?; // Nobody holds it across a call of a sampler.
        local.is_deciding = false;
        local.bound = Some(bound);
        Some((local, sampling))
    }

    #[inline]
    fn with_candidate<R>(self, seed: &Seed, ask: impl FnOnce(&Candidate<'_>) -> R) -> R {
        let Self { trace_id, is_root } = self;
        let (name, kind, attributes) = (&seed.name, seed.kind, &*seed.attributes);
        match &seed.parent {
            Some(parent) => {
                let parent = parent.span();
                ask(&Candidate { parent, trace_id, name, kind, attributes })
            }
            None if is_root => {
                ask(&Candidate { parent: &SpanContext::NONE, trace_id, name, kind, attributes })
            }
            None => {
                let parent = &context::span_context();
                ask(&Candidate { parent, trace_id, name, kind, attributes })
            }
        }
    }
}
