//! The text of an attribute, which is held where it costs least.

use std::{
    borrow::Cow,
    cmp::Ordering,
    fmt::{self, Write as _},
    hash::{Hash, Hasher},
    ops::Deref,
};

use crate::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// The text of an attribute.
///
/// A text of at most 22 bytes is held in place and allocates nothing. So does a text that
/// [lives for ever](Self::from_static), whatever its length: it is a pointer. Others are on the heap.
///
/// A borrowed text is copied, and of one that no limit would leave whole only the beginning: the first
/// 64 KiB, or more where [`SpanLimits`](crate::trace::SpanLimits) allow it. [`is_truncated`] says so, and
/// the span on which it is set counts it. A `String` is taken as it is.
///
/// Reading a text in place checks that it is UTF-8, which takes some nanoseconds; comparing does not.
///
/// [`is_truncated`]: Self::is_truncated
///
/// # Examples
///
/// ```
/// use bellwether::label::Text;
///
/// const ROUTE: Text = Text::from_static("/orders/{order}/items/{item}");
/// let user = Text::from("ann");
/// assert_eq!((user.as_str(), user.len()), ("ann", 3));
/// assert!(ROUTE.starts_with("/orders"));
/// ```
#[derive(Clone)]
pub struct Text(Repr);

#[derive(Clone)]
enum Repr {
    /// The first `len` bytes are the text.
    Short {
        len: u8,
        bytes: [u8; SHORT_BYTES],
    },
    Static(&'static str),
    Long {
        text: Box<str>,
        is_truncated: bool,
        /// Whether it stands for another text. Such a one is never in place, short as it is.
        is_digest: bool,
    },
}

/// The longest text in place: with it, a text is as large as a `String`, and so is a
/// [`Value`](super::Value).
const SHORT_BYTES: usize = 22;

const _: () = assert!(size_of::<Text>() == 24 && size_of::<Option<Text>>() == 24);

/// The most bytes of a borrowed text that are copied. Relaxed: it publishes nothing but itself.
static MOST_COPIED: AtomicUsize = AtomicUsize::new(64 << 10);

/// Has borrowed texts copied up to `bytes`, where more than that may be wanted.
pub(crate) fn copy_up_to(bytes: usize) {
    MOST_COPIED.fetch_max(bytes, Relaxed);
}

impl Text {
    /// A text that lives for ever, such as a literal: it is not copied.
    #[must_use]
    pub const fn from_static(text: &'static str) -> Self {
        Self(Repr::Static(text))
    }

    /// `value` as it prints: a number of at most 40 characters, which is longer than all whole ones.
    pub(super) fn of_number(value: impl fmt::Display) -> Self {
        let mut bytes = [0; 40];
        let mut digits = Digits { bytes: &mut bytes, len: 0 };
        let _ = write!(digits, "{value}");
        let len = digits.len;
        Self::from(str::from_utf8(&bytes[..len]).unwrap_or_default())
    }

    /// The text.
    #[must_use]
    #[inline]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Repr::Static(text) => text,
            Repr::Long { text, .. } => text,
            Repr::Short { .. } => str::from_utf8(self.as_bytes()).unwrap_or_default(),
        }
    }

    /// Its bytes, which are UTF-8.
    #[must_use]
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Repr::Short { len, bytes } => bytes.get(..usize::from(*len)).unwrap_or_default(),
            Repr::Static(text) => text.as_bytes(),
            Repr::Long { text, .. } => text.as_bytes(),
        }
    }

    /// How many bytes it has.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        match &self.0 {
            Repr::Short { len, .. } => usize::from(*len),
            Repr::Static(text) => text.len(),
            Repr::Long { text, .. } => text.len(),
        }
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether it is only the beginning of a borrowed text, which was too long to be copied.
    #[must_use]
    #[inline]
    pub fn is_truncated(&self) -> bool {
        matches!(&self.0, Repr::Long { is_truncated: true, .. })
    }

    /// A text that stands for another one, which is not to be known.
    pub(crate) fn digest(text: String) -> Self {
        Self(Repr::Long { text: text.into(), is_truncated: false, is_digest: true })
    }

    /// Whether it [stands for another one](Self::digest). One that says the same and does not is none.
    pub(crate) fn is_digest(&self) -> bool {
        matches!(&self.0, Repr::Long { is_digest: true, .. })
    }

    /// The bytes that it has on the heap.
    pub(crate) fn heap_bytes(&self) -> usize {
        if let Repr::Long { text, .. } = &self.0 { text.len() } else { 0 }
    }

    /// Leaves at most `chars` characters; whether it has been cut, now or when it was made.
    pub(crate) fn truncate(&mut self, chars: usize) -> bool {
        let Some(end) = end_within(self.as_str(), chars) else { return self.is_truncated() };
        match &mut self.0 {
            Repr::Short { len, .. } => *len = (*len).min(end as u8),
            Repr::Static(text) => *text = &text[..end],
            // A copy, so that the memory of the long one is given back.
            Repr::Long { text, .. } => {
                self.0 = short(&text[..end]).unwrap_or_else(|| long(text[..end].into(), true));
            }
        }
        true
    }

    #[inline(never)] // Where it is called, texts are mostly short.
    fn copied(text: &str) -> Self {
        let most = MOST_COPIED.load(Relaxed);
        let end = match text.len() <= most {
            true => text.len(),
            false => (0..=most).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0),
        };
        Self(long(text[..end].into(), end < text.len()))
    }
}

fn long(text: Box<str>, is_truncated: bool) -> Repr {
    Repr::Long { text, is_truncated, is_digest: false }
}

#[inline(always)]
fn short(text: &str) -> Option<Repr> {
    let mut bytes = [0; SHORT_BYTES];
    bytes.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
    Some(Repr::Short { len: text.len() as u8, bytes })
}

/// Where the first `chars` characters of `text` end, if it has more.
pub(crate) fn end_within(text: &str, chars: usize) -> Option<usize> {
    // A text has as many bytes as characters, or more.
    if text.len() <= chars {
        return None;
    }
    text.char_indices().nth(chars).map(|(end, _)| end)
}

/// The first `chars` characters of `text`.
pub(crate) fn head(text: &str, chars: usize) -> &str {
    &text[..end_within(text, chars).unwrap_or(text.len())]
}

/// Takes as much text as there is room for.
struct Digits<'a> {
    bytes: &'a mut [u8],
    len: usize,
}

impl fmt::Write for Digits<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.len + text.len();
        self.bytes.get_mut(self.len..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}

impl Deref for Text {
    type Target = str;

    #[inline]
    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        self
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.as_str(), f)
    }
}

impl Default for Text {
    fn default() -> Self {
        Self::from_static("")
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Text {}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self == *other
    }
}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// As a `str`, whose order is that of its bytes.
impl Ord for Text {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

/// Copies it: in place if it is short.
impl From<&str> for Text {
    #[inline]
    fn from(text: &str) -> Self {
        short(text).map_or_else(|| Self::copied(text), Self)
    }
}

impl From<&String> for Text {
    #[inline]
    fn from(text: &String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::from(text.into_boxed_str())
    }
}

impl From<Box<str>> for Text {
    fn from(text: Box<str>) -> Self {
        Self(short(&text).unwrap_or_else(|| long(text, false)))
    }
}

/// A borrowed one stays where it is.
impl From<Cow<'static, str>> for Text {
    #[inline]
    fn from(text: Cow<'static, str>) -> Self {
        match text {
            Cow::Borrowed(text) => Self::from_static(text),
            Cow::Owned(text) => Self::from(text),
        }
    }
}

impl From<char> for Text {
    fn from(character: char) -> Self {
        Self::from(&*character.encode_utf8(&mut [0; 4]))
    }
}

#[cfg(test)]
mod tests {
    use std::hash::{BuildHasher as _, RandomState};

    use proptest::prelude::*;

    use super::*;

    /// The text, made in every way.
    fn all(text: &str) -> [Text; 6] {
        [
            text.into(),
            (&text.to_owned()).into(),
            text.to_owned().into(),
            Box::<str>::from(text).into(),
            Cow::<'static, str>::Owned(text.to_owned()).into(),
            Text::from_static(text.to_owned().leak()),
        ]
    }

    proptest! {
        #[test]
        fn a_text_is_what_it_was_made_of(a in ".{0,30}", b in ".{0,30}") {
            let hasher = RandomState::new();
            for (one, other) in all(&a).iter().zip(&all(&b)) {
                prop_assert_eq!(one.as_str(), &a);
                prop_assert_eq!((one.len(), one.is_empty()), (a.len(), a.is_empty()));
                prop_assert_eq!((one == &*a, one == a.as_str(), one == other), (true, true, a == b));
                prop_assert_eq!(one.cmp(other), a.cmp(&b));
                prop_assert_eq!(hasher.hash_one(one), hasher.hash_one(&a));
                prop_assert_eq!(format!("{one} {one:?}"), format!("{a} {a:?}"));
                prop_assert!(!one.is_truncated());
            }
            prop_assert!(all(&a).iter().all(|text| *text == all(&a)[0]));
        }

        #[test]
        fn a_cut_text_has_its_first_characters(text in ".{0,40}", chars in 0usize..45) {
            let naive: String = text.chars().take(chars).collect();
            for mut cut in all(&text) {
                prop_assert_eq!(cut.truncate(chars), naive != text);
                prop_assert_eq!(cut.as_str(), &naive);
                prop_assert_eq!(cut.clone(), cut);
            }
        }
    }

    #[test]
    fn of_a_borrowed_text_beyond_every_limit_only_the_beginning_is_copied() {
        const TEN_MB: usize = 10 << 20;
        let long = "\u{e9}".repeat(TEN_MB / 2);
        let mut copied = Text::from(&long);
        assert!(copied.is_truncated() && copied.heap_bytes() < TEN_MB / 10);
        assert!(long.starts_with(&*copied) && copied.len() >= 60 << 10);
        assert!(copied.truncate(usize::MAX), "a limit that it does not reach has to count it");
        // What is not copied is whole.
        let owned = Text::from(long.clone());
        assert_eq!((owned.len(), owned.is_truncated()), (TEN_MB, false));
        assert_eq!(Text::from_static(long.leak()).len(), TEN_MB);
    }

    #[test]
    fn a_digest_is_known_from_a_text_that_says_the_same_until_it_is_cut() {
        let mut digest = Text::digest("0123456789abcdef".to_owned());
        assert!(digest.is_digest() && digest.clone().is_digest() && !digest.truncate(16));
        assert_eq!(digest, Text::from("0123456789abcdef"));
        assert!(
            !Text::from("0123456789abcdef").is_digest() && !Text::from("x".repeat(30)).is_digest()
        );
        assert!(digest.is_digest() && digest.truncate(15) && !digest.is_digest());
    }

    #[test]
    fn a_long_text_that_is_cut_gives_its_memory_back() {
        let mut text = Text::from("x".repeat(5_000));
        assert!(text.truncate(100));
        assert_eq!((text.len(), text.heap_bytes()), (100, 100));
        assert!(text.truncate(22));
        assert_eq!((text.as_str(), text.heap_bytes()), ("x".repeat(22).as_str(), 0));
    }

    #[test]
    fn numbers_and_characters_are_as_they_print() {
        for number in [0, -1, i128::MIN, i128::MAX] {
            assert_eq!(Text::of_number(number), number.to_string().as_str());
        }
        assert_eq!(Text::of_number(u128::MAX), u128::MAX.to_string().as_str());
        for character in ['a', '\u{e9}', '\u{1f980}'] {
            assert_eq!(Text::from(character), character.to_string().as_str());
        }
    }
}
