//! The macros, and what users read of them.

/// Makes a type the labels of a series.
///
/// Of a struct with named fields, each field is a label, and its name is the key. A field is text, a
/// whole number, a `bool`, a `char`, an IP address, with the feature `http` its `Method` or
/// `StatusCode`, an enum with this derive, or an `Option` of one, whose `None` is the empty value that
/// Prometheus reads as no label; other types implement [`LabelValue`](crate::label::LabelValue).
///
/// An enum without fields is a value: its variants in snake_case. It may be used alone too; the key is
/// then the enum's name in snake_case.
///
/// # Closed sets
///
/// Where every field has a fixed number of values, the set is closed: its series is computed and not
/// looked up. An enum and a `bool` have; a number or a text has where its field says so:
///
/// - `#[label(range = 0..=9)]` at a whole number: these numbers, written as literals.
/// - `#[label(values = ["GET", "POST"])]` at text: these texts.
/// - `#[label(intern = 100)]` at text: the first 100 different texts that come, of at most 1,024 bytes
///   each, kept for the life of the process. To find one takes a hash of the text and no lock; to keep
///   a new one takes a lock and memory. All instances of a generic type share the texts. Each look-up
///   of another text is counted in `telemetry.labels.overflowed`; of a set that is not closed, a record
///   takes two or more.
///
/// Any other value is `other`, or what `#[label(.., other = "_OTHER")]` says. A set of more than 65,536
/// combinations, the others and `None` included, is looked up like an open one.
///
/// # Names
///
/// - `#[label(name = "http.route")]` at a field is its key, at a variant the value, at an enum the key.
/// - `#[label(rename_all = "kebab-case")]` at an enum writes all its values so, and at a struct its
///   keys: `lowercase`, `UPPERCASE`, `PascalCase`, `camelCase`, `snake_case`, `SCREAMING_SNAKE_CASE`,
///   `kebab-case` or `SCREAMING-KEBAB-CASE`. A `name` wins.
/// - `#[label(skip)]` at a field: it is no label.
/// - `#[label(crate = observed)]` at a struct or an enum, or `crate = "observed"`: where this crate is,
///   if it has another name or is reached through another crate. [`#[observe]`](macro@observe) takes
///   the same; the other macros find it by themselves.
///
/// # Sets in sets
///
/// `#[label(flatten)]` at a field whose type has this derive takes its labels in, and
/// `#[label(flatten, prefix = "peer.")]` puts a prefix before their keys. Two labels with one key are
/// an error of the build, in a generic type where it is used. There are at most 64 keys.
///
/// # Examples
///
/// ```
/// use bellwether::{Counter, Labels};
///
/// #[derive(Labels, Clone, Copy)]
/// struct Req {
///     method: Method,
///     #[label(name = "http.response.class")]
///     status: StatusClass,
/// }
///
/// #[derive(Labels, Clone, Copy)]
/// enum Method {
///     #[label(name = "GET")]
///     Get,
///     #[label(name = "POST")]
///     Post,
/// }
///
/// #[derive(Labels, Clone, Copy)]
/// enum StatusClass {
///     Success,
///     ServerError,
/// }
///
/// static REQUESTS: Counter<Req> = Counter::new("shop.requests", "Requests served");
///
/// let hot = REQUESTS.bind(Req { method: Method::Get, status: StatusClass::Success });
/// hot.inc();
/// assert_eq!(hot.value(), 1);
/// assert_eq!(Req::CARDINALITY, Some(4));
/// ```
///
/// Declared values, and a set in a set:
///
/// ```
/// use bellwether::Labels;
///
/// #[derive(Labels)]
/// struct Query<'a> {
///     #[label(values = ["SELECT", "INSERT"])]
///     statement: &'a str,
///     #[label(flatten, prefix = "db.")]
///     target: Target,
/// }
///
/// #[derive(Labels)]
/// struct Target {
///     #[label(range = 0..=15)]
///     shard: Option<u8>,
///     #[label(intern = 10)]
///     table: String,
/// }
///
/// let target = Target { shard: Some(200), table: "carts".to_owned() };
/// let query = Query { statement: "EXPLAIN", target };
/// assert_eq!(Query::KEYS, ["statement", "db.shard", "db.table"]);
/// assert_eq!(Query::at(query.index()), ["other", "other", "carts"]);
/// assert_eq!(Query::CARDINALITY, Some((2 + 1) * (1 + 16 + 1) * (10 + 1)));
/// ```
///
/// Fields have names, keys are legal (`[A-Za-z_][A-Za-z0-9_.]*`), and a union is no set of labels:
///
/// ```compile_fail
/// #[derive(bellwether::Labels)]
/// struct Pair(bool, bool);
/// ```
///
/// ```compile_fail
/// #[derive(bellwether::Labels)]
/// struct Req {
///     #[label(name = "http route")]
///     route: String,
/// }
/// ```
///
/// ```compile_fail
/// #[derive(bellwether::Labels)]
/// struct Pair {
///     zone: bool,
///     #[label(flatten)]
///     other: Other,
/// }
///
/// #[derive(bellwether::Labels)]
/// struct Other {
///     zone: bool,
/// }
/// ```
///
/// ```compile_fail
/// #[derive(bellwether::Labels)]
/// union Either {
///     a: u8,
///     b: i8,
/// }
/// ```
#[doc(inline)]
pub use bellwether_macros::Labels;

/// Adds to a counter whose labels are named on the spot: `count!("name", key = value, ...)`.
///
/// Adds one, or `by = n` (a `u64`) where that stands right after the name. A key is an identifier or
/// a string literal; `key` alone is `key = key`. A value is anything that can be a field of
/// [`Labels`](derive@Labels), and is only read.
///
/// Series are looked up by their values at each call; a [`Counter`](crate::Counter) with derived
/// labels, or a bound one, is faster. All calls with one name need the same keys, in
/// any order.
///
/// # Examples
///
/// ```
/// use bellwether::count;
///
/// let (route, sent) = (String::from("/catalog"), 1_500);
/// const HITS: &str = "cache.hits";
/// count!(HITS, tier = "l1");
/// count!("bytes.sent", by = sent, "http.route" = route);
/// ```
///
/// The name is a literal or a constant, and legal (a letter, then letters, digits, `_`, `.`, `-` and
/// `/`, at most 255), and so are the keys:
///
/// ```compile_fail
/// bellwether::count!("cache hits", tier = "l1");
/// ```
///
/// ```compile_fail
/// bellwether::count!("cache.hits", "9tier" = "l1");
/// ```
///
/// ```compile_fail
/// let name = "cache.hits";
/// bellwether::count!(name, tier = "l1");
/// ```
#[macro_export]
macro_rules! count {
    ($($arguments:tt)*) => {
        $crate::observe::__private::count!(crate = $crate, $($arguments)*)
    };
}

/// Sets a gauge whose labels are named on the spot: `gauge!("name", value, key = value, ...)`.
///
/// The value is an `f64`. Names and labels are as those of [`count!`](macro@count); all calls with one
/// name need the same keys, in any order.
///
/// # Examples
///
/// ```
/// use bellwether::gauge;
///
/// let room = String::from("attic");
/// gauge!("room.temperature", 20.5, room, "sensor.id" = 7);
/// # use bellwether::metric::{Registry, SeriesValue};
/// # let snapshot = Registry::global().snapshot();
/// # let value = snapshot.value("room.temperature", &[("room", "attic"), ("sensor.id", "7")]);
/// # assert_eq!(value.map(SeriesValue::as_f64), Some(20.5));
/// ```
///
/// ```compile_fail
/// bellwether::gauge!("room.temperature");
/// ```
#[macro_export]
macro_rules! gauge {
    ($($arguments:tt)*) => {
        $crate::observe::__private::gauge!(crate = $crate, $($arguments)*)
    };
}

/// Records in a histogram whose labels are named on the spot:
/// `histogram!("name", value, key = value, ...)`.
///
/// The value is an `f64` or a [`Duration`](std::time::Duration), as seconds. Names and labels are as
/// those of [`count!`](macro@count); all calls with one name need the same keys, in any order.
///
/// # Examples
///
/// ```
/// use bellwether::histogram;
///
/// histogram!("page.size", 17_000.0, route = "/catalog");
/// # use bellwether::metric::{Registry, SeriesValue};
/// # let snapshot = Registry::global().snapshot();
/// # let value = snapshot.value("page.size", &[("route", "/catalog")]);
/// # assert_eq!(value.map(SeriesValue::as_f64), Some(1.0));
/// ```
#[macro_export]
macro_rules! histogram {
    ($($arguments:tt)*) => {
        $crate::observe::__private::histogram!(crate = $crate, $($arguments)*)
    };
}

/// Times a function, says how it ended, and gives it a span.
///
/// The function, `async` or not, free or a method, records the histogram `NAME.duration` in seconds
/// with the label `outcome`, keeps the up-down counter `NAME.active`, and is a span called `NAME`.
/// Both share their two time stamps.
///
/// - `name = "checkout"`, or a constant: by default the function's name, without its module, so that
///   two functions of one name share their series.
/// - `kind = server`: `internal` (the default), `server`, `client`, `producer` or `consumer`.
/// - `parent = EXPR`: a [`Context`](crate::context::Context) or what converts into one; by
///   default what is current. One that is not valid makes the span a root.
/// - `fields(cart = cart.id, user, "http.route" = "/x")`: attributes of the span, read at the start
///   and only where the span is recorded; each is a [`Field`](super::Field), and `user` alone is
///   `user = user`. Arguments are recorded nowhere else.
/// - `duration = always`: the histogram has every call; by default, `once`, a bundle may take its place
///   ([below](#measured-once)).
/// - `crate = observed`: where this crate is, as `#[label(crate = ..)]` of
///   [`Labels`](derive@Labels) says it.
///
/// # Measured once
///
/// A request that a function serves with [`HttpServer`](crate::bundle::HttpServer), or a message that it
/// processes from a [`Queue`](crate::bundle::Queue), is the same operation as the function, and those
/// measure it in more detail. So a call in which one of them was started, by the function itself or by
/// what it calls, is not recorded in `NAME.duration` too. Where observed functions call one another, that
/// holds for the innermost of them alone. The span is as it would be, and `NAME.active` counts the call while
/// it is under way: whether something will measure it is not known when it begins.
///
/// A call that starts two or more is a batch, an operation besides its parts, and is recorded. A function
/// that takes a batch of any size, a single one included, says `duration = always`, and so does one that
/// shall be in both histograms. A function that is called while a request is already under way, as by a
/// middleware, is a part of that request, and is recorded. Clients, databases, caches and pools are what an
/// operation uses: whether it is recorded does not depend on them.
///
/// ```
/// use bellwether::{bundle::HttpServer, observe, testing};
///
/// static HTTP: HttpServer = HttpServer::new();
///
/// #[observe(kind = server)]
/// fn order() {
///     HTTP.start("GET", "/orders").end(200);
/// }
///
/// #[observe(kind = server, duration = always)]
/// fn cancel() {
///     HTTP.start("DELETE", "/orders").end(204);
/// }
///
/// let scope = testing::scope();
/// order();
/// cancel();
/// let snapshot = scope.snapshot();
/// let requests = snapshot.family("http.server.request.duration").unwrap();
/// assert_eq!(requests.series().len(), 2);
/// assert!(snapshot.value("order.duration", &[("outcome", "ok")]).is_none());
/// scope.assert_value("cancel.duration", &[("outcome", "ok")], 1.0);
/// ```
///
/// # Outcomes
///
/// An `Err` that is returned, at the end or by `return`, and all that `?` returns, a `None` too, is
/// `error`, and the status of the span unless somebody set one. So is what a macro returns that is
/// called `bail` or `ensure`, or that has a `?` in it. A panic that began inside is `panic`, in `parent`
/// or `fields` too. A future that is dropped before it is ready is `cancelled`; one that is never polled
/// records nothing. All else is `ok`.
///
/// # What failed
///
/// Of an `Err`, the span has the text as the description of its status, `error.type` with the name of
/// the type, and an event `exception`: `exception.type`, `exception.message` and, where the error has
/// sources, `exception.stacktrace` with a line `Caused by: ..` for each. An [`Error`](std::error::Error)
/// has all of that, also in a `Box<dyn Error>` or an `anyhow::Error`; what only has `Display` has no
/// sources, and any other type only its name. A generic function knows of its parameters what its
/// bounds say. The type in a `Box<dyn Error>` is not known, and is `_OTHER`.
///
/// A status and an `error.type` that were set before stay, and an error that was the newest `exception`
/// of the span gets no second event. Nothing is formatted where the span is not recorded. Texts are
/// limited ([`SpanLimits`](crate::trace::SpanLimits)), redacted
/// ([`redact_errors`](crate::Builder::redact_errors)) and switched off
/// ([`without_error_texts`](crate::Builder::without_error_texts)) in one place.
///
/// Of a `?`, a function without `async` takes the error as it is before the conversion to what the
/// function returns; a future takes what it is ready with. What leaves a function without `async` from
/// within another macro (`bail!`, `vec![a?]`) is an error of which nothing is known.
///
/// # Functions that return a future
///
/// One without `async` ends with the future that it returns, as far as that can be seen: where the
/// type says so (`impl Future`, `Pin<Box<dyn Future>>`, `Box<dyn Future>`, `BoxFuture`,
/// `LocalBoxFuture`), and where the value is an `async` block, boxed or not. A function that is such a
/// block and nothing else, as `#[async_trait]` writes it, is observed as an `async` one. Any other
/// begins with the call, and is `cancelled` if its future is dropped without being polled. Of a future
/// that is made elsewhere, a `None` is `ok`, and a boxed one is boxed once more. A function that returns
/// a future of a named type (`Ready`, `JoinHandle`) ends when it returns.
///
/// # Examples
///
/// ```
/// use std::num::ParseIntError;
///
/// struct Cart {
///     id: u64,
///     total: String,
/// }
///
/// #[bellwether::observe(name = "checkout", kind = server, fields(cart = cart.id))]
/// async fn checkout(cart: &Cart) -> Result<u64, ParseIntError> {
///     let total: u64 = cart.total.parse()?;
///     pay(total).await;
///     Ok(total)
/// }
///
/// #[bellwether::observe]
/// async fn pay(total: u64) {}
/// # drop(checkout(&Cart { id: 1, total: "5".into() }));
/// ```
///
/// ```
/// use bellwether::{observe, testing, trace::Status};
///
/// #[observe]
/// fn total(cart: &str) -> Result<u64, std::num::ParseIntError> {
///     Ok(cart.parse::<u64>()? + 1)
/// }
///
/// let scope = testing::scope();
/// assert!(total("five").is_err());
/// let span = scope.span("total");
/// assert_eq!(span.status(), &Status::Error("invalid digit found in string".into()));
/// assert_eq!(span.attributes()[0].key, "error.type");
/// assert_eq!(span.attributes()[0].value.to_string(), "core::num::error::ParseIntError");
/// ```
///
/// Anything else is an error of the build:
///
/// ```compile_fail
/// #[bellwether::observe(nam = "checkout")]
/// fn checkout() {}
/// ```
///
/// ```compile_fail
/// #[bellwether::observe(name = "check out")]
/// fn checkout() {}
/// ```
#[doc(inline)]
pub use bellwether_macros::observe;

/// Times an expression and says how it ended: `time!("db.query", expr)`.
///
/// Its value is the expression's. It records the histogram `db.query.duration` in seconds with the
/// label `outcome`, and keeps the up-down counter `db.query.active`. It is no span; for that there is
/// [`#[observe]`](macro@observe).
///
/// # Outcomes
///
/// - `error`: the value is an `Err`, or a `?` left the expression.
/// - `panic`: a panic that was not under way at the start unwound through it.
/// - `cancelled`: the future around it was dropped in one of its `.await`s. If it is never polled so
///   far, nothing is recorded.
/// - `ok`: all else, `return` and `break` out of the expression among it.
///
/// Only what stands in the expression is seen: closures and `async` blocks in it are values. The
/// arguments of the standard library's macros are looked into, those of `tokio::join!` and
/// `futures::join!`, and the arms of a `select!`. Any other macro call stays as it is: leaving it is an
/// error if there is a `?` in it or it is called `bail` or `ensure`, and else cancelled if there is an
/// `await` in it.
///
/// The error of an `Err`, or of a `?`, is an event `exception` of the current span, if that is recorded,
/// as [`#[observe]`](macro@observe) has it; the status of the span stays as it is. Where the error
/// goes on through other operations of the span, it gets no second event.
///
/// The value must not borrow from temporaries of the expression: they are dropped at its end.
///
/// # Examples
///
/// ```
/// use bellwether::time;
///
/// fn total(cart: &str) -> Result<u64, std::num::ParseIntError> {
///     let total = time!("cart.total", cart.parse::<u64>()?);
///     Ok(total)
/// }
///
/// assert_eq!(total("12"), Ok(12));
/// assert!(total("x").is_err());
/// # use bellwether::metric::{Registry, SeriesValue};
/// let snapshot = Registry::global().snapshot();
/// let errors = snapshot.value("cart.total.duration", &[("outcome", "error")]);
/// assert_eq!(errors.map(SeriesValue::as_f64), Some(1.0));
/// ```
///
/// The name is a literal or a constant, legal with the suffix, and the expression is there:
///
/// ```compile_fail
/// bellwether::time!("db query", 1 + 1);
/// ```
///
/// ```compile_fail
/// bellwether::time!("db.query");
/// ```
///
/// ```compile_fail
/// let name = "db.query";
/// bellwether::time!(name, 1 + 1);
/// ```
#[macro_export]
macro_rules! time {
    ($($arguments:tt)*) => {
        $crate::observe::__private::time!(crate = $crate, $($arguments)*)
    };
}
