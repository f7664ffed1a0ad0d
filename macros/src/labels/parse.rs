//! The arguments of `#[label(...)]`, with an error at the token that is wrong.

use proc_macro2::Span;
use quote::ToTokens as _;
use syn::{
    Attribute, Error, Expr, ExprLit, ExprRange, ExprUnary, Ident, Lit, LitInt, LitStr, RangeLimits,
    Result, Token, UnOp, bracketed, meta::ParseNestedMeta, parse::ParseStream,
    punctuated::Punctuated, spanned::Spanned as _,
};

use crate::{names::Case, root::Root};

/// A closed set has no more places than this, so no declared field has: one is kept for other values.
const MAX_VALUES: usize = 65_535;

/// What the attributes of one item say.
#[derive(Default)]
pub(super) struct Arguments {
    pub(super) root: Root,
    pub(super) name: Option<LitStr>,
    pub(super) rename_all: Option<Case>,
    pub(super) prefix: Option<LitStr>,
    pub(super) other: Option<LitStr>,
    /// The arguments that exclude each other.
    pub(super) form: Option<(Form, Ident)>,
}

/// What a field is, if it is not the label of its type.
pub(super) enum Form {
    Skip,
    Flatten,
    Range { low: i128, high: i128 },
    Values(Vec<LitStr>),
    Intern(usize),
}

/// What may be labelled.
#[derive(Clone, Copy)]
pub(super) enum Item {
    Struct,
    Enum,
    Field,
    Variant,
}

impl Item {
    /// The arguments that it takes, as they are written.
    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Struct => &["rename_all = \"...\"", "crate = path"],
            Self::Enum => &["name = \"...\"", "rename_all = \"...\"", "crate = path"],
            Self::Variant => &["name = \"...\""],
            Self::Field => &[
                "name = \"...\"",
                "range = 0..=9",
                "values = [\"...\"]",
                "intern = 100",
                "other = \"...\"",
                "flatten",
                "prefix = \"...\"",
                "skip",
            ],
        }
    }

    fn takes(self, argument: &Ident) -> bool {
        let word = |usage: &str| usage.split(' ').next().is_some_and(|word| argument == word);
        self.arguments().iter().copied().any(word)
    }
}

impl Arguments {
    pub(super) fn parse(attributes: &[Attribute], item: Item) -> Result<Self> {
        let mut arguments = Self::default();
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("label")) {
            attribute.parse_nested_meta(|meta| arguments.argument(&meta, item))?;
        }
        Ok(arguments)
    }

    fn argument(&mut self, meta: &ParseNestedMeta<'_>, item: Item) -> Result<()> {
        let Some(word) = meta.path.get_ident().filter(|word| item.takes(word)) else {
            let (unknown, known) = (meta.path.to_token_stream(), item.arguments().join("`, `"));
            return Err(meta.error(format_args!(
                "`label` knows no argument `{unknown}` here: it takes `{known}`"
            )));
        };
        let is_first = match word.to_string().as_str() {
            "crate" => {
                self.root = Root::parse(meta.input)?;
                true
            }
            "name" => self.name.replace(text(meta)?).is_none(),
            "prefix" => self.prefix.replace(text(meta)?).is_none(),
            "other" => self.other.replace(text(meta)?).is_none(),
            "rename_all" => self.rename_all.replace(case(&text(meta)?)?).is_none(),
            "skip" => self.form(Form::Skip, word)?,
            "flatten" => self.form(Form::Flatten, word)?,
            "range" => self.form(range(&meta.value()?.parse()?)?, word)?,
            "values" => self.form(values(meta.value()?)?, word)?,
            _ => self.form(intern(&meta.value()?.parse()?)?, word)?,
        };
        if is_first { Ok(()) } else { Err(meta.error(format_args!("`{word}` is there twice"))) }
    }

    /// Whether this is the first argument of its kind, which excludes the others.
    fn form(&mut self, form: Form, word: &Ident) -> Result<bool> {
        match self.form.replace((form, word.clone())) {
            Some((_, other)) if other != *word => {
                Err(Error::new(word.span(), format!("`{other}` and `{word}` exclude each other")))
            }
            before => Ok(before.is_none()),
        }
    }
}

fn text(meta: &ParseNestedMeta<'_>) -> Result<LitStr> {
    meta.value()?.parse()
}

fn case(name: &LitStr) -> Result<Case> {
    Case::named(&name.value()).ok_or_else(|| {
        let known: Vec<&str> = Case::NAMED.iter().map(|(known, _)| *known).collect();
        let message = format!("no such way of writing; there are {:?}", known);
        Error::new(name.span(), message.replace(['[', ']'], ""))
    })
}

/// `0..=9` or `0..10`.
fn range(expr: &Expr) -> Result<Form> {
    let usage = |at: Span| Error::new(at, "a range is written with two numbers: `range = 0..=9`");
    let Expr::Range(ExprRange { start: Some(start), limits, end: Some(end), .. }) = expr else {
        return Err(usage(expr.span()));
    };
    let number = |expr: &Expr| whole(expr).ok_or_else(|| usage(expr.span()));
    let (low, end) = (number(start)?, number(end)?);
    let high = match limits {
        RangeLimits::HalfOpen(_) => end - 1,
        RangeLimits::Closed(_) => end,
    };
    if high < low {
        return Err(Error::new(expr.span(), "the range is empty"));
    }
    if high - low >= MAX_VALUES as i128 {
        let message = format!(
            "a declared range has at most {MAX_VALUES} numbers; a field without one is looked up"
        );
        return Err(Error::new(expr.span(), message));
    }
    Ok(Form::Range { low, high })
}

/// A literal, perhaps negative. More than 64 bits are not told from a type's own limits.
fn whole(expr: &Expr) -> Option<i128> {
    match expr {
        Expr::Lit(ExprLit { lit: Lit::Int(literal), .. }) => literal
            .base10_parse::<i64>()
            .map(i128::from)
            .ok()
            .or_else(|| literal.base10_parse::<u64>().map(i128::from).ok()),
        Expr::Unary(ExprUnary { op: UnOp::Neg(_), expr, .. }) => whole(expr).map(|value| -value),
        Expr::Group(group) => whole(&group.expr),
        _ => None,
    }
}

/// `["GET", "POST"]`.
fn values(input: ParseStream<'_>) -> Result<Form> {
    let list;
    let bracket = bracketed!(list in input);
    let values = Punctuated::<LitStr, Token![,]>::parse_terminated(&list)?;
    if values.is_empty() || values.len() > MAX_VALUES {
        let message = format!("a list has 1 to {MAX_VALUES} values");
        return Err(Error::new(bracket.span.join(), message));
    }
    let mut seen = std::collections::HashSet::new();
    if let Some(twice) = values.iter().find(|value| !seen.insert(value.value())) {
        let message = format!("the label value {:?} is there twice", twice.value());
        return Err(Error::new(twice.span(), message));
    }
    Ok(Form::Values(values.into_iter().collect()))
}

fn intern(literal: &LitInt) -> Result<Form> {
    match literal.base10_parse() {
        Ok(limit @ 1..=MAX_VALUES) => Ok(Form::Intern(limit)),
        _ => {
            let message = format!("1 to {MAX_VALUES} texts can be interned");
            Err(Error::new(literal.span(), message))
        }
    }
}
