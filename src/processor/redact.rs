//! Rules about keys, and what they do to attributes.

use std::{
    borrow::Cow,
    hash::{BuildHasher as _, RandomState},
    sync::LazyLock,
};

use crate::{
    label::{KeyValue, Text, Value},
    util::pattern::Pattern,
};

/// Drops, masks, hashes and renames attributes by their keys, so that secrets reach no exporter.
///
/// One type for all signals. [`Builder::redact`] puts it before all routes of all of them; then what it
/// removes reaches neither a queue nor a spool. [`Builder::span_processor`] and its like put it before all
/// routes of one signal, and [`Route::process`] on one route: the memory of that route's queue then has the
/// records as they were, and its spool and its exporter do not.
///
/// It reaches the attributes of spans, of their events and of their links; those of log records, wide
/// events among them; labels of data points and of their exemplars. So `exception.message`, which is an
/// attribute of an event, can be dropped. It looks at keys alone. What has no key is for others: the
/// description of a status is made of an error's text, which [`Builder::redact_errors`] changes before it is
/// kept; names, targets and bodies of records are for a closure; the resource is what the builder says.
/// A Prometheus page, alerts and windows are read from the registry and not through processors:
/// [views](crate::Builder::view) change labels there.
///
/// # Rules
///
/// A key is compared as a whole, and upper and lower case differ. In a pattern `*` stands for any
/// characters and `?` for one: `*.token`, `http.request.header.*`. Rules apply in the order in which they
/// were added, each to what the ones before have left: after a renaming the new name counts. A record that
/// no rule is about is left as it is, and nothing is allocated.
///
/// # Labels
///
/// If two series differed in nothing else, they would become one without that label, and a backend would
/// keep one of their values. So a label is never dropped or masked: its value is hashed in place of that,
/// and so is one that cannot be renamed because the series has a label of the new name. The value is gone
/// all the same, but there are as many series as before. (Where series of one metric have different keys,
/// do not rename one key to another that some of them have: views are for that too.) To drop a label and add its series up, use
/// [`View::drop_labels`](crate::metric::View::drop_labels). Labels of exemplars tell nothing apart, and are
/// dropped and masked.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use bellwether::{export::Memory, processor::Redact, trace::SpanRecord};
///
/// let redact = Redact::new()
///     .drop("password")
///     .drop("*.token")
///     .mask("user.email")
///     .hash("user.id")
///     .rename("http.status", "http.response.status_code");
///
/// let spans = Memory::<SpanRecord>::new();
/// let telemetry = bellwether::builder("shop").redact(redact).export(spans.clone()).start()?;
/// let login = bellwether::span("login").enter();
/// login.set_attribute("password", "hunter2");
/// login.set_attribute("user.email", "ann@example.com");
/// login.set_attribute("http.status", 200);
/// login.end();
/// telemetry.flush(Duration::from_secs(5));
///
/// let span = &spans.records()[0];
/// let shown = span.attributes().iter().map(|each| format!("{}={}", each.key, each.value));
/// assert_eq!(shown.collect::<Vec<_>>(), ["user.email=***", "http.response.status_code=200"]);
/// # Ok::<(), bellwether::Error>(())
/// ```
///
/// [`Builder::redact`]: crate::Builder::redact
/// [`Builder::redact_errors`]: crate::Builder::redact_errors
/// [`Builder::span_processor`]: crate::Builder::span_processor
/// [`Route::process`]: crate::pipeline::Route::process
#[derive(Clone, Debug, Default)]
pub struct Redact {
    rules: Vec<Rule>,
}

#[derive(Clone, Debug)]
struct Rule {
    keys: Keys,
    action: Action,
}

#[derive(Clone, Debug)]
enum Keys {
    Name(String),
    Pattern(Pattern),
}

#[derive(Clone, Debug)]
enum Action {
    Drop,
    Mask,
    Hash,
    Rename(Cow<'static, str>),
}

/// What is in place of a masked value.
const MASK: Value = Value::from_static("***");

/// What the attributes are of.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Owner {
    /// A record, which stays the same one whatever attributes it has.
    Record,
    /// A series, which its labels tell from others.
    Series,
}

impl Redact {
    /// Without rules: it changes nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Drops the attributes whose key is `keys`, a name or a pattern.
    #[must_use]
    pub fn drop(self, keys: impl Into<String>) -> Self {
        self.rule(Keys::of(keys.into()), Action::Drop)
    }

    /// Replaces the values of the attributes whose key is `keys`, a name or a pattern, by `***`.
    #[must_use]
    pub fn mask(self, keys: impl Into<String>) -> Self {
        self.rule(Keys::of(keys.into()), Action::Mask)
    }

    /// Replaces the values of the attributes whose key is `keys`, a name or a pattern, by sixteen
    /// hexadecimal digits, so that they can be compared but not guessed.
    ///
    /// Equal values have equal digits in all signals and on all routes of this process, also if one is a
    /// number and the other its text. What was hashed is not hashed again, save as a label that comes through
    /// a second redaction. The digits are others in another process, and after a restart. The hash is
    /// the keyed one of Rust's standard library, SipHash-1-3, with a key of 128 random bits that never
    /// leaves the process. A hash without a key, however strong, would be undone by trying all telephone
    /// numbers; SipHash was designed so that who does not know the key learns nothing but what is equal.
    /// Two of a million different values have the same digits once in some forty million processes.
    #[must_use]
    pub fn hash(self, keys: impl Into<String>) -> Self {
        self.rule(Keys::of(keys.into()), Action::Hash)
    }

    /// Renames the attribute `from`, which is no pattern. If there is one of the new name already, that one
    /// stays and `from` is dropped.
    #[must_use]
    pub fn rename(self, from: impl Into<String>, to: impl Into<Cow<'static, str>>) -> Self {
        self.rule(Keys::Name(from.into()), Action::Rename(to.into()))
    }

    fn rule(mut self, keys: Keys, action: Action) -> Self {
        self.rules.push(Rule { keys, action });
        self
    }

    /// Whether any rule is about `key`. Where none is about any key of a record, nothing is renamed
    /// either, so that no rule changes it.
    pub(super) fn is_about(&self, key: &str) -> bool {
        self.rules.iter().any(|rule| rule.keys.have(key))
    }

    /// Whether any rule is about any of `attributes`.
    pub(super) fn is_about_any(&self, attributes: &[KeyValue]) -> bool {
        attributes.iter().any(|attribute| self.is_about(&attribute.key))
    }

    /// Applies all rules in order.
    pub(super) fn change(&self, attributes: &mut Vec<KeyValue>, owner: Owner) {
        for Rule { keys, action } in &self.rules {
            let action = match action {
                Action::Rename(to) if matches!(keys, Keys::Name(from) if from == to) => continue,
                Action::Drop | Action::Mask if owner == Owner::Series => &Action::Hash,
                Action::Rename(to) if attributes.iter().any(|other| other.key == *to) => {
                    if owner == Owner::Series { &Action::Hash } else { &Action::Drop }
                }
                action => action,
            };
            if let Action::Drop = action {
                attributes.retain(|attribute| !keys.have(&attribute.key));
                continue;
            }
            for attribute in attributes.iter_mut().filter(|each| keys.have(&each.key)) {
                match action {
                    Action::Mask => attribute.value = MASK,
                    Action::Hash => attribute.value = digits(&attribute.value),
                    Action::Rename(to) => attribute.key = to.clone(),
                    Action::Drop => {}
                }
            }
        }
    }
}

impl Keys {
    fn of(text: String) -> Self {
        if text.contains(['*', '?']) { Self::Pattern(Pattern(text)) } else { Self::Name(text) }
    }

    fn have(&self, key: &str) -> bool {
        match self {
            Self::Name(name) => name == key,
            Self::Pattern(pattern) => pattern.is_of(key),
        }
    }
}

/// The keyed hash of what `value` prints.
fn digits(value: &Value) -> Value {
    static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    let number = match value {
        // A wide event comes through here after the span that it is made of.
        Value::String(text) if text.is_digest() => return value.clone(),
        Value::String(text) => KEY.hash_one(text.as_str()),
        other => KEY.hash_one(other.to_string()),
    };
    Value::String(Text::digest(format!("{number:016x}")))
}

#[cfg(test)]
mod tests {
    use std::hash::{BuildHasherDefault, DefaultHasher};

    use super::*;

    fn changed(redact: &Redact, owner: Owner, pairs: &[(&'static str, Value)]) -> Vec<String> {
        let pairs = pairs.iter().cloned();
        let mut attributes = pairs.map(|(key, value)| KeyValue::new(key, value)).collect();
        redact.change(&mut attributes, owner);
        attributes.iter().map(|each| format!("{}={}", each.key, each.value)).collect()
    }

    fn of_record(redact: &Redact, pairs: &[(&'static str, Value)]) -> Vec<String> {
        changed(redact, Owner::Record, pairs)
    }

    #[test]
    fn keys_are_compared_as_a_whole_and_patterns_have_stars() {
        let redact = Redact::new().drop("token").drop("*.token").mask("header.*.raw");
        for (key, is_about) in [
            ("token", true),
            ("api.token", true),
            ("tokens", false),
            ("Token", false),
            ("api.token.kind", false),
            ("header.cookie.raw", true),
            ("header.cookie", false),
        ] {
            assert_eq!(redact.is_about(key), is_about, "{key}");
        }
        assert!(!Redact::new().is_about("token"));
    }

    #[test]
    fn rules_apply_in_order_and_a_new_name_counts_for_the_later_ones() {
        let redact = Redact::new().mask("password").rename("pw", "password").rename("a", "b");
        assert_eq!(of_record(&redact, &[("pw", "x".into())]), ["password=x"]);
        let redact = Redact::new().rename("pw", "password").mask("password");
        assert_eq!(of_record(&redact, &[("pw", "x".into())]), ["password=***"]);
    }

    #[test]
    fn of_two_that_would_have_one_name_the_one_that_has_it_stays() {
        let redact = Redact::new().rename("pw", "password").mask("password");
        let both = [("pw", "x".into()), ("password", "y".into()), ("n", 1.into())];
        assert_eq!(of_record(&redact, &both), ["password=***", "n=1"]);
        assert_eq!(of_record(&Redact::new().rename("n", "n"), &[("n", 1.into())]), ["n=1"]);
    }

    #[test]
    fn values_of_any_type_are_masked() {
        let redact = Redact::new().mask("*");
        let pairs = [("a", "secret".into()), ("b", 7.into()), ("c", vec!["x", "y"].into())];
        assert_eq!(of_record(&redact, &pairs), ["a=***", "b=***", "c=***"]);
    }

    #[test]
    fn hashes_are_sixteen_digits_equal_where_values_are_and_not_those_without_a_key() {
        let digits_of = |value: Value| digits(&value).to_string();
        let ann = digits_of("ann".into());
        assert_eq!(ann.len(), 16);
        assert!(ann.bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert_eq!(digits_of(String::from("ann").into()), ann);
        assert_ne!(digits_of("bob".into()), ann);
        assert_eq!(digits_of(4711.into()), digits_of("4711".into()));
        assert_eq!(digits(&digits(&"ann".into())).to_string(), ann);
        assert_ne!(digits_of((&ann).into()), ann, "a text that looks like digits is a text");
        let anybodys: BuildHasherDefault<DefaultHasher> = BuildHasherDefault::default();
        assert_ne!(ann, format!("{:016x}", anybodys.hash_one("ann")));
    }

    #[test]
    fn a_label_is_hashed_where_it_would_be_dropped_masked_or_lost() {
        let redact = Redact::new().drop("user").mask("card").rename("a", "b").rename("c", "d");
        let pairs = [("user", "ann"), ("card", "47"), ("a", "1"), ("b", "2"), ("c", "3")];
        let pairs = pairs.map(|(key, value)| (key, Value::from(value)));
        let of = |key: &str, value: &str| format!("{key}={}", digits(&value.into()));
        let expected =
            [of("user", "ann"), of("card", "47"), of("a", "1"), "b=2".to_owned(), "d=3".to_owned()];
        assert_eq!(changed(&redact, Owner::Series, &pairs), expected);
    }
}
