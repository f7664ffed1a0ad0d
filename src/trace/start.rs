//! The start of a span, and the decision whether it is recorded.
//!
//! Most spans are children of the current one and do as it does. For all others the sampler is asked:
//! where it stands if it is ours, else with this thread's spans free.

use std::{
    cell::{RefCell, RefMut},
    mem,
};

use super::{
    active::Active,
    head::Head,
    local::{self, Bound, Local},
    sampler::{Candidate, More, Sampling},
    seed::{Parent, Seed, Start},
    stack::{Left, Place},
    tracer::{self, Tracer},
};
use crate::{
    context::{self, Context, Ids, SpanContext, TraceId, TraceState},
    label::KeyValue,
};

/// Whether any tracer runs.
#[inline(always)]
pub(crate) fn is_active() -> bool {
    tracer::active() != 0
}

/// Whether a span that is entered may change anything: whether a tracer runs, or a parent is to be
/// current.
#[inline(always)]
pub(super) fn may_start(parent: &Parent) -> bool {
    is_active() || carries(parent)
}

/// Whether a parent is to be current that nothing is recorded below.
#[inline(always)]
fn carries(parent: &Parent) -> bool {
    match parent {
        Parent::Current => false,
        Parent::None => context::ids() != Ids::NONE,
        Parent::Given(parent) => {
            !parent.is_none() || context::ids() != Ids::NONE || context::has_attached()
        }
    }
}

/// Starts a span and makes it current. Without a place, what was current still is.
///
/// The seed is lent: most of it is never looked at, and a copy of what was just written stalls.
#[inline]
pub(super) fn push_new(seed: &mut Seed) -> Option<Place> {
    let place = local::with_tracer(|cell, mut local| {
        let own = &mut *local;
        if own.stack.is_full() {
            return set_apart(cell, local, seed);
        }
        let bound = own.bound.as_ref()?;
        let mut start = match foresee(bound, seed) {
            Foreseen::Decided(start) => start,
            Foreseen::Open(start) => return push_any(cell, local, seed, start),
        };
        start.admit(bound);
        let active = start.ids.is_recorded().then(|| {
            // A child's reading may be some nanoseconds early, being another core's.
            let earliest = own.stack.innermost().map(|open| open.record.start());
            let (record, attached) = (own.stock.take(), context::attached());
            let tracer = &bound.tracer;
            let active = Active::start(record, tracer, start, attached.state, seed, earliest);
            active.completed(tracer, &attached.baggage)
        });
        Some(match start.is_root() {
            true => own.stack.push_root(start.ids, active),
            false => own.stack.push(start.ids, active),
        })
    });
    if place.is_none() && carries(&seed.parent) { carry(seed) } else { place }
}

/// A span about to start, as far as is known without asking a sampler.
enum Foreseen {
    /// No sampler has to be asked, and nothing is attached but what a child inherits.
    Decided(Start),
    /// With its ids, if it has them already: a sampler may decide by them.
    Open(Option<Start>),
}

/// Most spans are children of the current one, and do as it does.
#[inline(always)]
fn foresee(Bound { tracer, head, .. }: &Bound, seed: &Seed) -> Foreseen {
    let parent = match seed.parent {
        Parent::Current => context::ids(),
        Parent::None => Ids::NONE,
        // A caller that said nothing.
        Parent::Given(ref parent) if parent.is_none() => Ids::NONE,
        Parent::Given(_) => return Foreseen::Open(None),
    };
    if parent.is_valid() {
        return match head.follows(&parent) {
            true => Foreseen::Decided(Start::child(parent)),
            false => Foreseen::Open(None),
        };
    }
    if parent != Ids::NONE || context::has_attached() || tracer.is_held() {
        return Foreseen::Open(None);
    }
    let root = Start::below(Ids::NONE);
    match head.of_root(root.ids.trace_id) {
        Some(is_sampled) => Foreseen::Decided(root.decided(is_sampled, is_sampled, false)),
        None => Foreseen::Open(Some(root)),
    }
}

/// As [`push_new`], for a parent that is named, for samplers that have to be asked, and for roots with
/// baggage.
#[inline(never)] // The way past it is to stay short.
fn push_any<'a>(
    cell: &'a RefCell<Local>,
    local: RefMut<'a, Local>,
    seed: &mut Seed,
    start: Option<Start>,
) -> Option<Place> {
    let caller = distrust(&local, seed);
    let start = start.unwrap_or_else(|| Start::below(seed.parent_ids()));
    let mut attached = seed.attached(&start); // Before the sampler, which may leave the current span.
    let (mut local, mut start, more) = decide(cell, local, seed, start)?;
    let local = &mut *local;
    if let Some(more) = more {
        seed.take_over(more, &mut attached.state);
    }
    start.admit(local.bound.as_ref()?);
    let active = if start.ids.is_recorded() {
        let earliest = local.stack.innermost().map(|open| open.record.start());
        let (record, state) = (local.stock.take(), attached.state.clone());
        let tracer = &local.bound.as_ref()?.tracer;
        start.note(tracer);
        let mut active = Active::start(record, tracer, start, state, seed, earliest);
        link_to(caller, &mut active);
        Some(active.completed(tracer, &attached.baggage))
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
    seed.parent = Parent::Given(Context::NONE);
    caller
}

/// Links the span to a caller whose trace it does not continue.
#[inline(always)]
fn link_to(caller: Option<Ids>, active: &mut Active) {
    if let Some(caller) = caller.filter(Ids::is_valid) {
        // Not its trace state, which is a stranger's text.
        let caller = caller.with_state(TraceState::EMPTY);
        active.link(caller, vec![KeyValue::new("caller.untrusted", true)]);
    }
}

/// Makes the context of a parent current that nothing is recorded below.
#[cold]
#[inline(never)]
fn carry(seed: &mut Seed) -> Option<Place> {
    let left = match local::push(Left::Unrecorded(seed.take_parent()?)) {
        Ok(place) => return Some(place),
        Err(left) => left,
    };
    local::set_apart(left);
    None
}

/// Starts a span for which there is no frame.
#[cold]
#[inline(never)]
fn set_apart(cell: &RefCell<Local>, local: RefMut<'_, Local>, seed: &mut Seed) -> Option<Place> {
    drop(local);
    let left = start(seed.clone());
    cell.try_borrow_mut().ok()?.apart = left;
    None
}

/// Starts a span without making it current.
#[inline(never)] // Once, with everything in it; what it returns is filled where the caller wants it.
pub(super) fn start(mut seed: Seed) -> Option<Left> {
    let seed = &mut seed;
    let left = local::with_tracer(|cell, local| {
        let caller = distrust(&local, seed);
        let start = Start::below(seed.parent_ids());
        let mut attached = seed.attached(&start); // As in `push_any`.
        let (mut local, mut start, more) = decide(cell, local, seed, start)?;
        if let Some(more) = more {
            seed.take_over(more, &mut attached.state);
        }
        start.admit(local.bound.as_ref()?);
        let left = if start.ids.is_recorded() {
            let record = local.stock.take();
            let tracer = &local.bound.as_ref()?.tracer;
            start.note(tracer);
            let mut active = Active::start(record, tracer, start, attached.state, seed, None);
            link_to(caller, &mut active);
            Left::Recorded(active.completed(tracer, &attached.baggage), attached.baggage)
        } else {
            Left::Unrecorded(attached.to(start.ids))
        };
        let after = local.release_after_end();
        local.keep_attributes(mem::take(&mut seed.attributes));
        drop(local);
        drop(after);
        Some(left)
    });
    let attributes = mem::take(&mut seed.attributes);
    if attributes.capacity() > 0 {
        local::keep_attributes(attributes);
    }
    left.or_else(|| seed.take_parent().or_else(current_to_carry).map(Left::Unrecorded))
}

/// The current context to carry elsewhere, if there is one.
pub(super) fn current_to_carry() -> Option<Context> {
    Some(context::current()).filter(|context| !context.is_none())
}

impl Start {
    /// Counts the span among the open ones, if it is recorded; too many are not.
    #[inline(always)]
    fn admit(&mut self, bound: &Bound) {
        if self.ids.is_recorded() && !bound.count_start() {
            *self = self.decided(false, false, false);
        }
    }

    /// Notes a local root that is recorded, for the tail sampler.
    #[inline(always)]
    fn note(&self, tracer: &Tracer) {
        if self.is_root() || self.parent.is_remote() {
            tracer.note_root(self.ids.trace_id);
        }
    }
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
    let Bound { tracer, head, .. } = local.bound.as_ref()?;
    if !start.is_root() && head.follows(&start.parent) {
        return Some((local, start, None));
    }
    if start.is_root()
        && start.parent.bits.is_none()
        && let Some(is_sampled) = head.of_root(start.ids.trace_id)
    {
        let start = tracer.decided(start, is_sampled, is_sampled);
        return Some((local, start, None));
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
    let tracer = &local.bound.as_ref()?.tracer;
    let start = tracer.decided(start, sampling.is_recorded(), sampling.is_sampled());
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
        let links = seed.links.as_ref().map_or(&[][..], |links| &links.0);
        let (name, kind, attributes) = (&seed.name, seed.kind, &*seed.attributes);
        let candidate = |parent| Candidate { parent, trace_id, name, kind, attributes, links };
        match &seed.parent {
            Parent::Given(parent) => ask(&candidate(parent.span())),
            // Also of a root: a caller whose context is current may have said something about it.
            Parent::Current if !is_root || !context::ids().bits.is_none() => {
                ask(&candidate(&context::span_context()))
            }
            Parent::Current | Parent::None => ask(&candidate(&SpanContext::NONE)),
        }
    }
}
