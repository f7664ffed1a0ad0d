//! The shape of a function: whether its work is in a future that it returns, and where that is made.
//!
//! A future is known by the declared type, `impl Future`, `Pin<Box<dyn Future>>` and the names that
//! the crate `futures` has for it, or by an `async` block at the place of the value, boxed or not, as
//! `#[async_trait]` writes it.

use syn::{
    AngleBracketedGenericArguments, Block, Expr, ExprAsync, GenericArgument, Path, PathArguments,
    PathSegment, ReturnType, Stmt, Type, TypeParamBound, parse_quote,
    visit_mut::{self, VisitMut},
};

/// The type of a returned future.
#[derive(Clone)]
pub(crate) struct Declared {
    pub(crate) wrapping: Wrapping,
    /// The type itself, as a body may name it.
    pub(crate) ty: Type,
    /// The type of what it is ready with, where that is said.
    pub(crate) output: Option<Type>,
}

/// What a future that follows another is put in, to have its type.
#[derive(Clone, Copy)]
pub(crate) enum Wrapping {
    /// `impl Future`: nothing.
    Opaque,
    /// `Pin<Box<..>>`.
    Pinned,
    /// `Box<..>`.
    Boxed,
}

impl Declared {
    /// The future that a function returns by its type.
    pub(crate) fn of(output: &ReturnType) -> Option<Self> {
        let ReturnType::Type(_, ty) = output else { return None };
        let (wrapping, output) = match &**ty {
            Type::ImplTrait(opaque) => (Wrapping::Opaque, of_bounds(opaque.bounds.iter())?),
            Type::Path(named) => of_path(&named.path)?,
            _ => return None,
        };
        Some(Self { wrapping, ty: nameable(ty), output: output.as_ref().map(nameable) })
    }
}

fn of_path(path: &Path) -> Option<(Wrapping, Option<Type>)> {
    let last = path.segments.last()?;
    if last.ident == "BoxFuture" || last.ident == "LocalBoxFuture" {
        return Some((Wrapping::Pinned, types(last).last().cloned()));
    }
    if last.ident == "Box" {
        return Some((Wrapping::Boxed, of_pointee(types(last).next()?)?));
    }
    let Type::Path(inner) = types(last).next()? else { return None };
    let inner = inner.path.segments.last()?;
    let is_pinned_box = last.ident == "Pin" && inner.ident == "Box";
    let output = of_pointee(types(inner).next().filter(|_| is_pinned_box)?)?;
    Some((Wrapping::Pinned, output))
}

fn of_pointee(ty: &Type) -> Option<Option<Type>> {
    match ty {
        Type::TraitObject(object) => of_bounds(object.bounds.iter()),
        Type::ImplTrait(opaque) => of_bounds(opaque.bounds.iter()),
        Type::Paren(inner) => of_pointee(&inner.elem),
        Type::Group(inner) => of_pointee(&inner.elem),
        _ => None,
    }
}

/// What a future with these bounds is ready with; `None` if it is none, or has to be something else
/// besides, which the future that follows it may not be.
fn of_bounds<'a>(bounds: impl Iterator<Item = &'a TypeParamBound>) -> Option<Option<Type>> {
    const BESIDES: [&str; 4] = ["Send", "Sync", "Unpin", "Captures"];
    let mut future = None;
    for bound in bounds {
        let TypeParamBound::Trait(bound) = bound else { continue };
        let last = bound.path.segments.last()?;
        if last.ident == "Future" {
            future = Some(output_of(last));
        } else if last.ident == "TryFuture" {
            future = Some(None);
        } else if !BESIDES.iter().any(|known| last.ident == known) {
            return None;
        }
    }
    future
}

/// `T` of `Future<Output = T>`.
fn output_of(future: &PathSegment) -> Option<Type> {
    arguments(future)?.args.iter().find_map(|argument| match argument {
        GenericArgument::AssocType(bound) if bound.ident == "Output" => Some(bound.ty.clone()),
        _ => None,
    })
}

fn types(segment: &PathSegment) -> impl Iterator<Item = &Type> {
    let arguments = arguments(segment).into_iter().flat_map(|arguments| &arguments.args);
    arguments.filter_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    })
}

fn arguments(segment: &PathSegment) -> Option<&AngleBracketedGenericArguments> {
    match &segment.arguments {
        PathArguments::AngleBracketed(arguments) => Some(arguments),
        _ => None,
    }
}

/// The `async` block that is all that a function does, in the place of its value.
pub(crate) fn only_block(body: &mut Block) -> Option<&mut ExprAsync> {
    let (last, before) = body.stmts.split_last_mut()?;
    match last {
        Stmt::Expr(last, None) if before.iter().all(|one| matches!(one, Stmt::Item(_))) => {
            async_block(last)
        }
        _ => None,
    }
}

/// The `async` block that `expr` makes a value of, perhaps boxed.
pub(crate) fn async_block(expr: &mut Expr) -> Option<&mut ExprAsync> {
    const METHODS: [&str; 8] = [
        "boxed",
        "boxed_local",
        "fuse",
        "into",
        "instrument",
        "in_span",
        "try_in_span",
        "in_current_span",
    ];
    match expr {
        Expr::Async(block) => Some(block),
        Expr::Paren(inner) => async_block(&mut inner.expr),
        Expr::Group(inner) => async_block(&mut inner.expr),
        Expr::Cast(inner) => async_block(&mut inner.expr),
        Expr::MethodCall(call) if METHODS.iter().any(|name| call.method == name) => {
            async_block(&mut call.receiver)
        }
        Expr::Call(call) if call.args.len() == 1 && boxes(&call.func) => {
            call.args.first_mut().and_then(async_block)
        }
        _ => None,
    }
}

/// `Box::pin`, `Box::new`, `Pin::from`.
fn boxes(function: &Expr) -> bool {
    let Expr::Path(function) = function else { return false };
    let mut path = function.path.segments.iter().rev();
    let (Some(name), Some(ty)) = (path.next(), path.next()) else { return false };
    ["pin", "new", "from"].iter().any(|known| name.ident == known)
        && ["Box", "Pin"].iter().any(|known| ty.ident == known)
}

/// Calls `each` with every expression that may be the value of `block`, save those that have none.
pub(crate) fn values(block: &mut Block, each: &mut impl FnMut(&mut Expr)) {
    if let Some(Stmt::Expr(last, None)) = block.stmts.last_mut() {
        values_of(last, each);
    }
}

fn values_of(expr: &mut Expr, each: &mut impl FnMut(&mut Expr)) {
    match expr {
        Expr::Block(inner) if inner.label.is_none() => values(&mut inner.block, each),
        Expr::Unsafe(inner) => values(&mut inner.block, each),
        Expr::Paren(inner) => values_of(&mut inner.expr, each),
        Expr::Group(inner) => values_of(&mut inner.expr, each),
        Expr::If(branches) => {
            values(&mut branches.then_branch, each);
            if let Some((_, other)) = &mut branches.else_branch {
                values_of(other, each);
            }
        }
        Expr::Match(arms) => {
            for arm in &mut arms.arms {
                values_of(&mut arm.body, each);
            }
        }
        Expr::Return(_) | Expr::Break(_) | Expr::Continue(_) => {}
        _ => each(expr),
    }
}

/// Whether `block` has an `async` block for a value, at its end or where it returns.
pub(crate) fn makes_a_block(block: &mut Block) -> bool {
    struct Returns(bool);
    impl VisitMut for Returns {
        fn visit_expr_mut(&mut self, expr: &mut Expr) {
            match expr {
                Expr::Closure(_) | Expr::Async(_) | Expr::Const(_) => {}
                Expr::Return(leaving) => {
                    if let Some(value) = &mut leaving.expr {
                        self.0 |= async_block(value).is_some();
                    }
                }
                _ => visit_mut::visit_expr_mut(self, expr),
            }
        }
        fn visit_item_mut(&mut self, _: &mut syn::Item) {}
    }
    let mut returns = Returns(false);
    returns.visit_block_mut(block);
    values(block, &mut |value| returns.0 |= async_block(value).is_some());
    returns.0
}

/// The type with `_` for each `impl Trait`, which cannot be named in a body, but is known from the
/// value.
pub(crate) fn nameable(ty: &Type) -> Type {
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
    let mut ty = ty.clone();
    EraseImplTrait.visit_type_mut(&mut ty);
    ty
}
