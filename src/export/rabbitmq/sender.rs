//! Publishes messages, and reads what RabbitMQ says of each.

use ::lapin::{
    BasicProperties, Confirmation, Error as ClientError,
    types::{AMQPValue, FieldTable, LongString},
};

use super::{
    connection::{Connection, Publication},
    options::Options,
};
use crate::{
    error::Error,
    export::wire::message::{Message, MessageSignal, Packer, Verdict, send_in_rounds},
    pipeline::{Deadline, Payload, SendResult, Sender, Setup},
};

/// Publishes the messages of one signal.
pub(super) struct Messages<S> {
    packer: Packer<S>,
    options: Options,
    /// The routing key, and the name of the queue that is made.
    key: String,
    connection: Option<Connection>,
}

impl<S: MessageSignal> Messages<S> {
    pub(super) fn new(packer: Packer<S>, options: Options) -> Self {
        let key = format!("{}{}", options.prefix, S::NAME);
        Self { packer, options, key, connection: None }
    }
}

impl<S: MessageSignal> Sender for Messages<S> {
    fn start(&mut self, _setup: &Setup) -> Result<(), Error> {
        self.options.check()
    }

    fn send(&mut self, payload: &Payload, deadline: &Deadline) -> SendResult {
        let Self { packer, options, key, connection } = self;
        let broker = format!("RabbitMQ at {}", options.place());
        let of = (S::NAME, packer.content_type());
        if let Some(stale) = connection.take_if(|connection| !connection.is_fresh()) {
            stale.close();
        }
        let sent = send_in_rounds(packer, payload, &broker, |messages, settle| {
            let connection = match &mut *connection {
                Some(connection) => connection,
                none => none.insert(Connection::open(options, key, deadline)?),
            };
            let messages = messages.into_iter().map(|message| publication(of, message)).collect();
            connection.publish(&options.exchange, key, messages, deadline, |answer| {
                settle(judge(answer, options.rejects_unroutable));
            })
        });
        if sent.as_ref().is_err_and(|error| error.is_retry()) {
            *connection = None;
        }
        sent
    }

    fn name(&self) -> &str {
        "rabbitmq"
    }

    fn destination(&self) -> Option<String> {
        let Options { exchange, .. } = &self.options;
        Some(format!("{}, {exchange}/{}", self.options.place(), self.key))
    }
}

impl<S> Drop for Messages<S> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            connection.close();
        }
    }
}

/// A message with its properties; `of` is its signal and its content type. It is kept on disk by queues that do.
fn publication((signal, content_type): (&str, &str), message: Message) -> Publication {
    const PERSISTENT: u8 = 2;
    let mut headers = FieldTable::default();
    let named = [("key", &message.key), ("traceparent", &message.traceparent)];
    for (name, text) in named {
        if let Some(text) = text {
            let text = AMQPValue::LongString(LongString::from(text.as_str()));
            headers.insert(name.into(), text);
        }
    }
    let properties = BasicProperties::default()
        .with_delivery_mode(PERSISTENT)
        .with_content_type(content_type.into())
        .with_type(signal.into())
        .with_message_id(message.id.as_str().into())
        .with_headers(headers);
    Publication { properties, body: message.body }
}

/// Whether a message was taken, and whether it may be later.
fn judge(answer: Result<Confirmation, ClientError>, rejects_unroutable: bool) -> Verdict {
    match answer {
        Ok(Confirmation::Ack(None)) => Verdict::Taken,
        Ok(Confirmation::Ack(Some(back)) | Confirmation::Nack(Some(back))) => {
            let why = format!("a message came back: {}", back.reply_text);
            match rejects_unroutable {
                true => Verdict::Never(why),
                false => Verdict::Later(why),
            }
        }
        Ok(Confirmation::Nack(None)) => Verdict::Later("a message was not taken".to_owned()),
        Ok(Confirmation::NotRequested) => Verdict::Later("no confirmations".to_owned()),
        Err(error) => Verdict::Later(error.to_string()),
    }
}
