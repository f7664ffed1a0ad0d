//! The cryptography of TLS, for clients of others that take that of the process.

use rustls::crypto::{CryptoProvider, aws_lc_rs};

/// Makes sure that the process has one: the one that is there, or else the one that all of the crate uses. Without it,
/// such a client would panic where the crate's dependencies bring several.
pub(crate) fn ensure() {
    if CryptoProvider::get_default().is_none() {
        // An error says that another thread was faster.
        let _ = aws_lc_rs::default_provider().install_default();
    }
}
