//! What history answers, against naive twins.

mod registry;
mod track;
