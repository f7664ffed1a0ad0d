//! Sends messages, and reads what Redis says of each.

use ::redis::{Cmd, ErrorKind as Kind, Pipeline, RedisError, cmd};

use super::{
    connection::Connection,
    options::{Options, Way},
};
use crate::{
    error::Error,
    export::wire::message::{Message, MessageSignal, Packer, Verdict, send_in_rounds},
    pipeline::{Deadline, Payload, SendResult, Sender, Setup},
};

/// Sends the messages of one signal.
pub(super) struct Messages<S> {
    packer: Packer<S>,
    options: Options,
    /// The stream, or the channel.
    name: String,
    connection: Option<Connection>,
}

impl<S: MessageSignal> Messages<S> {
    pub(super) fn new(packer: Packer<S>, options: Options) -> Self {
        let name = format!("{}{}", options.prefix, S::NAME);
        Self { packer, options, name, connection: None }
    }
}

impl<S: MessageSignal> Sender for Messages<S> {
    fn start(&mut self, _setup: &Setup) -> Result<(), Error> {
        self.options.check()
    }

    fn send(&mut self, payload: &Payload, deadline: &Deadline) -> SendResult {
        let Self { packer, options, name, connection } = self;
        let broker = format!("Redis at {}", options.place());
        let of = (S::NAME, packer.content_type());
        let sent = send_in_rounds(packer, payload, &broker, |messages, settle| {
            let mut commands = Pipeline::with_capacity(messages.len());
            commands.ignore_errors();
            for message in &messages {
                commands.add_command(command(&options.way, name, of, message));
            }
            let connection = match &mut *connection {
                Some(connection) => connection,
                none => none.insert(Connection::open(options, deadline)?),
            };
            let answers = connection.send(&commands, deadline)?;
            for answer in answers {
                settle(answer.map_or_else(judge, |_| Verdict::Taken));
            }
            Ok(())
        });
        if sent.as_ref().is_err_and(|error| error.is_retry()) {
            // Also where a server answered: its part or its passwords may have changed.
            *connection = None;
        }
        sent
    }

    fn name(&self) -> &str {
        "redis"
    }

    fn destination(&self) -> Option<String> {
        Some(format!("{}, {}", self.options.place(), self.name))
    }
}

/// Adds a message to a stream unless it is known, and remembers it. An error of the first call leaves it unknown.
const ADD_ONCE: &str = "\
if redis.call('EXISTS', KEYS[2]) == 1 then return '' end
local place = redis.call('XADD', KEYS[1], unpack(ARGV, 2))
redis.call('SET', KEYS[2], '', 'PX', ARGV[1])
return place";

/// The command that passes a message on; `of` is its signal and its content type.
fn command(way: &Way, name: &str, of: (&str, &str), message: &Message) -> Cmd {
    let (most, known) = match way {
        Way::Channels => {
            let mut publish = cmd("PUBLISH");
            publish.arg(name).arg(&message.body);
            return publish;
        }
        Way::Streams { most, known } => (most, known),
    };
    let mut add = match known {
        None => cmd("XADD"),
        Some(_) => cmd("EVAL"),
    };
    match known {
        None => add.arg(name),
        Some(known) => {
            let known = u64::try_from(known.as_millis()).unwrap_or(u64::MAX).max(1);
            add.arg(ADD_ONCE).arg(2).arg(name).arg(known_key(name, &message.id)).arg(known)
        }
    };
    if let Some(most) = most {
        add.arg("MAXLEN").arg("~").arg(*most);
    }
    let (signal, content_type) = of;
    add.arg("*").arg("id").arg(&message.id).arg("signal").arg(signal);
    add.arg("content-type").arg(content_type);
    if let Some(key) = &message.key {
        add.arg("key").arg(key);
    }
    if let Some(traceparent) = &message.traceparent {
        add.arg("traceparent").arg(traceparent);
    }
    add.arg("body").arg(&message.body);
    add
}

/// The key that says that a message is known: in a cluster it is where its stream is.
pub(super) fn known_key(stream: &str, id: &str) -> String {
    match stream.contains('{') {
        true => format!("{stream}:{id}"),
        false => format!("{{{stream}}}:{id}"),
    }
}

/// Errors that pass, by the first word of what Redis says.
const PASSING: [&str; 14] = [
    "OOM",         // No memory: something else may be freed, or be read and trimmed.
    "MISCONF",     // It cannot write its disk.
    "LOADING",     // It reads its disk.
    "BUSY",        // A script runs.
    "READONLY",    // It is a replica now.
    "MASTERDOWN",  // Its master is away.
    "NOREPLICAS",  // Too few replicas.
    "CLUSTERDOWN", // A part of the cluster is away.
    "TRYAGAIN",    // A slot is moving.
    "MOVED",       // More often than was followed.
    "ASK",         // As before.
    "NOAUTH",      // The password has changed.
    "WRONGPASS",   // As before.
    "UNBLOCKED",   // A failover.
];

/// Whether what was refused may be taken later.
fn judge(error: RedisError) -> Verdict {
    let passes = match error.code() {
        Some(code) => PASSING.contains(&code),
        // The client's own: it had no answer of a server.
        None => !matches!(error.kind(), Kind::InvalidClientConfig | Kind::Client),
    };
    match passes {
        true => Verdict::Later(error.to_string()),
        false => Verdict::Never(error.to_string()),
    }
}
