//! The proc macros of bellwether. Use them through that crate, which documents them.
//!
//! Each macro goes the same way: `parse` reads the tokens, `model` holds what was said and knows to
//! be legal, `expand` writes the code. `mark` finds the places where an expression can be left early,
//! with what `known` tells of others' macros, and `shape` those where a function returns a future;
//! `labels` is the derive, which has no expression in it; `names` knows what a legal name is, and
//! `root` where the library is.

mod expand;
mod known;
mod labels;
mod mark;
mod model;
mod names;
mod parse;
mod root;
mod shape;

use proc_macro::TokenStream;
use syn::parse_macro_input;

/// Derives `Labels` for a struct of labels, and `Labels` with `LabelValue` for an enum of values.
#[proc_macro_derive(Labels, attributes(label))]
pub fn derive_labels(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as syn::DeriveInput);
    labels::derive(&input).unwrap_or_else(|fault| fault.into_compile_error()).into()
}

/// Adds to a counter with dynamic labels.
#[proc_macro]
pub fn count(input: TokenStream) -> TokenStream {
    expand::count(&parse_macro_input!(input as model::Count)).into()
}

/// Sets a gauge with dynamic labels.
#[proc_macro]
pub fn gauge(input: TokenStream) -> TokenStream {
    expand::gauge(&parse_macro_input!(input as model::Record)).into()
}

/// Records in a histogram with dynamic labels.
#[proc_macro]
pub fn histogram(input: TokenStream) -> TokenStream {
    expand::histogram(&parse_macro_input!(input as model::Record)).into()
}

/// Times an expression and says how it ended.
#[proc_macro]
pub fn time(input: TokenStream) -> TokenStream {
    expand::time(parse_macro_input!(input as model::Time)).into()
}

/// Times a function, says how it ended, and gives it a span.
#[proc_macro_attribute]
pub fn observe(arguments: TokenStream, function: TokenStream) -> TokenStream {
    let options = parse_macro_input!(arguments as model::Options);
    let function = parse_macro_input!(function with parse::function);
    match model::Observe::new(options, function) {
        Ok(observe) => expand::observe(observe).into(),
        Err(fault) => fault.into_compile_error().into(),
    }
}
