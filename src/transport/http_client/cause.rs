//! What an error of reqwest's says, without what may be secret.

/// An error with its causes, but without the URL that reqwest prints.
pub(super) fn chain(error: &reqwest::Error) -> String {
    let mut text = "the request failed".to_owned();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}
