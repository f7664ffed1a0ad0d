//! Names that CloudWatch would not take.

use super::options::Options;
use crate::error::{Error, ErrorKind};

/// What each document names besides its metrics.
#[derive(Debug)]
pub(super) struct Names {
    namespace: String,
    log_group: Option<String>,
    log_stream: Option<String>,
}

impl Names {
    pub(super) fn of(options: &Options) -> Self {
        let (log_group, log_stream) = (options.log_group.clone(), options.log_stream.clone());
        Self { namespace: options.namespace.clone(), log_group, log_stream }
    }

    /// # Errors
    ///
    /// A name that CloudWatch, or CloudWatch Logs, would not take, by the references of their APIs.
    pub(super) fn check(&self) -> Result<(), Error> {
        let namespace = &self.namespace;
        let is_namespace = is_of(namespace, 255, |byte| b".-_/#: ".contains(&byte))
            && !namespace.starts_with(':')
            && !namespace.trim().is_empty();
        check("namespace", namespace, is_namespace)?;
        if let Some(group) = &self.log_group {
            check("log group", group, is_of(group, 512, |byte| b".-_/#".contains(&byte)))?;
        }
        if let Some(stream) = &self.log_stream {
            let is_stream = is_of(stream, 512, |byte| {
                (byte == b' ' || byte.is_ascii_punctuation()) && !b":*".contains(&byte)
            });
            check("log stream", stream, is_stream)?;
        }
        Ok(())
    }
}

/// Whether it has letters, digits and what `is_legal`, and not too much of them.
fn is_of(name: &str, most: usize, is_legal: impl Fn(u8) -> bool) -> bool {
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || is_legal(byte);
    (1..=most).contains(&name.len()) && name.bytes().all(is_legal)
}

fn check(what: &str, name: &str, is_legal: bool) -> Result<(), Error> {
    if is_legal {
        return Ok(());
    }
    let message = format!("emf: CloudWatch takes no {what} {name:?}");
    Err(Error::new(ErrorKind::InvalidOption, message))
}
