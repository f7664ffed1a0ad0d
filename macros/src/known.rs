//! The macros whose arguments are known to be expressions, and what the words of the others tell.

use proc_macro2::{TokenStream, TokenTree};
use syn::{Macro, Path, ext::IdentExt as _};

/// How a known macro reads its arguments.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Grammar {
    /// Expressions with `,` or `;` between them.
    List,
    /// `pattern = future [, if condition] => handler,`.
    Arms,
}

/// The macros of the standard library that take expressions, as they are called without a path too.
const STD: [&str; 25] = [
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
    // Those that wait are tokio's and futures'.
    "join",
    "try_join",
    "select",
    "select_biased",
];

/// The crates whose macros they are.
const CRATES: [&str; 6] = ["std", "core", "alloc", "tokio", "futures", "futures_util"];

/// What leads on from nowhere: a value that is never there.
const NEVER: [&str; 4] = ["panic", "unreachable", "todo", "unimplemented"];

/// How the macro at `path` reads its arguments, if it is one of the known.
pub(crate) fn grammar(path: &Path) -> Option<Grammar> {
    let last = path.segments.last()?.ident.unraw().to_string();
    let is_theirs = match path.segments.first() {
        Some(first) if path.segments.len() > 1 => CRATES.iter().any(|name| first.ident == name),
        _ => true,
    };
    (is_theirs && STD.contains(&last.as_str())).then_some(match last.as_str() {
        "select" | "select_biased" => Grammar::Arms,
        _ => Grammar::List,
    })
}

/// Whether the call has no value, as `panic!` has none.
pub(crate) fn never_returns(call: &Macro) -> bool {
    call.path.segments.last().is_some_and(|last| NEVER.iter().any(|name| last.ident == name))
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
