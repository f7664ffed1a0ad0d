//! Whatever a server does costs no more time than a request may take, and no more memory than an answer may
//! have.

#![expect(unsafe_code, reason = "a global allocator that counts")]
#![expect(clippy::unwrap_used, reason = "the helpers are part of the tests")]
#![expect(clippy::disallowed_methods, reason = "the rule is the library's own")]

mod support;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::{Duration, Instant},
};

use bellwether::{
    collect::{JsonPoll, Source, poll::JsonField},
    metric::Registry,
    pipeline::Deadline,
    transport::{Endpoint, HttpPost, HttpPoster},
};
use support::{PATIENCE, Reply, Server};

/// Knows how many bytes are allocated, and how many were at most.
struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: hands each call on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Relaxed) + layout.size();
        MOST.fetch_max(now, Relaxed);
        // SAFETY: the caller keeps what `alloc` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the pointer is of `alloc` with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const LIMIT: usize = 4 << 20;

/// One test, for the memory is the process's.
#[test]
fn an_answer_takes_at_most_what_it_may_have_and_no_longer_than_it_may_last() {
    an_answer_to_a_poll();
    an_answer_to_a_post();
}

fn an_answer_to_a_poll() {
    const GIB: u64 = 1 << 30;
    let bomb = Reply::gzip_bomb(16 << 20);
    for (reply, most) in [
        (Reply::ok().zeros(10 * GIB), LIMIT),
        (Reply::ok().announced_zeros(10 * GIB), 0),
        (bomb, 0),
        (Reply::garbage(), 0),
    ] {
        let server = Server::answering([Reply::ok().body("{}"), reply.clone()]);
        let endpoint = Endpoint::new(&server.url("/")).allow_plain_http().allow_private();
        let poll = JsonPoll::new("upstream", endpoint).limit(LIMIT);
        let source = Source::new("upstream", poll.field(JsonField::gauge("/x", "upstream.x")));
        let registered = source.register(&Registry::new()).unwrap();
        // The first request makes what lasts: the client, its threads.
        registered.refresh();
        server.next();
        let before = NOW.load(Relaxed);
        MOST.store(before, Relaxed);
        registered.refresh();
        server.next();
        let grown = MOST.load(Relaxed) - before;
        // The client's buffer of what it reads, and the server's own, are less than a MiB.
        assert!(grown < most + (1 << 20), "{reply:?}: {grown} bytes");
    }
}

fn an_answer_to_a_post() {
    const GIB: u64 = 1 << 30;
    /// A tenth of it has to be more than a loaded machine makes a thread wait.
    const TIME: Duration = Duration::from_secs(2);
    let second = Duration::from_secs(1);
    for (reply, most, is_slow) in [
        (Reply::ok().after(Duration::from_millis(1)), 0, false),
        (Reply::ok().after(30 * second), 0, true),
        (Reply::silence(), 0, true),
        (Reply::ok().body([b'x'; 100]).trickle(second), 0, true),
        (Reply::ok().body("cut").cut_at(50), 0, false),
        (Reply::close(), 0, false),
        (Reply::ok().zeros(10 * GIB), LIMIT, false),
        (Reply::status(503).zeros(10 * GIB), LIMIT, false),
        (Reply::ok().announced_zeros(10 * GIB), 0, false),
        (Reply::ok().body("short").misannounced(5), 0, false),
        (Reply::ok().body("long").misannounced(-2), 0, false),
        (Reply::ok().body("old").http_1_0(), 0, false),
        (Reply::gzip_bomb(16 << 20), 0, false),
        (Reply::garbage(), 0, false),
    ] {
        let server = Server::answering([Reply::ok(), reply.clone()]);
        let endpoint = Endpoint::new(&server.url("/")).allow_plain_http().allow_private();
        let mut poster = HttpPoster::new(endpoint.timeout(TIME));
        let mut post = || {
            let post = HttpPost::new("text/plain", "telemetry").reading(LIMIT);
            let answer = poster.post(post, &Deadline::after(PATIENCE));
            server.next();
            answer.is_ok()
        };
        // The first request makes what lasts.
        assert!(post());
        let before = NOW.load(Relaxed);
        MOST.store(before, Relaxed);
        let begun = Instant::now();
        post();
        let (lasted, grown) = (begun.elapsed(), MOST.load(Relaxed) - before);
        assert!(grown < most + (1 << 20), "{reply:?}: {grown} bytes");
        assert_eq!(lasted >= TIME, is_slow, "{reply:?}: {lasted:?}");
        assert!(lasted <= TIME * 11 / 10, "{reply:?}: {lasted:?}");
    }
}
