//! What the crate has to say about itself: one hook, by default a line on stderr per kind and minute.

use std::{cell::Cell, collections::HashMap, fmt, sync::Arc, time::Duration};

use crate::{
    clock::{self, Ticks},
    sync::Mutex,
    util::{catch::catch, standard::Stderr},
};

pub(crate) type Hook = Arc<dyn Fn(&str, &str) + Send + Sync>;

/// Guards the hook and when each kind was last printed; no lock is taken inside it, and the hook is
/// called outside it.
static STATE: Mutex<State> = Mutex::new(State { hook: None, last: None });

struct State {
    hook: Option<Hook>,
    last: Option<HashMap<&'static str, Seen>>,
}

struct Seen {
    printed: Ticks,
    suppressed: u64,
}

thread_local! {
    // Without a destructor, so that it can be read in exit hooks, where others are gone.
    static IN_HOOK: Cell<bool> = const { Cell::new(false) };
}

/// Reports `message` of `kind` to the hook; without one, prints it unless a message of the same kind
/// was printed within the last minute. What a hook itself brings about is printed, so that it is not
/// called out of itself for ever.
///
/// Not to be called under a lock: the hook may ask for whatever the lock guards.
#[cold]
pub(crate) fn report(kind: &'static str, message: fmt::Arguments<'_>) {
    let hook = if IN_HOOK.get() { None } else { STATE.lock().hook.clone() };
    match hook {
        // A hook that panics must not take the worker that had something to say with it.
        Some(hook) => {
            IN_HOOK.set(true);
            let _ = catch(|| hook(kind, &message.to_string()));
            IN_HOOK.set(false);
        }
        None => {
            if let Some(suppressed) = admit(kind) {
                print(kind, message, suppressed);
            }
        }
    }
}

/// Reports `message` as [`report`] does, and prints it however many of its kind were printed: for what
/// is reported once.
#[cold]
pub(crate) fn report_each(kind: &'static str, message: fmt::Arguments<'_>) {
    match has_hook() {
        true => report(kind, message),
        false => print(kind, message, 0),
    }
}

/// Whether somebody else than stderr hears what is reported.
pub(crate) fn has_hook() -> bool {
    STATE.lock().hook.is_some()
}

/// Replaces where diagnostics go; `None` is stderr.
pub(crate) fn set_hook(hook: Option<Hook>) {
    // What the old hook holds is dropped outside the lock: it may have something to report.
    let old = std::mem::replace(&mut STATE.lock().hook, hook);
    drop(old);
}

/// How many of the kind were suppressed since the last one, if this one may be printed.
fn admit(kind: &'static str) -> Option<u64> {
    let now = clock::now();
    let mut state = STATE.lock();
    let seen = state.last.get_or_insert_default();
    let Some(entry) = seen.get_mut(kind) else {
        seen.insert(kind, Seen { printed: now, suppressed: 0 });
        return Some(0);
    };
    if now.since(entry.printed) < Duration::from_secs(60) {
        entry.suppressed += 1;
        return None;
    }
    entry.printed = now;
    Some(std::mem::take(&mut entry.suppressed))
}

fn print(kind: &str, message: fmt::Arguments<'_>, suppressed: u64) {
    use std::io::Write as _;
    let more = if suppressed == 0 { String::new() } else { format!(" ({suppressed} more)") };
    // One write, so that lines of two threads do not mix; a closed stderr is nobody's business.
    let line = format!("bellwether: {kind}: {message}{more}\n");
    let _ = Stderr.write_all(line.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    #[test]
    fn one_message_of_a_kind_is_printed_a_minute_and_the_next_tells_of_the_others() {
        let clock = ManualClock::new();
        let _installed = clock::enter(Some(clock.clone()));
        assert_eq!(admit("test kind"), Some(0));
        assert_eq!((admit("test kind"), admit("test kind")), (None, None));
        assert_eq!(admit("another test kind"), Some(0));
        clock.advance(Duration::from_secs(60));
        assert_eq!(admit("test kind"), Some(2));
    }

    #[test]
    fn a_hook_is_not_called_out_of_itself_and_its_panic_goes_no_further() {
        use crate::sync::atomic::{AtomicUsize, Ordering::Relaxed};
        static CALLS: AtomicUsize = AtomicUsize::new(0);
        set_hook(Some(Arc::new(|kind, _| {
            if kind == "test hook" {
                CALLS.fetch_add(1, Relaxed);
                report("test hook", format_args!("from inside"));
                panic!("of the hook");
            }
        })));
        report("test hook", format_args!("one"));
        report("test hook", format_args!("two"));
        set_hook(None);
        assert_eq!(CALLS.load(Relaxed), 2);
    }
}
