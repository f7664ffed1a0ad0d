//! Who asks: secrets in the headers of a request.

use std::fmt;

use reqwest::{
    RequestBuilder,
    header::{AUTHORIZATION, HeaderName, HeaderValue},
};

use crate::transport::Secret;

/// A header that says who asks. It is made for each request, so that a secret may change meanwhile.
#[derive(Clone)]
pub(super) enum Credentials {
    /// `authorization` of a scheme that takes the secret as it is, such as `Bearer`.
    Scheme(&'static str, Secret),
    Basic(String, Secret),
    Header(String, Secret),
}

impl Credentials {
    /// Whether they could be sent now.
    pub(super) fn check(&self) -> Result<(), String> {
        match self {
            Self::Scheme(_, secret) | Self::Basic(_, secret) => secret.read().map(drop),
            Self::Header(name, secret) => {
                header_name(name)?;
                secret.read().map(drop)
            }
        }
    }

    /// The request with them.
    pub(super) fn on(&self, request: RequestBuilder) -> Result<RequestBuilder, String> {
        Ok(match self {
            Self::Scheme(scheme, secret) => {
                let value = zeroize::Zeroizing::new(format!("{scheme} {}", &*secret.read()?));
                request.header(AUTHORIZATION, header_value("authorization", &value)?)
            }
            Self::Basic(user, password) => request.basic_auth(user, Some(&*password.read()?)),
            Self::Header(name, secret) => {
                request.header(header_name(name)?, header_value(name, &secret.read()?)?)
            }
        })
    }
}

pub(super) fn header_name(name: &str) -> Result<HeaderName, String> {
    name.parse().map_err(|_| format!("the header name {name:?} is not legal"))
}

/// The value as one that nothing prints.
pub(super) fn header_value(name: &str, value: &str) -> Result<HeaderValue, String> {
    let mut value = HeaderValue::from_str(value)
        .or_else(|_| HeaderValue::from_bytes(value.as_bytes()))
        .map_err(|_| format!("the value of the header {name:?} is not legal"))?;
    value.set_sensitive(true);
    Ok(value)
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scheme(scheme, secret) => write!(f, "{scheme} {secret:?}"),
            Self::Basic(_, secret) => write!(f, "basic {secret:?}"),
            Self::Header(name, secret) => write!(f, "{name:?}: {secret:?}"),
        }
    }
}
