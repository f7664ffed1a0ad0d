//! What history answers, against naive twins.

mod look;
mod registry;
mod store;
mod track;
