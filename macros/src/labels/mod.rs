//! `#[derive(Labels)]`: a struct's fields are labels, an enum's variants are values.
//!
//! As the other macros go: `parse` reads the attributes, `model` knows them to fit together, `expand`
//! writes the code.

mod expand;
mod model;
mod parse;

use proc_macro2::TokenStream;
use syn::{Data, DeriveInput, Error, Result, spanned::Spanned as _};

pub(crate) fn derive(input: &DeriveInput) -> Result<TokenStream> {
    match &input.data {
        Data::Struct(data) => Ok(expand::structure(&model::Struct::new(input, data)?)),
        Data::Enum(data) => Ok(expand::enumeration(&model::Enum::new(input, data)?)),
        Data::Union(data) => Err(Error::new(
            data.union_token.span(),
            "`Labels` is derived for a struct with named fields or an enum without fields, \
             not for a union",
        )),
    }
}
