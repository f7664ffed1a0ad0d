//! Which records are kept, by level and target: `RUST_LOG`'s syntax.
//!
//! One word says both what the lowest level is that any target has, and which filter it is of. So a call
//! that is out costs one relaxed load and a comparison, and a call site that has asked this filter before
//! costs one load more.

use std::{
    cell::Cell,
    cmp::Reverse,
    fmt,
    str::FromStr,
    sync::{Arc, OnceLock},
};

use super::LogSeverity;
use crate::{
    context,
    error::{Error, ErrorKind},
    label,
    sync::{
        Mutex,
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    util::{per_process::PerProcess, process},
};

/// Which log records are kept, by their level and their target.
///
/// The syntax is that of `RUST_LOG`: directives with commas between them. `info` is for all targets,
/// `shop::pay=debug` for those that begin with `shop::pay`, `hyper=off` keeps nothing of `hyper`, and
/// `shop` alone keeps everything of `shop`. The directive with the longest target that fits counts; of two
/// equal ones, the later. Without a directive that fits, a record is not kept. Levels are those of
/// [`LogSeverity`]'s names in any case, `off`, or 0 to 5.
///
/// Filters by fields of spans (`[span{field=value}]`) and by regular expressions (`/text`), which some
/// readers of `RUST_LOG` know, are errors here.
///
/// # Examples
///
/// ```
/// use bellwether::log::{LogFilter, LogSeverity};
///
/// let filter: LogFilter = "info,shop::pay=debug,hyper=off".parse()?;
/// assert!(filter.keeps(LogSeverity::DEBUG, "shop::pay::card"));
/// assert!(!filter.keeps(LogSeverity::DEBUG, "shop"));
/// assert!(!filter.keeps(LogSeverity::ERROR, "hyper::proto"));
/// let error = "info,shop=loud".parse::<LogFilter>().unwrap_err();
/// assert_eq!(error.to_string(), r#"log filter: in "shop=loud": "loud" is no level: trace, debug, info, warn, error, off"#);
/// # Ok::<(), bellwether::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFilter {
    directives: Vec<Directive>, // The longest targets first.
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Directive {
    target: String,
    at_least: u8, // A severity's number; `OFF` keeps nothing.
}

/// More than any severity's number.
const OFF: u8 = 25;

/// The most directives of a filter: arbitrary, far more than people write.
const MOST_DIRECTIVES: usize = 1024;

impl LogFilter {
    /// Keeps what is at least as grave as `severity`, of all targets.
    #[must_use]
    pub fn at_least(severity: LogSeverity) -> Self {
        let directive = Directive { target: String::new(), at_least: severity.number() };
        Self { directives: vec![directive] }
    }

    /// Keeps nothing.
    #[must_use]
    pub const fn off() -> Self {
        Self { directives: Vec::new() }
    }

    /// The filter of the environment variable `RUST_LOG`; without it, or where nothing in it can be read,
    /// `info` for all targets. Directives that cannot be read are handed to `fault` with the reason, and the
    /// others hold.
    pub(crate) fn from_env(mut fault: impl FnMut(Error)) -> Self {
        let text = std::env::var_os("RUST_LOG").unwrap_or_default();
        Self::of_variable(&text.to_string_lossy(), &mut fault)
    }

    fn of_variable(text: &str, fault: &mut impl FnMut(Error)) -> Self {
        let filter = Self::read(text, fault);
        if filter.directives.is_empty() { Self::at_least(LogSeverity::INFO) } else { filter }
    }

    /// Whether a record of this severity and target is kept.
    #[must_use]
    pub fn keeps(&self, severity: LogSeverity, target: &str) -> bool {
        let directive = self.directives.iter().find(|of| target.starts_with(&*of.target));
        directive.is_some_and(|directive| severity.number() >= directive.at_least)
    }

    fn read(text: &str, fault: &mut impl FnMut(Error)) -> Self {
        let mut directives = Vec::<Directive>::new();
        let texts = text.split(',').map(str::trim).filter(|text| !text.is_empty());
        for (n, text) in texts.enumerate() {
            if n == MOST_DIRECTIVES {
                fault(error(format!("has more than {MOST_DIRECTIVES} directives")));
                break;
            }
            match text.parse::<Directive>() {
                Ok(directive) => {
                    directives.retain(|earlier| earlier.target != directive.target);
                    directives.push(directive);
                }
                Err(reason) => fault(error(format!("in {:?}: {reason}", label::head(text, 80)))),
            }
        }
        directives.sort_by_key(|directive| Reverse(directive.target.len()));
        Self { directives }
    }

    /// The number of the lowest severity that is kept of any target.
    fn lowest(&self) -> u8 {
        self.directives.iter().map(|directive| directive.at_least).min().unwrap_or(OFF)
    }
}

fn error(text: impl fmt::Display) -> Error {
    Error::new(ErrorKind::InvalidOption, format!("log filter: {text}"))
}

impl FromStr for LogFilter {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let mut first = None;
        let filter = Self::read(text, &mut |fault| {
            first.get_or_insert(fault);
        });
        first.map_or(Ok(filter), Err)
    }
}

impl FromStr for Directive {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let invalid = |reason: &str| Err(Error::new(ErrorKind::InvalidOption, reason.to_owned()));
        if text.contains(['[', ']', '{', '}']) {
            return invalid("filters by spans and fields are not supported");
        }
        if text.contains('/') {
            return invalid("filters by regular expressions are not supported");
        }
        match text.split_once('=') {
            Some((target, level)) => {
                let (target, level) = (target.trim().to_owned(), level.trim());
                // As in tracing: nothing behind the `=` keeps everything.
                let at_least = if level.is_empty() { 1 } else { at_least(level)? };
                Ok(Self { target, at_least })
            }
            None => Ok(match at_least(text) {
                Ok(at_least) => Self { target: String::new(), at_least },
                Err(_) => Self { target: text.to_owned(), at_least: 1 },
            }),
        }
    }
}

fn at_least(level: &str) -> Result<u8, Error> {
    match level {
        "0" => Ok(OFF),
        level if level.eq_ignore_ascii_case("off") => Ok(OFF),
        level => level.parse().map(LogSeverity::number),
    }
}

/// As it is read.
impl fmt::Display for LogFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.directives.is_empty() {
            return f.write_str("off");
        }
        for (place, Directive { target, at_least }) in self.directives.iter().enumerate() {
            let comma = if place > 0 { "," } else { "" };
            let equals = if target.is_empty() { "" } else { "=" };
            let level = match *at_least {
                OFF => "off",
                number => LogSeverity::new(number).as_str(),
            };
            write!(f, "{comma}{target}{equals}{level}")?;
        }
        Ok(())
    }
}

/// The number of the filter in force, from bit 8 on, and below it the number of the lowest severity that
/// it keeps. Relaxed: who finds a new number asks for the filter under its lock.
static IN_FORCE: AtomicU64 = AtomicU64::new(OFF as u64);

/// The generation of the process that takes records; zero if none does. Relaxed: it publishes nothing but itself.
static OPENED_IN: AtomicU32 = AtomicU32::new(0);

/// The filter. No lock is taken inside it. A forked child has one of its own, whose lock nobody of its
/// parent's holds.
static FILTER: PerProcess<Mutex<InForce>> = PerProcess::new();

/// What follows changes of the filter: more than there are bridges that have to.
static FOLLOWERS: [OnceLock<fn()>; 4] = [const { OnceLock::new() }; 4];

#[derive(Default)]
struct InForce {
    filter: Option<Arc<LogFilter>>, // None is `off`.
    /// Whether somebody takes records: otherwise nothing is kept, whatever the filter says.
    is_open: bool,
    /// How many threads keep what they log, whatever the filter says.
    n_captures: usize,
}

/// Whether any target keeps records of this severity.
#[inline(always)]
pub(crate) fn may_keep(severity: LogSeverity) -> bool {
    u64::from(severity.number()) >= IN_FORCE.load(Relaxed) & 0xff
}

/// The number of the filter in force, which changes with the filter.
#[inline(always)]
pub(super) fn number() -> u64 {
    IN_FORCE.load(Relaxed) >> 8
}

/// Whether the filter in force keeps records of this severity and target; the filter's number, which is
/// none's where the answer is this thread's alone.
pub(crate) fn ask(severity: LogSeverity, target: &str) -> (bool, u64) {
    if context::is_muted() {
        return (false, 0);
    }
    if keeps_all() {
        return (true, 0);
    }
    if OPENED_IN.load(Relaxed) != process::generation() {
        // Nobody takes records; in a forked child a thread of the parent may hold the lock for ever.
        return (false, 0);
    }
    let in_force = FILTER.get().lock();
    let number = if in_force.n_captures > 0 { 0 } else { number() };
    let filter = in_force.filter.clone().filter(|_| in_force.is_open);
    drop(in_force);
    (filter.is_some_and(|filter| filter.keeps(severity, target)), number)
}

/// The lowest severity that any target keeps; none where nothing is kept.
#[cfg(any(feature = "log", feature = "tracing"))]
pub(crate) fn lowest() -> Option<LogSeverity> {
    let number = (IN_FORCE.load(Relaxed) & 0xff) as u8;
    (number < OFF).then(|| LogSeverity::new(number))
}

/// Puts `filter` in force.
pub(super) fn set(filter: LogFilter) {
    change(|in_force| in_force.filter = Some(Arc::new(filter)));
}

/// Says whether somebody takes records.
pub(super) fn set_open(is_open: bool) {
    change(|in_force| {
        in_force.is_open = is_open;
        OPENED_IN.store(if is_open { process::generation() } else { 0 }, Relaxed);
    });
}

thread_local! {
    // Without a destructor: one load for every record.
    static KEEPS_ALL: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread keeps all that it logs, for itself.
#[inline]
pub(super) fn keeps_all() -> bool {
    KEEPS_ALL.get()
}

/// Lets this thread keep all that it logs, or go by the filter.
pub(super) fn keep_all_of_thread(keeps_all: bool) {
    KEEPS_ALL.set(keeps_all);
}

/// Says that a thread begins to keep what it logs.
pub(super) fn begin_capture() {
    change(|in_force| in_force.n_captures += 1);
}

/// Says that it ends.
pub(super) fn end_capture() {
    change(|in_force| in_force.n_captures = in_force.n_captures.saturating_sub(1));
}

/// Calls `follower` at each change of the filter, and now: for libraries that keep their own idea of what
/// is enabled.
#[cfg(any(feature = "log", feature = "tracing"))]
pub(crate) fn follow(follower: fn()) {
    let is_its =
        |place: &&OnceLock<fn()>| std::ptr::fn_addr_eq(*place.get_or_init(|| follower), follower);
    let _ = FOLLOWERS.iter().find(is_its);
    follower();
}

fn change(change: impl FnOnce(&mut InForce)) {
    // What an allocator logs meanwhile would wait for this lock.
    let muted = context::mute();
    let mut in_force = FILTER.get().lock();
    change(&mut in_force);
    let lowest = match &in_force.filter {
        _ if in_force.n_captures > 0 => LogSeverity::TRACE.number(),
        Some(filter) if in_force.is_open => filter.lowest(),
        _ => OFF,
    };
    // Only this writes it, under the lock.
    IN_FORCE.store((number() + 1) << 8 | u64::from(lowest), Relaxed);
    drop((in_force, muted));
    // Again, if another thread has changed it meanwhile: of two followers at once, the later one may
    // have looked earlier.
    loop {
        let followed = number();
        FOLLOWERS.iter().filter_map(OnceLock::get).for_each(|follower| follower());
        if number() == followed {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn keeps(filter: &str, severity: LogSeverity, target: &str) -> bool {
        filter.parse::<LogFilter>().unwrap().keeps(severity, target)
    }

    #[test]
    fn directives_are_those_of_rust_log() {
        for (filter, severity, target, kept) in [
            ("info", LogSeverity::INFO, "any", true),
            ("info", LogSeverity::DEBUG, "any", false),
            ("", LogSeverity::FATAL, "any", false),
            ("off", LogSeverity::FATAL, "any", false),
            ("shop", LogSeverity::TRACE, "shop::pay", true),
            ("shop", LogSeverity::FATAL, "hyper", false),
            ("shop=", LogSeverity::TRACE, "shop", true),
            (" warn , shop = DEBUG ", LogSeverity::DEBUG, "shop", true),
            ("shop=debug,shop::pay=warn", LogSeverity::INFO, "shop::pay::card", false),
            ("shop::pay=warn,shop=debug", LogSeverity::INFO, "shop::pay::card", false),
            ("debug,hyper=off", LogSeverity::ERROR, "hyper::h1", false),
            ("error,error=off", LogSeverity::ERROR, "any", true),
            ("debug,warn", LogSeverity::INFO, "any", false),
            ("shop=3", LogSeverity::INFO, "shop", true),
            ("shop=0", LogSeverity::FATAL, "shop", false),
        ] {
            assert_eq!(keeps(filter, severity, target), kept, "{filter} {severity} {target}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_named_and_the_rest_holds() {
        let mut faults = Vec::new();
        let text = "info,[span]=debug,shop=loud,a/b,hyper=off";
        let filter = LogFilter::read(text, &mut |fault| faults.push(fault.to_string()));
        assert_eq!(filter.to_string(), "hyper=off,INFO");
        let named = ["[span]=debug", "shop=loud", "a/b"];
        assert_eq!(faults.len(), named.len());
        assert!(faults.iter().zip(named).all(|(fault, name)| fault.contains(name)), "{faults:?}");
    }

    #[test]
    fn a_variable_that_says_nothing_readable_is_as_if_it_were_not_set() {
        for text in ["", " ", ",", "info/text", "shop=loud", "[span]=debug,"] {
            assert_eq!(LogFilter::of_variable(text, &mut |_| ()).to_string(), "INFO", "{text}");
        }
        assert_eq!(LogFilter::of_variable("off", &mut |_| ()).to_string(), "off");
    }

    #[test]
    fn a_long_directive_that_cannot_be_read_is_cut_in_the_error() {
        let text = format!("shop={}", "x".repeat(1_000_000));
        let error = text.parse::<LogFilter>().unwrap_err().to_string();
        assert!(error.len() < 500, "{}", error.len());
    }

    #[test]
    fn a_flood_of_directives_is_cut() {
        let text: String = (0..5000).map(|n| format!("a{n}=info,")).collect();
        assert!(text.parse::<LogFilter>().unwrap_err().to_string().contains("1024"));
    }

    proptest! {
        #[test]
        fn a_filter_is_read_as_it_is_written(
            directives in prop::collection::vec(("[a-c:]{0,4}", 0u8..6), 0..8),
            target in "[a-c:]{0,6}", number in 1u8..25,
        ) {
            let texts = directives.iter().map(|(target, level)| format!("{target}={level}"));
            let text = texts.collect::<Vec<_>>().join(",");
            let filter: LogFilter = text.parse().unwrap();
            let again: LogFilter = filter.to_string().parse().unwrap();
            let severity = LogSeverity::new(number);
            prop_assert_eq!(filter.keeps(severity, &target), again.keeps(severity, &target));
            // A naive twin: the longest target that fits, the last of equal ones.
            let mut best: Option<&(String, u8)> = None;
            for directive in &directives {
                let fits = target.starts_with(&directive.0);
                if fits && best.is_none_or(|best| directive.0.len() >= best.0.len()) {
                    best = Some(directive);
                }
            }
            let kept = best.is_some_and(|(_, level)| match level {
                0 => false,
                level => number >= [17, 13, 9, 5, 1][usize::from(*level) - 1],
            });
            prop_assert_eq!(filter.keeps(severity, &target), kept);
            let lowest = filter.lowest();
            prop_assert!(!kept || number >= lowest);
        }
    }
}
