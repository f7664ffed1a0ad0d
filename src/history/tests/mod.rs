//! What history answers, against naive twins.

mod registry;
mod store;
mod track;
