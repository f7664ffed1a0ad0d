//! The macros: one for each level, and what they have in common.

/// Logs an error: `error!("message {}", argument, key = value, ...)`.
///
/// Something has failed. See [`info!`](crate::info!) for what can be written.
///
/// # Examples
///
/// ```
/// let reason = "".parse::<u8>().unwrap_err();
/// bellwether::error!("the order cannot be read", order = 7, reason = %reason);
/// ```
#[macro_export]
macro_rules! error {
    ($($args:tt)+) => { $crate::__log!($crate::log::LogSeverity::ERROR, $($args)+) };
}

/// Logs a warning: `warn!("message {}", argument, key = value, ...)`.
///
/// Something is odd, and the work goes on. See [`info!`](crate::info!) for what can be written.
#[macro_export]
macro_rules! warn {
    ($($args:tt)+) => { $crate::__log!($crate::log::LogSeverity::WARN, $($args)+) };
}

/// Logs what happens in the ordinary course: `info!("message {}", argument, key = value, ...)`.
///
/// The message is a literal as for [`format!`], and arguments without a name belong to it. What has a name
/// is an attribute: the key is an identifier (a keyword too), some with dots between them, or a string
/// literal; the value anything that makes a [`Value`](crate::label::Value), or with `%` before it what it
/// displays, or with `?` its debug form. Variables in braces are taken from where the macro stands, never
/// from attributes.
///
/// `target: "name"` before the message sets another target than the path of the module.
///
/// Arguments are evaluated only if the record is kept. A message without arguments is not copied. A record
/// that is kept has the trace and span ids of the thread.
///
/// # Examples
///
/// ```
/// use bellwether::info;
///
/// let (cart, user) = (7, "ann");
/// info!("cart {cart} is paid");
/// info!("{} of {} items are sent", 2, 3, cart.id = cart, "user.name" = user, size = ?(1, 2));
/// info!(target: "audit", "signed in", user = user);
/// ```
#[macro_export]
macro_rules! info {
    ($($args:tt)+) => { $crate::__log!($crate::log::LogSeverity::INFO, $($args)+) };
}

/// Logs what helps to find a fault: `debug!("message {}", argument, key = value, ...)`.
///
/// See [`info!`](crate::info!) for what can be written.
#[macro_export]
macro_rules! debug {
    ($($args:tt)+) => { $crate::__log!($crate::log::LogSeverity::DEBUG, $($args)+) };
}

/// Logs the finest details: `trace!("message {}", argument, key = value, ...)`.
///
/// See [`info!`](crate::info!) for what can be written.
#[macro_export]
macro_rules! trace {
    ($($args:tt)+) => { $crate::__log!($crate::log::LogSeverity::TRACE, $($args)+) };
}

/// A call site, and a record of it where that is kept.
#[doc(hidden)]
#[macro_export]
macro_rules! __log {
    ($severity:expr, target: $target:expr, $message:literal $($args:tt)*) => {{
        // Items have no hygiene: what the user wrote is read in the scope of this name.
        static __BELLWETHER_CALL_SITE: $crate::log::CallSite = $crate::log::CallSite::new(
            $severity,
            $target,
            ::core::file!(),
            ::core::line!(),
        );
        if __BELLWETHER_CALL_SITE.is_enabled() {
            let record = $crate::log::begin(&__BELLWETHER_CALL_SITE);
            if let ::core::option::Option::Some(mut record) = record {
                $crate::__log_parts!(record [$message] $($args)*);
                $crate::log::take(record);
            }
        }
    }};
    ($severity:expr, $message:literal $($args:tt)*) => {
        $crate::__log!($severity, target: ::core::module_path!(), $message $($args)*)
    };
}

/// Reads what stands behind the message, part by part; in brackets, the message and its arguments.
#[doc(hidden)]
#[macro_export]
macro_rules! __log_parts {
    ($record:ident [$($message:tt)+] $(,)?) => {
        $record.print_body(::core::format_args!($($message)+));
    };
    ($record:ident $message:tt,
     $key:ident $(. $more:ident)* = % $value:expr $(, $($rest:tt)*)?) => {
        $record.print_attribute(
            $crate::__log_key!($key $(. $more)*),
            ::core::format_args!("{}", $value),
        );
        $crate::__log_parts!($record $message $(, $($rest)*)?);
    };
    ($record:ident $message:tt,
     $key:ident $(. $more:ident)* = ? $value:expr $(, $($rest:tt)*)?) => {
        $record.print_attribute(
            $crate::__log_key!($key $(. $more)*),
            ::core::format_args!("{:?}", $value),
        );
        $crate::__log_parts!($record $message $(, $($rest)*)?);
    };
    ($record:ident $message:tt,
     $key:ident $(. $more:ident)* = $value:expr $(, $($rest:tt)*)?) => {
        $record.set_attribute(
            $crate::__log_key!($key $(. $more)*),
            $value,
        );
        $crate::__log_parts!($record $message $(, $($rest)*)?);
    };
    ($record:ident $message:tt, $key:literal = % $value:expr $(, $($rest:tt)*)?) => {
        $record.print_attribute($key, ::core::format_args!("{}", $value));
        $crate::__log_parts!($record $message $(, $($rest)*)?);
    };
    ($record:ident $message:tt, $key:literal = ? $value:expr $(, $($rest:tt)*)?) => {
        $record.print_attribute($key, ::core::format_args!("{:?}", $value));
        $crate::__log_parts!($record $message $(, $($rest)*)?);
    };
    ($record:ident $message:tt, $key:literal = $value:expr $(, $($rest:tt)*)?) => {
        $record.set_attribute($key, $value);
        $crate::__log_parts!($record $message $(, $($rest)*)?);
    };
    ($record:ident [$($message:tt)+], $argument:expr $(, $($rest:tt)*)?) => {
        $crate::__log_parts!($record [$($message)+, $argument] $(, $($rest)*)?);
    };
}

/// The text of a key that is not a literal.
#[doc(hidden)]
#[macro_export]
macro_rules! __log_key {
    ($key:ident $(. $more:ident)*) => {
        const {
            $crate::log::plain_key(
                ::core::concat!(::core::stringify!($key) $(, ".", ::core::stringify!($more))*),
            )
        }
    };
}

/// A key without the mark of a raw identifier, which a keyword needs where it is an argument of another macro.
///
/// # Panics
///
/// Panics, which is while it is compiled, if a later part of the key has the mark: it needs none there.
#[doc(hidden)]
#[must_use]
pub const fn plain_key(key: &'static str) -> &'static str {
    let key = match key.as_bytes() {
        [b'r', b'#', ..] => key.split_at(2).1,
        _ => key,
    };
    let mut rest = key.as_bytes();
    while let [first, more @ ..] = rest {
        assert!(*first != b'#', "a keyword behind a dot needs no `r#`");
        rest = more;
    }
    key
}
