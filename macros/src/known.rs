//! The macros whose arguments are known to be expressions, and what the words of the others tell.

use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{
    Attribute, Expr, Ident, Macro, Pat, Path, Result, Token,
    ext::IdentExt as _,
    parse::{Parse, ParseStream},
};

/// How a known macro reads its arguments.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Grammar {
    /// Expressions with `,` or `;` between them.
    List,
    /// `pattern = future [, if condition] => handler,`.
    Arms,
    /// A name, and an expression: our own `time!`, and what is called like it and looks like it.
    Timed,
}

/// The macros of the standard library that take expressions, as they are called without a path too.
const STD: [&str; 21] = [
    "assert",
    "assert_eq",
    "assert_ne",
    "dbg",
    "debug_assert",
    "debug_assert_eq",
    "debug_assert_ne",
    "eprint",
    "eprintln",
    "format",
    "format_args",
    "matches",
    "panic",
    "print",
    "println",
    "todo",
    "unimplemented",
    "unreachable",
    "vec",
    "write",
    "writeln",
];

/// The macros of tokio and futures that wait for all of several futures. Without a path a macro of that
/// name may as well be the user's own.
const JOINS: [&str; 2] = ["join", "try_join"];

/// Those that wait for one of several. No other has arms like theirs.
const SELECTS: [&str; 2] = ["select", "select_biased"];

/// What leads on from nowhere: a value that is never there.
const NEVER: [&str; 4] = ["panic", "unreachable", "todo", "unimplemented"];

/// How the macro at `path` reads its arguments, if it is one of the known.
pub(crate) fn grammar(path: &Path) -> Option<Grammar> {
    let last = path.segments.last()?.ident.unraw().to_string();
    let is = |names: &[&str]| names.contains(&last.as_str());
    let first = path.segments.first().filter(|_| path.segments.len() > 1);
    let is_of = |crates: &[&str]| first.map(|first| crates.iter().any(|name| first.ident == name));
    let (of_std, of_theirs) =
        (is_of(&["std", "core", "alloc"]), is_of(&["tokio", "futures", "futures_util"]));
    match () {
        () if is(&STD) && of_std.unwrap_or(true) => Some(Grammar::List),
        () if last == "time" => Some(Grammar::Timed),
        () if is(&JOINS) && (of_std == Some(true) || of_theirs == Some(true)) => {
            Some(Grammar::List)
        }
        () if is(&SELECTS) && of_theirs.unwrap_or(true) => Some(Grammar::Arms),
        () => None,
    }
}

/// Whether the call has no value, as `panic!` has none.
pub(crate) fn never_returns(call: &Macro) -> bool {
    call.path.segments.last().is_some_and(|last| NEVER.iter().any(|name| last.ident == name))
}

/// The arguments of `time!`.
pub(crate) struct Timed {
    name: Expr, // A literal, or the path of a constant.
    comma: Token![,],
    pub(crate) expr: Expr,
}

impl Parse for Timed {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let name = input.parse()?;
        if !matches!(name, Expr::Lit(_) | Expr::Path(_)) {
            return Err(input.error("no name"));
        }
        let timed = Self { name, comma: input.parse()?, expr: input.parse()? };
        input.parse::<Option<Token![,]>>()?;
        Ok(timed)
    }
}

impl ToTokens for Timed {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let Self { name, comma, expr } = self;
        tokens.extend(quote!(#name #comma #expr));
    }
}

/// The arguments of a `select!`.
pub(crate) struct Arms {
    /// `biased;`
    pub(crate) before: TokenStream,
    pub(crate) arms: Vec<Arm>,
}

/// One of them.
pub(crate) struct Arm {
    /// What stands before the future: attributes and `pattern =`, or `else`.
    pub(crate) head: TokenStream,
    /// None after `else`.
    pub(crate) future: Option<Expr>,
    /// `, if condition`, and the arrow.
    pub(crate) tail: TokenStream,
    pub(crate) handler: Expr,
}

impl Parse for Arms {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut before = TokenStream::new();
        if input.peek(Ident) && input.peek2(Token![;]) {
            let (biased, semicolon): (Ident, Token![;]) = (input.parse()?, input.parse()?);
            before = quote!(#biased #semicolon);
        }
        let mut arms = Vec::new();
        while !input.is_empty() {
            arms.push(input.parse()?);
            input.parse::<Option<Token![,]>>()?;
        }
        Ok(Self { before, arms })
    }
}

impl Parse for Arm {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let attributes = input.call(Attribute::parse_outer)?;
        let (mut head, mut future) = (quote!(#(#attributes)*), None);
        let mut tail = TokenStream::new();
        if input.peek(Ident::peek_any) && input.peek2(Token![=>]) {
            let word = input.call(Ident::parse_any)?; // `else`, `complete`, `default`
            head.extend(quote!(#word));
        } else {
            let pattern = Pat::parse_multi_with_leading_vert(input)?;
            let equals: Token![=] = input.parse()?;
            head.extend(quote!(#pattern #equals));
            future = Some(input.parse()?);
            if input.peek(Token![,]) {
                let (comma, word): (Token![,], Token![if]) = (input.parse()?, input.parse()?);
                let condition: Expr = input.parse()?;
                tail = quote!(#comma #word #condition);
            }
        }
        let arrow: Token![=>] = input.parse()?;
        tail.extend(quote!(#arrow));
        let handler = Expr::parse_with_earlier_boundary_rule(input)?;
        Ok(Self { head, future, tail, handler })
    }
}

/// The words of a macro's tokens that tell how it may be left.
#[derive(Default)]
pub(crate) struct Words {
    pub(crate) question: bool,
    pub(crate) awaiting: bool,
    pub(crate) returning: bool,
    pub(crate) breaking: bool,
    /// `->`, which crossbeam's `select!` has and those that await have not.
    pub(crate) arrow: bool,
}

impl Words {
    pub(crate) fn of(tokens: &TokenStream) -> Self {
        let mut words = Self::default();
        words.read(tokens.clone());
        words
    }

    fn read(&mut self, tokens: TokenStream) {
        let mut after_minus = false;
        for token in tokens {
            let mut is_minus = false;
            match token {
                TokenTree::Group(group) => self.read(group.stream()),
                TokenTree::Ident(word) => {
                    self.awaiting |= word == "await";
                    self.returning |= word == "return";
                    self.breaking |= word == "break";
                }
                TokenTree::Punct(punct) => {
                    self.question |= punct.as_char() == '?';
                    self.arrow |= after_minus && punct.as_char() == '>';
                    is_minus = punct.as_char() == '-';
                }
                TokenTree::Literal(_) => {}
            }
            after_minus = is_minus;
        }
    }
}
