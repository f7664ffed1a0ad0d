//! What was changed on the model disk and is not durable yet.

use std::collections::BTreeMap;

#[derive(Default)]
pub(super) struct Contents {
    pub(super) now: Vec<u8>,
    pub(super) durable: Vec<u8>,
    pub(super) pending: Vec<Change>,
    pub(super) n_open: usize,
}

pub(super) enum Change {
    Write(usize, Vec<u8>),
    Cut(usize),
}

impl Change {
    pub(super) fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Write(offset, written) => {
                let end = offset + written.len();
                bytes.resize(bytes.len().max(end), 0);
                bytes[*offset..end].copy_from_slice(written);
            }
            Self::Cut(length) => bytes.resize(*length, 0),
        }
    }

    /// Applies each sector of it, or not.
    pub(super) fn apply_torn(&self, bytes: &mut Vec<u8>, mut keeps: impl FnMut() -> bool) {
        match self {
            Self::Write(offset, written) => {
                let mut at = 0;
                while at < written.len() {
                    let end = ((offset + at) / 512 + 1) * 512 - offset;
                    let end = end.min(written.len());
                    if keeps() {
                        Self::Write(offset + at, written[at..end].to_vec()).apply(bytes);
                    }
                    at = end;
                }
            }
            Self::Cut(_) if keeps() => self.apply(bytes),
            Self::Cut(_) => {}
        }
    }
}

#[derive(Default)]
pub(super) struct Names {
    pub(super) now: BTreeMap<String, Entry>,
    pub(super) durable: BTreeMap<String, Entry>,
    pub(super) pending: Vec<NameChange>,
}

#[derive(Clone, Copy)]
pub(super) enum Entry {
    File(usize),
    Folder(usize),
}

pub(super) enum NameChange {
    Put(String, Entry),
    Take(String),
    Rename(String, String),
}

impl NameChange {
    pub(super) fn apply(&self, names: &mut BTreeMap<String, Entry>) {
        match self {
            Self::Put(name, entry) => {
                names.insert(name.clone(), *entry);
            }
            Self::Take(name) => {
                names.remove(name);
            }
            Self::Rename(from, to) => {
                if let Some(entry) = names.remove(from) {
                    names.insert(to.clone(), entry);
                }
            }
        }
    }
}

impl Names {
    pub(super) fn change(&mut self, change: NameChange) {
        change.apply(&mut self.now);
        self.pending.push(change);
    }
}
