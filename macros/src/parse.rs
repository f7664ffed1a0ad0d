//! From tokens to the model, with an error at the token that is wrong.

use proc_macro2::Span;
use syn::{
    Attribute, Error, Expr, Ident, ItemFn, LitStr, Path, Result, Signature, Token, Visibility,
    ext::IdentExt as _,
    parenthesized,
    parse::{Parse, ParseStream},
    parse_quote,
    spanned::Spanned as _,
    token,
};

use crate::{
    model::{Count, Duration, Kind, Name, Options, Record, Time},
    names::{self, Key},
    root::Root,
};

/// The word before the amount of `count!`.
mod word {
    syn::custom_keyword!(by);
}

impl Parse for Count {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let root = Root::parse_leading(input)?;
        let name = Name::parse(input, "", "count!(\"cache.hits\", tier = \"l1\")")?;
        let mut amount = None;
        let mut labels = Vec::new();
        while comma(input)? {
            let is_amount = input.peek(word::by);
            let (key, value) = key_and_value(input, "a label")?;
            if !is_amount {
                names::check_key(&key.text, key.at)?;
                labels.push((key, value));
            } else if amount.is_none() && labels.is_empty() {
                amount = Some(value);
            } else {
                return Err(Error::new(
                    key.at,
                    "the amount stands right after the name; a label of that key is written `\"by\" = ...`",
                ));
            }
        }
        names::check_unique(labels.iter().map(|(key, _)| key))?;
        Ok(Self { root, name, amount, labels })
    }
}

impl Parse for Record {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        const EXAMPLE: &str = "gauge!(\"room.temperature\", 20.5, room = \"attic\")";
        let root = Root::parse_leading(input)?;
        let name = Name::parse(input, "", EXAMPLE)?;
        if !comma(input)? {
            return Err(Error::new(name.at(), format!("a value is missing: `{EXAMPLE}`")));
        }
        let value = input.parse()?;
        let mut labels = Vec::new();
        while comma(input)? {
            let (key, value) = key_and_value(input, "a label")?;
            names::check_key(&key.text, key.at)?;
            labels.push((key, value));
        }
        names::check_unique(labels.iter().map(|(key, _)| key))?;
        Ok(Self { root, name, value, labels })
    }
}

impl Parse for Time {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        const USAGE: &str = "time!(\"db.query\", expr)";
        let root = Root::parse_leading(input)?;
        let name = Name::parse(input, names::DURATION, USAGE)?;
        if !comma(input)? {
            return Err(input.error(format_args!("the expression to time is missing: `{USAGE}`")));
        }
        let expr = input.parse()?;
        if comma(input)? {
            return Err(input.error(format_args!("one expression is timed: `{USAGE}`")));
        }
        Ok(Self { root, name, expr })
    }
}

impl Parse for Options {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut options = Self::default();
        let mut seen: Vec<Ident> = Vec::new();
        while !input.is_empty() {
            let word = input.call(Ident::parse_any)?;
            if seen.contains(&word) {
                return Err(Error::new(word.span(), format!("`{word}` is there twice")));
            }
            options.argument(&word, input)?;
            seen.push(word);
            comma(input)?;
        }
        Ok(options)
    }
}

impl Options {
    fn argument(&mut self, word: &Ident, input: ParseStream<'_>) -> Result<()> {
        match word.to_string().as_str() {
            "name" => {
                input.parse::<Token![=]>()?;
                self.name = Some(Name::parse(input, names::DURATION, "name = \"checkout\"")?);
            }
            "kind" => {
                input.parse::<Token![=]>()?;
                self.kind = one_of(&Kind::WORDS, "kind of span", input)?;
            }
            "duration" => {
                input.parse::<Token![=]>()?;
                self.duration = one_of(&Duration::WORDS, "way to record a duration", input)?;
            }
            "parent" => {
                input.parse::<Token![=]>()?;
                self.parent = Some(input.parse()?);
            }
            "fields" => self.fields = fields(input)?,
            "crate" => self.root = Root::parse(input)?,
            _ => {
                return Err(Error::new(
                    word.span(),
                    format!(
                        "`observe` knows no argument `{word}`: \
                         it takes `name`, `kind`, `parent`, `fields(...)`, `duration` and `crate`"
                    ),
                ));
            }
        }
        Ok(())
    }
}

/// One of some words, for `what`.
fn one_of<T: Copy>(words: &[(&str, T)], what: &str, input: ParseStream<'_>) -> Result<T> {
    let known = || words.iter().map(|(known, _)| *known).collect::<Vec<_>>().join("`, `");
    let Ok(word) = input.call(Ident::parse_any) else {
        return Err(input.error(format_args!("a {what} is one of `{}`", known())));
    };
    let found = words.iter().find(|(known, _)| word == known);
    found.map(|(_, one)| *one).ok_or_else(|| {
        Error::new(word.span(), format!("`{word}` is no {what}: one of `{}`", known()))
    })
}

/// Reads the function under `#[observe]`.
pub(crate) fn function(input: ParseStream<'_>) -> Result<ItemFn> {
    let start = input.fork();
    let signature = || {
        start.call(Attribute::parse_outer)?;
        start.parse::<Visibility>()?;
        start.parse::<Signature>()
    };
    match signature() {
        Ok(_) if start.peek(token::Brace) => input.parse(),
        Ok(signature) => Err(Error::new(
            signature.ident.span(),
            "only a function with a body can be observed; put `#[observe]` on the implementation",
        )),
        Err(_) => Err(Error::new(Span::call_site(), "`#[observe]` stands on a function")),
    }
}

impl Name {
    fn parse(input: ParseStream<'_>, suffix: &str, usage: &str) -> Result<Self> {
        if !input.peek(LitStr) {
            return match input.fork().parse() {
                Ok(Expr::Path(constant)) if !is_variable(&constant.path) => {
                    Ok(Self::Constant(input.parse()?))
                }
                Ok(Expr::Macro(_)) => Ok(Self::Constant(input.parse()?)),
                _ => Err(input.error(format_args!(
                    "the name must be a string literal or a constant: `{usage}`"
                ))),
            };
        }
        let literal: LitStr = input.parse()?;
        let (text, at) = (literal.value(), literal.span());
        names::check_name(&text, suffix, at)?;
        Ok(Self::Literal { text, at })
    }

    pub(crate) fn at(&self) -> Span {
        match self {
            Self::Literal { at, .. } => *at,
            Self::Constant(constant) => constant.span(),
        }
    }
}

/// Whether a name is written as those of variables are: the compiler's own message would tell of a
/// static that the user cannot see.
fn is_variable(path: &Path) -> bool {
    let name = path.get_ident().map(Ident::to_string);
    name.is_some_and(|name| !name.chars().any(char::is_uppercase))
}

/// `fields(cart = cart.id, "http.route" = "/x")`.
fn fields(input: ParseStream<'_>) -> Result<Vec<(Key, Expr)>> {
    let content;
    parenthesized!(content in input);
    let mut fields: Vec<(Key, Expr)> = Vec::new();
    while !content.is_empty() {
        let field = key_and_value(&content, "a field")?;
        if field.0.text.is_empty() {
            return Err(Error::new(field.0.at, "the key of a field is empty"));
        }
        if fields.iter().any(|(key, _)| key.text == field.0.text) {
            return Err(Error::new(
                field.0.at,
                format!("the field {:?} is there twice", field.0.text),
            ));
        }
        fields.push(field);
        if !content.is_empty() {
            content.parse::<Token![,]>()?;
        }
    }
    Ok(fields)
}

/// `key = value`, where the key is an identifier or a string literal; `key` alone is `key = key`.
fn key_and_value(input: ParseStream<'_>, what: &str) -> Result<(Key, Expr)> {
    if input.peek(LitStr) {
        let key = Key::from(&input.parse::<LitStr>()?);
        input.parse::<Token![=]>()?;
        return Ok((key, input.parse()?));
    }
    let Ok(ident) = input.call(Ident::parse_any) else {
        return Err(input.error(format_args!("{what} is written `key = value`")));
    };
    let key = Key::from(&ident);
    if input.is_empty() || input.peek(Token![,]) {
        return Ok((key, parse_quote!(#ident)));
    }
    input.parse::<Token![=]>()?;
    Ok((key, input.parse()?))
}

/// Takes a comma, and says whether something stands after it.
fn comma(input: ParseStream<'_>) -> Result<bool> {
    if input.is_empty() {
        return Ok(false);
    }
    input.parse::<Token![,]>()?;
    Ok(!input.is_empty())
}
