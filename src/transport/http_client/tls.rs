//! Whom TLS trusts, and what it shows of us.
//!
//! There is no switch that turns verification off: whoever needs a certificate of his own trusts its root.

use reqwest::{Certificate, ClientBuilder, Identity, tls::Version};
use zeroize::Zeroizing;

use super::cause::chain;
use crate::transport::pem::Pem;

/// Options of TLS.
#[derive(Clone, Debug, Default)]
pub(super) struct Tls {
    /// In the place of the system's, if any.
    pub(super) roots: Option<Pem>,
    /// The certificate that is shown, and its key.
    pub(super) identity: Option<(Pem, Pem)>,
}

/// The certificates and keys as they are now. If a connection was made with others, another one is made.
#[derive(Clone, Default, PartialEq)]
pub(super) struct Material {
    roots: Option<Zeroizing<Vec<u8>>>,
    identity: Option<Zeroizing<Vec<u8>>>,
}

impl Tls {
    /// Whether nothing was chosen.
    pub(super) fn is_as_usual(&self) -> bool {
        self.roots.is_none() && self.identity.is_none()
    }

    pub(super) fn material(&self) -> Result<Material, String> {
        let roots = self.roots.as_ref().map(Pem::read).transpose()?;
        let identity = match &self.identity {
            None => None,
            Some((certificate, key)) => {
                let (certificate, key) = (certificate.read()?, key.read()?);
                let mut both = Vec::with_capacity(certificate.len() + 1 + key.len());
                both.extend_from_slice(&certificate);
                both.push(b'\n');
                both.extend_from_slice(&key);
                Some(Zeroizing::new(both))
            }
        };
        Ok(Material { roots, identity })
    }
}

impl Material {
    /// The builder with these, for connections by TLS; those `without` load no roots.
    pub(super) fn on(
        &self,
        mut builder: ClientBuilder,
        without: bool,
    ) -> Result<ClientBuilder, String> {
        builder = builder.tls_backend_rustls().tls_version_min(Version::TLS_1_2);
        if without {
            return Ok(builder.tls_certs_only([]));
        }
        if let Some(roots) = &self.roots {
            let roots = Certificate::from_pem_bundle(roots).ok().filter(|roots| !roots.is_empty());
            builder = builder.tls_certs_only(roots.ok_or("no root certificate is in the PEM")?);
        }
        if let Some(identity) = &self.identity {
            let identity = Identity::from_pem(identity)
                .map_err(|error| format!("the client's certificate or key: {}", chain(&error)))?;
            builder = builder.identity(identity);
        }
        Ok(builder)
    }
}
