//! Lines in datagrams, as many as fit.

use std::io;

use crate::{
    pipeline::{ExportError, Payload, SendResult},
    transport::socket::is_too_large,
};

/// Whether a record may be sent in several datagrams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(dead_code, reason = "not every backend needs both")]
pub(crate) enum Split {
    /// Behind any line feed of it.
    Lines,
    /// Not at all: it is one line, which may have line feeds within.
    Never,
}

/// Sends the records of `payload`, each of which has one or more lines, in datagrams of at most `most_bytes`.
///
/// The lines of a record are in one datagram, so that none is sent again that was sent; where they are too many,
/// the record is sent apart where it may be [split](Split), and given up when only a part of it could be sent. A
/// record without bytes cannot be expressed, and one of a line feed alone has nothing to say.
///
/// A datagram that the system finds too large is sent again in smaller ones: `most_bytes` is half of it from then on.
pub(crate) fn send(
    payload: &Payload,
    most_bytes: &mut usize,
    split: Split,
    mut send: impl FnMut(&[u8]) -> io::Result<()>,
) -> SendResult {
    let most = *most_bytes;
    let mut send = |datagram: &[u8]| {
        let sent = send(datagram);
        if sent.as_ref().is_err_and(is_too_large) {
            *most_bytes = (datagram.len() / 2).max(1);
        }
        sent
    };
    let mut datagram = Vec::with_capacity(most);
    let mut refused = Refused::default();
    let mut begin = Begin { place: 0, n_refused: 0 };
    for (place, record) in payload.records().enumerate() {
        let Some(lines) = record.strip_suffix(b"\n") else {
            refused.add("a line cannot express a value");
            continue;
        };
        if lines.is_empty() {
            continue;
        }
        let n_with_it = datagram.len() + usize::from(!datagram.is_empty()) + lines.len();
        if n_with_it > most && !datagram.is_empty() {
            if let Err(error) = send(&datagram) {
                return Err(begin.retry(&error, payload));
            }
            datagram.clear();
        }
        if datagram.is_empty() {
            begin = Begin { place, n_refused: refused.n };
        }
        if lines.len() > most {
            match send_apart(lines, most, split, &mut datagram, &mut send) {
                Ok(()) => {}
                Err(Apart::TooLong) => refused.add("a line is longer than a datagram may be"),
                Err(Apart::Begun(_)) => refused.add("only a part of a record was sent"),
                Err(Apart::NotBegun(error)) => {
                    return Err(begin.retry(&error, payload));
                }
            }
            continue;
        }
        if !datagram.is_empty() {
            datagram.push(b'\n');
        }
        datagram.extend_from_slice(lines);
    }
    match datagram.is_empty() {
        true => refused.settle(),
        false => match send(&datagram) {
            Ok(()) => refused.settle(),
            Err(error) => Err(begin.retry(&error, payload)),
        },
    }
}

/// Why the lines of a record were not sent.
enum Apart {
    TooLong,
    NotBegun(io::Error),
    Begun(#[expect(dead_code, reason = "the next record meets it too")] io::Error),
}

/// Sends lines that do not fit into one datagram. `room` is empty before and afterwards.
fn send_apart(
    lines: &[u8],
    most_bytes: usize,
    split: Split,
    room: &mut Vec<u8>,
    send: &mut impl FnMut(&[u8]) -> io::Result<()>,
) -> Result<(), Apart> {
    let each = || lines.split(|byte| *byte == b'\n');
    if split == Split::Never || each().any(|line| line.len() > most_bytes) {
        return Err(Apart::TooLong);
    }
    let mut has_begun = false;
    let mut pass = |room: &mut Vec<u8>| {
        let sent = send(room);
        room.clear();
        match sent {
            Ok(()) => has_begun = true,
            Err(error) if has_begun => return Err(Apart::Begun(error)),
            Err(error) => return Err(Apart::NotBegun(error)),
        }
        Ok(())
    };
    for line in each() {
        if !room.is_empty() && room.len() + 1 + line.len() > most_bytes {
            pass(room)?;
        }
        if !room.is_empty() {
            room.push(b'\n');
        }
        room.extend_from_slice(line);
    }
    pass(room)
}

/// What will never be sent.
#[derive(Default)]
struct Refused {
    n: usize,
    why: &'static str,
}

impl Refused {
    fn add(&mut self, why: &'static str) {
        (self.n, self.why) = (self.n + 1, why);
    }

    fn settle(self) -> SendResult {
        match self.n {
            0 => Ok(()),
            n => Err(ExportError::partial(n, self.why)),
        }
    }
}

/// Where a datagram begins.
struct Begin {
    /// Its first record.
    place: usize,
    /// How many records before that were refused.
    n_refused: usize,
}

impl Begin {
    /// All from here on is to be sent again.
    fn retry(&self, error: &io::Error, payload: &Payload) -> ExportError<Payload> {
        ExportError::retry(error).unsent(payload.skip(self.place)).rejected(self.n_refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(records: &[&str]) -> Payload {
        records.iter().collect()
    }

    /// What is sent until the datagram that fails.
    fn sent(records: &[&str], most: usize, fails_at: usize) -> (Vec<String>, SendResult) {
        let mut datagrams = Vec::new();
        let result = send(&payload(records), &mut { most }, Split::Lines, |datagram| {
            if datagrams.len() == fails_at {
                return Err(io::ErrorKind::ConnectionRefused.into());
            }
            datagrams.push(String::from_utf8(datagram.to_vec()).unwrap());
            Ok(())
        });
        (datagrams, result)
    }

    #[test]
    fn as_many_lines_are_in_a_datagram_as_fit() {
        let (datagrams, result) = sent(&["aa:1|c\n", "bb:2|c\n", "c:3|c\n", "\n"], 13, 9);
        result.unwrap();
        assert_eq!(datagrams, ["aa:1|c\nbb:2|c", "c:3|c"]);
    }

    #[test]
    fn what_is_not_sent_is_tried_again_from_its_datagram_on() {
        let (datagrams, result) = sent(&["a:1|c\n", "", "b:2|c\n", "c:3|c\n"], 11, 1);
        let error = result.unwrap_err();
        assert_eq!(datagrams, ["a:1|c\nb:2|c"]);
        assert_eq!((error.is_retry(), error.n_rejected()), (true, 1));
        assert_eq!(error.as_unsent().unwrap().bytes(), b"c:3|c\n");
        // What is refused behind the beginning of the datagram is counted when that is sent.
        let (_, result) = sent(&["a:1|c\n", "", "b:2|c\n"], 11, 0);
        let error = result.unwrap_err();
        assert_eq!((error.n_rejected(), error.as_unsent().unwrap().len()), (0, 3));
    }

    #[test]
    fn a_record_of_many_lines_is_sent_apart_and_never_begun_again() {
        let long = "h:1|d\nh:2|d\nh:3|d\n";
        let (datagrams, result) = sent(&["a:1|c\n", long, "b:1|c\n"], 11, 9);
        result.unwrap();
        assert_eq!(datagrams, ["a:1|c", "h:1|d\nh:2|d", "h:3|d", "b:1|c"]);
        let (datagrams, result) = sent(&["a:1|c\n", long, "b:1|c\n"], 11, 2);
        assert_eq!(datagrams, ["a:1|c", "h:1|d\nh:2|d"]);
        let error = result.unwrap_err();
        assert_eq!(error.as_unsent().unwrap().bytes(), b"b:1|c\n");
        let (_, result) = sent(&[long], 11, 0);
        assert_eq!(result.unwrap_err().as_unsent().unwrap().bytes(), long.as_bytes());
    }

    #[test]
    fn a_line_with_line_feeds_is_sent_whole_or_not_at_all() {
        let mut datagrams = Vec::new();
        let records = payload(&["a=\"1\n2\"\n", "b=\"1\n234\"\n", "c=1\n"]);
        let result = send(&records, &mut 8, Split::Never, |datagram| {
            datagrams.push(String::from_utf8(datagram.to_vec()).unwrap());
            Ok(())
        });
        assert_eq!(
            (result.unwrap_err().n_rejected(), datagrams),
            (1, vec!["a=\"1\n2\"".to_owned(), "c=1".into()])
        );
    }

    #[cfg(unix)]
    #[test]
    fn what_the_system_finds_too_large_is_sent_in_smaller_datagrams_or_refused() {
        let (mut most, mut datagrams) = (1_000, Vec::new());
        let mut left = payload(&["a:1|c\n", "b:2|c\n", "much.too.long:1|c\n", "c:3|c\n"]);
        let mut n_rejected = 0;
        for _ in 0..10 {
            let result = send(&left, &mut most, Split::Lines, |datagram| {
                if datagram.len() > 11 {
                    return Err(io::Error::from_raw_os_error(libc::EMSGSIZE));
                }
                datagrams.push(String::from_utf8(datagram.to_vec()).unwrap());
                Ok(())
            });
            let Err(error) = result else { break };
            n_rejected += error.n_rejected();
            if !error.is_retry() {
                break;
            }
            left = error.as_unsent().unwrap().clone();
        }
        assert_eq!((datagrams.join("\n").as_str(), n_rejected), ("a:1|c\nb:2|c\nc:3|c", 1));
    }

    #[test]
    fn a_line_that_no_datagram_takes_is_refused_alone() {
        let (datagrams, result) = sent(&["a:1|c\n", "long:1|c\n", "b:1|c\n"], 7, 9);
        assert_eq!(
            (datagrams.concat().as_str(), result.unwrap_err().n_rejected()),
            ("a:1|cb:1|c", 1)
        );
    }
}
