//! What a span says of an error: its type, its text, and the errors that caused it.
//!
//! A [`Failure`] borrows the error and has formatted nothing. Where a span is recorded, it becomes
//! [`Texts`]: the user's code that makes and redacts them runs here, with nothing borrowed and nothing
//! locked, and a panic in it costs the text alone.

use std::{any, borrow::Cow, cell::Cell, error::Error, fmt, sync::Arc};

use super::SpanLimits;
use crate::{
    context, diagnostics,
    label::{self, KeyValue, Value},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    util::panics,
};

/// The key of an error's type (OpenTelemetry semantic conventions, "error" attributes).
pub(super) const ERROR_TYPE: &str = "error.type";
/// The event of an error, and its attributes (same, "Exceptions in spans").
pub(super) const EVENT: &str = "exception";
const TYPE: &str = "exception.type";
const MESSAGE: &str = "exception.message";
/// Where languages whose errors have no trace of calls show what caused an error, too.
const CAUSES: &str = "exception.stacktrace";
/// What [`ERROR_TYPE`] says of an error whose type cannot be known.
const OTHER: &str = "_OTHER";

/// The most causes of an error that are kept: arbitrary, beyond any honest chain, and a bound for one
/// that leads back to itself.
const MAX_CAUSES: usize = 16;

/// An error as a span may record it: what is known of its type, and nothing formatted.
#[derive(Clone, Copy)]
pub struct Failure<'a> {
    type_name: &'static str,
    text: Option<&'a dyn fmt::Display>,
    error: Option<&'a (dyn Error + 'a)>, // Whose causes are kept.
}

impl<'a> Failure<'a> {
    /// An error of type `E` with what it has: a text, and causes.
    #[must_use]
    pub fn new<E: ?Sized>(
        text: Option<&'a dyn fmt::Display>,
        error: Option<&'a (dyn Error + 'a)>,
    ) -> Self {
        Self { type_name: any::type_name::<E>(), text, error }
    }

    /// Its type, as [`ERROR_TYPE`] has it.
    pub(crate) fn kind(&self) -> &'static str {
        kind_of(self.type_name)
    }

    /// What is kept of its texts. Calls the user's code.
    pub(super) fn texts(&self, limits: &SpanLimits, kept: &ErrorTexts) -> Option<Texts> {
        let redaction = match kept {
            ErrorTexts::Off => return None,
            ErrorTexts::Kept => None,
            ErrorTexts::Redacted(redaction) => Some(&**redaction),
        };
        let _formatting = Formatting::begin()?;
        // As long as the description of a status may be, and the value of an attribute.
        let most = limits.text_chars.min(limits.value_chars);
        let texts = Formatter { most, redaction, n_cut: Cell::new(0) };
        let message = self.text.and_then(|text| texts.format(text));
        let causes = self.error.and_then(|error| texts.causes(error));
        Some(Texts { message, causes, n_cut: texts.n_cut.get() })
    }
}

impl fmt::Debug for Failure<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failure").field("type", &self.type_name).finish_non_exhaustive()
    }
}

/// What is kept of an error's texts; none of them is empty.
pub(super) struct Texts {
    pub(super) message: Option<String>,
    causes: Option<String>,
    /// How many were too long.
    pub(super) n_cut: u32,
}

impl Texts {
    /// Whether `attributes` are those of the event of an error like this one.
    pub(super) fn are_in(&self, attributes: &[KeyValue], kind: &str) -> bool {
        let text = |key| match &attributes.iter().find(|one| one.key == key)?.value {
            Value::String(text) => Some(&**text),
            _ => None,
        };
        let message = self.message.as_deref();
        text(MESSAGE) == message && text(TYPE) == event_type(kind, message.is_some())
    }

    /// The attributes of the event of an error.
    pub(super) fn into_attributes(self, kind: &'static str) -> Vec<KeyValue> {
        let kind = event_type(kind, self.message.is_some());
        let kind = kind.map(|kind| KeyValue::new(TYPE, kind));
        let message = self.message.map(|text| KeyValue::new(MESSAGE, text));
        let causes = self.causes.map(|text| KeyValue::new(CAUSES, text));
        kind.into_iter().chain(message).chain(causes).collect()
    }
}

/// The type that an event says, which one that has a text need not do.
fn event_type(kind: &str, has_text: bool) -> Option<&str> {
    (kind != OTHER || !has_text).then_some(kind)
}

/// What is kept of the texts of errors.
#[derive(Clone, Default)]
pub(crate) enum ErrorTexts {
    /// All, within the limits of a text.
    #[default]
    Kept,
    /// What a hook of the user's makes of them.
    Redacted(Arc<Redaction>),
    /// Nothing.
    Off,
}

impl ErrorTexts {
    /// These, with a hook for all of them; if there are none, there are none.
    pub(crate) fn redacted(self, hook: Box<Redact>) -> Self {
        match self {
            Self::Off => Self::Off,
            _ => Self::Redacted(Arc::new(Redaction {
                hook: Some(hook),
                has_reported: AtomicBool::new(false),
            })),
        }
    }
}

/// A hook for the texts of errors: what it makes of one is kept in its place.
pub(crate) type Redact = dyn Fn(&str) -> Cow<'_, str> + Send + Sync;

/// The hook, and whether it was reported that it panics.
pub(crate) struct Redaction {
    hook: Option<Box<Redact>>, // None only in its drop.
    has_reported: AtomicBool,
}

impl Redaction {
    /// What the hook makes of `text`; nothing if it panics.
    pub(super) fn redact(&self, text: &str) -> Option<String> {
        let hook = self.hook.as_ref()?;
        match panics::catch(|| hook(text).into_owned()) {
            Ok(text) => Some(text),
            Err(payload) => {
                panics::discard(payload);
                self.report();
                None
            }
        }
    }

    #[cold]
    fn report(&self) {
        // Relaxed: it publishes nothing but itself.
        if !self.has_reported.swap(true, Relaxed) {
            let _muted = context::mute();
            let text = format_args!("panicked; error texts that it panics on are left out");
            diagnostics::report("error redaction", text);
        }
    }
}

/// The last owner may be an application's thread that records an error.
impl Drop for Redaction {
    fn drop(&mut self) {
        let hook = self.hook.take();
        if let Err(payload) = panics::catch(|| drop(hook)) {
            panics::discard(payload);
        }
    }
}

/// Makes texts of errors.
struct Formatter<'a> {
    most: usize, // Characters of a text.
    redaction: Option<&'a Redaction>,
    n_cut: Cell<u32>,
}

impl Formatter<'_> {
    /// The text as it is kept, if it is not empty.
    fn format(&self, text: &dyn fmt::Display) -> Option<String> {
        let text = match self.redaction {
            // One more, to see whether there is more.
            None => format(text, self.most.saturating_add(1))?,
            // More than is kept, so that what the hook looks for is rarely cut in half.
            Some(redaction) => redaction.redact(&format(text, self.most.saturating_mul(2))?)?,
        };
        let text = self.cut(text);
        (!text.is_empty()).then_some(text)
    }

    fn cut(&self, text: String) -> String {
        let Some(end) = label::end_within(&text, self.most) else { return text };
        self.n_cut.set(self.n_cut.get().saturating_add(1));
        // A copy, because a shortened String would keep the memory of the long one.
        text[..end].to_owned()
    }

    /// What caused `error`, the nearest first, with a line for each.
    fn causes(&self, error: &dyn Error) -> Option<String> {
        let mut lines = String::new();
        let mut next = cause_of(error);
        for _ in 0..MAX_CAUSES {
            let Some(cause) = next else { break };
            if lines.len() >= self.most {
                break;
            }
            if let Some(text) = self.format(&cause) {
                lines.push_str(if lines.is_empty() { "Caused by: " } else { "\nCaused by: " });
                lines.push_str(&text);
            }
            next = cause_of(cause);
        }
        (!lines.is_empty()).then(|| self.cut(lines))
    }
}

fn cause_of(error: &dyn Error) -> Option<&(dyn Error + 'static)> {
    panics::catch(|| error.source()).unwrap_or_else(|payload| {
        panics::discard(payload);
        None
    })
}

/// At most so many `chars` of what `text` writes; nothing if it panics before.
fn format(text: &dyn fmt::Display, chars: usize) -> Option<String> {
    let mut bounded = Bounded { text: String::new(), chars, is_full: false };
    // An error that `text` returns by itself leaves what it wrote before.
    let written = panics::catch(|| fmt::write(&mut bounded, format_args!("{text}")));
    if let Err(payload) = written {
        panics::discard(payload);
        // One that does not expect a writer to refuse has written enough.
        if !bounded.is_full {
            return None;
        }
    }
    Some(bounded.text)
}

/// Takes text up to a limit, and refuses what is beyond.
struct Bounded {
    text: String,
    chars: usize, // For which there is still room.
    is_full: bool,
}

impl fmt::Write for Bounded {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        if self.is_full {
            return Err(fmt::Error);
        }
        let Some(end) = label::end_within(more, self.chars) else {
            self.text.push_str(more);
            self.chars -= more.chars().count();
            return Ok(());
        };
        self.is_full = true;
        self.text.push_str(&more[..end]);
        Err(fmt::Error)
    }
}

thread_local! {
    // Without a destructor, so that errors can be recorded in exit hooks, where others are gone.
    static IS_TELLING: Cell<bool> = const { Cell::new(false) };
}

/// While it lives, this thread makes texts of an error. What the user's code fails with meanwhile has
/// no text: it would be made within itself, perhaps without an end.
struct Formatting;

impl Formatting {
    fn begin() -> Option<Self> {
        match IS_TELLING.replace(true) {
            true => None,
            false => Some(Self),
        }
    }
}

impl Drop for Formatting {
    fn drop(&mut self) {
        IS_TELLING.set(false);
    }
}

/// The type that a name of [`any::type_name`] is of: without what holds it, and without parameters.
fn kind_of(mut name: &'static str) -> &'static str {
    const HOLDERS: [&str; 3] = ["alloc::boxed::Box<", "alloc::sync::Arc<", "alloc::rc::Rc<"];
    loop {
        name = name.trim_start_matches('&');
        name = name.strip_prefix("mut ").unwrap_or(name);
        let held = HOLDERS.iter().find_map(|holder| name.strip_prefix(holder)?.strip_suffix('>'));
        match held {
            Some(held) => name = held,
            None if name.starts_with('&') => {}
            None => break,
        }
    }
    if name.starts_with("dyn ") {
        return OTHER;
    }
    // Of a tuple or an array, parameters are within.
    let is_path = name.starts_with(|first: char| first.is_alphabetic() || first == '_');
    name.split_once('<').filter(|_| is_path).map_or(name, |(path, _)| path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_named_without_what_holds_it_and_without_its_parameters() {
        for (name, kind) in [
            ("core::num::error::ParseIntError", "core::num::error::ParseIntError"),
            ("&&shop::Fault", "shop::Fault"),
            ("&mut shop::Fault", "shop::Fault"),
            ("shop::Fault<'_, alloc::vec::Vec<u8>>", "shop::Fault"),
            ("alloc::boxed::Box<alloc::sync::Arc<&shop::Fault<u8>>>", "shop::Fault"),
            ("alloc::boxed::Box<dyn core::error::Error + core::marker::Send>", "_OTHER"),
            ("dyn core::error::Error", "_OTHER"),
            ("alloc::string::String", "alloc::string::String"),
            ("(u8, alloc::vec::Vec<u8>)", "(u8, alloc::vec::Vec<u8>)"),
            ("()", "()"),
        ] {
            assert_eq!(kind_of(name), kind, "{name}");
        }
    }

    #[test]
    fn a_text_is_cut_at_a_character_while_it_is_formatted() {
        struct Pieces<'a>(&'a [&'a str]);
        impl fmt::Display for Pieces<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().for_each(|piece| _ = f.write_str(piece));
                Ok(())
            }
        }
        for (pieces, text) in [
            (&["abcd"][..], "abcd"),
            (&["abc", "\u{e9}", "f"], "abc\u{e9}"),
            (&["ab", "cdef", "g"], "abcd"), // Nothing of what is beyond, however short.
            (&[], ""),
        ] {
            assert_eq!(format(&Pieces(pieces), 4).as_deref(), Some(text));
        }
        assert_eq!(format(&"x".repeat(10_000_000), 100).unwrap().capacity(), 100);
    }
}
