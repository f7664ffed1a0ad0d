//! A connection to a server with a channel, and what drives it.

use std::time::{Duration, Instant};

use ::lapin::{
    BasicProperties, Channel, Confirmation, ConnectionProperties, Error as ClientError,
    ExchangeKind,
    options::{
        BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions, QueueBindOptions,
        QueueDeclareOptions,
    },
    runtime,
    types::{AMQPValue, FieldTable, LongString},
};

use super::options::Options;
use crate::{
    clock::{self, Deadline},
    diagnostics,
    transport::{crypto, driver::Driver},
};

/// A connection; after an error it is of no more use. It sends and reads nothing but during a call.
pub(super) struct Connection {
    channel: Channel,
    link: ::lapin::Connection,
    /// When something was sent last.
    used: Instant,
    driver: Driver,
}

/// How long a server has to answer a good-bye. Arbitrary.
const GOOD_BYE: Duration = Duration::from_millis(100);

/// The code of a good-bye without a reason ("reply-success" of AMQP 0-9-1).
const SUCCESS: u16 = 200;

/// A message, as it is published.
pub(super) struct Publication {
    pub(super) properties: BasicProperties,
    pub(super) body: Vec<u8>,
}

impl Connection {
    /// Connects until the deadline, and makes the exchange and the queue where that is wished. An error says why not.
    pub(super) fn open(options: &Options, key: &str, deadline: &Deadline) -> Result<Self, String> {
        crypto::ensure();
        let server = options.server()?;
        let driver = Driver::new()?;
        let opened = driver.run(deadline.instant(), deadline, async {
            let runtime = runtime::default_runtime()?;
            let name = ConnectionProperties::default().with_connection_name("bellwether".into());
            let link =
                ::lapin::Connection::connect_uri_with_config(server, name, options.tls(), runtime);
            let link = link.await?;
            if options.declares {
                // Where that is refused, the server closes the channel. What was to be made may be there otherwise.
                if let Err(error) = declare(&link.create_channel().await?, options, key).await {
                    if !error.is_amqp_soft_error() {
                        return Err(error);
                    }
                    diagnostics::report("rabbitmq", format_args!("{}: {error}", options.place()));
                }
            }
            let channel = link.create_channel().await?;
            channel.confirm_select(ConfirmSelectOptions::default()).await?;
            Ok::<_, ClientError>((channel, link))
        });
        let (channel, link) = match opened {
            Some(opened) => opened.map_err(|error| error.to_string())?,
            None => return Err("no connection in time".to_owned()),
        };
        Ok(Self { channel, link, used: clock::real_instant(), driver })
    }

    /// Whether it has not been idle for so long that the server may have missed our heartbeats, or we its own: both
    /// stand still while nothing is sent.
    pub(super) fn is_fresh(&self) -> bool {
        let heartbeat = Duration::from_secs(self.link.configuration().heartbeat().into());
        let idle = clock::real_instant().saturating_duration_since(self.used);
        (heartbeat.is_zero() || idle < heartbeat / 2) && self.link.status().connected()
    }

    /// Says good-bye, for which the server has a moment. A connection that is dropped is broken off.
    pub(super) fn close(self) {
        let deadline = Deadline::after(GOOD_BYE);
        let Self { link, driver, .. } = &self;
        let _ = driver.run(deadline.instant(), &deadline, link.close(SUCCESS, "".into()));
    }

    /// Publishes all messages, and gives the answer to each to `settle`, in order, until the deadline. An error says why
    /// the others have no answer.
    pub(super) fn publish(
        &mut self,
        exchange: &str,
        key: &str,
        messages: Vec<Publication>,
        deadline: &Deadline,
        mut settle: impl FnMut(Result<Confirmation, ClientError>),
    ) -> Result<(), String> {
        let published = self.driver.run(deadline.instant(), deadline, async {
            let mut sent = Vec::with_capacity(messages.len());
            // What no queue takes comes back.
            let options = BasicPublishOptions { mandatory: true, immediate: false };
            for Publication { properties, body } in messages {
                let (exchange, key) = (exchange.into(), key.into());
                let channel = &self.channel;
                sent.push(channel.basic_publish(exchange, key, options, &body, properties).await);
            }
            for confirm in sent {
                settle(match confirm {
                    Ok(confirm) => confirm.await,
                    Err(error) => Err(error),
                });
            }
        });
        self.used = clock::real_instant();
        published.ok_or_else(|| match self.link.status().blocked() {
            true => "the server blocks who publishes, for want of memory or disk".to_owned(),
            false => "no answer in time".to_owned(),
        })
    }
}

/// Makes the exchange, if it has a name, the queue, and what leads from one to the other.
async fn declare(channel: &Channel, options: &Options, key: &str) -> Result<(), ClientError> {
    let mut arguments = FieldTable::default();
    if options.is_quorum {
        let quorum = AMQPValue::LongString(LongString::from("quorum"));
        arguments.insert("x-queue-type".into(), quorum);
    }
    if let Some(most) = options.most {
        let most = AMQPValue::LongLongInt(i64::try_from(most).unwrap_or(i64::MAX));
        arguments.insert("x-max-length".into(), most);
    }
    let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(key.into(), durable, arguments).await?;
    if options.exchange.is_empty() {
        return Ok(());
    }
    let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    let exchange = || options.exchange.as_str().into();
    let none = FieldTable::default;
    channel.exchange_declare(exchange(), ExchangeKind::Topic, durable, none()).await?;
    let bind = QueueBindOptions::default();
    channel.queue_bind(key.into(), exchange(), key.into(), bind, none()).await
}
