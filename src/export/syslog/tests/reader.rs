//! Reads messages by the grammar of RFC 5424, section 6, and frames by RFC 5425 and RFC 6587. It is strict: what the
//! grammar does not have is a failed test.

/// A message.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Message {
    pub(super) facility: u8,
    pub(super) severity: u8,
    pub(super) time: String,
    pub(super) host: String,
    pub(super) app: String,
    pub(super) process: String,
    pub(super) id: String,
    /// The id of the element; empty if there is none.
    pub(super) element: String,
    pub(super) params: Vec<(String, String)>,
    pub(super) text: String,
}

impl Message {
    /// The value of the only parameter by this name.
    pub(super) fn param(&self, name: &str) -> Option<&str> {
        let mut found = self.params.iter().filter(|(other, _)| other == name);
        let value = found.next().map(|(_, value)| &**value);
        assert!(found.next().is_none(), "{name} is there twice: {self:?}");
        value
    }
}

/// Text that is taken apart from the left.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn take(&mut self, n: usize) -> &'a str {
        let (taken, rest) = self.0.split_at(n);
        self.0 = rest;
        taken
    }

    fn expect(&mut self, text: &str) {
        assert!(self.0.starts_with(text), "no {text:?} before {:?}", self.0);
        self.take(text.len());
    }

    fn while_is(&mut self, is_it: impl Fn(char) -> bool) -> &'a str {
        let end = self.0.find(|c| !is_it(c)).unwrap_or(self.0.len());
        self.take(end)
    }

    /// A field of printable ASCII, and the space behind it.
    fn field(&mut self, most: usize) -> String {
        let field = self.while_is(|c| c.is_ascii_graphic());
        assert!((1..=most).contains(&field.len()), "{field:?}");
        self.expect(" ");
        field.to_owned()
    }
}

/// Reads a message that has one element at most.
pub(super) fn read(bytes: &[u8]) -> Message {
    let mut rest = Rest(str::from_utf8(bytes).expect("UTF-8"));
    rest.expect("<");
    let priority = number(rest.while_is(|c| c.is_ascii_digit()));
    assert!(priority <= 191);
    rest.expect(">1 ");
    let time = rest.field(32);
    check_time(&time);
    let (host, app) = (rest.field(255), rest.field(48));
    let (process, id) = (rest.field(128), rest.field(32));
    let (element, params) = element(&mut rest);
    let text = match rest.0.strip_prefix(' ') {
        Some(text) => text.to_owned(),
        None if rest.0.is_empty() => String::new(),
        None => panic!("{:?} behind the data", rest.0),
    };
    let (facility, severity) = (priority as u8 / 8, priority as u8 % 8);
    Message { facility, severity, time, host, app, process, id, element, params, text }
}

/// A number without zeros before it.
fn number(digits: &str) -> usize {
    assert!(digits == "0" || !digits.starts_with('0'), "{digits}");
    digits.parse().expect("digits")
}

/// As RFC 3339, with at most six digits of a second, and never a leap second.
fn check_time(time: &str) {
    let pattern = "0000-00-00T00:00:00.000000Z";
    let fits = |(c, wanted): (char, char)| match wanted {
        '0' => c.is_ascii_digit(),
        wanted => c == wanted,
    };
    assert!(time.len() == pattern.len() && time.chars().zip(pattern.chars()).all(fits), "{time}");
}

fn name(rest: &mut Rest<'_>) -> String {
    let name = rest.while_is(|c| c.is_ascii_graphic() && !"=]\"".contains(c));
    assert!((1..=32).contains(&name.len()), "{name:?}");
    name.to_owned()
}

fn element(rest: &mut Rest<'_>) -> (String, Vec<(String, String)>) {
    if rest.0.starts_with('-') {
        rest.take(1);
        return (String::new(), Vec::new());
    }
    rest.expect("[");
    let id = name(rest);
    assert!(id.contains('@'), "{id}");
    let mut params = Vec::new();
    while rest.0.starts_with(' ') {
        rest.take(1);
        let name = name(rest);
        rest.expect("=\"");
        let mut value = String::new();
        loop {
            value.push_str(rest.while_is(|c| !"\"\\]".contains(c)));
            match rest.take(1) {
                "\"" => break,
                "\\" => {
                    let escaped = rest.take(1);
                    assert!("\"\\]".contains(escaped), "\\{escaped}");
                    value.push_str(escaped);
                }
                bracket => panic!("{bracket} without an escape"),
            }
        }
        params.push((name, value));
    }
    rest.expect("]");
    (id, params)
}

/// The messages of a stream that counts octets, and what is left of one that was cut off.
pub(super) fn counted(mut stream: &[u8]) -> (Vec<Message>, &[u8]) {
    let mut messages = Vec::new();
    loop {
        let Some(space) = stream.iter().position(|byte| *byte == b' ') else {
            return (messages, stream);
        };
        let length = number(str::from_utf8(&stream[..space]).unwrap());
        assert_ne!(length, 0);
        match stream.get(space + 1..space + 1 + length) {
            Some(message) => messages.push(read(message)),
            None => return (messages, stream),
        }
        stream = &stream[space + 1 + length..];
    }
}

/// The messages of a stream that ends each with `mark`.
pub(super) fn ended_by(mark: u8, stream: &[u8]) -> Vec<Message> {
    let stream = stream.strip_suffix(&[mark]).expect("the last one is ended too");
    stream.split(|byte| *byte == mark).map(read).collect()
}

#[test]
fn the_reader_knows_the_rfcs_own_examples_and_is_strict() {
    let example = "<165>1 2003-10-11T22:14:15.003000Z mymachine.example.com evntslog - ID47 \
        [exampleSDID@32473 iut=\"3\" eventSource=\"App\\]\"] \u{feff}An event";
    let read_it = read(example.as_bytes());
    assert_eq!((read_it.facility, read_it.severity, &*read_it.id), (20, 5, "ID47"));
    assert_eq!((read_it.param("eventSource"), &*read_it.text), (Some("App]"), "\u{feff}An event"));
    for (right, wrong) in [
        ("<165>", "<0165>"),
        ("<165>", "<192>"),
        (">1 ", ">2 "),
        ("003000Z", "0030001Z"),
        ("- ID47", " ID47"),
        ("ID47", "ID\u{7f}47"),
        ("\\]", "]"),
        ("\\]", "\\x"),
        (" \u{feff}", "\u{feff}"),
        ("iut", "i=t"),
    ] {
        let broken = example.replacen(right, wrong, 1);
        assert_ne!(broken, example);
        let caught = std::panic::catch_unwind(|| read(broken.as_bytes()));
        assert!(caught.is_err(), "{broken}");
    }
}
