//! Where messages go, and what is made there.

use std::{fmt, sync::Arc};

use ::lapin::{
    tcp::{OwnedIdentity, OwnedTLSConfig},
    uri::AMQPUri,
};

use crate::{
    error::{Error, ErrorKind},
    transport::Secret,
};

/// Certificates or a key, in PEM.
type Pem = Arc<[u8]>;

/// Where messages go, and what is made there.
#[derive(Clone)]
pub(super) struct Options {
    /// A URL, which may have a password.
    pub(super) url: String,
    pub(super) user: Option<(String, Secret)>,
    /// The exchange; the default one, which has no name, passes a message to the queue of its routing key.
    pub(super) exchange: String,
    /// What routing keys and the names of queues begin with.
    pub(super) prefix: String,
    pub(super) declares: bool,
    /// Of queues that are made: whether they are kept by a quorum of nodes, and how many messages they keep.
    pub(super) is_quorum: bool,
    pub(super) most: Option<u64>,
    /// Whether what no queue takes is given up.
    pub(super) rejects_unroutable: bool,
    /// The roots that are trusted, and the certificate that is shown with its key.
    pub(super) roots: Option<Arc<str>>,
    pub(super) identity: Option<(Pem, Pem)>,
}

impl Options {
    pub(super) fn new(url: String) -> Self {
        Self {
            url,
            user: None,
            exchange: String::new(),
            prefix: "telemetry.".to_owned(),
            declares: false,
            is_quorum: false,
            most: None,
            rejects_unroutable: false,
            roots: None,
            identity: None,
        }
    }

    /// An option that cannot be used.
    pub(super) fn check(&self) -> Result<(), Error> {
        let invalid = |what: String| Error::new(ErrorKind::InvalidOption, what);
        // What the client says of a URL may have parts of it.
        let read: Result<AMQPUri, _> = self.url.parse();
        read.map_err(|_| invalid("the URL of a RabbitMQ server cannot be read".to_owned()))?;
        if let Some((_, password)) = &self.user {
            password.read().map_err(|why| invalid(format!("password of RabbitMQ: {why}")))?;
        }
        // A short string of AMQP has a byte for its length; the name of the signal follows the prefix.
        for (what, text, most) in [("exchange", &self.exchange, 255), ("prefix", &self.prefix, 240)]
        {
            if text.len() > most {
                return Err(invalid(format!("{what} {text:?} is longer than {most} bytes")));
            }
        }
        Ok(())
    }

    /// The server and who asks. The password is read now.
    pub(super) fn server(&self) -> Result<AMQPUri, String> {
        let mut uri: AMQPUri = self.url.parse().map_err(|_| "a URL that cannot be read")?;
        if let Some((name, password)) = &self.user {
            uri.authority.userinfo.username.clone_from(name);
            password.read()?.as_str().clone_into(&mut uri.authority.userinfo.password);
        }
        Ok(uri)
    }

    pub(super) fn tls(&self) -> OwnedTLSConfig {
        let identity = self.identity.as_ref();
        OwnedTLSConfig {
            identity: identity
                .map(|(pem, key)| OwnedIdentity::PKCS8 { pem: pem.to_vec(), key: key.to_vec() }),
            cert_chain: self.roots.as_deref().map(str::to_owned),
        }
    }

    /// The server without secrets: `amqp://127.0.0.1:5672`.
    pub(super) fn place(&self) -> String {
        match self.url.parse::<AMQPUri>() {
            Ok(uri) => format!("{}://{}:{}", uri.scheme, uri.authority.host, uri.authority.port),
            Err(_) => "a URL that cannot be read".to_owned(),
        }
    }
}

/// Says nothing of passwords and keys.
impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { exchange, prefix, declares, .. } = self;
        let place = self.place();
        write!(f, "exchange {exchange:?}, prefix {prefix:?}, declares {declares} at {place}")
    }
}
