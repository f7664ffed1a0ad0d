//! Marks the places where an expression can be left early, so that its timer knows how it was left.
//!
//! A guard that is dropped cannot tell an early `?` from a cancelled future. So each of the two is
//! told to the timer in place:
//!
//! ```text
//! E?         timer.through(RUNNING, timer.through(QUESTION, E)?)
//! E.await    timer.through(RUNNING, timer.through(AWAITING, E).await)
//! return E   return timer.value(E, outcome of a value)             (functions only)
//! ```
//!
//! `through(place, value)` notes the place once `value` is there, and hands it on. Calls that take
//! and return the value leave every temporary where it was, which a block or a `match` would not.
//! They are called by path, or a trait that the user implemented for all types could come before.
//!
//! What is never looked into: closures, `async` blocks and items, since leaving them does not leave
//! the expression. A macro's tokens are taken for a list of expressions, as in `vec![a?, b?]`, or for
//! the arms of a `select!`; where they are neither, the call as a whole is marked by the words in it.
//!
//! The future of an observed `async` function sees its value and its drop: only `?` is marked in it.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens as _, quote, quote_spanned};
use syn::{
    Attribute, Block, Expr, ExprConst, ExprMacro, ExprReturn, Item, Macro, Pat, Result, Stmt,
    StmtMacro, Token, Type,
    ext::IdentExt as _,
    parse::{ParseStream, Parser as _},
    spanned::Spanned as _,
    token,
    visit_mut::{self, VisitMut},
};

/// Marks `expr`, which `timer` times.
pub(crate) fn expression(expr: &mut Expr, timer: &Ident) {
    Marker { timer, inside: Place::Running, awaits: true, returns: false }.visit_expr_mut(expr);
}

/// Marks the body of a function that `timer` times; with a value, `return` is to say what it returns.
pub(crate) fn body(block: &mut Block, has_value: bool, timer: &Ident) {
    Marker { timer, inside: Place::Running, awaits: false, returns: has_value }
        .visit_block_mut(block);
}

/// Marks the body of an `async` function, whose future sees its value and its drop.
pub(crate) fn async_body(block: &mut Block, timer: &Ident) {
    Marker { timer, inside: Place::Running, awaits: false, returns: false }.visit_block_mut(block);
}

/// Gives a block braces of the macro's own: the compiler may call the user's needless where they end
/// up.
pub(crate) fn own_braces(expr: &mut Expr) {
    if let Expr::Block(block) = expr {
        block.block.brace_token = token::Brace(Span::mixed_site());
    }
}

/// The closure that says what a value's outcome is: an `Err` is an error.
pub(crate) fn outcome_of_value() -> TokenStream {
    quote! {
        |value| {
            #[allow(unused_imports, reason = "which one it is depends on the type")]
            use ::bellwether::observe::__private::{AnyValue as _, ResultValue as _};
            (&::bellwether::observe::__private::Probe(value)).__bellwether_outcome()
        }
    }
}

/// Whether `expr` has a value to ask for its outcome. A block that ends in a statement, a `return`
/// or a `panic!` has none, and asking would leave the compiler without a type.
pub(crate) fn has_value(expr: &Expr) -> bool {
    match expr {
        Expr::Block(block) => block.label.is_some() || ends_in_value(&block.block),
        Expr::Unsafe(block) => ends_in_value(&block.block),
        Expr::Paren(inner) => has_value(&inner.expr),
        Expr::Group(inner) => has_value(&inner.expr),
        Expr::Macro(call) => !never_returns(&call.mac),
        Expr::Loop(endless) => Words::of(&endless.body.to_token_stream()).breaking,
        Expr::Return(_) | Expr::Break(_) | Expr::Continue(_) => false,
        _ => true,
    }
}

/// [`has_value`] of a block.
pub(crate) fn ends_in_value(block: &Block) -> bool {
    match block.stmts.last() {
        Some(Stmt::Expr(last, None)) => has_value(last),
        Some(Stmt::Macro(last)) => last.semi_token.is_none() && !never_returns(&last.mac),
        _ => false,
    }
}

fn never_returns(call: &Macro) -> bool {
    const NEVER: [&str; 4] = ["panic", "unreachable", "todo", "unimplemented"];
    call.path.segments.last().is_some_and(|last| NEVER.iter().any(|name| last.ident == name))
}

/// What leaving the expression at this place means; the names of the constants in the library.
#[derive(Clone, Copy)]
enum Place {
    Running,
    Question,
    Awaiting,
}

impl Place {
    fn tokens(self, at: Span) -> TokenStream {
        let name = match self {
            Self::Running => "RUNNING",
            Self::Question => "QUESTION",
            Self::Awaiting => "AWAITING",
        };
        let name = Ident::new(name, at);
        quote_spanned!(at=> ::bellwether::observe::__private::Place::#name)
    }
}

struct Marker<'a> {
    timer: &'a Ident,
    /// The place around a mark, to which it returns: `Running`, save within a macro that is marked
    /// as a whole.
    inside: Place,
    /// Whether a drop in an `.await` is to be noted.
    awaits: bool,
    /// Whether `return` leaves what is timed with its value.
    returns: bool,
}

impl VisitMut for Marker<'_> {
    fn visit_expr_mut(&mut self, expr: &mut Expr) {
        match expr {
            Expr::Closure(_) | Expr::Async(_) => {}
            Expr::Try(question) => {
                self.visit_expr_mut(&mut question.expr);
                let (base, mark) = (&question.expr, &question.question_token);
                let base = self.through(Place::Question, base.to_token_stream(), base.span());
                let whole = self.through(self.inside, quote!(#base #mark), question.span());
                *expr = verbatim(&question.attrs, whole);
            }
            Expr::Await(awaited) if self.awaits => {
                self.visit_expr_mut(&mut awaited.base);
                let (base, dot, word) = (&awaited.base, &awaited.dot_token, &awaited.await_token);
                let base = self.through(Place::Awaiting, base.to_token_stream(), base.span());
                let whole = self.through(self.inside, quote!(#base #dot #word), awaited.span());
                *expr = verbatim(&awaited.attrs, whole);
            }
            Expr::Return(leaving) => self.mark_return(leaving),
            Expr::Macro(call) => {
                if let Some(place) = self.mark_macro(&mut call.mac) {
                    *expr = self.around(place, call);
                }
            }
            _ => visit_mut::visit_expr_mut(self, expr),
        }
    }

    fn visit_block_mut(&mut self, block: &mut Block) {
        let n_statements = block.stmts.len();
        for (place, mut statement) in std::mem::take(&mut block.stmts).into_iter().enumerate() {
            match &mut statement {
                Stmt::Macro(call) => {
                    let is_tail = place + 1 == n_statements && call.semi_token.is_none();
                    self.mark_statement(statement, is_tail, &mut block.stmts);
                }
                _ => {
                    self.visit_stmt_mut(&mut statement);
                    block.stmts.push(statement);
                }
            }
        }
    }

    fn visit_item_mut(&mut self, _: &mut Item) {}
    fn visit_type_mut(&mut self, _: &mut Type) {}
    fn visit_expr_const_mut(&mut self, _: &mut ExprConst) {}
}

impl Marker<'_> {
    /// `timer.through(place, value)`.
    fn through(&self, place: Place, value: TokenStream, at: Span) -> TokenStream {
        let at = ours(at);
        let (timer, place) = (self.timer, place.tokens(at));
        quote_spanned! {at=>
            ::bellwether::observe::__private::Marks::through(&#timer, #place, #value)
        }
    }

    /// `timer.at(place)`.
    fn at(&self, place: Place, at: Span) -> TokenStream {
        let (timer, place) = (self.timer, place.tokens(at));
        quote_spanned!(at=> ::bellwether::observe::__private::Marks::at(&#timer, #place))
    }

    fn mark_return(&mut self, leaving: &mut ExprReturn) {
        let Some(value) = &mut leaving.expr else { return };
        self.visit_expr_mut(value);
        if self.returns {
            let (timer, outcome) = (self.timer, outcome_of_value());
            let at = ours(value.span());
            **value = Expr::Verbatim(quote_spanned! {at=>
                ::bellwether::observe::__private::Marks::value(&#timer, #value, #outcome)
            });
        }
    }

    /// Marks what is in a macro call; the answer is the place to note for the call as a whole.
    fn mark_macro(&mut self, call: &mut Macro) -> Option<Place> {
        let name = call.path.segments.last().map(|last| last.ident.unraw().to_string())?;
        let words = Words::of(&call.tokens);
        let (awaits, fails) = (
            self.awaits && ((name.contains("select") && !words.arrow) || name.contains("join")),
            name.contains("bail") || name.contains("ensure") || name == "try",
        );
        let place = match () {
            () if awaits => Some(Place::Awaiting),
            () if fails => Some(Place::Question),
            () => None,
        };
        let awaiting = self.awaits && words.awaiting;
        if !(awaits || words.question || awaiting || (words.returning && self.returns)) {
            return place;
        }
        let mut within =
            Marker { timer: self.timer, inside: place.unwrap_or(self.inside), ..*self };
        let outside = self.inside;
        let marked = (|input: ParseStream<'_>| within.list(input))
            .parse2(call.tokens.clone())
            .or_else(|_| {
                (|input: ParseStream<'_>| within.arms(input, outside)).parse2(call.tokens.clone())
            });
        match marked {
            Ok(tokens) => {
                call.tokens = tokens;
                place
            }
            // An error is never hidden: of two ways out in one macro, `?` is the one that is told.
            Err(_) if words.question => Some(Place::Question),
            Err(_) if awaiting => Some(Place::Awaiting),
            Err(_) => place,
        }
    }

    /// Expressions with `,` or `;` between them, marked.
    fn list(&mut self, input: ParseStream<'_>) -> Result<TokenStream> {
        let mut marked = TokenStream::new();
        while !input.is_empty() {
            let mut expr: Expr = input.parse()?;
            self.visit_expr_mut(&mut expr);
            expr.to_tokens(&mut marked);
            if input.peek(Token![,]) {
                input.parse::<Token![,]>()?.to_tokens(&mut marked);
            } else if input.peek(Token![;]) {
                input.parse::<Token![;]>()?.to_tokens(&mut marked);
            } else if !input.is_empty() {
                return Err(input.error("no list of expressions"));
            }
        }
        Ok(marked)
    }

    /// The arms of a `select!`, `pattern = future [, if condition] => handler,`, marked: a handler
    /// runs when the waiting is over.
    fn arms(&mut self, input: ParseStream<'_>, outside: Place) -> Result<TokenStream> {
        let mut marked = TokenStream::new();
        if input.peek(syn::Ident) && input.peek2(Token![;]) {
            let (biased, semicolon): (Ident, Token![;]) = (input.parse()?, input.parse()?);
            marked.extend(quote!(#biased #semicolon));
        }
        while !input.is_empty() {
            let attributes = input.call(Attribute::parse_outer)?;
            marked.extend(quote!(#(#attributes)*));
            if input.peek(syn::Ident::peek_any) && input.peek2(Token![=>]) {
                input.call(Ident::parse_any)?.to_tokens(&mut marked); // `else`, `complete`
            } else {
                self.arm_head(input, &mut marked)?;
            }
            let arrow: Token![=>] = input.parse()?;
            let mut handler = Expr::parse_with_earlier_boundary_rule(input)?;
            Marker { timer: self.timer, inside: outside, ..*self }.visit_expr_mut(&mut handler);
            own_braces(&mut handler);
            let note = self.at(outside, ours(handler.span()));
            marked.extend(quote!(#arrow { #note; #handler },));
            if input.peek(Token![,]) {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(marked)
    }

    fn arm_head(&mut self, input: ParseStream<'_>, marked: &mut TokenStream) -> Result<()> {
        let pattern = Pat::parse_multi_with_leading_vert(input)?;
        let equals: Token![=] = input.parse()?;
        let mut future: Expr = input.parse()?;
        self.visit_expr_mut(&mut future);
        marked.extend(quote!(#pattern #equals #future));
        if input.peek(Token![,]) {
            let (comma, word): (Token![,], Token![if]) = (input.parse()?, input.parse()?);
            let condition: Expr = input.parse()?;
            marked.extend(quote!(#comma #word #condition));
        }
        Ok(())
    }

    /// A macro call in an expression, with `place` noted while it runs; its temporaries stay.
    fn around(&self, place: Place, call: &ExprMacro) -> Expr {
        let at = ours(call.mac.path.span());
        let (timer, before, after) = (self.timer, self.at(place, at), self.inside.tokens(at));
        let (attributes, call) = (&call.attrs, &call.mac);
        let around = quote_spanned! {at=>
            ::bellwether::observe::__private::Marks::after(&#timer, #before, #after, #call)
        };
        verbatim(attributes, around)
    }

    /// A macro call as a statement, which may expand to statements and is left to stand as one.
    fn mark_statement(&mut self, statement: Stmt, is_tail: bool, into: &mut Vec<Stmt>) {
        let Stmt::Macro(StmtMacro { attrs, mut mac, semi_token }) = statement else { return };
        let Some(place) = self.mark_macro(&mut mac) else {
            into.push(Stmt::Macro(StmtMacro { attrs, mac, semi_token }));
            return;
        };
        if is_tail {
            into.push(Stmt::Expr(self.around(place, &ExprMacro { attrs, mac }), None));
            return;
        }
        let at = ours(mac.path.span());
        let note = |place: Place| {
            let note = self.at(place, at);
            let note = quote_spanned! {at=>
                #[allow(unreachable_code, reason = "`bail!(..);` is never followed by anything")]
                #note
            };
            Stmt::Expr(Expr::Verbatim(note), Some(Token![;](at)))
        };
        let (before, after) = (note(place), note(self.inside));
        into.extend([before, Stmt::Macro(StmtMacro { attrs, mac, semi_token }), after]);
    }
}

/// The words of a macro's tokens that tell how it may be left.
#[derive(Default)]
struct Words {
    question: bool,
    awaiting: bool,
    returning: bool,
    breaking: bool,
    /// `->`, which crossbeam's `select!` has and those that await have not.
    arrow: bool,
}

impl Words {
    fn of(tokens: &TokenStream) -> Self {
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

fn verbatim(attributes: &[Attribute], tokens: TokenStream) -> Expr {
    Expr::Verbatim(quote!(#(#attributes)* #tokens))
}

/// Where `place` is, for messages, but with names of the macro's own.
fn ours(place: Span) -> Span {
    Span::mixed_site().located_at(place)
}
