//! From the model to code.
//!
//! The place of a struct is a number of mixed radix, one digit a field. What is declared of a field
//! becomes a constant, or a static where texts are interned; both stand in a block of their own around
//! the implementation. In a generic type all instances share the static, as they share the field.

use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{ToTokens as _, format_ident, quote, quote_spanned};
use syn::{GenericParam, Generics, Type, ext::IdentExt as _, parse_quote, spanned::Spanned as _};

use super::model::{Enum, Field, Form, Struct, Values};
use crate::root::Root;

/// The largest closed set: a family of one costs a table of this many places per process. A larger
/// product of fields is looked up like an open set.
const MAX_CARDINALITY: usize = 65_536;

pub(super) fn structure(labels: &Struct<'_>) -> TokenStream {
    let root = &labels.root;
    let codes: Vec<Code> = labels.fields.iter().map(|field| Code::new(field, root)).collect();
    let declarations = codes.iter().filter_map(|code| code.declaration.as_ref());
    let (index, visits) = (index(&codes, root), codes.iter().map(|code| &code.visit));
    let (keys, keys_check) = (keys(labels), keys_check(labels));
    let radices = codes.iter().map(|code| &code.radix);
    let (at, is_listed) = (at(&codes, root), is_listed(&codes, root));

    let (name, generics) = (&labels.input.ident, with_bounds(labels));
    let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
    let runtime = runtime(root);
    quote! {
        const _: () = {
            #(#declarations)*

            #[automatically_derived]
            impl #impl_generics #root::label::Labels for #name #type_generics #where_clause {
                const KEYS: &'static [&'static str] = #keys;

                const CARDINALITY: ::core::option::Option<usize> =
                    #runtime::cardinality(&[#(#radices),*], #MAX_CARDINALITY);

                #[inline]
                fn index(&self) -> usize {
                    #index
                }

                #[inline]
                fn visit(&self, each: &mut dyn ::core::ops::FnMut(&str)) {
                    #(#visits;)*
                    let _ = each;
                }

                fn at(
                    index: usize,
                ) -> ::std::vec::Vec<::std::borrow::Cow<'static, str>> {
                    #at
                }

                fn is_listed(index: usize) -> bool {
                    #is_listed
                }
            }

            #keys_check
        };
    }
}

/// What a field contributes, each an expression.
struct Code {
    /// An item that the others name.
    declaration: Option<TokenStream>,
    /// An `Option<usize>`.
    radix: TokenStream,
    index: TokenStream,
    visit: TokenStream,
    /// Adds what stands at `place` to `values`.
    at: TokenStream,
    /// Whether what stands at `place` is known by name.
    is_listed: TokenStream,
}

impl Code {
    fn new(field: &Field<'_>, root: &Root) -> Self {
        let Field { ident, ty, form } = field;
        let at = location(ty);
        match form {
            Form::Flattened { .. } => {
                let own = quote_spanned!(at=> <#ty as #root::label::Labels>);
                Self {
                    declaration: None,
                    radix: quote!(#own::CARDINALITY),
                    index: quote!(#own::index(&self.#ident)),
                    visit: quote!(#own::visit(&self.#ident, &mut *each)),
                    at: quote!(values.extend(#own::at(place))),
                    is_listed: quote!(#own::is_listed(place)),
                }
            }
            Form::Label { values: Values::OfItsType, .. } => {
                let own = quote_spanned!(at=> <#ty as #root::label::LabelValue>);
                Self {
                    declaration: None,
                    radix: quote!(#own::CARDINALITY),
                    index: quote!(#own::index(&self.#ident)),
                    visit: quote!(#own::visit(&self.#ident, &mut *each)),
                    at: quote!(values.push(#own::at(place))),
                    is_listed: quote!(#own::is_listed(place)),
                }
            }
            Form::Label { values, .. } => Self::declared(ident, ty, values, root),
        }
    }

    fn declared(ident: &Ident, ty: &Type, values: &Values, root: &Root) -> Self {
        let declared = format_ident!("__BELLWETHER_{}", ident.unraw().to_string().to_uppercase());
        let (declaration, kind) = declaration(&declared, values, root);
        let at = location(ty);
        let radix = match values {
            Values::Interned { .. } => quote_spanned!(at=> <#kind>::radix::<#ty>()),
            _ => quote_spanned!(at=> #declared.radix::<#ty>()),
        };
        Self {
            declaration: Some(declaration),
            radix,
            index: quote_spanned!(at=> #declared.index::<#ty>(&self.#ident)),
            visit: quote_spanned!(at=> #declared.visit::<#ty>(&self.#ident, &mut *each)),
            at: quote_spanned!(at=> values.push(#declared.at::<#ty>(place))),
            is_listed: quote_spanned!(at=> #declared.is_listed::<#ty>(place)),
        }
    }
}

/// Where the type stands, for messages; but code of the macro's, which no lint is to judge.
fn location(ty: &Type) -> Span {
    Span::call_site().located_at(ty.span())
}

/// The constant or static of a field with declared values, and its type.
fn declaration(name: &Ident, values: &Values, root: &Root) -> (TokenStream, TokenStream) {
    let runtime = runtime(root);
    match values {
        Values::OfItsType => (TokenStream::new(), TokenStream::new()),
        Values::Range { low, high, other } => {
            let (low, high) = (Literal::i128_unsuffixed(*low), Literal::i128_unsuffixed(*high));
            let kind = quote!(#runtime::Range);
            (quote!(const #name: #kind = #kind::new(#low, #high, #other);), kind)
        }
        Values::List { texts, other } => {
            let (places, n_texts) = (0..texts.len(), texts.len());
            let kind = quote!(#runtime::List);
            let find = quote!(|text| match text { #(#texts => #places,)* _ => #n_texts });
            (quote!(const #name: #kind = #kind::new(&[#(#texts,)* #other], #find);), kind)
        }
        Values::Interned { limit, other } => {
            let kind = quote!(#runtime::Interned<#limit>);
            (quote!(static #name: #kind = <#kind>::new(#other);), kind)
        }
    }
}

/// The number whose digits are the fields' places.
fn index(codes: &[Code], root: &Root) -> TokenStream {
    let radices = codes.iter().map(|code| &code.radix);
    let indices = codes.iter().map(|code| &code.index);
    quote! {
        // An open set has no index, and the product of its radices may not fit.
        if <Self as #root::label::Labels>::CARDINALITY.is_none() {
            return 0;
        }
        let index = 0;
        #(let index = index * (#radices).unwrap_or(1) + #indices;)*
        index
    }
}

fn at(codes: &[Code], root: &Root) -> TokenStream {
    let (runtime, radices) = (runtime(root), codes.iter().map(|code| &code.radix));
    let (places, values) = (0..codes.len(), codes.iter().map(|code| &code.at));
    quote! {
        let places = #runtime::places(index, [#(#radices),*]);
        let mut values = ::std::vec::Vec::new();
        #({
            let place = places[#places];
            #values;
        })*
        let _ = places;
        values
    }
}

fn is_listed(codes: &[Code], root: &Root) -> TokenStream {
    let (runtime, radices) = (runtime(root), codes.iter().map(|code| &code.radix));
    let places = 0..codes.len();
    let are_listed = codes.iter().map(|code| &code.is_listed);
    quote! {
        let places = #runtime::places(index, [#(#radices),*]);
        let _ = places;
        true #(&& {
            let place = places[#places];
            #are_listed
        })*
    }
}

/// The keys: a list of literals, or put together where a field has keys of its own.
fn keys(labels: &Struct<'_>) -> TokenStream {
    let literals: Vec<&str> = labels
        .fields
        .iter()
        .filter_map(|field| match &field.form {
            Form::Label { key, .. } => Some(key.text.as_str()),
            Form::Flattened { .. } => None,
        })
        .collect();
    if literals.len() == labels.fields.len() {
        return quote!(&[#(#literals),*]);
    }
    let (root, runtime) = (&labels.root, runtime(&labels.root));
    let parts = labels.fields.iter().map(|Field { ty, form, .. }| match form {
        Form::Label { key, .. } => {
            let key = &key.text;
            quote!(.with(&[#key]))
        }
        Form::Flattened { prefix: None } => quote_spanned! {location(ty)=>
            .with(<#ty as #root::label::Labels>::KEYS)
        },
        Form::Flattened { prefix: Some(prefix) } => quote_spanned! {location(ty)=>
            .with_prefixed(const {
                &#runtime::Prefixed::new(#prefix, <#ty as #root::label::Labels>::KEYS)
            })
        },
    });
    quote!(const { &#runtime::Keys::new() #(#parts)* }.unique())
}

/// Asks for the keys in every build, since a constant of a type is computed where it is used. Of a
/// type with parameters that cannot be done; there it is the use that fails.
fn keys_check(labels: &Struct<'_>) -> Option<TokenStream> {
    let is_flattened = |field: &Field<'_>| matches!(field.form, Form::Flattened { .. });
    let generics = &labels.input.generics;
    let is_lifetime = |parameter: &GenericParam| matches!(parameter, GenericParam::Lifetime(_));
    if !labels.fields.iter().any(is_flattened) || !generics.params.iter().all(is_lifetime) {
        return None;
    }
    let lifetimes = generics.lifetimes().map(|_| quote!('static));
    let (name, root) = (&labels.input.ident, &labels.root);
    Some(quote! {
        const _: &[&str] = <#name<#(#lifetimes),*> as #root::label::Labels>::KEYS;
    })
}

pub(super) fn enumeration(labels: &Enum<'_>) -> TokenStream {
    let Enum { input, root, key, variants, texts } = labels;
    let (places, n_variants) = (0..variants.len(), variants.len());
    let name = &input.ident;
    let (impl_generics, type_generics, where_clause) = input.generics.split_for_impl();
    quote! {
        #[automatically_derived]
        impl #impl_generics #root::label::LabelValue for #name #type_generics #where_clause {
            const CARDINALITY: ::core::option::Option<usize> =
                ::core::option::Option::Some(#n_variants);

            #[inline]
            fn index(&self) -> usize {
                match self {
                    #(Self::#variants => #places,)*
                }
            }

            #[inline]
            fn visit(&self, each: &mut dyn ::core::ops::FnMut(&str)) {
                each(match self {
                    #(Self::#variants => #texts,)*
                });
            }

            fn at(index: usize) -> ::std::borrow::Cow<'static, str> {
                const TEXTS: [&str; #n_variants] = [#(#texts),*];
                ::std::borrow::Cow::Borrowed(TEXTS.get(index).copied().unwrap_or_default())
            }
        }

        #[automatically_derived]
        impl #impl_generics #root::label::Labels for #name #type_generics #where_clause {
            const KEYS: &'static [&'static str] = &[#key];
            const CARDINALITY: ::core::option::Option<usize> =
                ::core::option::Option::Some(#n_variants);

            #[inline]
            fn index(&self) -> usize {
                #root::label::LabelValue::index(self)
            }

            #[inline]
            fn visit(&self, each: &mut dyn ::core::ops::FnMut(&str)) {
                #root::label::LabelValue::visit(self, each);
            }

            fn at(
                index: usize,
            ) -> ::std::vec::Vec<::std::borrow::Cow<'static, str>> {
                ::std::vec![<Self as #root::label::LabelValue>::at(index)]
            }
        }
    }
}

/// The generics with the bound of each field whose type mentions a parameter: other types are checked
/// where they are used, with a better message.
fn with_bounds(labels: &Struct<'_>) -> Generics {
    let mut bounded = labels.input.generics.clone();
    let is_type = |parameter: &GenericParam| match parameter {
        GenericParam::Type(parameter) => Some(parameter.ident.clone()),
        _ => None,
    };
    let parameters: Vec<Ident> = bounded.params.iter().filter_map(is_type).collect();
    let (root, runtime) = (&labels.root, runtime(&labels.root));
    for Field { ty, form, .. } in &labels.fields {
        if !mentions(ty.to_token_stream(), &parameters) {
            continue;
        }
        let bound = match form {
            Form::Flattened { .. } => quote!(#root::label::Labels),
            Form::Label { values: Values::OfItsType, .. } => {
                quote!(#root::label::LabelValue)
            }
            Form::Label { values: Values::Range { .. }, .. } => quote!(#runtime::Number),
            Form::Label { .. } => quote!(#runtime::Words),
        };
        bounded.make_where_clause().predicates.push(parse_quote!(#ty: #bound));
    }
    bounded
}

fn mentions(tokens: TokenStream, parameters: &[Ident]) -> bool {
    tokens.into_iter().any(|token| match token {
        proc_macro2::TokenTree::Group(group) => mentions(group.stream(), parameters),
        proc_macro2::TokenTree::Ident(ident) => parameters.contains(&ident),
        _ => false,
    })
}

fn runtime(root: &Root) -> TokenStream {
    quote!(#root::observe::__private)
}
