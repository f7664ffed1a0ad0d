//! What an application lets travel with a trace (W3C Baggage).

use std::{borrow::Cow, fmt, sync::Arc};

use super::state::trim;
use crate::{
    diagnostics,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

/// Keys and values of the application's own that travel with a trace from process to process, such as a
/// tenant; cheap to clone.
///
/// Whoever gets the headers can read and change them: baggage is no place for secrets, and what a caller
/// sent is not to be trusted.
///
/// It holds at most 180 entries and 8,192 bytes, as written in the header. What does not fit, or is
/// malformed, is left out, counted and reported. Entries that are [local](Self::with_local) stay in the
/// process; there is room for as many of them.
///
/// # Examples
///
/// ```
/// use bellwether::context::Baggage;
///
/// let baggage = Baggage::EMPTY.with("tenant", "acme & sons").with("tier", "gold");
/// assert_eq!(baggage.get("tenant").as_deref(), Some("acme & sons"));
/// assert_eq!(baggage.as_str(), "tenant=acme%20&%20sons,tier=gold");
/// assert_eq!(baggage.without("tenant").iter().count(), 1);
/// ```
///
/// An entry becomes an attribute of spans by [`Builder::baggage_attribute`](crate::Builder::baggage_attribute),
/// and a label of a metric where the code says so: the number of its values is bounded as that of every
/// label.
///
/// ```
/// let baggage = bellwether::current().baggage().clone();
/// let tenant = baggage.get("tenant").unwrap_or("none".into()).into_owned();
/// bellwether::count!("orders", tenant);
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Baggage(
    // Invariant: None if there are no entries. One word, as in `TraceState`.
    Option<Arc<Entries>>,
);

/// Invariant: members as the grammar has them, without white space.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
struct Entries {
    sent: String,
    local: String,
}

impl Entries {
    fn finish(self) -> Baggage {
        let is_any = !self.sent.is_empty() || !self.local.is_empty();
        Baggage(is_any.then(|| Arc::new(self)))
    }
}

/// The most entries: what the grammar of the first version of the specification allowed, and what others
/// accept. At least 64 have to be passed on (W3C Baggage, section 3.3.2, "Limits").
const MAX_MEMBERS: usize = 180;
/// The most bytes of all headers together, which is also what has to be passed on at least.
const MAX_BYTES: usize = 8192;
/// The local entry of the id that a request came with; the name is that of an attribute of Elastic's
/// common schema.
pub(crate) const REQUEST_ID: &str = "http.request.id";

impl Baggage {
    /// No entries.
    pub const EMPTY: Self = Self(None);

    /// Reads the value of a `baggage` header, or several joined by commas. Members that do not follow the
    /// grammar are left out, and so is everything beyond 180 members, or all of a text longer than 8,192
    /// bytes.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut headers = Headers::default();
        headers.measure(text.as_bytes());
        headers.read(text.as_bytes());
        headers.finish()
    }

    /// The header's value, which has no local entries; empty where there are no others.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_ref().map_or("", |entries| &entries.sent)
    }

    fn local(&self) -> &str {
        self.0.as_ref().map_or("", |entries| &entries.local)
    }

    /// Whether there are no entries.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The entries, in order, local ones last. A key may be there several times if a caller sent it so.
    pub fn iter(&self) -> impl Iterator<Item = BaggageEntry<'_>> {
        entries(self.as_str(), false).chain(entries(self.local(), true))
    }

    /// The value of `key`, decoded; the last one, if there are several. What is not UTF-8 in it is
    /// replaced by U+FFFD.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Cow<'_, str>> {
        if self.is_empty() {
            return None;
        }
        let last = self.iter().filter(|entry| entry.key == key).last();
        last.map(|entry| entry.value())
    }

    /// With `value` as the only value of `key`, at the end.
    ///
    /// The value may be any text. A key is a token, as header names are (RFC 9110, section 5.6.2);
    /// another one changes nothing, and neither does an entry that does not fit.
    #[must_use]
    pub fn with(&self, key: &str, value: &str) -> Self {
        self.with_properties(key, value, "")
    }

    /// As [`with`](Self::with), with properties of the entry such as `ttl=30;public`.
    #[must_use]
    pub fn with_properties(&self, key: &str, value: &str, properties: &str) -> Self {
        let mut entries = self.entries_without(key);
        if push_entry(&mut entries.sent, key, value, properties) {
            return entries.finish();
        }
        self.clone()
    }

    /// As [`with`](Self::with), of an entry that stays in this process: it is wherever the context is, and
    /// no header is written for it.
    ///
    /// # Examples
    ///
    /// ```
    /// use bellwether::context::Baggage;
    ///
    /// let baggage = Baggage::EMPTY.with("tenant", "acme").with_local("user.id", "4711");
    /// assert_eq!(baggage.get("user.id").as_deref(), Some("4711"));
    /// assert_eq!(baggage.as_str(), "tenant=acme");
    /// ```
    #[must_use]
    pub fn with_local(&self, key: &str, value: &str) -> Self {
        let mut entries = self.entries_without(key);
        if push_entry(&mut entries.local, key, value, "") {
            return entries.finish();
        }
        self.clone()
    }

    /// Without the entries of `key`.
    #[must_use]
    pub fn without(&self, key: &str) -> Self {
        self.entries_without(key).finish()
    }

    fn entries_without(&self, key: &str) -> Entries {
        let join = |entries: &mut dyn Iterator<Item = BaggageEntry<'_>>| {
            let others = entries.filter(|entry| entry.key != key).map(|entry| entry.text);
            others.collect::<Vec<&str>>().join(",")
        };
        Entries {
            sent: join(&mut entries(self.as_str(), false)),
            local: join(&mut entries(self.local(), true)),
        }
    }

    /// The local entry of the id that a request came with, alone.
    pub(crate) fn of_request_id(id: &str) -> Self {
        Self::EMPTY.with_local(REQUEST_ID, id)
    }

    /// The id that the request came with.
    pub(crate) fn request_id(&self) -> Option<Cow<'_, str>> {
        let local = self.local();
        if local.is_empty() {
            return None;
        }
        entries(local, true).find(|entry| entry.key == REQUEST_ID).map(|entry| entry.value())
    }

    /// With the entries of `other` where there are none: of those that are sent, and of local ones.
    pub(crate) fn or(&self, other: &Self) -> Self {
        match (&self.0, &other.0) {
            (_, None) => self.clone(),
            (None, _) => other.clone(),
            (Some(entries), Some(others)) => {
                let choose = |one: &String, other: &String| {
                    if one.is_empty() { other.clone() } else { one.clone() }
                };
                let sent = choose(&entries.sent, &others.sent);
                Entries { sent, local: choose(&entries.local, &others.local) }.finish()
            }
        }
    }
}

/// Adds an entry behind the others, or says so if it is not legal or does not fit.
fn push_entry(text: &mut String, key: &str, value: &str, properties: &str) -> bool {
    if !text.is_empty() {
        text.push(',');
    }
    let start = text.len();
    text.push_str(key);
    text.push('=');
    encode(value, text);
    for property in properties.split(';').filter(|property| !property.is_empty()) {
        text.push(';');
        text.push_str(property);
    }
    let is_legal = Member::read(&text.as_bytes()[start..]).is_some() && is_token(key.as_bytes());
    let fits = text.len() <= MAX_BYTES && text.split(',').count() <= MAX_MEMBERS;
    if !is_legal || !fits {
        refuse(1, format_args!("the entry {key:?} is not legal, or does not fit"));
    }
    is_legal && fits
}

fn entries(text: &str, is_local: bool) -> impl Iterator<Item = BaggageEntry<'_>> {
    text.split(',').filter_map(move |text| BaggageEntry::read(text, is_local))
}

impl fmt::Debug for Baggage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.local().is_empty() {
            return fmt::Debug::fmt(self.as_str(), f);
        }
        f.debug_struct("Baggage")
            .field("sent", &self.as_str())
            .field("local", &self.local())
            .finish()
    }
}

/// One entry of a [`Baggage`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BaggageEntry<'a> {
    text: &'a str,
    key: &'a str,
    value: &'a str,
    properties: &'a str,
    is_local: bool,
}

impl<'a> BaggageEntry<'a> {
    fn read(text: &'a str, is_local: bool) -> Option<Self> {
        let (key, rest) = text.split_once('=')?;
        let (value, properties) = rest.split_once(';').unwrap_or((rest, ""));
        Some(Self { text, key, value, properties, is_local })
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> &'a str {
        self.key
    }

    /// The value, decoded. What is not UTF-8 in it is replaced by U+FFFD.
    #[must_use]
    pub fn value(&self) -> Cow<'a, str> {
        decode(self.value)
    }

    /// The properties, as they are written: `ttl=30;public`. Empty where there are none.
    #[must_use]
    pub fn properties(&self) -> &'a str {
        self.properties
    }

    /// Whether it [stays](Baggage::with_local) in this process.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.is_local
    }
}

/// The headers of one request: measured first, all of them, and then read, so that nothing is allocated
/// for what is refused.
#[derive(Debug, Default)]
pub(crate) struct Headers {
    n_bytes: usize,
    n_members: usize,
    n_refused: u64,
    text: String,
}

impl Headers {
    /// Counts the bytes of the next header.
    pub(crate) fn measure(&mut self, header: &[u8]) {
        // A comma between two headers.
        self.n_bytes = self.n_bytes.saturating_add(header.len() + usize::from(self.n_bytes > 0));
    }

    /// Whether there is nothing to be read.
    pub(crate) fn is_empty(&self) -> bool {
        self.n_bytes == 0
    }

    /// Reads the next header, if they are not too long together.
    pub(crate) fn read(&mut self, header: &[u8]) {
        if self.n_bytes > MAX_BYTES {
            return;
        }
        for member in header.split(|&byte| byte == b',').map(trim) {
            match Member::read(member) {
                _ if member.is_empty() => {}
                Some(read) if self.n_members < MAX_MEMBERS => {
                    if self.text.capacity() == 0 {
                        self.text.reserve_exact(self.n_bytes);
                    }
                    self.n_members += 1;
                    read.write(&mut self.text);
                }
                _ => self.n_refused += 1,
            }
        }
    }

    pub(crate) fn finish(self) -> Baggage {
        if self.n_bytes > MAX_BYTES {
            refuse(1, format_args!("{} bytes of headers are more than {MAX_BYTES}", self.n_bytes));
        } else if self.n_refused > 0 {
            refuse(self.n_refused, format_args!("{} malformed or too many", self.n_refused));
        }
        Entries { sent: self.text, local: String::new() }.finish()
    }
}

/// How many entries, or whole headers, were refused so far.
pub(crate) fn refused() -> u64 {
    REFUSED.load(Relaxed)
}

/// Relaxed: it publishes nothing but itself.
static REFUSED: AtomicU64 = AtomicU64::new(0);

#[cold]
fn refuse(n: u64, text: fmt::Arguments<'_>) {
    REFUSED.fetch_add(n, Relaxed);
    diagnostics::report("baggage", text);
}

/// A member that follows the grammar, of which the white space is not looked at.
struct Member<'a> {
    key: &'a [u8],
    value: &'a [u8],
    properties: &'a [u8],
}

impl<'a> Member<'a> {
    /// `key OWS "=" OWS value *( OWS ";" OWS property )`
    fn read(member: &'a [u8]) -> Option<Self> {
        let end = member.iter().position(|&byte| byte == b';').unwrap_or(member.len());
        let (pair, properties) = member.split_at(end);
        let (key, value) = split_pair(pair)?;
        let properties = properties.get(1..).unwrap_or_default();
        let is_legal =
            is_token(key) && is_value(value) && split_properties(properties).all(is_property);
        is_legal.then_some(Self { key, value, properties })
    }

    fn write(&self, text: &mut String) {
        if !text.is_empty() {
            text.push(',');
        }
        push(text, &[self.key, b"=", self.value]);
        for property in split_properties(self.properties) {
            match split_pair(property) {
                Some((key, value)) => push(text, &[b";", key, b"=", value]),
                None => push(text, &[b";", property]),
            }
        }
    }
}

/// Adds what was checked to be ASCII.
fn push(text: &mut String, parts: &[&[u8]]) {
    for part in parts {
        text.push_str(std::str::from_utf8(part).unwrap_or_default());
    }
}

fn split_pair(pair: &[u8]) -> Option<(&[u8], &[u8])> {
    let equals = pair.iter().position(|&byte| byte == b'=')?;
    Some((trim(&pair[..equals]), trim(&pair[equals + 1..])))
}

/// The properties, without white space around them and without empty ones.
fn split_properties(properties: &[u8]) -> impl Iterator<Item = &[u8]> {
    let parts = properties.split(|&byte| byte == b';').map(trim);
    parts.filter(|property| !property.is_empty())
}

fn is_property(property: &[u8]) -> bool {
    match split_pair(property) {
        Some((key, value)) => is_token(key) && is_value(value),
        None => is_token(property),
    }
}

/// `token` of RFC 9110, section 5.6.2.
fn is_token(key: &[u8]) -> bool {
    let is_tchar = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !key.is_empty() && key.iter().all(is_tchar)
}

/// `*baggage-octet`: printable ASCII but space, quotation mark, comma, semicolon, backslash.
fn is_value(value: &[u8]) -> bool {
    value.iter().copied().all(is_octet)
}

fn is_octet(byte: u8) -> bool {
    matches!(byte, b'!'..=b'~') && !matches!(byte, b'"' | b',' | b';' | b'\\')
}

/// Writes `value` so that only octets are left, and each `%` begins an encoded one.
fn encode(value: &str, text: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in value.bytes() {
        if is_octet(byte) && byte != b'%' {
            text.push(byte.into());
        } else {
            let digits = [byte >> 4, byte & 0xf].map(|digit| DIGITS[usize::from(digit)]);
            text.extend(['%', digits[0].into(), digits[1].into()]);
        }
    }
}

/// The text that was encoded. A `%` that begins no encoded octet stands for itself.
fn decode(value: &str) -> Cow<'_, str> {
    if !value.contains('%') {
        return value.into();
    }
    let digit = |byte: Option<&u8>| byte.and_then(|&byte| char::from(byte).to_digit(16));
    let (mut rest, mut bytes) = (value.as_bytes(), Vec::with_capacity(value.len()));
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        match (first, digit(after.first()), digit(after.get(1))) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((high * 16 + low) as u8);
                rest = &after[2..];
            }
            _ => bytes.push(first),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entries(text: &str) -> Vec<(String, String, String)> {
        let owned = |entry: BaggageEntry<'_>| {
            let (key, value) = (entry.key().to_owned(), entry.value().into_owned());
            (key, value, entry.properties().to_owned())
        };
        Baggage::parse(text).iter().map(owned).collect()
    }

    #[test]
    fn white_space_goes_and_all_else_stays_as_it_was_sent() {
        let baggage = Baggage::parse("k \t = \t a=b \t ; \t p \t = \t q ; r , , K=%41;;");
        assert_eq!(baggage.as_str(), "k=a=b;p=q;r,K=%41");
        assert_eq!(baggage.get("K").as_deref(), Some("A"));
    }

    #[test]
    fn a_malformed_member_costs_no_other_and_is_counted() {
        let malformed =
            ["=v", "k", ";", "k=\"v\"", "k=v\\", "k v=1", "k=\u{1}", "k=\u{e9}", "(k)=v", "k=v;=q"];
        for member in malformed {
            let before = refused();
            let kept = entries(&format!("a=1,{member},b=2"));
            let keys: Vec<&str> = kept.iter().map(|(key, ..)| key.as_str()).collect();
            assert_eq!(keys, ["a", "b"], "{member}");
            assert!(refused() > before, "{member}");
        }
    }

    #[test]
    fn a_percent_sign_that_encodes_nothing_stands_for_itself() {
        for value in ["%zz", "%", "%4", "%%41x"] {
            let expected = value.replace("%41", "A");
            assert_eq!(Baggage::parse(&format!("k={value}")).get("k").unwrap(), expected);
        }
        assert_eq!(Baggage::parse("k=a%FFb").get("k").unwrap(), "a\u{fffd}b");
    }

    #[test]
    fn entries_beyond_the_limits_are_left_out_whole() {
        let list = |n: usize| (0..n).map(|i| format!("k{i}=v")).collect::<Vec<_>>().join(",");
        for (n, kept) in [(64, 64), (180, 180), (181, 180), (1_000, 180)] {
            assert_eq!(Baggage::parse(&list(n)).iter().count(), kept, "{n}");
        }
        let long = |n: usize| Baggage::parse(&format!("k={}", "v".repeat(n - 2)));
        assert_eq!((long(8_192).as_str().len(), long(8_193).is_empty()), (8_192, true));
        let full = Baggage::parse(&list(180));
        assert_eq!((full.with("other", "1"), full.with("k0", "1").iter().count()), (full, 180));
        assert!(Baggage::EMPTY.with("k", &"v".repeat(8_191)).is_empty());
    }

    #[test]
    fn an_entry_that_is_set_replaces_all_of_its_key() {
        let baggage = Baggage::parse("a=1,b=2;p,a=3");
        assert_eq!(baggage.get("a").as_deref(), Some("3"));
        assert_eq!(baggage.with("a", "x,y").as_str(), "b=2;p,a=x%2Cy");
        assert_eq!(baggage.without("a").without("b"), Baggage::EMPTY);
        assert_eq!(
            baggage.with_properties("c", "", "ttl=1;public").as_str(),
            "a=1,b=2;p,a=3,c=;ttl=1;public"
        );
        for (key, properties) in
            [("", ""), ("a b", ""), ("\u{e9}", ""), ("k", "=1"), ("k", "a,b=1")]
        {
            assert_eq!(baggage.with_properties(key, "v", properties), baggage, "{key}");
        }
    }

    #[test]
    fn a_local_entry_is_not_sent_and_an_entry_has_one_place() {
        let baggage = Baggage::parse("a=1,b=2").with_local("c", "3 4").with_local("a", "5");
        assert_eq!(baggage.as_str(), "b=2");
        let shown: Vec<_> = baggage.iter().map(|entry| (entry.key(), entry.is_local())).collect();
        assert_eq!(shown, [("b", false), ("c", true), ("a", true)]);
        assert_eq!(baggage.get("c").as_deref(), Some("3 4"));
        let sent = baggage.with("c", "6");
        assert_eq!((sent.as_str(), sent.get("a").as_deref()), ("b=2,c=6", Some("5")));
        assert_eq!(baggage.without("a").without("c"), Baggage::parse("b=2"));
        assert_ne!(Baggage::EMPTY.with("a", "1"), Baggage::EMPTY.with_local("a", "1"));
        assert_eq!(Baggage::EMPTY.with_local("a b", "1"), Baggage::EMPTY);
    }

    #[test]
    fn local_entries_have_room_of_their_own() {
        let full = Baggage::parse(&format!("k={}", "v".repeat(8_190)));
        let both = full.with_local("k2", &"v".repeat(8_189));
        assert_eq!((both.as_str().len(), both.iter().count()), (8_192, 2));
        assert_eq!(both.with_local("k3", ""), both);
    }

    #[test]
    fn what_is_sent_and_what_is_local_are_filled_in_apart() {
        let (sent, local) = (Baggage::parse("a=1"), Baggage::EMPTY.with_local("b", "2"));
        let both = sent.with_local("b", "2");
        assert_eq!((sent.or(&local), local.or(&sent)), (both.clone(), both.clone()));
        let other = Baggage::parse("c=3").with_local("d", "4");
        assert_eq!(both.or(&other), both);
        assert_eq!(sent.or(&other).iter().map(|entry| entry.key()).collect::<String>(), "ad");
        assert_eq!((Baggage::EMPTY.or(&both), both.or(&Baggage::EMPTY)), (both.clone(), both));
    }

    proptest! {
        #[test]
        fn any_value_is_read_back(value in ".*", other in "[a-z]{1,3}") {
            let baggage = Baggage::EMPTY.with(&other, "1").with("key", &value);
            prop_assert_eq!(baggage.get("key").unwrap(), value);
            prop_assert_eq!(Baggage::parse(baggage.as_str()), baggage);
        }

        #[test]
        fn what_is_read_is_legal_whatever_is_sent(text in "[ \\t,;=%a-cA\"\\\\é]{0,40}") {
            let baggage = Baggage::parse(&text);
            prop_assert_eq!(Baggage::parse(baggage.as_str()), baggage);
        }
    }
}
