//! What was said of a set of labels, known to be legal.

use proc_macro2::Span;
use syn::{
    DataEnum, DataStruct, DeriveInput, Error, Field as SynField, Fields, Ident, LitStr, Result,
    Type, Variant, ext::IdentExt as _, spanned::Spanned as _,
};

use super::parse::{self, Arguments, Item};
use crate::{
    names::{self, Case, Key},
    root::Root,
};

/// What a declared field says of all other values, unless told otherwise.
const OTHER: &str = "other";

/// A struct whose fields are labels.
pub(super) struct Struct<'a> {
    pub(super) input: &'a DeriveInput,
    pub(super) root: Root,
    pub(super) fields: Vec<Field<'a>>, // Without those that are skipped.
}

pub(super) struct Field<'a> {
    pub(super) ident: &'a Ident,
    pub(super) ty: &'a Type,
    pub(super) form: Form,
}

pub(super) enum Form {
    /// A set of labels of its own.
    Flattened { prefix: Option<String> },
    /// One label.
    Label { key: Key, values: Values },
}

/// Which values a label has.
pub(super) enum Values {
    OfItsType,
    Range { low: i128, high: i128, other: String },
    List { texts: Vec<String>, other: String },
    Interned { limit: usize, other: String },
}

impl<'a> Struct<'a> {
    pub(super) fn new(input: &'a DeriveInput, data: &'a DataStruct) -> Result<Self> {
        let arguments = Arguments::parse(&input.attrs, Item::Struct)?;
        let Fields::Named(named) = &data.fields else {
            return Err(Error::new(
                input.ident.span(),
                "`Labels` is derived for a struct with named fields: each field is a label, \
                 and its name is the key",
            ));
        };
        let mut fields = Vec::new();
        for field in &named.named {
            fields.extend(Field::new(field, arguments.rename_all)?);
        }
        names::check_unique(fields.iter().filter_map(Field::key))?;
        Ok(Self { input, root: arguments.root, fields })
    }
}

impl<'a> Field<'a> {
    /// The field; `None` if it is skipped.
    fn new(field: &'a SynField, case: Option<Case>) -> Result<Option<Self>> {
        let ident = field.ident.as_ref().ok_or_else(|| Error::new(field.span(), "no name"))?;
        let Arguments { name, prefix, other, form, .. } =
            Arguments::parse(&field.attrs, Item::Field)?;
        let (form, word) = form.unzip();
        let word = word.as_ref();
        if !matches!(form, Some(parse::Form::Flatten)) {
            refuse(prefix.as_ref(), "`prefix` goes before the keys of a field with `flatten`")?;
        }
        if matches!(form, None | Some(parse::Form::Flatten | parse::Form::Skip)) {
            refuse(other.as_ref(), "`other` goes with `range`, `values` or `intern`")?;
        }
        let other = other_text(other.as_ref())?;
        let values = match form {
            Some(parse::Form::Skip) => {
                refuse(name.as_ref(), "a field that is skipped has no key")?;
                return Ok(None);
            }
            Some(parse::Form::Flatten) => {
                let why = "a flattened field has no key of its own; `prefix` goes before its keys";
                refuse(name.as_ref(), why)?;
                let form = Form::Flattened { prefix: checked_prefix(prefix.as_ref())? };
                return Ok(Some(Self { ident, ty: &field.ty, form }));
            }
            None => Values::OfItsType,
            Some(parse::Form::Range { low, high }) => Values::Range { low, high, other },
            Some(parse::Form::Values(texts)) => {
                Values::List { texts: texts.iter().map(LitStr::value).collect(), other }
            }
            Some(parse::Form::Intern(limit)) => Values::Interned { limit, other },
        };
        values.check(word.map_or_else(|| ident.span(), Ident::span))?;
        let key = match (name, case) {
            (Some(literal), _) => Key::from(&literal),
            (None, None) => Key::from(ident),
            (None, Some(case)) => {
                Key { text: case.of(&ident.unraw().to_string()), at: ident.span() }
            }
        };
        names::check_key(&key.text, key.at)?;
        Ok(Some(Self { ident, ty: &field.ty, form: Form::Label { key, values } }))
    }

    fn key(&self) -> Option<&Key> {
        match &self.form {
            Form::Label { key, .. } => Some(key),
            Form::Flattened { .. } => None,
        }
    }
}

impl Values {
    /// Checks that no declared value reads like all the others: no two places have the same text.
    fn check(&self, at: Span) -> Result<()> {
        let (is_declared, other) = match self {
            Self::OfItsType | Self::Interned { .. } => return Ok(()),
            Self::List { texts, other } => (texts.contains(other), other),
            Self::Range { low, high, other } => {
                let reads_so = |number: &i128| number.to_string() == *other;
                let number = other.parse::<i128>().ok().filter(reads_so);
                (number.is_some_and(|number| (*low..=*high).contains(&number)), other)
            }
        };
        if is_declared {
            let message = format!(
                "the value {other:?} is declared, and it is also what any other value becomes: \
                 leave it out, or give the others a text with `other = \"...\"`"
            );
            return Err(Error::new(at, message));
        }
        Ok(())
    }
}

fn other_text(literal: Option<&LitStr>) -> Result<String> {
    match literal.map(|literal| (literal.value(), literal)) {
        None => Ok(OTHER.to_owned()),
        Some((text, literal)) if text.is_empty() => {
            Err(Error::new(literal.span(), "an empty value is a label that is not there"))
        }
        Some((text, _)) => Ok(text),
    }
}

fn checked_prefix(literal: Option<&LitStr>) -> Result<Option<String>> {
    let Some(literal) = literal else { return Ok(None) };
    let prefix = literal.value();
    names::check_key(&prefix, literal.span())?;
    Ok(Some(prefix))
}

fn refuse(argument: Option<&LitStr>, why: &str) -> Result<()> {
    argument.map_or(Ok(()), |argument| Err(Error::new(argument.span(), why)))
}

/// An enum whose variants are values.
pub(super) struct Enum<'a> {
    pub(super) input: &'a DeriveInput,
    pub(super) root: Root,
    pub(super) key: String,
    pub(super) variants: Vec<&'a Ident>,
    pub(super) texts: Vec<String>, // One for each variant, no two equal.
}

impl<'a> Enum<'a> {
    pub(super) fn new(input: &'a DeriveInput, data: &'a DataEnum) -> Result<Self> {
        let arguments = Arguments::parse(&input.attrs, Item::Enum)?;
        let key = match arguments.name {
            Some(literal) => Key::from(&literal),
            None => {
                let text = Case::Snake.of(&input.ident.unraw().to_string());
                Key { text, at: input.ident.span() }
            }
        };
        names::check_key(&key.text, key.at)?;
        if data.variants.is_empty() {
            let message = "an enum without variants has no label value";
            return Err(Error::new(input.ident.span(), message));
        }
        let case = arguments.rename_all.unwrap_or(Case::Snake);
        let mut texts: Vec<String> = Vec::new();
        for variant in &data.variants {
            let (text, at) = variant_text(variant, case)?;
            if texts.contains(&text) {
                return Err(Error::new(at, format!("the label value {text:?} is there twice")));
            }
            texts.push(text);
        }
        let variants = data.variants.iter().map(|variant| &variant.ident).collect();
        Ok(Self { input, root: arguments.root, key: key.text, variants, texts })
    }
}

fn variant_text(variant: &Variant, case: Case) -> Result<(String, Span)> {
    if !matches!(variant.fields, Fields::Unit) {
        return Err(Error::new(
            variant.fields.span(),
            "a variant with data is no label value, since its name alone is the value: leave the data \
             out (`impl From<&Event> for Kind`), or write `impl LabelValue` by hand, where `visit` says \
             the text",
        ));
    }
    Ok(match Arguments::parse(&variant.attrs, Item::Variant)?.name {
        Some(literal) => (literal.value(), literal.span()),
        None => (case.of(&variant.ident.unraw().to_string()), variant.ident.span()),
    })
}
