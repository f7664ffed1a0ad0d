//! From the model to code.
//!
//! Names of instruments are put together here, so that they are literals, checked at compile time.
//! The statics are inside the expansion: in a generic function all instances share them, as they
//! should, since the name is the same.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{
    Expr, ExprLit, ItemFn, Lit, ReturnType, Stmt, Type, parse_quote,
    spanned::Spanned as _,
    token,
    visit_mut::{self, VisitMut},
};

use crate::{
    mark,
    model::{Count, Kind, Name, Observe, Record, Time},
    names::{self, Key},
};

pub(crate) fn count(count: &Count) -> TokenStream {
    let amount = count.amount.as_ref().map_or_else(|| quote!(1), |amount| quote!(#amount));
    dynamic(&count.name, &count.labels, &quote!(Counter), &quote!(add_ordered), &amount)
}

pub(crate) fn gauge(record: &Record) -> TokenStream {
    let value = &record.value;
    dynamic(&record.name, &record.labels, &quote!(Gauge), &quote!(set_ordered), &quote!(#value))
}

pub(crate) fn histogram(record: &Record) -> TokenStream {
    let value = &record.value;
    let (kind, method) = (quote!(Histogram), quote!(record_ordered));
    dynamic(&record.name, &record.labels, &kind, &method, &quote!(#value))
}

/// A static with dynamic labels at the place of the call, and the call.
fn dynamic(
    name: &Name,
    labels: &[(Key, Expr)],
    kind: &TokenStream,
    method: &TokenStream,
    value: &TokenStream,
) -> TokenStream {
    // The keys are in one order, whichever they are written in: the first call registers them for all.
    let mut order: Vec<usize> = (0..labels.len()).collect();
    order.sort_by_key(|&place| &labels[place].0.text);
    let (name, keys) = (&name.text, order.iter().map(|&place| &labels[place].0.text));
    let values = values(labels, &order);
    quote! {{
        static __BELLWETHER_INSTRUMENT: ::bellwether::metric::#kind<::bellwether::label::Dynamic> =
            ::bellwether::metric::#kind::dynamic(#name, "", &[#(#keys),*]);
        ::bellwether::metric::#kind::#method(
            &__BELLWETHER_INSTRUMENT,
            #value,
            &#values,
        )
    }}
}

/// The values of labels in `order`, but evaluated as they are written.
fn values(labels: &[(Key, Expr)], order: &[usize]) -> TokenStream {
    let values = labels.iter().map(|(_, value)| value);
    let values = quote!([#(&(#values) as &dyn ::bellwether::label::Text),*]);
    if order.is_sorted() {
        return values;
    }
    // A `match`, since the temporaries of what it matches live as long as its value is used.
    let written = Ident::new("written", Span::mixed_site());
    quote!(match #values { #written => [#(#written[#order]),*] })
}

pub(crate) fn time(time: Time) -> TokenStream {
    let Time { name, mut expr } = time;
    let timer = timer();
    let has_value = mark::has_value(&expr);
    mark::expression(&mut expr, &timer);
    mark::own_braces(&mut expr);
    let (operation, value) = (operation(&name), value(&expr, has_value));
    quote! {{
        #operation
        let #timer = ::bellwether::observe::Operation::start(&__BELLWETHER_OPERATION);
        #value
    }}
}

pub(crate) fn observe(observe: Observe) -> TokenStream {
    let (start, operation) = (start(&observe), operation(&observe.name));
    let mut function = observe.function;
    let body = match function.sig.asyncness {
        Some(_) => async_body(&mut function, &start),
        None => sync_body(&mut function, &start),
    };
    function.block.stmts =
        vec![Stmt::Expr(Expr::Verbatim(operation), None), Stmt::Expr(Expr::Verbatim(body), None)];
    quote!(#function)
}

/// The body runs in the function itself, in a block of its own: its locals are gone when the end is
/// taken, and the arguments go after it, as they would anyway.
fn sync_body(function: &mut ItemFn, start: &TokenStream) -> TokenStream {
    let timer = timer();
    let has_value = match &function.sig.output {
        ReturnType::Default => false,
        ReturnType::Type(_, ty) => !matches!(**ty, Type::Never(_)),
    };
    let ends_in_value = has_value && mark::ends_in_value(&function.block);
    mark::body(&mut function.block, has_value, &timer);
    // With braces of the macro's own, or the compiler calls them needless.
    function.block.brace_token = token::Brace(Span::mixed_site());
    let value = value(&function.block, ends_in_value);
    quote!({
        let #timer = ::bellwether::observe::__private::Started::enter(#start);
        #value
    })
}

/// The body becomes a future, which sees its own output and its drop: of its marks it needs only what
/// a `?` returned.
fn async_body(function: &mut ItemFn, start: &TokenStream) -> TokenStream {
    let (timer, started) = (timer(), Ident::new("started", Span::mixed_site()));
    let outcome = mark::outcome_of_value();
    mark::async_body(&mut function.block, &timer);
    // As in `sync_body`.
    function.block.brace_token = token::Brace(Span::mixed_site());
    let block = &function.block;
    let (mut ty, after): (Type, _) = match &function.sig.output {
        ReturnType::Default => (parse_quote!(()), None),
        // `!` cannot be named in a body.
        ReturnType::Type(_, ty) if matches!(**ty, Type::Never(_)) => {
            (parse_quote!(()), Some(quote!(; ::core::unreachable!("it never returns"))))
        }
        ReturnType::Type(_, ty) => (ty.as_ref().clone(), None),
    };
    EraseImplTrait.visit_type_mut(&mut ty);
    quote!({
        let #started = #start;
        let #timer = &::bellwether::observe::__private::Marks::new();
        ::bellwether::observe::__private::Started::future(
            #started,
            #timer,
            async move {
                // An `async` block cannot be annotated; a `return` never reached does it.
                if false {
                    return ::bellwether::observe::__private::never::<#ty>();
                }
                #block
            },
            #outcome,
        )
        .await
        #after
    })
}

/// `body`, whose value is asked for its outcome where it has one.
fn value(body: &impl ToTokens, has_value: bool) -> TokenStream {
    let (timer, outcome) = (timer(), mark::outcome_of_value());
    if !has_value {
        return quote!(#body);
    }
    quote!(::bellwether::observe::__private::Marks::value(&#timer, #body, #outcome))
}

/// Starts the span and the timer; what is named in `fields` is read here, and only there.
fn start(observe: &Observe) -> TokenStream {
    let options = &observe.options;
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
            quote_spanned! {at=>
                ::core::option::Option::Some(
                    ::core::convert::Into::<::bellwether::context::SpanContext>::into(#parent),
                )
            }
        }
        None => quote!(::core::option::Option::None),
    };
    let fields = options.fields.iter().map(|(key, value)| field(&key.text, value));
    quote! {
        ::bellwether::observe::__private::start(
            &__BELLWETHER_OPERATION,
            ::bellwether::trace::SpanKind::#kind,
            #parent,
            || ::std::vec![#(#fields),*],
        )
    }
}

fn field(key: &str, value: &Expr) -> TokenStream {
    let at = Span::mixed_site().located_at(value.span());
    let value = match value {
        // A literal lives for ever and need not be copied.
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => {
            quote_spanned!(at=> ::bellwether::label::Value::from(#text))
        }
        _ => quote_spanned!(at=> ::bellwether::observe::Field::to_value(&(#value))),
    };
    quote!(::bellwether::label::KeyValue::new(#key, #value))
}

fn operation(name: &Name) -> TokenStream {
    let (at, base) = (Span::mixed_site().located_at(name.at), &name.text);
    let duration = format!("{base}{}", names::DURATION);
    let active = format!("{base}{}", names::ACTIVE);
    quote_spanned! {at=>
        static __BELLWETHER_OPERATION: ::bellwether::observe::Operation =
            ::bellwether::observe::Operation::new(#base, #duration, #active);
    }
}

/// The timer's name, which the user's code cannot see.
fn timer() -> Ident {
    Ident::new("timer", Span::mixed_site())
}

/// `impl Trait` as `_`: it cannot be named in a body, but is known from the value.
struct EraseImplTrait;

impl VisitMut for EraseImplTrait {
    fn visit_type_mut(&mut self, ty: &mut Type) {
        if matches!(ty, Type::ImplTrait(_)) {
            *ty = parse_quote!(_);
        } else {
            visit_mut::visit_type_mut(self, ty);
        }
    }
}
