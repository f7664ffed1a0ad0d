//! Options of TLS.

use std::path::PathBuf;

use crate::transport::socket::TlsPlace;

/// A receiver that is reached by TLS: its address, whom it is trusted by, and what is shown to it.
///
/// A text is one without options. TLS 1.2 and 1.3, by rustls, with certificates that are verified: that cannot be
/// switched off. Whoever has a certificate of his own passes its root to
/// [`root_certificates`](Self::root_certificates). Files are read for each new connection, at least each half a
/// minute, so that ones that are replaced count from then on. The cryptography is aws-lc-rs, or what the program
/// installs as rustls' default.
///
/// # Examples
///
/// ```
/// use bellwether::export::syslog::{Syslog, SyslogTls};
///
/// let receiver = SyslogTls::new("10.0.0.7:6514")
///     .server_name("logs.example.com")
///     .root_certificates_file("/etc/shop/root.pem")
///     .client_certificate_files("/etc/shop/client.pem", "/etc/shop/client.key.pem");
/// let syslog = Syslog::tls(receiver);
/// ```
#[derive(Clone, Debug)]
#[must_use = "a receiver that is given to nobody is never asked"]
pub struct SyslogTls(pub(super) TlsPlace);

impl SyslogTls {
    /// A receiver at `host:port`; the port of syslog over TLS is 6514.
    pub fn new(place: impl Into<String>) -> Self {
        Self(TlsPlace::new(place.into()))
    }

    /// The name that its certificate has, if that is not the host.
    pub fn server_name(self, name: impl Into<String>) -> Self {
        Self(self.0.server_name(name.into()))
    }

    /// Trusts these roots, and not the system's: certificates in PEM.
    pub fn root_certificates(self, pem: impl AsRef<[u8]>) -> Self {
        Self(self.0.roots(pem.as_ref()))
    }

    /// As [`root_certificates`](Self::root_certificates), from a file of at most 1 MiB.
    pub fn root_certificates_file(self, path: impl Into<PathBuf>) -> Self {
        Self(self.0.roots_file(path.into()))
    }

    /// Shows a certificate to a receiver that asks for one: the chain and its private key, in PEM.
    pub fn client_certificate(self, chain: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Self {
        Self(self.0.identity(chain.as_ref(), key.as_ref()))
    }

    /// As [`client_certificate`](Self::client_certificate), from files of at most 1 MiB each.
    pub fn client_certificate_files(
        self,
        chain: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
    ) -> Self {
        Self(self.0.identity_files(chain.into(), key.into()))
    }
}

impl From<&str> for SyslogTls {
    fn from(place: &str) -> Self {
        Self::new(place)
    }
}

impl From<String> for SyslogTls {
    fn from(place: String) -> Self {
        Self::new(place)
    }
}
