//! What history answers, against naive twins.

mod track;
