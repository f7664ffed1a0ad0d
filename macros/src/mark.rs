//! Marks the places where an expression can be left early, so that its timer knows how it was left.
//!
//! A guard that is dropped cannot tell an early `?` from a cancelled future. So each of the two is
//! told to the timer in place:
//!
//! ```text
//! E?         question(timer, E, ..)?         notes that this will leave, if it will, and the error
//! E.await    awaiting(timer, E).await        notes that it waits until it is ready
//! return E   return value(timer, E, ..)      notes the outcome of a value (functions only)
//! ```
//!
//! What is written is never behind the user's expression: where that never ends, the compiler would
//! say that what comes next is not reached.
//!
//! Only macros whose arguments are known to be expressions are looked into. Any other call is left as
//! it is, with a note before it of what leaving it would mean, by the words in it; the note is taken
//! back at the next statement.
//!
//! The future of an observed `async` function sees its value and its drop: only `?` is marked in it.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens as _, quote, quote_spanned};
use syn::{
    BinOp, Block, Expr, ExprConst, ExprMacro, ExprReturn, Item, Local, Macro, Result, Stmt, Token,
    Type,
    ext::IdentExt as _,
    parse::{ParseStream, Parser as _},
    spanned::Spanned as _,
    token,
    visit_mut::{self, VisitMut},
};

use crate::{
    known::{self, Arm, Arms, Grammar, Timed, Words},
    root::Root,
};

/// What is to be marked, besides `?`.
#[derive(Clone, Copy)]
pub(crate) enum Extent<'a> {
    /// An expression: a drop in an `.await` is to be noted.
    Expression,
    /// The body of a function: what `return` returns is rewritten.
    Function(&'a dyn Fn(&mut Expr)),
    /// The body of a future, which sees its value and its drop.
    Future,
}

/// Marks code that `timer` times.
pub(crate) struct Marker<'a> {
    root: &'a Root,
    timer: &'a Ident,
    extent: Extent<'a>,
    /// The place around an `.await`, to which it returns: running, save within a macro that waits.
    inside: Place,
    /// Whether a note was left before a macro, and not taken back yet.
    noted: bool,
}

/// What leaving the code at this place means; the names of the constants in the library.
#[derive(Clone, Copy)]
enum Place {
    Running,
    Question,
    Awaiting,
}

impl<'a> Marker<'a> {
    pub(crate) fn new(root: &'a Root, timer: &'a Ident, extent: Extent<'a>) -> Self {
        Self { root, timer, extent, inside: Place::Running, noted: false }
    }

    /// Marks `expr`; whether it may end with a note that is not taken back.
    pub(crate) fn expression(mut self, expr: &mut Expr) -> bool {
        self.scoped(expr);
        self.noted
    }

    /// Marks `block`; as [`expression`](Self::expression).
    pub(crate) fn body(mut self, block: &mut Block) -> bool {
        self.visit_block_mut(block);
        self.noted
    }
}

impl VisitMut for Marker<'_> {
    fn visit_expr_mut(&mut self, expr: &mut Expr) {
        match expr {
            Expr::Closure(_) | Expr::Async(_) => {}
            Expr::Try(question) => {
                self.visit_expr_mut(&mut question.expr);
                let (at, base) = (ours(question.expr.span()), &question.expr);
                let (root, timer, answers) = (self.root.at(at), self.timer, answers(at));
                *question.expr = Expr::Verbatim(quote_spanned! {at=>
                    #root::observe::__private::question(&#timer, #base, #answers)
                });
            }
            Expr::Await(awaited) if self.awaits() => {
                self.visit_expr_mut(&mut awaited.base);
                let (at, base) = (ours(awaited.base.span()), &awaited.base);
                let (root, timer) = (self.root.at(at), self.timer);
                let inside = self.place(self.inside, at);
                *awaited.base = Expr::Verbatim(quote_spanned! {at=>
                    #root::observe::__private::Marks::awaiting(&#timer, #inside, #base)
                });
            }
            Expr::Return(leaving) => self.mark_return(leaving),
            Expr::Macro(call) => {
                if let Some(place) = self.mark_macro(&mut call.mac) {
                    *expr = self.around(place, call);
                }
            }
            Expr::Loop(looping) => {
                self.visit_block_mut(&mut looping.body);
                self.begin_anew(&mut looping.body);
            }
            Expr::While(looping) => {
                self.visit_expr_mut(&mut looping.cond);
                self.visit_block_mut(&mut looping.body);
                self.begin_anew(&mut looping.body);
            }
            Expr::ForLoop(looping) => {
                self.visit_expr_mut(&mut looping.expr);
                self.visit_block_mut(&mut looping.body);
                self.begin_anew(&mut looping.body);
            }
            Expr::Match(arms) => {
                self.visit_expr_mut(&mut arms.expr);
                for arm in &mut arms.arms {
                    self.visit_pat_mut(&mut arm.pat); // With its guard.
                    self.scoped(&mut arm.body);
                }
            }
            Expr::Binary(binary) if matches!(binary.op, BinOp::And(_) | BinOp::Or(_)) => {
                self.visit_expr_mut(&mut binary.left);
                self.scoped(&mut binary.right);
            }
            _ => visit_mut::visit_expr_mut(self, expr),
        }
    }

    fn visit_block_mut(&mut self, block: &mut Block) {
        let outer = std::mem::replace(&mut self.noted, false);
        let n_statements = block.stmts.len();
        for (place, mut statement) in std::mem::take(&mut block.stmts).into_iter().enumerate() {
            let note = self.mark_statement(&mut statement);
            block.stmts.extend(note);
            let at = ours(statement.span());
            block.stmts.push(statement);
            // After the last one, whatever is next will do it.
            if self.noted && place + 1 < n_statements {
                block.stmts.push(self.note(Place::Running, at));
                self.noted = false;
            }
        }
        self.noted |= outer;
    }

    fn visit_item_mut(&mut self, _: &mut Item) {}
    fn visit_type_mut(&mut self, _: &mut Type) {}
    fn visit_expr_const_mut(&mut self, _: &mut ExprConst) {}
}

impl Marker<'_> {
    fn awaits(&self) -> bool {
        matches!(self.extent, Extent::Expression)
    }

    fn place(&self, place: Place, at: Span) -> TokenStream {
        let name = match place {
            Place::Running => "RUNNING",
            Place::Question => "QUESTION",
            Place::Awaiting => "AWAITING",
        };
        let (root, name) = (self.root.at(at), Ident::new(name, at));
        quote_spanned!(at=> #root::observe::__private::Place::#name)
    }

    /// `timer.at(place)`.
    fn at(&self, place: Place, at: Span) -> TokenStream {
        let (root, timer, place) = (self.root.at(at), self.timer, self.place(place, at));
        quote_spanned!(at=> #root::observe::__private::Marks::at(&#timer, #place))
    }

    /// [`at`](Self::at) as a statement.
    fn note(&self, place: Place, at: Span) -> Stmt {
        Stmt::Expr(Expr::Verbatim(self.at(place, at)), Some(Token![;](at)))
    }

    fn mark_return(&mut self, leaving: &mut ExprReturn) {
        let Some(value) = &mut leaving.expr else { return };
        self.visit_expr_mut(value);
        if let Extent::Function(returned) = self.extent {
            returned(value);
        }
    }

    /// Marks a statement; the answer is a note to stand before it. A macro may expand to statements,
    /// which those behind it see, and is left to stand as it does.
    fn mark_statement(&mut self, statement: &mut Stmt) -> Option<Stmt> {
        let call = match statement {
            Stmt::Macro(call) => &mut call.mac,
            Stmt::Expr(Expr::Macro(call), _) => &mut call.mac,
            Stmt::Local(Local { init: Some(init), .. }) if matches!(*init.expr, Expr::Macro(_)) => {
                if let Some((_, other)) = &mut init.diverge {
                    self.visit_expr_mut(other);
                }
                let Expr::Macro(call) = &mut *init.expr else { return None };
                let place = self.mark_macro(&mut call.mac)?;
                let at = ours(call.mac.path.span());
                if let Some((_, other)) = &mut init.diverge
                    && let Expr::Block(other) = &mut **other
                {
                    other.block.stmts.insert(0, self.note(Place::Running, at));
                }
                self.noted = true;
                return Some(self.note(place, at));
            }
            _ => {
                self.visit_stmt_mut(statement);
                return None;
            }
        };
        let place = self.mark_macro(call)?;
        self.noted = true;
        Some(self.note(place, ours(call.path.span())))
    }

    /// Marks an expression whose temporaries go with it, so that a macro in its place may be a block.
    fn scoped(&mut self, expr: &mut Expr) {
        let Expr::Macro(call) = expr else { return self.visit_expr_mut(expr) };
        if let Some(place) = self.mark_macro(&mut call.mac) {
            let at = ours(call.mac.path.span());
            let note = self.at(place, at);
            self.noted = true;
            *expr = Expr::Verbatim(quote_spanned!(at=> { #note; #call }));
        }
    }

    /// A macro call as an operand, with `place` noted while it runs; its temporaries stay.
    fn around(&self, place: Place, call: &ExprMacro) -> Expr {
        let at = ours(call.mac.path.span());
        let (root, timer) = (self.root.at(at), self.timer);
        let (before, after) = (self.at(place, at), self.place(self.inside, at));
        let (attributes, call) = (&call.attrs, &call.mac);
        Expr::Verbatim(quote_spanned! {at=>
            #(#attributes)*
            #root::observe::__private::Marks::after(&#timer, #before, #after, #call)
        })
    }

    /// Takes back, at the beginning of each round, what was noted in the one before.
    fn begin_anew(&self, body: &mut Block) {
        if self.noted {
            let at = ours(body.brace_token.span.open());
            body.stmts.insert(0, self.note(Place::Running, at));
        }
    }

    /// Marks what is in a macro call; the answer is the place to note for the call as a whole.
    fn mark_macro(&mut self, call: &mut Macro) -> Option<Place> {
        let name = call.path.segments.last().map(|last| last.ident.unraw().to_string())?;
        let words = Words::of(&call.tokens);
        let waits =
            self.awaits() && ((name.contains("select") && !words.arrow) || name.contains("join"));
        let waits_within = waits || (self.awaits() && words.awaiting);
        // One way out needs no look inside: the note is enough.
        let returns = words.returning && !matches!(self.extent, Extent::Expression);
        let looks_inside = match known::grammar(&call.path) {
            Some(Grammar::List) => returns || (words.question && waits_within),
            Some(Grammar::Timed) => true,
            Some(Grammar::Arms) => waits || returns || words.question,
            None => false,
        };
        if looks_inside && let Some(tokens) = self.inside_of(call, waits) {
            call.tokens = tokens;
            return waits.then_some(Place::Awaiting);
        }
        // An error is never hidden: of two ways out in one macro, `?` is the one that is told.
        let fails = name.contains("bail") || name.contains("ensure") || name == "try";
        match () {
            () if fails || words.question => Some(Place::Question),
            () if waits_within => Some(Place::Awaiting),
            () => None,
        }
    }

    /// The arguments of a known macro, marked, if they are what they should be.
    fn inside_of(&mut self, call: &Macro, waits: bool) -> Option<TokenStream> {
        let grammar = known::grammar(&call.path)?;
        let inside = if waits { Place::Awaiting } else { self.inside };
        let mut within = Marker { inside, noted: false, ..*self };
        let outside = self.inside;
        let marked = match grammar {
            Grammar::List => {
                (|input: ParseStream<'_>| within.list(input)).parse2(call.tokens.clone()).ok()?
            }
            Grammar::Timed => {
                let mut timed: Timed = call.parse_body().ok()?;
                within.scoped(&mut timed.expr);
                timed.into_token_stream()
            }
            Grammar::Arms => within.arms(call.parse_body().ok()?, outside),
        };
        self.noted |= within.noted || waits;
        Some(marked)
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

    /// The arms of a `select!`, marked: a handler runs when the waiting is over.
    fn arms(&mut self, arms: Arms, outside: Place) -> TokenStream {
        let mut marked = arms.before;
        for Arm { head, mut future, tail, mut handler } in arms.arms {
            if let Some(future) = &mut future {
                self.visit_expr_mut(future);
            }
            let mut within = Marker { inside: outside, noted: false, ..*self };
            within.scoped(&mut handler);
            self.noted |= within.noted;
            own_braces(&mut handler);
            let note = self.at(outside, ours(handler.span()));
            marked.extend(quote!(#head #future #tail { #note; #handler },));
        }
        marked
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
        Expr::Macro(call) => call_has_value(&call.mac),
        Expr::Loop(endless) => Words::of(&endless.body.to_token_stream()).breaking,
        Expr::Return(_) | Expr::Break(_) | Expr::Continue(_) => false,
        _ => true,
    }
}

/// [`has_value`] of a block.
pub(crate) fn ends_in_value(block: &Block) -> bool {
    match block.stmts.last() {
        Some(Stmt::Expr(last, None)) => has_value(last),
        Some(Stmt::Macro(last)) => last.semi_token.is_none() && call_has_value(&last.mac),
        _ => false,
    }
}

/// [`has_value`] of a macro call: a `select!` has one if one of its handlers has.
fn call_has_value(call: &Macro) -> bool {
    match known::grammar(&call.path) {
        Some(Grammar::Arms) => call
            .parse_body()
            .map_or(true, |arms: Arms| arms.arms.iter().any(|arm| has_value(&arm.handler))),
        _ => !known::never_returns(call),
    }
}

/// Makes `expr` one that the compiler takes to end, which what is written behind it needs: only the
/// calls at its end are made part of a branch, so that what is assigned before them stays so.
pub(crate) fn ending(expr: &mut Expr, root: &Root) {
    if may_not_end(expr) {
        let call = |expr: &mut Expr| *expr = Expr::Verbatim(branch(&*expr, root));
        at_each_end(expr, &call);
    }
}

/// `expr` in a branch beside one that the compiler takes to end, and that is never run.
pub(crate) fn branch(expr: &impl quote::ToTokens, root: &Root) -> TokenStream {
    quote!(if true { #expr } else { #root::observe::__private::never() })
}

/// Whether the compiler may find that `expr` never ends.
fn may_not_end(expr: &Expr) -> bool {
    let block = |block: &Block| match block.stmts.last() {
        Some(Stmt::Expr(last, None)) => may_not_end(last),
        Some(Stmt::Macro(_)) => true,
        Some(Stmt::Expr(_, Some(_))) => true,
        _ => false,
    };
    match expr {
        Expr::Block(inner) => block(&inner.block),
        Expr::Unsafe(inner) => block(&inner.block),
        Expr::Paren(inner) => may_not_end(&inner.expr),
        Expr::Group(inner) => may_not_end(&inner.expr),
        Expr::If(branches) => {
            block(&branches.then_branch)
                && branches.else_branch.as_ref().is_some_and(|(_, other)| may_not_end(other))
        }
        Expr::Match(arms) => arms.arms.iter().all(|arm| may_not_end(&arm.body)),
        Expr::Call(_) | Expr::MethodCall(_) | Expr::Await(_) | Expr::Macro(_) => true,
        Expr::Verbatim(_) => true, // A macro that was marked.
        Expr::Return(_) | Expr::Break(_) | Expr::Continue(_) => true,
        _ => false,
    }
}

/// Rewrites the calls at the ends of `expr`.
fn at_each_end(expr: &mut Expr, call: &impl Fn(&mut Expr)) {
    let block = |block: &mut Block| match block.stmts.last_mut() {
        Some(Stmt::Expr(last, None)) => at_each_end(last, call),
        Some(last @ Stmt::Macro(_)) => {
            if let Stmt::Macro(tail) = last
                && tail.semi_token.is_none()
            {
                let mut tail = Expr::Verbatim(tail.to_token_stream());
                call(&mut tail);
                *last = Stmt::Expr(tail, None);
            }
        }
        _ => {}
    };
    match expr {
        Expr::Block(inner) => block(&mut inner.block),
        Expr::Unsafe(inner) => block(&mut inner.block),
        Expr::Paren(inner) => at_each_end(&mut inner.expr, call),
        Expr::Group(inner) => at_each_end(&mut inner.expr, call),
        Expr::If(branches) => {
            block(&mut branches.then_branch);
            if let Some((_, other)) = &mut branches.else_branch {
                at_each_end(other, call);
            }
        }
        Expr::Match(arms) => arms.arms.iter_mut().for_each(|arm| at_each_end(&mut arm.body, call)),
        Expr::Call(_) | Expr::MethodCall(_) | Expr::Await(_) | Expr::Macro(_) => call(expr),
        Expr::Verbatim(_) => call(expr),
        _ => {}
    }
}

/// Gives a block braces of the macro's own: the compiler may call the user's needless where they end
/// up.
pub(crate) fn own_braces(expr: &mut Expr) {
    if let Expr::Block(block) = expr {
        block.block.brace_token = token::Brace(Span::mixed_site());
    }
}

/// As [`own_braces`], of a copy.
pub(crate) fn own_block(block: &Block) -> Block {
    Block { brace_token: token::Brace(Span::mixed_site()), stmts: block.stmts.clone() }
}

/// What the type of a value answers to the questions of `probe` in the library, an integer for each: of
/// no type here, so that the compiler decides.
pub(crate) fn answers(at: Span) -> TokenStream {
    quote_spanned!(at=> (0, 0, 0, 0))
}

/// Where `place` is, for messages, but with names of the macro's own.
fn ours(place: Span) -> Span {
    Span::mixed_site().located_at(place)
}
