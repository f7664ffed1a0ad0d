//! The brokers as the services use them: by their clients, and a few lines for the headers of messages.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bellwether::trace::propagator::Extractor;
use lapin::{
    BasicProperties, Channel,
    options::{BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions},
    types::FieldTable,
};
use redis::Commands as _;
use tokio::runtime::Runtime;

/// A message that was received.
pub struct Message {
    /// Fields of an entry, or a table: whatever the broker has.
    pub headers: Box<dyn Extractor>,
    /// When it was sent, as the broker says, or the sender.
    pub sent: SystemTime,
    pub body: Vec<u8>,
}

/// A queue of orders.
pub enum Broker {
    /// A stream; what was read last is a place in it.
    Redis {
        connection: redis::Connection,
        last: String,
    },
    RabbitMq {
        channel: Box<Channel>,
        _connection: Box<lapin::Connection>,
        runtime: Runtime,
    },
}

/// The stream, or the queue.
const QUEUE: &str = "orders";

impl Broker {
    pub fn connect(kind: &str, url: &str) -> Self {
        if kind == "redis" {
            let client = redis::Client::open(url).expect("a URL");
            let connection = client.get_connection().expect("a connection");
            return Self::Redis { connection, last: "0".to_owned() };
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime");
        let (channel, connection) = runtime.block_on(async {
            let connection = lapin::Connection::connect(url, Default::default()).await;
            let connection = connection.expect("a connection");
            let channel = connection.create_channel().await.expect("a channel");
            let options = QueueDeclareOptions::default();
            let declared = channel.queue_declare(QUEUE.into(), options, FieldTable::default());
            declared.await.expect("a queue");
            // So that a message is there when its sending has ended: who sends may end right after.
            let confirms = channel.confirm_select(ConfirmSelectOptions::default());
            confirms.await.expect("confirmations");
            (channel, connection)
        });
        Self::RabbitMq { channel: Box::new(channel), _connection: Box::new(connection), runtime }
    }

    /// Sends a message with the current context in its headers.
    pub fn send(&mut self, body: &[u8]) {
        match self {
            Self::Redis { connection, .. } => {
                let mut fields: Vec<(String, Vec<u8>)> = Vec::new();
                bellwether::inject(&mut fields);
                fields.push(("body".to_owned(), body.to_vec()));
                let mut add = redis::cmd("XADD");
                let _: String =
                    add.arg(QUEUE).arg("*").arg(fields).query(connection).expect("a place");
            }
            Self::RabbitMq { channel, runtime, .. } => {
                let mut table = FieldTable::default();
                bellwether::inject(&mut table);
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                let properties = BasicProperties::default().with_headers(table);
                let properties = properties.with_timestamp(now.as_secs());
                let options = BasicPublishOptions::default();
                let sent = async {
                    let sent =
                        channel.basic_publish("".into(), QUEUE.into(), options, body, properties);
                    sent.await?.await
                };
                runtime.block_on(sent).expect("it is sent");
            }
        }
    }

    /// The next message, which is waited for.
    pub fn receive(&mut self) -> Message {
        match self {
            Self::Redis { connection, last } => {
                let mut read = redis::cmd("XREAD");
                read.arg("COUNT").arg(1).arg("BLOCK").arg(20_000);
                read.arg("STREAMS").arg(QUEUE).arg(&*last);
                type Entry = (String, Vec<(String, Vec<u8>)>);
                let read: Vec<(String, Vec<Entry>)> = read.query(connection).expect("an entry");
                let (place, mut fields) = read[0].1[0].clone();
                // It begins with when it was added, in milliseconds.
                let milliseconds = place.split('-').next().and_then(|text| text.parse().ok());
                let sent = UNIX_EPOCH + Duration::from_millis(milliseconds.expect("a number"));
                *last = place;
                let (_, body) = fields.pop().expect("a body");
                Message { headers: Box::new(fields), sent, body }
            }
            Self::RabbitMq { channel, runtime, .. } => runtime.block_on(async {
                for _ in 0..1_000 {
                    let options = BasicGetOptions { no_ack: true };
                    let got = channel.basic_get(QUEUE.into(), options).await.expect("an answer");
                    let Some(got) = got else {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                        continue;
                    };
                    let table = got.properties.headers().clone().unwrap_or_default();
                    let seconds = got.properties.timestamp().unwrap_or_default();
                    let sent = UNIX_EPOCH + Duration::from_secs(seconds);
                    return Message { headers: Box::new(table), sent, body: got.delivery.data };
                }
                panic!("no message came");
            }),
        }
    }
}

/// The stream is removed when the work is done, so that the next run begins anew.
impl Drop for Broker {
    fn drop(&mut self) {
        if let Self::Redis { connection, last } = self
            && last != "0"
        {
            let _: Result<(), _> = connection.del(QUEUE);
        }
    }
}
