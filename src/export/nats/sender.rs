//! Publishes messages, and reads what JetStream says of each.

use std::error::Error as _;

use ::async_nats::jetstream::{
    Error as ServerError, ErrorCode,
    context::{PublishError, PublishErrorKind as Kind},
    message::PublishMessage,
};
use ::bytes::Bytes;

use super::{connection::Connection, options::Options};
use crate::{
    error::Error,
    export::wire::message::{Message, MessageSignal, Packer, Verdict, send_in_rounds},
    pipeline::{Deadline, Payload, SendResult, Sender, Setup},
};

/// Publishes the messages of one signal.
pub(super) struct Messages<S> {
    packer: Packer<S>,
    options: Options,
    subject: String,
    connection: Option<Connection>,
}

impl<S: MessageSignal> Messages<S> {
    pub(super) fn new(packer: Packer<S>, options: Options) -> Self {
        let subject = format!("{}{}", options.prefix, S::NAME);
        Self { packer, options, subject, connection: None }
    }
}

impl<S: MessageSignal> Sender for Messages<S> {
    fn start(&mut self, _setup: &Setup) -> Result<(), Error> {
        self.options.check()
    }

    fn send(&mut self, payload: &Payload, deadline: &Deadline) -> SendResult {
        let Self { packer, options, subject, connection } = self;
        let broker = format!("NATS at {}", options.place());
        let of = (S::NAME, packer.content_type());
        connection.take_if(|connection| !connection.is_open(deadline));
        let sent = send_in_rounds(packer, payload, &broker, |messages, settle| {
            let connection = match &mut *connection {
                Some(connection) => connection,
                none => none.insert(Connection::open(options, deadline)?),
            };
            let messages = messages.into_iter().map(|message| publication(of, message));
            let judged = |answer: Result<(), PublishError>| match answer {
                Ok(()) => settle(Verdict::Taken),
                Err(error) => settle(judge(&error)),
            };
            connection.publish(subject, messages, deadline, judged).map_err(str::to_owned)
        });
        if sent.as_ref().is_err_and(|error| error.is_retry()) {
            *connection = None;
        }
        sent
    }

    fn name(&self) -> &str {
        "nats"
    }

    fn destination(&self) -> Option<String> {
        Some(format!("{}, {}", self.options.place(), self.subject))
    }
}

/// A message with its headers; `of` is its signal and its content type.
fn publication((signal, content_type): (&str, &str), message: Message) -> PublishMessage {
    let mut publish = PublishMessage::build()
        .message_id(&message.id)
        .header("signal", signal)
        .header("content-type", content_type);
    if let Some(key) = &message.key {
        publish = publish.header("key", key.as_str());
    }
    if let Some(traceparent) = &message.traceparent {
        publish = publish.header("traceparent", traceparent.as_str());
    }
    publish.payload(Bytes::from(message.body))
}

/// Whether what was refused may be taken later.
fn judge(error: &PublishError) -> Verdict {
    let said: Option<&ServerError> = error.source().and_then(|source| source.downcast_ref());
    match (error.kind(), said) {
        // Nobody answers where no stream has the subject.
        (Kind::StreamNotFound, _) => Verdict::Later("no stream takes the subject".to_owned()),
        (Kind::MaxPayloadExceeded, _) => Verdict::Never(error.to_string()),
        // What is too large for a stream is so for ever; one that is full, or without resources, is not.
        (_, Some(said)) if said.code() < 500 || said.error_code() == TOO_LARGE => {
            Verdict::Never(error.to_string())
        }
        _ => Verdict::Later(error.to_string()),
    }
}

const TOO_LARGE: ErrorCode = ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM;
