//! What the operating system tells about the process: here, that it is a forked child.
#![expect(unsafe_code, reason = "pthread_atfork has no safe call")]

use super::fork_section;
use crate::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Zero until somebody asked; then one, and one more in each child of a fork.
static GENERATION: AtomicU32 = AtomicU32::new(0);

/// A number that a forked child does not share with its parent; never zero.
///
/// What was made under another number was inherited: it must not be used for anything that is to be
/// unique (ids) or done once (delivery).
#[inline]
pub(crate) fn generation() -> u32 {
    // Relaxed: the number changes only in a child of one thread, before any code of ours runs there.
    match GENERATION.load(Relaxed) {
        0 => watch_forks(),
        generation => generation,
    }
}

/// Asks to be called at forks, once.
#[cold]
fn watch_forks() -> u32 {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        // SAFETY: the handlers are functions of this crate that do not unwind. The child's does some
        // atomic stores, which are async-signal-safe, as POSIX asks of it; the others run where the
        // caller of `fork` is. If the crate lives in a library that is unloaded, glibc drops the
        // handlers with it. A refusal (no memory) leaves forks unseen and nothing else wrong.
        unsafe { libc::pthread_atfork(Some(before), Some(in_parent), Some(in_child)) };
        GENERATION.store(1, Relaxed);
    });
    GENERATION.load(Relaxed).max(1)
}

extern "C" fn before() {
    fork_section::before_fork();
}

extern "C" fn in_parent() {
    fork_section::after_fork();
}

extern "C" fn in_child() {
    fork_section::in_child();
    GENERATION.fetch_add(1, Relaxed);
    if let Some(hook) = IN_CHILD.get() {
        hook();
    }
}

static IN_CHILD: std::sync::OnceLock<fn()> = std::sync::OnceLock::new();

/// Has `hook` called in each forked child, before any of its code; once, whichever hook came first. It may do
/// no more than a signal handler: one or two atomic stores.
#[cfg_attr(not(feature = "signals"), allow(dead_code, reason = "for signals"))]
pub(crate) fn in_children(hook: fn()) {
    generation();
    let _ = IN_CHILD.set(hook);
}

/// Has `hook` called when the process leaves by `exit` or by a return from `main`; once, whichever
/// hook came first. It runs on the thread that left, whose thread-locals with destructors are gone.
pub(crate) fn at_exit(hook: fn()) {
    static HOOK: std::sync::OnceLock<fn()> = std::sync::OnceLock::new();
    extern "C" fn call() {
        if let Some(hook) = HOOK.get() {
            hook();
        }
    }
    if HOOK.set(hook).is_ok() {
        // SAFETY: `call` is a function of this crate and does not unwind: `deliver` catches what
        // panics. A refusal (no memory) leaves the process without a hook and nothing else wrong.
        unsafe { libc::atexit(call) };
    }
}
