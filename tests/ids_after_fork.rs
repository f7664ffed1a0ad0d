//! A forked child makes other ids than its parent, and does not deliver its parent's spans.
#![cfg(unix)]
#![allow(unsafe_code, reason = "fork has no safe call")]

use std::{
    io::{Read as _, Write as _},
    sync::{Arc, mpsc},
};

use bellwether::{
    context::{SpanId, TraceId},
    trace::{self, SpanRecord, Tracer},
};

#[test]
fn a_child_has_ids_of_its_own_and_only_its_own_spans() {
    let (sender, names) = mpsc::channel();
    let tracer = Tracer::builder(move |spans: &mut Vec<SpanRecord>| {
        spans.iter().for_each(|span| sender.send(span.name().to_owned()).unwrap_or_default());
    })
    .build();
    let _entered = trace::enter(Some(Arc::clone(&tracer)));
    bellwether::span("parent").enter().end(); // Seeds the generator, and stays in the buffer.

    let child = in_child(|| {
        let ids = format!("{} {}", TraceId::random(), SpanId::random());
        bellwether::span("child").enter().end();
        tracer.collect();
        format!("{ids} {}", names.try_iter().collect::<String>())
    });
    // The same steps as the child: without a new seed these would be the child's ids.
    let own = format!("{} {}", TraceId::random(), SpanId::random());
    bellwether::span("after").enter().end();
    tracer.collect();

    assert!(child.ends_with(" child"), "{child}");
    assert!(!child.starts_with(&own), "{own}");
    assert_eq!(names.try_iter().collect::<Vec<_>>(), ["parent", "after"]);
}

#[test]
fn a_child_dates_what_its_parent_began_as_its_parent_does() {
    use bellwether::clock::{Timestamp, now};
    let before = now();
    let date = before.timestamp();
    let child = in_child(|| {
        let since = before.timestamp().unix_nanos().abs_diff(date.unix_nanos());
        let late = Timestamp::now().since(now().timestamp());
        format!("{} {}", since < 1_000_000_000, late.as_secs() < 5)
    });
    assert_eq!(child, "true true");
}

/// What `work` returns in a forked child.
fn in_child(work: impl FnOnce() -> String) -> String {
    let (mut reader, mut writer) = std::io::pipe().expect("pipes are to be had");
    // SAFETY: no other thread of this process holds a lock that the child needs: the test harness
    // only waits, and glibc looks after the allocator's locks.
    match unsafe { libc::fork() } {
        0 => {
            let _ = writer.write_all(work().as_bytes());
            // SAFETY: ends the child without running the harness's exit hooks a second time.
            unsafe { libc::_exit(0) }
        }
        child => {
            drop(writer);
            let mut text = String::new();
            #[expect(clippy::disallowed_methods, reason = "the writer is this test's own child")]
            reader.read_to_string(&mut text).expect("the child writes text");
            // SAFETY: waits for the child of this test; no status is asked for.
            unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) };
            text
        }
    }
}
