//! The proc macros of bellwether. Use them through that crate, which documents them.
