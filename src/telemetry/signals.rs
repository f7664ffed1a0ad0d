//! Delivery when the process is asked to end by a signal.
//!
//! ```text
//! signal ─► handler: ENDS_AT_ONCE? ── yes ─► the signal's default: the process ends
//!                    │ no: set it, wake the thread
//!                    └► thread: shuts the telemetry down ─► the signal's default
//! ```
//!
//! A handler stays for as long as the process, because taking it away would leave the signal ignored. Without
//! telemetry that waits for it, it does at once what the system would have done.

use std::{
    io,
    sync::atomic::{AtomicBool, Ordering::SeqCst},
    time::{Duration, Instant},
};

use signal_hook::{
    consts::{SIGINT, SIGTERM},
    flag,
    iterator::{Handle, Signals},
    low_level,
};

use super::{Builder, exit, running::Part};
use crate::{
    context,
    error::{Error, ErrorKind},
    sync::Mutex,
    util::process,
};

impl Builder {
    /// At SIGTERM or SIGINT, delivers what is queued for at most `timeout`, and then lets the signal end the
    /// process, as it would have without this: supervisors see that it ended by a signal.
    ///
    /// It is for programs that do nothing at a signal themselves: batch jobs, workers, command lines. The
    /// process is ended though it be in the middle of its work, and no destructor runs. A service that ends
    /// in an orderly way (axum's `with_graceful_shutdown`) should do that, and call
    /// [`shutdown_async`](crate::Telemetry::shutdown_async) at its end instead.
    ///
    /// - A second signal ends the process at once.
    /// - What waits for the signal is a thread called `bellwether-signals`; the handler itself is a few atomic
    ///   operations and a write to a pipe. Handlers that others register by the crates `signal-hook` and
    ///   `tokio` run too; one that was set in another way is called after this one.
    /// - A signal that is ignored when telemetry starts, as in a job that a shell put into the background,
    ///   stays ignored (Linux).
    /// - After a shutdown, and in a forked child until it starts telemetry of its own, a signal does what it
    ///   does by default.
    /// - The first process of a container, for which the system has no default, exits with 128 and the
    ///   signal's number.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let telemetry = bellwether::builder("invoices")
    ///     .shutdown_on_signals(Duration::from_secs(5))
    ///     .start()?;
    /// # Ok::<(), bellwether::Error>(())
    /// ```
    #[cfg_attr(docsrs, doc(cfg(feature = "signals")))]
    pub fn shutdown_on_signals(self, timeout: Duration) -> Self {
        self.part(move |_| Ok(Box::new(Heeding::start(timeout)?)))
    }
}

/// Whether a signal does at once what it does by default: nobody waits for one, or one has come.
///
/// SeqCst, as `signal-hook` has it: signals are rare.
static ENDS_AT_ONCE: AtomicBool = AtomicBool::new(true);

/// A thread that waits for signals, until telemetry is shut down.
struct Heeding {
    handle: Option<Handle>,
}

impl Heeding {
    fn start(timeout: Duration) -> Result<Self, Error> {
        let failed = |error: io::Error| {
            let text = "no handler for SIGTERM and SIGINT can be set";
            Error::new(ErrorKind::Io, text).with_source(error)
        };
        let heeded: Vec<i32> =
            [SIGTERM, SIGINT].into_iter().filter(|signal| !is_ignored(*signal)).collect();
        set_defaults(&heeded).map_err(failed)?;
        let signals = Signals::new(&heeded).map_err(failed)?;
        let heeding = Self { handle: Some(signals.handle()) };
        let thread = std::thread::Builder::new().name("bellwether-signals".to_owned());
        thread.spawn(move || heed(signals, timeout)).map_err(failed)?;
        ENDS_AT_ONCE.store(false, SeqCst);
        Ok(heeding)
    }

    fn close(&mut self) {
        if let Some(handle) = self.handle.take() {
            ENDS_AT_ONCE.store(true, SeqCst);
            handle.close();
        }
    }
}

impl Part for Heeding {
    fn stop(&mut self, _: Instant) {
        self.close();
    }
}

impl Drop for Heeding {
    fn drop(&mut self) {
        self.close();
    }
}

/// Sets the handlers that stay, once for each signal: children inherit them.
fn set_defaults(signals: &[i32]) -> io::Result<()> {
    /// Those that are set. Held while handlers are registered, which runs no code of the user's.
    static SET: Mutex<Vec<i32>> = Mutex::new(Vec::new());
    // The thread stays with the parent.
    process::in_children(|| ENDS_AT_ONCE.store(true, SeqCst));
    let mut set = SET.lock();
    for &signal in signals {
        if set.contains(&signal) {
            continue;
        }
        // In this order: handlers run as they were registered, and only a second signal finds it set.
        match std::process::id() {
            // The system heeds no default of the first process of a container.
            1 => flag::register_conditional_shutdown(signal, 128 + signal, &ENDS_AT_ONCE)?,
            _ => flag::register_conditional_default(signal, &ENDS_AT_ONCE)?,
        };
        flag::register(signal, &ENDS_AT_ONCE)?;
        set.push(signal);
    }
    Ok(())
}

/// Waits for a signal, and ends the process; or for the shutdown, and returns.
fn heed(mut signals: Signals, timeout: Duration) {
    let _muted = context::mute();
    let signal = signals.forever().next();
    // One that came just before the shutdown.
    let Some(signal) = signal.or_else(|| signals.pending().next()) else { return };
    exit::deliver_within(timeout);
    if std::process::id() != 1 {
        // Does not return. Of the first process of a container the system would not heed it.
        let _ = low_level::emulate_default_handler(signal);
    }
    std::process::exit(128 + signal)
}

/// Whether the process was started with this signal ignored.
#[cfg(target_os = "linux")]
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

/// Nobody says so without `unsafe`.
#[cfg(not(target_os = "linux"))]
fn is_ignored(_: i32) -> bool {
    false
}
