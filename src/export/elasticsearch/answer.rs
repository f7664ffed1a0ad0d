//! What a server says of the documents that it was sent, one by one.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, IgnoredAny, MapAccess, Visitor},
};

use crate::{
    pipeline::{ExportError, Payload, SendResult},
    transport::http_client::HttpAnswer,
};

/// Why a record without bytes is refused.
pub(super) const NO_DOCUMENT: &str = "no document can express a record";

/// What is asked of an answer: the status of each document, and what was wrong with it.
pub(super) const WANTED: &str =
    "filter_path=errors,items.*.status,items.*.error.type,items.*.error.reason";

/// What `answer` means for the records of `payload`.
pub(super) fn judge(payload: &Payload, answer: &HttpAnswer, place: &str) -> SendResult {
    if !answer.is_success() {
        return Err(answer.error(place, may_pass));
    }
    let n_documents = payload.records().filter(|record| !record.is_empty()).count();
    let n_empty = payload.len() - n_documents;
    let bulk = match serde_json::from_slice::<Bulk>(answer.body()) {
        Ok(bulk) if bulk.items.len() == n_documents => bulk,
        // Nobody knows what it took. It has their ids, so that it takes none twice.
        result => {
            let found = match result {
                Ok(bulk) => format!("{} results", bulk.items.len()),
                Err(error) => error.to_string(),
            };
            let text = format_args!(
                "{place} answered {} without a result for each of {n_documents} documents: {found}",
                answer.status(),
            );
            return Err(ExportError::retry(text));
        }
    };
    let mut fates = bulk.items.iter().map(Item::fate);
    let fates: Vec<Option<Fate>> = payload
        .records()
        .map(|record| if record.is_empty() { None } else { fates.next() })
        .collect();
    let of = |wanted| fates.iter().filter(|fate| **fate == Some(wanted)).count();
    let (n_again, n_refused) = (of(Fate::Again), of(Fate::Refused));
    let part = |wanted| payload.filter(|at| fates[at] == Some(wanted));
    if n_again > 0 {
        let busy = bulk.why(Fate::Again, n_again, place);
        let error = match n_refused {
            0 => ExportError::retry(busy),
            n => ExportError::retry(format_args!("{}; {busy}", bulk.why(Fate::Refused, n, place))),
        };
        let error = error.unsent(part(Fate::Again)).rejected(n_refused + n_empty);
        return Err(error.refused(part(Fate::Refused)));
    }
    if n_refused > 0 {
        let error = ExportError::reject(bulk.why(Fate::Refused, n_refused, place));
        return Err(error.unsent(part(Fate::Refused)).rejected(n_empty));
    }
    if n_empty > 0 {
        return Err(ExportError::partial(n_empty, NO_DOCUMENT));
    }
    Ok(())
}

/// Whether what was answered by this status is sent again.
pub(super) fn may_pass(status: u16) -> bool {
    status == 429 || status >= 500
}

/// What becomes of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Delivered,
    Again,
    Refused,
}

/// An answer.
#[derive(Deserialize)]
struct Bulk {
    items: Vec<Item>,
}

impl Bulk {
    /// What is said of the first document of this fate.
    fn why(&self, fate: Fate, n: usize, place: &str) -> String {
        let one = self.items.iter().find(|item| item.fate() == fate);
        let what = match fate {
            Fate::Again => "did not take",
            _ => "refused",
        };
        let said = one.map(Item::said).unwrap_or_default();
        format!("{place} {what} {n} of {} documents: {said}", self.items.len())
    }
}

/// What it says of one document.
struct Item {
    status: u16,
    cause: Option<Cause>,
}

impl Item {
    /// The status, and what there is beside it.
    fn said(&self) -> String {
        let mut said = self.status.to_string();
        if let Some(Cause { kind, reason }) = &self.cause {
            said = format!("{said} {kind}: {reason}");
        }
        said
    }

    fn fate(&self) -> Fate {
        match self.status {
            200..300 => Fate::Delivered,
            // It has a document of this id: the same one, which came before.
            409 => Fate::Delivered,
            status if may_pass(status) => Fate::Again,
            // The index takes no more for now, because the disk is full say. Newer versions say 429.
            _ if self.cause.as_ref().is_some_and(|cause| cause.kind == BLOCKED) => Fate::Again,
            _ => Fate::Refused,
        }
    }
}

const BLOCKED: &str = "cluster_block_exception";

/// An error, as far as it is of interest.
#[derive(Deserialize)]
struct Cause {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    reason: String,
}

/// It is in an object with one field, which is called as the action was: `{"create": {"status": 201}}`.
impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Outcome {
            status: u16,
            #[serde(default)]
            error: Option<Cause>,
        }

        struct Only;

        impl<'de> Visitor<'de> for Only {
            type Value = Item;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an action and its result")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Item, A::Error> {
                let Some(IgnoredAny) = map.next_key()? else {
                    return Err(A::Error::custom("a result without an action"));
                };
                let Outcome { status, error } = map.next_value()?;
                match map.next_key::<IgnoredAny>()? {
                    Some(_) => Err(A::Error::custom("a result of two actions")),
                    None => Ok(Item { status, cause: error }),
                }
            }
        }

        deserializer.deserialize_map(Only)
    }
}
