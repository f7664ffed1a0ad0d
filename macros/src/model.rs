//! What a use of a macro says, once it is known to be legal.

use proc_macro2::Span;
use syn::{Error, Expr, ItemFn, Result, ext::IdentExt as _};

use crate::names::{self, Key};

/// `count!("cache.hits", by = 2, tier = "l1")`.
pub(crate) struct Count {
    pub(crate) name: Name,
    pub(crate) amount: Option<Expr>,
    pub(crate) labels: Vec<(Key, Expr)>,
}

/// `gauge!("room.temperature", 20.5, room = "attic")`, and `histogram!` alike.
pub(crate) struct Record {
    pub(crate) name: Name,
    pub(crate) value: Expr,
    pub(crate) labels: Vec<(Key, Expr)>,
}

/// `time!("db.query", expr)`.
pub(crate) struct Time {
    pub(crate) name: Name,
    pub(crate) expr: Expr,
}

/// A legal name and where it stands.
pub(crate) struct Name {
    pub(crate) text: String,
    pub(crate) at: Span,
}

/// What stands in the brackets of `#[observe(...)]`.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) name: Option<Name>,
    pub(crate) kind: Kind,
    pub(crate) parent: Option<Expr>,
    pub(crate) fields: Vec<(Key, Expr)>,
}

/// The kind of a span.
#[derive(Clone, Copy, Default)]
pub(crate) enum Kind {
    #[default]
    Internal,
    Server,
    Client,
    Producer,
    Consumer,
}

impl Kind {
    /// The words that `kind = ...` takes.
    pub(crate) const WORDS: [(&'static str, Self); 5] = [
        ("internal", Self::Internal),
        ("server", Self::Server),
        ("client", Self::Client),
        ("producer", Self::Producer),
        ("consumer", Self::Consumer),
    ];
}

/// The function under `#[observe]`, free or a method, with a name for its histogram and span.
pub(crate) struct Observe {
    pub(crate) name: Name,
    pub(crate) options: Options,
    pub(crate) function: ItemFn,
}

impl Observe {
    pub(crate) fn new(mut options: Options, function: ItemFn) -> Result<Self> {
        if let Some(constness) = &function.sig.constness {
            return Err(Error::new_spanned(
                constness,
                "a `const fn` cannot be observed: nothing is recorded at compile time",
            ));
        }
        let name = match options.name.take() {
            Some(name) => name,
            None => Self::default_name(&function)?,
        };
        Ok(Self { name, options, function })
    }

    /// The function's own name.
    fn default_name(function: &ItemFn) -> Result<Name> {
        let ident = &function.sig.ident;
        let text = ident.unraw().to_string();
        names::check_name(&text, names::DURATION, ident.span()).map_err(|fault| {
            Error::new(ident.span(), format!("{fault}; give it one: `#[observe(name = \"...\")]`"))
        })?;
        Ok(Name { text, at: ident.span() })
    }
}
