//! Messages are sent some at a time, and what they are answered decides whether more are sent.

use super::{Message, Packer, account::Account};
use crate::pipeline::{Payload, SendResult};

/// What a broker says of a message.
#[derive(Debug)]
pub(crate) enum Verdict {
    Taken,
    /// Not now.
    Later(String),
    /// Never.
    Never(String),
}

/// How many messages are sent before their answers are read. Arbitrary; the client of NATS allows 5,000.
const ROUND: usize = 1_000;

/// Sends the records of `payload` as messages to a broker of this name.
///
/// `send` sends those of a round, and says what is answered to each, in order; or else why there are no more answers.
/// After that, and after a message that is not taken now, no other is sent: so those that are sent again come behind
/// no later ones but those of the same round.
pub(crate) fn send_in_rounds<S: 'static>(
    packer: &Packer<S>,
    payload: &Payload,
    broker: &str,
    mut send: impl FnMut(Vec<Message>, &mut dyn FnMut(Verdict)) -> Result<(), String>,
) -> SendResult {
    let mut account = Account::default();
    let mut messages = packer.pack(payload, &mut account).into_iter();
    loop {
        let round: Vec<Message> = messages.by_ref().take(ROUND).collect();
        if round.is_empty() {
            break;
        }
        let records: Vec<_> = round.iter().map(|message| message.records.clone()).collect();
        let (mut unanswered, mut stopped_by) = (records.into_iter(), None);
        let sent = send(round, &mut |verdict| {
            let Some(records) = unanswered.next() else { return };
            match verdict {
                Verdict::Taken => {}
                Verdict::Never(why) => account.refuse(records, format_args!("{broker}: {why}")),
                Verdict::Later(why) => {
                    account.leave(records, format_args!("{broker}: {why}"));
                    stopped_by.get_or_insert(why);
                }
            }
        });
        if let Some(why) = sent.err().or(stopped_by) {
            let rest = unanswered.chain(messages.map(|message| message.records));
            rest.for_each(|records| account.leave(records, format_args!("{broker}: {why}")));
            break;
        }
    }
    account.settle(payload)
}
