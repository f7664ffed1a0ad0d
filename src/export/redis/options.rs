//! Where messages go, and how.

use std::{fmt, sync::Arc, time::Duration};

use ::redis::{
    ClientTlsConfig, ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _, TlsCertificates,
};

use crate::{
    error::{Error, ErrorKind},
    transport::Secret,
};

/// Where messages go, and how.
#[derive(Clone)]
pub(super) struct Options {
    /// URLs, which may have a password.
    pub(super) urls: Vec<String>,
    pub(super) is_cluster: bool,
    pub(super) way: Way,
    /// What the names of streams and channels begin with.
    pub(super) prefix: String,
    pub(super) user: Option<String>,
    pub(super) password: Option<Secret>,
    /// The roots that are trusted, and the certificate that is shown with its key.
    pub(super) roots: Option<Pem>,
    pub(super) identity: Option<(Pem, Pem)>,
}

/// Certificates or a key, in PEM.
type Pem = Arc<[u8]>;

/// How messages are passed on.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Way {
    Streams {
        /// About how many messages a stream keeps.
        most: Option<u64>,
        /// How long a message is known again.
        known: Option<Duration>,
    },
    Channels,
}

/// How many messages a stream keeps by default. Arbitrary.
const MOST: u64 = 100_000;

impl Options {
    pub(super) fn streams(url: String) -> Self {
        Self::new(url, Way::Streams { most: Some(MOST), known: None })
    }

    pub(super) fn channels(url: String) -> Self {
        Self::new(url, Way::Channels)
    }

    fn new(url: String, way: Way) -> Self {
        Self {
            urls: vec![url],
            is_cluster: false,
            way,
            prefix: "telemetry:".to_owned(),
            user: None,
            password: None,
            roots: None,
            identity: None,
        }
    }

    /// An option that cannot be used.
    pub(super) fn check(&self) -> Result<(), Error> {
        let invalid = |what: String| Error::new(ErrorKind::InvalidOption, what);
        for url in &self.urls {
            // What the client says of a URL may have parts of it.
            let read = url.as_str().into_connection_info();
            read.map_err(|_| invalid("the URL of a Redis server cannot be read".to_owned()))?;
        }
        if let Some(password) = &self.password {
            password.read().map_err(|why| invalid(format!("password of Redis: {why}")))?;
        }
        Ok(())
    }

    /// What a connection to each server is made by. The password is read now.
    pub(super) fn servers(&self) -> Result<Vec<ConnectionInfo>, String> {
        let password = self.password.as_ref().map(Secret::read).transpose()?;
        let server = |url: &String| {
            let info = url.as_str().into_connection_info();
            let info = info.map_err(|_| "a URL that cannot be read".to_owned())?;
            let mut settings = info.redis_settings().clone().set_skip_set_lib_name();
            if let Some(user) = &self.user {
                settings = settings.set_username(user);
            }
            if let Some(password) = &password {
                settings = settings.set_password(password.as_str());
            }
            Ok(info.set_redis_settings(settings))
        };
        self.urls.iter().map(server).collect()
    }

    /// The certificates that were given, if any.
    pub(super) fn certificates(&self) -> Option<TlsCertificates> {
        if self.roots.is_none() && self.identity.is_none() {
            return None;
        }
        let identity = self.identity.as_ref();
        let client_tls = identity.map(|(chain, key)| ClientTlsConfig {
            client_cert: chain.to_vec(),
            client_key: key.to_vec(),
        });
        Some(TlsCertificates { client_tls, root_cert: self.roots.as_ref().map(|pem| pem.to_vec()) })
    }

    /// The servers without secrets: `redis://127.0.0.1:6379`.
    pub(super) fn place(&self) -> String {
        let place = |url: &String| match url.as_str().into_connection_info() {
            Ok(info) if is_tls(&info) => format!("rediss://{}", info.addr()),
            Ok(info) => format!("redis://{}", info.addr()),
            Err(_) => "a URL that cannot be read".to_owned(),
        };
        self.urls.iter().map(place).collect::<Vec<_>>().join(",")
    }
}

pub(super) fn is_tls(info: &ConnectionInfo) -> bool {
    matches!(info.addr(), ConnectionAddr::TcpTls { .. })
}

/// Says nothing of passwords and keys.
impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { way, prefix, .. } = self;
        write!(f, "{way:?} {prefix:?} at {}", self.place())
    }
}
