//! What can fail.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Call {
    Open,
    Reserve,
    Rename,
    Remove,
}
