//! A connection to a server, and what drives it.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
};

use ::async_nats::{
    Client, Event,
    connection::State,
    jetstream::{
        self,
        context::{CreateStreamErrorKind, PublishError},
        message::PublishMessage,
    },
};
use tokio::{sync::watch, task};

use super::options::{LONG, Options};
use crate::{
    clock::Deadline,
    diagnostics,
    transport::{crypto, driver::Driver},
};

/// A connection; when it is lost it is of no more use. It sends and reads nothing but during a call.
pub(super) struct Connection {
    client: Client,
    context: jetstream::Context,
    /// Whether it is lost.
    lost: watch::Receiver<bool>,
    driver: Driver,
}

impl Connection {
    /// Connects until the deadline, and makes the stream where that is wished. An error says why not.
    pub(super) fn open(options: &Options, deadline: &Deadline) -> Result<Self, String> {
        crypto::ensure();
        let driver = Driver::new()?;
        let opened = driver.run(deadline.instant(), deadline, async {
            let (loses, lost) = watch::channel(false);
            let connecting = options.connecting().await?.event_callback(move |event| {
                if matches!(event, Event::Disconnected | Event::Closed) {
                    loses.send_replace(true);
                }
                std::future::ready(())
            });
            let servers = options.servers().map_err(|()| "a URL that cannot be read")?;
            let client = connecting.connect(servers).await.map_err(|error| error.to_string())?;
            let context = jetstream::context::ContextBuilder::new().timeout(LONG);
            let context = context.build(client.clone());
            with(lost.clone(), make_stream(&context, options)).await.ok_or(LOST)??;
            Ok::<_, String>((client, context, lost))
        });
        let (client, context, lost) = opened.ok_or("no connection in time")??;
        Ok(Self { client, context, lost, driver })
    }

    /// Whether it is still open, as far as is known here.
    pub(super) fn is_open(&self, deadline: &Deadline) -> bool {
        let is_open = self.driver.run(deadline.instant(), deadline, async {
            // The client's tasks see what the server said meanwhile: that it closed, say.
            for _ in 0..4 {
                task::yield_now().await;
            }
            !*self.lost.borrow() && self.client.connection_state() == State::Connected
        });
        is_open.unwrap_or(false)
    }

    /// Publishes all messages to a subject, and gives the answer to each to `settle`, in order, until the deadline. An
    /// error says why the others have no answer.
    pub(super) fn publish(
        &self,
        subject: &str,
        messages: impl Iterator<Item = PublishMessage>,
        deadline: &Deadline,
        mut settle: impl FnMut(Result<(), PublishError>),
    ) -> Result<(), &'static str> {
        let published = self.driver.run(deadline.instant(), deadline, async {
            let all = async {
                let mut sent = Vec::new();
                for message in messages {
                    sent.push(self.context.send_publish(subject.to_owned(), message).await);
                }
                for message in sent {
                    settle(match message {
                        Ok(answer) => answer.await.map(drop),
                        Err(error) => Err(error),
                    });
                }
            };
            with(self.lost.clone(), all).await
        });
        published.ok_or("no answer in time")?.ok_or(LOST)
    }
}

const LOST: &str = "the connection is lost";

/// The result of `work`, unless the connection is lost meanwhile: then nobody would answer.
async fn with<T>(mut lost: watch::Receiver<bool>, work: impl Future<Output = T>) -> Option<T> {
    let (mut lost, mut work) = (pin!(lost.wait_for(|is_lost| *is_lost)), pin!(work));
    poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Ready(result) => Poll::Ready(Some(result)),
        Poll::Pending => lost.as_mut().poll(context).map(|_| None),
    })
    .await
}

/// Makes the stream that was wished, if it is not there. One that the server does not allow is reported: it may be
/// there by another name.
async fn make_stream(context: &jetstream::Context, options: &Options) -> Result<(), String> {
    let Some(config) = options.stream() else { return Ok(()) };
    match context.get_or_create_stream(config).await {
        Ok(_) => Ok(()),
        Err(error) if matches!(error.kind(), CreateStreamErrorKind::JetStream(_)) => {
            diagnostics::report("nats", format_args!("{}: {error}", options.place()));
            Ok(())
        }
        Err(error) => Err(error.to_string()),
    }
}
