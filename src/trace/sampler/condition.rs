//! What a rule of sampling asks of a span.

use std::{borrow::Cow, fmt, ops::Not, sync::Arc};

use super::candidate::Candidate;
use crate::{label::Value, trace::SpanKind, util::pattern::Pattern};

/// Which spans a [rule](super::Rules::when) is for.
///
/// In patterns `*` stands for any characters and `?` for one; upper and lower case differ.
///
/// # Examples
///
/// ```
/// use bellwether::trace::{SpanKind, sampler::{self, SpanCondition}};
///
/// let orders_of_acme = SpanCondition::route("/orders*").and(SpanCondition::attribute("tenant", "acme"));
/// let incoming = SpanCondition::kind(SpanKind::Server).or(SpanCondition::kind(SpanKind::Consumer));
/// let sampler = sampler::rules().when(orders_of_acme, 1.0).when(!incoming, 0.0).otherwise(0.05);
/// # let _ = sampler;
/// ```
#[derive(Clone, Debug)]
pub struct SpanCondition(Test);

#[derive(Clone, Debug)]
enum Test {
    Route(Pattern),
    Name(Pattern),
    Kind(SpanKind),
    Has(Cow<'static, str>),
    OneOf(Cow<'static, str>, Vec<Value>),
    Holds(Closure),
    Not(Box<Test>),
    All(Box<[Test; 2]>),
    Any(Box<[Test; 2]>),
}

#[derive(Clone)]
struct Closure(Arc<dyn Fn(&Candidate<'_>) -> bool + Send + Sync>);

impl SpanCondition {
    /// Spans whose [route](Candidate::route) matches `pattern`: the attribute `http.route`, or where a span
    /// has none its name, or what follows the method in it (`/orders` of `GET /orders`).
    #[must_use]
    pub fn route(pattern: impl Into<String>) -> Self {
        Self(Test::Route(Pattern(pattern.into())))
    }

    /// Spans whose name matches `pattern`.
    #[must_use]
    pub fn name(pattern: impl Into<String>) -> Self {
        Self(Test::Name(Pattern(pattern.into())))
    }

    /// Spans of this kind.
    #[must_use]
    pub fn kind(kind: SpanKind) -> Self {
        Self(Test::Kind(kind))
    }

    /// Spans that start with this [attribute](crate::trace::SpanBuilder::attribute). What is set on them
    /// later is not known when they start.
    #[must_use]
    pub fn attribute(key: impl Into<Cow<'static, str>>, value: impl Into<Value>) -> Self {
        Self(Test::OneOf(key.into(), vec![value.into()]))
    }

    /// Spans that start with an attribute `key` of one of these values.
    #[must_use]
    pub fn attribute_in<V: Into<Value>>(
        key: impl Into<Cow<'static, str>>,
        values: impl IntoIterator<Item = V>,
    ) -> Self {
        Self(Test::OneOf(key.into(), values.into_iter().map(Into::into).collect()))
    }

    /// Spans that start with an attribute `key`, whatever its value.
    #[must_use]
    pub fn has_attribute(key: impl Into<Cow<'static, str>>) -> Self {
        Self(Test::Has(key.into()))
    }

    /// Spans for which `holds` is true. As a [`Sampler`](super::Sampler), it must not block, and its panics
    /// cost the span alone.
    #[must_use]
    pub fn holds(holds: impl Fn(&Candidate<'_>) -> bool + Send + Sync + 'static) -> Self {
        Self(Test::Holds(Closure(Arc::new(holds))))
    }

    /// Spans for which both hold.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(Test::All(Box::new([self.0, other.0])))
    }

    /// Spans for which at least one of the two holds.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self(Test::Any(Box::new([self.0, other.0])))
    }

    /// Whether `span` is one of them.
    #[must_use]
    pub fn is_met_by(&self, span: &Candidate<'_>) -> bool {
        self.0.is_met_by(span)
    }

    /// Whether no code of the user's is in it.
    pub(super) fn is_ours(&self) -> bool {
        self.0.is_ours()
    }
}

impl Test {
    fn is_met_by(&self, span: &Candidate<'_>) -> bool {
        match self {
            Self::Route(pattern) => {
                let route = span.route();
                pattern.is_of(route) || path_of(route).is_some_and(|path| pattern.is_of(path))
            }
            Self::Name(pattern) => pattern.is_of(span.name()),
            Self::Kind(kind) => span.kind() == *kind,
            Self::Has(key) => span.attribute(key).is_some(),
            Self::OneOf(key, values) => {
                span.attribute(key).is_some_and(|value| values.contains(value))
            }
            Self::Holds(closure) => (closure.0)(span),
            Self::Not(test) => !test.is_met_by(span),
            Self::All(tests) => tests.iter().all(|test| test.is_met_by(span)),
            Self::Any(tests) => tests.iter().any(|test| test.is_met_by(span)),
        }
    }

    fn is_ours(&self) -> bool {
        match self {
            Self::Holds(_) => false,
            Self::Not(test) => test.is_ours(),
            Self::All(tests) | Self::Any(tests) => tests.iter().all(Self::is_ours),
            _ => true,
        }
    }
}

/// What follows the method in a name such as `GET /orders`.
fn path_of(name: &str) -> Option<&str> {
    let (method, path) = name.split_once(' ')?;
    let is_method = !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase());
    (is_method && path.starts_with('/')).then_some(path)
}

/// Spans for which it does not hold.
impl Not for SpanCondition {
    type Output = Self;

    fn not(self) -> Self {
        Self(Test::Not(Box::new(self.0)))
    }
}

impl fmt::Debug for Closure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("..")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        context::{SpanContext, TraceId},
        label::KeyValue,
    };

    fn is_met(
        condition: &SpanCondition,
        name: &str,
        kind: SpanKind,
        attributes: &[KeyValue],
    ) -> bool {
        let name = Cow::Owned(name.to_owned());
        let span = Candidate::new(&SpanContext::NONE, TraceId::random(), &name, kind);
        condition.is_met_by(&span.with_attributes(attributes))
    }

    #[test]
    fn a_route_is_the_attribute_or_the_name_or_the_path_in_it() {
        let condition = SpanCondition::route("/orders*");
        let route = |route: &'static str| [KeyValue::new("http.route", route)];
        for (name, attributes, expected) in [
            ("/orders", &[][..], true),
            ("GET /orders/{id}", &[], true),
            ("orders", &[], false),
            ("get /orders", &[], false),
            ("GET  /orders", &[], false),
            (" /orders", &[], false),
            ("GET orders", &[], false),
            ("anything", &route("/orders/{id}"), true),
            ("GET /orders", &route("/health"), false),
            ("GET /orders", &[KeyValue::new("http.route", 7)], true),
        ] {
            let met = is_met(&condition, name, SpanKind::Server, attributes);
            assert_eq!(met, expected, "{name} {attributes:?}");
        }
        assert!(is_met(&SpanCondition::route("GET /a"), "GET /a", SpanKind::Server, &[]));
    }

    #[test]
    fn an_attribute_has_the_value_that_was_set_last() {
        let attributes = [("a", 1), ("b", 2), ("a", 3)].map(|(key, n)| KeyValue::new(key, n));
        for (condition, expected) in [
            (SpanCondition::attribute("a", 3), true),
            (SpanCondition::attribute("a", 1), false),
            (SpanCondition::attribute("b", "2"), false),
            (SpanCondition::attribute_in("b", [1, 2]), true),
            (SpanCondition::attribute_in("b", Vec::<i64>::new()), false),
            (SpanCondition::attribute("c", 3), false),
            (SpanCondition::has_attribute("b"), true),
            (SpanCondition::has_attribute("c"), false),
        ] {
            let met = is_met(&condition, "", SpanKind::Internal, &attributes);
            assert_eq!(met, expected, "{condition:?}");
        }
    }

    #[test]
    fn conditions_are_joined_and_turned_round() {
        let (name, kind) = (SpanCondition::name("a*"), SpanCondition::kind(SpanKind::Server));
        let conditions = [
            name.clone().and(kind.clone()),
            name.clone().or(kind.clone()),
            !name.clone(),
            (!name.clone()).and(!kind.clone()),
            SpanCondition::holds(|span| span.name().len() == 2),
        ];
        let (server, client) = (SpanKind::Server, SpanKind::Client);
        for (span, expected) in [
            (("ab", server), [true, true, false, false, true]),
            (("ab", client), [false, true, false, false, true]),
            (("b", server), [false, true, true, false, false]),
            (("b", client), [false, false, true, true, false]),
        ] {
            let met = conditions.each_ref().map(|it| is_met(it, span.0, span.1, &[]));
            assert_eq!(met, expected, "{span:?}");
        }
        assert!(conditions[..4].iter().all(SpanCondition::is_ours) && !conditions[4].is_ours());
        assert!(!(!conditions[4].clone()).is_ours() && !name.or(conditions[4].clone()).is_ours());
    }
}
