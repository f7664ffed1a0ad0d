//! Samplers: which spans are recorded, decided when a span starts.
//!
//! Give one to [`Builder::sampler`](crate::Builder::sampler), a number for a share of all traces:
//!
//! ```
//! use bellwether::trace::sampler;
//!
//! # use bellwether::telemetry::Builder;
//! let a_twentieth: Builder = bellwether::builder("shop").sampler(0.05);
//! let by_rules = bellwether::builder("shop").sampler(
//!     sampler::rules().route("/health", 0.0).name("checkout*", 1.0).otherwise(0.05),
//! );
//! # let _ = (a_twentieth, by_rules);
//! ```
//!
//! | what is wanted | sampler |
//! |---|---|
//! | every trace, or none | [`AlwaysOn`], the default, and [`AlwaysOff`] |
//! | a share of all traces | a number, which is a [`ConsistentProbability`]: what is sampled says with what probability, so that counts can be estimated |
//! | the traces that services with opentelemetry_sdk sample, by the same ratio | [`TraceIdRatio`] |
//! | not more than so many a second | [`RateLimited`], for all traces or [for each route](RateLimited::per_route) |
//! | about so many a second, whatever the load is, with counts that can be estimated, and some of each route | [`Adaptive`] |
//! | something else for each route, name, kind or attribute | [`rules`] |
//! | something of your own | a [`Sampler`] |
//!
//! All of them decide about **traces**, not spans: they are asked where a trace begins, and every other span
//! is decided as its parent was, also if that is a caller's. [`ParentBased`] does it, which stands around
//! every sampler that is given without it. [`EverySpan`] asks about each span, and tears traces apart unless
//! that is what is wanted.
//!
//! **Callers.** A caller's trace is continued, and recorded if the caller records it. So a caller decides how
//! much is recorded here:
//! [`Builder::remote_sampled_per_second`](crate::Builder::remote_sampled_per_second) sets a limit. At a
//! public edge, [`Builder::untrusted_callers`](crate::Builder::untrusted_callers) starts traces of its own,
//! which link to the callers'.
//!
//! **Without a word in code**, `OTEL_TRACES_SAMPLER` and `OTEL_TRACES_SAMPLER_ARG` are heeded: `always_on`,
//! `always_off`, `traceidratio`, and each with `parentbased_` in front. Without it every span is asked
//! about, as OpenTelemetry has it: prefer `parentbased_traceidratio`.
//!
//! **While it runs**, [`Telemetry::set_sampler`](crate::Telemetry::set_sampler) puts another one in place.

mod adaptive;
mod always;
mod bucket;
mod callers;
mod candidate;
mod condition;
mod consistent;
mod environment;
mod into;
mod parent;
mod probability;
mod rate;
mod ratio;
mod rejection;
mod routes;
mod rules;
mod sampling;
mod tail;

use std::{fmt, sync::Arc};

pub use adaptive::Adaptive;
pub use always::{AlwaysOff, AlwaysOn, EverySpan};
pub(crate) use callers::CallerLimit;
pub use candidate::Candidate;
pub use condition::SpanCondition;
pub use consistent::ConsistentProbability;
pub(crate) use environment::of_environment;
pub use into::IntoSampler;
pub use parent::ParentBased;
pub use probability::Probability;
pub use rate::RateLimited;
pub use ratio::TraceIdRatio;
pub(super) use rejection::Rejection;
pub use rules::{Rules, rules};
pub(super) use sampling::More;
pub use sampling::{Decision, Sampling};
pub(super) use tail::Firsts;
pub(crate) use tail::P99;
pub use tail::{LocalTrace, Tail};

/// Decides, when a span starts, whether it is recorded and exported.
///
/// A tracer asks it about roots: it puts a [`ParentBased`] around it, unless it is one or is in an
/// [`EverySpan`].
///
/// It is called on the thread that starts the span: it must not block. Spans that it starts itself are not
/// recorded. Whatever it decides, the trace of a valid parent is continued.
///
/// A panic in it does not come out where the span starts: the span is not recorded and its children
/// learn that, as by [`Sampling::DROP`]. It counts as [lost](super::Tracer::lost), and the first one of
/// a tracer is reported.
///
/// # Examples
///
/// ```
/// use bellwether::{label::Value, trace::sampler::{Candidate, Sampler, Sampling}};
///
/// /// Samples what the synthetic checks of a staging system do.
/// #[derive(Debug)]
/// struct OfChecks;
///
/// impl Sampler for OfChecks {
///     fn sample(&self, span: &Candidate<'_>) -> Sampling {
///         let is_check = span.attribute("check") == Some(&Value::from(true));
///         Sampling::from_sampled(is_check)
///     }
/// }
///
/// let builder = bellwether::builder("shop").sampler(OfChecks);
/// # let _ = builder;
/// ```
pub trait Sampler: Send + Sync + fmt::Debug + 'static {
    /// The decision on `span`.
    fn sample(&self, span: &Candidate<'_>) -> Sampling;

    /// Whether it runs none but this crate's code, which neither panics nor uses spans.
    #[doc(hidden)]
    fn is_ours(&self, _: Ours) -> bool {
        false
    }

    /// Whether it always decides children of spans of this process as their parents were.
    #[doc(hidden)]
    fn follows_local(&self, _: Ours) -> bool {
        false
    }

    /// What it decides about every root, if that is always the same and says nothing else.
    #[doc(hidden)]
    fn of_roots(&self, _: Ours) -> Option<bool> {
        None
    }

    /// The roots that it drops by their trace ids alone, without a word.
    #[doc(hidden)]
    fn rejection(&self, _: Ours) -> Rejection {
        Rejection::NONE
    }

    /// Whether it is to be asked about spans with parents too.
    #[doc(hidden)]
    fn minds_parents(&self, _: Ours) -> bool {
        false
    }
}

mod ours {
    /// Nobody else can name it, and so claim to be ours.
    #[derive(Clone, Copy, Debug)]
    pub struct Ours;
}
pub(super) use ours::Ours;

/// The sampler that a pointer leads to: in an `Arc` it may be had elsewhere too.
macro_rules! pointers {
    ($($pointer:ident)*) => {$(
        impl<S: Sampler + ?Sized> Sampler for $pointer<S> {
            fn sample(&self, span: &Candidate<'_>) -> Sampling {
                (**self).sample(span)
            }

            fn is_ours(&self, ours: Ours) -> bool {
                (**self).is_ours(ours)
            }

            fn follows_local(&self, ours: Ours) -> bool {
                (**self).follows_local(ours)
            }

            fn of_roots(&self, ours: Ours) -> Option<bool> {
                (**self).of_roots(ours)
            }

            fn rejection(&self, ours: Ours) -> Rejection {
                (**self).rejection(ours)
            }

            fn minds_parents(&self, ours: Ours) -> bool {
                (**self).minds_parents(ours)
            }
        }
    )*};
}

pointers!(Box Arc);
