//! From the model to code.
//!
//! Names of instruments are put together here, so that they are literals, checked at compile time.
//! The statics are inside the expansion: in a generic function all instances share them, as they
//! should, since the name is the same.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{
    Block, Expr, ExprAsync, ExprLit, Index, ItemFn, Lit, ReturnType, Stmt, Type, parse_quote,
    spanned::Spanned as _, token,
};

use crate::{
    known,
    mark::{self, Extent, Marker},
    model::{Count, Duration, Kind, Name, Observe, Options, Record, Time},
    names::{self, Key},
    root::Root,
    shape::{self, Declared, Wrapping},
};

pub(crate) fn count(count: &Count) -> TokenStream {
    let Count { root, name, amount, labels } = count;
    let amount = amount.as_ref().map_or_else(|| quote!(1), |amount| quote!(#amount));
    dynamic(root, name, labels, &quote!(Counter), &quote!(add_ordered), &amount)
}

pub(crate) fn gauge(record: &Record) -> TokenStream {
    let Record { root, name, value, labels } = record;
    dynamic(root, name, labels, &quote!(Gauge), &quote!(set_ordered), &quote!(#value))
}

pub(crate) fn histogram(record: &Record) -> TokenStream {
    let Record { root, name, value, labels } = record;
    dynamic(root, name, labels, &quote!(Histogram), &quote!(record_ordered), &quote!(#value))
}

/// A static with dynamic labels at the place of the call, and the call.
fn dynamic(
    root: &Root,
    name: &Name,
    labels: &[(Key, Expr)],
    kind: &TokenStream,
    method: &TokenStream,
    value: &TokenStream,
) -> TokenStream {
    // The keys are in one order, whichever they are written in: the first call registers them for all.
    let mut order: Vec<usize> = (0..labels.len()).collect();
    order.sort_by_key(|&place| &labels[place].0.text);
    let keys = order.iter().map(|&place| &labels[place].0.text);
    let values = values(labels, &order);
    quote! {{
        static __BELLWETHER_INSTRUMENT: #root::metric::#kind<#root::label::Dynamic> =
            #root::metric::#kind::dynamic(#name, "", &[#(#keys),*]);
        #root::metric::#kind::#method(
            &__BELLWETHER_INSTRUMENT,
            #value,
            &#values,
        )
    }}
}

/// The values of labels in `order`, but evaluated as they are written.
fn values(labels: &[(Key, Expr)], order: &[usize]) -> TokenStream {
    let values = labels.iter().map(|(_, value)| quote!(&(#value)));
    if order.is_sorted() {
        return list(values);
    }
    // A `match`, since the temporaries of what it matches live as long as its value is used.
    let written = Ident::new("written", Span::mixed_site());
    let places = order.iter().map(|&place| {
        let place = Index::from(place);
        quote!(#written.#place)
    });
    let ordered = list(places);
    quote!(match (#(#values,)*) { #written => #ordered })
}

/// What `label::LabelValues` is for: the first value, and the list of the others.
fn list(values: impl DoubleEndedIterator<Item = TokenStream>) -> TokenStream {
    values.rev().fold(quote!(()), |others, value| quote!((#value, #others)))
}

pub(crate) fn time(time: Time) -> TokenStream {
    let Time { root, name, mut expr } = time;
    let timer = timer();
    let has_value = mark::has_value(&expr);
    let noted = Marker::new(&root, &timer, Extent::Expression).expression(&mut expr);
    mark::own_braces(&mut expr);
    let value = match (has_value, noted) {
        (true, _) => {
            mark::ending(&mut expr, &root);
            value(&root, &expr)
        }
        (false, true) => end(&root, &mark::branch(&expr, &root)),
        (false, false) => quote!(#expr),
    };
    let operation = operation(&root, &name, Duration::Always);
    quote! {{
        #operation
        let #timer = #root::observe::Operation::start(&__BELLWETHER_OPERATION);
        #value
    }}
}

pub(crate) fn observe(observe: Observe) -> TokenStream {
    let Options { root, duration, .. } = &observe.options;
    let (said, operation) = (said(&observe), operation(root, &observe.name, *duration));
    let mut function = observe.function;
    let declared = Declared::of(&function.sig.output);
    let body = if function.sig.asyncness.is_some() {
        async_body(root, &function, &begun(root, &said))
    } else if let Some(block) = shape::only_block(&mut function.block) {
        *block = whole_future(root, block, declared.as_ref(), &begun(root, &said));
        let block = mark::own_block(&function.block);
        quote!(#block)
    } else if declared.is_some() || shape::makes_a_block(&mut function.block) {
        future_body(root, &mut function, declared.as_ref(), &said)
    } else {
        sync_body(root, &mut function, &said)
    };
    // In the user's braces, so that the function as a whole is the user's, and is judged as such.
    function.block.stmts =
        vec![Stmt::Expr(Expr::Verbatim(operation), None), Stmt::Expr(Expr::Verbatim(body), None)];
    quote!(#function)
}

/// The body runs in the function itself, in a block of its own: its locals are gone when the end is
/// taken, and the arguments go after it, as they would anyway.
fn sync_body(root: &Root, function: &mut ItemFn, said: &TokenStream) -> TokenStream {
    let timer = timer();
    let (has_value, never_ends) = match &function.sig.output {
        ReturnType::Default => (false, false),
        ReturnType::Type(_, ty) => {
            let never_ends = matches!(**ty, Type::Never(_));
            (!never_ends, never_ends)
        }
    };
    let ends_in_value = has_value && mark::ends_in_value(&function.block);
    let returned = |returned: &mut Expr| {
        if has_value {
            *returned = Expr::Verbatim(value(root, returned));
        }
    };
    let extent = Extent::Function(&returned);
    let noted = Marker::new(root, &timer, extent).body(&mut function.block);
    let block = mark::own_block(&function.block);
    let value = match (ends_in_value, noted && !never_ends) {
        (true, _) => value(root, &mark::branch(&block, root)),
        (false, true) => end(root, &mark::branch(&block, root)),
        (false, false) => quote!(#block),
    };
    let entered = entered(root, said);
    quote!({
        let #timer = #entered;
        #value
    })
}

/// The body becomes a future, which sees its own output and its drop: of its marks it needs only what
/// a `?` returned.
fn async_body(root: &Root, function: &ItemFn, begun: &TokenStream) -> TokenStream {
    let (ty, after): (Type, _) = match &function.sig.output {
        ReturnType::Default => (parse_quote!(()), None),
        // `!` cannot be named in a body.
        ReturnType::Type(_, ty) if matches!(**ty, Type::Never(_)) => {
            (parse_quote!(()), Some(quote!(; ::core::unreachable!("it never returns"))))
        }
        ReturnType::Type(_, ty) => (shape::nameable(ty), None),
    };
    let block = parse_quote!(async move {});
    let block = ExprAsync { block: function.block.as_ref().clone(), ..block };
    let future = observed(root, &block, Some(&ty), begun);
    quote!({ #future #after })
}

/// The `async` block that is all of a function, observed from its first poll on, as an `async`
/// function is.
fn whole_future(
    root: &Root,
    block: &ExprAsync,
    declared: Option<&Declared>,
    begun: &TokenStream,
) -> ExprAsync {
    let output = declared.and_then(|declared| declared.output.as_ref());
    let future = observed(root, block, output, begun);
    ExprAsync { block: own(future), ..block.clone() }
}

/// A block of the macro's own.
fn own(statements: TokenStream) -> Block {
    let statements = Stmt::Expr(Expr::Verbatim(statements), None);
    Block { brace_token: token::Brace(Span::mixed_site()), stmts: vec![statements] }
}

/// `block` awaited, as the work of what is `begun`.
fn observed(
    root: &Root,
    block: &ExprAsync,
    output: Option<&Type>,
    begun: &TokenStream,
) -> TokenStream {
    let (timer, started) = (timer(), started());
    let (answers, capture) = (mark::answers(Span::mixed_site()), &block.capture);
    let mut body = block.block.clone();
    let noted = Marker::new(root, &timer, Extent::Future).body(&mut body);
    let body = mark::own_block(&body);
    let body = if noted { end(root, &mark::branch(&body, root)) } else { quote!(#body) };
    // An `async` block cannot be annotated; a `return` never reached does it.
    let output = output.map(|ty| {
        quote! {
            if false {
                return #root::observe::__private::never::<#ty>();
            }
        }
    });
    quote! {
        let mut #started = #begun;
        let #timer = &#root::observe::__private::Marks::in_future();
        #root::observe::__private::Started::future(
            &mut #started,
            #timer,
            async #capture {
                #output
                #body
            },
            #answers,
        )
        .await
    }
}

/// The body runs in the function itself, and hands over to the future that it returns.
fn future_body(
    root: &Root,
    function: &mut ItemFn,
    declared: Option<&Declared>,
    said: &TokenStream,
) -> TokenStream {
    let timer = timer();
    let returned = |returned: &mut Expr| hand_over(root, returned, declared);
    let extent = Extent::Function(&returned);
    Marker::new(root, &timer, extent).body(&mut function.block);
    shape::values(&mut function.block, &mut |value| hand_over(root, value, declared));
    let block = mark::own_block(&function.block);
    let entered = entered(root, said);
    quote!({
        let #timer = #entered;
        #block
    })
}

/// Makes `expr` a future that ends the operation: an `async` block from within, any other by one that
/// polls it.
fn hand_over(root: &Root, expr: &mut Expr, declared: Option<&Declared>) {
    let (timer, handed) = (timer(), Ident::new("handed", Span::mixed_site()));
    let runtime = quote!(#root::observe::__private);
    if let Expr::Macro(call) = expr
        && known::never_returns(&call.mac)
    {
        return;
    }
    if let Some(block) = shape::async_block(expr) {
        let output = declared.and_then(|declared| declared.output.as_ref());
        let future = observed(root, block, output, &quote!(#handed));
        block.block = own(future);
        *expr = Expr::Verbatim(quote!({
            let #handed = #runtime::Scope::hand_over(#timer);
            #expr
        }));
        return;
    }
    let answers = mark::answers(Span::mixed_site());
    let Some(Declared { wrapping, ty, .. }) = declared else {
        *expr = Expr::Verbatim(value(root, expr));
        return;
    };
    let future = mark::branch(expr, root);
    *expr = Expr::Verbatim(match wrapping {
        Wrapping::Opaque => quote!(#runtime::follow(#future, #timer, #answers)),
        Wrapping::Pinned => {
            quote!(::std::boxed::Box::pin(#runtime::follow::<#ty, _>(#future, #timer, #answers)))
        }
        Wrapping::Boxed => {
            quote!(::std::boxed::Box::new(#runtime::follow::<#ty, _>(#future, #timer, #answers)))
        }
    });
}

/// `body`, whose value is asked for its outcome.
fn value(root: &Root, body: &impl ToTokens) -> TokenStream {
    let (timer, answers) = (timer(), mark::answers(Span::mixed_site()));
    quote!(#root::observe::__private::value(&#timer, #body, #answers))
}

/// `body`, which has no value, and says nothing but that it got to its end.
fn end(root: &Root, body: &impl ToTokens) -> TokenStream {
    let timer = timer();
    quote!(#root::observe::__private::end(&#timer, #body))
}

/// A future's operation, whose timer and span have started. The timer is first, so that a panic in what
/// is `said` of the span is one of the operation.
fn begun(root: &Root, said: &TokenStream) -> TokenStream {
    let started = started();
    quote! {
        #root::observe::__private::Started::begin(&__BELLWETHER_OPERATION);
        #root::observe::__private::Started::start(&mut #started, #said)
    }
}

/// The same for the body of a function that is not `async`.
fn entered(root: &Root, said: &TokenStream) -> TokenStream {
    quote! {
        #root::observe::__private::Begun::enter(
            #root::observe::__private::Begun::begin(&__BELLWETHER_OPERATION),
            #said
        )
    }
}

/// What is said of the span; what is named in `fields` is read here, and only there.
fn said(observe: &Observe) -> TokenStream {
    let (options, root) = (&observe.options, &observe.options.root);
    let kind = match options.kind {
        Kind::Internal => quote!(Internal),
        Kind::Server => quote!(Server),
        Kind::Client => quote!(Client),
        Kind::Producer => quote!(Producer),
        Kind::Consumer => quote!(Consumer),
    };
    let parent = match &options.parent {
        Some(parent) => {
            let at = Span::mixed_site().located_at(parent.span());
            let root = root.at(at);
            quote_spanned! {at=>
                ::core::option::Option::Some(
                    ::core::convert::Into::<#root::context::Context>::into(#parent),
                )
            }
        }
        None => quote!(::core::option::Option::None),
    };
    let fields = options.fields.iter().map(|(key, value)| field(root, &key.text, value));
    let fields = match options.fields.is_empty() {
        true => quote!(#root::observe::__private::NO_FIELDS),
        false => quote!(::core::option::Option::Some(|| ::std::vec![#(#fields),*])),
    };
    quote! {
        #root::trace::SpanKind::#kind,
        #parent,
        #fields,
    }
}

fn field(root: &Root, key: &str, value: &Expr) -> TokenStream {
    let at = Span::mixed_site().located_at(value.span());
    let root = root.at(at);
    let value = match value {
        // A literal lives for ever and need not be copied.
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => {
            quote_spanned!(at=> #root::label::Value::from_static(#text))
        }
        _ => quote_spanned!(at=> #root::observe::Field::to_value(&(#value))),
    };
    quote!(#root::label::KeyValue::new(#key, #value))
}

fn operation(root: &Root, name: &Name, duration: Duration) -> TokenStream {
    // A constant's own message is the better one, without a static of ours at its place.
    let at = match name {
        Name::Literal { at, .. } => Span::mixed_site().located_at(*at),
        Name::Constant(_) => Span::mixed_site(),
    };
    let [seconds, active] =
        [(names::DURATION, 0_usize), (names::ACTIVE, 1)].map(|(suffix, place)| match name {
            Name::Literal { text, .. } => (text.clone() + suffix).to_token_stream(),
            Name::Constant(_) => quote_spanned!(at=> __BELLWETHER_NAMES.key(#place)),
        });
    let names = matches!(name, Name::Constant(_)).then(|| {
        let suffixes = [names::DURATION, names::ACTIVE];
        quote_spanned! {at=>
            static __BELLWETHER_NAMES: #root::observe::__private::Prefixed =
                #root::observe::__private::Prefixed::new(#name, &[#(#suffixes),*]);
        }
    });
    let always = match duration {
        Duration::Once => TokenStream::new(),
        Duration::Always => quote_spanned!(at=> .always_recorded()),
    };
    quote_spanned! {at=>
        #names
        static __BELLWETHER_OPERATION: #root::observe::Operation =
            #root::observe::Operation::new(#name, #seconds, #active) #always;
    }
}

impl ToTokens for Name {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        match self {
            Self::Literal { text, .. } => text.to_tokens(tokens),
            Self::Constant(constant) => constant.to_tokens(tokens),
        }
    }
}

/// The name of a future's operation.
fn started() -> Ident {
    Ident::new("started", Span::mixed_site())
}

/// The timer's name, which the user's code cannot see.
fn timer() -> Ident {
    Ident::new("timer", Span::mixed_site())
}
