//! The error of the crate: why something could not be configured, registered or parsed.
//!
//! Recording never fails, so no recording call returns this.

use std::{error, fmt};

/// Why a call to set up, register or parse failed.
///
/// One word wide and opaque, so that kinds can be added without a break; ask [`Error::kind`].
/// `Display` names the offending input and its place; a cause, if any, is in
/// [`source`](error::Error::source).
///
/// # Examples
///
/// ```
/// use bellwether::{ErrorKind, metric::Registry};
///
/// let error = Registry::new().gauge("9lives", "Lives left").build().unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::InvalidName);
/// assert_eq!(error.to_string(), r#"instrument name "9lives" must start with an ASCII letter"#);
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    source: Option<Box<dyn error::Error + Send + Sync>>,
}

/// What kind of failure an [`Error`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A name, label key or unit is not legal.
    InvalidName,
    /// Two registrations cannot stand on one page: same name, other kind, unit or keys, or names
    /// that collide after mapping.
    Conflict,
    /// An option has a value that cannot be used.
    InvalidOption,
    /// The operating system refused: a port in use, a file that cannot be opened, no more threads.
    Io,
    /// Foreign input could not be parsed.
    Parse,
    /// The call does not fit the state: started twice, or already shut down.
    State,
}

impl Error {
    /// An error of this kind, for an exporter or a collector of your own: `message` names the input that
    /// is wrong, in lower case and without a full stop.
    ///
    /// # Examples
    ///
    /// ```
    /// use bellwether::{Error, ErrorKind};
    ///
    /// let parsed: Result<u16, _> = "http".parse();
    /// let error = parsed.map_err(|cause| {
    ///     Error::new(ErrorKind::InvalidOption, "port \"http\" is no number").with_source(cause)
    /// });
    /// assert_eq!(error.unwrap_err().to_string(), "port \"http\" is no number");
    /// ```
    #[cold]
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { kind, message: message.into(), source: None }))
    }

    /// The error with its cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn error::Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// What kind of failure this is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `main` prints `Debug`: keep it a sentence, with its causes.
        write!(f, "{} ({:?})", self.0.message, self.0.kind)?;
        match &self.0.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}
