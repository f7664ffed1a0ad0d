//! Where messages go, and who asks.

use std::{fmt, path::PathBuf, time::Duration};

use ::async_nats::{ConnectOptions, ServerAddr, jetstream::stream};

use crate::{
    error::{Error, ErrorKind},
    transport::Secret,
};

/// Where messages go, and who asks.
#[derive(Clone)]
pub(super) struct Options {
    /// URLs, which may have a password.
    pub(super) urls: Vec<String>,
    /// What subjects begin with.
    pub(super) prefix: String,
    pub(super) identity: Identity,
    /// The stream that is made if it is not there.
    pub(super) stream: Option<StreamOptions>,
    /// In PEM: the roots that are trusted, and the certificate that is shown with its key.
    pub(super) roots: Option<PathBuf>,
    pub(super) certificate: Option<(PathBuf, PathBuf)>,
}

/// Who asks.
#[derive(Clone)]
pub(super) enum Identity {
    /// Whom the URL names, if anybody.
    OfUrl,
    User(String, Secret),
    Token(Secret),
    Seed(Secret),
    File(PathBuf),
}

/// What a stream is made with.
#[derive(Clone, Debug)]
pub(super) struct StreamOptions {
    pub(super) name: String,
    pub(super) keep: Option<Duration>,
    pub(super) keep_bytes: Option<u64>,
    pub(super) known: Option<Duration>,
}

/// Longer than any attempt, whose deadline is the limit.
pub(super) const LONG: Duration = Duration::from_secs(86_400);

impl Options {
    pub(super) fn new(url: String) -> Self {
        Self {
            urls: vec![url],
            prefix: "telemetry.".to_owned(),
            identity: Identity::OfUrl,
            stream: None,
            roots: None,
            certificate: None,
        }
    }

    /// An option that cannot be used.
    pub(super) fn check(&self) -> Result<(), Error> {
        let invalid = |what: String| Error::new(ErrorKind::InvalidOption, what);
        // What the client says of a URL may have parts of it.
        self.servers()
            .map_err(|()| invalid("the URL of a NATS server cannot be read".to_owned()))?;
        let is_fine = |c: char| c.is_ascii_graphic() && !matches!(c, '*' | '>');
        if !self.prefix.chars().all(is_fine) || self.prefix.starts_with('.') {
            return Err(invalid(format!("prefix {:?} is none of a subject", self.prefix)));
        }
        match &self.identity {
            Identity::User(_, secret) | Identity::Token(secret) | Identity::Seed(secret) => {
                secret.read().map_err(|why| invalid(format!("secret of NATS: {why}")))?;
            }
            Identity::OfUrl | Identity::File(_) => {}
        }
        Ok(())
    }

    pub(super) fn servers(&self) -> Result<Vec<ServerAddr>, ()> {
        self.urls.iter().map(|url| url.parse().map_err(drop)).collect()
    }

    /// What a connection is made by. Secrets are read now.
    pub(super) async fn connecting(&self) -> Result<ConnectOptions, String> {
        let options = ConnectOptions::new().name("bellwether");
        let mut options = options.connection_timeout(LONG).request_timeout(None);
        options = match &self.identity {
            Identity::OfUrl => options,
            Identity::User(name, password) => {
                options.user_and_password(name.clone(), password.read()?.to_string())
            }
            Identity::Token(token) => options.token(token.read()?.to_string()),
            Identity::Seed(seed) => options.nkey(seed.read()?.to_string()),
            Identity::File(path) => {
                let read = options.credentials_file(path).await;
                read.map_err(|why| format!("the file {}: {why}", path.display()))?
            }
        };
        if let Some(path) = &self.roots {
            options = options.add_root_certificates(path.clone());
        }
        if let Some((chain, key)) = &self.certificate {
            options = options.add_client_certificate(chain.clone(), key.clone());
        }
        Ok(options)
    }

    /// What the stream is made with, if one is to be made.
    pub(super) fn stream(&self) -> Option<stream::Config> {
        let StreamOptions { name, keep, keep_bytes, known } = self.stream.clone()?;
        let subjects =
            ["spans", "metrics", "logs"].map(|signal| format!("{}{signal}", self.prefix));
        let usual = stream::Config::default();
        Some(stream::Config {
            name,
            subjects: subjects.to_vec(),
            max_age: keep.unwrap_or(usual.max_age),
            max_bytes: keep_bytes.map_or(usual.max_bytes, |n| i64::try_from(n).unwrap_or(i64::MAX)),
            duplicate_window: known.unwrap_or(usual.duplicate_window),
            ..usual
        })
    }

    /// The servers without secrets: `nats://127.0.0.1:4222`.
    pub(super) fn place(&self) -> String {
        let Ok(servers) = self.servers() else { return "a URL that cannot be read".to_owned() };
        let place = |server: &ServerAddr| {
            format!("{}://{}:{}", server.scheme(), server.host(), server.port())
        };
        servers.iter().map(place).collect::<Vec<_>>().join(",")
    }
}

/// Says nothing of secrets.
impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { prefix, stream, .. } = self;
        write!(f, "{prefix:?} at {}, stream {stream:?}", self.place())
    }
}
