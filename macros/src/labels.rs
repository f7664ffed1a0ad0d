//! `#[derive(Labels)]`: a struct's fields are labels, an enum's variants are values.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens as _, quote, quote_spanned};
use syn::{
    Attribute, Data, DataEnum, DataStruct, DeriveInput, Error, Field, Fields, GenericParam,
    Generics, Ident, LitStr, Result, Type, Variant, ext::IdentExt as _, parse_quote,
    spanned::Spanned as _,
};

use crate::names::{self, Key};

/// The largest closed set: a family of one costs a table of this many places per process. A larger
/// product of fields is looked up like an open set.
const MAX_CARDINALITY: usize = 65_536;

pub(crate) fn derive(input: &DeriveInput) -> Result<TokenStream> {
    match &input.data {
        Data::Struct(data) => derive_struct(input, data),
        Data::Enum(data) => derive_enum(input, data),
        Data::Union(data) => Err(Error::new(
            data.union_token.span(),
            "`Labels` is derived for a struct with named fields or an enum without fields, \
             not for a union",
        )),
    }
}

fn derive_struct(input: &DeriveInput, data: &DataStruct) -> Result<TokenStream> {
    reject_label_attribute(&input.attrs, "a struct has no label name; its fields have")?;
    let Fields::Named(fields) = &data.fields else {
        return Err(Error::new(
            input.ident.span(),
            "`Labels` is derived for a struct with named fields: each field is a label, \
             and its name is the key",
        ));
    };
    let fields: Vec<LabelField<'_>> =
        fields.named.iter().map(LabelField::new).collect::<Result<_>>()?;
    names::check_unique(fields.iter().map(|field| &field.key))?;

    let keys = fields.iter().map(|field| &field.key.text);
    let (idents, types): (Vec<&Ident>, Vec<&Type>) =
        fields.iter().map(|field| (field.ident, field.ty)).unzip();
    let values: Vec<TokenStream> = types
        .iter()
        .map(|ty| quote_spanned!(ty.span()=> <#ty as ::bellwether::label::LabelValue>))
        .collect();
    let (value, last_first) = (quote!(::bellwether::label::LabelValue), values.iter().rev());
    let name = &input.ident;
    let generics = with_bounds(&input.generics, &types);
    let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
    Ok(quote! {
        #[automatically_derived]
        impl #impl_generics ::bellwether::label::Labels for #name #type_generics #where_clause {
            const KEYS: &'static [&'static str] = &[#(#keys),*];

            const CARDINALITY: ::core::option::Option<usize> =
                ::bellwether::observe::__private::cardinality(
                    &[#(#values::CARDINALITY),*],
                    #MAX_CARDINALITY,
                );

            #[inline]
            fn index(&self) -> usize {
                // An open set has no index, and the product of its radices may not fit.
                if <Self as ::bellwether::label::Labels>::CARDINALITY.is_none() {
                    return 0;
                }
                let index = 0;
                #(
                    let index = index * #values::CARDINALITY.unwrap_or(1)
                        + #value::index(&self.#idents);
                )*
                index
            }

            fn visit(&self, each: &mut dyn ::core::ops::FnMut(&str)) {
                #(#value::visit(&self.#idents, &mut *each);)*
                let _ = each;
            }

            fn at(
                index: usize,
            ) -> ::std::vec::Vec<::std::borrow::Cow<'static, str>> {
                let mut rest = index;
                let mut values = ::std::vec::Vec::new();
                #(
                    let radix = #last_first::CARDINALITY.unwrap_or(1);
                    values.push(#last_first::at(rest % radix));
                    rest /= radix;
                )*
                let _ = rest;
                values.reverse();
                values
            }
        }
    })
}

/// One field of a struct of labels.
struct LabelField<'a> {
    ident: &'a Ident,
    ty: &'a Type,
    key: Key,
}

impl<'a> LabelField<'a> {
    fn new(field: &'a Field) -> Result<Self> {
        let ident = field.ident.as_ref().ok_or_else(|| Error::new(field.span(), "no name"))?;
        let key = match renamed(&field.attrs)? {
            Some(literal) => Key::from(&literal),
            None => Key::from(ident),
        };
        names::check_key(&key.text, key.at)?;
        Ok(Self { ident, ty: &field.ty, key })
    }
}

fn derive_enum(input: &DeriveInput, data: &DataEnum) -> Result<TokenStream> {
    let key = match renamed(&input.attrs)? {
        Some(literal) => Key::from(&literal),
        None => {
            let ident = &input.ident;
            Key { text: names::snake_case(&ident.unraw().to_string()), at: ident.span() }
        }
    };
    names::check_key(&key.text, key.at)?;
    let key = key.text;
    let texts = variant_texts(input, data)?;
    let variants: Vec<&Ident> = data.variants.iter().map(|variant| &variant.ident).collect();
    let (places, n_variants) = (0..variants.len(), variants.len());
    let name = &input.ident;
    let (impl_generics, type_generics, where_clause) = input.generics.split_for_impl();
    Ok(quote! {
        #[automatically_derived]
        impl #impl_generics ::bellwether::label::LabelValue for #name #type_generics #where_clause {
            const CARDINALITY: ::core::option::Option<usize> =
                ::core::option::Option::Some(#n_variants);

            #[inline]
            fn index(&self) -> usize {
                match self {
                    #(Self::#variants => #places,)*
                }
            }

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
        impl #impl_generics ::bellwether::label::Labels for #name #type_generics #where_clause {
            const KEYS: &'static [&'static str] = &[#key];
            const CARDINALITY: ::core::option::Option<usize> =
                ::core::option::Option::Some(#n_variants);

            #[inline]
            fn index(&self) -> usize {
                ::bellwether::label::LabelValue::index(self)
            }

            fn visit(&self, each: &mut dyn ::core::ops::FnMut(&str)) {
                ::bellwether::label::LabelValue::visit(self, each);
            }

            fn at(
                index: usize,
            ) -> ::std::vec::Vec<::std::borrow::Cow<'static, str>> {
                ::std::vec![<Self as ::bellwether::label::LabelValue>::at(index)]
            }
        }
    })
}

/// The value of each variant as text.
fn variant_texts(input: &DeriveInput, data: &DataEnum) -> Result<Vec<String>> {
    if data.variants.is_empty() {
        return Err(Error::new(input.ident.span(), "an enum without variants has no label value"));
    }
    let mut texts: Vec<String> = Vec::new();
    for variant in &data.variants {
        let (text, at) = variant_text(variant)?;
        if texts.contains(&text) {
            return Err(Error::new(at, format!("the label value {text:?} is there twice")));
        }
        texts.push(text);
    }
    Ok(texts)
}

fn variant_text(variant: &Variant) -> Result<(String, Span)> {
    if !matches!(variant.fields, Fields::Unit) {
        return Err(Error::new(
            variant.fields.span(),
            "a variant of a label value has no fields: its name is the value",
        ));
    }
    Ok(match renamed(&variant.attrs)? {
        Some(literal) => (literal.value(), literal.span()),
        None => (names::snake_case(&variant.ident.unraw().to_string()), variant.ident.span()),
    })
}

/// The literal of `#[label(name = "...")]`, if there is one.
fn renamed(attributes: &[Attribute]) -> Result<Option<LitStr>> {
    let mut name = None;
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("label")) {
        attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident("name") {
                let unknown = meta.path.to_token_stream();
                return Err(meta.error(format_args!(
                    "`label` knows no argument `{unknown}`: it takes `name = \"...\"`"
                )));
            }
            if name.replace(meta.value()?.parse::<LitStr>()?).is_some() {
                return Err(meta.error("`name` is there twice"));
            }
            Ok(())
        })?;
    }
    Ok(name)
}

fn reject_label_attribute(attributes: &[Attribute], why: &str) -> Result<()> {
    match attributes.iter().find(|attribute| attribute.path().is_ident("label")) {
        Some(attribute) => Err(Error::new_spanned(attribute, why)),
        None => Ok(()),
    }
}

/// The generics with `Type: LabelValue` for each type that mentions a parameter: other types are
/// checked where they are used, with a better message.
fn with_bounds(generics: &Generics, types: &[&Type]) -> Generics {
    let parameters: Vec<&Ident> = generics
        .params
        .iter()
        .filter_map(|parameter| match parameter {
            GenericParam::Type(parameter) => Some(&parameter.ident),
            _ => None,
        })
        .collect();
    let mut bounded = generics.clone();
    for ty in types {
        if mentions(ty.to_token_stream(), &parameters) {
            bounded
                .make_where_clause()
                .predicates
                .push(parse_quote!(#ty: ::bellwether::label::LabelValue));
        }
    }
    bounded
}

fn mentions(tokens: TokenStream, parameters: &[&Ident]) -> bool {
    tokens.into_iter().any(|token| match token {
        proc_macro2::TokenTree::Group(group) => mentions(group.stream(), parameters),
        proc_macro2::TokenTree::Ident(ident) => parameters.contains(&&ident),
        _ => false,
    })
}
