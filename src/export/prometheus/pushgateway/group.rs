//! The grouping key: which labels a group has, and its path.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::options::Options;
use crate::{
    error::{Error, ErrorKind},
    resource::Resource,
};

/// The name of the first label of each group.
pub(super) const JOB: &str = "job";

/// The labels of a group, `job` first.
#[derive(Debug, Default)]
pub(super) struct Group {
    labels: Vec<(String, String)>,
}

impl Group {
    /// The group that `options` name, for a process with this resource.
    ///
    /// # Errors
    ///
    /// A label that a Pushgateway would not take.
    pub(super) fn new(options: &Options, resource: &Resource) -> Result<Self, Error> {
        let of_resource = || resource.get("service.name").map(ToString::to_string);
        let job = options.job.clone().or_else(of_resource).unwrap_or_default();
        if job.is_empty() {
            return Err(invalid("`job` is empty, and the resource has no `service.name`".into()));
        }
        for (label, _) in &options.labels {
            if label == JOB {
                return Err(invalid("`job` is set by the method of that name".into()));
            }
            if !is_label(label) {
                return Err(invalid(format!("{label:?} is no name of a label")));
            }
        }
        let labels = [(JOB.to_owned(), job)].into_iter().chain(options.labels.iter().cloned());
        Ok(Self { labels: labels.collect() })
    }

    /// Whether each series of the group gets a label of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.labels.iter().any(|(label, _)| label == name)
    }

    /// The path of the group: `/metrics/job/nightly/instance/db-1`. A value that is not plain is in base64, as
    /// the Pushgateway's README describes it ("URL").
    pub(super) fn path(&self) -> String {
        let mut path = "/metrics".to_owned();
        for (label, value) in &self.labels {
            path.push('/');
            path.push_str(label);
            if is_plain(value) {
                path.push('/');
                path.push_str(value);
            } else {
                path.push_str("@base64/");
                match value.is_empty() {
                    true => path.push('='), // An empty part of a path is none.
                    false => URL_SAFE_NO_PAD.encode_string(value, &mut path),
                }
            }
        }
        path
    }
}

/// Whether a path can have it as it is. One or two dots would be taken for folders.
fn is_plain(value: &str) -> bool {
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    value.bytes().all(is_legal) && !["", ".", ".."].contains(&value)
}

fn is_label(name: &str) -> bool {
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let begins_well = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    let is_own = ["le", "quantile"].contains(&name); // Of the series of a histogram, or a summary.
    begins_well && name.bytes().all(is_legal) && !name.starts_with("__") && !is_own
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidOption, format!("pushgateway: {message}"))
}
