//! What a use of a macro says, once it is known to be legal.

use proc_macro2::Span;
use syn::{Error, Expr, ItemFn, Result, ext::IdentExt as _};

use crate::{
    names::{self, Key},
    root::Root,
};

/// `count!("cache.hits", by = 2, tier = "l1")`.
pub(crate) struct Count {
    pub(crate) root: Root,
    pub(crate) name: Name,
    pub(crate) amount: Option<Expr>,
    pub(crate) labels: Vec<(Key, Expr)>,
}

/// `gauge!("room.temperature", 20.5, room = "attic")`, and `histogram!` alike.
pub(crate) struct Record {
    pub(crate) root: Root,
    pub(crate) name: Name,
    pub(crate) value: Expr,
    pub(crate) labels: Vec<(Key, Expr)>,
}

/// `time!("db.query", expr)`.
pub(crate) struct Time {
    pub(crate) root: Root,
    pub(crate) name: Name,
    pub(crate) expr: Expr,
}

/// The name of an instrument.
pub(crate) enum Name {
    /// A legal name and where it stands.
    Literal { text: String, at: Span },
    /// A constant, which the library checks while the code is compiled.
    Constant(Expr),
}

/// What stands in the brackets of `#[observe(...)]`.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) root: Root,
    pub(crate) name: Option<Name>,
    pub(crate) kind: Kind,
    pub(crate) parent: Option<Expr>,
    pub(crate) fields: Vec<(Key, Expr)>,
    pub(crate) duration: Duration,
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

/// When the histogram of durations has an operation.
#[derive(Clone, Copy, Default)]
pub(crate) enum Duration {
    /// Unless a bundle measures it.
    #[default]
    Once,
    Always,
}

impl Duration {
    /// The words that `duration = ...` takes.
    pub(crate) const WORDS: [(&'static str, Self); 2] =
        [("once", Self::Once), ("always", Self::Always)];
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
        Ok(Name::Literal { text, at: ident.span() })
    }
}
