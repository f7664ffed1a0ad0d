//! Texts that must not be seen: passwords, tokens, keys.

use std::{fmt, path::PathBuf, sync::Arc};

use zeroize::{Zeroize as _, Zeroizing};

use super::rotating_file::RotatingFile;

/// A password, a token or a key.
///
/// It is never printed: `Debug` says where it comes from, and no error has anything of it. There is no way to
/// read it back. Clones are handles to the same secret. When the last of them is dropped, the text is
/// overwritten; so is what was copied of it here. What the HTTP client copies to send it is not.
///
/// # Errors
///
/// A secret that cannot be had, or that has characters which no header can have, is an error when what sends
/// it starts. A file that cannot be read later is no error: the last content stands.
///
/// # Examples
///
/// ```
/// use bellwether::transport::{Endpoint, Secret};
///
/// let token = Secret::from_file("/run/secrets/collector-token");
/// assert_eq!(format!("{token:?}"), r#"Secret(file "/run/secrets/collector-token")"#);
/// let endpoint = Endpoint::new("https://collector.example.com").bearer(token);
/// ```
#[derive(Clone)]
pub struct Secret(Arc<Source>);

enum Source {
    Text(Zeroizing<String>),
    File(RotatingFile),
    /// The name of the variable, and what it held.
    Variable(String, Option<Zeroizing<String>>),
}

impl Secret {
    /// The secret that is `text`.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(Arc::new(Source::Text(Zeroizing::new(text.into()))))
    }

    /// The secret in the file at `path`, without white space around it. The file is read before each request,
    /// so that one that is replaced counts from then on. At most 1 MiB.
    #[must_use]
    pub fn from_file(path: impl Into<PathBuf>) -> Self {
        Self(Arc::new(Source::File(RotatingFile::new(path))))
    }

    /// The secret in the environment variable `name`, which is read now.
    #[must_use]
    pub fn from_env(name: impl Into<String>) -> Self {
        let name = name.into();
        let text = std::env::var(&name).ok().map(Zeroizing::new);
        Self(Arc::new(Source::Variable(name, text)))
    }

    /// The text, which can be in a header. An error says where it should have come from, and nothing of it.
    pub(crate) fn read(&self) -> Result<Zeroizing<String>, String> {
        let text = match &*self.0 {
            Source::Text(text) => text.clone(),
            Source::File(file) => text_of(file)?,
            Source::Variable(name, None) => {
                return Err(format!("the environment variable {name} is not set"));
            }
            Source::Variable(_, Some(text)) => text.clone(),
        };
        if text.is_empty() || text.chars().any(char::is_control) {
            return Err(format!("{self:?} is empty or has characters that no header can have"));
        }
        Ok(text)
    }
}

fn text_of(file: &RotatingFile) -> Result<Zeroizing<String>, String> {
    let mut bytes = file.read()?;
    let text = std::str::from_utf8(&bytes).map(|text| Zeroizing::new(text.trim().to_owned()));
    bytes.zeroize();
    text.map_err(|_| format!("the file {} has no text in UTF-8", file.path().display()))
}

/// Where it comes from.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Source::Text(_) => f.write_str("Secret(text)"),
            Source::File(file) => write!(f, "Secret(file {:?})", file.path()),
            Source::Variable(name, _) => write!(f, "Secret(variable {name:?})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_is_read_anew_and_stands_while_it_is_gone() {
        let path = std::env::temp_dir().join(format!("bellwether-secret-{}", std::process::id()));
        let _ = fs::remove_file(&path);
        let secret = Secret::from_file(&path);
        let error = secret.read().unwrap_err();
        assert!(error.contains(&path.display().to_string()), "{error}");
        fs::write(&path, " first \n").unwrap();
        assert_eq!(&*secret.clone().read().unwrap(), "first");
        // As long, and maybe within the same tick of the file system's dates.
        fs::write(&path, " other \n").unwrap();
        assert_eq!(&*secret.read().unwrap(), "other");
        fs::remove_file(&path).unwrap();
        assert_eq!(&*secret.read().unwrap(), "other");
        fs::write(&path, vec![b'x'; (1 << 20) + 1]).unwrap();
        assert_eq!(&*secret.read().unwrap(), "other");
        let late = Secret::from_file(&path).read().unwrap_err();
        assert!(late.ends_with("it has more than 1048576 bytes"), "{late}");
        fs::remove_file(&path).unwrap();
    }

    #[test]
    fn what_cannot_be_sent_is_an_error_that_says_nothing_of_it() {
        let name = "BELLWETHER_TEST_SECRET_THAT_IS_NOT_SET";
        let missing = Secret::from_env(name).read().unwrap_err();
        assert_eq!(missing, format!("the environment variable {name} is not set"));
        assert!(!Secret::from_env("PATH").read().unwrap().is_empty());
        for text in ["canary\n", "canary\0", "\u{7f}canary"] {
            let secret = Secret::new(text);
            let error = secret.read().unwrap_err();
            assert!(!error.contains("canary") && !format!("{secret:?}").contains("canary"));
        }
        assert!(Secret::new("").read().is_err());
        assert_eq!(&*Secret::new("schlüssel").read().unwrap(), "schlüssel");
    }
}
