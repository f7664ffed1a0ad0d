//! The `tracestate` header's entries (W3C Trace Context Level 2, section 3.3).

use std::{fmt, sync::Arc};

use crate::error::{Error, ErrorKind};

/// The vendors' entries that travel with a trace, as text that has been checked; cheap to clone.
///
/// # Examples
///
/// ```
/// use bellwether::context::TraceState;
///
/// let state = TraceState::parse("rojo=00f067, congo=t61rc")?;
/// assert_eq!(state.as_str(), "rojo=00f067,congo=t61rc");
/// assert_eq!(state.get("congo"), Some("t61rc"));
/// # Ok::<(), bellwether::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct TraceState(
    // Invariant: members as the grammar has them, never Some(""). One word and not two, because few
    // spans have a state and each has a place for one.
    Option<Arc<String>>,
);

/// The most members a list may have.
const MAX_MEMBERS: usize = 32;
/// The most characters of a key, and of a value.
const MAX_PART_BYTES: usize = 256;
/// The most bytes of all headers together that are looked at. The specification asks for 512 to be
/// passed on; this is what HTTP servers commonly accept as one header.
const MAX_BYTES: usize = 8192;

impl TraceState {
    /// No entries.
    pub const EMPTY: Self = Self(None);

    /// Reads a header value, or several joined by commas.
    ///
    /// White space around members is taken away, and so are empty members and all but the first of
    /// members with one key.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Parse`] if a member does not follow the grammar, there are more than 32, or the
    /// text is longer than 8,192 bytes.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut members = Members::new();
        members.add(text.as_bytes());
        members.finish().ok_or_else(|| {
            let shown: String = text.chars().take(128).collect();
            Error::new(
                ErrorKind::Parse,
                format!("trace state {shown:?} is not a list of at most 32 members"),
            )
        })
    }

    /// The header value; empty where there are no entries.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_ref().map_or("", |text| text)
    }

    /// Whether there are no entries.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The entries, most recent first.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.as_str().split(',').filter_map(|member| member.split_once('='))
    }

    /// The value of `key`, if there is an entry for it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.iter().find_map(|(other, value)| (other == key).then_some(value))
    }

    /// With `value` as the value of `key`, in front of the others, where the most recent entry stands
    /// (section 3.5, "Mutating the tracestate Field"). If there are more than 32 entries or 8,192 bytes
    /// then, the oldest ones, at the end, are left out.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Parse`] if the key or the value does not follow the grammar.
    ///
    /// # Examples
    ///
    /// ```
    /// use bellwether::context::TraceState;
    ///
    /// let state = TraceState::parse("rojo=00f067,congo=t61rc")?;
    /// assert_eq!(state.with("congo", "lZWRz")?.as_str(), "congo=lZWRz,rojo=00f067");
    /// assert!(state.with("Congo", "1").is_err());
    /// # Ok::<(), bellwether::Error>(())
    /// ```
    pub fn with(&self, key: &str, value: &str) -> Result<Self, Error> {
        if !is_key(key.as_bytes()) || !is_value(value.as_bytes()) {
            let shown: String = format!("{key}={value}").chars().take(128).collect();
            let text = format!("{shown:?} is no entry of a trace state");
            return Err(Error::new(ErrorKind::Parse, text));
        }
        let mut text =
            Text(String::with_capacity(self.as_str().len() + key.len() + value.len() + 2));
        text.push(key, value);
        for (other, value) in self.iter().filter(|(other, _)| *other != key).take(MAX_MEMBERS - 1) {
            if text.0.len() + other.len() + value.len() + 2 > MAX_BYTES {
                break;
            }
            text.push(other, value);
        }
        Ok(text.finish())
    }

    /// Without the entry of `key`, if there is one.
    #[must_use]
    pub fn without(&self, key: &str) -> Self {
        if self.get(key).is_none() {
            return self.clone();
        }
        let mut text = Text(String::with_capacity(self.as_str().len()));
        for (other, value) in self.iter().filter(|(other, _)| *other != key) {
            text.push(other, value);
        }
        text.finish()
    }
}

/// The text of a state while it is written.
struct Text(String);

impl Text {
    fn push(&mut self, key: &str, value: &str) {
        if !self.0.is_empty() {
            self.0.push(',');
        }
        self.0.extend([key, "=", value]);
    }

    fn finish(self) -> TraceState {
        TraceState((!self.0.is_empty()).then(|| Arc::new(self.0)))
    }
}

impl fmt::Debug for TraceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// The members of one or more headers while they are read: borrowed, so that nothing is allocated
/// before all of them are known to be good.
pub(crate) struct Members<'a> {
    // Invariant: only [..n] are members; their keys differ.
    members: [(&'a [u8], &'a [u8]); MAX_MEMBERS],
    n: usize,
    n_seen: usize, // Members so far, also those whose key was there already.
    n_bytes: usize,
    refused: bool,
}

impl<'a> Members<'a> {
    pub(crate) const fn new() -> Self {
        Self { members: [(b"", b""); MAX_MEMBERS], n: 0, n_seen: 0, n_bytes: 0, refused: false }
    }

    /// Reads the value of the next header.
    pub(crate) fn add(&mut self, header: &'a [u8]) {
        self.n_bytes = self.n_bytes.saturating_add(header.len());
        if self.n_bytes > MAX_BYTES {
            self.refused = true;
        }
        if self.refused {
            return;
        }
        let added: Option<()> =
            header.split(|&byte| byte == b',').try_for_each(|member| self.add_member(trim(member)));
        self.refused = added.is_none();
    }

    /// The state, or `None` if anything in it was wrong.
    pub(crate) fn finish(&self) -> Option<TraceState> {
        if self.refused {
            return None;
        }
        let members = &self.members[..self.n];
        if members.is_empty() {
            return Some(TraceState::EMPTY);
        }
        let n_bytes = members.iter().map(|(key, value)| key.len() + value.len() + 2).sum();
        let mut text = Vec::with_capacity(n_bytes);
        for (key, value) in members {
            if !text.is_empty() {
                text.push(b',');
            }
            text.extend_from_slice(key);
            text.push(b'=');
            text.extend_from_slice(value);
        }
        // The grammar admits ASCII only, so this never fails.
        Some(TraceState(Some(Arc::new(String::from_utf8(text).ok()?))))
    }

    fn add_member(&mut self, member: &'a [u8]) -> Option<()> {
        if member.is_empty() {
            return Some(());
        }
        let equals = member.iter().position(|&byte| byte == b'=')?;
        let (key, value) = (&member[..equals], &member[equals + 1..]);
        self.n_seen += 1;
        if self.n_seen > MAX_MEMBERS || !is_key(key) || !is_value(value) {
            return None;
        }
        // Conformance has lists with a key twice as valid; the first is the more recent one, and an
        // outgoing list must not have it twice.
        if self.members[..self.n].iter().all(|(other, _)| *other != key) {
            self.members[self.n] = (key, value);
            self.n += 1;
        }
        Some(())
    }
}

/// `key = ( lcalpha / DIGIT ) 0*255( lcalpha / DIGIT / "_" / "-" / "*" / "/" / "@" )`
fn is_key(key: &[u8]) -> bool {
    let starts = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let continues = |byte: u8| starts(byte) || matches!(byte, b'_' | b'-' | b'*' | b'/' | b'@');
    key.len() <= MAX_PART_BYTES
        && key.first().is_some_and(|&first| starts(first))
        && key.iter().all(|&byte| continues(byte))
}

/// `value = 0*255(chr) nblk-chr`: printable ASCII but comma and equals, not ending in a space.
fn is_value(value: &[u8]) -> bool {
    let is_chr = |byte: u8| matches!(byte, b' '..=b'~') && byte != b',' && byte != b'=';
    value.len() <= MAX_PART_BYTES
        && value.last().is_some_and(|&last| last != b' ')
        && value.iter().all(|&byte| is_chr(byte))
}

/// Without the spaces and tabs around (`OWS` of RFC 9110).
pub(crate) fn trim(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parsed(text: &str) -> Option<String> {
        TraceState::parse(text).ok().map(|state| state.as_str().to_owned())
    }

    #[test]
    fn white_space_and_empty_members_are_taken_away() {
        assert_eq!(parsed(" a=1\t, ,,b= 2 ,").as_deref(), Some("a=1,b= 2"));
        assert_eq!(parsed(" ,\t,").as_deref(), Some(""));
        assert!(TraceState::parse("").unwrap().is_empty());
    }

    #[test]
    fn one_bad_member_refuses_all() {
        for bad in
            ["a", "=1", "A=1", "a=", "a=1=2", "a =1", "@a=1", "a=\u{e9}", "a=\u{7f}", "a.b=1"]
        {
            assert_eq!(parsed(&format!("x=1,{bad}")), None, "{bad}");
        }
    }

    #[test]
    fn thirty_two_members_are_the_most() {
        let list = |n: usize| (0..n).map(|i| format!("k{i}=v")).collect::<Vec<_>>().join(",");
        assert_eq!(TraceState::parse(&list(32)).unwrap().iter().count(), 32);
        assert!(TraceState::parse(&list(33)).is_err());
    }

    #[test]
    fn parts_may_have_256_characters() {
        let (fits, long) = ("k".repeat(256), "k".repeat(257));
        assert!(parsed(&format!("{fits}={fits}")).is_some());
        assert!(parsed(&format!("{long}=1")).is_none());
        assert!(parsed(&format!("k={long}")).is_none());
    }

    #[test]
    fn the_first_of_two_equal_keys_is_kept() {
        assert_eq!(parsed("a=1,b=2,a=3").as_deref(), Some("a=1,b=2"));
    }

    #[test]
    fn the_limit_of_bytes_is_over_all_headers() {
        let header = " ".repeat(MAX_BYTES / 2);
        let mut members = Members::new();
        members.add(header.as_bytes());
        members.add(header.as_bytes());
        assert!(members.finish().is_some());
        members.add(b" ");
        assert!(members.finish().is_none());
    }

    #[test]
    fn more_than_512_characters_are_passed_on() {
        let text =
            (0..30).map(|i| format!("key{i:02}=value-{i:020}")).collect::<Vec<_>>().join(",");
        assert!(text.len() > 512);
        assert_eq!(parsed(&text), Some(text));
    }

    #[test]
    fn an_entry_that_is_set_is_the_first_and_the_oldest_make_room() {
        let full = (0..32).map(|i| format!("k{i}=v")).collect::<Vec<_>>().join(",");
        let full = TraceState::parse(&full).unwrap();
        let longer = full.with("new", "1").unwrap();
        assert_eq!((longer.iter().count(), longer.iter().next()), (32, Some(("new", "1"))));
        assert_eq!((longer.get("k30"), longer.get("k31")), (Some("v"), None));
        assert_eq!(full.with("k31", "1").unwrap().iter().count(), 32);

        let long = "v".repeat(256);
        let mut state = TraceState::EMPTY;
        for i in 0..32 {
            state = state.with(&format!("k{i:0>100}"), &long).unwrap();
        }
        assert!((8_192 - 358..=8_192).contains(&state.as_str().len()));
        assert_eq!(TraceState::parse(state.as_str()).unwrap(), state);
    }

    #[test]
    fn an_entry_that_is_not_legal_is_an_error() {
        let long = "x".repeat(257);
        for (key, value) in [
            ("", "1"),
            ("A", "1"),
            ("a", ""),
            ("a", "1,b=2"),
            ("a", "1 "),
            (&long, "1"),
            ("a", &long),
        ] {
            let error = TraceState::EMPTY.with(key, value).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Parse, "{key}={value}");
        }
    }

    proptest! {
        #[test]
        fn entries_come_and_go_as_in_a_naive_list(
            acts in prop::collection::vec((0..40_u8, "[ -+.-<>-~]{0,3}", any::<bool>()), 0..80),
        ) {
            let (mut state, mut naive) = (TraceState::EMPTY, Vec::<(String, String)>::new());
            for (key, value, sets) in acts {
                let key = format!("k{key}");
                let is_legal = !value.is_empty() && !value.ends_with(' ');
                if sets {
                    match state.with(&key, &value) {
                        Ok(other) => state = other,
                        Err(_) => prop_assert!(!is_legal),
                    }
                } else {
                    state = state.without(&key);
                }
                if !sets || is_legal {
                    naive.retain(|(other, _)| *other != key);
                }
                if sets && is_legal {
                    naive.insert(0, (key, value));
                    naive.truncate(32);
                }
                let text: Vec<_> = naive.iter().map(|(key, value)| format!("{key}={value}")).collect();
                prop_assert_eq!(state.as_str(), text.join(","));
            }
        }
    }
}
