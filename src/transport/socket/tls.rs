//! TLS above TCP, by rustls, for streams that nobody answers.

use std::{
    fmt,
    io::{self, Read as _, Write as _},
    net::{Shutdown, TcpStream},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use rustls::{
    ClientConfig, ClientConnection, ProtocolVersion, RootCertStore,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
};
use rustls_platform_verifier::BuilderVerifierExt as _;
use zeroize::Zeroizing;

use super::{is_pause, step};
use crate::{clock::Deadline, sync::Mutex, transport::pem::Pem};

/// Where a stream goes by TLS, whom it trusts, and what it shows of us.
#[derive(Clone)]
pub(crate) struct TlsPlace {
    /// `host:port`.
    place: String,
    /// In the place of the host, if any.
    server_name: Option<String>,
    /// In the place of the system's, if any.
    roots: Option<Pem>,
    /// The certificate that is shown, and its key.
    identity: Option<(Pem, Pem)>,
    /// What was made of the certificates last; held to look, and to replace it.
    made: Arc<Mutex<Option<Made>>>,
}

struct Made {
    of: Material,
    config: Arc<ClientConfig>,
}

/// The certificates and keys as they are now.
#[derive(PartialEq)]
struct Material {
    roots: Option<Bytes>,
    identity: Option<(Bytes, Bytes)>,
}

type Bytes = Zeroizing<Vec<u8>>;

/// A connection by TLS.
pub(super) struct TlsSocket {
    stream: TcpStream,
    connection: Box<ClientConnection>,
}

/// What one record of TLS has at most (RFC 8446, 5.1).
const RECORD: usize = 1 << 14;

/// How many steps are waited for what a server says of our certificate. Arbitrary: a fifth of a second.
const STEPS_OF_VERDICT: usize = 4;

/// How long a connection that is closed waits for the other side to read what it was sent. Arbitrary.
const LINGER: Duration = Duration::from_millis(500);

impl TlsPlace {
    pub(crate) fn new(place: String) -> Self {
        let made = Arc::new(Mutex::new(None));
        Self { place, server_name: None, roots: None, identity: None, made }
    }

    pub(crate) fn server_name(self, name: String) -> Self {
        Self { server_name: Some(name), ..self }
    }

    pub(crate) fn roots(self, pem: &[u8]) -> Self {
        Self { roots: Some(Pem::text(pem)), ..self }
    }

    pub(crate) fn roots_file(self, path: PathBuf) -> Self {
        Self { roots: Some(Pem::file(path)), ..self }
    }

    pub(crate) fn identity(self, chain: &[u8], key: &[u8]) -> Self {
        Self { identity: Some((Pem::text(chain), Pem::text(key))), ..self }
    }

    pub(crate) fn identity_files(self, chain: PathBuf, key: PathBuf) -> Self {
        Self { identity: Some((Pem::file(chain), Pem::file(key))), ..self }
    }

    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// What cannot be used of it, if anything cannot.
    pub(super) fn check(&self) -> Result<(), String> {
        self.name()?;
        self.config().map(drop)
    }

    /// Shakes hands over `stream`.
    pub(super) fn begin(&self, stream: TcpStream, deadline: &Deadline) -> io::Result<TlsSocket> {
        let name = self.name().map_err(io::Error::other)?;
        let config = self.config().map_err(io::Error::other)?;
        let connection = ClientConnection::new(config, name).map_err(io::Error::other)?;
        let mut socket = TlsSocket { stream, connection: Box::new(connection) };
        socket.shake_hands(deadline)?;
        Ok(socket)
    }

    fn name(&self) -> Result<ServerName<'static>, String> {
        let host = self.place.rsplit_once(':').map_or(&*self.place, |(host, _)| host);
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let name = self.server_name.as_deref().unwrap_or(host);
        ServerName::try_from(name.to_owned())
            .map_err(|_| format!("{name:?} is no name that a certificate can have"))
    }

    /// Of the certificates as they are now; one that was made of the same stays, with its sessions.
    fn config(&self) -> Result<Arc<ClientConfig>, String> {
        let material = self.material()?;
        if let Some(made) = &*self.made.lock()
            && made.of == material
        {
            return Ok(made.config.clone());
        }
        let config = Arc::new(material.config()?);
        *self.made.lock() = Some(Made { of: material, config: config.clone() });
        Ok(config)
    }

    fn material(&self) -> Result<Material, String> {
        let roots = self.roots.as_ref().map(Pem::read).transpose()?;
        let identity = match &self.identity {
            None => None,
            Some((chain, key)) => Some((chain.read()?, key.read()?)),
        };
        Ok(Material { roots, identity })
    }
}

impl Material {
    fn config(&self) -> Result<ClientConfig, String> {
        let provider = CryptoProvider::get_default().cloned();
        let provider = provider.unwrap_or_else(|| Arc::new(aws_lc_rs::default_provider()));
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        let builder = match &self.roots {
            Some(roots) => builder.with_root_certificates(store(roots)?),
            None => builder.with_platform_verifier().map_err(|error| error.to_string())?,
        };
        let Some((chain, key)) = &self.identity else { return Ok(builder.with_no_client_auth()) };
        let bad = |what: &dyn fmt::Display| format!("the client's certificate or key: {what}");
        let chain = CertificateDer::pem_slice_iter(chain)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| bad(&error))?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| bad(&error))?;
        builder.with_client_auth_cert(chain, key).map_err(|error| bad(&error))
    }
}

fn store(pem: &[u8]) -> Result<RootCertStore, String> {
    let mut store = RootCertStore::empty();
    for root in CertificateDer::pem_slice_iter(pem) {
        let bad = |what: &dyn fmt::Display| format!("a root certificate: {what}");
        store.add(root.map_err(|error| bad(&error))?).map_err(|error| bad(&error))?;
    }
    match store.is_empty() {
        true => Err("no root certificate is in the PEM".to_owned()),
        false => Ok(store),
    }
}

impl TlsSocket {
    fn shake_hands(&mut self, deadline: &Deadline) -> io::Result<()> {
        while self.connection.is_handshaking() {
            self.turn(deadline)?;
        }
        self.flush(deadline)?;
        // By TLS 1.3 the client is the last to speak in a handshake: a server that does not take its certificate,
        // or misses one, says so afterwards, and what was sent meanwhile would be lost. One that takes it mostly
        // says something too: a ticket.
        if self.connection.protocol_version() == Some(ProtocolVersion::TLSv1_3) {
            for _ in 0..STEPS_OF_VERDICT {
                if self.turn(deadline)? {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Writes all of `bytes`, a record of TLS at a time: nobody can read one that was cut off, so that what has
    /// left whole is known.
    pub(super) fn write(
        &mut self,
        bytes: &[u8],
        deadline: &Deadline,
    ) -> Result<(), (usize, io::Error)> {
        for (n, record) in bytes.chunks(RECORD).enumerate() {
            let taken = self.connection.writer().write_all(record);
            taken.and_then(|()| self.flush(deadline)).map_err(|error| (n * RECORD, error))?;
        }
        Ok(())
    }

    fn flush(&mut self, deadline: &Deadline) -> io::Result<()> {
        while self.connection.wants_write() {
            self.turn(deadline)?;
        }
        Ok(())
    }

    /// Whether the other side has closed it. What it has said is read and dropped.
    pub(super) fn is_closed(&mut self) -> bool {
        let is_open = self.stream.set_nonblocking(true).is_ok() && self.is_quiet();
        !is_open || self.stream.set_nonblocking(false).is_err()
    }

    /// Reads what is there; whether more may come.
    fn is_quiet(&mut self) -> bool {
        loop {
            match self.connection.read_tls(&mut self.stream) {
                Ok(0) => return false,
                Ok(_) if matches!(heed(&mut self.connection), Ok(false)) => {}
                Ok(_) => return false,
                Err(error) => return is_pause(&error),
            }
        }
    }

    /// Writes what is to be written, or else reads; whether that came to anything before the next step.
    fn turn(&mut self, deadline: &Deadline) -> io::Result<bool> {
        let patience = Some(step(deadline)?);
        let is_write = self.connection.wants_write();
        let turned = if is_write {
            self.stream.set_write_timeout(patience)?;
            self.connection.write_tls(&mut self.stream)
        } else {
            self.stream.set_read_timeout(patience)?;
            self.connection.read_tls(&mut self.stream)
        };
        match turned {
            Ok(0) => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server has closed it")),
            Ok(_) if is_write => Ok(true),
            Ok(_) => match heed(&mut self.connection) {
                Ok(_) => Ok(true),
                Err(error) => {
                    // What the server is to know of it; it may be gone.
                    let _ = self.connection.write_tls(&mut self.stream);
                    Err(error)
                }
            },
            Err(error) if is_pause(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// Takes in what was read; whether the other side says that it ends. What it says above TLS is dropped.
fn heed(connection: &mut ClientConnection) -> io::Result<bool> {
    let state = connection.process_new_packets();
    let state = state.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    while matches!(connection.reader().read(&mut [0; 512]), Ok(n) if n > 0) {}
    Ok(state.peer_has_closed())
}

/// Says that it ends, and waits a little for the other side to do so too: of a connection that is closed with
/// something unread, the system takes back what it has not sent yet.
impl Drop for TlsSocket {
    fn drop(&mut self) {
        // A record that was cut off counts as not sent: the rest of it must not follow now.
        if self.connection.is_handshaking() || self.connection.wants_write() {
            return;
        }
        let by = Deadline::after(LINGER);
        self.connection.send_close_notify();
        if self.flush(&by).is_ok() && self.stream.shutdown(Shutdown::Write).is_ok() {
            while self.turn(&by).is_ok() {}
        }
    }
}

/// Without certificates and keys.
impl fmt::Debug for TlsPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, server_name, roots, identity, made: _ } = self;
        write!(f, "TlsPlace({place:?}, {server_name:?}, roots {roots:?}, shows {identity:?})")
    }
}

impl fmt::Debug for TlsSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.stream.fmt(f)
    }
}
