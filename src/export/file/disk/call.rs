//! What can fail.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Open,
    Reserve,
    Rename,
    Remove,
}
