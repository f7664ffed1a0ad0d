//! Certificates that are fixtures, and servers that show them.
//!
//! All are of one root, [`ROOT_PEM`], good from 2020 to 2119, for `localhost`, 127.0.0.1 and ::1, except for
//! what is bad about them.

use std::sync::Arc;

use rustls::{
    RootCertStore, ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::WebPkiClientVerifier,
};

/// The root that a client has to know.
pub const ROOT_PEM: &[u8] = include_bytes!("certificates/root.pem");
/// A certificate of a client, of the same root.
pub const CLIENT_PEM: &[u8] = include_bytes!("certificates/client.pem");
pub const CLIENT_KEY_PEM: &[u8] = include_bytes!("certificates/client.key.pem");

/// A root that none of the servers' certificates is of.
pub const OTHER_ROOT_PEM: &[u8] = include_bytes!("certificates/alone.pem");
/// A certificate of a client, of an unknown root.
pub const UNKNOWN_PEM: &[u8] = include_bytes!("certificates/unknown.pem");
pub const UNKNOWN_KEY_PEM: &[u8] = include_bytes!("certificates/unknown.key.pem");

/// What a server shows.
#[derive(Clone, Copy, Debug)]
pub enum Certificate {
    Good,
    /// Since 2021.
    Expired,
    /// For `elsewhere.example`.
    OfAnotherHost,
    /// Of a root that nobody knows.
    OfAnUnknownRoot,
    SelfSigned,
    /// A good one, and the client has to show one of [`ROOT_PEM`] too. By TLS 1.3, it knows that it is
    /// refused only after it has sent: what it sent is not [read](super::Server::n_read).
    AskingForAnother,
}

impl Certificate {
    /// As rustls takes it; `protocols` are those that are spoken above TLS.
    pub fn config(self, protocols: &[&str]) -> Arc<ServerConfig> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider.clone());
        let config = config.with_safe_default_protocol_versions().unwrap();
        let config = match self {
            Self::AskingForAnother => {
                let mut roots = RootCertStore::empty();
                roots.add(CertificateDer::from_pem_slice(ROOT_PEM).unwrap()).unwrap();
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                config.with_client_cert_verifier(verifier.build().unwrap())
            }
            _ => config.with_no_client_auth(),
        };
        let (certificate, key) = self.pem();
        let chain = vec![CertificateDer::from_pem_slice(certificate).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(key).unwrap();
        let mut config = config.with_single_cert(chain, key).unwrap();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        Arc::new(config)
    }

    fn pem(self) -> (&'static [u8], &'static [u8]) {
        macro_rules! fixture {
            ($name:literal) => {
                (
                    include_bytes!(concat!("certificates/", $name, ".pem")),
                    include_bytes!(concat!("certificates/", $name, ".key.pem")),
                )
            };
        }
        match self {
            Self::Good | Self::AskingForAnother => fixture!("good"),
            Self::Expired => fixture!("expired"),
            Self::OfAnotherHost => fixture!("elsewhere"),
            Self::OfAnUnknownRoot => fixture!("unknown"),
            Self::SelfSigned => fixture!("alone"),
        }
    }
}
